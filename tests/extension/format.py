"""A format: the findings, one line each, tab-separated."""

from __future__ import annotations

from cr_audit.reports import Report
from cr_audit.write import Target, Writer, register
from cr_audit.write.escape import visible


def write(report: Report, target: Target) -> str:
    """rule, severity, message; a writer escapes what it writes."""
    lines = [
        f"{t.finding.rule}\t{t.finding.severity}\t{visible(t.finding.message)}"
        for t in report.outcome.told
    ]
    return "\n".join(["rule\tseverity\tmessage", *lines]) + "\n"


def add() -> None:
    """Register the format."""
    register(Writer("tsv", "findings, tab-separated", suffixes=(".tsv",), function=write))
