"""SARIF 2.1.0, for code scanning: fingerprints, what is known, what is waived.

Message texts are plain, but the format allows links inside them (section 3.11.6), so brackets and
backslashes from the data are escaped; control characters are already visible escapes.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from cr_audit import __version__
from cr_audit.audits.gate_rules import GATE_RULES
from cr_audit.findings import Rule
from cr_audit.gate.verdict import Judged
from cr_audit.report.escape import visible
from cr_audit.report.gate import GateReport
from cr_audit.report.json_values import clean

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "crAudit/v1"
_INDEX = {rule.id: i for i, rule in enumerate(GATE_RULES)}


def render_sarif(report: GateReport) -> str:
    """One log with one run, ASCII only, with a final newline."""
    text = json.dumps(clean(to_sarif(report)), ensure_ascii=True, indent=1, allow_nan=False)
    return text.replace("\x7f", "\\u007f").replace("##", "#\\u0023") + "\n"


def to_sarif(report: GateReport) -> dict[str, Any]:
    """The log as plain Python values."""
    verdict = report.verdict
    results = [_result(report, j) for j in verdict.judged]
    results += [
        {
            "ruleId": k.rule,
            "level": "none",
            "message": {"text": _text(f"no longer found: {k.message}")},
            "locations": [_location(report.batch_files[0], None)],
            "partialFingerprints": {FINGERPRINT: k.fingerprint},
            "baselineState": "absent",
        }
        for k in verdict.vanished
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
                        "rules": [_rule(rule) for rule in GATE_RULES],
                    }
                },
                "invocations": [{"executionSuccessful": True}],
                "columnKind": "unicodeCodePoints",
                "results": results,
                "properties": {"pass": verdict.passed, "reason": verdict.reason},
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


def _result(report: GateReport, judged: Judged) -> dict[str, Any]:
    f = judged.finding
    rows: list[tuple[str, int | None]] = [_split(row) for row in f.rows]
    out: dict[str, Any] = {
        "ruleId": f.rule,
        "ruleIndex": _INDEX[f.rule],
        "level": str(f.severity),
        "message": {"text": _text(f"{f.message}. {f.advice}")},
        "locations": [_location(*row) for row in rows] or [_location(report.batch_files[0], None)],
        "partialFingerprints": {FINGERPRINT: f.fingerprint},
        "properties": {"subject": visible(f.subject), "bin": judged.bin},
    }
    if report.verdict.has_known:
        out["baselineState"] = "unchanged" if judged.known else "new"
    if judged.waiver is not None:
        w = judged.waiver
        why = f"{w.reason} (owner {w.owner}, through {w.expires.isoformat()})"
        out["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": _text(why)}
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
