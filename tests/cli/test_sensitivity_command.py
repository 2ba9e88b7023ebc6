"""``cr-audit sensitivity``: the sample, the contract, edge cases, hostile names, what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cases import SAMPLES, jsonl, labelled

from cr_audit.contract import schema

ROBUST = str(SAMPLES / "clone_robust.jsonl")
BASE = ("sensitivity", "--model", "none", "--replicates", "10", "--no-cache")
HOSTILE = "\x1b[31m::error::\u202e[x](y)|<b>\x00"


def rows(votes: list[tuple[str, str, str]], **more: Any) -> bytes:
    """(model, model, winner: a, b or tie) about one prompt, each pair of answers its own text."""
    return jsonl(
        labelled("Why?", f"{a} says so", f"{b} says so", (a, b), w, **more) for a, b, w in votes
    )


def document(done: Any) -> dict[str, Any]:
    assert done.code == 0, done.err
    found = json.loads(done.out)
    jsonschema.validate(found, schema())
    return found["sensitivity"]


CHAIN = [("x", "y", "a")] * 3 + [("z", "y", "a")] * 3


def test_the_sample_says_what_hangs_on_how_many_votes(run: Any) -> None:
    done = run(*BASE, ROBUST)
    assert done.code == 0, done.err
    text = " ".join(done.out.split())
    assert "leads" in text
    assert "How few votes change the answer" in text
    assert "What to collect next" in text


def test_the_json_holds_the_interval_and_its_rows(run: Any) -> None:
    part = document(run(*BASE, ROBUST, "--flip", "--format", "json"))
    assert part["flips"]
    for flip in part["flips"]:
        assert flip["lower"] >= 1
        if isinstance(flip["upper"], int):
            assert flip["lower"] <= flip["upper"]
            assert flip["rows"]
            assert flip["exact"] is (flip["lower"] == flip["upper"])
    assert {f["question"] for f in part["flips"]} >= {"leader"}


def test_a_chain_of_strong_preferences_is_found_with_its_error(run: Any) -> None:
    """x beats y, z beats y, three votes each: x against z was never asked."""
    part = document(run(*BASE, "-", "--unit", "model", "--format", "json", stdin=rows(CHAIN)))
    assert part["n_sensitive"] == 1
    pair = part["fragile"][0]
    assert pair["sensitivity"] == pytest.approx(0.25 / (0.875 * 0.125))
    assert pair["p_chain"] == pytest.approx(0.5)
    assert pair["error_dominates"]
    assert pair["n_head"] == 3
    assert len(pair["rows"]) == 3
    assert abs(pair["influence"]) < pair["sensitivity"]


@pytest.mark.parametrize(
    "votes",
    [
        [("x", "y", "a")],
        [("x", "y", "tie")] * 4,
        [("x", "y", "tie"), ("y", "z", "tie"), ("z", "x", "tie")],
        [("x", "y", "a"), ("y", "z", "a")],
        [("x", "y", "a"), ("u", "v", "b")],
        [("x", "y", "a")] * 5 + [("y", "z", "a")] * 5 + [("x", "z", "a")] * 5,
    ],
    ids=["one vote", "ties of two", "all ties", "chain", "disconnected", "unanimous"],
)
def test_shares_of_0_and_1_ties_and_single_votes_give_intervals(run: Any, votes: Any) -> None:
    for extra in ((), ("--flip",)):
        done = run(*BASE, "-", "--unit", "model", "--format", "json", *extra, stdin=rows(votes))
        document(done)
        for word in ("NaN", "Infinity", "null, null"):
            assert word not in done.out


def test_one_annotator_that_turns_the_leader_is_named_and_escaped(run: Any) -> None:
    votes = rows([("x", "y", "a"), ("y", "z", "a"), ("x", "z", "a")] * 2, annotator="honest")
    votes += rows([("y", "x", "a"), ("y", "z", "a")] * 4, annotator=HOSTILE)
    done = run(*BASE, "-", "--unit", "model", stdin=votes)
    assert done.code == 0, done.err
    assert "CR805" in done.out
    assert "\x1b[31m" not in done.out
    assert "\u202e" not in done.out


def test_a_pair_can_be_asked_for_and_a_wrong_one_says_what_to_do(run: Any) -> None:
    votes = rows([("x", "y", "a"), ("y", "z", "a"), ("x", "z", "a")] * 3)
    asked = ("-", "--unit", "model", "--pair", "x")
    part = document(run(*BASE, *asked, "--pair", "z", "--format", "json", stdin=votes))
    assert {f["question"] for f in part["flips"]} == {"leader", "pair"}
    more = document(run(*BASE, *asked, "--pair", "z", "--flip", "--format", "json", stdin=votes))
    pairs, all_pairs = ([f for f in p["flips"] if f["question"] == "pair"] for p in (part, more))
    assert pairs == all_pairs
    assert len(pairs) == 2
    done = run(*BASE, *asked, "--pair", "nobody", stdin=votes)
    assert done.code == 2
    assert "nobody" in done.err


def test_next_writes_rows_for_annotators(run: Any) -> None:
    votes = rows([("x", "y", "a"), ("y", "z", "a"), ("x", "z", "b")] * 3)
    done = run(*BASE, "-", "--unit", "model", "--next", "7", "--next-file", "t.jsonl", stdin=votes)
    assert done.code == 0, done.err
    tasks = [json.loads(line) for line in Path("t.jsonl").read_text().splitlines()]
    assert len(tasks) == 7
    for task in tasks:
        assert {task["model_a"], task["model_b"]} <= {"x", "y", "z"}
        assert task["response_a"] != task["response_b"]
        assert task["prompt"] == "Why?"


def test_two_runs_are_the_same_bytes(run: Any) -> None:
    one = run(*BASE, ROBUST, "--format", "json")
    two = run(*BASE, ROBUST, "--format", "json")
    assert one.out == two.out


def texts(n_prompts: int = 30) -> bytes:
    """Short answers win over long ones in nine of ten; three answers to each prompt."""
    made = []
    for k in range(n_prompts):
        short, middle, long = (f"yes {k}", f"perhaps it is so {k}", f"well it depends on much {k}")
        made += [
            labelled(f"q{k}", short, long, None, "b" if k % 10 == 0 else "a"),
            labelled(f"q{k}", short, middle, None, "a"),
            labelled(f"q{k}", middle, long, None, "a" if k % 3 else "b"),
        ]
    return jsonl(made)


def test_decisions_of_a_linear_reward_hang_on_counted_comparisons(run: Any) -> None:
    asked = ("sensitivity", "--model", "lexical", "--replicates", "10", "--no-cache", "--flip", "-")
    part = document(run(*asked, "--format", "json", stdin=texts()))
    decisions = part["decisions"]
    assert decisions["n"] == 30
    hanging = [h["n"] for h in decisions["n_hanging"]]
    assert hanging == sorted(hanging)
    assert len(decisions["most_fragile"]) == 5
    for d in decisions["most_fragile"]:
        assert d["lower"] >= 1
        if isinstance(d["upper"], int):
            assert d["lower"] <= d["upper"] == len(d["rows"]) or d["upper"] > 20
    assert any(isinstance(d["upper"], int) for d in decisions["most_fragile"])
    shown = run(*asked, stdin=texts()).out
    assert "Which answer a linear reward puts first" in shown


def test_decisions_say_why_they_are_not_looked_at(run: Any) -> None:
    part = document(run(*BASE, ROBUST, "--flip", "--format", "json"))
    assert "vectors" in json.dumps(part["decisions"])
    part = document(run(*BASE, ROBUST, "--format", "json"))
    assert "--flip" in json.dumps(part["decisions"])


def test_the_penalty_and_the_leader_are_those_of_refit(run: Any) -> None:
    """Two commands on one file that name different leaders would both be wrong."""
    more = ("--unit", "model", "--reward", "tabular", "--format", "json")
    part = document(run(*BASE, ROBUST, *more[:2], *more[4:]))
    other = run("refit", "--standard", *BASE[1:], ROBUST, *more)
    assert other.code == 0, other.err
    rewards = json.loads(other.out)["rewards"]
    assert part["penalty"] == rewards["penalty"]


def test_very_many_items_have_a_penalty_without_a_search(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cr_audit.analysis.penalties.MAX_SEARCHED", 2)
    part = document(run(*BASE, "-", "--unit", "model", "--format", "json", stdin=rows(CHAIN)))
    assert part["penalty"] == pytest.approx(3 / (2 * 6))


def test_where_nothing_is_to_be_collected_nothing_is_advised_to(run: Any) -> None:
    """190 to 10 between two: the votes settle it, and the report must not ask for more."""
    votes = [("x", "y", "a")] * 190 + [("x", "y", "b")] * 10
    Path("clear.jsonl").write_bytes(rows(votes))
    done = run(*BASE, "clear.jsonl", "--unit", "model")
    assert done.code == 0, done.err
    text = " ".join(done.out.split())
    assert "which the votes settle" in text or "Nothing to collect" in text
    assert "collect what says most" not in text
    assert "see how sure the other places are cr-audit refit clear.jsonl --unit model" in text
