"""What every reward model can do, and the registry of them.

A reward model is a file in ``kinds/`` and a line below, or an object that somebody else's program
registers: what differs between models is a method or a field of the model, nowhere an ``if``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from cr_audit.arrays import (
    Comparisons,
    Float32Array,
    FloatArray,
    IntArray,
    JoinedRows,
    NotApplicable,
    Proportions,
)
from cr_audit.models.rewards.bootstrap import WeightDraw
from cr_audit.models.rewards.moments import FitStatus

FitRewards = Callable[[FloatArray], FloatArray]
"""Weights of the fitted items -> their rewards."""
Contexts = Float32Array | JoinedRows
"""float32 (n_items, d)."""
Tick = Callable[[int, int], None]
"""Called with (done, total) from time to time."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One data set as a fit sees it.

    weights : float64 (n_items,) of the weighted fit, or why there are none. draw : redraws them
    with their Monte-Carlo error. contexts : (n_items, d), None for rewards that are not a function
    of them. seed : of whatever a fit draws (the start of a network), the same for both fits.
    tolerance : None is the model's own. shared : what a model keeps between fits of one problem, at
    whatever penalty.
    """

    n_items: int
    comparisons: Comparisons
    weights: FloatArray | NotApplicable
    draw: WeightDraw | None
    contexts: Float32Array | FloatArray | JoinedRows | None
    count_weighted: bool
    penalty: float
    workers: int | None
    seed: np.random.SeedSequence | int
    tolerance: float | None = None
    shared: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def uniform(self) -> FloatArray:
        """Weights of the standard fit, float64 (n_items,)."""
        return np.full(self.n_items, 1.0 / self.n_items)


class Fitted(Protocol):
    """One fit: float64 (n_items,) rewards (NaN without data) and the weights they were made with.

    components : int64 (n_items,), rewards are comparable within one, -1 = never compared; all 0
    where rewards are on one scale. gradient_norm : of the moment system or of θ; NaN for a
    training that is not meant to reach the minimum.
    """

    @property
    def rewards(self) -> FloatArray:
        """Log-odds, float64 (n,), centred in each component."""
        ...

    @property
    def weights(self) -> FloatArray:
        """Of the items, float64 (n,), sum 1."""
        ...

    @property
    def components(self) -> IntArray:
        """int64 (n,); rewards of two are not comparable."""
        ...

    @property
    def status(self) -> FitStatus:
        """How the fit ended."""
        ...

    @property
    def iterations(self) -> int:
        """Newton steps."""
        ...

    @property
    def gradient_norm(self) -> float:
        """Largest entry of the gradient at the end."""
        ...

    @property
    def kappa(self) -> float:
        """Share of the weight that was compared, in (0, 1]."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Rewards of subjects as means of those of the fitted items.

    matrix : float64 (n_subjects, n_items), rows sum to 1; None where subjects are the items.
    """

    matrix: csr_array | None

    def of(self, rewards: FloatArray) -> FloatArray:
        """float64 (n_subjects,) or (b, n_subjects)."""
        if self.matrix is None:
            return rewards
        out: FloatArray = np.ascontiguousarray(np.asarray(self.matrix @ rewards.T).T)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """rewards : float64 (fits, replicates, n_subjects). weights_drawn : whether they hold the
    Monte-Carlo error of the weights. also : what else they vary, in words (", …" or "").
    votes : the same with the noise of votes that resampling cannot show, for marks and places;
    around_truth : with what the penalty takes away too, for intervals of the true rewards
    (``shrinkage``); None where that is not known. local : a component's rewards follow from its own
    comparisons, so that these alone say how well its errors are known.
    """

    rewards: FloatArray
    weights_drawn: bool
    also: str
    n_not_converged: int
    around_truth: FloatArray | None = None
    votes: FloatArray | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Certificate:
    """Bounds on the largest reward shift, and the shift itself.

    bound : from weights and pairs alone, before any fit (``shift_certificate``); residual_bound :
    from the standard fit and the weights (``residual_certificate``); complete_data_bound :
    ‖w - 1/m‖₁/λ, which holds where every pair was compared.
    """

    bound: float
    residual_bound: float
    complete_data_bound: float
    weight_change_l1: float
    measured: float


class RewardModel(Protocol):
    """How rewards depend on items, and everything that a report asks of such rewards.

    name, summary : as ``--reward`` names it, and in one phrase.
    from_contexts : rewards are a function of the contexts of responses: every response has one, all
    are on one scale, and what is ranked are means; False: one number per item of the unit.
    default_penalty, penalties : λ where none is given, and the grid of ``--penalty auto``; measured
    in docs/refit.md, "The penalty". max_groups : clone groups that are undone one by one, None for
    as many as a component has room for. costly : a fit takes seconds, so studies make few.

    The F of a method is what ``fit`` gave for the same problem.
    """

    name: str
    summary: str
    from_contexts: bool
    default_penalty: float
    penalties: tuple[float, ...]
    max_groups: int | None
    costly: bool

    def prepared(self, contexts: Contexts) -> Contexts:
        """The contexts as a fit of this model is given them: (n_items, d')."""
        ...

    def n_coordinates(self, problem: Problem) -> int | None:
        """Numbers that the data determines where rewards are linear in them, else None."""
        ...

    def fit(
        self, problem: Problem, pairs: Proportions, weights: FloatArray, penalty: float
    ) -> Fitted:
        """The fit that is reported. Errors as ``fit_tabular``."""
        ...

    def refit(
        self,
        problem: Problem,
        rows: Comparisons,
        weights: FloatArray,
        penalty: float,
        warm: FloatArray | None,
    ) -> tuple[FloatArray, FloatArray]:
        """Rewards float64 (n_items,) on part of the data, and the next warm start: for folds,
        where a costly model may be fitted more cheaply."""
        ...

    def replicates(
        self,
        problem: Problem,
        fits: Sequence[Fitted],
        means: Means,
        *,
        n_subjects: int,
        clusters: IntArray | None,
        n_replicates: int,
        rng: np.random.Generator,
        tick: Tick,
    ) -> Replicates:
        """All fits on the same resamples of the comparisons (or of ``clusters`` of them)."""
        ...

    def drawn_differences(
        self,
        problem: Problem,
        fits: Sequence[Fitted],
        first: IntArray,
        second: IntArray,
        *,
        clusters: IntArray | None,
        n_replicates: int,
        rng: np.random.Generator,
    ) -> list[FloatArray] | NotApplicable:
        """Per fit r(first) - r(second) in every replicate, float64 (n_replicates, pairs); weights
        taken as known."""
        ...

    def with_other_weights(
        self, problem: Problem, fitted: Fitted, means: Means
    ) -> tuple[FitRewards, FitRewards]:
        """(weights -> rewards of the items fitted with them, those -> rewards of the subjects)."""
        ...

    def gradient_rows(
        self, problem: Problem, fitted: Fitted
    ) -> FloatArray | csr_array | NotApplicable:
        """Per comparison, what its row adds to the system that the fit solves, at the fit: sparse
        (n_comparisons, n_items) or float64 (n_comparisons, d). They sum to the penalty's part."""
        ...

    def covariance(
        self, problem: Problem, fitted: Fitted, clusters: IntArray | None
    ) -> FloatArray | NotApplicable:
        """Sandwich covariance of the rewards, float64 (n_items, n_items)."""
        ...

    def certificate(
        self, problem: Problem, standard: Fitted, weighted: Fitted
    ) -> Certificate | NotApplicable:
        """How far the rewards of the two fits can be apart, and are."""
        ...


MAX_DRAWN = 20_000_000
"""Replicates times subjects of one fit held at once: 160 MB of float64."""
MIN_REPLICATES = 100


def affordable(n_replicates: int, n_subjects: int) -> int:
    """As many replicates as were asked for, or as fit into MAX_DRAWN; MIN_REPLICATES at least."""
    return max(MIN_REPLICATES, min(n_replicates, MAX_DRAWN // n_subjects))
