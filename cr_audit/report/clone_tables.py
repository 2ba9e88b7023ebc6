"""Clone clusters for people: one line each, their members, and word diffs. Escaping as in
``report.screen``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from cr_audit.analysis.facts import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.clones.find import Cluster
from cr_audit.report.diff import Run, word_diff
from cr_audit.report.escape import shorten, visible
from cr_audit.report.places import Place
from cr_audit.report.screen import Screen, data_table, heading, number_columns, one_line
from cr_audit.wording import percent

MAX_MEMBERS = 20
MAX_DIFF = 400
_SCOPES = ("response", "boilerplate", "prompt")


def clone_section(
    analysis: Analysis, screen: Screen, *, limit: int, diffs: int, members: bool = False
) -> list[RenderableType]:
    """Clusters, the heaviest in items first, and word diffs of the largest ones."""
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return [heading("Clones", f"not computed: {clones.reason}")]
    shown = [c for c in clones.clusters if not _is_nested(c, clones.clusters)]
    shown.sort(key=lambda c: (_SCOPES.index(c.scope), -c.size))
    if not shown:
        return [heading("Clones", f"none within {clones.radius:.3g} of each other")]
    wide = screen.width >= 110
    table = data_table()
    table.add_column("what")
    number_columns(table, "size", "items", "weight", "apart")
    if wide:
        number_columns(table, "link")
    table.add_column("the most typical member")
    for cluster in shown[:limit]:
        table.add_row(*_cluster_row(analysis, cluster, wide, screen.width))
    recall = clones.neighbours.recall_estimate
    found = f"{clones.neighbours.index} search"
    if not isinstance(recall, NotApplicable):
        found += f", recall {recall:.3f} on {clones.neighbours.n_recall_sample:,} sampled texts"
    parts = [heading("Clones", f"near = distance up to {clones.radius:.3g}; {found}"), table]
    if len(shown) > limit:
        parts.append(Text(f"… and {len(shown) - limit:,} more clusters", style="dim"))
    if members:
        parts.extend(_members(analysis, c, k) for k, c in enumerate(shown[:limit], 1))
    differing = [c for c in shown if c.diameter > 0 and _has_text(analysis, c)]
    parts.extend(_diff(analysis, cluster, screen) for cluster in differing[:diffs])
    return parts


def _is_nested(cluster: Cluster, clusters: Sequence[Cluster]) -> bool:
    """An exact cluster inside a near one says nothing new; loose ones are not shown."""
    if cluster.kind == "loose":
        return True
    if cluster.kind != "exact":
        return False
    return any(
        other.kind == "near"
        and other.scope == cluster.scope
        and other.size >= cluster.size
        and bool(np.isin(cluster.members, other.members).all())
        for other in clusters
    )


def _cluster_row(
    analysis: Analysis, cluster: Cluster, wide: bool, width: int
) -> list[RenderableType]:
    data = analysis.dataset
    of_prompts = cluster.scope == "prompt"
    frame = data.prompts if of_prompts else data.alternatives
    share = weight = "—"
    if not of_prompts:
        share = percent(cluster.size / data.n_alternatives)
        if not isinstance(analysis.weights, NotApplicable):
            weight = percent(float(analysis.weights.weights[cluster.members].sum()))
    text = frame["text"][cluster.medoid]
    if text is None:
        names = ("key",) if of_prompts else ("model", "key", "id")
        text = next(n for k in names if (n := frame[k][cluster.medoid]) is not None)
    text = text or "(empty)"
    what = {"response": "", "prompt": "prompts ", "boilerplate": "boilerplate "}[cluster.scope]
    row: list[RenderableType] = [
        Text(what + cluster.kind),
        Text(f"{cluster.size:,}"),
        Text(share),
        Text(weight),
        Text(f"{cluster.diameter:.2f}"),
    ]
    if wide:
        row.append(Text(f"{cluster.weakest_link:.2f}"))
    row.append(one_line(shorten(visible(text), width)))
    return row


def _has_text(analysis: Analysis, cluster: Cluster) -> bool:
    data = analysis.dataset
    frame = data.prompts if cluster.scope == "prompt" else data.alternatives
    return all(frame["text"][i] is not None for i in cluster.furthest)


def _members(analysis: Analysis, cluster: Cluster, number: int) -> RenderableType:
    """Who is in a cluster, with the first row of each member."""
    data = analysis.dataset
    grid = data_table()
    grid.add_column(f"cluster {number}", no_wrap=True)
    grid.add_column("model", no_wrap=True, overflow="ellipsis", max_width=24)
    grid.add_column("first row")
    grid.add_column("text")
    listed = cluster.members[:MAX_MEMBERS].tolist()
    of_prompts = cluster.scope == "prompt"
    frame = data.prompts if of_prompts else data.alternatives
    rows = [()] * len(listed) if of_prompts else data.provenance(listed, 1)
    for i, first in zip(listed, rows, strict=True):
        model = "" if of_prompts else frame["model"][i] or frame["key"][i] or ""
        grid.add_row(
            Text(frame["id"][i]),
            Text(visible(model)),
            Place(first[0] if first else ""),
            one_line(shorten(visible(frame["text"][i] or ""), 200)),
        )
    left = cluster.size - len(listed)
    more = [Text(f"… and {left:,} more members", style="dim")] if left > 0 else []
    return Group(grid, *more)


def _diff(analysis: Analysis, cluster: Cluster, screen: Screen) -> RenderableType:
    """The two furthest members side by side, changed words marked."""
    data = analysis.dataset
    frame = data.prompts if cluster.scope == "prompt" else data.alternatives
    i, j = cluster.furthest
    left, right = word_diff(frame["text"][i] or "", frame["text"][j] or "")
    grid = data_table()
    for k in (i, j):
        title = frame["id"][k]
        if cluster.scope != "prompt" and frame["model"][k]:
            title = frame["model"][k]
        grid.add_column(Text(shorten(visible(title), screen.width // 2 - 4)), ratio=1)
    grid.add_row(_runs(left, "red", "-", screen), _runs(right, "green", "+", screen))
    return Group(
        Text(f"the two furthest of the cluster of {cluster.size:,}:", style="dim"),
        grid,
    )


def _runs(runs: list[Run], style: str, mark: str, screen: Screen) -> Text:
    """Colour where there is colour; marks such as {+word+} where there is none."""
    out = Text()
    for run in runs:
        if len(out) > MAX_DIFF:
            out.append(" …", style="dim")
            break
        text = shorten(visible(run.text), MAX_DIFF)
        if run.kind == "skipped":
            out.append(f" {text} ", style="dim")
        elif run.kind == "same":
            out.append(text)
        elif screen.colour:
            out.append(text, style=f"bold {style}")
        else:
            out.append("{" + mark + text.rstrip() + mark + "} ")
    return out
