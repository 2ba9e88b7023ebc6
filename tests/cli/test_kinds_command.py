"""``cr-audit kinds`` and ``--unit kind`` on pairs with planted kinds of answer."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from cr_audit.contract import schema

Run = Callable[..., Any]
KINDS = {
    "refusal": "sorry cannot assist request unethical policy refuse decline inappropriate harm",
    "recipe": "flour butter oven bake sugar stir bowl dough whisk minutes",
    "code": "function return variable loop array integer compile python string list",
    "travel": "hotel beach flight island museum ticket harbour train sunset luggage",
}
STRENGTH = {"refusal": 3.0, "recipe": 1.0, "code": 1.0, "travel": 0.3}
FILLER = [f"word{i}" for i in range(400)]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 pairs of answers of two kinds each; the stronger kind wins the more often."""
    rng = np.random.default_rng(3)

    def text(kind: str) -> str:
        own = rng.choice(KINDS[kind].split(), 9).tolist()
        words = own + rng.choice(FILLER, 7).tolist()
        return " ".join(np.array(words)[rng.permutation(len(words))])

    rows = []
    for i in range(240):
        a, b = rng.choice(list(KINDS), 2, replace=False)
        if rng.random() > STRENGTH[a] / (STRENGTH[a] + STRENGTH[b]):
            a, b = b, a
        rows.append({"prompt": f"question {i}", "chosen": text(a), "rejected": text(b)})
    path = tmp_path_factory.mktemp("kinds") / "pairs.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


QUICK = ("--model", "lexical", "--weights", "sharing", "-q")


def test_planted_kinds_are_named_and_ranked(run: Run, pairs: Path) -> None:
    done = run("kinds", str(pairs), *QUICK, "--format", "json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    jsonschema.validate(document, schema())
    kinds = document["kinds"]["values"]
    assert len(kinds) == 4
    by_word: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        names = [n for n, words in KINDS.items() if set(kind["words"]) <= set(words.split())]
        assert len(names) == 1
        by_word[names[0]] = kind
        assert kind["n_responses"] == len(kind["members"])
        assert kind["stability"] > 0.9
    assert set(by_word) == set(KINDS)
    rate = {n: k["win_rate"]["rate"] for n, k in by_word.items()}
    assert rate["refusal"] > max(rate["recipe"], rate["code"]) > rate["travel"]
    # What the file says, counted by hand: each kind's comparisons are those that name its words.
    for name, kind in by_word.items():
        own = set(KINDS[name].split())
        won = lost = 0
        for row in map(json.loads, pairs.read_text(encoding="utf-8").splitlines()):
            won += len(own & set(row["chosen"].split())) > 2
            lost += len(own & set(row["rejected"].split())) > 2
        assert kind["win_rate"]["n_comparisons"] == won + lost
        assert kind["win_rate"]["rate"] == pytest.approx(won / (won + lost), abs=1e-6)
    assert document["kinds"]["agreement"] > 0.8
    assert "CR901" in {f["rule"] for f in document["findings"]}


def test_most_kinds_and_the_table_of_a_machine(run: Run, pairs: Path) -> None:
    done = run("kinds", str(pairs), *QUICK, "--kinds", "2", "--format", "csv")
    assert done.code == 0, done.err
    rows = list(csv.DictReader(done.out.splitlines()))
    assert len(rows) == 2
    assert {"kind", "words", "n_responses", "win_rate", "low", "high", "stability"} <= set(rows[0])


@pytest.mark.parametrize("value", ["0", "many", "1.5"])
def test_a_wrong_number_of_kinds_is_refused(run: Run, pairs: Path, value: str) -> None:
    done = run("kinds", str(pairs), *QUICK, "--kinds", value)
    assert done.code == 2
    assert "--kinds" in done.err


def test_scan_of_pairs_leads_to_the_kinds(
    run: Run, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in ("80", "120"):
        monkeypatch.setenv("COLUMNS", width)
        done = run("scan", str(pairs), *QUICK)
        assert done.code == 0, done.err
        assert max(len(line) for line in done.out.splitlines()) <= int(width)
        text = " ".join(done.out.replace("▌", "").split())
        assert "4 kinds of answer hold" in text
        assert text.index("No ranking by response") < text.index("4 kinds of answer hold")
        assert "--unit kind" in text


def test_rewards_of_kinds(run: Run, pairs: Path) -> None:
    done = run(
        "refit", str(pairs), *QUICK, "--unit", "kind", "--replicates", "50", "--format", "json"
    )
    assert done.code == 0, done.err
    document = json.loads(done.out)
    jsonschema.validate(document, schema())
    rewards = document["rewards"]
    assert rewards["unit"] == "kind"
    assert all(c["id"].startswith("kind:") for c in rewards["changes"])
    order = sorted(rewards["changes"], key=lambda c: -c["reward_standard"])
    words = {k["id"]: set(k["words"]) for k in document["kinds"]["values"]}
    assert words[order[0]["id"]] <= set(KINDS["refusal"].split())
    assert words[order[-1]["id"]] <= set(KINDS["travel"].split())


def test_where_kinds_cannot_be_a_unit(run: Run, pairs: Path) -> None:
    for args in (
        ("stress", str(pairs), "--unit", "kind"),
        ("gate", str(pairs), "--baseline", str(pairs), "--unit", "kind"),
    ):
        done = run(*args, *QUICK)
        assert done.code != 0
        assert "kind" in done.err
    done = run("winrates", str(pairs), "--model", "none", "--unit", "kind", "-q")
    assert done.code != 0
    assert "--unit kind needs two kinds of answer" in done.err
