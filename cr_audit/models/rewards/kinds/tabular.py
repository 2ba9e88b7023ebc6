"""One reward per item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from scipy.sparse import csr_array

from cr_audit.arrays import (
    Comparisons,
    FloatArray,
    IntArray,
    NotApplicable,
    Proportions,
)
from cr_audit.models.rewards.bootstrap import bootstrap_tabular, sandwich_covariance, score_rows
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
from cr_audit.models.rewards.objective import (
    certificate,
    pair_terms,
    residual_certificate,
    shift_certificate,
)
from cr_audit.models.rewards.shrinkage import around_truth
from cr_audit.models.rewards.tabular import Fit, fit_tabular


class Tabular:
    """``fit_tabular`` with the full refits of ``bootstrap_tabular``."""

    name = "tabular"
    summary = "one number per item"
    from_contexts = False
    default_penalty = 0.03
    penalties = tuple(float(x) for x in 10.0 ** np.arange(-6.0, 0.51, 0.5))
    max_groups: int | None = None
    costly = False

    def prepared(self, contexts: Contexts) -> Contexts:
        return contexts

    def n_coordinates(self, problem: Problem) -> int | None:
        return None

    def fit(
        self,
        problem: Problem,
        pairs: Proportions,
        weights: FloatArray,
        penalty: float,
        *,
        warm: FloatArray | None = None,
        normaliser: float | None = None,
    ) -> Fit:
        return fit_tabular(
            pairs,
            weights,
            penalty=penalty,
            warm_start=warm,
            count_weighted=problem.count_weighted,
            normaliser=normaliser,
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
        return fit.rewards, fit.rewards

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
        drawn = bootstrap_tabular(
            problem.comparisons,
            cast(Sequence[Fit], fits),
            n_replicates=affordable(n_replicates, n_subjects),
            clusters=clusters,
            draw_weights=[None, problem.draw][: len(fits)],
            workers=problem.workers,
            rng=rng,
        )
        wide = around_truth(
            problem.comparisons,
            cast(Sequence[Fit], fits),
            drawn.rewards,
            penalty=problem.penalty,
            count_weighted=problem.count_weighted,
            rng=rng,
        )
        known = not isinstance(wide, NotApplicable)

        def subjects(rewards: FloatArray) -> FloatArray:
            return rewards if means.matrix is None else np.stack([means.of(r) for r in rewards])

        return Replicates(
            subjects(drawn.rewards),
            drawn.weights_drawn[-1],
            ", and what the penalty takes away" if known else "",
            sum(drawn.n_not_converged),
            around_truth=None if isinstance(wide, NotApplicable) else subjects(wide.truth),
            votes=None if isinstance(wide, NotApplicable) else subjects(wide.votes),
            local=True,
        )

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
        drawn = bootstrap_tabular(
            problem.comparisons,
            cast(Sequence[Fit], fits),
            n_replicates=n_replicates,
            clusters=clusters,
            workers=problem.workers,
            rng=rng,
        )
        return [r[:, first] - r[:, second] for r in drawn.rewards]

    def with_other_weights(
        self, problem: Problem, fitted: Fitted, means: Means
    ) -> tuple[FitRewards, FitRewards]:
        # κ is one number for all components; kept, a group acts on its own component alone.
        norm = fitted.kappa if fitted.components.max(initial=0) > 0 else None
        pairs = problem.comparisons.proportions()

        def again(weights: FloatArray) -> FloatArray:
            return self.fit(
                problem, pairs, weights, problem.penalty, warm=fitted.rewards, normaliser=norm
            ).rewards

        return again, means.of

    def gradient_rows(self, problem: Problem, fitted: Fitted) -> csr_array:
        rows = problem.comparisons
        return csr_array(score_rows(rows, cast(Fit, fitted), np.arange(rows.n), rows.n).T)

    def covariance(
        self, problem: Problem, fitted: Fitted, clusters: IntArray | None
    ) -> FloatArray | NotApplicable:
        return sandwich_covariance(problem.comparisons, cast(Fit, fitted), clusters=clusters)

    def certificate(
        self, problem: Problem, standard: Fitted, weighted: Fitted
    ) -> Certificate | NotApplicable:
        rows, penalty = problem.comparisons.proportions(), problem.penalty
        one, two = standard.weights, weighted.weights
        before, after = (
            pair_terms(rows, w, count_weighted=problem.count_weighted) for w in (one, two)
        )
        l1 = float(np.abs(one - two).sum())
        shift = np.abs(weighted.rewards - standard.rewards)
        return Certificate(
            bound=shift_certificate(before, one, after, two, penalty),
            residual_bound=residual_certificate(after, two, standard.rewards, penalty),
            complete_data_bound=certificate(penalty, weight_change_l1=l1),
            weight_change_l1=l1,
            measured=float(np.nanmax(shift)) if np.isfinite(shift).any() else 0.0,
        )


TABULAR = Tabular()
