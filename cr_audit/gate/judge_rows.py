"""Judges of a batch's rows: unreadable, contradicting, repeated, from one source. CR601-CR603,
CR614, CR615.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.findings import Finding
from cr_audit.gate.boundaries import beyond_chance, exceeds
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.finding import MAX_ROWS, batch_rows, finding, subject_of
from cr_audit.gate.naming import quoted
from cr_audit.gate.policy import Policy
from cr_audit.readers.build import LEGITIMATE
from cr_audit.wording import percent, plural, verb


def unreadable(effect: BatchEffect, policy: Policy) -> list[Finding]:
    """Rows without a label are data, not damage (``readers.build.LEGITIMATE``)."""
    report = effect.batch
    lost = {k: n for k, n in report.skipped_by_reason.items() if k not in LEGITIMATE}
    if not exceeds(sum(lost.values()) / report.rows_read, policy.thresholds.unreadable_share):
        return []
    out = []
    for reason, n in sorted(lost.items()):
        rows = [f"{e.file}:{e.line}" for e in report.examples if e.reason == reason][:MAX_ROWS]
        words = reason.replace("_", " ")
        of = f"of the batch's {plural(report.rows_read, 'row')}"
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


def agreement(effect: BatchEffect, policy: Policy) -> list[Finding]:
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
                f"{c.n_against:,} of {plural(c.n, 'judgement')} of known pairs"
                f" {verb(c.n_against, 'goes', 'go')} against the baseline ({percent(c.share)};"
                f" {percent(c.expected)} expected)",
                subject_of("pairs", involved(c.rows)),
                {
                    "n_against": c.n_against,
                    "n_judged": c.n,
                    "share": c.share,
                    "expected": c.expected,
                    "n_expected": c.n_expected,
                    "p_value": c.p_value,
                },
                batch_rows(effect, c.rows),
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
                f"{r.n_repeated:,} of {plural(r.n, 'judgement')}"
                f" {verb(r.n_repeated, 'stands', 'stand')} in the baseline already",
                subject_of("pairs", involved(r.rows)),
                {"n_repeated": r.n_repeated, "n_rows": r.n, "share": r.n_repeated / r.n},
                batch_rows(effect, r.rows),
            )
        )
    return out


def dominance(effect: BatchEffect, policy: Policy) -> list[Finding]:
    data = effect.after.dataset
    out = []
    prompts = data.prompts["id"], data.prompts["text"]
    for rule, noun, (before, batch), (ids, names) in (
        ("CR614", "annotator", effect.annotators, (data.annotators, data.annotators)),
        ("CR615", "prompt", effect.prompts, prompts),
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
                f"the {noun} {quoted(names[batch.index] or '')} takes {percent(batch.share)} of the"
                f" batch (in the baseline none takes more than {percent(before.share)})",
                f"{noun}:{ids[batch.index]}",
                {"share": batch.share, "n_rows": batch.n_comparisons, "share_before": before.share},
            )
        )
    return out
