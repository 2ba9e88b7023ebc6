"""``--paraphrase-fpr``: paraphrases in scan and clones, with threshold, counts and reasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.paraphrase.sets import invented
from cr_audit.contract import schema

Run = Callable[..., Any]
QUICK = ("--model", "none", "--weights", "uniform", "--replicates", "10", "-q")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Answers of three models to thirty prompts, the first one's once more in other words by
    itself; and the same rows without names."""
    rows = []
    for r in invented():
        texts = {"one": r["original"], "two": r["others"][0], "three": r["others"][1]}
        pairs = [(a, b, texts[a], texts[b]) for a, b in (("one", "two"), ("two", "three"),
                                                         ("three", "one"))]  # fmt: skip
        pairs.append(("one", "two", r["middle"], texts["two"]))
        rows += [
            {"prompt": r["prompt"], "model_a": a, "model_b": b, "response_a": x,
             "response_b": y, "winner": "model_a"}
            for a, b, x, y in pairs
        ]  # fmt: skip
    folder = tmp_path_factory.mktemp("paraphrases")
    unnamed = [
        {"prompt": r["prompt"], "chosen": r["response_a"], "rejected": r["response_b"]}
        for r in rows
    ]
    out = {}
    for name, some in (("named", rows), ("unnamed", unnamed)):
        out[name] = folder / f"{name}.jsonl"
        out[name].write_text("".join(json.dumps(x) + "\n" for x in some), encoding="utf-8")
    return out


def test_found_with_threshold_and_counts(run: Run, files: dict[str, Path]) -> None:
    done = run("scan", str(files["named"]), *QUICK, "--paraphrase-fpr", "0.05", "--format", "json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    jsonschema.validate(document, schema())
    found = document["paraphrases"]
    # one, two, three among each other, and the rewrite (of model one) against two and three.
    assert found["n_independent"] == 30 * 5
    assert found["n_above"] <= 0.05 * found["n_independent"]
    assert found["held_out"]["n_pairs"] == found["n_independent"]
    assert found["n_other"] == 30
    assert found["n_other_found"] >= 27
    assert len(found["clusters"]) >= 27
    said = [f for f in document["findings"] if f["rule"] == "CR107"]
    assert len(said) == 1
    assert said[0]["evidence"]["n_found"] == found["n_other_found"]
    assert document["settings"]["paraphrase_fpr"]["value"] == 0.05


def test_shown_by_clones(run: Run, files: dict[str, Path]) -> None:
    done = run("clones", str(files["named"]), *QUICK, "--paraphrase-fpr", "0.05")
    assert "Paraphrases" in done.out
    assert "of 150 pairs of answers of different models lie above it" in done.out
    assert "without vectors" in done.out


def test_says_so_where_nothing_is_known_to_be_independent(run: Run, files: dict[str, Path]) -> None:
    done = run(
        "scan", str(files["unnamed"]), *QUICK, "--paraphrase-fpr", "0.05", "--format", "json"
    )
    reason = json.loads(done.out)["paraphrases"]["not_applicable"]
    assert "no response names the model" in reason
    few = run("scan", str(files["named"]), *QUICK, "--paraphrase-fpr", "0.01", "--format", "json")
    assert "takes 500" in json.loads(few.out)["paraphrases"]["not_applicable"]


def test_off_unless_asked_for(run: Run, files: dict[str, Path]) -> None:
    done = run("scan", str(files["named"]), *QUICK, "--format", "json")
    document = json.loads(done.out)
    assert "--paraphrase-fpr" in document["paraphrases"]["not_applicable"]
    assert not [f for f in document["findings"] if f["rule"] == "CR107"]
    bad = run("scan", str(files["named"]), "--paraphrase-fpr", "2")
    assert bad.code == 2
