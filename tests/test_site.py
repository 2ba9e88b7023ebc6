"""The site: built strictly without the network, whole, and asking no host for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cr_audit import errors
from cr_audit.cli.app import commands
from cr_audit.contract import schema
from cr_audit.glossary import WORDS
from cr_audit.settings import SETTINGS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_command_option_and_setting_is_in_the_reference() -> None:
    text = page("reference/commands.md")
    for command in commands():
        assert f"\n## {command.name}\n" in text
        for option in command.options:
            assert f"`{option.typed[0]}`" in text, f"{command.name} {option.name}"
    for setting in SETTINGS.values():
        assert f"`{setting.key}`" in page("settings.md")


def test_exit_codes_words_and_keys_of_the_json_are_in_the_reference() -> None:
    codes = {v for k, v in vars(errors).items() if k.startswith("EXIT_")}
    said = {int(n) for n in re.findall(r"^\| (\d+) \|", page("reference/exit_codes.md"), re.M)}
    assert said == codes
    glossary = page("glossary.md")
    for word in WORDS:
        assert f"**{word}**" in glossary
    text = page("reference/json.md")
    for key in schema()["properties"]:
        assert f"| `{key}` |" in text


def test_every_page_has_its_place_in_the_navigation() -> None:
    listed = set(re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))
    there = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")}
    assert there - listed == set()
    assert listed - there == {"benchmarks.md", "changelog.md"}


class _Asked(HTMLParser):
    """What a browser would fetch from elsewhere by itself; links that a person follows are not."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        fetched = [given.get("src"), given.get("srcset"), given.get("data"), given.get("poster")]
        if tag == "link" and given.get("rel") != "canonical":
            fetched.append(given.get("href"))
        self.found += [f for f in fetched if f and re.match(r"(https?:)?//", f)]


@pytest.mark.slow
def test_the_site_builds_strictly_and_asks_no_host(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "s")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted((tmp_path / "s").rglob("*.html"))
    assert len(pages) > 30
    for path in pages:
        parser = _Asked()
        parser.feed(path.read_text(encoding="utf-8"))
        assert not parser.found, f"{path.name}: {parser.found}"
    for path in (tmp_path / "s").rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import\s+)[\"']?(https?:)?//", text), path.name
