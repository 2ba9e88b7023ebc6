"""Judges of the copies in a batch: clusters that grow, and how often copies come. CR604-CR607."""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding
from cr_audit.gate.boundaries import beyond_chance, exceeds, reaches
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.finding import Evidence, cluster_subject, finding, new_rows, subject_of
from cr_audit.gate.growth import CloneRate, ClusterGain
from cr_audit.gate.naming import response, to_prompt
from cr_audit.gate.policy import Policy
from cr_audit.wording import percent, plural, verb

N_RATES = 2


def clusters(effect: BatchEffect, policy: Policy) -> list[Finding]:
    growth = effect.growth
    if isinstance(growth, NotApplicable):
        return []
    out = []
    for gain in growth.gains:
        evidence, subject = _cluster_evidence(gain), cluster_subject(effect, gain)
        rows = new_rows(effect, gain.new)
        rule = "CR604" if gain.n_old else "CR605"
        out.append(finding(policy, rule, _new_copies(effect, gain), subject, evidence, rows))
        if _outgrows(gain, policy, growth.n_tests):
            message = _larger_share(effect, gain)
            out.append(finding(policy, "CR607", message, subject, evidence, rows))
    return out


def _outgrows(gain: ClusterGain, policy: Policy, n_tests: int) -> bool:
    """Against the batch, not the sum: else the same batch passes once the baseline is large."""
    n, limits = gain.new.size, policy.thresholds
    return (
        reaches(n, limits.new_copies)
        and not gain.scope_is_new
        and (gain.n_old > 0 or gain.scope == "boilerplate" or n > limits.new_copies)
        and exceeds(gain.batch_share - gain.scope_share_before, limits.cluster_gain)
        and beyond_chance(gain.chance, policy.confidence_level, n_tests)
    )


def _new_copies(effect: BatchEffect, gain: ClusterGain) -> str:
    first = int(gain.new[0])
    copies = plural(gain.new.size, "new near-copy", "new near-copies")
    if gain.scope == "boilerplate":
        what = f"{copies} of one answer, now under {plural(gain.n_prompts, 'prompt')}"
    elif gain.n_old:
        old = "a" if gain.n_old == 1 else f"{gain.n_old:,}"
        noun = "baseline response" + verb(gain.n_old, "", "s")
        what = f"{copies} of {old} {noun}{to_prompt(effect, first)}"
    else:
        what = f"{gain.new.size:,} new responses{to_prompt(effect, first)} are near-identical"
    return f"{what}: {response(effect, first)}"


def _larger_share(effect: BatchEffect, gain: ClusterGain) -> str:
    first = int(gain.new[0])
    of = f"{gain.new.size:,} of the batch's {plural(gain.n_scope_new, 'new response')}"
    shares = f"{percent(gain.batch_share)}; in the baseline {percent(gain.scope_share_before)}"
    if gain.scope == "boilerplate":
        what = f"{of} repeat one answer, now under {plural(gain.n_prompts, 'prompt')}"
    else:
        what = f"{of}{to_prompt(effect, first)} are copies of one answer"
    return f"{what} ({shares}): {response(effect, first)}"


def _cluster_evidence(gain: ClusterGain) -> Evidence:
    out: Evidence = {
        "n_new": int(gain.new.size),
        "n_old": gain.n_old,
        "n_texts": gain.n_texts,
        "diameter": gain.diameter,
        "n_rows_new": gain.n_rows_new,
        "item_share_before": gain.item_share_before,
        "item_share_after": gain.item_share_after,
        "scope_share_before": gain.scope_share_before,
        "scope_share_after": gain.scope_share_after,
        "batch_share": gain.batch_share,
        "chance": gain.chance,
    }
    if np.isfinite(gain.weight_after):
        out["weight_before"] = gain.weight_before
        out["weight_after"] = gain.weight_after
        out["weight_error"] = gain.weight_error
    return out


def clone_rate(effect: BatchEffect, policy: Policy) -> list[Finding]:
    """Two rates, so two tests: copies under one prompt, and one answer under many prompts."""
    growth = effect.growth
    if isinstance(growth, NotApplicable):
        return []
    out = []
    for scope, r in (("response", growth.rate), ("boilerplate", growth.spread)):
        if (
            not isinstance(r, NotApplicable)
            and reaches(r.n_copied_new, policy.thresholds.new_copies)
            and beyond_chance(r.p_value, policy.confidence_level, N_RATES)
        ):
            gains = [g for g in growth.gains if g.scope == scope]
            out.append(_rate_rises(effect, policy, r, gains))
    return out


def _rate_rises(
    effect: BatchEffect, policy: Policy, r: CloneRate, gains: list[ClusterGain]
) -> Finding:
    """Names the cluster with the most new members, and its rows."""
    ids = effect.after.dataset.alternatives["id"]
    copied = np.unique(np.concatenate([g.new for g in gains]))
    n, old = r.n_copied_new, percent(r.n_copied_old / r.n_old)
    what = verb(n, "has a near-copy", "have a near-copy")
    if gains[0].scope == "boilerplate":
        what = f"{verb(n, 'repeats', 'repeat')} an answer given under many prompts"
    return finding(
        policy,
        "CR606",
        f"{n:,} of the batch's {plural(r.n_new, 'new response')} {what}"
        f" ({percent(n / r.n_new)}; in the baseline {old}); most copied:"
        f" {response(effect, int(gains[0].new[0]))}",
        subject_of("copies", (ids[i] for i in copied.tolist())),
        {
            "n_copied_new": r.n_copied_new,
            "n_new": r.n_new,
            "n_copied_old": r.n_copied_old,
            "n_old": r.n_old,
            "expected": r.expected,
            "p_value": r.p_value,
            "cluster": cluster_subject(effect, gains[0]),
        },
        new_rows(effect, gains[0].new),
    )
