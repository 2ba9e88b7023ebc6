"""Draws docs/scan.svg: what ``cr-audit scan`` shows on the sample data. Run: make picture."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from cr_audit.analysis import Settings, analyse
from cr_audit.audits import run_audits
from cr_audit.embed import open_backend
from cr_audit.readers import read
from cr_audit.report.screen import Screen
from cr_audit.report.terminal import scan_report

SAMPLE = "sample_data/clone_robust.jsonl"
WIDTH = 104


def main() -> None:
    """Read the sample, analyse it with the default settings, export what a terminal shows."""
    root = Path(__file__).resolve().parent.parent
    analysis = analyse(read([SAMPLE]), Settings(), backend=open_backend("static"))
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
        highlight=False,
        markup=False,
    )
    screen = Screen(WIDTH, True)
    console.print(scan_report(analysis, run_audits(analysis), "scan", screen))
    svg = console.export_svg(title=f"cr-audit scan {SAMPLE}", unique_id="cr-audit")
    (root / "docs" / "scan.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
