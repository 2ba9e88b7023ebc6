"""What is said about the policy's own waivers: nothing waives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cr_audit.findings import Finding, Severity
from cr_audit.gate.rule import Evidence, GateRule, WaiverQuestion

if TYPE_CHECKING:
    from cr_audit.gate.waivers import Waiver


def _about(waiver: Waiver) -> tuple[str, str]:
    """What a message calls it, and the subject of the finding."""
    subject = f"waiver:{waiver.rule}|{waiver.fingerprint}|{waiver.expires.isoformat()}"
    return f"the waiver of {waiver.pattern} (owner {waiver.owner})", subject


def _expired(q: WaiverQuestion) -> Iterator[Finding]:
    for use in q.uses:
        w = use.waiver
        if use.expired:
            name, subject = _about(w)
            evidence: Evidence = {"reason": w.reason, "owner": w.owner, "n_matched": use.n_matched}
            message = f"{name} ran out after {w.expires.isoformat()}"
            yield EXPIRED.finding(message, subject, evidence)


EXPIRED = GateRule(
    id="CR616",
    name="waiver-expired",
    severity=Severity.WARNING,
    summary="A waiver in the policy has run out.",
    means="It waives nothing any more.",
    computed="Its last day lies before today (or before --today).",
    advice="Renew it with a new reason, or delete it.",
    about="waivers",
    judge=_expired,
)


def _unused(q: WaiverQuestion) -> Iterator[Finding]:
    for use in q.uses:
        w = use.waiver
        if not use.expired and use.n_matched == 0:
            name, subject = _about(w)
            evidence: Evidence = {"reason": w.reason, "owner": w.owner}
            yield UNUSED.finding(f"{name} matches nothing", subject, evidence)


UNUSED = GateRule(
    id="CR617",
    name="waiver-unused",
    severity=Severity.NOTE,
    summary="A waiver in the policy matches no finding.",
    means="What it was written for is gone, or its pattern is wrong.",
    computed="No finding of this run matches its globs.",
    advice="Delete it.",
    about="waivers",
    judge=_unused,
)

RULES = (EXPIRED, UNUSED)
