"""The ``neighbours`` and ``clones`` of the JSON contract."""

from __future__ import annotations

from typing import Any

from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import NotApplicable
from cr_audit.report.json_values import Texts

MAX_ROWS = 20


def neighbours_part(analysis: Analysis) -> Any:
    """How near-copies were searched for."""
    c = analysis.clones
    if isinstance(c, NotApplicable):
        return c
    n = c.neighbours
    return {
        "index": n.index,
        "recall_estimate": n.recall_estimate,
        "n_recall_sample": n.n_recall_sample,
        "n_candidates": n.n_candidates,
        "n_edges": n.n_edges,
    }


def clones_part(analysis: Analysis, texts: Texts) -> Any:
    """Every cluster with its members and what its votes say."""
    c = analysis.clones
    if isinstance(c, NotApplicable):
        return c
    in_any = sorted({i for c_ in c.clusters if c_.scope != "prompt" for i in c_.members.tolist()})
    rows = dict(zip(in_any, analysis.dataset.provenance(in_any, MAX_ROWS), strict=True))
    known = None if isinstance(analysis.weights, NotApplicable) else analysis.weights.weights
    clusters = []
    in_clusters: set[int] = set()
    for cluster in c.clusters:
        members = cluster.members.tolist()
        if cluster.scope == "prompt":
            listed = [
                {
                    "id": texts.prompt_ids[i],
                    "prompt_id": texts.prompt_ids[i],
                    "text": texts.cut(texts.prompt_texts[i]),
                    "rows": [],
                }
                for i in members
            ]
            mass = share = None
        else:
            listed = [
                {
                    "id": texts.ids[i],
                    "prompt_id": texts.prompt_ids[texts.prompt_of[i]],
                    "text": texts.cut(texts.texts[i]),
                    "rows": rows[i],
                }
                for i in members
            ]
            mass = None if known is None else float(known[members].sum())
            share = len(members) / analysis.dataset.n_alternatives
            if cluster.scope == "response" and cluster.kind != "loose":
                in_clusters.update(members)
        clusters.append(
            {
                "id": cluster_id([m["id"] for m in listed]),
                "scope": cluster.scope,
                "kind": cluster.kind,
                "members": listed,
                "size": len(members),
                "n_texts": cluster.n_texts,
                "n_prompts": cluster.n_prompts,
                "medoid": listed[members.index(cluster.medoid)]["id"],
                "diameter": cluster.diameter,
                "weakest_link": cluster.weakest_link,
                "furthest": [listed[members.index(i)]["id"] for i in cluster.furthest],
                "weight_mass": mass,
                "item_share": share,
            }
        )
    return {
        "radius": c.radius,
        "loose_radius": c.loose_radius,
        "boilerplate_prompts": c.boilerplate_prompts,
        "metric": c.metric,
        "n_clusters": len(clusters),
        "n_alternatives_in_clusters": len(in_clusters),
        "clusters": clusters,
        "votes": [_votes(analysis, v.cluster, v.result, clusters) for v in analysis.votes],
        "noise_floor": analysis.noise_floor
        if isinstance(analysis.noise_floor, NotApplicable)
        else {
            "n_comparisons": analysis.noise_floor.n_comparisons,
            "n_decided": analysis.noise_floor.n_decided,
        },
    }


def _votes(analysis: Analysis, index: int, result: Any, clusters: list[dict[str, Any]]) -> Any:
    out: dict[str, Any] = {"cluster": clusters[index]["id"]}
    if isinstance(result, NotApplicable):
        return out | {"not_applicable": result.reason}
    return out | {
        "statistic": result.statistic,
        "degrees_of_freedom": result.degrees_of_freedom,
        "p_value": result.p_value,
        "method": result.method,
        "n_opponents": result.n_opponents,
        "n_comparisons": result.n_comparisons,
    }
