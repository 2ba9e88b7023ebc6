"""The documentation is tested: its commands parse, its links resolve, its rules are the program's.

Pages that the code writes come from docs/pages.py.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.main import get_command

from cr_audit.cli.app import make_app
from cr_audit.cli.explain import known_rules

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))
from pages import PAGES as PAGES_WRITTEN  # noqa: E402

PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "sample_data/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)
RULES_PAGE = ROOT / "docs" / "rules.md"
BLOCK = re.compile(r"^ *(?:```|~~~)[^\n]*\n(.*?)^ *(?:```|~~~)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
INLINE = re.compile(r"(?<!`)`(cr-audit [^`\n]+)`")
# Words in the documentation that stand for what the reader fills in.
PLACEHOLDERS = {"FILE…", "FILE...", "FILE", "RULE", "NAME", "BATCH…", "[FILE]", "…", "..."}


def pages() -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in PAGES]


def test_the_written_pages_are_current() -> None:
    for name, make in PAGES_WRITTEN.items():
        found = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert found == make(), f"docs/{name}: run python docs/pages.py"


def commands_of(text: str) -> list[str]:
    """Every ``cr-audit ...`` in code blocks, one per command, continuation lines joined."""
    found = []
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;|\|", re.sub(r"\s#\s.*$", "", line)):
                command = part.strip().removeprefix("$ ").strip()
                if command.startswith("cr-audit "):
                    found.append(command)
    return found


def parses(command: str) -> None:
    """Raise click's error where ``command`` has an unknown command, option or value."""
    words = shlex.split(re.split(r"\s\d?>", command)[0])[1:]
    words = [word.rstrip("…") or "FILE" for word in words if word not in ("[OPTIONS]",)]
    root = get_command(make_app())
    if not words or words[0].startswith("-"):
        root.make_context("cr-audit", words, resilient_parsing=True)
        return
    known = root.commands  # type: ignore[attr-defined]
    assert words[0] in known, f"there is no command {words[0]!r}"
    with known[words[0]].make_context(words[0], words[1:]):
        pass


@pytest.mark.parametrize("page", pages())
def test_commands_in_code_blocks_parse(page: Path) -> None:
    for command in commands_of(page.read_text(encoding="utf-8")):
        try:
            parses(command)
        except Exception as error:
            raise AssertionError(f"{page.name}: {command}: {error}") from error


@pytest.mark.parametrize("page", pages())
def test_commands_in_sentences_and_tables_exist(page: Path) -> None:
    """`cr-audit scan FILE…` and the like: the command is known, and so are its options."""
    root = get_command(make_app())
    for command in INLINE.findall(page.read_text(encoding="utf-8")):
        words = [w for w in command.split()[1:] if w not in PLACEHOLDERS]
        if not words or words[0].startswith("-"):
            continue
        assert words[0] in root.commands, f"{page.name}: {command}"  # type: ignore[attr-defined]
        known = {
            name
            for option in root.commands[words[0]].params  # type: ignore[attr-defined]
            for name in (*option.opts, *option.secondary_opts)
        } | {"--help", "-h"}
        for word in words[1:]:
            if word.startswith("--"):
                assert word.split("=")[0] in known, f"{page.name}: {command}: {word}"


def test_the_readme_shows_commands() -> None:
    """The tests above would be empty if the README had no code block."""
    found = commands_of((ROOT / "README.md").read_text(encoding="utf-8"))
    assert any(command.startswith("cr-audit scan ") for command in found)


def shown_runs(text: str) -> list[tuple[str, int, list[str]]]:
    """Commands with ``# exit N`` in console blocks: the command, N, and the output shown below."""
    found: list[tuple[str, int, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        shown: list[str] | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                match = re.fullmatch(r"\$ (.*?)\s*# exit (\d+)", line)
                shown = []
                if match:
                    found.append((match[1], int(match[2]), shown))
            elif shown is not None:
                shown.append(line)
    return found


def test_the_readme_shows_what_the_gate_prints(tmp_path: Path) -> None:
    """Line by line in this order; a line of the README may be the beginning of one that is
    printed, and where it says … lines are left out."""
    runs = shown_runs((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [code for _, code, _ in runs] == [0, 1, 3]
    for command, code, excerpt in runs:
        done = subprocess.run(
            # Nothing shown depends on the encoder; this one needs no model.
            [sys.executable, "-m", "cr_audit", *shlex.split(command)[1:], "--model", "lexical"],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "100", "CR_AUDIT_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stderr
        printed = iter((done.stdout + done.stderr).splitlines())
        skipping = True
        for line in excerpt:
            if line == "…":
                skipping = True
                continue
            for candidate in printed:
                if candidate.startswith(line):
                    break
                assert skipping, f"{line!r} is not printed after the line above it"
            else:
                raise AssertionError(f"{line!r} is not printed")
            skipping = False
        assert excerpt


def test_the_parser_of_commands_finds_mistakes() -> None:
    parses("cr-audit scan x.jsonl --unit model")
    with pytest.raises(AssertionError, match="scam"):
        parses("cr-audit scam x.jsonl")
    for wrong in (
        "scan x.jsonl --untit model",
        "export x.jsonl --as weights",
        "explain a b",
        "scan x.jsonl --seed many",
    ):
        with pytest.raises(Exception, match=r"(?i)no such option|unexpected|valid|not one of"):
            parses(f"cr-audit {wrong}")
    text = (
        "```console\n$ cr-audit scan a.jsonl \\\n    --seed 1 | head  # c\n# no\nmake scan\n```\n"
    )
    assert commands_of(text) == ["cr-audit scan a.jsonl      --seed 1"]
    listed = "1. Do:\n\n    ```console\n    $ cr-audit kinds a.jsonl\n    ```\n"
    assert commands_of(listed) == ["cr-audit kinds a.jsonl"]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        k, unique = 0, slug
        while unique in found:
            k += 1
            unique = f"{slug}-{k}"
        found.add(unique)
    return found


@pytest.mark.parametrize("page", pages())
def test_relative_links_resolve(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / unquote(path)).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert file.is_relative_to(ROOT), f"{page.name}: {target} leaves the repository"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page.name}: {target}"


def test_every_rule_and_exit_code_is_documented() -> None:
    page = RULES_PAGE.read_text(encoding="utf-8")
    for rule in known_rules():
        assert f"## {rule.id} {rule.name}\n" in page
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for code in ("0 pass", "2 usage", "3 input", "4 could not compute", "70 a bug"):
        assert code in readme


def test_the_readme_and_the_tutorial_quote_what_a_scan_says() -> None:
    import cr_audit
    from cr_audit.blocks import Answer

    made = cr_audit.audit(ROOT / "sample_data" / "clone_robust.jsonl").report
    (answer,) = [b for b in made.blocks() if isinstance(b, Answer)]
    for name in ("README.md", "docs/guide/tutorial.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for sentence in answer.sentences[:2]:
            assert f"> {sentence}" in text, f"{name}: {sentence}"


def test_the_placeholder_of_the_publisher_stands_where_it_is_known() -> None:
    """OWNER is explained on the page of CI and in CONTRIBUTING.md; tools/dist.py --release refuses
    it. Elsewhere it would be a false link."""
    known = {"pyproject.toml", "docs/guide/ci.md", "docs/gate.md"}
    searched = [ROOT / "pyproject.toml", ROOT / "action.yml", ROOT / "mkdocs.yml", *PAGES]
    found = {
        path.relative_to(ROOT).as_posix()
        for path in searched
        if re.search(r"(?<!datasets/)OWNER/cr-audit", path.read_text(encoding="utf-8"))
    }
    assert found - {"CONTRIBUTING.md"} == known
    assert "`OWNER` is whoever publishes" in (ROOT / "docs/guide/ci.md").read_text(encoding="utf-8")


def test_a_release_names_its_publisher_and_links_to_the_tag() -> None:
    spec = importlib.util.spec_from_file_location("dist", ROOT / "tools" / "dist.py")
    assert spec is not None
    assert spec.loader is not None
    dist = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dist)
    text = "![p](docs/scan.svg) [a](docs/gate.md#x) [b](sample_data) [c](#here) [d](https://e.org)"
    at = "https://github.com/some-lab/cr-audit"
    assert dist.absolute(text, "some-lab", "v1", ROOT) == (
        f"![p]({at}/raw/v1/docs/scan.svg) [a]({at}/blob/v1/docs/gate.md#x)"
        f" [b]({at}/tree/v1/sample_data) [c](#here) [d](https://e.org)"
    )
    with pytest.raises(SystemExit, match="not there"):
        dist.absolute("[x](docs/none.md)", "some-lab", "v1", ROOT)
    readme = dist.absolute((ROOT / "README.md").read_text(encoding="utf-8"), "o", "v1", ROOT)
    assert not [t for t in re.findall(r"\]\(([^)\s]+)\)", readme) if not re.match("https?:|#", t)]


def test_the_recipes_of_ci_fit_the_schemas_of_their_hosts(tmp_path: Path) -> None:
    """GitLab's and GitHub's own schemas, as check-jsonschema brings them."""
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    text = (ROOT / "docs/guide/ci.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (gitlab,) = [b for b in blocks if "before_script:" in b]
    (steps,) = [b for b in blocks if b.startswith("permissions:")]
    indented = steps.replace("\n", "\n    ").rstrip()
    job = f"on: pull_request\njobs:\n  gate:\n    runs-on: ubuntu-latest\n    {indented}\n"
    written = {"gitlab-ci": gitlab, "github-workflows": job}
    for kind, body in written.items():
        (tmp_path / f"{kind}.yml").write_text(body, encoding="utf-8")
    checked = [("github-actions", ROOT / "action.yml")]
    checked += [(kind, tmp_path / f"{kind}.yml") for kind in written]
    checked += [("github-workflows", p) for p in (ROOT / ".github/workflows").glob("*.yml")]
    for kind, path in checked:
        done = subprocess.run(
            [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{kind}", path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{path}: {done.stdout}"
