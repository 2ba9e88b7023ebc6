"""``cr-audit stress``: the answer in one sentence, the table, the JSON, hostile names, errors."""

from __future__ import annotations

import csv
import json
from typing import Any

import jsonschema
import pytest
from cases import SAMPLES, jsonl, labelled

from cr_audit.contract import schema

ROBUST = str(SAMPLES / "clone_robust.jsonl")
BASE = ("stress", "--model", "lexical", "--replicates", "10", "--no-cache")


@pytest.mark.parametrize("width", [80, 120])
def test_the_answer_and_the_tables(run: Any, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    done = run(*BASE, ROBUST, "--clones", "20", "--find-flip", "--max-clones", "20")
    assert done.code == 0, done.err
    assert max(len(line) for line in done.out.splitlines()) <= width
    text = " ".join(done.out.split())
    assert "the standard ranking changes its leader (boreal-7b to atlas-2)" in text
    assert "the weighted one (sharing) does not." in text
    assert "Fewest clones that change the leader" in text
    assert "Fewest comparisons whose removal changes the leader" in text


def test_the_json_is_the_contract_with_one_part_more(run: Any) -> None:
    done = run(*BASE, ROBUST, "--clones", "5", "--format", "json", "--find-flip")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    jsonschema.validate(document, schema())
    assert document["command"] == "stress"
    part = document["stress"]
    assert part["weighted_scheme"] == "sharing"
    assert len(part["injections"]) == 3 * 2 * 5
    assert all(r["reward_shift"] <= r["certificate"] + 1e-9 for r in part["injections"])
    assert [f["scheme"] for f in part["fewest_clones"]] == ["standard", "sharing"]
    assert part["fewest_removals"][0]["rows"][0].startswith(ROBUST)
    short = run(*BASE, ROBUST, "--clones", "5", "--format", "json")
    assert run(*BASE, ROBUST, "--clones", "5", "--format", "json").out == short.out
    assert "not_applicable" in json.loads(short.out)["stress"]["fewest_clones"]


def test_hostile_names_stay_harmless(run: Any) -> None:
    names = ["\x1b[31mred", "[bold]b", "::error::c\n", "\u202ed"]
    rows = [
        labelled("Why?", f"answer {i}", f"answer {j}", (names[i], names[j]), "ab"[k % 2])
        for i in range(4)
        for j in range(i)
        for k in range(6)
    ]
    done = run(*BASE, "-", "--clones", "2", stdin=jsonl(rows))
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    assert not any(line.lstrip().startswith("::") for line in done.out.splitlines())


def test_errors(run: Any) -> None:
    single = jsonl([labelled("Why?", "because", "why not")])
    done = run(*BASE, "-", stdin=single)
    assert done.code == 4
    assert "no ranking connects three" in done.err
    assert run(*BASE, ROBUST, "--unit", "cluster").code == 2
    assert run(*BASE, ROBUST, "--clones", "0").code == 2


def test_csv_holds_every_injection(run: Any) -> None:
    done = run(*BASE, ROBUST, "--clones", "5", "--format", "csv")
    assert done.code == 0, done.err
    rows = list(csv.DictReader(done.out.splitlines()))
    document = json.loads(run(*BASE, ROBUST, "--clones", "5", "--format", "json").out)
    injections = document["stress"]["injections"]
    assert [(r["target"], r["scheme"], r["kind"]) for r in rows] == [
        (i["target"], i["scheme"], i["kind"]) for i in injections
    ]
    assert [float(r["reward_shift"]) for r in rows] == [i["reward_shift"] for i in injections]
