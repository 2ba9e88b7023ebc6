"""A report as one HTML file: it opens offline, asks no host for anything, and nothing that came
from the data is ever interpreted.

``document`` arranges the page, ``parts`` turns blocks into markup, ``charts`` draws. The page reads
without scripts; the one small script beside them (``page.js``) adds search, sorting, copying and
hover. Its content policy names script and style by their SHA-256, so that a text which got past the
escaping would still do nothing. Charts are drawn here as SVG instead of by a library: measured for
a file that must open offline, vega with lite and embed would add 832 kB, ECharts 1.1 MB, Plotly
4.8 MB; SVG adds only what it shows, is the same bytes every time, prints, and is read aloud.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cr_audit.blocks import Block
from cr_audit.findings import SEVERITIES, Outcome, Told
from cr_audit.reports import Report
from cr_audit.write import Target
from cr_audit.write.html.document import document


def write(report: Report, target: Target) -> str:
    """One HTML document with a final newline."""
    outcome = _own_first(report.outcome, report.own_rules)
    return document(report.blocks(), report.more(), outcome, f"cr-audit {report.command}")


def _own_first(outcome: Outcome, own: Sequence[str]) -> Outcome:
    """Of findings that are as severe, those first that the command was asked for."""

    def place(told: Told) -> tuple[int, bool]:
        return -SEVERITIES.index(told.finding.severity), told.finding.rule not in own

    return replace(outcome, told=tuple(sorted(outcome.told, key=place))) if own else outcome


def write_blocks(blocks: Sequence[Block], title: str) -> str:
    """Some blocks as a document of their own."""
    return document(blocks, (), Outcome((), True, "", (), ""), title)
