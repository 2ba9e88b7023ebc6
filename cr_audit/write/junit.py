"""JUnit XML: every rule that was looked for is a test case, every finding one of its own.

What fails is a failure, what is known or waived is skipped, what is below the threshold passes and
says so. Times are left at 0: the same input gives the same bytes.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from cr_audit.findings import Told
from cr_audit.reports import Report
from cr_audit.write import Target
from cr_audit.write.escape import visible


def write(report: Report, target: Target) -> str:
    """One document, UTF-8 when written, with a final newline."""
    outcome, name = report.outcome, f"cr-audit {report.command}"
    found = {t.finding.rule for t in outcome.told}
    quiet = [r for r in outcome.rules if r.id not in found]
    counts = {
        "tests": str(len(quiet) + len(outcome.told)),
        "failures": str(len(outcome.of("failing"))),
        "errors": "0",
        "skipped": str(len(outcome.of("baselined")) + len(outcome.of("waived"))),
        "time": "0",
    }
    root = ET.Element("testsuites", {"name": name, **counts})
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts})
    prefix = f"cr-audit.{report.command}"
    for rule in quiet:
        _case(suite, f"{prefix}.{rule.id}", rule.name)
    for told in outcome.told:
        _finding(suite, prefix, told)
    lines = [outcome.reason, *(f"not judged: {line}" for line in outcome.not_judged)]
    lines += [f"policy: {line}" for line in outcome.policy]
    lines += [f"no longer found: {k.rule} {k.fingerprint}" for k in outcome.absent]
    ET.SubElement(suite, "system-out").text = "\n".join(visible(line) for line in lines)
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _case(suite: ET.Element, class_name: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", {"classname": class_name, "name": name, "time": "0"})


def _finding(suite: ET.Element, prefix: str, told: Told) -> None:
    f = told.finding
    case = _case(suite, f"{prefix}.{f.rule}", visible(f"{f.message} [{f.fingerprint}]"))
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
    if told.bin == "failing":
        attributes = {"message": visible(f.message), "type": f.rule}
        ET.SubElement(case, "failure", attributes).text = body
    elif told.bin == "below_threshold":
        ET.SubElement(case, "system-out").text = body
    else:
        why = f"waived: {told.waived_by}" if told.waived_by else "known"
        ET.SubElement(case, "skipped", {"message": visible(why)})
