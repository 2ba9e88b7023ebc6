"""The slim install: what it leaves out, and the files that are built upon it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cr_audit.slim import LEFT_OUT, slim_requirements

ROOT = Path(__file__).resolve().parents[2]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def test_all_but_what_brings_torch() -> None:
    slim = slim_requirements(DECLARED)
    gone = set(DECLARED) - set(slim)
    assert {re.split(r"[<>=]", g)[0] for g in gone} == LEFT_OUT
    assert [d for d in DECLARED if d in slim] == slim


def test_names_as_metadata_write_them() -> None:
    given = ["numpy>=2", "Sentence_Transformers>=6; python_version > '3'", "pytest; extra == 'dev'"]
    assert slim_requirements([*given, ""]) == ["numpy>=2"]


def test_it_runs_before_anything_else_is_installed() -> None:
    """-S leaves out site-packages, -P this folder: the standard library is all there is."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import cr_audit.slim; print(sorted({m.split('.')[0] for m in sys.modules}"
        " & {'numpy', 'polars', 'typer', 'rich', 'scipy'}))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", code, str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) of the Dockerfile, continuation lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (w, " ".join(r.split())) for w, _, r in (x.partition(" ") for x in text.splitlines()) if w
    ]


def test_the_dockerfile_follows_the_rules_of_a_linter() -> None:
    """Where Docker is missing these stand for it: what hadolint's rules ask of such a file."""
    found = instructions()
    known = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "USER", "ENTRYPOINT", "CMD"}
    assert {w for w, _ in found} <= known
    for word, rest in found:
        if word == "FROM":
            image = rest.split()[0]
            assert re.search(r":[\w.-]+$", image), "the version is named"
            assert not image.endswith(":latest")
        if word == "RUN":
            assert "sudo" not in rest
            if "apt-get install" in rest:
                assert "--no-install-recommends" in rest
                assert "apt-get update" in rest
                assert "rm -rf /var/lib/apt/lists/*" in rest
            for part in re.findall(r"pip install[^&|]*", rest):
                assert "--no-cache-dir" in part
        if word in ("CMD", "ENTRYPOINT"):
            assert rest.startswith("["), "no shell between the program and its signals"
        if word == "WORKDIR":
            assert rest.startswith("/")
    last = max(k for k, (w, _) in enumerate(found) if w == "FROM")
    final = found[last:]
    users = [r for w, r in final if w == "USER"]
    assert users and users[-1] not in ("root", "0"), "the program runs as an ordinary user"  # noqa: PT018
    assert not any("g++" in r for w, r in final if w == "RUN"), "the compiler stays behind"
    for word, rest in found:
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source


def test_what_the_image_copies_is_all_that_the_build_needs() -> None:
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    copied = " ".join(r for w, r in instructions() if w == "COPY")
    for name in (given["readme"], *given["license-files"], "pyproject.toml", "cr_audit"):
        assert name in copied
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {given["readme"], *given["license-files"], "cr_audit"} & set(ignored)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    program = shutil.which(
        "hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    if program is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [program, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
