"""``win_rates`` and ``units`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.models import graph
from cr_audit.wire import (
    ABSENT,
    Count,
    ItemId,
    Missing,
    NotNegative,
    Rank,
    Resolved,
    Share,
    Texts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRate:
    """One item that was compared. Weighted values are null where there are no weights.
    probability: 1 minus the smallest false-discovery rate at which the item is marked as changing
    sides with another, 0 where it changes sides with nobody: of the items with at least this value,
    at most the rest is expected to be chance; no share of resamples, and not the chance of one
    change. flagged: probability is at least the confidence level. changes_sides_with: the item with
    which that is surest."""

    id: ItemId
    unit: str
    label: str
    average: Share
    borda: NotNegative | None
    weighted: Share | None
    rank_average: Rank
    rank_weighted: Rank | None
    n_opponents: Rank
    n_comparisons: Count
    component: Count
    weight: Share | None
    rank_average_interval: list[int | None] | Missing = ABSENT
    thin: bool | Missing = ABSENT
    rank_weighted_interval: list[int | None] | Missing = ABSENT
    shift: float | Missing | None = ABSENT
    shift_interval: list[float | None] | Missing = ABSENT
    standard_error: float | Missing | None = ABSENT
    sampling_error: float | Missing | None = ABSENT
    monte_carlo_error: float | Missing | None = ABSENT
    within_noise: bool | Missing = ABSENT
    probability: Share | Missing | None = ABSENT
    flagged: bool | Missing = ABSENT
    changes_sides_with: ItemId | Missing | None = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The smallest, the median and the largest of some counts."""

    min: Count
    median: NotNegative
    max: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Triads:
    """Triples of items that were all compared with each other, and how many are cycles."""

    n: Count
    n_cyclic: float
    share: Share | None
    standard_error: NotNegative | None
    n_sampled: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What the comparisons of a unit can carry."""

    n_pairs: Count
    n_components: Count
    largest_component: Count
    unpenalised_fit_exists: bool
    n_components_with_unpenalised_fit: Count
    n_undefeated: Count
    n_winless: Count
    n_never_compared: Count
    comparisons_per_item: Spread
    opponents_per_item: Spread
    n_repeated_pairs: Count
    n_contradictory_pairs: Count
    n_self_contradictory_pairs: Count
    density: Share | None
    triads: Triads | NotApplicable
    largest_annotator_share: Share | NotApplicable
    largest_prompt_share: Share | NotApplicable


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaders:
    """Who leads by average and by weighted win rate, the first of a tie.
    probability_leaders_differ: as the probability of an item, for the two leaders; 0 where one item
    leads both, or they do not change sides."""

    n_replicates: Count
    confidence_level: Share
    leader_average: ItemId
    leader_weighted: ItemId
    probability_leaders_differ: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closest:
    """The two nearest models: distance of their answers over shared prompts."""

    first: str
    second: str
    distance: NotNegative
    median_distance: NotNegative
    n_shared_prompts: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The comparisons of one unit, its leaders, and its closest models. n_within: comparisons
    between two responses of one item."""

    unit: str
    reason: str
    n_items: Count
    n_comparisons: Count
    n_within: Count
    resampled: Resolved
    graph: Graph
    leaders: Leaders | NotApplicable
    closest: Closest | NotApplicable


PARTS = {"win_rates": list[WinRate], "units": list[Unit]}
REQUIRED = ("win_rates",)


def parts(analysis: Analysis, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    return {
        "win_rates": [row for unit in analysis.units for row in _win_rates(unit, texts)],
        "units": [_unit(unit) for unit in analysis.units],
    }


def _win_rates(unit: UnitResult, texts: Texts) -> list[WinRate]:
    """One entry per item that was compared."""
    r = unit.win_rates
    known = unit.items.weights
    weights = None if isinstance(known, NotApplicable) else known
    return [
        WinRate(
            id=unit.items.ids[i],
            unit=unit.unit,
            label=texts.cut(unit.items.names[i]) or "",
            average=r.average[i],
            borda=r.borda[i],
            weighted=None if weights is None else r.weighted[i],
            rank_average=r.rank_average[i],
            rank_weighted=None if weights is None else r.rank_weighted[i],
            n_opponents=r.n_opponents[i],
            n_comparisons=r.n_comparisons[i],
            component=r.component[i],
            weight=None if weights is None else weights[i],
            **_shift(unit, i, weights is not None),
        )
        for i in range(unit.items.n)
        if r.n_opponents[i]
    ]


def _shift(unit: UnitResult, i: int, weighted: bool) -> dict[str, Any]:
    s = unit.shift
    if isinstance(s, NotApplicable):
        return {}
    out: dict[str, Any] = {
        "rank_average_interval": [s.rank_average_low[i], s.rank_average_high[i]],
        "thin": bool(s.thin[i]),
    }
    if weighted:
        partner = int(s.marks.partner[i])
        out |= {
            "rank_weighted_interval": [s.rank_weighted_low[i], s.rank_weighted_high[i]],
            "shift": s.shift[i],
            "shift_interval": [s.shift_low[i], s.shift_high[i]],
            "standard_error": s.standard_error[i],
            "sampling_error": s.sampling_error[i],
            "monte_carlo_error": s.monte_carlo_error[i],
            "within_noise": bool(s.within_noise[i]),
            "probability": s.sure[i],
            "flagged": bool(s.flagged[i]),
            "changes_sides_with": unit.items.ids[partner] if partner >= 0 else None,
        }
    return out


def _unit(unit: UnitResult) -> Unit:
    shift, c = unit.shift, unit.closest
    return Unit(
        unit=unit.unit,
        reason=unit.reason,
        n_items=unit.items.n,
        n_comparisons=unit.comparisons.n,
        n_within=unit.n_within,
        resampled=Resolved(value=unit.resampled.value, reason=unit.resampled.reason),
        graph=_graph(unit.graph),
        leaders=shift
        if isinstance(shift, NotApplicable)
        else Leaders(
            n_replicates=shift.n_replicates,
            confidence_level=shift.confidence_level,
            leader_average=unit.items.ids[shift.leader_average],
            leader_weighted=unit.items.ids[shift.leader_weighted],
            probability_leaders_differ=shift.sure_leader,
        ),
        closest=c
        if isinstance(c, NotApplicable)
        else Closest(
            first=c.first,
            second=c.second,
            distance=c.distance,
            median_distance=c.median_distance,
            n_shared_prompts=c.n_shared_prompts,
        ),
    )


def _graph(g: graph.GraphHealth) -> Graph:
    return Graph(
        n_pairs=g.n_pairs,
        n_components=g.n_components,
        largest_component=int(g.component_sizes[0]) if g.n_components else 0,
        unpenalised_fit_exists=g.unpenalised_fit_exists,
        n_components_with_unpenalised_fit=int(g.fit_exists.sum()),
        n_undefeated=g.undefeated.size,
        n_winless=g.winless.size,
        n_never_compared=g.never_compared.size,
        comparisons_per_item=_spread(g.comparisons_per_item),
        opponents_per_item=_spread(g.opponents_per_item),
        n_repeated_pairs=g.n_repeated_pairs,
        n_contradictory_pairs=g.n_contradictory_pairs,
        n_self_contradictory_pairs=g.n_self_contradictory_pairs,
        density=g.density,
        triads=g.triads
        if isinstance(g.triads, NotApplicable)
        else Triads(
            n=g.triads.n,
            n_cyclic=g.triads.n_cyclic,
            share=g.triads.share,
            standard_error=g.triads.standard_error,
            n_sampled=g.triads.n_sampled,
        ),
        largest_annotator_share=_share(g.largest_annotator),
        largest_prompt_share=_share(g.largest_prompt),
    )


def _spread(spread: graph.Spread) -> Spread:
    return Spread(min=spread.minimum, median=spread.median, max=spread.maximum)


def _share(dominance: graph.Dominance | NotApplicable) -> float | NotApplicable:
    return dominance if isinstance(dominance, NotApplicable) else dominance.share
