"""``cr-audit leaderboard`` as an arena's owner meets it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hostile import HOSTILE

from cr_audit.contract import schema

Run = Callable[..., Any]
QUICK = ("--model", "none", "--replicates", "100", "-q")
STRENGTH = {"acme/one": 1.5, "acme/two": 1.4, "boreal/x": 0.0, "cirrus/y": -0.2, "dune/z": -1.5}


def arena(
    path: Path,
    n: int = 600,
    *,
    strength: dict[str, float] = STRENGTH,
    first: float = 0.0,
    ties: float = 0.2,
    long: float = 0.0,
    votes_only: bool = False,
) -> str:
    """Battles with judges and language, and texts or (``votes_only``) the order shown.

    first : log-odds of standing first. long : log-odds of the longer answer.
    """
    rng = np.random.default_rng(7)
    names = sorted(strength)
    with path.open("w", encoding="utf-8") as file:
        for k in range(n):
            a, b = rng.choice(len(names), size=2, replace=False)
            words = rng.integers(2, 40, size=2)
            lean = first + long * np.sign(words[0] - words[1])
            gap = strength[names[a]] - strength[names[b]] + lean
            p = (1 - ties) / (1 + np.exp(-gap))
            u = rng.random()
            winner = "model_a" if u < p else "model_b" if u < 1 - ties else "tie"
            row = {
                "prompt": f"question {k % 40}",
                "model_a": names[a],
                "model_b": names[b],
                "response_a": f"answer {k} a " + "word " * int(words[0]),
                "response_b": f"answer {k} b " + "word " * int(words[1]),
                "winner": winner,
                "judge": f"judge {k % 25}",
                "language": ("en", "de", "fr")[k % 3] if k % 50 else "xx",
            }
            if votes_only:
                row = {k: v for k, v in row.items() if not k.startswith(("prompt", "response"))}
            file.write(json.dumps(row) + "\n")
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return arena(tmp_path / "arena.jsonl")


def document(run: Run, *args: str) -> dict[str, Any]:
    done = run("leaderboard", *args, *QUICK, "--format", "json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_the_document_is_valid_and_the_same_twice(run: Run, file: str) -> None:
    args = ("leaderboard", file, *QUICK, "--format", "json", "--by", "language", "--owner", "name",
            "--control", "length,style")  # fmt: skip
    one, two = run(*args), run(*args)
    assert one.code == 0, one.err
    assert one.out == two.out
    made = json.loads(one.out)
    jsonschema.validate(made, schema())
    board = made["leaderboard"]["board"]
    assert board["n_battles"] == 600
    assert board["n_components"] == 1
    entries = board["entries"]
    assert [e["rank"] for e in entries] == [1, 2, 3, 4, 5]
    assert sum(e["reward"] for e in entries) == pytest.approx(0.0, abs=1e-6)
    for e in entries:
        low, high = e["rank_range"]
        assert low <= e["rank"] <= high
        assert e["interval"][0] < e["reward"] < e["interval"][1]
        assert e["elo"] == pytest.approx(1000 + 400 / np.log(10) * e["reward"], abs=1e-4)
    assert sum(e["n_wins"] for e in entries) == sum(e["n_losses"] for e in entries)
    assert sum(e["probability_first"] for e in entries) == pytest.approx(1.0)
    assert len(made["leaderboard"]["pairs"]) == 10
    for pair in made["leaderboard"]["pairs"]:
        assert pair["p_win"] + pair["p_tie"] + pair["p_loss"] == pytest.approx(1.0, abs=1e-6)


def test_two_that_cannot_be_told_apart_are_undecided(run: Run, file: str) -> None:
    done = run("leaderboard", file, *QUICK)
    assert done.code == 0
    text = " ".join(done.out.replace("▌", "").split())
    assert "The first place is undecided between" in text
    assert "acme/one" in text
    assert "CR211" in done.out
    made = document(run, file)
    assert len(made["leaderboard"]["contenders"]) == 2


def test_the_same_votes_for_two_are_a_tie(run: Run, tmp_path: Path) -> None:
    rows = []
    for other in ("m", "n"):
        for top in ("a", "b"):
            rows += [{"model_a": top, "model_b": other, "winner": "model_a"}] * 5
            rows += [{"model_a": top, "model_b": other, "winner": "model_b"}] * 2
    rows += [{"model_a": "a", "model_b": "b", "winner": "tie"}] * 6
    path = tmp_path / "tie.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    done = run("leaderboard", str(path), *QUICK, "--unit", "model")
    assert done.code == 0, done.err
    text = " ".join(done.out.replace("▌", "").split())
    assert "a and b tie for the first place" in text
    made = document(run, str(path), "--unit", "model")["leaderboard"]
    assert len(made["leaders"]) == 2
    assert [e["tied"] for e in made["board"]["entries"][:2]] == [True, True]
    first, second = (e["probability_first"] for e in made["board"]["entries"][:2])
    assert first == pytest.approx(second, abs=0.03)
    assert first + second > 0.85


def test_one_strong_model_leads(run: Run, tmp_path: Path) -> None:
    path = arena(tmp_path / "a.jsonl", strength={"a": 2.0, "b": 0.0, "c": -1.0}, ties=0.0)
    done = run("leaderboard", path, *QUICK)
    text = " ".join(done.out.replace("▌", "").split())
    assert "a leads (probability above 0.99)" in text
    assert "CR211" not in done.out


def test_the_advantage_of_standing_first_is_found(run: Run, tmp_path: Path) -> None:
    path = arena(tmp_path / "a.jsonl", 1500, first=0.8, votes_only=True)
    effect = document(run, path)["leaderboard"]["position"]
    assert effect["interval"][0] < 0.8 < effect["interval"][1]
    done = run("leaderboard", path, *QUICK, "--control", "length")
    assert "CR215" in done.out
    assert "texts are not in the data" in " ".join(done.out.split())


def test_length_is_taken_out(run: Run, tmp_path: Path) -> None:
    path = arena(tmp_path / "a.jsonl", 1500, long=1.0)
    made = document(run, path, "--control", "length,style")["leaderboard"]["controlled"]
    effects = {e["name"]: e for e in made["effects"]}
    assert set(effects) == {"length"}  # these answers hold no markdown, so nothing else varies
    assert effects["length"]["interval"][0] > 0.3
    assert made["n_left_out"] == 0


def test_a_board_for_each_language(run: Run, file: str) -> None:
    made = document(run, file, "--by", "language")["leaderboard"]
    assert made["by_field"] == "language"
    assert sorted(b["name"] for b in made["by"]) == ["de", "en", "fr"]
    assert sum(b["n_battles"] for b in made["by"]) == 588
    assert (
        "1 value with too few battles" in run("leaderboard", file, *QUICK, "--by", "language").out
    )


def test_owners_by_name_and_by_file(run: Run, file: str, tmp_path: Path) -> None:
    made = document(run, file, "--owner", "name")["leaderboard"]["vendors"]
    assert {o["owner"]: len(o["entries"]) for o in made["owners"]} == {
        "acme": 2, "boreal": 1, "cirrus": 1, "dune": 1}  # fmt: skip
    (gain,) = made["gains"]
    assert gain["owner"] == "acme"
    assert gain["n_variants"] == [1, 2, 3]
    assert gain["gain"][0] < gain["gain"][1] < gain["gain"][2]
    table = tmp_path / "owners.csv"
    table.write_text("model,owner\nboreal/x,north\ncirrus/y,north\n")
    made = document(run, file, "--owner", str(table))["leaderboard"]["vendors"]
    assert {o["owner"] for o in made["owners"]} == {"acme/one", "acme/two", "north", "dune/z"}


def test_rules_say_what_clones_do(run: Run, file: str) -> None:
    voting = document(run, file)["leaderboard"]["voting"]
    rules = {r["rule"]: r for r in voting["rules"]}
    for name in ("ranked-pairs", "schulze", "split-cycle", "maximal-lottery"):
        assert rules[name]["winners_depend"] == []
    assert sum(voting["lottery"].values()) == pytest.approx(1.0)


def test_csv_is_the_board(run: Run, file: str, tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    assert run("leaderboard", file, *QUICK, "-o", str(path)).code == 0
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert len(rows) == 5
    assert {"rank", "rank_low", "rank_high", "name", "elo", "probability_first"} <= set(rows[0])


@pytest.mark.parametrize("form", ["markdown", "html", "table"])
def test_names_are_escaped(run: Run, tmp_path: Path, form: str) -> None:
    names = {
        t: 0.1 * k for k, t in enumerate((HOSTILE[0], HOSTILE[2], "<script>alert(1)</script>"))
    }
    path = arena(tmp_path / "a.jsonl", 200, strength=names)
    done = run("leaderboard", path, *QUICK, "--format", form, "--owner", "name", "--by", "judge")
    assert done.code == 0, done.err
    assert "\x1b[5" not in done.out
    if form == "html":
        assert "<script>alert(1)" not in done.out


def test_what_cannot_be_is_told(run: Run, file: str, tmp_path: Path) -> None:
    done = run("leaderboard", file, *QUICK, "--by", "colour")
    assert done.code == 3
    assert "colour" in done.err
    done = run("leaderboard", file, *QUICK, "--control", "vibes")
    assert done.code == 2
    assert "length" in done.err
    done = run("leaderboard", file, *QUICK, "--owner", "vendor")
    assert done.code == 2
    assert "model and owner" in done.err
    single = tmp_path / "one.jsonl"
    single.write_text('{"prompt": "p", "response": "r", "score": 3}\n')
    assert run("leaderboard", str(single), *QUICK).code in (3, 4)


def test_separate_rankings_are_not_ranked_together(run: Run, tmp_path: Path) -> None:
    rows = []
    for a, b in (("a", "b"), ("c", "d"), ("c", "e")):
        rows += [{"model_a": a, "model_b": b, "winner": "model_a"}] * 8
        rows += [{"model_a": a, "model_b": b, "winner": "model_b"}] * 2
    path = tmp_path / "apart.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    made = document(run, str(path), "--unit", "model")["leaderboard"]
    entries = made["board"]["entries"]
    assert made["board"]["n_components"] == 2
    assert [(e["label"], e["component"], e["rank"]) for e in entries if e["rank"] == 1] == [
        ("c", 0, 1), ("a", 1, 1)]  # fmt: skip
    assert "not_applicable" in made["voting"]
    assert "never compared" in run("leaderboard", str(path), *QUICK, "--unit", "model").out
