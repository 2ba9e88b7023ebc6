"""Which penalty a refit has, and what of its answer depends on that choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.models.penalty import (
    FACTOR,
    PenaltyChoice,
    PenaltyPath,
    choose_penalty,
    path_of,
    penalty_path,
)
from cr_audit.models.rewards.model import Means, Problem, RewardModel

N_FOLDS = 5
"""Folds of the choice: with ten the range that stays open is the same, at twice the time."""
PER_DECADE, FROM_CONTEXTS = 4, 1
"""Penalties per decade on the path, beside those of the grid; fits of functions of the contexts
take longer and change more slowly with the penalty."""


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Both fits at every penalty that the data cannot tell from the chosen one.

    low, high : the range; chosen from the data it is ``PenaltyChoice``'s, else the penalty asked
    for halved and doubled. standard, weighted : subjects' rewards along it.
    """

    low: float
    high: float
    standard: PenaltyPath
    weighted: PenaltyPath | NotApplicable

    def holds(self, above: IntArray, below: IntArray) -> BoolArray:
        """Per pair (``above`` first in the standard fit), does it change sides at every penalty?"""
        if isinstance(self.weighted, NotApplicable):
            return np.zeros(above.shape, np.bool_)
        return self.standard.holds(above, below) & self.weighted.holds(below, above)


def chosen_penalty(
    model: RewardModel,
    problem: Problem,
    weights: FloatArray,
    clusters: IntArray | None,
    rng: np.random.Generator,
) -> PenaltyChoice:
    """The penalty of ``model.penalties`` with the best held-out likelihood, and the range that is
    as good. Errors as ``choose_penalty``."""
    return choose_penalty(
        problem.comparisons,
        _at(model, problem, weights),
        penalties=model.penalties,
        n_folds=N_FOLDS,
        clusters=clusters,
        rng=rng,
    )


def paths(
    model: RewardModel,
    problem: Problem,
    weights: FloatArray | NotApplicable,
    means: Means,
    components: IntArray,
    choice: PenaltyChoice | None,
) -> Paths:
    """Both fits along the range. choice : None where the penalty was asked for.

    components : int64 (n_subjects,). The strongest penalty is fitted first and each fit starts from
    the one before.
    """
    best = problem.penalty
    if choice is None:
        grid = np.array([best / FACTOR, best, best * FACTOR])
    else:
        grid = path_of(choice, per_decade=FROM_CONTEXTS if model.from_contexts else PER_DECADE)

    def along(w: FloatArray) -> PenaltyPath:
        return penalty_path(problem.comparisons, _at(model, problem, w, means), components, grid)

    return Paths(
        low=float(grid[0]),
        high=float(grid[-1]),
        standard=along(problem.uniform),
        weighted=weights if isinstance(weights, NotApplicable) else along(weights),
    )


Fit = Callable[[Comparisons, float, FloatArray | None], tuple[FloatArray, FloatArray]]


def _at(
    model: RewardModel, problem: Problem, weights: FloatArray, means: Means | None = None
) -> Fit:
    """The model's fits with some weights, of its items or of the subjects."""

    def fit(
        rows: Comparisons, penalty: float, warm: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        rewards, warm = model.refit(problem, rows, weights, penalty, warm)
        return rewards if means is None else means.of(rewards), warm

    return fit
