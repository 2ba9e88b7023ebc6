"""Rewards linear in the contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from cr_audit.arrays import (
    Comparisons,
    FloatArray,
    IntArray,
    NotApplicable,
    Proportions,
)
from cr_audit.engine import one_blas_thread
from cr_audit.models.rewards.bootstrap import pair_scores
from cr_audit.models.rewards.linear import (
    Differences,
    LinearFit,
    Matrix,
    SharedContexts,
    fit_linear,
)
from cr_audit.models.rewards.linear_bootstrap import bootstrap_linear
from cr_audit.models.rewards.model import (
    Certificate,
    Contexts,
    FitRewards,
    Fitted,
    Means,
    Problem,
    Replicates,
    Tick,
    affordable,
)

TOLERANCE = 1e-7
"""Gradient small against any standard error, and few iterations."""


def _contexts(problem: Problem) -> Matrix:
    if problem.contexts is None:
        raise ValueError("linear rewards need contexts")
    return problem.contexts


def _shared(problem: Problem) -> SharedContexts:
    """What all fits of a problem share, whatever their pairs, weights and penalty."""
    contexts = _contexts(problem)
    known = problem.shared.get("contexts")
    if known is None or known[0] is not contexts:
        known = problem.shared["contexts"] = contexts, SharedContexts(contexts)
    made: SharedContexts = known[1]
    return made


class Linear:
    """``fit_linear`` with the two Newton steps per replicate of ``bootstrap_linear``."""

    name = "linear"
    summary = "linear in the vectors"
    from_contexts = True
    default_penalty = 1.0
    penalties: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    max_groups: int | None = None
    costly = False

    def prepared(self, contexts: Contexts) -> Contexts:
        """The same vectors in coordinates of their own span where they are fewer than dimensions.

        Linear rewards depend on inner products alone, which (m, m) coordinates keep.
        """
        m, d = contexts.shape
        if m >= d:
            return contexts
        with one_blas_thread():
            rotated = np.linalg.qr(np.asarray(contexts).T.astype(np.float64))[1].T
        return np.ascontiguousarray(rotated, dtype=np.float32)

    def n_coordinates(self, problem: Problem) -> int | None:
        return int(_contexts(problem).shape[1])

    def fit(
        self,
        problem: Problem,
        pairs: Proportions,
        weights: FloatArray,
        penalty: float,
        *,
        warm: FloatArray | None = None,
    ) -> LinearFit:
        return fit_linear(
            pairs,
            _shared(problem),
            weights,
            penalty=penalty,
            tolerance=problem.tolerance or TOLERANCE,
            warm_start=warm,
            count_weighted=problem.count_weighted,
            workers=problem.workers,
        )

    def refit(
        self,
        problem: Problem,
        rows: Comparisons,
        weights: FloatArray,
        penalty: float,
        warm: FloatArray | None,
    ) -> tuple[FloatArray, FloatArray]:
        fit = self.fit(problem, rows.proportions(), weights, penalty, warm=warm)
        return fit.rewards, fit.theta

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
        shared = _shared(problem)
        drawn = bootstrap_linear(
            problem.comparisons,
            shared,
            cast(Sequence[LinearFit], fits),
            n_replicates=affordable(n_replicates, n_subjects),
            clusters=clusters,
            draw_weights=[None, problem.draw][: len(fits)],
            workers=problem.workers,
            rng=rng,
        )
        subjects: Any = shared.values
        if means.matrix is not None:
            subjects = np.asarray(means.matrix @ np.asarray(subjects))
        return Replicates(drawn.predict(subjects), drawn.weights_drawn[-1], "", 0)

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
        shared = _shared(problem)
        theta = bootstrap_linear(
            problem.comparisons,
            shared,
            cast(Sequence[LinearFit], fits),
            n_replicates=n_replicates,
            clusters=clusters,
            workers=problem.workers,
            rng=rng,
        ).theta
        with one_blas_thread():
            apart = Differences(shared.values, first, second, problem.workers)
            return [np.ascontiguousarray(apart.times(t.T).T) for t in theta]

    def with_other_weights(
        self, problem: Problem, fitted: Fitted, means: Means
    ) -> tuple[FitRewards, FitRewards]:
        pairs = problem.comparisons.proportions()
        return lambda w: self.fit(problem, pairs, w, problem.penalty).rewards, means.of

    def gradient_rows(self, problem: Problem, fitted: Fitted) -> FloatArray:
        fit, contexts = cast(LinearFit, fitted), _contexts(problem).astype(np.float64)
        x, y, g = pair_scores(
            problem.comparisons,
            fit.rewards,
            fit.weights,
            count_weighted=fit.count_weighted,
            normaliser=fit.kappa,
        )
        pull = fit.weights[x] * fit.weights[y] * g
        out: FloatArray = pull[:, None] * (contexts[x] - contexts[y])
        return out

    def covariance(
        self, problem: Problem, fitted: Fitted, clusters: IntArray | None
    ) -> FloatArray | NotApplicable:
        return NotApplicable("the sandwich is computed for tabular rewards")

    def certificate(
        self, problem: Problem, standard: Fitted, weighted: Fitted
    ) -> Certificate | NotApplicable:
        return NotApplicable(f"it is proved for tabular rewards, not for {self.name} ones")


LINEAR = Linear()
