"""Clones on a page: each of the largest clusters with its two furthest members and all others."""

from __future__ import annotations

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Number, Section, Tone
from cr_audit.families.clones.show import (
    furthest,
    has_diff,
    members_of,
    shown_clusters,
    totals,
)
from cr_audit.wording import percent, plural

MAX_CLUSTERS = 20


def numbers(analysis: Analysis) -> list[Number]:
    """How much of the data are copies."""
    if isinstance(analysis.clones, NotApplicable):
        return []
    n_clusters, n_inside, _ = totals(analysis)
    n = analysis.dataset.n_alternatives
    note = f"{n_inside:,} of {n:,}, in {plural(n_clusters, 'cluster')}"
    tone: Tone = "warning" if n_clusters else "good"
    share = percent(n_inside / n) if n else "—"
    return [Number(share, "of the responses are near-copies", note, tone)]


def blocks(analysis: Analysis) -> list[Block]:
    """The largest clusters; nothing where there are none."""
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return []
    shown = shown_clusters(clones)
    if not shown:
        return []
    inside: list[Block] = []
    for k, cluster in enumerate(shown[:MAX_CLUSTERS], 1):
        what = "" if cluster.scope == "response" else f"{cluster.scope}, "
        note = f"{what}{cluster.kind}, {plural(cluster.size, 'member')}"
        note += f", up to {cluster.diameter:.2f} apart" if cluster.diameter else ""
        diff = [furthest(analysis, cluster)] if has_diff(analysis, cluster) else []
        made = (*diff, *members_of(analysis, cluster, k))
        inside.append(Section(f"Cluster {k}", note, made, folded=k > 1))
    title = f"{min(MAX_CLUSTERS, len(shown)):,} of {plural(len(shown), 'cluster')} shown"
    return [Section("Copies side by side", title, tuple(inside))]
