"""The records that an analysis is made of. What did not apply says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from cr_audit.analysis.choice import Choice, Unit
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import Comparisons, Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.clones.find import CloneReport
from cr_audit.clones.meaning import MeaningGraph
from cr_audit.clones.votes import Homogeneity
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.models.graph import GraphHealth
from cr_audit.models.kinds.find import Kinds
from cr_audit.models.rankings import RankShift, WinRates
from cr_audit.weights.estimates import Weights


class Stage(StrEnum):
    """A part of the base facts that a command may do without. ``VOTES``: whether annotators treated
    a cluster's members alike; ``RESAMPLING``: of win rates."""

    VECTORS = "vectors"
    CLONES = "clones"
    VOTES = "votes on clones"
    WEIGHTS = "weights"
    RESAMPLING = "resampled win rates"


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """What the texts were turned into. Vectors are float32 unit rows, zero where there is no text:
    response_vectors (n_alternatives, d), prompt_vectors (n_prompts, d). given : they are the
    user's own, and there are none of prompts.
    """

    model: str
    dimension: int
    fingerprint: str
    n_texts: int
    response_vectors: Float32Array
    prompt_vectors: Float32Array
    given: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """What is ranked. labels : int64 (n_alternatives,), which item an alternative is, -1 = none.

    weights, standard_error : float64 (n_items,), or why there are none. draws(n, rng) : float64
    (n, n_items), weights with their Monte-Carlo error. scheme : settings of the weights.
    """

    unit: Unit
    ids: Sequence[str]
    names: Sequence[str]
    labels: IntArray
    weights: FloatArray | NotApplicable
    standard_error: FloatArray
    draws: Callable[[int, np.random.Generator], FloatArray] | None
    scheme: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Items."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class ClosestModels:
    """The two nearest models: root mean square distance of their answers over shared prompts."""

    first: str
    second: str
    distance: float
    median_distance: float
    n_shared_prompts: int


@dataclass(frozen=True, slots=True, eq=False)
class UnitResult:
    """Win rates of one unit. n_within : comparisons between two alternatives of one item, which
    say nothing about the ranking. resampled : what the bootstrap drew, and why.
    """

    reason: str
    items: Items
    comparisons: Comparisons
    n_within: int
    graph: GraphHealth
    win_rates: WinRates
    resampled: Choice
    shift: RankShift | NotApplicable
    closest: ClosestModels | NotApplicable

    @property
    def unit(self) -> Unit:
        """What is ranked."""
        return self.items.unit


@dataclass(frozen=True, slots=True, eq=False)
class ClusterVotes:
    """The behavioural half of [CR]'s clone: did annotators treat a cluster's members alike?"""

    cluster: int
    result: Homogeneity | NotApplicable


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Direct comparisons of identical texts, and how many called one of the two better."""

    n_comparisons: int
    n_decided: int


@dataclass(frozen=True, slots=True)
class ChoiceSetFacts:
    """Lists as they stand in the data. sizes : (size, how many sets), ascending."""

    n: int
    sizes: tuple[tuple[int, int], ...]
    n_single_choice: int
    n_full_rankings: int
    n_partial_rankings: int
    n_with_ties: int


@dataclass(frozen=True, slots=True, eq=False)
class NamedKinds:
    """``found`` with, for each kind, its distinguishing words, a name made of these (the medoid's
    text where there are none) and an identifier that follows from its members."""

    found: Kinds
    words: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    ids: tuple[str, ...]

    @property
    def n(self) -> int:
        """Kinds."""
        return len(self.ids)


NO_KINDS = NotApplicable("the unit is not the kind")
NO_GRAPH = NotApplicable("this analysis has no vectors")


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """All facts about one data set. units : the main one first. kinds : where they are the unit.
    graph, prompt_graph : give the graphs of meaning, of the responses and of the prompts, which are
    made when they are first asked for."""

    dataset: PreferenceDataset
    settings: Settings
    embedding: Embedding | NotApplicable
    clones: CloneReport | NotApplicable
    votes: tuple[ClusterVotes, ...]
    noise_floor: NoiseFloor | NotApplicable
    scope: Choice
    weights: Weights | NotApplicable
    units: tuple[UnitResult, ...]
    choice_sets: ChoiceSetFacts | NotApplicable
    kinds: NamedKinds | NotApplicable = NO_KINDS
    graph: Callable[[], MeaningGraph | NotApplicable] = field(default=lambda: NO_GRAPH, repr=False)
    prompt_graph: Callable[[], MeaningGraph | NotApplicable] = field(
        default=lambda: NO_GRAPH, repr=False
    )
