"""Facts about a batch in, findings out, with the severities of a policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from cr_audit.findings import Finding
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.policy import Policy
from cr_audit.gate.rule import Question, WaiverQuestion
from cr_audit.gate.rules import gate_rules, ordered
from cr_audit.gate.waivers import WaiverUse
from cr_audit.wording import plural


def judge(effect: BatchEffect, policy: Policy) -> tuple[Finding, ...]:
    """All findings about the batch, the most severe first, then by rule, then by subject.

    Rules that the policy switches off are left out. Subjects are content identifiers, so that
    fingerprints do not depend on the order of rows or on line numbers.
    """
    return ordered(_found(Question(effect, policy), "batch", policy))


def judge_sum(
    effect: BatchEffect, policy: Policy, level: float, n_batches: int, told: Sequence[Finding]
) -> tuple[Finding, ...]:
    """What rules of ``GateRule.sums`` find in past batches and this one together, and did not find
    in this one alone. level : the confidence level of this look; n_batches : this one included;
    told : the findings about this one."""
    known = {(f.rule, f.subject) for f in told}
    found = _found(Question(effect, replace(policy, confidence_level=level)), "sum", policy)
    together = f"with the {plural(n_batches - 1, 'batch', 'batches')} before it: "
    return tuple(
        replace(f, message=together + f.message, evidence={**f.evidence, "n_batches": n_batches})
        for f in found
        if (f.rule, f.subject) not in known
    )


def judge_waivers(uses: tuple[WaiverUse, ...], policy: Policy) -> Iterator[Finding]:
    """All findings about the policy's waivers."""
    return _found(WaiverQuestion(uses), "waivers", policy)


def _found(
    question: Question | WaiverQuestion, about: Literal["batch", "sum", "waivers"], policy: Policy
) -> Iterator[Finding]:
    for rule in gate_rules():
        severity = policy.severity(rule)
        asked = rule.sums if about == "sum" else rule.about == about
        if asked and rule.judge is not None and severity is not None:
            for found in rule.judge(question):
                yield replace(found, severity=severity)
