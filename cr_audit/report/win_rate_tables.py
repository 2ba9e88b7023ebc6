"""Win rates for people: rank and rate before and after weighting, and the graph behind them.
Escaping as in ``report.screen``.
"""

from __future__ import annotations

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from cr_audit.analysis.facts import UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.report.escape import visible
from cr_audit.report.screen import Screen, data_table, heading, number_columns, one_line
from cr_audit.report.words import name_of
from cr_audit.wording import comparisons_in_median, percent, plural


def win_rate_section(unit: UnitResult, screen: Screen, *, limit: int) -> list[RenderableType]:
    """Rank and win rate before and after, with the error of the shift."""
    title = f"Win rates by {unit.unit}"
    note = unit.reason
    if unit.comparisons.n == 0:
        return [heading(title, "there are no comparisons")]
    if isinstance(unit.shift, NotApplicable):
        return [heading(title, f"{note}; no ranking: {unit.shift.reason}"), *_graph_line(unit)]
    shift = unit.shift
    weighted = not isinstance(unit.items.weights, NotApplicable)
    wide = screen.width >= 110
    many = unit.graph.n_components > 1
    table = data_table()
    number_columns(table, "rank")
    table.add_column(unit.unit)
    number_columns(table, "win rate")
    if weighted:
        number_columns(table, "shift ± error", "rank differs")
    if wide or not weighted:
        number_columns(table, "opponents", "comparisons")
    order = _order(unit, weighted, many)
    for i in order[:limit]:
        table.add_row(*_win_rate_row(unit, i, weighted, wide))
    level = percent(1 - shift.confidence_level)
    parts: list[RenderableType] = [heading(title, note), table]
    left = len(order) - limit
    if left > 0:
        parts.append(
            Text(f"… and {left:,} more ({'largest shifts' if many else 'best'} first)", style="dim")
        )
    legend = (
        f"{shift.n_replicates:,} resamples of {unit.resampled.value}; error = one standard error;"
        f" ▲▼ = change of rank beyond noise (at most {level} of those marked are chance)"
    )
    if many:
        legend += f"; ranks are within {unit.graph.n_components:,} separate components"
    parts.append(Text(legend, style="dim"))
    if not isinstance(unit.closest, NotApplicable) and unit.unit == "model":
        c = unit.closest
        parts.append(
            Text(
                f"closest models: {visible(c.first)} and {visible(c.second)}, distance"
                f" {c.distance:.3f} (median pair {c.median_distance:.3f},"
                f" {plural(c.n_shared_prompts, 'shared prompt')})",
                style="dim",
            )
        )
    return [*parts, *_graph_line(unit)]


def _order(unit: UnitResult, weighted: bool, many: bool) -> list[int]:
    """Best first; with many components, the largest shifts first."""
    rates, shift = unit.win_rates, unit.shift
    known = np.flatnonzero(rates.n_opponents > 0)
    if many and weighted and not isinstance(shift, NotApplicable):
        key = np.round(-np.abs(shift.shift[known]), 12)
    else:
        key = np.round(-rates.average[known], 12)
    return [int(i) for i in known[np.lexsort((known, key))]]


def _win_rate_row(unit: UnitResult, i: int, weighted: bool, wide: bool) -> list[RenderableType]:
    rates, shift = unit.win_rates, unit.shift
    assert not isinstance(shift, NotApplicable)
    before, after = int(rates.rank_average[i]), int(rates.rank_weighted[i])
    real = weighted and bool(shift.flagged[i])
    better = after < before
    style = ("green" if better else "red") if real else ""
    rank = f"{before} → {after} {('▲' if better else '▼') if real else ' '}"
    rate = f"{rates.average[i]:.3f}"
    row: list[RenderableType] = [
        Text(rank if weighted else str(before), style=style),
        one_line(name_of(unit, i, 120), style),
        Text(f"{rate} → {rates.weighted[i]:.3f}" if weighted else rate),
    ]
    if weighted:
        dim = "dim" if shift.within_noise[i] else ""
        row.append(Text(f"{shift.shift[i]:+.3f} ± {shift.standard_error[i]:.3f}", style=dim))
        row.append(Text(f"{shift.probability_differs[i]:.2f}"))
    if wide or not weighted:
        row.append(Text(f"{int(rates.n_opponents[i]):,}"))
        row.append(Text(f"{int(rates.n_comparisons[i]):,}"))
    return row


def _graph_line(unit: UnitResult) -> list[RenderableType]:
    g = unit.graph
    if unit.comparisons.n == 0:
        return []
    triads = (
        ""
        if isinstance(g.triads, NotApplicable)
        else f"; {percent(g.triads.share)} of triads are cycles"
    )
    within = (
        f"; {plural(unit.n_within, 'comparison')} within one {unit.unit}" if unit.n_within else ""
    )
    typical = comparisons_in_median(g.comparisons_per_item.median, f"per {unit.unit}")
    return [
        Text(
            f"graph: {plural(g.n_components, 'component')}, {typical},"
            f" {g.undefeated.size:,} undefeated, {g.winless.size:,} winless{triads}{within}",
            style="dim",
        )
    ]
