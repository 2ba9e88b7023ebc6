"""Pairs in the layouts of trainers say what the rows said, in every schema that is read."""

from __future__ import annotations

import csv
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

import cr_audit as cr
from cr_audit.errors import CrAuditError
from cr_audit.readers import SCHEMAS, read
from tests.cli.conftest import Run
from tests.unit.readers.reader_cases import CASES

PLAIN = {"model": "none", "weights": "uniform", "max_skipped": 1.0, "cache": False}
TRAINERS = ("trl", "openrlhf", "axolotl", "llama-factory", "ms-swift")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lines(path: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in Path(path).read_bytes().splitlines()]


def put(path: str, rows: list[dict[str, Any]]) -> None:
    Path(path).write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in rows))


def pairs(path: str, **reading: Any) -> list[tuple[str | None, str, str]]:
    """(prompt, winner, loser) of every decided comparison, as the audit reads them."""
    data = read([path], **reading)
    texts, asked = data.alternatives["text"], data.prompts["text"]
    c = data.comparisons.filter(pl.col("outcome") == 1.0).sort("line", maintain_order=True)
    return [
        (asked[int(data.prompt_of[w])], texts[w], texts[k])
        for w, k in c.select("winner", "loser").iter_rows()
        if texts[w] is not None and texts[k] is not None
    ]


def exported(path: str, **more: Any) -> Any:
    """What came out of in.jsonl, or the slug of the error."""
    try:
        return cr.export("in.jsonl", path, **more)
    except CrAuditError as error:
        return error.slug


BY_MAP: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "parallel_lists": (
        {"q": "Why?", "said": ["good", "bad"], "points": [3, 1], "n": 1.5},
        {"prompt": "q", "items": "said", "item_scores": "points"},
    ),
    "ordered_list": (
        {"q": "Why?", "said": ["good", "bad"], "n": 1.5},
        {"prompt": "q", "ordered": "said"},
    ),
}
"""Schemas that are read only where the user maps fields: a row, and the map."""


def rows_of(schema: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Invented rows of a schema, and how they are read. KeyError: a new schema needs an example in
    tests/unit/readers/reader_cases.py."""
    if schema in BY_MAP:
        row, given = BY_MAP[schema]
        return [row], {"map": given}
    return [c.row for c in CASES[schema]], {"schema": schema}


def of_tables(path: str) -> list[dict[str, Any]]:
    if path.endswith(".parquet"):
        return pl.read_parquet(path).to_dicts()
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_schema_comes_back_as_rows(schema: str) -> None:
    """Of the whole registry: JSON lines byte for byte; Parquet and CSV by value, there one row to a
    file, since a table cannot hold rows whose fields differ in kind."""
    pd = pytest.importorskip("pandas")
    rows, reading = rows_of(schema)
    put("in.jsonl", rows)
    more = {**PLAIN, **reading}
    done = cr.export("in.jsonl", "out.jsonl", **more)
    assert done.n_written == len(rows)
    before = Path("in.jsonl").read_bytes().splitlines()
    after = Path("out.jsonl").read_bytes().splitlines()
    for a, b in zip(before, after, strict=True):
        assert b.startswith(a[:-1])
        assert set(done.columns) == set(orjson.loads(b)) - set(orjson.loads(a))
    assert len(pd.read_json("out.jsonl", lines=True)) == len(rows)
    for row in rows:
        put("in.jsonl", [row])
        for path in ("out.parquet", "out.csv"):
            cr.export("in.jsonl", path, **more)
            (held,) = of_tables(path)
            assert set(held) == set(row) | set(done.columns)
            for name, value in row.items():
                wanted = "" if value is None else value
                if path.endswith("parquet"):
                    assert _without_nulls(held[name]) == _without_nulls(value), name
                elif isinstance(wanted, str):
                    assert held[name] == wanted, name
                else:
                    assert json.loads(held[name]) == wanted, name
        assert len(pd.read_csv("out.csv")) == 1
        assert pl.read_csv("out.csv").height == pl.read_parquet("out.parquet").height == 1
        if find_spec("pyarrow") is not None:  # by which pandas reads Parquet
            assert len(pd.read_parquet("out.parquet")) == 1


@pytest.mark.slow
def test_datasets_opens_the_rows_of_every_schema() -> None:
    datasets = pytest.importorskip("datasets")
    for schema in SCHEMAS:
        rows, reading = rows_of(schema)
        put("in.jsonl", rows[:1])
        cr.export("in.jsonl", "out.parquet", **PLAIN, **reading)
        assert datasets.Dataset.from_parquet("out.parquet", keep_in_memory=True).num_rows == 1
    for suffix, kind in (("jsonl", "json"), ("csv", "csv"), ("parquet", "parquet")):
        cr.export("in.jsonl", f"out.{suffix}", **PLAIN, **reading)
        found = datasets.load_dataset(kind, data_files=f"out.{suffix}", cache_dir="cache")
        assert found["train"].num_rows == 1


def _without_nulls(value: Any) -> Any:
    """A table gives every object the fields of all."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


def without_roles(prompt: str | None) -> str:
    """A system's text beside the prompt is read as one text, and as a turn where it is one."""
    return re.sub(r"^(system|user): ", "", prompt or "", flags=re.MULTILINE)


@pytest.mark.parametrize("schema", CASES)
def test_a_layout_says_what_the_audit_read(schema: str) -> None:
    """Every pair of the rows, in order, with its prompt: read back from TRL's layout, and of the
    other trainers' those that they can say."""
    put("in.jsonl", [c.row for c in CASES[schema]])
    more = {"schema": schema, "expand_choices": True, "ratings_to_pairs": True}
    wanted = [(without_roles(p), w, k) for p, w, k in pairs("in.jsonl", max_skipped=1.0, **more)]
    for trainer in ("trl", "llama-factory", "ms-swift"):
        path = f"{trainer}.jsonl"
        done = exported(path, to=trainer, **PLAIN, **more)
        if isinstance(done, str):
            assert done in ("no-pairs", "no-mass", "export-of-messages")
            assert not Path(path).exists()
            assert not wanted or done != "no-pairs" or trainer != "trl"
            continue
        if trainer == "ms-swift":
            put(path, [of_swift(r) for r in lines(path)])
        found = [(without_roles(p), w, k) for p, w, k in pairs(path)]
        assert done.n_written == len(found)
        if trainer == "trl":
            assert found == wanted
        else:
            left = iter(wanted)
            assert all(pair in left for pair in found)


def of_swift(row: dict[str, Any]) -> dict[str, Any]:
    rejected = row["rejected_response"]
    if isinstance(rejected, str):
        rejected = [{"role": "assistant", "content": rejected}]
    n = len(row["messages"]) - (1 if len(rejected) == 1 else len(rejected))
    chosen = row["messages"][n:]
    return {"prompt": row["messages"][:n], "chosen": chosen, "rejected": rejected}


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"type": "function", "function": {"name": "look", "arguments": {"at": "it"}}}],
}
CONVERSATION = {
    "prompt": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look at it. "},
        CALL,
        {"role": "tool", "name": "look", "content": "seen"},
    ],
    "chosen": [{"role": "assistant", "content": " It is there.\n"}],
    "rejected": [{"role": "assistant", "content": "No."}],
    "tools": [TOOL],
    "margin": 0.5,
}


def test_tools_system_and_white_space_are_kept() -> None:
    put("in.jsonl", [CONVERSATION])
    for trainer in TRAINERS[:2]:
        cr.export("in.jsonl", "out.jsonl", to=trainer, **PLAIN)
        (row,) = lines("out.jsonl")
        for name in ("prompt", "chosen", "rejected", "margin"):
            assert row[name] == CONVERSATION[name]
    cr.export("in.jsonl", "trl.jsonl", to="trl", **PLAIN)
    assert json.loads(lines("trl.jsonl")[0]["tools"]) == [TOOL]
    cr.export("in.jsonl", "swift.jsonl", to="ms-swift", **PLAIN)
    (row,) = lines("swift.jsonl")
    assert row["messages"] == [*CONVERSATION["prompt"], *CONVERSATION["chosen"]]
    assert row["rejected_response"] == "No."
    assert json.loads(row["tools"]) == [TOOL]
    done = cr.export("in.jsonl", "llama.jsonl", to="llama-factory", **PLAIN)
    (row,) = lines("llama.jsonl")
    assert [t["from"] for t in row["conversations"]] == [
        "system", "human", "function_call", "observation",
    ]  # fmt: skip
    assert json.loads(row["conversations"][2]["value"]) == [
        {"name": "look", "arguments": {"at": "it"}}
    ]
    assert row["chosen"] == {"from": "gpt", "value": " It is there.\n"}
    assert any("margin" in note for note in done.notes)
    info = json.loads(Path("dataset_info.json").read_text())["llama"]
    assert info["file_name"] == "llama.jsonl"
    assert info["ranking"] is True
    assert info["columns"]["tools"] == "tools"
    with pytest.raises(cr.ComputeError, match="1 tool_calls"):
        cr.export("in.jsonl", "axolotl.jsonl", to="axolotl", **PLAIN)


def test_an_implicit_prompt_is_found(run: Run) -> None:
    """Message lists and written-out transcripts that begin alike, beside a row with a prompt."""
    hh = "\n\nHuman: Why is it so?\n\nAssistant:"
    ask = {"role": "user", "content": "Why is it so?"}
    put("a.jsonl", [{"chosen": f"{hh} It is good.", "rejected": f"{hh} It is bad."}])
    put(
        "b.jsonl",
        [
            {
                "chosen": [ask, {"role": "assistant", "content": "It is good."}],
                "rejected": [ask, {"role": "assistant", "content": "It is bad."}],
            }
        ],
    )
    for name in ("a.jsonl", "b.jsonl"):
        cr.export(name, "out.jsonl", to="trl", **PLAIN)
        (row,) = lines("out.jsonl")
        prompt = row["prompt"]
        assert prompt in ([ask], "Why is it so?")
        said = row["chosen"] if isinstance(row["chosen"], str) else row["chosen"][0]["content"]
        assert said.strip() == "It is good."


def test_texts_alone_stay_texts_and_ties_go() -> None:
    rows = [
        {"prompt": "Why?", "response_a": "good\n", "response_b": " bad", "winner": "model_b"},
        {"prompt": "Who?", "response_a": "some", "response_b": "none", "winner": "tie"},
    ]
    put("in.jsonl", rows)
    done = cr.export("in.jsonl", "out.jsonl", to="trl", **PLAIN)
    assert lines("out.jsonl") == [
        {"prompt": "Why?", "chosen": " bad", "rejected": "good\n", "cr_weight": 1.0}
    ]
    assert {k: (r.n_rows, r.places) for k, r in done.left_out.items()} == {
        "tie": (1, ["in.jsonl:2"])
    }
    assert (done.n_read, done.n_written) == (2, 1)


def test_weights_of_pairs_hold_the_mass_of_the_data() -> None:
    """A trainer's layout has no field for it. Mean 1 over what was decided."""
    rows = [
        {"prompt": f"p{i} q r", "chosen": f"a{i} b c", "rejected": f"d{i} e f", "weight": w}
        for i, w in enumerate([1.0, 3.0, 2.0])
    ]
    put("in.jsonl", rows)
    cr.export("in.jsonl", "out.jsonl", to="trl", row_weights="weight", **PLAIN)
    assert [r["cr_weight"] for r in lines("out.jsonl")] == [0.5, 1.5, 1.0]


def test_lists_become_pairs_on_request() -> None:
    row = {
        "prompt": "Why?",
        "answers": [{"answer": t, "rank": r} for t, r in (("x one", 2), ("y two", 1), ("z", 3))],
    }
    put("in.jsonl", [row])
    with pytest.raises(cr.ComputeError, match="1 no_pair") as caught:
        cr.export("in.jsonl", "out.jsonl", to="trl", **PLAIN)
    assert "--expand-choices" in str(caught.value.next_step)
    cr.export("in.jsonl", "out.jsonl", to="trl", expand_choices=True, **PLAIN)
    found = {(r["chosen"], r["rejected"]) for r in lines("out.jsonl")}
    assert found == {("y two", "x one"), ("y two", "z"), ("x one", "z")}


def test_a_conversation_that_a_loader_drops_is_counted() -> None:
    put(
        "in.jsonl",
        [
            CONVERSATION | {"prompt": [{"role": "user", "content": "a"}] * 2},
            {
                **CONVERSATION,
                "prompt": [{"role": "user", "content": "b"}],
                "chosen": [CALL, {"role": "tool", "content": "x"}, *CONVERSATION["chosen"]],
            },
            CONVERSATION | {"prompt": [{"role": "user", "content": "c"}]},
        ],
    )
    done = cr.export("in.jsonl", "o.jsonl", to="llama-factory", **PLAIN)
    assert {k: r.n_rows for k, r in done.left_out.items()} == {
        "turns_do_not_alternate": 1,
        "several_turns": 1,
    }
    with pytest.raises(cr.UsageError, match=r"dataset_info\.json stands there"):
        cr.export("in.jsonl", "o.jsonl", to="llama-factory", **PLAIN)
    cr.export("in.jsonl", "s.jsonl", to="ms-swift", **PLAIN)
    assert [len(r["rejected_response"]) for r in lines("s.jsonl")] == [1, 1, 1]


@pytest.mark.parametrize("rows", ["plain", "nested"])
def test_a_folder_opens_with_datasets(rows: str, run: Run) -> None:
    datasets = pytest.importorskip("datasets")
    given = [CONVERSATION, CONVERSATION | {"margin": None, "tools": None}]
    if rows == "plain":
        given = [{"prompt": f"p{i} q", "chosen": f"a{i} b", "rejected": f"c{i} d", "n": i,
                  "tags": ["x"], "yes: no": True, "on": None} for i in range(3)]  # fmt: skip
    put("in.jsonl", given)
    done = cr.export("in.jsonl", "folder", to="datasets", **PLAIN)
    found = datasets.load_dataset("folder", cache_dir="cache")["train"]
    assert found.num_rows == done.n_written == len(given)
    for before, after in zip(given, found, strict=True):
        for name, value in before.items():
            assert _without_nulls(after[name]) == _without_nulls(value), name
    bare = datasets.Dataset.from_parquet("folder/data/*.parquet", cache_dir="cache")
    assert set(found.features) == set(bare.features)
    card = Path("folder/README.md").read_text(encoding="utf-8")
    assert "num_examples: " + str(len(given)) in card
    assert json.loads(Path("folder/cr-audit.meta.json").read_text())["n_rows"] == len(given)
    with pytest.raises(cr.UsageError, match="stands there already"):
        cr.export("in.jsonl", "folder", to="datasets", **PLAIN)
    with pytest.raises(cr.UsageError, match="writes a folder"):
        cr.export("in.jsonl", "x.parquet", to="datasets", **PLAIN)


def test_pandas_polars_and_datasets_open_what_is_written() -> None:
    pd = pytest.importorskip("pandas")
    datasets = pytest.importorskip("datasets")
    put("in.jsonl", [CONVERSATION] * 2)
    for trainer in ("trl", "ms-swift"):
        for suffix in ("jsonl", "parquet"):
            path = f"{trainer}.{suffix}"
            cr.export("in.jsonl", path, to=trainer, **PLAIN)
            kind = "json" if suffix == "jsonl" else "parquet"
            found = datasets.load_dataset(kind, data_files=path, cache_dir="cache")["train"]
            assert found.num_rows == 2
            if suffix == "jsonl":
                assert len(pl.read_ndjson(path)) == len(pd.read_json(path, lines=True)) == 2
            else:
                assert len(pl.read_parquet(path)) == len(pd.read_parquet(path)) == 2
