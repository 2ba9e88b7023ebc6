"""Draws docs/scan.svg: what ``cr-audit scan`` shows on the sample data. Run: make picture."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from cr_audit.cli.scan import COMMAND
from cr_audit.run import Run
from cr_audit.settings import resolve
from cr_audit.write import Target
from cr_audit.write.terminal import renderable

SAMPLE = "sample_data/clone_robust.jsonl"
WIDTH = 104


def main() -> None:
    """Scan the sample with the default settings, export what a terminal shows."""
    root = Path(__file__).resolve().parent.parent
    report = COMMAND.make(Run("scan", (SAMPLE,), resolve({}), use_cache=False))
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="standard",
        highlight=False,
        markup=False,
    )
    console.print(renderable(report.blocks(), Target(WIDTH, True)))
    svg = console.export_svg(title=f"cr-audit scan {SAMPLE}", unique_id="cr-audit")
    (root / "docs" / "scan.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
