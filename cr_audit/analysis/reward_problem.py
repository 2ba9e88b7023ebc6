"""What is fitted: comparisons, items, weights and contexts, behind one call for all reward models.

A *fitted item* has a reward of its own in the fit: an item of the unit (tabular), or a response
(linear and mlp, whose rewards are functions of its context).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from threadpoolctl import threadpool_limits

from cr_audit.analysis.choice import Choice, Unit
from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.reward_facts import RewardFit, RewardModel
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import Comparisons, Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.errors import ComputeError, UsageError
from cr_audit.models.rewards.bootstrap import WeightDraw
from cr_audit.models.rewards.linear import LinearFit, fit_linear
from cr_audit.models.rewards.moments import FitStatus
from cr_audit.models.rewards.tabular import Fit, fit_tabular
from cr_audit.weights.contexts import response_contexts
from cr_audit.weights.estimates import Weights
from cr_audit.wording import comparisons_in_median, percent

# Chosen by cross-validation on real sets: docs/refit.md, "The penalty".
DEFAULT_PENALTY: dict[str, float] = {"tabular": 0.03, "linear": 1.0, "mlp": 0.03}
# Median comparisons per item from which a tabular fit predicts better than a linear one:
# docs/refit.md, "Tabular or linear".
ENOUGH_COMPARISONS = 8.0
MOSTLY = 0.5  # of the compared items
# Networks of an ensemble ([CR] Appendix I.3), and per fold where it predicts held-out comparisons.
N_MLP_RUNS = 20
N_MLP_FOLD_RUNS = 2
# The grid of ``--penalty auto`` for mlp: docs/refit.md, "The penalty".
MLP_PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
# Linear fits: gradient small against any standard error, and few iterations.
LINEAR_TOLERANCE = 1e-7


FitRewards = Callable[[FloatArray], FloatArray]
"""Weights of the fitted items -> their rewards."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One data set as a fit sees it.

    weights : float64 (n_items,) of the weighted fit, or why there are none. draw : redraws them
    with their Monte-Carlo error. contexts : float32 (n_items, d) for linear and mlp.
    """

    model: RewardModel
    unit: Unit
    n_items: int
    comparisons: Comparisons
    weights: FloatArray | NotApplicable
    scheme: str
    draw: WeightDraw | None
    contexts: Float32Array | None
    count_weighted: bool
    penalty: float
    n_threads: int
    mlp_seed: np.random.SeedSequence

    @property
    def n_coordinates(self) -> int | None:
        """Of the contexts, in their own span, where rewards are linear in them."""
        if self.model != "linear" or self.contexts is None:
            return None
        return int(self.contexts.shape[1])

    @property
    def uniform(self) -> FloatArray:
        return np.full(self.n_items, 1.0 / self.n_items)

    def tabular(
        self,
        rows: Comparisons,
        weights: FloatArray,
        penalty: float,
        warm: FloatArray | None = None,
        normaliser: float | None = None,
    ) -> Fit:
        return fit_tabular(
            rows.proportions(),
            weights,
            penalty=penalty,
            warm_start=warm,
            count_weighted=self.count_weighted,
            normaliser=normaliser,
        )

    def linear(
        self, rows: Comparisons, weights: FloatArray, penalty: float, warm: FloatArray | None = None
    ) -> LinearFit:
        assert self.contexts is not None
        return fit_linear(
            rows.proportions(),
            cast(FloatArray, self.contexts),
            weights,
            penalty=penalty,
            tolerance=LINEAR_TOLERANCE,
            warm_start=warm,
            count_weighted=self.count_weighted,
            n_threads=self.n_threads,
        )

    def mlp(
        self, rows: Comparisons, weights: FloatArray, penalty: float, n_runs: int = N_MLP_RUNS
    ) -> FloatArray:
        """Rewards of every run, float64 (n_runs, n_items); the seed is the same for both fits."""
        from cr_audit.models.rewards.mlp import fit_mlp

        assert self.contexts is not None
        fit = fit_mlp(
            rows.proportions(),
            cast(FloatArray, self.contexts),
            weights,
            penalty=penalty,
            n_runs=n_runs,
            count_weighted=self.count_weighted,
            n_threads=self.n_threads,
            rng=np.random.default_rng(self.mlp_seed),
        )
        return fit.by_run

    def rewards(
        self, rows: Comparisons, weights: FloatArray, penalty: float, warm: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Rewards float64 (n_items,) and the next warm start."""
        if self.model == "tabular":
            fit = self.tabular(rows, weights, penalty, warm)
            return fit.rewards, fit.rewards
        if self.model == "linear":
            linear = self.linear(rows, weights, penalty, warm)
            return linear.rewards, linear.theta
        # Few networks: this is for folds, where all of them would take minutes.
        mean = self.mlp(rows, weights, penalty, N_MLP_FOLD_RUNS).mean(axis=0)
        return mean, mean


def record(fit: Fit | LinearFit, scheme: str) -> RewardFit:
    """What the report says of a fit."""
    return RewardFit(
        scheme=scheme,
        weights=fit.weights,
        rewards=fit.rewards,
        status=fit.status,
        iterations=fit.iterations,
        gradient_norm=fit.gradient_norm,
        kappa=fit.kappa,
    )


def record_mlp(by_run: FloatArray, weights: FloatArray, kappa: float, scheme: str) -> RewardFit:
    """A trained ensemble: its steps are fixed, so it always ends as intended."""
    return RewardFit(
        scheme=scheme,
        weights=weights,
        rewards=by_run.mean(axis=0),
        status=FitStatus.CONVERGED,
        iterations=500,
        gradient_norm=float("nan"),
        kappa=kappa,
    )


def choose_reward_model(analysis: Analysis, unit: UnitResult) -> Choice:
    """Tabular where the unit's items were compared often enough, and mostly with more than one
    other, else linear in the contexts.

    Two items that were compared with each other alone keep their order under tabular rewards
    whatever the weights are: r(x) - r(y) has the sign of p - 1/2. Models are few and have their own
    weights, so for them the number of comparisons decides alone.
    Raises UsageError for linear or mlp rewards without vectors.
    """
    asked = analysis.settings.reward
    no_vectors = isinstance(analysis.embedding, NotApplicable)
    if asked != "auto":
        if asked != "tabular" and isinstance(analysis.embedding, NotApplicable):
            raise UsageError(
                "no-vectors",
                f"--reward {asked} needs vectors of the texts: {analysis.embedding.reason}",
                next_step="choose an encoder with --model, give --embeddings, or --reward tabular",
            )
        return Choice(asked, "asked for with --reward")
    graph = unit.graph
    median = graph.comparisons_per_item.median
    typical = f"{unit.unit}s have {comparisons_in_median(median, 'each')}"
    if graph.n_components > 1:
        typical += f" in {graph.n_components:,} separate components"
    enough = median >= ENOUGH_COMPARISONS
    in_pairs = unit.unit != "model" and graph.share_in_pairs > MOSTLY
    if enough and not in_pairs:
        return Choice("tabular", f"{typical}, enough for a reward of its own each")
    if no_vectors:
        fault = "mostly of two, whose order no weights can change" if enough else "few"
        return Choice("tabular", f"{typical}: {fault}, but there are no vectors for a linear fit")
    if enough:
        return Choice(
            "linear",
            f"{typical}, mostly of two, whose order no weights can change in rewards of their own",
        )
    return Choice("linear", f"{typical}, too few for a reward of its own each")


def problem_of(
    analysis: Analysis, unit: UnitResult, model: RewardModel, penalty: float, n_threads: int
) -> Problem:
    """The problem of one reward model. Raises ComputeError where nothing can be compared."""
    settings, data = analysis.settings, analysis.dataset
    seed = np.random.SeedSequence(settings.seed, spawn_key=(24,))
    if model == "tabular":
        items, draws = unit.items, unit.items.draws
        problem = Problem(
            model=model,
            unit=unit.unit,
            n_items=max(items.n, 1),
            comparisons=unit.comparisons,
            weights=items.weights,
            scheme=scheme_of(settings, items.scheme),
            draw=None if draws is None else lambda rng: draws(1, rng)[0],
            contexts=None,
            count_weighted=settings.count_weighted,
            penalty=penalty,
            n_threads=n_threads,
            mlp_seed=seed,
        )
    else:
        embedding = analysis.embedding
        assert not isinstance(embedding, NotApplicable)
        weights = analysis.weights
        prompt_of = data.alternatives["prompt"].to_numpy().astype(np.int64)
        contexts = response_contexts(
            embedding.prompt_vectors, embedding.response_vectors, prompt_of
        )
        problem = Problem(
            model=model,
            unit="response",
            n_items=data.n_alternatives,
            comparisons=data.comparison_arrays(),
            weights=weights if isinstance(weights, NotApplicable) else weights.weights,
            scheme=scheme_of(settings, weights_settings(analysis)),
            draw=_redraw(weights),
            contexts=in_their_span(contexts) if model == "linear" else contexts,
            count_weighted=settings.count_weighted,
            penalty=penalty,
            n_threads=n_threads,
            mlp_seed=seed,
        )
    if problem.comparisons.n == 0:
        raise ComputeError(
            "nothing-compared",
            f"no two different {problem.unit}s were compared, so there are no rewards to fit",
            next_step="give data with comparisons; --expand-choices reads lists, and"
            " --ratings-to-pairs ratings, as pairs",
        )
    return problem


def _redraw(weights: Weights | NotApplicable) -> WeightDraw | None:
    """Draws of the responses' weights where these were sampled."""
    if isinstance(weights, NotApplicable) or weights.n_samples == 0:
        return None
    return lambda rng: weights.resample(1, rng)[0]


def in_their_span(contexts: Float32Array) -> Float32Array:
    """The same vectors in coordinates of their own span where they are fewer than dimensions.

    Linear rewards depend on inner products alone, which (m, m) coordinates keep. (Networks do not:
    how one starts depends on the dimension.)
    """
    m, d = contexts.shape
    if m >= d:
        return contexts
    # One BLAS thread: the last bits of the rotation must not depend on the number of cores.
    with threadpool_limits(1, user_api="blas"):
        rotated = np.linalg.qr(contexts.T.astype(np.float64))[1].T
    return np.ascontiguousarray(rotated, dtype=np.float32)


def weights_settings(analysis: Analysis) -> Mapping[str, Any]:
    """Settings of the weights of the responses, which linear and mlp rewards are fitted with."""
    return {} if isinstance(analysis.weights, NotApplicable) else analysis.weights.settings


def scheme_of(settings: Settings, scheme: Mapping[str, Any]) -> str:
    """The weights in words, e.g. "voronoi on the sphere" or "sharing, clones alone"."""
    if settings.weights == "voronoi":
        return f"voronoi on the {settings.space}"
    if settings.weights == "sharing" and "width" in scheme:
        return f"sharing, {neighbours_of(scheme['width'], scheme['strength'])}"
    return settings.weights


def neighbours_of(width: float, strength: float) -> str:
    """Who shares a vote beside clones, in a few words."""
    if width == 0 or strength == 0:
        return "clones alone"
    return f"width {width:.3g}" + (f" at {percent(strength)}" if strength < 1 else "")


def contiguous(labels: IntArray) -> IntArray:
    """0, 1, ... in the order of first appearance; -1 stays."""
    out = np.full(labels.shape[0], -1, np.int64)
    known = np.flatnonzero(labels >= 0)
    if known.size:
        _, first, inverse = np.unique(labels[known], return_index=True, return_inverse=True)
        position = np.empty(first.size, np.int64)
        position[np.argsort(first, kind="stable")] = np.arange(first.size)
        out[known] = position[inverse]
    return out
