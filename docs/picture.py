"""Draws what ``cr-audit scan`` shows of the sample data: docs/scan.svg and pictures of its page.

Run: make picture. docs/pictures/*.png need Chromium, playwright and pillow; without them only the
first is drawn, and that is said.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
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
    pages(root)


def pages(root: Path) -> None:
    """The first screen of the page, and its two rankings."""
    chromium = next((p for n in ("chromium", "google-chrome") if (p := shutil.which(n))), None)
    try:
        from PIL import Image
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        print(f"docs/pictures: not drawn, {error}")
        return
    if chromium is None:
        print("docs/pictures: not drawn, no Chromium on this machine")
        return
    out = root / "docs" / "pictures"
    with tempfile.TemporaryDirectory() as place, sync_playwright() as play:
        page_file = Path(place) / "scan.html"
        words = [sys.executable, "-m", "cr_audit", "scan", Path(SAMPLE).name, "-o", str(page_file)]
        inside = {**os.environ, "PYTHONPATH": str(root)}
        folder = root / Path(SAMPLE).parent
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=inside)
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.goto(page_file.as_uri())
        page.screenshot(path=str(out / "report-scan.png"))
        page.locator("figure.slopechart").first.screenshot(path=str(out / "report-rankings.png"))
        browser.close()
    for file in out.glob("report-*.png"):
        with Image.open(file) as drawn:
            drawn.convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE).save(
                file, optimize=True
            )


if __name__ == "__main__":
    main()
