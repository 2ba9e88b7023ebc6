"""JUnit XML: every rule of the policy is a test case, every finding one of its own.

What fails is a failure, what is known or waived is skipped, what is below the threshold passes and
says so. Times are left at 0: the same input gives the same bytes.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from cr_audit.audits.gate_rules import GATE_RULES
from cr_audit.gate.verdict import Judged
from cr_audit.report.escape import visible
from cr_audit.report.gate import GateReport, what_applied


def render_junit(report: GateReport) -> str:
    """One document, UTF-8 when written, with a final newline."""
    verdict = report.verdict
    found = {j.finding.rule for j in verdict.judged}
    quiet = [r for r in GATE_RULES if report.policy.severities[r.id] and r.id not in found]
    counts = {
        "tests": str(len(quiet) + len(verdict.judged)),
        "failures": str(len(verdict.of("failing"))),
        "errors": "0",
        "skipped": str(len(verdict.of("baselined")) + len(verdict.of("waived"))),
        "time": "0",
    }
    root = ET.Element("testsuites", {"name": "cr-audit gate", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": "cr-audit gate", **counts})
    for rule in quiet:
        _case(suite, rule.id, rule.name)
    for judged in verdict.judged:
        _finding(suite, judged)
    lines = [verdict.reason, *(f"not judged: {line}" for line in what_applied(report))]
    lines += [f"no longer found: {k.rule} {k.fingerprint}" for k in verdict.vanished]
    ET.SubElement(suite, "system-out").text = "\n".join(visible(line) for line in lines)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _case(suite: ET.Element, rule: str, name: str) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", {"classname": f"cr-audit.gate.{rule}", "name": name, "time": "0"}
    )


def _finding(suite: ET.Element, judged: Judged) -> None:
    f = judged.finding
    case = _case(suite, f.rule, visible(f"{f.message} [{f.fingerprint}]"))
    body = "\n".join(
        visible(line)
        for line in (
            f"severity: {f.severity}",
            f"subject: {f.subject}",
            *(f"row: {row}" for row in f.rows),
            *(f"{name}: {value}" for name, value in f.evidence.items()),
            f"advice: {f.advice}",
        )
    )
    if judged.bin == "failing":
        attributes = {"message": visible(f.message), "type": f.rule}
        ET.SubElement(case, "failure", attributes).text = body
    elif judged.bin == "below_threshold":
        ET.SubElement(case, "system-out").text = body
    else:
        why = "known"
        if judged.waiver is not None:
            why = f"waived by {judged.waiver.owner}: {judged.waiver.reason}"
        ET.SubElement(case, "skipped", {"message": visible(why)})
