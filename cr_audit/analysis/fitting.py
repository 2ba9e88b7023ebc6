"""What is fitted: which items, comparisons, weights and contexts of a data set a reward model sees.

A *fitted item* has a reward of its own in the fit: an item of the unit, or a response where rewards
are functions of its context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cr_audit.analysis.choice import Choice, Unit
from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.settings import Settings
from cr_audit.analysis.units import nothing_compared
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.errors import UsageError
from cr_audit.models.rewards.bootstrap import WeightDraw
from cr_audit.models.rewards.kinds import REWARD_MODELS
from cr_audit.models.rewards.model import Fitted, Problem, RewardModel
from cr_audit.weights.contexts import paired_contexts
from cr_audit.weights.estimates import Weights
from cr_audit.weights.schemes import SCHEMES
from cr_audit.wording import comparisons_in_median

OF_THEIR_OWN, FROM_VECTORS = "tabular", "linear"
"""The reward models between which "auto" decides."""
# Median comparisons per item from which a tabular fit predicts better than a linear one:
# docs/refit.md, "Tabular or linear".
ENOUGH_COMPARISONS = 8.0
MOSTLY = 0.5  # of the compared items


@dataclass(frozen=True, slots=True, eq=False)
class Fitting:
    """A problem, the model it is for, and what its items are.

    unit : of the fitted items. labels : int64 (n_alternatives,), the fitted item of an alternative,
    -1 = none; None where they are the alternatives themselves. scheme : of the weighted fit's
    weights, in words; weights_settings : theirs.
    """

    model: RewardModel
    problem: Problem
    unit: Unit
    labels: IntArray | None
    scheme: str
    weights_settings: Mapping[str, Any]

    def at(self, penalty: float) -> Fitting:
        """The same at another penalty."""
        return replace(self, problem=replace(self.problem, penalty=penalty))

    def fit(self, weights: FloatArray) -> Fitted:
        """The fit that is reported."""
        pairs = self.problem.comparisons.proportions()
        return self.model.fit(self.problem, pairs, weights, self.problem.penalty)


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
        needed = REWARD_MODELS.get(asked).from_contexts
        if needed and isinstance(analysis.embedding, NotApplicable):
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
        return Choice(OF_THEIR_OWN, f"{typical}, enough for a reward of its own each")
    if no_vectors:
        fault = "mostly of two, whose order no weights can change" if enough else "few"
        return Choice(
            OF_THEIR_OWN, f"{typical}: {fault}, but there are no vectors for a linear fit"
        )
    if enough:
        return Choice(
            FROM_VECTORS,
            f"{typical}, mostly of two, whose order no weights can change in rewards of their own",
        )
    return Choice(FROM_VECTORS, f"{typical}, too few for a reward of its own each")


def fitting_of(
    analysis: Analysis, unit: UnitResult, model: RewardModel, workers: int | None
) -> Fitting:
    """What ``model`` fits on this data, at the penalty asked for or the model's own.

    Raises ComputeError where nothing can be compared.
    """
    settings = analysis.settings
    asked = settings.penalty
    fitting = (_responses if model.from_contexts else _items)(analysis, unit, model)
    penalty = model.default_penalty if asked is None or isinstance(asked, str) else float(asked)
    problem = replace(fitting.problem, penalty=penalty, workers=workers)
    if problem.comparisons.n == 0:
        raise nothing_compared(fitting.unit, analysis.dataset, "there are no rewards to fit")
    return replace(fitting, problem=problem)


def _seed(settings: Settings) -> np.random.SeedSequence:
    return np.random.SeedSequence(settings.seed, spawn_key=(24,))


def _items(analysis: Analysis, unit: UnitResult, model: RewardModel) -> Fitting:
    """The items of the unit, with its weights."""
    settings, items = analysis.settings, unit.items
    problem = Problem(
        n_items=max(items.n, 1),
        comparisons=unit.comparisons,
        weights=items.weights,
        draw=None if items.draws is None else partial(_one_of, items.draws),
        contexts=None,
        count_weighted=settings.count_weighted,
        penalty=model.default_penalty,
        workers=None,
        seed=_seed(settings),
    )
    scheme = scheme_of(settings, items.scheme)
    return Fitting(model, problem, unit.unit, items.labels, scheme, items.scheme)


def _responses(analysis: Analysis, unit: UnitResult, model: RewardModel) -> Fitting:
    """All responses, with their contexts and their own weights."""
    settings, data, embedding = analysis.settings, analysis.dataset, analysis.embedding
    assert not isinstance(embedding, NotApplicable)
    weights = analysis.weights
    known = {} if isinstance(weights, NotApplicable) else weights.settings
    contexts = paired_contexts(
        embedding.prompt_vectors, embedding.response_vectors, data.prompt_of
    ).rows()
    problem = Problem(
        n_items=data.n_alternatives,
        comparisons=data.comparison_arrays(),
        weights=weights if isinstance(weights, NotApplicable) else weights.weights,
        draw=_redraw(weights),
        contexts=model.prepared(contexts),
        count_weighted=settings.count_weighted,
        penalty=model.default_penalty,
        workers=None,
        seed=_seed(settings),
    )
    return Fitting(model, problem, "response", None, scheme_of(settings, known), known)


def _one_of(
    draws: Callable[[int, np.random.Generator], FloatArray], rng: np.random.Generator
) -> FloatArray:
    """One draw of weights, float64 (n_items,)."""
    one: FloatArray = draws(1, rng)[0]
    return one


def _redraw(weights: Weights | NotApplicable) -> WeightDraw | None:
    """Draws of the responses' weights where these were sampled."""
    if isinstance(weights, NotApplicable) or weights.n_samples == 0:
        return None
    return partial(_one_of, weights.resample)


def how_weighed(settings: Settings, scheme: Mapping[str, Any]) -> Choice:
    """The weights by name, and what they do to this data. scheme : settings of the weights."""
    return Choice(settings.weights, SCHEMES.get(settings.weights).deed(scheme))


def scheme_of(settings: Settings, scheme: Mapping[str, Any]) -> str:
    """The weights in words, e.g. "voronoi on the sphere" or "sharing, clones alone"."""
    return SCHEMES.get(settings.weights).in_words(settings.space, scheme)
