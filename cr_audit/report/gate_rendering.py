"""From a format's name to the renderer of a gate."""

from __future__ import annotations

from cr_audit.report.gate import GateReport
from cr_audit.report.gate_json import render_gate_json
from cr_audit.report.gate_markdown import render_gate_markdown
from cr_audit.report.github import render_github
from cr_audit.report.junit import render_junit
from cr_audit.report.sarif import render_sarif


def render_gate(
    report: GateReport, format_: str, *, full_text: bool = False, to_file: bool = False
) -> str:
    """``format_`` : "table", "json", "markdown", "sarif", "junit" or "github".

    Tables written to a file are plain.
    """
    if format_ == "json":
        return render_gate_json(report, full_text=full_text)
    if format_ == "markdown":
        return render_gate_markdown(report)
    if format_ == "sarif":
        return render_sarif(report)
    if format_ == "junit":
        return render_junit(report)
    if format_ == "github":
        return render_github(report)
    from cr_audit.report.gate_terminal import render_gate_table
    from cr_audit.report.screen import Screen

    return render_gate_table(report, Screen(100, False) if to_file else Screen.of_stdout())
