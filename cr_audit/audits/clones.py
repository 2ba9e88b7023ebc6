"""CR101-CR106: clones of responses and prompts, boilerplate, votes, the noise floor."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import NotApplicable
from cr_audit.audits.rules import BY_ID
from cr_audit.clones.find import Cluster
from cr_audit.findings import Finding

MAX_ROWS = 10
VOTES_LEVEL = 0.01
"""Family-wise level of CR105 over all clusters tested (Holm)."""


def audit(analysis: Analysis) -> list[Finding]:
    """One finding per cluster, the largest first; loose clusters are facts, not findings."""
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return []
    named = [(c, rule) for c in clones.clusters if (rule := _rule_of(c)) is not None]
    firsts = [[] if c.scope == "prompt" else c.members[:MAX_ROWS].tolist() for c, _ in named]
    rows = _first_rows(analysis, firsts)
    out = [_finding(analysis, c, rule, r) for (c, rule), r in zip(named, rows, strict=True)]
    return out + _votes(analysis) + _noise_floor(analysis)


def _first_rows(analysis: Analysis, groups: list[list[int]]) -> list[tuple[str, ...]]:
    """For each group of alternatives the first row of each member, as file:line."""
    flat = [i for group in groups for i in group]
    found = iter(analysis.dataset.provenance(flat, 1))
    return [tuple(row for _ in group for row in next(found)) for group in groups]


def _rule_of(cluster: Cluster) -> str | None:
    if cluster.kind == "loose":
        return None
    if cluster.scope == "prompt":
        return "CR104" if cluster.kind == "near" else None
    if cluster.scope == "boilerplate":
        return "CR103"
    return "CR101" if cluster.kind == "near" and cluster.n_texts > 1 else "CR102"


def subject_of(analysis: Analysis, cluster: Cluster) -> str:
    """The cluster's content id."""
    frame = analysis.dataset.prompts if cluster.scope == "prompt" else analysis.dataset.alternatives
    ids = frame["id"]
    return cluster_id([ids[i] for i in cluster.members.tolist()])


def _finding(analysis: Analysis, cluster: Cluster, rule_id: str, rows: tuple[str, ...]) -> Finding:
    rule = BY_ID[rule_id]
    evidence: dict[str, float | int | str | bool | None] = {
        "n_members": cluster.size,
        "n_texts": cluster.n_texts,
        "n_prompts": cluster.n_prompts,
        "diameter": cluster.diameter,
    }
    if cluster.scope != "prompt":
        evidence["item_share"] = cluster.size / analysis.dataset.n_alternatives
        if not isinstance(analysis.weights, NotApplicable):
            evidence["weight_mass"] = float(analysis.weights.weights[cluster.members].sum())
    what = {
        "CR101": f"{cluster.size} near-identical responses to one prompt",
        "CR102": f"{cluster.size} responses to one prompt have the same text",
        "CR103": f"one answer stands {cluster.size} times under {cluster.n_prompts} prompts",
        "CR104": f"{cluster.size} prompts are near-identical",
    }[rule_id]
    return rule.finding(
        message=what,
        subject=subject_of(analysis, cluster),
        rows=rows,
        evidence=evidence,
    )


def _votes(analysis: Analysis) -> list[Finding]:
    """Holm's step-down: p_(1) <= ... <= p_(k); reject while p_(j) <= level / (k - j + 1)."""
    clones = analysis.clones
    tested = [v for v in analysis.votes if not isinstance(v.result, NotApplicable)]
    if isinstance(clones, NotApplicable) or not tested:
        return []
    rule = BY_ID["CR105"]
    p = np.array([v.result.p_value for v in tested if not isinstance(v.result, NotApplicable)])
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(
        1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1, dtype=np.float64))
    )
    out = []
    for position, value in zip(order.tolist(), adjusted.tolist(), strict=True):
        if value > VOTES_LEVEL:
            continue
        vote = tested[position]
        cluster = clones.clusters[vote.cluster]
        out.append(
            rule.finding(
                message=f"{cluster.size} near-identical responses fare differently in the votes",
                subject=subject_of(analysis, cluster),
                rows=_first_rows(analysis, [cluster.members[:MAX_ROWS].tolist()])[0],
                evidence={"p_value": float(p[position]), "p_value_holm": value},
            )
        )
    return out


def _noise_floor(analysis: Analysis) -> list[Finding]:
    floor = analysis.noise_floor
    if isinstance(floor, NotApplicable) or floor.n_decided == 0:
        return []
    rule = BY_ID["CR106"]
    share = floor.n_decided / floor.n_comparisons
    return [
        rule.finding(
            message=f"of {floor.n_comparisons:,} comparisons of identical texts,"
            f" {floor.n_decided:,} prefer one of them",
            subject="dataset",
            evidence={
                "n_comparisons": floor.n_comparisons,
                "n_decided": floor.n_decided,
                "share": share,
            },
        )
    ]
