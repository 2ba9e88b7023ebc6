"""``choices`` of the JSON contract."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cr_audit.arrays import NotApplicable
from cr_audit.families.choices import facts as f
from cr_audit.wire import ABSENT, Count, Missing, NotNegative, Rank, Share, Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Lists or members that could not be used, or only in part."""

    reason: str
    n: Count
    rows: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Lists of one source: which end is best, and by which schema or aspect."""

    source: str
    n: Count
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many lists have so many members."""

    size: Rank
    n: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Lists as they stand in the data; those that tie everything are counted and left out."""

    n: Count
    n_pairs: Count
    sizes: list[Size]
    n_choices: Count
    n_several_chosen: Count
    n_full_rankings: Count
    n_partial_rankings: Count
    n_with_ties: Count
    n_all_tied: Count
    n_outside_offered: Count
    n_outside_chosen: Count
    n_annotators: Count
    n_prompts: Count
    resampled: str
    n_units: Count
    orders: list[Order]
    problems: list[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Lists of one size: the share of the choices that fell to each place."""

    size: Rank
    n_lists: Count
    shares: list[Share]
    statistic: NotNegative
    degrees_of_freedom: Count
    p_value: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Whether the place in the list decides."""

    found: bool
    p_value: Share
    sizes: list[Places]


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One kind of member: its share of what is offered and of what is chosen, and its reward."""

    name: str
    n_offered: Count
    share_offered: Share
    share_chosen: Share
    reward: float | None
    standard_error: NotNegative | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with its interval at the confidence level."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """F(zeta, size): the share of M1 that mixed lists of this size offer on average."""

    size: Rank
    n_lists: Count
    value: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two kinds over the lists that offer both: the wrong-sign rule of [IIA] Lemma 9."""

    first: str
    second: str
    n_lists: Count
    rho_data: Share
    rho_chosen: Interval
    margin: Interval
    fires: bool
    probability_fires: Share
    flagged: bool
    zeta: Share
    thresholds: list[Threshold]
    reward_difference: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One test of IIA. effect is 1 under IIA for slopes and nests, 0 for Hausman and McFadden."""

    __test__ = False

    kind: str
    subject: str
    effect: float | Missing | None = ABSENT
    low: float | Missing | None = ABSENT
    high: float | Missing | None = ABSENT
    statistic: float | Missing | None = ABSENT
    degrees_of_freedom: Count | Missing = ABSENT
    p_value: Share | Missing | None = ABSENT
    adjusted_p_value: Share | Missing | None = ABSENT
    n_lists: Count | Missing = ABSENT
    flag: str | Missing = ABSENT
    detail: dict[str, float | int | str | None] | Missing = ABSENT
    not_applicable: str | Missing = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What lists of the planned size would teach about two kinds."""

    first: str
    second: str
    size: Rank
    zeta: Share
    liked: Interval
    reward_difference: Interval
    reward_difference_in_pairs: float
    probability_turns: Share
    turns: bool
    largest_safe_size: Count
    largest_size_tried: Rank
    assumed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """One way to sort members into kinds."""

    scheme: str
    n_categories: Count
    long_from: NotNegative | None
    n_shared_lists: Count
    categories: list[Category]
    pairs: list[Pair]
    n_pairs_left_out: Count
    tests: list[Test]
    planned: list[Planned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A choice model on held-out lists: log-likelihood per list, and its gain on the logit."""

    name: str
    log_likelihood: float | None
    gain: float | None
    standard_error: NotNegative | None
    not_applicable: str | Missing = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Does a violation matter for prediction? The same folds for every model."""

    n_lists: Count
    n_folds: Count
    models: list[Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedItem:
    """One item of a Plackett–Luce fit. Ranks are within the component."""

    name: str
    n_lists: Count
    reward: float | None
    standard_error: NotNegative | None
    quasi_standard_error: NotNegative | None
    clone_weighted: float | None
    rank: Rank
    rank_interval: list[int]
    rank_clone_weighted: Rank
    probability_first: Share | None
    component: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TieParameter:
    """log δ of ties of so many members (Davidson–Luce)."""

    size: Rank
    log_delta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Plackett–Luce over models or repeated alternatives."""

    unit: str
    penalty: NotNegative
    penalty_reason: str
    ties: str
    tie_parameters: list[TieParameter]
    n_components: Count
    n_stages: NotNegative
    log_likelihood: float | None
    n_clone_weighted_lists: Count | NotApplicable
    items: list[RankedItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One way to train, and how it agrees with held-out choices."""

    method: str
    n_rows: Count
    order: list[str] | Missing = ABSENT
    rewards: list[float] | Missing = ABSENT
    agreement: Share | Missing = ABSENT
    standard_error: NotNegative | Missing = ABSENT
    gap: float | Missing = ABSENT
    gap_standard_error: NotNegative | Missing = ABSENT
    not_applicable: str | Missing = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrder:
    """Models from the highest reward down, by one way to train."""

    method: str
    order: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """Ways to train on these lists, and the one that is recommended."""

    scheme: str
    recommended: str
    because: str
    n_lists: Count
    n_folds: Count
    methods: list[Remedy]
    model_orders: list[ModelOrder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Where lists were drawn to bound the time."""

    what: str
    n_used: Count
    n: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The court for lists: is IIA safe to assume here, and what if not."""

    verdict: str
    level: Share
    n_tests: Count
    smallest_adjusted_p_value: Share | None
    lists: Lists
    positions: Positions | NotApplicable
    covariates: list[str]
    groupings: list[Grouping] | NotApplicable
    held_out: HeldOut | NotApplicable
    ranking: Ranking | NotApplicable
    remedies: Remedies | NotApplicable
    planned_size: Count
    sampled: list[Sampled]


PARTS = {"choices": Choices | NotApplicable}
REQUIRED = ()


def parts(facts: f.ChoicesFacts, texts: Texts) -> dict[str, Any]:
    """The family's part of the document."""

    def cut(text: str) -> str:
        return texts.cut(text) or ""

    return {
        "choices": Choices(
            verdict=str(facts.verdict),
            level=facts.level,
            n_tests=facts.n_tests,
            smallest_adjusted_p_value=known(facts.smallest_adjusted),
            lists=_lists(facts.lists),
            positions=_positions(facts.positions),
            covariates=list(facts.covariates),
            groupings=facts.no_grouping
            if facts.no_grouping is not None
            else [_grouping(g, cut) for g in facts.groupings],
            held_out=_held_out(facts),
            ranking=_ranking(facts.ranking, cut),
            remedies=_remedies(facts.remedies, cut),
            planned_size=facts.plan,
            sampled=[Sampled(what=w, n_used=used, n=n) for w, used, n in facts.sampled],
        )
    }


def known(value: float) -> float | None:
    """NaN and infinity have no JSON."""
    return float(value) if math.isfinite(value) else None


def _lists(x: f.ListFacts) -> Lists:
    return Lists(
        n=x.n,
        n_pairs=x.n_pairs,
        sizes=[Size(size=size, n=n) for size, n in x.sizes],
        n_choices=x.n_choices,
        n_several_chosen=x.n_several,
        n_full_rankings=x.n_full,
        n_partial_rankings=x.n_partial,
        n_with_ties=x.n_tied,
        n_all_tied=x.n_all_tied,
        n_outside_offered=x.n_outside_offered,
        n_outside_chosen=x.n_outside_chosen,
        n_annotators=x.n_annotators,
        n_prompts=x.n_prompts,
        resampled=str(x.resample),
        n_units=x.n_units,
        orders=[Order(source=str(s), n=n, by=by) for s, n, by in x.orders],
        problems=[Problem(reason=p.reason, n=p.n, rows=list(p.places)) for p in x.problems],
    )


def _positions(x: f.PositionFacts | NotApplicable) -> Positions | NotApplicable:
    if isinstance(x, NotApplicable):
        return x
    return Positions(
        found=x.found,
        p_value=x.p_value,
        sizes=[
            Places(
                size=s.size,
                n_lists=s.n_lists,
                shares=[float(v) for v in s.shares],
                statistic=float(s.statistic),
                degrees_of_freedom=s.degrees_of_freedom,
                p_value=s.p_value,
            )
            for s in x.sizes
        ],
    )


def _interval(x: f.Interval) -> Interval:
    return Interval(value=known(x.value), low=known(x.low), high=known(x.high))


def _grouping(g: f.Grouping, cut: Any) -> Grouping:
    return Grouping(
        scheme=str(g.scheme),
        n_categories=g.n_categories,
        long_from=g.cut if g.scheme is f.Scheme.LENGTH else None,
        n_shared_lists=g.n_shared_lists,
        categories=[
            Category(
                name=cut(c.name),
                n_offered=c.n_offered,
                share_offered=c.offered,
                share_chosen=min(c.chosen, 1.0),
                reward=known(c.reward),
                standard_error=known(c.error),
            )
            for c in g.categories
        ],
        pairs=[_pair(p, cut) for p in g.pairs],
        n_pairs_left_out=g.n_pairs_left_out,
        tests=[_test(t, cut) for t in g.tests],
        planned=[_planned(p, cut) for p in g.planned],
    )


def _pair(p: f.CategoryPair, cut: Any) -> Pair:
    return Pair(
        first=cut(p.first),
        second=cut(p.second),
        n_lists=p.n_lists,
        rho_data=p.rho_data,
        rho_chosen=_interval(p.rho_chosen),
        margin=_interval(p.margin),
        fires=p.fires,
        probability_fires=p.p_fires,
        flagged=p.sure,
        zeta=p.zeta,
        thresholds=[Threshold(size=k, n_lists=n, value=v) for k, n, v in p.thresholds],
        reward_difference=known(p.psi),
    )


def _test(t: f.IiaTest | f.SkippedTest, cut: Any) -> Test:
    if isinstance(t, f.SkippedTest):
        return Test(kind=str(t.kind), subject=cut(t.subject), not_applicable=t.reason)
    return Test(
        kind=str(t.kind),
        subject=cut(t.subject),
        effect=known(t.effect),
        low=known(t.low),
        high=known(t.high),
        statistic=known(t.statistic),
        degrees_of_freedom=t.degrees_of_freedom,
        p_value=known(t.p_value),
        adjusted_p_value=known(t.adjusted),
        n_lists=t.n_lists,
        flag=t.flag,
        detail={k: known(v) if isinstance(v, float) else v for k, v in t.detail.items()},
    )


def _planned(p: f.PlannedPair, cut: Any) -> Planned:
    return Planned(
        first=cut(p.first),
        second=cut(p.second),
        size=p.size,
        zeta=p.zeta,
        liked=_interval(p.liked),
        reward_difference=_interval(p.psi),
        reward_difference_in_pairs=p.psi_pairs,
        probability_turns=p.p_wrong,
        turns=p.turns,
        largest_safe_size=p.largest_safe,
        largest_size_tried=p.limit,
        assumed=p.assumed,
    )


def _held_out(facts: f.ChoicesFacts) -> HeldOut | NotApplicable:
    h = facts.held_out
    if isinstance(h, NotApplicable):
        return h
    return HeldOut(
        n_lists=h.n_lists,
        n_folds=h.n_folds,
        models=[
            Model(
                name=name,
                log_likelihood=known(h.mean[name]),
                gain=known(h.gain[name]),
                standard_error=known(h.error[name]),
            )
            for name in h.mean
        ]
        + [
            Model(
                name=name,
                log_likelihood=None,
                gain=None,
                standard_error=None,
                not_applicable=reason,
            )
            for name, reason in h.missing.items()
        ],
    )


def _ranking(r: f.RankingFacts | NotApplicable, cut: Any) -> Ranking | NotApplicable:
    if isinstance(r, NotApplicable):
        return r
    return Ranking(
        unit=r.unit,
        penalty=r.penalty,
        penalty_reason=r.penalty_reason,
        ties=r.ties,
        tie_parameters=[TieParameter(size=s, log_delta=v) for s, v in r.log_delta],
        n_components=r.n_components,
        n_stages=r.n_stages,
        log_likelihood=known(r.log_likelihood),
        n_clone_weighted_lists=r.clone_weights,
        items=[
            RankedItem(
                name=cut(i.name),
                n_lists=i.n_lists,
                reward=known(i.reward),
                standard_error=known(i.error),
                quasi_standard_error=known(i.quasi),
                clone_weighted=known(i.clone_weighted),
                rank=i.rank,
                rank_interval=[i.rank_low, i.rank_high],
                rank_clone_weighted=i.rank_clone_weighted,
                probability_first=known(i.p_first),
                component=i.component,
            )
            for i in r.items
        ],
    )


def _remedies(r: f.Remedies | NotApplicable, cut: Any) -> Remedies | NotApplicable:
    if isinstance(r, NotApplicable):
        return r
    return Remedies(
        scheme=str(r.scheme),
        recommended=str(r.recommended),
        because=r.because,
        n_lists=r.n_lists,
        n_folds=r.n_folds,
        methods=[_remedy(m, cut) for m in r.methods],
        model_orders=[
            ModelOrder(method=str(m), order=[cut(name) for name in order])
            for m, order in r.model_orders
        ],
    )


def _remedy(m: f.Remedy, cut: Any) -> Remedy:
    if m.reason:
        return Remedy(method=str(m.method), n_rows=m.n_rows, not_applicable=m.reason)
    return Remedy(
        method=str(m.method),
        n_rows=m.n_rows,
        order=[cut(name) for name in m.order],
        rewards=list(m.rewards),
        agreement=min(m.agreement, 1.0),
        standard_error=m.error,
        gap=m.gap,
        gap_standard_error=m.gap_error,
    )
