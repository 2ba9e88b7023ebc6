"""Which penalty a refit has, and what of its answer depends on that choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cr_audit import engine
from cr_audit.analysis.compose import stream
from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.fitting import fitting_of
from cr_audit.analysis.units import choose_resampling
from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.models.penalty import (
    FACTOR,
    FitAtPenalty,
    PenaltyChoice,
    PenaltyPath,
    choose_penalty,
    path_of,
    penalty_path,
    vanishing_penalty,
)
from cr_audit.models.rewards.kinds import REWARD_MODELS
from cr_audit.models.rewards.model import Means, Problem, RewardModel

PENALTY_STREAM = 20
"""Of the folds: the same for every command that chooses a penalty."""
MAX_SEARCHED = 20_000
"""Items up to which a command that is not about the fit searches for its penalty."""
N_FOLDS = 5
"""Folds of the choice: with ten the range that stays open is the same, at twice the time."""
PER_DECADE, FROM_CONTEXTS = 4, 1
"""Penalties per decade on the path, beside those of the grid; fits of functions of the contexts
take longer and change more slowly with the penalty."""
MAX_BEYOND = 1_000
"""Items up to which both fits are also made where the data predict worse, to be shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Both fits at every penalty that the data cannot tell from the chosen one.

    low, high : the range; chosen from the data it is ``PenaltyChoice``'s, else the penalty asked
    for halved and doubled. standard, weighted : subjects' rewards along it. beyond : both at every
    penalty that was tried as well, for the eye alone; nothing is decided by them.
    """

    low: float
    high: float
    standard: PenaltyPath
    weighted: PenaltyPath | NotApplicable
    beyond: tuple[PenaltyPath, PenaltyPath | NotApplicable] | NotApplicable

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
    fit = _at(model, problem, weights)
    one_more = engine.counted("choosing the penalty", N_FOLDS * len(model.penalties))

    def counted(
        rows: Comparisons, penalty: float, warm: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        made = fit(rows, penalty, warm)
        one_more()
        return made

    return choose_penalty(
        problem.comparisons,
        counted,
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

    def along(w: FloatArray, at: FloatArray = grid) -> PenaltyPath:
        return penalty_path(problem.comparisons, _at(model, problem, w, means), components, at)

    standard = along(problem.uniform)
    weighted = weights if isinstance(weights, NotApplicable) else along(weights)
    return Paths(
        low=float(grid[0]),
        high=float(grid[-1]),
        standard=standard,
        weighted=weighted,
        beyond=_beyond(model, problem, choice, along, standard, (weights, weighted)),
    )


def _beyond(
    model: RewardModel,
    problem: Problem,
    choice: PenaltyChoice | None,
    along: Callable[[FloatArray, FloatArray], PenaltyPath],
    standard: PenaltyPath,
    weighted: tuple[FloatArray | NotApplicable, PenaltyPath | NotApplicable],
) -> tuple[PenaltyPath, PenaltyPath | NotApplicable] | NotApplicable:
    """Both paths with the penalties tried outside the open range."""
    if choice is None:
        return NotApplicable("the penalty was asked for")
    if model.from_contexts or problem.n_items > MAX_BEYOND:
        return NotApplicable(f"more than {MAX_BEYOND:,} items, or rewards from contexts")
    tried = choice.penalties
    outside = tried[(tried < choice.low) | (tried > choice.high)]
    if not outside.size:
        return NotApplicable("every penalty tried is in the range")
    first = standard.joined(along(problem.uniform, outside))
    weights, path = weighted
    if isinstance(weights, NotApplicable) or isinstance(path, NotApplicable):
        return first, path
    return first, path.joined(along(weights, outside))


def tabular_penalty(analysis: Analysis, unit: UnitResult) -> tuple[float, str]:
    """The penalty of ``refit``'s tabular rewards of a unit, and why it is that one.

    What was asked for; else the choice of the data, with the folds that ``refit`` draws, so that
    two commands do not differ in it. The default where nothing can be held out. Above MAX_SEARCHED
    items, where seventy fits would take longer than everything else, the rule without a search
    (``vanishing_penalty``), unless "auto" asks for the search.
    """
    asked = analysis.settings.penalty
    if asked is not None and not isinstance(asked, str):
        return float(asked), "asked for with --penalty"
    model = REWARD_MODELS.get("tabular")
    problem = fitting_of(analysis, unit, model, None).problem
    if asked is None and problem.n_items > MAX_SEARCHED:
        rule = vanishing_penalty(problem.comparisons.n, problem.n_items)
        return rule, f"items/(2 comparisons): above {MAX_SEARCHED:,} items only auto searches"
    resampled, clusters = choose_resampling(
        analysis.dataset, unit.items, problem.comparisons, analysis.settings
    )
    rng = stream(analysis.settings, PENALTY_STREAM)
    try:
        choice = chosen_penalty(model, problem, problem.uniform, clusters, rng)
    except ComputeError as error:
        if asked is not None:
            raise
        return model.default_penalty, f"default of tabular rewards: {error.message}"
    return choice.best, chosen_in_words(choice, resampled.value)


def chosen_in_words(choice: PenaltyChoice, held_out: str) -> str:
    """Where a chosen penalty comes from. held_out : what stayed together in a fold, in plural."""
    edge = ", the end of the range tried" if choice.best in choice.penalties[[0, -1]] else ""
    return (
        f"best of the standard fit in {choice.n_folds}-fold cross-validation over {held_out}{edge}"
    )


def _at(
    model: RewardModel, problem: Problem, weights: FloatArray, means: Means | None = None
) -> FitAtPenalty:
    """The model's fits with some weights, of its items or of the subjects."""

    def fit(
        rows: Comparisons, penalty: float, warm: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        rewards, warm = model.refit(problem, rows, weights, penalty, warm)
        return rewards if means is None else means.of(rewards), warm

    return fit
