"""Files that name alternatives, read together with files that hold their texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cr_audit.data.joining import AMBIGUOUS, JOINED
from cr_audit.readers import read


def lines(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return str(path)


def votes(prompt: str) -> dict[str, object]:
    return {"session_id": prompt, "model_1": "a", "model_2": "b", "winner": "model_1", "judge": "j"}


def answers(prompt: str, model: str, text: str) -> dict[str, object]:
    return {"session_id": prompt, "generator": model, "model_output": text, "scores": {"j": 3}}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    named = lines(tmp_path / "votes.jsonl", [votes("p1"), votes("p2")])
    texts = lines(
        tmp_path / "answers.jsonl",
        [
            answers("p1", "a", "first"),
            answers("p1", "b", "second"),
            answers("p2", "a", "third"),
            answers("p2", "b", "fourth"),
        ],
    )
    return named, texts


@pytest.mark.parametrize("swap", [False, True])
def test_names_meet_their_texts_in_either_order(files: tuple[str, str], swap: bool) -> None:
    data = read(files[::-1] if swap else files)
    assert data.n_alternatives == 4
    assert data.n_prompts == 2
    assert data.report.noted[JOINED] == 4
    texts = data.alternatives["text"].to_list()
    pairs = {
        (texts[w], texts[l])
        for w, l in zip(data.comparisons["winner"], data.comparisons["loser"], strict=True)
    }
    assert pairs == {("first", "second"), ("third", "fourth")}
    prompts = data.alternatives["prompt"].to_list()
    for w, prompt in zip(data.comparisons["winner"], data.comparisons["prompt"], strict=True):
        assert prompts[w] == prompt


def test_the_identifiers_are_those_of_the_texts(files: tuple[str, str]) -> None:
    alone = set(read([files[1]]).alternatives["id"])
    assert set(read(files).alternatives["id"]) == alone


def test_provenance_names_both_files(files: tuple[str, str]) -> None:
    data = read(files)
    first = data.alternatives["text"].to_list().index("first")
    rows = data.provenance([first])[0]
    assert {row.rsplit("/", 1)[-1].split(":")[0] for row in rows} == {
        "votes.jsonl",
        "answers.jsonl",
    }


def test_two_candidates_are_left_alone_and_counted(files: tuple[str, str], tmp_path: Path) -> None:
    more = lines(tmp_path / "more.jsonl", [answers("p1", "a", "another answer of a")])
    data = read([*files, more])
    assert data.report.noted[AMBIGUOUS] == 1
    assert data.report.noted[JOINED] == 3
    assert data.alternatives["text"].null_count() == 1


def test_a_key_that_only_happens_to_be_equal_joins_nothing(tmp_path: Path) -> None:
    pair = {
        "question_id": "p1",
        "question": "What is this?",
        "model_1": "x",
        "answer_1": "one",
        "model_2": "y",
        "answer_2": "two",
        "winner": "model_1",
        "reviewer": "r",
    }
    data = read(
        [
            lines(tmp_path / "votes.jsonl", [votes("p1")]),
            lines(tmp_path / "texts.jsonl", [pair]),
        ]
    )
    assert JOINED not in data.report.noted
    assert data.n_alternatives == 4


def test_wildbench_judgements_find_the_answers(shared_data: Path) -> None:
    folder = shared_data / "wildbench_scores"
    names = ["pairs_ids_only.shared.jsonl.gz", "responses.shared.jsonl.gz"]
    data = read([str(folder / n) for n in names])
    assert (data.n_alternatives, data.n_prompts) == (11_010, 735)
    assert data.alternatives["text"].null_count() == 0
    assert data.comparisons.height == 95_266
