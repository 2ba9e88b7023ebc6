"""What an audit of lists found: numbers, and reasons as values. No prose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.models.listwise.held_out import HeldOut


class Source(StrEnum):
    """Where a list comes from, and with it which end is best."""

    CHOICE = "choice"  # the chosen member is named; nothing is known of the others
    RANKING = "ranking"  # rank 0 is best, as the reader's schema defines it
    RATINGS = "ratings"  # members ordered by score, the highest is best
    PAIRS = "pairs"  # comparisons of two


class Resample(StrEnum):
    """What the errors treat as independent."""

    ANNOTATOR = "annotator"
    PROMPT = "prompt"
    LIST = "list"


class Scheme(StrEnum):
    """What makes two members of a list the same kind."""

    MODELS = "models"
    CLONES = "clones"
    LENGTH = "length"
    FIELD = "field"


class TestKind(StrEnum):
    """The tests of IIA that are made."""

    SLOPE = "slope"
    NESTED = "nested-logit"
    HAUSMAN = "hausman-mcfadden"

    __test__ = False  # not a test of pytest's


class Verdict(StrEnum):
    """VIOLATED : some test rejects IIA at the family-wise level. NOT_REJECTED : none does, and one
    at least would have told a dichotomy. CANNOT_TELL : no test could be made (pairs alone, no
    variation), or none that would have."""

    VIOLATED = "violated"
    NOT_REJECTED = "not-rejected"
    CANNOT_TELL = "cannot-tell"


class Method(StrEnum):
    """What to train on. The order is from the simplest on."""

    LISTS = "lists-as-they-are"
    ALL_PAIRS = "all-pairs"
    ONE_PAIR = "one-pair-per-list"
    WEIGHTED_PAIRS = "weighted-pairs"
    BALANCED_PAIRS = "balanced-pairs"
    CLONE_WEIGHTED = "clone-weighted-lists"
    NESTED = "nested-logit"


@dataclass(frozen=True, slots=True)
class Problem:
    """Lists or members that could not be used, or only in part: reason, how often, first places."""

    reason: str
    n: int
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListFacts:
    """Lists as they stand. n : lists used; sizes : (size, how many), ascending; n_pairs of them
    have two members. n_choices : one chosen; n_several : several chosen together; n_full,
    n_partial : rankings; n_tied : with a tie somewhere; n_all_tied : nothing told apart, left out.
    outside : how often "none of these" was offered and chosen. orders : source -> (lists, which
    schema or aspect says so).
    """

    n: int
    n_pairs: int
    sizes: tuple[tuple[int, int], ...]
    n_choices: int
    n_several: int
    n_full: int
    n_partial: int
    n_tied: int
    n_all_tied: int
    n_outside_offered: int
    n_outside_chosen: int
    n_annotators: int
    n_prompts: int
    resample: Resample
    n_units: int
    orders: tuple[tuple[Source, int, str], ...]
    problems: tuple[Problem, ...]

    @property
    def n_long(self) -> int:
        """Lists of three or more: only these can show a violation of IIA."""
        return self.n - self.n_pairs


@dataclass(frozen=True, slots=True, eq=False)
class PlaceFacts:
    """One list size: shares of the places among the chosen, and the test of uniform places."""

    size: int
    n_lists: int
    shares: FloatArray
    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True, slots=True)
class PositionFacts:
    """Places of the chosen in lists of each size, and one p-value over all of them."""

    sizes: tuple[PlaceFacts, ...]
    p_value: float
    found: bool
    """Whether places are told from chance at the family-wise level; then the tests control them."""


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of member: shares offered (of all members) and chosen (of all lists).

    shared : whether some list offers two of it. reward : of the logit on the lists as they are,
    log-odds, mean 0; error : robust."""

    name: str
    n_offered: int
    offered: float
    chosen: float
    reward: float
    error: float


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with both ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CategoryPair:
    """Two kinds over the lists that offer both, and of which one of the two was chosen.

    rho_data, rho_chosen : the first's share offered and chosen; margin = rho_chosen − rho_data,
    negative where a logit prefers the second. fires : the majority is on one side and the reward on
    the other; p_fires : the share of resamples in which it does. sure : p_fires reaches the level.
    zeta : the first's share of all their members; thresholds : (size, lists, F(ζ, size)).
    psi : fitted reward of the second minus that of the first, on these lists.
    """

    first: str
    second: str
    n_lists: int
    rho_data: float
    rho_chosen: Interval
    margin: Interval
    fires: bool
    p_fires: float
    sure: bool
    zeta: float
    thresholds: tuple[tuple[int, int, float], ...]
    psi: float


@dataclass(frozen=True, slots=True)
class IiaTest:
    """One test of IIA. effect : τ of a slope or λ of a nest (1 under IIA), or the largest shift of
    a coefficient in errors (0 under IIA); low, high : its interval at the level, NaN where there is
    none. p_value : of IIA; adjusted : Holm over all tests of the report.
    detail : numbers of this kind of test (eigenvalues, gradient, rank ...), by name.
    """

    kind: TestKind
    scheme: Scheme
    subject: str
    effect: float
    low: float
    high: float
    statistic: float
    degrees_of_freedom: int
    p_value: float
    adjusted: float
    n_lists: int
    flag: str
    detail: Mapping[str, float | int | str]

    __test__ = False

    @property
    def informative(self) -> bool:
        """Whether a dichotomy (τ or λ of 0) would have been told from IIA: the interval excludes
        0. A λ at its lower end is told by its likelihood ratio."""
        if self.kind is TestKind.HAUSMAN or self.flag == "at-zero":
            return True
        return self.low > 0 if self.kind is TestKind.SLOPE else self.low > 0.05


@dataclass(frozen=True, slots=True)
class SkippedTest:
    """A test that was not made, and why."""

    kind: TestKind
    scheme: Scheme
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedPair:
    """What lists of ``size`` drawn as today would teach about two kinds.

    liked : share that prefers the first in a pair. psi : reward of the second minus the first, with
    its interval; psi_pairs : the same for pairs. p_wrong : chance that the order turns against the
    pairs'. largest_safe : the largest size whose order is the pairs' in at least the level of
    draws. assumed : "measured" where the slope was; "dichotomy" where only pairs are there.
    """

    scheme: Scheme
    first: str
    second: str
    size: int
    zeta: float
    liked: Interval
    psi: Interval
    psi_pairs: float
    p_wrong: float
    turns: bool
    largest_safe: int
    limit: int
    assumed: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """One way to sort members into kinds, and what follows from it."""

    scheme: Scheme
    n_categories: int
    categories: tuple[Category, ...]
    n_shared_lists: int
    """Lists that offer two members of one kind beside another kind."""
    pairs: tuple[CategoryPair, ...]
    n_pairs_left_out: int
    tests: tuple[IiaTest | SkippedTest, ...]
    planned: tuple[PlannedPair, ...]
    cut: float
    """Characters from which on an answer is long, for lengths; else 0."""

    @property
    def informative(self) -> bool:
        """Whether any test could have seen a violation."""
        return any(isinstance(t, IiaTest) and t.informative for t in self.tests)


@dataclass(frozen=True, slots=True)
class RankedItem:
    """error : against the average item; quasi : quasi-standard error. clone_weighted : reward where
    clones in a list share one weight. p_first : share of resamples in which it leads."""

    name: str
    n_lists: int
    reward: float
    error: float
    quasi: float
    clone_weighted: float
    rank: int
    rank_low: int
    rank_high: int
    rank_clone_weighted: int
    p_first: float
    component: int


@dataclass(frozen=True, slots=True)
class RankingFacts:
    """Plackett–Luce over models or repeated alternatives. penalty : 0 where none was needed.
    ties : "none", "davidson-luce" or "between-tiers"; log_delta : by size of tie."""

    unit: str
    items: tuple[RankedItem, ...]
    n_items: int
    n_components: int
    penalty: float
    penalty_reason: str
    ties: str
    log_delta: tuple[tuple[int, float], ...]
    log_likelihood: float
    n_stages: float
    clone_weights: NotApplicable | int
    """Lists in which members share a weight, or why none does."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way to train. order : kinds from the highest reward down. agreement : over held-out
    lists, how often the chosen member's kind has the higher reward than another kind's member of
    its list, each list counting once; error : of agreement; gap : agreement minus the best's, with
    its error. rows : what training would see. reason : why there is no result.
    """

    method: Method
    order: tuple[str, ...]
    rewards: tuple[float, ...]
    agreement: float
    error: float
    gap: float
    gap_error: float
    n_rows: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Remedies:
    """Ways to train, measured; ``recommended`` among them, and because of what."""

    scheme: Scheme
    methods: tuple[Remedy, ...]
    recommended: Method
    because: str
    """"as-good" (nothing simpler is worse), "agrees-better", "order-turns"."""
    model_orders: tuple[tuple[Method, tuple[str, ...]], ...]
    n_lists: int
    n_folds: int


@dataclass(frozen=True, slots=True)
class ChoicesFacts:
    """All facts about the lists of one data set."""

    lists: ListFacts
    positions: PositionFacts | NotApplicable
    covariates: tuple[str, ...]
    groupings: tuple[Grouping, ...]
    no_grouping: NotApplicable | None
    verdict: Verdict
    level: float
    n_tests: int
    smallest_adjusted: float
    held_out: HeldOut | NotApplicable
    ranking: RankingFacts | NotApplicable
    remedies: Remedies | NotApplicable
    plan: int
    """The planned list size, 0 where none was asked for."""
    confidence_level: float
    sampled: tuple[tuple[str, int, int], ...]
    """Where lists were drawn to keep the time bounded: (what, used, of how many)."""

    def tests(self) -> tuple[IiaTest, ...]:
        """Every test that was made, of every grouping."""
        found = (t for g in self.groupings for t in g.tests)
        return tuple(t for t in found if isinstance(t, IiaTest))
