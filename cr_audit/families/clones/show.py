"""Clone clusters for people: one line each, their members, and word diffs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Diff, Prose, Section, Table
from cr_audit.clones.find import CloneReport, Cluster
from cr_audit.diff import word_diff
from cr_audit.weights.schemes import SCHEMES
from cr_audit.wording import percent, plural

MAX_CLUSTERS, IN_BRIEF = 8, 3
MAX_MEMBERS = 20
_SCOPES = ("response", "boilerplate", "prompt")
_COUNTED = {"response": "of copies", "boilerplate": "across prompts", "prompt": "of prompts"}
_IN_WORDS = {"response": "", "prompt": "prompts ", "boilerplate": "boilerplate "}


def answer(analysis: Analysis) -> list[str]:
    """What copies there are, in a sentence or two."""
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return [f"Clones and weights were not computed: {clones.reason}."]
    n_clusters, n_inside, mass = totals(analysis)
    if n_clusters == 0:
        out = ["No two responses to one prompt are near-clones."]
    else:
        share = n_inside / analysis.dataset.n_alternatives
        verb = "holds" if n_clusters == 1 else "hold"
        sentence = f"{plural(n_clusters, 'clone cluster')} {verb} {percent(share)} of the responses"
        if mass is not None and SCHEMES.get(analysis.settings.weights).corrects:
            sentence += f" and {percent(mass)} of the clone-robust weight"
        out = [sentence + "."]
    boilerplate = [c for c in clones.clusters if c.scope == "boilerplate"]
    if boilerplate:
        largest = max(boilerplate, key=lambda c: c.n_prompts)
        out.append(
            f"{plural(len(boilerplate), 'answer')} {'is' if len(boilerplate) == 1 else 'are'}"
            f" repeated across prompts, the most frequent under {largest.n_prompts:,}."
        )
    prompts = [c for c in clones.clusters if c.scope == "prompt"]
    if prompts:
        n = sum(c.members.size for c in prompts)
        out.append(f"{plural(n, 'prompt')} stand in {plural(len(prompts), 'group')} of copies.")
    return out


def unchecked(analysis: Analysis) -> list[str]:
    """What could not be looked at."""
    return ["copies"] if isinstance(analysis.clones, NotApplicable) else []


def totals(analysis: Analysis) -> tuple[int, int, float | None]:
    """Clusters of response clones, alternatives in them, and the weight these keep."""
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return 0, 0, None
    sizes = np.bincount(clones.labels.labels, minlength=clones.labels.n_groups)
    inside = sizes[clones.labels.labels] > 1
    mass = None
    if not isinstance(analysis.weights, NotApplicable) and inside.any():
        mass = float(analysis.weights.weights[inside].sum())
    return int((sizes > 1).sum()), int(inside.sum()), mass


def brief(analysis: Analysis) -> list[Block]:
    """The largest clusters and one word diff."""
    return [section(analysis, limit=MAX_CLUSTERS, diffs=1, brief=IN_BRIEF)]


def section(
    analysis: Analysis,
    *,
    limit: int,
    diffs: int,
    members: bool = False,
    brief: int | None = None,
) -> Section:
    """Clusters, the heaviest in items first, and word diffs of the largest ones. brief : clusters
    in a terminal without --details, which then folds the diffs."""
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return Section("Clones", f"not computed: {clones.reason}")
    shown = shown_clusters(clones)
    if not shown:
        return Section("Clones", f"none within {clones.radius:.3g} of each other")
    table = Table(
        (
            Column("what", fields=("scope", "kind")),
            Column("size", "count", ("size",)),
            Column("items", "number", ("item_share",)),
            Column("weight", "number", ("weight_mass",)),
            Column("apart", "number", ("diameter",)),
            Column("link", "number", ("weakest_link",), wide=True),
            Column("the most typical member", "line", ("medoid",)),
        ),
        len(shown),
        lambda i: _cluster_cells(analysis, shown[i]),
        name="clone-clusters",
        limit=limit,
        more="more clusters",
        main=True,
        brief=brief,
    )
    recall = clones.neighbours.recall_estimate
    found = f"{clones.neighbours.index} search"
    if not isinstance(recall, NotApplicable):
        found += f", recall {recall:.3f} on {clones.neighbours.n_recall_sample:,} sampled texts"
    blocks: list[Block] = [table]
    if members:
        for k, cluster in enumerate(shown[:limit], 1):
            blocks += members_of(analysis, cluster, k)
    differing = [c for c in shown if has_diff(analysis, c)]
    apart = tuple(furthest(analysis, cluster) for cluster in differing[:diffs])
    if brief is not None and apart:
        blocks.append(Section("Word for word", "", apart, folded=True))
    else:
        blocks += apart
    note = f"near = distance up to {clones.radius:.3g}"
    if brief is None:
        note += f"; {found}"
    elif len(shown) > brief:
        note += f"; the largest {brief} of {_by_scope(shown)}"
    return Section("Clones", note, tuple(blocks))


def _by_scope(shown: Sequence[Cluster]) -> str:
    """ "12 clusters", and of what where they are of several things."""
    counts = [(sum(c.scope == s for c in shown), s) for s in _SCOPES]
    parts = [f"{n:,} {_COUNTED[s]}" for n, s in counts if n]
    total = plural(len(shown), "cluster")
    return total if len(parts) == 1 else f"{total} ({', '.join(parts)})"


def shown_clusters(clones: CloneReport) -> list[Cluster]:
    """Those that say something new: responses, then boilerplate and prompts, larger ones first."""
    shown = [c for c in clones.clusters if not _is_nested(c, clones.clusters)]
    return sorted(shown, key=lambda c: (_SCOPES.index(c.scope), -c.size))


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


def _cluster_cells(analysis: Analysis, cluster: Cluster) -> tuple[Cell, ...]:
    data = analysis.dataset
    of_prompts = cluster.scope == "prompt"
    frame = data.prompts if of_prompts else data.alternatives
    share = weight = None
    if not of_prompts:
        share = cluster.size / data.n_alternatives
        if not isinstance(analysis.weights, NotApplicable):
            weight = float(analysis.weights.weights[cluster.members].sum())
    text = frame["text"][cluster.medoid]
    if text is None:
        names = ("key",) if of_prompts else ("model", "key", "id")
        text = next(n for k in names if (n := frame[k][cluster.medoid]) is not None)
    text = text or "(empty)"
    return (
        Cell(_IN_WORDS[cluster.scope] + cluster.kind, (cluster.scope, cluster.kind)),
        Cell(f"{cluster.size:,}", (cluster.size,)),
        Cell("—" if share is None else percent(share), (share,)),
        Cell("—" if weight is None else percent(weight), (weight,)),
        Cell(f"{cluster.diameter:.2f}", (cluster.diameter,)),
        Cell(f"{cluster.weakest_link:.2f}", (cluster.weakest_link,)),
        Cell(text),
    )


def has_diff(analysis: Analysis, cluster: Cluster) -> bool:
    """Whether its two furthest members are texts that differ."""
    if cluster.diameter <= 0:
        return False
    data = analysis.dataset
    frame = data.prompts if cluster.scope == "prompt" else data.alternatives
    return all(frame["text"][i] is not None for i in cluster.furthest)


def members_of(analysis: Analysis, cluster: Cluster, number: int) -> list[Block]:
    """Who is in a cluster, with the first row of each member."""
    data = analysis.dataset
    listed = cluster.members[:MAX_MEMBERS].tolist()
    of_prompts = cluster.scope == "prompt"
    frame = data.prompts if of_prompts else data.alternatives
    rows = [()] * len(listed) if of_prompts else data.provenance(listed, 1)

    def cells(k: int) -> tuple[Cell, ...]:
        i, first = listed[k], rows[k]
        model = "" if of_prompts else frame["model"][i] or frame["key"][i] or ""
        return (
            Cell(frame["id"][i]),
            Cell(model),
            Cell(first[0] if first else ""),
            Cell(frame["text"][i] or ""),
        )

    table = Table(
        (
            Column(f"cluster {number}", "id"),
            Column("model", "id", max_width=24),
            Column("first row", "place"),
            Column("text", "line"),
        ),
        len(listed),
        cells,
        name=f"cluster-{number}",
    )
    left = cluster.size - len(listed)
    more: list[Block] = [Prose((f"… and {left:,} more members",), "dim")] if left > 0 else []
    return [table, *more]


def furthest(analysis: Analysis, cluster: Cluster) -> Diff:
    """The two furthest members side by side, changed words marked."""
    data = analysis.dataset
    frame = data.prompts if cluster.scope == "prompt" else data.alternatives
    i, j = cluster.furthest
    left, right = word_diff(frame["text"][i] or "", frame["text"][j] or "")

    def title(k: int) -> str:
        model = None if cluster.scope == "prompt" else frame["model"][k]
        name: str = model or frame["id"][k]
        return name

    return Diff(
        f"the two furthest of the cluster of {cluster.size:,}:",
        (title(i), title(j)),
        tuple(left),
        tuple(right),
    )
