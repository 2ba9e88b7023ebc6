"""CR401-CR405: rows that were skipped or kept with a remark."""

from __future__ import annotations

from cr_audit.analysis import Analysis
from cr_audit.audits.rules import BY_ID
from cr_audit.findings import Finding

# Remarks of the reader that have a rule of their own.
_NOTED = {
    "contradictory_row": "CR402",
    "duplicate_row": "CR403",
    "empty_answer": "CR405",
}
MAX_ROWS = 5


def audit(analysis: Analysis) -> list[Finding]:
    report = analysis.dataset.report
    counted: list[tuple[str, str, int]] = [
        ("CR404" if reason == "identical_pair" else "CR401", reason, n)
        for reason, n in sorted(report.skipped_by_reason.items())
    ]
    counted += [
        (_NOTED[reason], reason, n)
        for reason, n in sorted(report.noted.items())
        if reason in _NOTED
    ]
    out = []
    for rule_id, reason, n in counted:
        rule = BY_ID[rule_id]
        examples = [e for e in report.examples if e.reason == reason][:MAX_ROWS]
        verb = "were skipped" if rule_id in ("CR401", "CR404") else "were kept"
        out.append(
            rule.finding(
                message=f"{n:,} rows {verb}: {reason.replace('_', ' ')}",
                subject=f"rows:{reason}",
                rows=tuple(f"{e.file}:{e.line}" for e in examples),
                evidence={"n_rows": n, "share": n / max(report.rows_read, 1)},
            )
        )
    return out
