"""Facts about a batch in, findings out, with the severities of a policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from cr_audit.findings import Finding
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.policy import Policy
from cr_audit.gate.rule import Question, WaiverQuestion
from cr_audit.gate.rules import gate_rules, ordered
from cr_audit.gate.waivers import WaiverUse


def judge(effect: BatchEffect, policy: Policy) -> tuple[Finding, ...]:
    """All findings about the batch, the most severe first, then by rule, then by subject.

    Rules that the policy switches off are left out. Subjects are content identifiers, so that
    fingerprints do not depend on the order of rows or on line numbers.
    """
    return ordered(_found(Question(effect, policy), "batch", policy))


def judge_waivers(uses: tuple[WaiverUse, ...], policy: Policy) -> Iterator[Finding]:
    """All findings about the policy's waivers."""
    return _found(WaiverQuestion(uses), "waivers", policy)


def _found(
    question: Question | WaiverQuestion, about: Literal["batch", "waivers"], policy: Policy
) -> Iterator[Finding]:
    for rule in gate_rules():
        severity = policy.severity(rule)
        if rule.about == about and rule.judge is not None and severity is not None:
            for found in rule.judge(question):
                yield replace(found, severity=severity)
