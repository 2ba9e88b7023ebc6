"""``export --dry-run``: what a trainer's loader reads, drops or reverses, on rows of many kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

import cr_audit as cr
from cr_audit.export import TRAINERS
from cr_audit.export.loaders import FATES, LOADERS
from tests.cli.conftest import Run

ASK = {"role": "user", "content": "Why is it so?"}
GOOD, BAD = ({"role": "assistant", "content": t} for t in ("good answer", "bad answer"))
SYSTEM = {"role": "system", "content": "Be kind."}


def seen(rows: list[dict[str, Any]], trainer: str, **more: Any) -> tuple[Any, Any]:
    """Fates by field and rows by outcome."""
    Path("in.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in rows))
    found = cr.dry_run("in.jsonl", trainer, max_skipped=1.0, **more).to_dict()["dry_run"]
    assert found["n_rows"] == len(rows) == sum(o["n_rows"] for o in found["outcomes"])
    return (
        {f["field"]: f["fate"] for f in found["fields"]},
        {o["outcome"]: o["n_rows"] for o in found["outcomes"]},
    )


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_list_of_which_the_two_worst_are_taken() -> None:
    answers = [
        {"answer": t, "rank": r} for t, r in (("a b", 2), ("c d", 1), ("e f", 3), ("g h", 4))
    ]
    fates, outcomes = seen([{"prompt": "Why?", "answers": answers}], "axolotl")
    assert fates["answers"] == "sorted"
    assert outcomes == {"worst_two": 1}
    two = [{"prompt": "Why?", "answers": answers[:2]}]
    assert seen(two, "axolotl")[1] == {"reversed": 1}


def test_a_system_prompt_that_vanishes() -> None:
    row = {"system": "Be kind.", "prompt": "Why?", "chosen": "good one", "rejected": "bad one"}
    for trainer in ("trl", "openrlhf"):
        fates, outcomes = seen([row], trainer)
        assert fates["system"] == "dropped"
        assert outcomes == {"prompt_differs": 1}
    assert seen([row], "axolotl")[1] == {"same": 1}
    whole = {"prompt": [SYSTEM, ASK], "chosen": [GOOD], "rejected": [BAD]}
    assert seen([whole], "trl")[1] == {"same": 1}


def test_a_margin_that_is_lost() -> None:
    row = {"prompt": "Why?", "chosen": "good one", "rejected": "bad one", "margin": 0.5}
    assert seen([row], "trl")[0]["margin"] == "reward_only"
    assert seen([row], "axolotl")[0]["margin"] == "dropped"
    assert seen([row], "llama-factory")[0]["margin"] == "dropped"


def test_rows_of_which_a_loader_makes_nothing() -> None:
    mixed = {"prompt": "Why is it so?", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}
    assert seen([mixed], "trl")[1] == {"prompt_and_answers_differ_in_kind": 1}
    assert seen([mixed], "llama-factory")[1] == {"answers_are_no_texts": 1}
    assert seen([mixed], "ms-swift")[1] == {"no_rejected_response": 1}
    assert seen([mixed], "axolotl")[1] == {"same": 1}
    longer = {**mixed, "chosen": [ASK, BAD, ASK, GOOD], "rejected": [ASK, BAD, ASK, BAD]}
    assert seen([longer], "axolotl")[1] == {"other_pair": 1}
    arena = {"prompt": "Why?", "response_a": "x y", "response_b": "z w", "winner": "model_a"}
    for trainer in TRAINERS:
        assert set(seen([arena], trainer)[1]) <= {"column_missing", "no_rejected_response"}


def test_a_tie_that_is_trained_on_as_a_preference() -> None:
    rows = [
        {"prompt": "Why?", "chosen": "x y", "rejected": "z w", "is_tie": tie}
        for tie in (True, False)
    ]
    assert seen(rows, "trl")[1] == {"tie": 1, "same": 1}


@pytest.mark.parametrize("trainer", TRAINERS)
def test_what_is_exported_is_read_as_it_is_meant(trainer: str) -> None:
    """The layouts and the loaders are of one mind: every row that --as writes is the same pair."""
    rows = [
        {"prompt": [SYSTEM, ASK], "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": [ASK, BAD, ASK], "chosen": [GOOD], "rejected": [BAD]},
    ]
    Path("src.jsonl").write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in rows))
    cr.export("src.jsonl", "out.jsonl", to=trainer, model="none", weights="uniform")
    written = [orjson.loads(x) for x in Path("out.jsonl").read_bytes().splitlines()]
    route = LOADERS[trainer].route(set(written[0]))
    for row in written:
        made = route.load(row)
        assert (made.chosen, made.rejected) == ("good answer", "bad answer")
        assert "Why is it so?" in made.prompt
        assert set(row) - set(route.reads) == {"cr_weight"}
    assert "Be kind." in route.load(written[0]).prompt


def test_nothing_is_written_and_every_word_is_known(run: Run) -> None:
    rows = [{"prompt": "Why?", "chosen": "good one", "rejected": "bad one"}]
    Path("in.jsonl").write_bytes(orjson.dumps(rows[0]) + b"\n")
    before = sorted(p.name for p in Path().iterdir())
    for trainer in TRAINERS:
        done = run("export", "in.jsonl", "--dry-run", trainer, "--format", "json")
        assert done.code == 0, done.err
        part = json.loads(done.out)["dry_run"]
        assert part["version"] == LOADERS[trainer].version
        assert run("export", "in.jsonl", "--dry-run", trainer).code == 0
    assert [p for p in sorted(p.name for p in Path().iterdir()) if p != "cache"] == before
    for loader in LOADERS.values():
        for route in loader.routes:
            assert set(route.reads.values()) <= set(FATES)
            assert loader.version
            assert route.where.endswith(".py")
