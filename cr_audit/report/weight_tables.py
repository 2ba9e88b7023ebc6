"""Weights for people: in short, the heaviest, and schemes beside each other. Escaping as in
``report.screen``.
"""

from __future__ import annotations

import numpy as np
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from cr_audit.analysis.facts import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.report.escape import shorten, visible
from cr_audit.report.screen import data_table, heading, number_columns, one_line
from cr_audit.weights.compare import SchemeTable
from cr_audit.wording import percent, plural


def weight_section(analysis: Analysis) -> list[RenderableType]:
    weights = analysis.weights
    if isinstance(weights, NotApplicable):
        return [heading("Weights", f"not computed: {weights.reason}")]
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
    body = Text("\n".join(lines))
    return [heading("Weights", note), Padding(body, (0, 0, 0, 2))]


def heaviest_section(analysis: Analysis, *, limit: int) -> list[RenderableType]:
    """The alternatives with the largest weights, with standard errors."""
    weights = analysis.weights
    if isinstance(weights, NotApplicable):
        return []
    frame = analysis.dataset.alternatives
    order = np.lexsort((np.arange(weights.m), -np.round(weights.weights, 15)))[:limit].tolist()
    table = data_table()
    number_columns(table, "times 1/m", "± error")
    table.add_column("id")
    table.add_column("response")
    for i in order:
        text = frame["text"][i] or frame["model"][i] or frame["key"][i] or ""
        table.add_row(
            Text(f"{weights.weights[i] * weights.m:.2f}"),
            Text(f"{weights.standard_error[i] * weights.m:.2f}"),
            Text(frame["id"][i]),
            one_line(shorten(visible(text), 200)),
        )
    return [heading("Heaviest", f"{len(order):,} of {weights.m:,} responses"), table]


def comparison_section(table: SchemeTable, groups: str) -> list[RenderableType]:
    """METHODS' table of schemes on the user's data; the seconds are the machine's, not a result."""
    grid = data_table()
    grid.add_column("weights")
    number_columns(
        grid,
        "effective",
        "zero",
        "exact clone",
        "moved",
        "near-clones",
        "half gone",
        "noise",
        "s",
    )
    for row in table.rows:
        name = row.scheme + (f" {row.space}" if row.space else "")
        grid.add_row(
            Text(name + (" !" if row.cautions else "")),
            Text(percent(row.effective_share)),
            Text(percent(row.zero_share)),
            *(
                Text(f"{x:.3f}", style="dim" if x <= row.noise else "")
                for x in (row.exact_clone, row.continuity, row.near_clone, row.topic_clone)
            ),
            Text(f"{row.noise:.3f}", style="dim"),
            Text(f"{row.seconds:.1f}", style="dim"),
        )
    of = (
        f"{table.n_used:,} of {table.n_items:,} items"
        if table.n_used < table.n_items
        else (plural(table.n_items, "item"))
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
    return [heading("Schemes compared", of), grid, Text(legend, style="dim")]
