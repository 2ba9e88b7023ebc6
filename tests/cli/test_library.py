"""The library gives what the command line gives, from files and from memory, and prints nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import polars as pl
import pytest

import cr_audit as cr
from tests.cli.conftest import Run

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_data" / "clone_robust.jsonl"


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CR_AUDIT_CACHE", str(tmp_path / "cache"))
    some = SAMPLE.read_bytes().splitlines()[:150]
    Path("p.jsonl").write_bytes(b"\n".join(some) + b"\n")
    return [orjson.loads(line) for line in some]


def test_the_command_line_and_the_library_give_the_same_json(
    rows: list[dict[str, Any]], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"model": "lexical", "seed": 3, "n_replicates": 200}
    flags = ["--model", "lexical", "--seed", "3", "--replicates", "200", "-q"]
    Path("b.jsonl").write_bytes(Path("p.jsonl").read_bytes())

    def by_command(*args: str) -> tuple[int, str]:
        done = run(*args, *flags, "--format", "json")
        assert not done.err
        return done.code, done.out

    assert by_command("scan", "p.jsonl") == (0, cr.audit("p.jsonl", **settings).to_json())
    judged = cr.gate("p.jsonl", "b.jsonl", **settings)
    code, out = by_command("gate", "--baseline", "p.jsonl", "b.jsonl")
    assert judged.to_json() == out
    assert judged.passed == (code == 0)
    assert by_command("refit", "p.jsonl") == (0, cr.refit("p.jsonl", **settings).to_json())
    _, out = by_command("export", "p.jsonl", "-o", "a.jsonl")
    done = cr.export("p.jsonl", "c.jsonl", **settings)
    assert Path("a.jsonl").read_bytes() == Path("c.jsonl").read_bytes()
    assert orjson.loads(out)["export"]["n_written"] == done.n_written == 150
    capsys.readouterr()
    cr.export("p.jsonl", "c.jsonl", **settings)
    assert capsys.readouterr() == ("", "")


LISTS = [
    {
        "prompt": f"p{k} q",
        "answers": [
            {"answer": f"{name} said {k}", "rank": (k * i) % 4 + 1, "model": name}
            for i, name in enumerate(("one", "two", "three", "four"))
        ],
    }
    for k in range(1, 40)
]


@pytest.mark.parametrize("name", ["leaderboard", "choices", "sensitivity"])
def test_every_court_gives_the_same_json(
    name: str, rows: list[dict[str, Any]], run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "p.jsonl"
    if name == "choices":
        path = "lists.jsonl"
        Path(path).write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in LISTS))
    done = run(name, path, "--model", "lexical", "--seed", "3", "-q", "--format", "json")
    capsys.readouterr()
    found = getattr(cr, name)(path, model="lexical", seed=3)
    assert found.to_json() == done.out
    assert found.passed == (done.code == 0)
    assert capsys.readouterr() == ("", "")
    frame = found.findings.to_frame()
    told = orjson.loads(done.out)["findings"]
    assert frame["rule"].to_list() == [f["rule"] for f in told]
    held = getattr(cr, name)(LISTS if name == "choices" else rows, model="lexical", seed=3)
    assert held.to_dict().keys() == found.to_dict().keys()


@pytest.mark.parametrize("kind", ["list", "polars", "pandas", "datasets"])
def test_rows_in_memory_are_read_as_those_of_a_file(rows: list[dict[str, Any]], kind: str) -> None:
    source: Any = {
        "list": lambda: rows,
        "polars": lambda: pl.DataFrame(rows),
        "pandas": lambda: pd.DataFrame(rows),
        "datasets": lambda: pytest.importorskip("datasets").Dataset.from_list(rows),
    }[kind]()
    one = cr.audit("p.jsonl", model="lexical", n_replicates=200)
    two = cr.audit(source, model="lexical", n_replicates=200)
    for name in ("weights", "clones", "win_rates"):
        a, b = getattr(one, name).to_frame(), getattr(two, name).to_frame()
        assert a.drop("file").equals(b.drop("file"))
        assert a.height
        assert set(a["file"]) == {"p.jsonl"}
        assert set(b["file"]) == {"-"}
    assert one.findings.to_frame().columns == two.findings.to_frame().columns
    done = cr.export(source, "m.jsonl", to="clean", model="lexical")
    cr.export("p.jsonl", "f.jsonl", to="clean", model="lexical")
    assert [orjson.loads(x) for x in Path("m.jsonl").read_bytes().splitlines()] == [
        orjson.loads(x) for x in Path("f.jsonl").read_bytes().splitlines()
    ]
    assert 0 < done.n_written < 150


def test_file_and_line_lead_to_the_row(rows: list[dict[str, Any]]) -> None:
    found = cr.audit("p.jsonl", model="lexical", n_replicates=200).weights.to_frame()
    for text, line in found.select("text", "line").iter_rows():
        assert text in (rows[line - 1]["response_a"], rows[line - 1]["response_b"])
    assert found["weight"].sum() == pytest.approx(1.0)


def test_embeddings_may_be_an_array(rows: list[dict[str, Any]]) -> None:
    n = cr.audit(rows, model="none", weights="uniform").weights.to_frame().height
    vectors = np.random.default_rng(0).normal(size=(n, 5))
    found = cr.audit(rows, embeddings=vectors, n_replicates=200)
    assert found.to_dict()["embedding"]["dimension"] == 5
    with pytest.raises(cr.InputError, match="matrix"):
        cr.audit(rows, embeddings=[1.0, 2.0])
    with pytest.raises(cr.InputError):
        cr.audit(rows, embeddings=vectors[:-1])


def test_errors_are_those_of_the_command_line(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(cr.InputError, match="no such file"):
        cr.audit("missing.jsonl")
    with pytest.raises(cr.UsageError, match="no setting 'untit'"):
        cr.audit(rows, untit="model")
    with pytest.raises(cr.UsageError, match="must be one of"):
        cr.audit(rows, unit="modle")
    with pytest.raises(cr.UsageError, match="must be one of"):
        cr.export(rows, "x.jsonl", to="nowhere")
    with pytest.raises(cr.InputError, match="no preference data"):
        cr.audit(3)
    with pytest.raises(cr.UsageError, match="in memory"):
        cr.gate(rows, rows)
    with pytest.raises(cr.UsageError, match="no format"):
        cr.audit(rows, model="none", weights="uniform").write("pdf")


def test_importing_the_package_imports_no_library() -> None:
    code = "import cr_audit, sys; print({'numpy', 'polars', 'typer'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert set(cr.__all__) <= set(dir(cr))
    with pytest.raises(AttributeError):
        cr.nothing  # noqa: B018


def test_the_examples_of_the_page_run(rows: list[dict[str, Any]]) -> None:
    assert rows
    Path("prefs.jsonl").write_bytes(Path("p.jsonl").read_bytes())
    Path("batch.jsonl").write_bytes(SAMPLE.read_bytes().splitlines(keepends=True)[150])
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, "docs/api.md", "exec"), names)
    assert Path("clean.jsonl").stat().st_size
