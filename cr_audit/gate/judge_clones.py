"""Judges of the copies in a batch: clusters that grow, and how often copies come. CR604-CR607."""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding
from cr_audit.gate.boundaries import beyond_chance, exceeds, reaches
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.finding import Evidence, cluster_subject, finding, new_rows, subject_of
from cr_audit.gate.growth import CloneRate, ClusterGain
from cr_audit.gate.policy import Policy

N_RATES = 2


def clusters(effect: BatchEffect, policy: Policy) -> list[Finding]:
    growth = effect.growth
    if isinstance(growth, NotApplicable):
        return []
    out = []
    limits = policy.thresholds
    for gain in growth.gains:
        n, n_old = gain.new.size, gain.n_old
        rule = "CR604" if n_old else "CR605"
        copies = f"{n:,} new near-cop{'y' if n == 1 else 'ies'}"
        if gain.scope == "boilerplate":
            what = f"{copies} of one answer, now under {gain.n_prompts:,} prompts"
        elif n_old:
            what = f"{copies} of {n_old:,} old response{'s' if n_old > 1 else ''} to one prompt"
        else:
            what = f"{n:,} new responses to one prompt are near-identical"
        evidence = _cluster_evidence(gain)
        subject, rows = cluster_subject(effect, gain), new_rows(effect, gain.new)
        out.append(finding(policy, rule, what, subject, evidence, rows))
        # Against the batch, not the sum: else the same batch passes once the baseline is large.
        grows = gain.batch_share - gain.scope_share_before
        if (
            reaches(n, limits.new_copies)
            and not gain.scope_is_new
            and (n_old > 0 or gain.scope == "boilerplate" or n > limits.new_copies)
            and exceeds(grows, limits.cluster_gain)
            and beyond_chance(gain.chance, policy.confidence_level, growth.n_tests)
        ):
            where = "" if gain.scope == "boilerplate" else " to the prompt"
            message = (
                f"{copies}: one cluster is {gain.batch_share:.0%} of the batch's new"
                f" responses{where} (in the baseline {gain.scope_share_before:.0%})"
            )
            out.append(finding(policy, "CR607", message, subject, evidence, rows))
    return out


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
    same = gains[0].scope == "boilerplate"
    what = "repeat an answer given under many prompts" if same else "have a near-copy"
    return finding(
        policy,
        "CR606",
        f"{r.n_copied_new:,} of {r.n_new:,} new responses {what}"
        f" ({r.n_copied_new / r.n_new:.0%}; in the baseline {r.n_copied_old / r.n_old:.0%})",
        subject_of("copies", (ids[i] for i in copied.tolist())),
        {
            "n_copied_new": r.n_copied_new,
            "n_new": r.n_new,
            "n_copied_old": r.n_copied_old,
            "n_old": r.n_old,
            "dispersion": r.dispersion,
            "p_value": r.p_value,
            "cluster": cluster_subject(effect, gains[0]),
        },
        new_rows(effect, gains[0].new),
    )
