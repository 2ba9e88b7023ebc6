"""From a format's name to the renderer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cr_audit.analysis.facts import Analysis
from cr_audit.findings import Finding
from cr_audit.report.json_v1 import render_json
from cr_audit.report.markdown import render_markdown


def render(
    analysis: Analysis,
    findings: tuple[Finding, ...],
    format_: str,
    command: str,
    sources: Mapping[str, str],
    *,
    reading: Mapping[str, Any] | None = None,
    full_text: bool = False,
    to_file: bool = False,
) -> str:
    """``format_``: "table", "json" or "markdown". Tables written to a file are plain."""
    if format_ == "json":
        return render_json(
            analysis, findings, command, sources, reading=reading, full_text=full_text
        )
    if format_ == "markdown":
        return render_markdown(analysis, findings, command)
    from cr_audit.report.screen import Screen
    from cr_audit.report.terminal import render_scan

    screen = Screen(100, False) if to_file else Screen.of_stdout()
    if command == "refit":
        from cr_audit.report.rewards import render_refit

        return render_refit(analysis, findings, screen)
    return render_scan(analysis, findings, command, screen)
