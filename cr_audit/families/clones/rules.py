"""CR101-CR106: clones of responses and prompts, boilerplate, votes, the noise floor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import NotApplicable
from cr_audit.clones.find import Cluster
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.heads import short
from cr_audit.wording import plural

MAX_ROWS = 10
LOOKED_AT, SHOWN = 400, 48
"""Characters of a text whose white space is joined, and of those that a message quotes."""
VOTES_LEVEL = 0.01
"""Family-wise level of CR105 over all clusters tested (Holm)."""
_CR = "Clone-Robust AI Alignment, arXiv 2501.09254"


def _of(analysis: Analysis, scope: str, *, exact: bool) -> list[Cluster]:
    """Clusters of one scope, the largest first; loose ones are facts, not findings.

    exact : those whose members all have one text.
    """
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return []
    return [
        c
        for c in clones.clusters
        if c.scope == scope
        and c.kind != "loose"
        and (scope == "boilerplate" or (c.kind == "near" and c.n_texts > 1) != exact)
    ]


def _found(
    analysis: Analysis, number: int, clusters: list[Cluster], message: str
) -> Iterator[Finding]:
    """One finding of the rule CR10``number`` per cluster."""
    rule = RULES[number - 1]
    of_prompts = [c.scope == "prompt" for c in clusters]
    firsts = [
        [] if prompt else c.members[:MAX_ROWS].tolist()
        for c, prompt in zip(clusters, of_prompts, strict=True)
    ]
    for cluster, rows in zip(clusters, _first_rows(analysis, firsts), strict=True):
        empty, quoted = _text_of(analysis, cluster)
        yield rule.finding(
            message=message.format(size=cluster.size, prompts=cluster.n_prompts) + empty,
            quoted=quoted,
            subject=subject_of(analysis, cluster),
            rows=rows,
            evidence=_evidence(analysis, cluster),
        )


def _text_of(analysis: Analysis, cluster: Cluster) -> tuple[str, str]:
    """Which text it is: that it is empty, or the beginning of the first member's."""
    data = analysis.dataset
    texts = (data.prompts if cluster.scope == "prompt" else data.alternatives)["text"]
    text = texts[int(cluster.members[0])]
    shown = short(" ".join((text or "")[:LOOKED_AT].split()), SHOWN)
    if shown:
        return "", f": “{shown}”"
    return "" if text is None else ", which is empty", ""


def _near(analysis: Analysis) -> Iterator[Finding]:
    found = _of(analysis, "response", exact=False)
    return _found(analysis, 1, found, "{size} near-identical responses to one prompt")


def _exact(analysis: Analysis) -> Iterator[Finding]:
    found = _of(analysis, "response", exact=True)
    return _found(analysis, 2, found, "{size} responses to one prompt have the same text")


def _boilerplate(analysis: Analysis) -> Iterator[Finding]:
    found = _of(analysis, "boilerplate", exact=False)
    return _found(analysis, 3, found, "one answer stands {size} times under {prompts} prompts")


def _prompts(analysis: Analysis) -> Iterator[Finding]:
    clones = analysis.clones
    found = (
        []
        if isinstance(clones, NotApplicable)
        else [c for c in clones.clusters if c.scope == "prompt" and c.kind == "near"]
    )
    return _found(analysis, 4, found, "{size} prompts are near-identical")


def _first_rows(analysis: Analysis, groups: list[list[int]]) -> list[tuple[str, ...]]:
    """For each group of alternatives the first row of each member, as file:line."""
    flat = [i for group in groups for i in group]
    found = iter(analysis.dataset.provenance(flat, 1))
    return [tuple(row for _ in group for row in next(found)) for group in groups]


def subject_of(analysis: Analysis, cluster: Cluster) -> str:
    """The cluster's content id."""
    frame = analysis.dataset.prompts if cluster.scope == "prompt" else analysis.dataset.alternatives
    ids = frame["id"]
    return cluster_id([ids[i] for i in cluster.members.tolist()])


def _evidence(analysis: Analysis, cluster: Cluster) -> dict[str, float | int | str | bool | None]:
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
    return evidence


def _votes(analysis: Analysis) -> Iterator[Finding]:
    """Holm's step-down: p_(1) <= ... <= p_(k); reject while p_(j) <= level / (k - j + 1)."""
    clones = analysis.clones
    tested = [v for v in analysis.votes if not isinstance(v.result, NotApplicable)]
    if isinstance(clones, NotApplicable) or not tested:
        return
    p = np.array([v.result.p_value for v in tested if not isinstance(v.result, NotApplicable)])
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(
        1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1, dtype=np.float64))
    )
    for position, value in zip(order.tolist(), adjusted.tolist(), strict=True):
        if value > VOTES_LEVEL:
            continue
        cluster = clones.clusters[tested[position].cluster]
        empty, quoted = _text_of(analysis, cluster)
        yield RULES[4].finding(
            message=f"{cluster.size} near-identical responses fare differently in the votes{empty}",
            quoted=quoted,
            subject=subject_of(analysis, cluster),
            rows=_first_rows(analysis, [cluster.members[:MAX_ROWS].tolist()])[0],
            evidence={"p_value": float(p[position]), "p_value_holm": value},
        )


def _noise_floor(analysis: Analysis) -> Iterator[Finding]:
    floor = analysis.noise_floor
    if isinstance(floor, NotApplicable) or floor.n_decided == 0:
        return
    yield RULES[5].finding(
        message=f"of {plural(floor.n_comparisons, 'comparison')} of identical texts,"
        f" {floor.n_decided:,} prefer one of them",
        subject="dataset",
        evidence={
            "n_comparisons": floor.n_comparisons,
            "n_decided": floor.n_decided,
            "share": floor.n_decided / floor.n_comparisons,
        },
    )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR101",
        name="near-clones",
        severity=Severity.WARNING,
        summary="Near-identical responses to one prompt stand as separate alternatives.",
        means=(
            "Each copy meets the same opponents with the same result, so whoever those opponents"
            " lose to or win against is counted once per copy. A reward model fitted on this data"
            " moves towards whoever benefits."
        ),
        computed=(
            "Responses to one prompt (or to prompts that are clones of each other) whose text"
            " distance is within the radius, in clusters bounded in diameter. The share of items is"
            " compared with the share of weight the cluster keeps under clone-robust weights."
        ),
        advice=(
            "Look at the word diff of the two furthest members. If they are one answer, keep one"
            " copy (cr-audit export --as clean), or train with weights (cr-audit export)."
        ),
        source=f"{_CR} (approximate clones)",
        judge=_near,
    ),
    Rule(
        id="CR102",
        name="exact-clones",
        severity=Severity.WARNING,
        summary="The same text stands under two names or two identifiers.",
        means=(
            "Two systems (or two identifiers) gave the same text to one prompt. Every preference"
            " between them is noise, and every preference against them counts twice."
        ),
        computed="Equal text after Unicode NFC and trimming of outer white space, nothing else.",
        advice="Merge them, or let the weights split one share between them (the default).",
        source=f"{_CR} (approximate clones, at distance 0)",
        judge=_exact,
    ),
    Rule(
        id="CR103",
        name="boilerplate",
        severity=Severity.WARNING,
        summary="One answer stands under many different prompts.",
        means=(
            "A refusal, a disclaimer or an error message is repeated across prompts. It is not a"
            " clone in the paper's sense (the prompts differ), but a reward model learns it as one"
            " thing from many rows."
        ),
        computed="Near-identical response texts under three or more prompts that are not clones.",
        advice="Decide whether this answer should carry that much of the training signal.",
        source="docs/methods.md, section 4",
        judge=_boilerplate,
    ),
    Rule(
        id="CR104",
        name="prompt-clones",
        severity=Severity.NOTE,
        summary="Near-identical prompts stand as separate prompts.",
        means=(
            "Their responses are alternatives to one question; comparisons are split over several"
            " prompts, and a held-out split by prompt leaks."
        ),
        computed="Prompt texts within the radius of each other, in clusters bounded in diameter.",
        advice="Merge the prompts before splitting into training and held-out data.",
        judge=_prompts,
    ),
    Rule(
        id="CR105",
        name="alike-in-text-not-in-votes",
        severity=Severity.WARNING,
        summary="Members of one clone cluster fare differently against the same opponents.",
        means=(
            "A clone is near in text and alike to annotators. Here the second half fails: either"
            " the small difference matters (a wrong number, a negation), or the labels are noisy."
        ),
        computed=(
            "Test of equal win rates against common opponents, summed over opponents, with a"
            " permutation p-value where counts are small; p-values corrected over clusters (Holm)."
        ),
        advice=(
            "Read the diff (cr-audit clones): if the difference is decisive, these are no copies,"
            " and --weights uniform leaves them two; if not, the labels are noisy."
        ),
        source=f"{_CR} (approximate clones: near, and alike to annotators)",
        judge=_votes,
    ),
    Rule(
        id="CR106",
        name="noise-floor",
        severity=Severity.NOTE,
        summary="Annotators preferred one of two identical texts.",
        means="The share of such decisions bounds from below how noisy every label is.",
        computed="Comparisons between two alternatives with the same text that were not ties.",
        advice="Treat differences in win rate of this size with suspicion.",
        judge=_noise_floor,
    ),
)
