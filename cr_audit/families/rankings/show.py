"""Win rates for people: rank and rate before and after weighting, and the graph behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Prose, Section, Table, Tone
from cr_audit.families.rankings.rules import new_leaders
from cr_audit.heads import named
from cr_audit.wording import SURE, comparisons_in_median, percent, plural

MAX_ITEMS, IN_BRIEF = 15, 3
MAX_SECONDARY = 6


def answer(analysis: Analysis) -> list[str]:
    """What weighting does to the main ranking, in a sentence."""
    if not analysis.units:
        return []
    unit = analysis.units[0]
    shift = unit.shift
    if unit.comparisons.n == 0:
        return ["There are no comparisons to rank by."]
    if isinstance(shift, NotApplicable):
        return [f"No ranking by {unit.unit}: {shift.reason}."]
    if isinstance(unit.items.weights, NotApplicable):
        return [_leader_alone(unit)]
    if even(unit):
        return [f"{unit.items.n:,} {unit.unit}s weigh the same, so weighting changes no win rate."]
    changed = new_leaders(unit)
    n = unit.graph.n_components
    if changed.size and n == 1:
        new, old = name_of(unit, shift.leader_weighted), name_of(unit, shift.leader_average)
        return [f"Weighted, {new} leads instead of {old} (sure {shift.sure_leader:.2f})."]
    if changed.size:
        return [f"Weighted, the leader changes in {changed.size:,} of {n:,} separate rankings."]
    n_flagged = int(shift.flagged.sum())
    if n_flagged:
        return [
            f"The weights change the rank of {plural(n_flagged, unit.unit)} beyond noise,"
            " but no leader."
        ]
    return [f"No {unit.unit} changes rank beyond its noise under clone-robust weights."]


def unchecked(analysis: Analysis) -> list[str]:
    """What could not be looked at: rankings where there are comparisons, weights where there is a
    ranking."""
    if not analysis.units or analysis.units[0].comparisons.n == 0:
        return []
    unit = analysis.units[0]
    if isinstance(unit.shift, NotApplicable):
        return ["rankings"]
    return ["weights"] if isinstance(unit.items.weights, NotApplicable) else []


def even(unit: UnitResult) -> bool:
    """Whether all items weigh the same, so that weighted rates are the average ones."""
    w = unit.items.weights
    return not isinstance(w, NotApplicable) and bool(np.ptp(w) <= 1e-9 / max(w.size, 1))


def _leader_alone(unit: UnitResult) -> str:
    if unit.graph.n_components != 1:
        return f"{unit.graph.n_components:,} separate rankings, without weights."
    best = int(np.flatnonzero(unit.win_rates.rank_average == 1)[0])
    rate = unit.win_rates.average[best]
    known = unit.win_rates.n_opponents[unit.win_rates.n_opponents > 0]
    if known.min() < known.max():
        return (
            f"{name_of(unit, best)} has the highest average win rate, {rate:.3f} (unweighted), and"
            " not all met the same opponents, so it need not be the best."
        )
    return f"{name_of(unit, best)} leads with an average win rate of {rate:.3f} (unweighted)."


def name_of(unit: UnitResult, item: int, width: int = 40) -> str:
    """A short name of an item."""
    return named(unit.items.names[item], unit.unit, width)


def brief(analysis: Analysis) -> list[Block]:
    """The main unit; folded, what explains it and the second unit where that has a ranking."""
    if not analysis.units:
        return []
    first, *others = analysis.units
    out: list[Block] = [
        section(first, limit=MAX_ITEMS, explained=False, shifts=not even(first), brief=IN_BRIEF)
    ]
    if first.comparisons.n and not isinstance(first.shift, NotApplicable):
        out.append(Section("Graph of comparisons", "", _explains(first), folded=True))
    ranked = (u for u in others if not isinstance(u.shift, NotApplicable))
    return [
        *out,
        *(
            replace(section(u, limit=MAX_SECONDARY, shifts=not even(u)), folded=True)
            for u in ranked
        ),
    ]


def section(
    unit: UnitResult,
    *,
    limit: int,
    main: bool = True,
    explained: bool = True,
    shifts: bool = True,
    brief: int | None = None,
) -> Section:
    """Rank and win rate before and after, with the error of the shift. main : as of its table.
    brief : rows in a terminal without --details. explained : with the lines of ``_explains`` under
    a ranking. shifts : with the weighted columns where there are weights."""
    title = f"Win rates by {unit.unit}"
    if unit.comparisons.n == 0:
        return Section(title, "there are no comparisons")
    if isinstance(unit.shift, NotApplicable):
        note = f"{unit.reason}; no ranking: {unit.shift.reason}"
        # The answer says so already: in a terminal without --details the graph is no news.
        return Section(title, note, (_graph_line(unit),), folded=brief is not None)
    weighted = shifts and not isinstance(unit.items.weights, NotApplicable)
    many = unit.graph.n_components > 1
    order = _order(unit)
    columns, cells = _columns(unit, weighted, many)
    table = Table(
        columns,
        len(order),
        lambda k: cells(order[k]),
        name=f"win-rates-{unit.unit}",
        limit=limit,
        order="largest group and best" if many else "best",
        legend=_legend(unit, weighted, many),
        main=main,
        brief=brief,
        gist=_gist(unit, weighted, many) if brief is not None else "",
    )
    note = unit.reason
    if brief is not None and len(order) > brief:
        note += f"; the first {brief} of {len(order):,}"
    return Section(title, note, (table, *(_explains(unit) if explained else ())))


def _explains(unit: UnitResult) -> tuple[Prose, ...]:
    """The models that answer most alike, and the graph behind a ranking."""
    lines = (_graph_line(unit),)
    if isinstance(unit.closest, NotApplicable) or unit.unit != "model":
        return lines
    c = unit.closest
    line = (
        f"closest models: {c.first} and {c.second}, distance {c.distance:.3f} (median pair"
        f" {c.median_distance:.3f}, {plural(c.n_shared_prompts, 'shared prompt')})"
    )
    return (Prose((line,), "dim"), *lines)


def _gist(unit: UnitResult, weighted: bool, many: bool) -> str:
    """The legend in a line."""
    parts = ["± = standard error"] if weighted else []
    if weighted:
        parts.append("sure = of a new rank; ▲▼ = beyond noise")
    if many:
        parts.append(f"group = one of {unit.graph.n_components:,} separate rankings")
    known = unit.win_rates.n_opponents[unit.win_rates.n_opponents > 0]
    if not many and known.size and known.min() < known.max():
        parts.append("opponents differ")
    return "; ".join(parts) or "average win rate against every opponent"


def _legend(unit: UnitResult, weighted: bool, many: bool) -> str:
    shift = unit.shift
    assert not isinstance(shift, NotApplicable)
    text = f"error = one standard error, {shift.n_replicates:,} resamples of {unit.resampled.value}"
    if weighted:
        text += f"; {SURE}, ▲▼ = sure {shift.confidence_level:.2f} or more"
    if many:
        text += (
            f"; group = one of {unit.graph.n_components:,} separate rankings: items of two were"
            " never compared"
        )
    known = unit.win_rates.n_opponents[unit.win_rates.n_opponents > 0]
    text += "; against = opponents"
    if not many and known.min() < known.max():
        text += ": not the same for all, so rates are against different opponents"
    return text


def _order(unit: UnitResult) -> list[int]:
    """Best first, component after component: items of two are never ranked together."""
    rates = unit.win_rates
    known = np.flatnonzero(rates.n_opponents > 0)
    key = np.round(-rates.average[known], 12)
    return [int(i) for i in known[np.lexsort((known, key, rates.component[known]))]]


def _columns(
    unit: UnitResult, weighted: bool, many: bool
) -> tuple[tuple[Column, ...], Callable[[int], tuple[Cell, ...]]]:
    """The columns, and the cells of an item."""
    rates, shift = unit.win_rates, unit.shift
    assert not isinstance(shift, NotApplicable)
    ranks = ("rank_average", "rank_weighted") if weighted else ("rank_average",)
    values = ("average", "weighted") if weighted else ("average",)
    columns = [Column("group", "count", ("component",))] if many else []
    columns += [
        Column("rank", "number", ranks),
        Column(unit.unit, "line", ("name",)),
        Column("win rate", "number", values),
        Column("against", "count", ("n_opponents",)),
    ]
    if weighted:
        columns += [
            Column("shift ± error", "number", ("shift", "standard_error")),
            Column("sure", "number", ("sure",)),
        ]
    columns += [
        Column("comparisons", "count", ("n_comparisons",), wide=weighted),
    ]

    def cells(i: int) -> tuple[Cell, ...]:
        before, after = int(rates.rank_average[i]), int(rates.rank_weighted[i])
        real = weighted and bool(shift.flagged[i])
        better = after < before
        tone: Tone = ("good" if better else "bad") if real else "plain"
        rank, rate = str(before), f"{rates.average[i]:.3f}"
        opponents, comparisons = int(rates.n_opponents[i]), int(rates.n_comparisons[i])
        row = [
            Cell(rank, (before,), tone),
            Cell(name_of(unit, i, 120), (unit.items.names[i],), tone),
            Cell(rate, (float(rates.average[i]),)),
            Cell(f"{opponents:,}", (opponents,)),
        ]
        if weighted:
            mark = ("▲" if better else "▼") if real else " "
            move, error = float(shift.shift[i]), float(shift.standard_error[i])
            dim: Tone = "dim" if shift.within_noise[i] else "plain"
            sure = float(shift.sure[i])
            row[0] = Cell(f"{before} → {after} {mark}", (before, after), tone)
            row[2] = Cell(
                f"{rate} → {rates.weighted[i]:.3f}",
                (float(rates.average[i]), float(rates.weighted[i])),
            )
            row.append(Cell(f"{move:+.3f} ± {error:.3f}", (move, error), dim))
            row.append(Cell(f"{sure:.2f}", (sure,)))
        row.append(Cell(f"{comparisons:,}", (comparisons,)))
        group = int(rates.component[i]) + 1
        return (Cell(f"{group:,}", (group,)), *row) if many else tuple(row)

    return tuple(columns), cells


def _graph_line(unit: UnitResult) -> Prose:
    g = unit.graph
    triads = (
        ""
        if isinstance(g.triads, NotApplicable)
        else f"; {percent(g.triads.share)} of triads are cycles"
    )
    within = (
        f"; {plural(unit.n_within, 'comparison')} within one {unit.unit}" if unit.n_within else ""
    )
    typical = comparisons_in_median(g.comparisons_per_item.median, f"per {unit.unit}")
    line = (
        f"graph: {plural(g.n_components, 'component')}, {typical},"
        f" {g.undefeated.size:,} undefeated, {g.winless.size:,} winless{triads}{within}"
    )
    return Prose((line,), "dim")
