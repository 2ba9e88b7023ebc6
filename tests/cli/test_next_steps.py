"""What an error says to do next, done: the same command with the advice taken works."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cr_audit.readers import read

NONE = ("--model", "none")
LEXICAL = ("--model", "lexical", "--replicates", "10")
PAIRS = [
    {"prompt": f"q{i}", "chosen": f"a good answer {i}", "rejected": f"a bad reply {i}"}
    for i in range(12)
]


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """Rows as JSONL in the working folder."""
    Path(name).write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


@pytest.fixture
def pairs() -> None:
    write("p.jsonl", PAIRS)


@pytest.fixture
def models() -> None:
    """Three models that meet over one prompt each time."""
    said = {"a": "a good answer", "b": "a bad reply", "c": "something else again"}
    rows = [
        {"prompt": f"q{i}", "model_a": x, "model_b": y, "winner": "model_a" if i % 3 else "model_b"}
        | {"response_a": f"{said[x]} {i}", "response_b": f"{said[y]} {i}"}
        for i in range(12)
        for x, y in (("a", "b"), ("b", "c"), ("a", "c"))
    ]
    write("p.jsonl", rows)


def renamed(**names: str) -> list[dict[str, Any]]:
    """The pairs with other names of fields."""
    return [{names.get(k, k): v for k, v in row.items()} for row in PAIRS]


def refused(run: Any, *words: str, stdin: bytes = b"", code: int | None = None) -> str:
    """The next step of a command that fails without a traceback."""
    done = run(*words, stdin=stdin)
    assert done.code in ((2, 3) if code is None else (code,)), done.err
    found = re.search(r"^  next: (.*)$", done.err, re.M)
    assert found, done.err
    return found[1]


def works(run: Any, *words: str, stdin: bytes = b"") -> str:
    done = run(*words, stdin=stdin)
    assert done.code == 0, done.err
    return str(done.out)


@pytest.mark.parametrize(
    ("wrong", "says", "right"),
    [
        (("--report", "json=-", "--report", "csv=-"), "name files", ("--report", "json=a.json")),
        (("--report", "json=a", "--report", "csv=a"), "a file for each", ("--report", "csv=a")),
        (("--report", "jsn=a"), "formats: table, json", ("--report", "json=a")),
        (("-o", "p.jsonl", "--format", "json"), "another file", ("-o", "q.json")),
        (("--config", "none.toml"), "check the path after --config", ("--config", "own.toml")),
        (("-o", "cache/x.json"), "name a file elsewhere", ("-o", "x.json")),
        (("--row-weights", "w"), "give --map mass= the name", ()),
        (("--schema", "ultrafeedback"), "leave --schema away to detect it", ()),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_options_of_a_report(
    run: Any,
    pairs: None,
    monkeypatch: pytest.MonkeyPatch,
    wrong: tuple[str, ...],
    says: str,
    right: tuple[str, ...],
) -> None:
    monkeypatch.setenv("CR_AUDIT_CACHE", str(Path("cache").absolute()))
    Path("own.toml").write_text("seed = 3\n")
    assert re.search(says, refused(run, "winrates", "p.jsonl", *NONE, *wrong))
    works(run, "winrates", "p.jsonl", *NONE, *right)


def test_a_settings_file(run: Any, pairs: None) -> None:
    own = Path("cr-audit.toml")
    own.write_text("sede = 3\n")
    assert "did you mean seed?" in refused(run, "scan", "p.jsonl", *NONE)
    own.write_text("gate = 3\n")
    assert refused(run, "scan", "p.jsonl", *NONE) == "write [gate]"
    own.write_text("seed = 3\n[gate]\n")
    works(run, "scan", "p.jsonl", *NONE)


def test_no_files(run: Any, models: None) -> None:
    step = refused(run, "refit", *LEXICAL)
    assert step == "name a file, or put files = [...] into cr-audit.toml"
    Path("cr-audit.toml").write_text('files = ["p.jsonl"]\n')
    works(run, "refit", *LEXICAL)
    Path("cr-audit.toml").unlink()
    works(run, "refit", "p.jsonl", *LEXICAL)


def test_a_record_that_cannot_be_used(run: Any, models: None, tmp_path: Path) -> None:
    works(run, "scan", "p.jsonl", *NONE)
    (record,) = [p for p in (tmp_path / "cache").iterdir() if b"p.jsonl" in p.read_bytes()]
    record.write_text("[]")
    assert refused(run, "refit", *LEXICAL) == "name a file, or delete the record"
    works(run, "refit", "p.jsonl", *LEXICAL)
    record.write_text("[]")
    record.unlink()
    assert "name a file" in refused(run, "refit", *LEXICAL)


def test_a_simulation(run: Any) -> None:
    step = refused(run, "simulate", "tabel-3")
    assert "did you mean table-3?" in step
    works(run, "simulate", "table-3")
    assert "ends in .svg" in refused(run, "simulate", "voronoi-figures", "--plot", "a.pdf")
    assert refused(run, "simulate", "table-3", "--write", "x.jsonl").startswith("cr-audit simulate")


# --- fields ------------------------------------------------------------------------------------


def test_a_field_that_is_not_there(run: Any) -> None:
    write("p.jsonl", renamed(prompt="the_question"))
    step = refused(run, "scan", "p.jsonl", *NONE, "--map", "prompt=the_qestion")
    assert step == "did you mean prompt=the_question?"
    works(run, "scan", "p.jsonl", *NONE, "--map", step.removeprefix("did you mean ").rstrip("?"))


@pytest.mark.parametrize("wanted", ["preferred", "acjected", "selected", "rejectd"])
def test_no_advice_makes_the_rejected_response_the_chosen_one(run: Any, wanted: str) -> None:
    write("p.jsonl", renamed(chosen="answer_kept"))
    step = refused(run, "scan", "p.jsonl", *NONE, "--map", f"chosen={wanted}")
    assert "chosen=rejected" not in step
    assert "chosen= the name of a field" in step
    data = read(["p.jsonl"], mapping={"chosen": "answer_kept"})
    texts = data.alternatives["text"].gather(data.comparisons["winner"])
    assert texts.str.starts_with("a good answer").all()


def test_a_role_that_is_left_open(run: Any) -> None:
    write("p.jsonl", renamed(chosen="kept", rejected="thrown"))
    step = refused(run, "scan", "p.jsonl", *NONE, "--map", "chosen=kept")
    assert step == "add rejected=FIELD to --map"
    works(run, "scan", "p.jsonl", *NONE, "--map", "chosen=kept,rejected=thrown")


def test_a_schema_that_does_not_fit(run: Any) -> None:
    write("p.jsonl", renamed(rejected="thrown"))
    step = refused(run, "scan", "p.jsonl", *NONE, "--schema", "chosen_rejected")
    assert step.startswith("add --map rejected=FIELD")
    args = ("--schema", "chosen_rejected", "--map", "rejected=thrown")
    works(run, "scan", "p.jsonl", *NONE, *args)


# --- weights -----------------------------------------------------------------------------------


def test_weights(run: Any) -> None:
    write("p.jsonl", [r | {"w": 1.0, "v": 2.0} for r in PAIRS])
    step = refused(run, "scan", "p.jsonl", *NONE, "--row-weights", "w", "--map", "mass=v")
    assert step == "name one field of weights"
    works(run, "scan", "p.jsonl", *NONE, "--row-weights", "w")
    write("bad.jsonl", [r | {"w": -1.0} for r in PAIRS])
    step = refused(run, "scan", "bad.jsonl", *NONE, "--row-weights", "w")
    assert "leave --row-weights out" in step
    works(run, "scan", "bad.jsonl", *NONE)


def test_ratings_have_no_weights(run: Any) -> None:
    rows = [{"prompt": "q", "response": f"answer {i}", "score": i, "w": 1} for i in range(6)]
    write("r.jsonl", rows)
    assert refused(run, "scan", "r.jsonl", *NONE, "--row-weights", "w") == (
        "leave --row-weights out"
    )
    works(run, "scan", "r.jsonl", *NONE)


# --- bytes -------------------------------------------------------------------------------------


def test_a_nul_is_taken_out(run: Any, pairs: None) -> None:
    if not (shutil.which("tr") and shutil.which("sh")):
        pytest.skip("needs tr and a shell")
    body = Path("p.jsonl").read_bytes().replace(b"answer 3", b"answer\x00 3")
    Path("it's.jsonl").write_bytes(body)
    step = refused(run, "scan", "it's.jsonl", *NONE)
    command = step.removeprefix("take it out: ")
    assert command.endswith("> OUT")
    assert shlex.split(command)[0] == "tr"
    subprocess.run(["sh", "-c", command], check=True)
    works(run, "scan", "OUT", *NONE)
    assert b"\x00" not in Path("OUT").read_bytes()
