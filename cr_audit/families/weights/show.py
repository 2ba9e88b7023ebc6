"""Weights for people: in short, the heaviest, and schemes beside each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Prose, Section, Table
from cr_audit.weights.compare import SchemeTable
from cr_audit.wording import percent, plural


def brief(analysis: Analysis) -> list[Block]:
    """What ``section`` has, for those who ask."""
    if isinstance(analysis.weights, NotApplicable):
        return [section(analysis)]
    return [replace(section(analysis), folded=True)]


def section(analysis: Analysis) -> Section:
    """Scheme, scope, effective number, and how precise the estimate is."""
    weights = analysis.weights
    if isinstance(weights, NotApplicable):
        return Section("Weights", f"not computed: {weights.reason}")
    note = weights.method + (f" on the {weights.space}" if weights.space else "")
    lines = [
        f"scope {analysis.scope.value} ({analysis.scope.reason})",
        f"effective number {weights.effective_number_corrected:,.1f} of"
        f" {plural(weights.m, 'response')}; {percent(weights.zero_share)} without weight;"
        f" {plural(weights.n_merged, 'exact duplicate')} merged",
    ]
    if weights.n_samples:
        reached = "reached" if weights.reached else "not reached"
        lines.append(
            f"{weights.n_samples:,} samples: a weight of 1/m has a relative error of"
            f" {percent(weights.max_relative_error)} (asked for {percent(weights.precision)},"
            f" {reached})"
        )
    return Section("Weights", note, (Prose(tuple(lines), indent=2),))


def heaviest(analysis: Analysis, *, limit: int) -> list[Block]:
    """The alternatives with the largest weights, with standard errors."""
    weights = analysis.weights
    if isinstance(weights, NotApplicable):
        return []
    frame = analysis.dataset.alternatives
    order = np.lexsort((np.arange(weights.m), -np.round(weights.weights, 15))).tolist()

    def cells(k: int) -> tuple[Cell, ...]:
        i = order[k]
        times = float(weights.weights[i] * weights.m)
        error = float(weights.standard_error[i] * weights.m)
        text = frame["text"][i] or frame["model"][i] or frame["key"][i] or ""
        return (
            Cell(f"{times:.2f}", (times,)),
            Cell(f"{error:.2f}", (error,)),
            Cell(frame["id"][i]),
            Cell(text),
        )

    table = Table(
        (
            Column("times 1/m", "number", ("weight_times_m",)),
            Column("± error", "number", ("standard_error_times_m",)),
            Column("id", "id", ("id",)),
            Column("response", "line", ("text",)),
        ),
        weights.m,
        cells,
        name="weights",
        limit=limit,
        more="more responses",
        main=True,
    )
    return [Section("Heaviest", f"{min(limit, weights.m):,} of {weights.m:,} responses", (table,))]


def comparison(table: SchemeTable, groups: str) -> Section:
    """METHODS' table of schemes on the user's data; the seconds are the machine's, not a result."""
    rows = []
    for row in table.rows:
        name = row.scheme + (f" {row.space}" if row.space else "")
        shifts = (row.exact_clone, row.continuity, row.near_clone, row.topic_clone)
        rows.append(
            (
                Cell(name + (" !" if row.cautions else ""), (row.scheme, row.space)),
                Cell(percent(row.effective_share), (row.effective_share,)),
                Cell(percent(row.zero_share), (row.zero_share,)),
                *(Cell(f"{x:.3f}", (x,), "dim" if x <= row.noise else "plain") for x in shifts),
                Cell(f"{row.noise:.3f}", (row.noise,), "dim"),
                Cell(f"{row.seconds:.1f}", (), "dim"),
            )
        )
    of = (
        f"{table.n_used:,} of {table.n_items:,} items"
        if table.n_used < table.n_items
        else plural(table.n_items, "item")
    )
    width = (
        f"neighbours within {table.sharing_width:.3g} at {percent(table.sharing_strength)}"
        if table.sharing_width
        else "clones alone"
    )
    legend = (
        f"L1 shift (0 to 2) of the weight of {table.n_groups:,} groups ({groups}) when one item is"
        " added again word for word; when one is moved a little; when the largest group is added"
        " again with small changes; when half of it is taken away. Shifts up to the noise say"
        f" nothing. ! = a caution applies. Sharing: {width}."
    )
    columns = (
        Column("weights", fields=("scheme", "space")),
        *(
            Column(title, "number", (field,))
            for title, field in (
                ("effective", "effective_share"),
                ("zero", "zero_share"),
                ("exact clone", "exact_clone"),
                ("moved", "continuity"),
                ("near-clones", "near_clone"),
                ("half gone", "topic_clone"),
                ("noise", "noise"),
                ("s", "seconds"),
            )
        ),
    )
    made = Table.of(columns, rows, name="schemes", legend=legend)
    return Section("Schemes compared", of, (made,))
