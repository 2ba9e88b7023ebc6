"""Folders, patterns, --limit and --sample on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cr_audit

Run = Callable[..., Any]
ROW = '{"prompt": "p%d", "chosen": "good answer number %d", "rejected": "bad one %d"}\n'
QUICK = ("--model", "lexical")


@pytest.fixture
def data() -> Path:
    folder = Path("data")
    folder.mkdir()
    for k, name in enumerate(("b.jsonl", "a.jsonl")):
        rows = "".join(ROW % (i, i, i) for i in range(20 * k, 20 * k + 20))
        (folder / name).write_text(rows)
    (folder / "notes.txt").write_text("no data")
    return folder


def test_a_folder_and_what_was_not_read(run: Run, data: Path) -> None:
    done = run("scan", "data", *QUICK, "--format", "json")
    assert done.code == 0, done.err
    assert [Path(f["path"]).name for f in json.loads(done.out)["dataset"]["files"]] == [
        "a.jsonl",
        "b.jsonl",
    ]
    assert "2 files of data" in done.err
    assert "notes.txt" in done.err


def test_a_pattern_and_no_file_that_fits(run: Run, data: Path) -> None:
    done = run("scan", "data/[ab]*", *QUICK, "--format", "json")
    assert len(json.loads(done.out)["dataset"]["files"]) == 2
    done = run("scan", "data/*.parquet", *QUICK)
    assert done.code == 3
    assert "no file fits this pattern" in done.err
    assert "ls data" in done.err


@pytest.mark.parametrize(("flag", "n"), [("limit", 5), ("sample", 7)])
def test_some_rows_are_said_in_report_and_settings(run: Run, data: Path, flag: str, n: int) -> None:
    done = run("scan", "data", *QUICK, f"--{flag}", str(n), "--format", "json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["settings"][flag] == {"value": n, "source": "flag"}
    assert document["dataset"]["rows_read"] == n
    used = document["dataset"]["selection"]
    assert (used["how"], used["asked"]) == (flag, n)
    again = run("scan", "data", *QUICK, f"--{flag}", str(n), "--format", "json")
    assert again.out == done.out
    assert f"(--{flag} {n})" in run("scan", "data", *QUICK, f"--{flag}", str(n)).out
    if flag == "sample":
        assert used["n_all"] == 40
        other = run("scan", "data", *QUICK, "--sample", "7", "--seed", "1", "--format", "json")
        assert json.loads(other.out)["alternatives"] != document["alternatives"]


@pytest.mark.parametrize("words", [("gate", "--baseline", "data"), ("export",)])
def test_a_verdict_and_an_export_see_all_rows(run: Run, data: Path, words: tuple[str, ...]) -> None:
    """Also where a settings file, which a batch may bring, would leave rows out."""
    Path("cr-audit.toml").write_text("limit = 1\n")
    done = run(*words, "data", *QUICK, "-q", *(("-o", "out.jsonl") if "export" in words else ()))
    assert done.code == 2
    assert "must see all rows" in done.err
    done = run(*words, "data", "--limit", "3")
    assert done.code == 2


def test_the_baseline_of_a_gate_may_be_a_folder(run: Run, data: Path) -> None:
    Path("batch").mkdir()
    Path("batch/new.jsonl").write_text("".join(ROW % (i, i, i) for i in range(50, 60)))
    done = run("gate", "--baseline", "data", "batch/*.jsonl", *QUICK, "--format", "json")
    assert done.code in (0, 1), done.err
    files = json.loads(done.out)["dataset"]["files"]
    assert [f["path"] for f in files] == [
        str(Path("data/a.jsonl")),
        str(Path("data/b.jsonl")),
        str(Path("batch/new.jsonl")),
    ]


def test_the_last_ones_read_are_the_files_of_the_folder(run: Run, data: Path) -> None:
    run("scan", "data", *QUICK, "-q")
    done = run("refit", *QUICK, "--format", "json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["dataset"]["files"]) == 2


def test_from_python(data: Path) -> None:
    found = cr_audit.audit("data", model="lexical", cache=False).to_dict()
    assert found["dataset"]["rows_read"] == 40
