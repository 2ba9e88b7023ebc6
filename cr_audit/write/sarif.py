"""SARIF 2.1.0, for code scanning: fingerprints, what is known, what is waived.

Message texts are plain, but the format allows links inside them (section 3.11.6), so brackets and
backslashes from the data are escaped; control characters are already visible escapes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from cr_audit import __version__
from cr_audit.findings import Outcome, Rule, Told
from cr_audit.reports import Report
from cr_audit.write import Target
from cr_audit.write.escape import visible
from cr_audit.write.indented import indented
from cr_audit.write.values import clean

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "crAudit/v1"


def write(report: Report, target: Target) -> str:
    """One log with one run, ASCII only, with a final newline."""
    return indented(clean(to_sarif(report.outcome)))


def to_sarif(outcome: Outcome) -> dict[str, Any]:
    """The log as plain Python values."""
    index = {rule.id: i for i, rule in enumerate(outcome.rules)}
    results = [_result(outcome, t, index) for t in outcome.told]
    results += [
        {
            "ruleId": k.rule,
            "level": "none",
            "message": {"text": _text(f"no longer found: {k.message}")},
            "locations": [_location(outcome.place, None)],
            "partialFingerprints": {FINGERPRINT: k.fingerprint},
            "baselineState": "absent",
        }
        for k in outcome.absent
    ]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "cr-audit",
                        "version": __version__,
                        "rules": [_rule(rule) for rule in outcome.rules],
                    }
                },
                "invocations": [{"executionSuccessful": True}],
                "columnKind": "unicodeCodePoints",
                "results": results,
                "properties": {
                    "pass": outcome.passed,
                    "reason": outcome.reason,
                    "policy": [visible(line) for line in outcome.policy],
                    "notJudged": [visible(line) for line in outcome.not_judged],
                },
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": f"{rule.summary} {rule.means}"},
        "help": {"text": f"{rule.computed}\n\n{rule.advice}"},
        "defaultConfiguration": {"level": str(rule.severity)},
    }


def _result(outcome: Outcome, told: Told, index: dict[str, int]) -> dict[str, Any]:
    f = told.finding
    rows: list[tuple[str, int | None]] = [_split(row) for row in f.rows]
    out: dict[str, Any] = {
        "ruleId": f.rule,
        "ruleIndex": index[f.rule],
        "level": str(f.severity),
        "message": {"text": _text(f"{f.message}. {f.advice}")},
        "locations": [_location(*row) for row in rows] or [_location(outcome.place, None)],
        "partialFingerprints": {FINGERPRINT: f.fingerprint},
        "properties": {"subject": visible(f.subject), "bin": told.bin},
    }
    if told.known is not None:
        out["baselineState"] = "unchanged" if told.known else "new"
    if told.waived_by:
        out["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": _text(told.waived_by)}
        ]
    return out


def _split(row: str) -> tuple[str, int | None]:
    path, _, line = row.rpartition(":")
    return path, int(line) if line.isdigit() and int(line) > 0 else None


def _location(path: str, line: int | None) -> dict[str, Any]:
    uri = "stdin" if path == "-" else quote(path, safe="/", errors="replace")
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if line is not None:
        physical["region"] = {"startLine": line}
    return {"physicalLocation": physical}


def _text(text: str) -> str:
    escaped = visible(text)
    for mark in "\\[]":
        escaped = escaped.replace(mark, "\\" + mark)
    return escaped
