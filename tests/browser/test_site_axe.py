"""The documentation site in a real browser: nothing is asked of a host, and axe finds nothing.

A few pages that hold every kind of content; needs Chromium, playwright, mkdocs-material and axe.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
pytest.importorskip("material", reason="mkdocs-material is not installed")
CHROMIUM = next((p for n in ("chromium", "google-chrome") if (p := shutil.which(n))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
ROOT = Path(__file__).parents[2]
PAGES = ("index", "gate", "api", "guide/dpo", "reference/commands", "reproductions", "404")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(out)]
    subprocess.run(words, cwd=ROOT, check=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    return out


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_are_readable_by_everyone_and_ask_no_host(
    site: Path, scheme: str, width: int
) -> None:
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme)
        for name in PAGES:
            page = context.new_page()
            asked: list[str] = []
            page.on("request", lambda r, asked=asked: asked.append(r.url))
            page.goto((site / f"{name}.html").as_uri())
            page.evaluate(source)
            found = page.evaluate("axe.run().then(r => r.violations)")
            shown = [(v["id"], [n["html"][:200] for n in v["nodes"][:2]]) for v in found]
            assert (name, shown) == (name, [])
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert [u for u in asked if not u.startswith(("file:", "data:", "blob:"))] == []
            page.close()
        browser.close()
