"""Five additions from outside the package, each one file and one call: a family, a scheme, a rule,
a format and a schema. They appear everywhere, without an edit anywhere else."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = "sample_data/clone_robust.jsonl"
ADDITIONS = ("family", "scheme", "rule", "format", "schema")
START = (
    "import sys; sys.path.insert(0, '.')\n"
    + "".join(f"from tests.extension import {name}; {name}.add()\n" for name in ADDITIONS)
    + "from cr_audit.cli.app import main\n"
)


def run(*words: str, cache: Path, code: int = 0) -> str:
    """What the extended program prints."""
    done = subprocess.run(
        [sys.executable, "-c", f"{START}sys.argv = ['cr-audit', *sys.argv[1:]]; main()", *words],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "140", "CR_AUDIT_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def document(cache: Path) -> dict[str, Any]:
    words = ("lengths", SAMPLE, "--model", "lexical", "--threshold", "0.1")
    made: dict[str, Any] = json.loads(run(*words, "--format", "json", cache=cache))
    return made


def test_help_knows_the_command_the_format_and_the_scheme(cache: Path) -> None:
    assert "lengths" in run("--help", cache=cache)
    page = run("lengths", "--help", cache=cache)
    assert "--threshold" in page
    assert "tsv" in page
    assert "flat" in run("scan", "--help", cache=cache)


@pytest.mark.parametrize("name", ["table", "markdown", "html", "csv", "sarif", "junit", "tsv"])
def test_every_format_carries_the_family_and_the_rule(name: str, cache: Path) -> None:
    words = ("lengths", SAMPLE, "--model", "lexical", "--threshold", "0.1", "--format", name)
    out = run(*words, cache=cache)
    if name == "csv":
        assert next(csv.reader(io.StringIO(out))) == ["longer_wins", "n_decided"]
        return
    assert "CR901" in out
    if name in ("sarif", "junit", "tsv"):
        assert "CR999" in out


def test_the_document_has_a_schema_and_fits_it(document: dict[str, Any], cache: Path) -> None:
    code = f"{START}import json; from cr_audit.contract import schema\n"
    made = subprocess.run(
        [sys.executable, "-c", f"{code}print(json.dumps(schema()))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    schema = json.loads(made.stdout)
    assert schema["properties"]["lengths"]
    Draft202012Validator(schema).validate(document)
    assert 0 <= document["lengths"]["longer_wins"] <= 1
    assert {f["rule"] for f in document["findings"]} >= {"CR901", "CR999"}


def test_a_suffix_of_the_new_format_is_known(cache: Path, tmp_path: Path) -> None:
    target = tmp_path / "findings.tsv"
    run("scan", SAMPLE, "--model", "lexical", "-o", str(target), cache=cache)
    assert target.read_text().startswith("rule\tseverity\tmessage\n")


def test_the_scheme_weighs(cache: Path) -> None:
    words = ("scan", SAMPLE, "--model", "lexical", "--weights", "flat", "--format", "json")
    found = json.loads(run(*words, cache=cache))
    weights = {w["weight"] for w in found["weights"]["values"]}
    assert found["weights"]["method"] == "flat"
    assert len(weights) == 1
    assert "flat" in run("weights", SAMPLE, "--model", "lexical", "--compare", cache=cache)


def test_explain_knows_both_rules(cache: Path) -> None:
    assert "longer-wins" in run("explain", "CR901", cache=cache)
    assert "many-ties" in run("explain", "many-ties", cache=cache)
    assert "CR901" in run("explain", cache=cache)


def test_the_page_of_rules_would_list_them(cache: Path) -> None:
    code = f"{START}sys.path.insert(0, 'docs'); from pages import PAGES; print(PAGES['rules.md']())"
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "## CR901 longer-wins" in made.stdout
    assert "## CR999 many-ties" in made.stdout


def test_the_schema_is_recognised(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "duel.jsonl"
    rows = [
        {"duel_topic": f"q{i}", "champion_said": "yes " * (i + 3), "challenger_said": "no"}
        for i in range(5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = json.loads(run("scan", str(path), "--model", "none", "--format", "json", cache=cache))
    assert found["dataset"]["schema"][0]["name"] == "duels"
    assert found["dataset"]["n_comparisons"] == 5
