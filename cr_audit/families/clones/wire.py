"""``neighbours`` and ``clones`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import ClusterVotes
from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import NotApplicable
from cr_audit.clones.find import CloneReport, Cluster
from cr_audit.wire import ABSENT, ClusterId, ContentId, Count, Missing, Share, Texts

MAX_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """How near-copies were searched for. recall_estimate: share of the near pairs of a sample that
    were found."""

    index: str
    recall_estimate: Share | NotApplicable
    n_recall_sample: Count
    n_candidates: Count
    n_edges: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A response (or a prompt) of a cluster, with its first rows as file:line."""

    id: ContentId
    prompt_id: ContentId
    text: str | None
    rows: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneCluster:
    """Two or more clones. scope: "response", "prompt" or "boilerplate"; kind: "exact", "near" or
    "loose". weight_mass and item_share are null for prompts."""

    id: ClusterId
    scope: str
    kind: str
    members: list[Member]
    size: Count
    n_texts: Count
    n_prompts: Count
    medoid: ContentId
    diameter: Share
    weakest_link: Share
    furthest: list[ContentId]
    weight_mass: Share | None
    item_share: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """Whether annotators treated a cluster's members alike, or why that was not tested."""

    cluster: ClusterId
    not_applicable: str | Missing = ABSENT
    statistic: float | Missing | None = ABSENT
    degrees_of_freedom: int | Missing | None = ABSENT
    p_value: Share | Missing = ABSENT
    method: str | Missing = ABSENT
    n_opponents: Count | Missing = ABSENT
    n_comparisons: Count | Missing = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFloor:
    """Comparisons of identical texts, and how many preferred one."""

    n_comparisons: Count
    n_decided: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Clones:
    """Clone clusters at this radius. n_alternatives_in_clusters counts exact and near clusters of
    responses."""

    radius: Share
    loose_radius: Share
    boilerplate_prompts: Count
    metric: str
    n_clusters: Count
    n_alternatives_in_clusters: Count
    clusters: list[CloneCluster]
    votes: list[Votes]
    noise_floor: NoiseFloor | NotApplicable


PARTS = {"neighbours": Neighbours | NotApplicable, "clones": Clones | NotApplicable}
REQUIRED = ("neighbours", "clones")


def parts(analysis: Analysis, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    c = analysis.clones
    if isinstance(c, NotApplicable):
        return {"neighbours": c, "clones": c}
    return {"neighbours": _neighbours(c), "clones": _clones(analysis, c, texts)}


def _neighbours(c: CloneReport) -> Neighbours:
    n = c.neighbours
    return Neighbours(
        index=n.index,
        recall_estimate=n.recall_estimate,
        n_recall_sample=n.n_recall_sample,
        n_candidates=n.n_candidates,
        n_edges=n.n_edges,
    )


def _clones(analysis: Analysis, c: CloneReport, texts: Texts) -> Clones:
    of_responses = [k for k in c.clusters if k.scope != "prompt"]
    in_any = sorted({i for k in of_responses for i in k.members.tolist()})
    rows = dict(zip(in_any, analysis.dataset.provenance(in_any, MAX_ROWS), strict=True))
    clusters = [_cluster(analysis, k, rows, texts) for k in c.clusters]
    inside = {
        i
        for k in of_responses
        if k.scope == "response" and k.kind != "loose"
        for i in k.members.tolist()
    }
    floor = analysis.noise_floor
    return Clones(
        radius=c.radius,
        loose_radius=c.loose_radius,
        boilerplate_prompts=c.boilerplate_prompts,
        metric=c.metric,
        n_clusters=len(clusters),
        n_alternatives_in_clusters=len(inside),
        clusters=clusters,
        votes=[_votes(v, clusters) for v in analysis.votes],
        noise_floor=floor
        if isinstance(floor, NotApplicable)
        else NoiseFloor(n_comparisons=floor.n_comparisons, n_decided=floor.n_decided),
    )


def _cluster(
    analysis: Analysis, cluster: Cluster, rows: dict[int, tuple[str, ...]], texts: Texts
) -> CloneCluster:
    numbers = cluster.members.tolist()
    mass = share = None
    if cluster.scope == "prompt":
        members = [
            Member(
                id=texts.prompt_ids[i],
                prompt_id=texts.prompt_ids[i],
                text=texts.cut(texts.prompt_texts[i]),
                rows=[],
            )
            for i in numbers
        ]
    else:
        members = [
            Member(
                id=texts.ids[i],
                prompt_id=texts.prompt_ids[texts.prompt_of[i]],
                text=texts.cut(texts.texts[i]),
                rows=list(rows[i]),
            )
            for i in numbers
        ]
        share = len(numbers) / analysis.dataset.n_alternatives
        if not isinstance(analysis.weights, NotApplicable):
            mass = float(analysis.weights.weights[numbers].sum())
    return CloneCluster(
        id=cluster_id([m.id for m in members]),
        scope=cluster.scope,
        kind=cluster.kind,
        members=members,
        size=len(numbers),
        n_texts=cluster.n_texts,
        n_prompts=cluster.n_prompts,
        medoid=members[numbers.index(cluster.medoid)].id,
        diameter=cluster.diameter,
        weakest_link=cluster.weakest_link,
        furthest=[members[numbers.index(i)].id for i in cluster.furthest],
        weight_mass=mass,
        item_share=share,
    )


def _votes(votes: ClusterVotes, clusters: list[CloneCluster]) -> Votes:
    named, r = clusters[votes.cluster].id, votes.result
    if isinstance(r, NotApplicable):
        return Votes(cluster=named, not_applicable=r.reason)
    return Votes(
        cluster=named,
        statistic=r.statistic,
        degrees_of_freedom=r.degrees_of_freedom,
        p_value=r.p_value,
        method=r.method,
        n_opponents=r.n_opponents,
        n_comparisons=r.n_comparisons,
    )
