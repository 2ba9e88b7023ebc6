"""Rewards from an ensemble of small networks on the contexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from cr_audit.arrays import (
    Comparisons,
    FloatArray,
    IntArray,
    NotApplicable,
    Proportions,
)
from cr_audit.models.rewards.ensembles import (
    MIN_REPLICATES,
    NETWORKS_PER_REPLICATE,
    ONE_IN,
    mlp_replicates,
    with_other_weights,
)
from cr_audit.models.rewards.mlp import MlpFit, fit_mlp
from cr_audit.models.rewards.model import (
    Certificate,
    Contexts,
    FitRewards,
    Fitted,
    Means,
    Problem,
    Replicates,
    Tick,
)
from cr_audit.models.rewards.networks import Training


@dataclass(slots=True)
class Mlp:
    """``fit_mlp``; its replicates and other weights train few networks each (``ensembles``).

    n_runs : networks of an ensemble ([CR] Appendix I.3); n_fold_runs : where it predicts held-out
    comparisons, since all of them would take minutes.
    """

    training: Training = field(default_factory=Training)
    n_runs: int = 20
    n_fold_runs: int = 2
    name: str = "mlp"
    summary: str = "an ensemble of small networks on the vectors"
    from_contexts: bool = True
    default_penalty: float = 0.03
    penalties: tuple[float, ...] = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
    max_groups: int | None = 5
    costly: bool = True

    def prepared(self, contexts: Contexts) -> Contexts:
        """As they are: how a network starts depends on the dimension."""
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
        n_runs: int | None = None,
    ) -> MlpFit:
        if problem.contexts is None:
            raise ValueError("networks need contexts")
        return fit_mlp(
            pairs,
            cast(FloatArray, problem.contexts),
            weights,
            penalty=penalty,
            n_runs=n_runs or self.n_runs,
            hidden=self.training.hidden,
            learning_rate=self.training.learning_rate,
            batch_size=self.training.batch_size,
            n_steps=self.training.n_steps,
            count_weighted=problem.count_weighted,
            workers=problem.workers,
            rng=np.random.default_rng(problem.seed),
        )

    def refit(
        self,
        problem: Problem,
        rows: Comparisons,
        weights: FloatArray,
        penalty: float,
        warm: FloatArray | None,
    ) -> tuple[FloatArray, FloatArray]:
        fit = self.fit(problem, rows.proportions(), weights, penalty, n_runs=self.n_fold_runs)
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
        rewards = mlp_replicates(
            problem,
            cast(Sequence[MlpFit], fits),
            means,
            training=self.training,
            n_subjects=n_subjects,
            clusters=clusters,
            n_replicates=max(MIN_REPLICATES, n_replicates // ONE_IN),
            rng=rng,
            tick=tick,
        )
        n = NETWORKS_PER_REPLICATE
        networks = "one network" if n == 1 else f"{n} networks"
        return Replicates(
            rewards,
            len(fits) > 1 and problem.draw is not None,
            f", {networks} trained in each, and resampled runs",
            0,
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
        return NotApplicable("needs two tabular or linear fits")

    def with_other_weights(
        self, problem: Problem, fitted: Fitted, means: Means
    ) -> tuple[FitRewards, FitRewards]:
        by_run = cast(MlpFit, fitted).by_run
        return with_other_weights(problem, by_run, means, training=self.training)

    def gradient_rows(self, problem: Problem, fitted: Fitted) -> NotApplicable:
        return NotApplicable("the training of a network solves no system")

    def covariance(
        self, problem: Problem, fitted: Fitted, clusters: IntArray | None
    ) -> FloatArray | NotApplicable:
        return NotApplicable("the sandwich is computed for tabular rewards")

    def certificate(
        self, problem: Problem, standard: Fitted, weighted: Fitted
    ) -> Certificate | NotApplicable:
        return NotApplicable(f"it is proved for tabular rewards, not for {self.name} ones")


MLP = Mlp()
