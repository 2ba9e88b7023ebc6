"""Judges of what a batch does to the ranking and to its graph: CR608-CR613."""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.data.identity import digest
from cr_audit.findings import Finding
from cr_audit.gate.boundaries import exceeds
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.finding import Evidence, cluster_subject, finding, new_rows, subject_of
from cr_audit.gate.growth import new_copies
from cr_audit.gate.naming import item, response
from cr_audit.gate.policy import Policy
from cr_audit.gate.ranking_change import LeaderChange
from cr_audit.wording import plural, verb

MAX_NAMED = 5


def leaders(effect: BatchEffect, policy: Policy) -> list[Finding]:
    ranking = effect.ranking
    if isinstance(ranking, NotApplicable):
        return []
    return [_leader(effect, policy, c) for c in ranking.leaders if c.beyond_noise]


def _leader(effect: BatchEffect, policy: Policy, change: LeaderChange) -> Finding:
    ids = effect.unit.items.ids
    evidence: Evidence = {
        "leader_before": ids[change.old],
        "leader_after": ids[change.new],
        "change": change.change,
        "error": change.error,
        "weighted_turns": change.weighted_turns,
        "turns_without_copies": not change.without_copies,
    }
    rule = "CR608" if change.clones_explain else "CR609"
    because, rows = _why_leader_moves(effect, change)
    if change.cause >= 0 and not isinstance(effect.growth, NotApplicable):
        gain = effect.growth.gains[change.cause]
        evidence["cluster"] = cluster_subject(effect, gain)
    return finding(
        policy,
        rule,
        f"{'clones move the leader' if change.clones_explain else 'the leader moves'}:"
        f" {item(effect, change.new)} leads instead of {item(effect, change.old)}{because}"
        f" (win-rate gap moves by {change.change:.3f} ± {change.error:.3f})",
        f"leaders:{digest('gate', ids[change.old], ids[change.new])}",
        evidence,
        rows,
    )


def _why_leader_moves(effect: BatchEffect, change: LeaderChange) -> tuple[str, tuple[str, ...]]:
    """The part of the sentence that names the copies, and their rows."""
    reasons = []
    rows: tuple[str, ...] = ()
    if change.without_copies:
        copies = plural(change.n_copies, "new copy", "new copies")
        reasons.append(f", but not without the {copies}")
        rows = new_rows(effect, new_copies(effect.growth))
    elif change.clones_explain:
        reasons.append(", but not by clone-robust weights")
    if change.cause >= 0 and not isinstance(effect.growth, NotApplicable):
        gain = effect.growth.gains[change.cause]
        first = int(gain.new[0])
        n = plural(gain.new.size, "copy", "copies")
        reasons.append(f"; at least half of the change is {n} of {response(effect, first)}")
        rows = new_rows(effect, gain.new)
    return "".join(reasons), rows


def ranks(effect: BatchEffect, policy: Policy) -> list[Finding]:
    ranking = effect.ranking
    if isinstance(ranking, NotApplicable):
        return []
    flips = ranking.effect.average.flips
    lead = {(c.old, c.new) for c in ranking.leaders}
    pairs = list(zip(flips.ahead.tolist(), flips.behind.tolist(), strict=True))
    below = np.array([p not in lead for p in pairs], dtype=np.bool_)
    out = []
    for rule, mask, why in (
        ("CR610", ranking.clone_pairs & below, "; by clone-robust weights they keep it"),
        ("CR611", flips.beyond_noise & ~ranking.clone_pairs & below, ""),
    ):
        at = np.flatnonzero(mask)
        if at.size:
            out.append(_turned(effect, policy, rule, at, why))
    return out


def _turned(effect: BatchEffect, policy: Policy, rule: str, at: IntArray, why: str) -> Finding:
    ranking = effect.ranking
    assert not isinstance(ranking, NotApplicable)
    flips, unit = ranking.effect.average.flips, effect.unit
    first = at[np.argsort(-flips.change[at], kind="stable")][:MAX_NAMED]
    evidence: Evidence = {"n_pairs": int(at.size)}
    for number, k in enumerate(first.tolist(), 1):
        ahead, behind = int(flips.ahead[k]), int(flips.behind[k])
        evidence[f"pair_{number}"] = f"{unit.items.ids[behind]} passes {unit.items.ids[ahead]}"
        evidence[f"change_{number}"] = float(flips.change[k])
        evidence[f"error_{number}"] = float(flips.error[k])
    items = np.unique(np.concatenate([flips.ahead[at], flips.behind[at]]))
    ahead, behind = int(flips.ahead[first[0]]), int(flips.behind[first[0]])
    change = verb(at.size, "changes", "change")
    return finding(
        policy,
        rule,
        f"{plural(at.size, 'pair')} of {unit.unit}s {change} order by average win rate, most of all"
        f" {item(effect, behind)} passing {item(effect, ahead)}{why}",
        subject_of("items", (unit.items.ids[i] for i in items.tolist())),
        evidence,
    )


def rates(effect: BatchEffect, policy: Policy) -> list[Finding]:
    ranking = effect.ranking
    if isinstance(ranking, NotApplicable):
        return []
    rates, unit = ranking.effect.average, effect.unit
    size = np.abs(np.nan_to_num(rates.change))
    at = np.flatnonzero(rates.beyond_noise)
    at = np.array(
        [i for i in at.tolist() if exceeds(float(size[i]), policy.thresholds.win_rate_change)],
        dtype=np.int64,
    )
    if at.size == 0:
        return []
    top = int(at[np.argmax(size[at])])
    whose = f"the win rate of {item(effect, top)} moves beyond noise"
    if at.size > 1:
        many = plural(at.size, unit.unit)
        whose = f"the win rates of {many} move beyond noise, most that of {item(effect, top)}"
    return [
        finding(
            policy,
            "CR612",
            f"{whose}: {rates.before[top]:.3f} to {rates.after[top]:.3f}"
            f" (± {rates.error[top]:.3f})",
            subject_of("items", (unit.items.ids[i] for i in at.tolist())),
            {
                "n_items": int(at.size),
                "largest": unit.items.ids[top],
                "change": float(rates.change[top]),
                "error": float(rates.error[top]),
            },
        )
    ]


def graph(effect: BatchEffect, policy: Policy) -> list[Finding]:
    before, after = effect.before.units[0].graph, effect.unit.graph
    if before.n_components != 1:
        return []
    parts = []
    if after.n_components > 1:
        parts.append(f"{after.n_components:,} separate components where there was one")
    if before.unpenalised_fit_exists and not after.unpenalised_fit_exists:
        parts.append("a fit without a penalty no longer exists")
    if not parts:
        return []
    return [
        finding(
            policy,
            "CR613",
            f"comparisons by {effect.unit.unit}: " + "; ".join(parts),
            f"unit:{effect.unit.unit}",
            {
                "n_components_before": before.n_components,
                "n_components_after": after.n_components,
                "fit_before": before.unpenalised_fit_exists,
                "fit_after": after.unpenalised_fit_exists,
            },
        )
    ]
