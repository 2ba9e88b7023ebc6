"""Facts about a batch in, findings out: CR601-CR615. Severities are the policy's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy.stats import norm

from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.audits.gate_rules import GATE_RULES
from cr_audit.data.identity import digest
from cr_audit.findings import Finding
from cr_audit.gate.boundaries import beyond_chance, exceeds, reaches
from cr_audit.gate.compare import BatchEffect, LeaderChange, new_copies
from cr_audit.gate.growth import CloneRate, ClusterGain
from cr_audit.gate.policy import Policy
from cr_audit.readers.build import LEGITIMATE

MAX_ROWS = 5
MAX_NAMED = 5
N_RATES = 2
_RULES = {rule.id: rule for rule in GATE_RULES}
Evidence = dict[str, float | int | str | bool | None]


def judge(effect: BatchEffect, policy: Policy) -> tuple[Finding, ...]:
    """All findings about the batch, the most severe first, then by rule, then by subject.

    Rules that the policy switches off are left out. Subjects are content identifiers, so that
    fingerprints do not depend on the order of rows or on line numbers.
    """
    parts: tuple[Callable[[BatchEffect, Policy], list[Finding]], ...] = (
        _unreadable,
        _agreement,
        _clusters,
        _clone_rate,
        _leaders,
        _ranks,
        _rates,
        _graph,
        _dominance,
    )
    found = [f for part in parts for f in part(effect, policy)]
    return ordered(f for f in found if policy.severities[f.rule] is not None)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most severe first, then by rule; within a rule as given (the largest first)."""
    worst = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(findings, key=lambda f: (worst[f.severity], f.rule)))


def finding(
    policy: Policy,
    rule_id: str,
    message: str,
    subject: str,
    evidence: Evidence,
    rows: tuple[str, ...] = (),
) -> Finding:
    """One finding of a gate rule with the policy's severity."""
    rule = _RULES[rule_id]
    severity = policy.severities[rule_id] or rule.severity
    return Finding(rule.id, severity, message, subject, rows, evidence, rule.advice)


def _subject(kind: str, ids: Iterable[str]) -> str:
    return f"{kind}:{digest('gate', *sorted(set(ids)))}"


def _batch_rows(effect: BatchEffect, positions: IntArray) -> tuple[str, ...]:
    """The first of these comparisons as file:line, in file order."""
    frame = effect.after.dataset.comparisons
    files = [f.path for f in effect.after.dataset.report.files]
    file_of, line_of = frame["file"].to_numpy()[positions], frame["line"].to_numpy()[positions]
    order = np.lexsort((line_of, file_of))[:MAX_ROWS]
    return tuple(f"{files[file_of[k]]}:{line_of[k]}" for k in order.tolist())


def _new_rows(effect: BatchEffect, members: IntArray) -> tuple[str, ...]:
    """The first row of each of these alternatives of the batch."""
    found = effect.after.dataset.provenance(members[:MAX_ROWS].tolist(), 1)
    return tuple(row for rows in found for row in rows)


def _unreadable(effect: BatchEffect, policy: Policy) -> list[Finding]:
    """Rows without a label are data, not damage (``readers.build.LEGITIMATE``)."""
    report = effect.batch
    lost = {k: n for k, n in report.skipped_by_reason.items() if k not in LEGITIMATE}
    if not exceeds(sum(lost.values()) / report.rows_read, policy.thresholds.unreadable_share):
        return []
    out = []
    for reason, n in sorted(lost.items()):
        rows = [f"{e.file}:{e.line}" for e in report.examples if e.reason == reason][:MAX_ROWS]
        words = reason.replace("_", " ")
        of = f"of the batch's {report.rows_read:,} rows"
        out.append(
            finding(
                policy,
                "CR601",
                f"{n:,} {of} could not be used: {words}",
                f"rows:{reason}",
                {"n_rows": n, "share": n / report.rows_read},
                tuple(rows),
            )
        )
    return out


def _agreement(effect: BatchEffect, policy: Policy) -> list[Finding]:
    out = []
    ids = effect.after.dataset.alternatives["id"].to_list()
    frame = effect.after.dataset.comparisons
    winner, loser = frame["winner"].to_numpy(), frame["loser"].to_numpy()

    def involved(rows: IntArray) -> list[str]:
        return [ids[i] for i in np.unique(np.concatenate([winner[rows], loser[rows]])).tolist()]

    c = effect.contradictions
    if (
        not isinstance(c, NotApplicable)
        and beyond_chance(c.p_value, policy.confidence_level)
        and exceeds(c.share - c.expected, policy.thresholds.contradiction_excess)
    ):
        out.append(
            finding(
                policy,
                "CR602",
                f"{c.n_against:,} of {c.n:,} judgements of known pairs go against the baseline"
                f" ({c.share:.0%}, expected {c.expected:.0%})",
                _subject("pairs", involved(c.rows)),
                {
                    "n_against": c.n_against,
                    "n_judged": c.n,
                    "share": c.share,
                    "expected": c.expected,
                    "n_expected": c.n_expected,
                    "p_value": c.p_value,
                },
                _batch_rows(effect, c.rows),
            )
        )
    r = effect.repeats
    if not isinstance(r, NotApplicable) and exceeds(
        r.n_repeated / r.n, policy.thresholds.repeated_share
    ):
        out.append(
            finding(
                policy,
                "CR603",
                f"{r.n_repeated:,} of {r.n:,} judgements stand in the baseline already",
                _subject("pairs", involved(r.rows)),
                {"n_repeated": r.n_repeated, "n_rows": r.n, "share": r.n_repeated / r.n},
                _batch_rows(effect, r.rows),
            )
        )
    return out


def cluster_subject(effect: BatchEffect, gain: ClusterGain) -> str:
    """The cluster's content identifier."""
    ids = effect.after.dataset.alternatives["id"]
    return cluster_id([ids[i] for i in gain.members.tolist()])


def _clusters(effect: BatchEffect, policy: Policy) -> list[Finding]:
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
        subject, rows = cluster_subject(effect, gain), _new_rows(effect, gain.new)
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


def _clone_rate(effect: BatchEffect, policy: Policy) -> list[Finding]:
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
        _subject("copies", (ids[i] for i in copied.tolist())),
        {
            "n_copied_new": r.n_copied_new,
            "n_new": r.n_new,
            "n_copied_old": r.n_copied_old,
            "n_old": r.n_old,
            "dispersion": r.dispersion,
            "p_value": r.p_value,
            "cluster": cluster_subject(effect, gains[0]),
        },
        _new_rows(effect, gains[0].new),
    )


def _name(effect: BatchEffect, item: int) -> str:
    name = effect.unit.items.names[item]
    return name if len(name) <= 40 else name[:39] + "…"


def _leaders(effect: BatchEffect, policy: Policy) -> list[Finding]:
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
    because = ""
    rows: tuple[str, ...] = ()
    if change.cause >= 0 and not isinstance(effect.growth, NotApplicable):
        gain = effect.growth.gains[change.cause]
        evidence["cluster"] = cluster_subject(effect, gain)
        because = f"; {gain.new.size:,} new copies in one cluster do it"
        rows = _new_rows(effect, gain.new)
    elif change.without_copies:
        because = f"; not so without the {change.n_copies:,} new copies"
        rows = _new_rows(effect, new_copies(effect.growth))
    turn = (
        f"{_name(effect, change.new)} leads instead of {_name(effect, change.old)}"
        f" (gap moves by {change.change:.3f} ± {change.error:.3f})"
    )
    rule = "CR608" if change.clones_explain else "CR609"
    subject = f"leaders:{digest('gate', ids[change.old], ids[change.new])}"
    return finding(policy, rule, turn + because, subject, evidence, rows)


def _ranks(effect: BatchEffect, policy: Policy) -> list[Finding]:
    ranking = effect.ranking
    if isinstance(ranking, NotApplicable):
        return []
    flips = ranking.effect.average.flips
    lead = {(c.old, c.new) for c in ranking.leaders}
    pairs = list(zip(flips.ahead.tolist(), flips.behind.tolist(), strict=True))
    below = np.array([p not in lead for p in pairs], dtype=np.bool_)
    out = []
    for rule, mask, why in (
        ("CR610", ranking.clone_pairs & below, "; weighted, they keep it"),
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
    pairs = "pair" if at.size == 1 else "pairs"
    return finding(
        policy,
        rule,
        f"{at.size:,} {pairs} of {unit.unit}s change order by average win rate{why}",
        _subject("items", (unit.items.ids[i] for i in items.tolist())),
        evidence,
    )


def _rates(effect: BatchEffect, policy: Policy) -> list[Finding]:
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
    return [
        finding(
            policy,
            "CR612",
            f"{at.size:,} {unit.unit}{'s' if at.size > 1 else ''} move beyond noise, most"
            f" {_name(effect, top)}: {rates.before[top]:.3f} to {rates.after[top]:.3f}"
            f" (± {rates.error[top]:.3f})",
            _subject("items", (unit.items.ids[i] for i in at.tolist())),
            {
                "n_items": int(at.size),
                "largest": unit.items.ids[top],
                "change": float(rates.change[top]),
                "error": float(rates.error[top]),
            },
        )
    ]


def _graph(effect: BatchEffect, policy: Policy) -> list[Finding]:
    before, after = effect.before.units[0].graph, effect.unit.graph
    if before.n_components != 1:
        return []
    parts = []
    if after.n_components > 1:
        parts.append(f"{after.n_components:,} components where there was one")
    if before.unpenalised_fit_exists and not after.unpenalised_fit_exists:
        parts.append("a fit without a penalty no longer exists")
    if not parts:
        return []
    return [
        finding(
            policy,
            "CR613",
            f"the comparisons by {effect.unit.unit}: " + "; ".join(parts),
            f"unit:{effect.unit.unit}",
            {
                "n_components_before": before.n_components,
                "n_components_after": after.n_components,
                "fit_before": before.unpenalised_fit_exists,
                "fit_after": after.unpenalised_fit_exists,
            },
        )
    ]


def _dominance(effect: BatchEffect, policy: Policy) -> list[Finding]:
    data = effect.after.dataset
    out = []
    for rule, noun, (before, batch), names in (
        ("CR614", "annotator", effect.annotators, list(data.annotators)),
        ("CR615", "prompt", effect.prompts, data.prompts["id"].to_list()),
    ):
        if isinstance(batch, NotApplicable) or isinstance(before, NotApplicable):
            continue
        if before.n_distinct < 2 or batch.share < policy.thresholds.dominant_share:
            continue
        error = np.sqrt(before.share * (1 - before.share) / effect.added.sum())
        chance = float(norm.sf((batch.share - before.share) / max(error, 1e-12)))
        if not beyond_chance(chance, policy.confidence_level):
            continue
        out.append(
            finding(
                policy,
                rule,
                f"one {noun} takes {batch.share:.0%} of the batch"
                f" (in the baseline at most {before.share:.0%})",
                f"{noun}:{names[batch.index]}",
                {"share": batch.share, "n_rows": batch.n_comparisons, "share_before": before.share},
            )
        )
    return out
