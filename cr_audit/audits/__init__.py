"""Facts in, findings out: one small file per audit."""

from __future__ import annotations

from cr_audit.analysis import Analysis
from cr_audit.audits import clones, comparisons, estimate, rankings, rewards, rows
from cr_audit.findings import Finding, Severity

AUDITS = (
    rankings.audit,
    rewards.audit,
    clones.audit,
    comparisons.audit,
    rows.audit,
    estimate.audit,
)
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def run_audits(analysis: Analysis) -> tuple[Finding, ...]:
    """All findings, the most severe first, then by rule, then in the audit's own order."""
    found = [finding for audit in AUDITS for finding in audit(analysis)]
    return tuple(sorted(found, key=lambda f: (_ORDER[f.severity], f.rule)))
