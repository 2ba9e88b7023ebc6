"""Win rates on a page: both rankings joined by lines, who beats whom, and the graph's health."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import (
    Block,
    Cell,
    Column,
    Matrix,
    Number,
    Section,
    Slope,
    SlopeChart,
    Table,
    Tone,
)
from cr_audit.families.rankings.rules import new_leaders
from cr_audit.families.rankings.show import name_of
from cr_audit.models.rankings import RankShift
from cr_audit.wording import plural

MAX_SLOPES, MAX_MATRIX, NAME = 24, 24, 40


def numbers(analysis: Analysis) -> list[Number]:
    """How far the weights reach into the main ranking."""
    if not analysis.units:
        return []
    unit = analysis.units[0]
    shift = unit.shift
    if isinstance(shift, NotApplicable) or isinstance(unit.items.weights, NotApplicable):
        return []
    flagged, ranked = int(shift.flagged.sum()), int((unit.win_rates.rank_average > 0).sum())
    changed = int(new_leaders(unit).size)
    label = f"of {plural(ranked, unit.unit)} change rank beyond noise"
    note = "among them the leader" if changed else "the leader stays"
    tone: Tone = "error" if changed else ("warning" if flagged else "good")
    return [Number(f"{flagged:,}", label, note, tone)]


def blocks(analysis: Analysis) -> list[Block]:
    """Of the main unit; nothing where there is no ranking."""
    if not analysis.units:
        return []
    unit = analysis.units[0]
    out: list[Block] = []
    if not isinstance(unit.shift, NotApplicable):
        slopes = _slopes(unit, unit.shift)
        if slopes is not None:
            out.append(Section("Both rankings", f"win rates by {unit.unit}", (slopes,)))
    matrix = _matrix(unit)
    if matrix is not None:
        out.append(Section("Who beats whom", f"by {unit.unit}", (matrix,)))
    if unit.comparisons.n:
        out.append(Section("Health of the graph", f"by {unit.unit}", (_health(unit),)))
    return out


def _first(unit: UnitResult, most: int) -> list[int]:
    """Items of the largest component, the best by average rate first."""
    rates = unit.win_rates
    inside = np.flatnonzero((rates.component == 0) & (rates.rank_average > 0))
    order = inside[np.lexsort((inside, rates.rank_average[inside]))]
    return [int(i) for i in order[:most]]


def _slopes(unit: UnitResult, shift: RankShift) -> SlopeChart | None:
    if isinstance(unit.items.weights, NotApplicable):
        return None
    items = _first(unit, MAX_SLOPES)
    if len(items) < 2:
        return None
    rates = unit.win_rates
    right = sorted(items, key=lambda i: (int(rates.rank_weighted[i]), items.index(i)))
    place = {i: k for k, i in enumerate(right)}
    slopes = tuple(
        Slope(
            name_of(unit, i, NAME),
            k,
            place[i],
            bool(shift.flagged[i]),
            _value(rates.average[i], shift.rank_average_low[i], shift.rank_average_high[i]),
            _value(rates.weighted[i], shift.rank_weighted_low[i], shift.rank_weighted_high[i]),
        )
        for k, i in enumerate(items)
    )
    n = int((rates.component == 0).sum())
    notes = [f"beside each name: rate, and the ranks of {shift.confidence_level:.0%} of resamples"]
    if len(items) < n:
        notes.append(f"the first {len(items):,} of {n:,}")
    title = "Ranks by win rate and by weighted win rate"
    return SlopeChart(title, "win rate", "weighted", slopes, "; ".join(notes))


def _value(rate: float, low: int, high: int) -> str:
    ranks = "" if low == 0 else (f" ({low})" if low == high else f" ({low}–{high})")
    return f"{rate:.3f}{ranks}"


def _matrix(unit: UnitResult) -> Matrix | None:
    """Share of the comparisons that the row wins against the column, ties as halves."""
    items = _first(unit, MAX_MATRIX)
    if len(items) < 3:
        return None
    pairs = unit.comparisons.proportions()
    at = {item: k for k, item in enumerate(items)}
    m = len(items)
    values: list[list[float | None]] = [[None] * m for _ in items]
    texts = [["not compared"] * m for _ in items]
    for first, second, p, n in zip(
        pairs.first.tolist(),
        pairs.second.tolist(),
        pairs.p.tolist(),
        pairs.mass.tolist(),
        strict=True,
    ):
        if first not in at or second not in at:
            continue
        i, j = at[first], at[second]
        values[i][j], values[j][i] = round(p, 4), round(1 - p, 4)
        texts[i][j], texts[j][i] = f"{p:.2f} of {n:,.10g}", f"{1 - p:.2f} of {n:,.10g}"
    for k in range(m):
        texts[k][k] = "itself"
    n_all = int((unit.win_rates.rank_average > 0).sum())
    of = "" if m == n_all else f" The first {m:,} of {n_all:,} by win rate."
    return Matrix(
        "Who beats whom",
        f"Share of their comparisons that the {unit.unit} of the row wins against that of the"
        f" column, ties as halves.{of}",
        tuple(name_of(unit, i, NAME) for i in items),
        tuple(map(tuple, values)),
        tuple(map(tuple, texts)),
        "row loses all",
        "row wins all",
    )


def _health(unit: UnitResult) -> Table:
    g = unit.graph
    per, opponents = g.comparisons_per_item, g.opponents_per_item
    rows = [
        ("components", f"{g.n_components:,}", "ranks are known within one, not between them"),
        (
            f"comparisons per {unit.unit}",
            f"{per.median:,.10g}",
            "median; few comparisons, wide intervals",
        ),
        (f"opponents per {unit.unit}", f"{opponents.median:,.10g}", "median"),
        ("pairs compared", f"{g.n_pairs:,}", f"{g.density:.3f} of all possible ones"),
        ("undefeated", f"{g.undefeated.size:,}", "a fit without a penalty has no finite reward"),
        ("winless", f"{g.winless.size:,}", "the same at the other end"),
        ("pairs that contradict", f"{g.n_contradictory_pairs:,}", "each side won at least once"),
    ]
    if not isinstance(g.triads, NotApplicable):
        rows.append(("triads that are cycles", f"{g.triads.share:.3f}", "a beats b, b c, c a"))
    return Table.of(
        (Column("of the comparisons"), Column("", "number"), Column("what it means")),
        [(Cell(what), Cell(n), Cell(note, tone="dim")) for what, n, note in rows],
        name="graph-health",
    )
