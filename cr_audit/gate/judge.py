"""Facts about a batch in, findings out: CR601-CR615. Severities are the policy's."""

from __future__ import annotations

from collections.abc import Callable

from cr_audit.findings import Finding
from cr_audit.gate import judge_clones, judge_rankings, judge_rows
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.finding import ordered
from cr_audit.gate.policy import Policy


def judge(effect: BatchEffect, policy: Policy) -> tuple[Finding, ...]:
    """All findings about the batch, the most severe first, then by rule, then by subject.

    Rules that the policy switches off are left out. Subjects are content identifiers, so that
    fingerprints do not depend on the order of rows or on line numbers.
    """
    parts: tuple[Callable[[BatchEffect, Policy], list[Finding]], ...] = (
        judge_rows.unreadable,
        judge_rows.agreement,
        judge_clones.clusters,
        judge_clones.clone_rate,
        judge_rankings.leaders,
        judge_rankings.ranks,
        judge_rankings.rates,
        judge_rankings.graph,
        judge_rows.dominance,
    )
    found = [f for part in parts for f in part(effect, policy)]
    return ordered(f for f in found if policy.severities[f.rule] is not None)
