"""Kinds of prompt through the command line, on pairs with planted ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from cr_audit.contract import schema
from cr_audit.families.prompts import compute as of_prompts

Run = Callable[..., Any]
KINDS = {
    "cooking": "flour butter oven bake sugar stir bowl dough whisk minutes",
    "code": "function return variable loop array integer compile python string list",
    "travel": "hotel beach flight island museum ticket harbour train sunset luggage",
}
LONGER = {"cooking": 0.95, "code": 0.5, "travel": 0.5}
ROWS = {"cooking": 3, "code": 1, "travel": 1}
FILLER = [f"word{i}" for i in range(400)]
QUICK = ("--model", "lexical", "--weights", "uniform", "-q")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """60 prompts of each kind, each cooking one asked three times; longer answers win those. Eight
    questions about travel are copies of one, and each pair about code is judged twice alike."""
    rng = np.random.default_rng(3)

    def text(words: list[str], n: int) -> str:
        return " ".join(rng.choice(words, n).tolist())

    out = []
    for kind, own in KINDS.items():
        shared = " ".join(rng.choice(own.split(), 9).tolist() + rng.choice(FILLER, 7).tolist())
        for i in range(60):
            words = rng.choice(own.split(), 9).tolist() + rng.choice(FILLER, 7).tolist()
            prompt = " ".join(np.array(words)[rng.permutation(len(words))])
            if kind == "travel" and i < 8:
                prompt = f"{shared} {FILLER[i]}"
            for _ in range(ROWS[kind]):
                long, short = text(FILLER, 30), text(FILLER, 12)
                first = (long, short) if rng.random() < LONGER[kind] else (short, long)
                models = rng.permutation(["ant", "bee"]).tolist()
                if kind == "code":
                    models = ["bee", "ant"]
                row = {
                    "prompt": prompt,
                    "chosen": first[0],
                    "rejected": first[1],
                    "chosen_model": models[0],
                    "rejected_model": models[1],
                }
                out += [row] * (2 if kind == "code" else 1)
    return out


@pytest.fixture(scope="module")
def pairs(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "pairs.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def test_planted_kinds_what_they_hold_and_who_wins(
    run: Run, pairs: Path, rows: list[dict[str, Any]]
) -> None:
    done = run("scan", str(pairs), *QUICK, "--format", "json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    jsonschema.validate(document, schema())
    found = document["prompt_kinds"]
    assert found["judged"] == "comparison"
    assert found["agreement"] > 0.8
    assert (found["graph"]["index"], found["graph"]["n"]) == ("exact", 180)
    kinds = {}
    for kind in found["values"]:
        (name,) = [n for n, words in KINDS.items() if set(kind["words"]) <= set(words.split())]
        kinds[name] = kind
        assert kind["n_prompts"] == len(kind["members"])
    assert set(kinds) == set(KINDS)
    # Counted from the file: a prompt is of the kind whose words it holds.
    total = len(rows)
    for name, kind in kinds.items():
        own = set(KINDS[name].split())
        mine = [r for r in rows if len(own & set(r["prompt"].split())) > 2]
        assert kind["n_judged"] == len(mine)
        assert kind["judged_share"] == pytest.approx(len(mine) / total, abs=1e-6)
        assert kind["prompt_share"] == pytest.approx(1 / 3, abs=1e-6)
        won = np.mean([len(r["chosen"]) > len(r["rejected"]) for r in mine])
        assert kind["longer_wins"]["rate"] == pytest.approx(won, abs=1e-6)
        rest = [r for r in rows if r not in mine]
        others = np.mean([len(r["chosen"]) > len(r["rejected"]) for r in rest])
        assert kind["longer_wins"]["elsewhere"] == pytest.approx(others, abs=1e-6)
        led = max(np.mean([r["chosen_model"] == m for r in mine]) for m in ("ant", "bee"))
        assert kind["leader"]["rate"] == pytest.approx(led, abs=1e-6)
    assert kinds["cooking"]["longer_wins"]["q_value"] < 0.01
    assert kinds["code"]["leader"]["model"] == "bee"
    assert kinds["travel"]["copy_share"] == pytest.approx(8 / 60, abs=1e-6)
    assert kinds["cooking"]["copy_share"] == 0
    assert "not_applicable" in kinds["cooking"]["agreement"]


def test_rows_are_exported_with_the_kind_of_what_was_asked(
    run: Run, pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    done = run("export", str(pairs), "--as", "rows", "-o", str(out), *QUICK)
    assert done.code == 0, done.err
    words = json.loads(Path(f"{out}.meta.json").read_text(encoding="utf-8"))["prompt_kinds"]
    assert len(words) == 3
    for row in map(json.loads, out.read_text(encoding="utf-8").splitlines()):
        own = " ".join(words[row["cr_prompt_kind"]]).split()
        (name,) = [n for n, theirs in KINDS.items() if set(own) <= set(theirs.split())]
        assert len(set(KINDS[name].split()) & set(row["prompt"].split())) > 2


def test_the_command_says_what_leads_to_an_action(
    run: Run, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "much.jsonl"
    own = set(KINDS["cooking"].split())
    more = [
        r | {"chosen": r["chosen"] + f" more{k}"}
        for k in range(3)
        for r in rows
        if len(own & set(r["prompt"].split())) > 2
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows + more), encoding="utf-8")
    text = " ".join(run("kinds", str(path), *QUICK).out.replace("▌", "").split())
    assert "Kinds of prompt" in text
    assert "One kind of prompt, “" in text
    assert "By kind of prompt, the longer answer wins" in text
    assert "of the comparisons and 33% of the prompts" in text


def test_a_scan_in_a_terminal_shows_them_with_details_alone(
    run: Run, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    real = of_prompts.prompt_kinds_of

    def counted(*args: Any) -> Any:
        looked.append(1)
        return real(*args)

    monkeypatch.setattr(of_prompts, "prompt_kinds_of", counted)
    assert "copies of another one" not in run("scan", str(pairs), *QUICK).out
    assert not looked  # they cost as much as kinds of answer
    done = run("scan", str(pairs), *QUICK, "--details")
    assert "Kinds of prompt" in done.out
    assert "nearest of each by exact search" in done.out
    assert looked == [1]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [("", "texts of its prompts"), ("the only one", "fewer than 50 different prompts")],
)
def test_where_there_are_none_to_look_for(
    run: Run, rows: list[dict[str, Any]], tmp_path: Path, prompt: str, reason: str
) -> None:
    path = tmp_path / "pairs.jsonl"
    some = [{"prompt_id": f"p{i}"} if not prompt else {"prompt": prompt} for i in range(80)]
    held = [
        s | {"chosen": r["chosen"], "rejected": r["rejected"]}
        for s, r in zip(some, rows, strict=False)
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in held), encoding="utf-8")
    document = json.loads(run("scan", str(path), *QUICK, "--format", "json").out)
    assert reason in document["prompt_kinds"]["not_applicable"]
    done = run("scan", str(path), *QUICK, "--details")
    assert "Kinds of prompt" not in done.out
