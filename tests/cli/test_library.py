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
    seen = cr.dry_run("p.jsonl", "trl", **settings).to_json()
    assert by_command("export", "p.jsonl", "--dry-run", "trl") == (0, seen)
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
    assert placeless(held.to_dict()) == placeless(found.to_dict())


PLACE = re.compile(r"^(?:p\.jsonl|batch\.jsonl|lists\.jsonl|-)(?=:\d+$|$)")


def placeless(value: Any) -> Any:
    """A report without what says where rows stood: the name of the file, its bytes, its digest."""
    if isinstance(value, dict):
        return {
            k: placeless(v) for k, v in value.items() if k not in ("sha256", "n_bytes", "container")
        }
    if isinstance(value, list):
        return [placeless(v) for v in value]
    return PLACE.sub("rows", value) if isinstance(value, str) else value


SOURCES = ("list", "polars", "pandas", "datasets")


def in_memory(kind: str, rows: list[dict[str, Any]]) -> Any:
    """The rows as one of the things that ``source`` may be."""
    return {
        "list": lambda: rows,
        "polars": lambda: pl.DataFrame(rows),
        "pandas": lambda: pd.DataFrame(rows),
        "datasets": lambda: pytest.importorskip("datasets").Dataset.from_list(rows),
    }[kind]()


MORE: dict[str, Any] = {"model": "lexical", "seed": 3, "n_replicates": 20}


def reports(source: Any, batch: Any) -> dict[str, Any]:
    """The report of every function that reads pairs, without the places of rows."""
    made = {n: getattr(cr, n)(source, **MORE) for n in ("audit", "refit", "leaderboard")}
    made["sensitivity"] = cr.sensitivity(source, **MORE, unit="model")
    made["gate"] = cr.gate("p.jsonl", batch, **MORE)
    return {name: placeless(m.to_dict()) for name, m in made.items()}


@pytest.mark.slow
def test_every_function_gives_the_numbers_of_the_file(rows: list[dict[str, Any]]) -> None:
    """The whole report of each, from a path and from the same rows in every kind of memory."""
    some = rows[:60]
    Path("p.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in some))
    Path("batch.jsonl").write_bytes(Path("p.jsonl").read_bytes())
    wanted = reports("p.jsonl", "batch.jsonl")
    for kind in SOURCES:
        source = in_memory(kind, some)
        assert reports(source, source) == wanted, kind


@pytest.mark.parametrize("kind", SOURCES)
def test_rows_in_memory_are_read_as_those_of_a_file(rows: list[dict[str, Any]], kind: str) -> None:
    source = in_memory(kind, rows)
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


KIND_WORDS = {"a": "flour oven bake sugar dough whisk", "b": "loop array compile python string"}


def text_of(kind: str, draw: np.random.Generator) -> str:
    own, other = draw.choice(KIND_WORDS[kind].split(), 8), draw.integers(0, 300, 5)
    return " ".join([*own, *(f"x{i}" for i in other)])


def assert_rows_of(frame: pl.DataFrame, told: list[dict[str, Any]]) -> None:
    """The rows of each kind are those that the report tells of it."""
    for kind in told:
        own = frame.filter(pl.col("kind") == kind["id"])
        assert sorted(own["id"]) == sorted(kind["members"])
        assert own.filter("medoid")["id"].to_list() == [kind["medoid"]]
        assert own["words"].to_list() == [kind["words"]] * own.height


def test_kinds_are_those_of_the_report_and_lead_to_rows(tmp_path: Path) -> None:
    """Also in the columns of an export, whose metadata say the words."""
    draw = np.random.default_rng(0)
    given = [
        {"prompt": f"q{i}", "chosen": text_of("a", draw), "rejected": text_of("b", draw)}
        for i in range(80)
    ]
    Path("k.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in given))
    found = cr.audit("k.jsonl", model="lexical", unit="kind", n_replicates=50)
    frame, told = found.kinds.to_frame(), found.to_dict()["kinds"]["values"]
    assert len(told) == 2
    assert_rows_of(frame, told)
    assert set(frame["file"]) == {"k.jsonl"}
    for text_, line in frame.select("text", "line").iter_rows():
        assert text_ in (given[line - 1]["chosen"], given[line - 1]["rejected"])
    done = cr.export("k.jsonl", "w.jsonl", model="lexical")
    of = dict(frame.select("text", "kind").iter_rows())
    for line_ in Path("w.jsonl").read_bytes().splitlines():
        row = orjson.loads(line_)
        assert row["cr_kind_chosen"] == of.get(row["chosen"])
        assert row["cr_kind_rejected"] == of.get(row["rejected"])
    assert {"cr_kind_chosen", "cr_kind_rejected"} < set(done.columns)
    meta = orjson.loads(Path("w.jsonl.meta.json").read_bytes())
    assert meta["kinds"] == {kind["id"]: kind["words"] for kind in told}
    cr.export("k.jsonl", "n.parquet", model="none", weights="uniform")
    bare = pl.read_parquet("n.parquet")
    assert bare.schema["cr_kind_chosen"] == pl.String
    assert bare["cr_kind_chosen"].null_count() == 80
    few = cr.audit(given[:10], model="lexical", n_replicates=50)
    with pytest.raises(cr.ComputeError, match="no kinds"):
        _ = few.kinds.to_frame()
    with pytest.raises(cr.ComputeError, match="no kinds of prompt") as refused:
        _ = few.prompt_kinds.to_frame()
    assert "50 different prompts" in str(refused.value.next_step)


def test_kinds_of_prompt_are_those_of_the_report_and_lead_to_rows(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    given = [
        {"prompt": text_of("ab"[i % 2], draw), "chosen": f"yes {i}", "rejected": f"no {i}"}
        for i in range(120)
    ]
    given += given[:6]
    Path("k.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in given))
    found = cr.audit("k.jsonl", model="lexical", n_replicates=50)
    frame, told = found.prompt_kinds.to_frame(), found.to_dict()["prompt_kinds"]["values"]
    assert len(told) == 2
    assert_rows_of(frame, told)
    for text, line in frame.select("text", "line").iter_rows():
        assert text == given[line - 1]["prompt"]
        assert line <= 120  # the first of the rows that ask it


def test_embeddings_may_be_an_array(rows: list[dict[str, Any]]) -> None:
    n = cr.audit(rows, model="none", weights="uniform").weights.to_frame().height
    vectors = np.random.default_rng(0).normal(size=(n, 5))
    found = cr.audit(rows, embeddings=vectors, n_replicates=200)
    assert found.to_dict()["embedding"]["dimension"] == 5
    np.save("v.npy", vectors)
    filed = cr.audit("p.jsonl", embeddings="v.npy", n_replicates=200)
    for name in ("weights", "clones", "win_rates"):
        a, b = (getattr(f, name).to_frame().drop("file") for f in (found, filed))
        assert a.equals(b), name
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
