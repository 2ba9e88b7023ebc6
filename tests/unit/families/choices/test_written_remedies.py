"""Rows of a way to train: fitted from outside, they give what the way was measured to give."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from list_rows import data_of, facts_of, nectar
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "cli"))
from in_process import called

KINDS = ("a", "b", "c")


def rows(n: int = 400) -> list[dict[str, Any]]:
    """Three kinds in lists of three to five; which one is wanted depends on what is offered."""
    rng = np.random.default_rng(5)
    out: list[dict[str, Any]] = []
    while len(out) < n:
        kinds = rng.integers(3, size=int(rng.integers(3, 6)))
        if np.unique(kinds).size > 1:
            utility = np.array([0.0, 0.6, 0.9])[kinds] + rng.gumbel(size=kinds.size)
            out += nectar(kinds[None], np.array([utility.argmax()]), KINDS)
    return [r | {"prompt": f"q{i}"} for i, r in enumerate(out)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    data = rows()
    path = tmp_path_factory.mktemp("remedies") / "lists.jsonl"
    path.write_text("\n".join(map(json.dumps, data)))
    return path, data


def asked(path: Path, method: str, *more: str) -> tuple[list[dict[str, Any]], str, dict[str, Any]]:
    target, report = path.parent / f"{method}.jsonl", path.parent / f"{method}.json"
    args = ["--category", "models", "--remedy", method, "--remedy-file", str(target)]
    code, _, err = called(
        ["choices", str(path), *args, "--replicates", "10", "--no-cache", "-o", str(report), *more]
    )
    assert code == 0, err
    got = [json.loads(line) for line in target.read_text().splitlines()] if target.exists() else []
    return got, err, json.loads(report.read_text())


def fitted(pairs: list[tuple[int, int, float]]) -> np.ndarray:
    """Bradley-Terry rewards of the kinds, mean 0, by minimising the weighted loss."""
    i, j, w = (np.array(x) for x in zip(*pairs, strict=True))

    def loss(b: np.ndarray) -> float:
        r = np.concatenate([[0.0], b])
        return float((w * np.log1p(np.exp(r[j.astype(int)] - r[i.astype(int)]))).sum())

    b = minimize(loss, np.zeros(len(KINDS) - 1), method="BFGS", options={"gtol": 1e-9}).x
    r = np.concatenate([[0.0], b])
    return np.asarray(r - r.mean())


@pytest.mark.parametrize(
    "method", ["all-pairs", "one-pair-per-list", "weighted-pairs", "balanced-pairs"]
)
def test_pairs_give_the_rewards_that_were_measured(
    written: tuple[Path, list[dict[str, Any]]], method: str
) -> None:
    path, _ = written
    got, _, document = asked(path, method)
    measured = next(m for m in document["choices"]["remedies"]["methods"] if m["method"] == method)
    at = {name: i for i, name in enumerate(KINDS)}
    across = [
        (at[r["chosen_model"]], at[r["rejected_model"]], r["weight"])
        for r in got
        if r["chosen_model"] != r["rejected_model"]
    ]
    rewards = dict(zip(measured["order"], measured["rewards"], strict=True))
    np.testing.assert_allclose(fitted(across), [rewards[k] for k in KINDS], atol=2e-5)
    assert len(got) == measured["n_rows"]


def test_every_pair_is_a_choice_of_its_row(written: tuple[Path, list[dict[str, Any]]]) -> None:
    path, data = written
    got, _, _ = asked(path, "weighted-pairs")
    total = np.zeros(len(data))
    for r in got:
        line = int(r["row"].rsplit(":", 1)[1])
        row = data[line - 1]
        rank = {a["answer"]: a["rank"] for a in row["answers"]}
        assert r["prompt"] == row["prompt"]
        assert (rank[r["chosen"]], rank[r["rejected"]]) == (1, 2)
        total[line - 1] += r["weight"]
    np.testing.assert_allclose(total, 1.0, atol=1e-8)


def test_lists_carry_the_offset_that_gives_a_kind_one_weight(
    written: tuple[Path, list[dict[str, Any]]],
) -> None:
    path, data = written
    got, _, document = asked(path, "clone-weighted-lists")
    methods = document["choices"]["remedies"]["methods"]
    measured = next(m for m in methods if m["method"] == "clone-weighted-lists")
    at = {name: i for i, name in enumerate(KINDS)}
    assert [r["responses"] for r in got] == [[a["answer"] for a in r["answers"]] for r in data]

    def loss(b: np.ndarray) -> float:
        r, out = np.concatenate([[0.0], b]), 0.0
        for row in got:
            score = r[[at[m] for m in row["response_models"]]] + np.array(row["log_offset"])
            out += np.log(np.exp(score).sum()) - float(score @ np.array(row["chosen"]))
        return out

    b = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-8}).x
    r = np.concatenate([[0.0], b])
    rewards = dict(zip(measured["order"], measured["rewards"], strict=True))
    np.testing.assert_allclose(r - r.mean(), [rewards[k] for k in KINDS], atol=1e-4)


def test_a_recommendation_without_rows_is_said(
    written: tuple[Path, list[dict[str, Any]]],
) -> None:
    path, _ = written
    got, err, document = asked(path, "recommended")
    recommended = document["choices"]["remedies"]["recommended"]
    assert bool(got) == (recommended not in ("lists-as-they-are", "nested-logit"))
    assert got or "nothing is written" in err


def test_without_kinds_there_is_nothing_to_write(tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    some = [
        {"prompt": f"q{i}", "answers": [{"answer": f"{i} {j}", "rank": j + 1} for j in (0, 1)]}
        for i in range(5)
    ]
    path.write_text("\n".join(map(json.dumps, some)))
    code, _, err = called(
        ["choices", str(path), "--model", "none", "--remedy", "all-pairs", "--no-cache", "-q"]
    )
    assert code == 4
    assert "leave out --remedy" in err


def test_what_lists_do_not_need_is_not_computed(
    written: tuple[Path, list[dict[str, Any]]],
) -> None:
    """No encoder is opened where kinds are models: with --model as by default, in a folder
    without a cache."""
    path, _ = written
    _, err, document = asked(path, "all-pairs")
    assert "distilling" not in err
    for part in ("embedding", "clones", "weights"):
        reason = document[part].get("not_applicable") or document[part].get("reason")
        assert "cr-audit scan does" in json.dumps(document[part]), (part, reason)


def test_directions_of_the_vectors_are_held_fixed() -> None:
    """Choices that follow a coordinate of the vectors: with it among the columns the kinds, which
    go along with it, say nothing any more."""
    rng = np.random.default_rng(3)
    n, k = 600, 4
    kinds = rng.integers(2, size=(n, k))
    x = kinds + rng.normal(size=(n, k))
    chosen = (1.5 * x + rng.gumbel(size=(n, k))).argmax(axis=1)
    data = data_of(nectar(kinds, chosen))
    order = {t: i for i, t in enumerate(data.alternatives["text"].to_list())}
    vectors = np.zeros((n * k, 3), np.float32)
    for i in range(n):
        for j in range(k):
            noise = 0.1 * rng.normal(size=2)
            vectors[order[f"{i} {j}"]] = [x[i, j] - 7.0, *noise]
    from cr_audit.families.choices.compute import ChoiceSettings, judge_lists
    from cr_audit.families.choices.compute.designs import directions_of
    from cr_audit.families.choices.compute.lists import lists_of
    from cr_audit.streams import stream

    lists = lists_of(data)
    found = directions_of(lists, vectors, 2)
    assert found.shape == (n * k, 2)
    raw = vectors[lists.sets.members, 0].reshape(n, k)
    centred = (raw - raw.mean(axis=1, keepdims=True)).ravel()
    assert abs(np.corrcoef(found[:, 0], centred)[0, 1]) > 0.999
    np.testing.assert_allclose(found.std(axis=0), 1.0, rtol=1e-6)
    settings = ChoiceSettings(category="models", directions=2, n_replicates=10)
    judged = judge_lists(data, settings, vectors=vectors, stream=lambda name: stream(0, name))
    assert judged.covariates.names[-2:] == ("direction 1", "direction 2")
    assert "direction 1" not in facts_of(data, category="models").covariates
