"""GitHub workflow commands: annotations beside the rows of a pull request.

A step may show ten annotations of a kind; beyond, the last of the ten sums up the rest. Everything
from the data is escaped twice: what is not printable becomes visible, and what GitHub would read as
the end of a property or of the message (%, line breaks, colons and commas) is encoded.
"""

from __future__ import annotations

from cr_audit.findings import Finding, Severity
from cr_audit.reports import Report
from cr_audit.wording import plural
from cr_audit.write import Target
from cr_audit.write.escape import plain, visible

MAX_PER_KIND = 10
_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def write(report: Report, target: Target) -> str:
    """One command per line, then the outcome as an ordinary line. Known and waived findings are
    counted in the outcome only."""
    outcome, title = report.outcome, f"cr-audit {report.command}"
    names = {rule.id: rule.name for rule in outcome.rules}
    told = [t.finding for t in outcome.told if t.bin in ("failing", "below_threshold")]
    lines = []
    for severity, kind in _KINDS.items():
        found = [f for f in told if f.severity == severity]
        shown = found if len(found) <= MAX_PER_KIND else found[: MAX_PER_KIND - 1]
        lines += [_annotation(kind, f, names.get(f.rule, "")) for f in shown]
        if len(found) > len(shown):
            rest = plural(len(found) - len(shown), f"more {severity}")
            lines.append(f"::{kind} title={title}::{message(f'{rest} in the report')}")
    lines.append(f"{title}: " + plain(outcome.reason))
    lines += [f"{title}, policy: " + plain(line) for line in outcome.policy]
    return "\n".join(lines) + "\n"


def _annotation(kind: str, finding: Finding, name: str) -> str:
    parts = [f"title={value(f'{finding.rule} {name} ({finding.fingerprint})')}"]
    if finding.rows:
        path, _, line = finding.rows[0].rpartition(":")
        if path != "-":
            parts = [f"file={value(path)}", f"line={value(line)}", *parts]
    return f"::{kind} {','.join(parts)}::{message(f'{finding.message}. {finding.advice}')}"


def message(text: str) -> str:
    """The text of a command."""
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def value(text: str) -> str:
    """One property of a command."""
    return message(text).replace(":", "%3A").replace(",", "%2C")
