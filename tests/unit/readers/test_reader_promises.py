"""Every reason and remark with an input that gives it; every next step, followed."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import CrAuditError
from cr_audit.readers import pairing_step, read, reading_mismatch
from cr_audit.readers.reasons import NOTED, SKIPPED
from cr_audit.settings import parse_map

P = {"prompt": "p", "chosen": "x", "rejected": "y"}
L = {"prompt": "p", "response_a": "x", "response_b": "y", "winner": "a"}
ARENA = {
    "model_a": "A",
    "model_b": "B",
    "winner": "model_a",
    "conversation_a": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x"}],
    "conversation_b": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "y"}],
}
KAGGLE = {
    "prompt": "p",
    "response_a": "x",
    "response_b": "y",
    "winner_model_a": 1,
    "winner_model_b": 0,
    "winner_tie": 0,
}
SCORED = {"prompt": "p", "output_a": "x", "output_b": "y", "score_a": 1, "score_b": 2}
BALLOT = {"ranking": ["A", "B"]}
PANDA = {
    "cmp_key": "a_b",
    "instruction": "p",
    "response1": "x",
    "response2": "y",
    "annotator1": 1,
    "annotator2": 1,
    "annotator3": 2,
}


class Given(NamedTuple):
    """Rows (objects, or lines as they stand), and how they are read."""

    rows: list[Any]
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed


SKIPS: dict[str, Given] = {
    "missing_label": Given([L, {**L, "winner": None}]),
    "unknown_label": Given(
        [*[{**L, "response_a": f"x{i}"} for i in range(4)], {**L, "winner": "?"}]
    ),
    "ambiguous_label": Given(
        [
            {"model_a": "B", "model_b": "C", "winner": "model_a"},
            {"model_a": "C", "model_b": "D", "winner": "model_a"},
            {"model_a": "B", "model_b": "C", "winner": "model_b"},
            {"model_a": "C", "model_b": "A", "winner": "A"},
        ]
    ),
    "identical_pair": Given([P, {**P, "rejected": "x"}]),
    "invalid_json": Given([P, "{broken}", P]),
    "nested_too_deeply": Given([P, "[" * 5000, P]),
    "not_an_object": Given([P, 7]),
    "wrong_number_of_cells": Given(["prompt,chosen,rejected", "p,x,y", "p,x"]),
    "missing_text": Given([P, {**P, "chosen": None}]),
    "missing_response": Given(
        [
            {"left": "A", "right": "B", "winner": "left"},
            {"left": None, "right": "B", "winner": "left"},
        ]
    ),
    "not_a_text": Given([P, {**P, "chosen": {"a": {"b": 1}}}]),
    "not_a_message": Given([P, {**P, "chosen": [{"role": "user"}]}]),
    "unreadable_list": Given([P, {**P, "chosen": "[{'role': 'user', 'content': x"}]),
    "not_a_number": Given([SCORED, {**SCORED, "score_a": "many"}]),
    "number_too_big": Given(
        [
            {**P, "annotator": 1},
            '{"prompt": "p", "chosen": "x", "rejected": "y", "annotator": 1e30}',
        ]
    ),
    "unknown_order": Given(
        [
            {"pair_id": "p", "judge_name": "j", "order": order, "decision": "A>B"}
            for order in ("AB", "sideways")
        ]
    ),
    "not_a_list": Given([BALLOT, {"ranking": "A"}]),
    "empty_list": Given([BALLOT, {"ranking": []}]),
    "not_parallel": Given(
        [
            {"prompt": "p", "responses": ["x", "y"], "ranks": [1, 2]},
            {"prompt": "p", "responses": ["x", "y"], "ranks": [1]},
        ]
    ),
    "not_an_order": Given(
        [{"q": "p", "a": ["x", "y"], "o": o} for o in ([0, 1], [0, 7])],
        {"mapping": {"prompt": "q", "items": "a", "item_order": "o"}},
    ),
    "not_two_scores": Given(
        [{"left": "x", "right": "y", "scores": s, "prompt": "p"} for s in ([1, 2], [1])],
        {"mapping": {"left": "left", "right": "right", "scores": "scores"}},
    ),
}
NOTES: dict[str, Given] = {
    "no_prompt": Given([{"chosen": "x", "rejected": "y", "zorp": "some words"}]),
    "prompt_part_missing": Given([{**P, "prompt": "", "input": "q"}]),
    "unused_text": Given([{**P, "zorp": "some words"}, {**P, "zorp": "other words"}]),
    "no_shared_prompt": Given(
        [
            {
                "chosen": f"\n\nHuman: p\n\nAssistant: {a}",
                "rejected": f"\n\nHuman: {q}\n\nAssistant: y",
            }
            for a, q in (("x", "p"), ("z", "q"))
        ]
    ),
    "prompt_from_prefix": Given(
        [{"chosen": "The sky is very blue", "rejected": "The sky is very red"}]
    ),
    "structured_prompt": Given([{**P, "prompt": {"a": 1, "b": 2}}]),
    "no_text": Given([{"image": "a.png", "chosen": "x", "rejected": "y"}]),
    "tie": Given([{**L, "winner": "tie"}]),
    "empty_answer": Given([{**P, "chosen": " "}]),
    "duplicate_row": Given([P, P]),
    "duplicate_rating": Given([{"prompt": "p", "response": "x", "score": 1}] * 2),
    "contradictory_row": Given([P, {"prompt": "p", "chosen": "y", "rejected": "x"}]),
    "both_orders": Given(
        [
            {**KAGGLE, "model_a": "A", "model_b": "B"},
            {**KAGGLE, "model_a": "B", "model_b": "A", "response_a": "y", "response_b": "x"},
        ]
    ),
    "rating_contradicts": Given([{**P, "score_chosen": 1, "score_rejected": 2}]),
    "invisible_difference": Given([{**P, "chosen": "the word", "rejected": "the wo\u200brd"}]),
    "prompt_looks_alike": Given([{**P, "prompt": "Why is it"}, {**P, "prompt": "Why\u200b is it"}]),
    "null_word": Given([{**P, "chosen": "nan"}]),
    "lookalike_difference": Given([{**P, "chosen": "the word", "rejected": "the wоrd"}]),
    "model_looks_alike": Given([{**KAGGLE, "model_a": "tern", "model_b": "te\u200brn"}]),
    "annotator_looks_alike": Given(
        [{**P, "annotator": "ann"}, {**P, "prompt": "q2", "annotator": "аnn"}]
    ),
    "vowel_mark_difference": Given([{**P, "chosen": "نَعَم", "rejected": "نعم"}]),
    "missing_label": Given([{**PANDA, "annotator2": None}]),
    "unknown_label": Given([{**PANDA, "annotator2": "who"}], {"max_skipped": 1.0}),
    "soft_label": Given(
        [{"instruction": "p", "output_1": "x", "output_2": "y", "preference": 1.2}]
    ),
    "weights_unused": Given([{**P, "weight": 2}]),
    "zero_weight": Given([{**P, "weight": 0}], {"row_weights": "weight"}),
    "names_shown": Given([{**ARENA, "anony": False}]),
    "left_out_by_source": Given([{**ARENA, "dedup_tag": {"high_freq": True, "sampled": False}}]),
    "later_turns_left_out": Given(
        [
            {
                **ARENA,
                "turn": 1,
                "conversation_a": ARENA["conversation_a"] + [{"role": "user", "content": "z"}],
            }
        ]
    ),
    "duplicate_key": Given(['{"prompt": "p", "prompt": "q", "chosen": "x", "rejected": "y"}']),
    "shared_line": Given([json.dumps(P) + json.dumps({**P, "chosen": "z"})]),
    "lone_surrogate": Given(['{"prompt": "p", "chosen": "\\ud800", "rejected": "y"}']),
    "non_string_text": Given([{**P, "chosen": 7}]),
    "token_ids": Given([{"query": [1], "sample0": [1], "sample1": [2], "best": 0}]),
    "models_unknown": Given([{**PANDA, "cmp_key": "a_b_c"}]),
    "single_alternative": Given([{"ranking": ["A"]}]),
    "duplicate_member": Given([{"prompt": "p", "chosen": ["x", "x"], "rejected": ["y"]}]),
    "contradictory_member": Given([{"prompt": "p", "chosen": ["x", "z"], "rejected": ["x", "y"]}]),
    "not_ranked": Given([{"ranks": {"A": 1, "B": 2, "C": None}}]),
    "skipped_rank": Given([{"ranking": ["A", "skipped", "B"]}]),
    "repeated_candidate": Given([{"ranking": ["A", "B", "A"]}]),
    "overvote": Given([{"ranking": ["A", ["B", "C"]]}]),
    "pairs_from_choice_sets": Given([BALLOT], {"expand_choices": True}),
    "pairs_from_ratings": Given(
        [{"prompt": "p", "response": t, "score": i} for i, t in enumerate("xy")],
        {"ratings_to_pairs": True},
    ),
}
IN_TESTS_OF_JOINING = {"text_joined", "ambiguous_text"}
STOPS_THE_READ = {"ambiguous_ranking"}


def load(rows: list[Any], **options: Any) -> PreferenceDataset:
    body = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows)
    return read(["-"], stdin=io.BytesIO(body.encode()), **options)


def test_every_reason_has_its_input() -> None:
    assert {*SKIPS, *STOPS_THE_READ} == SKIPPED.keys()
    assert {*NOTES, *IN_TESTS_OF_JOINING} == NOTED.keys()


@pytest.mark.parametrize("reason", SKIPS)
def test_a_row_is_skipped_for_its_reason(reason: str) -> None:
    given = SKIPS[reason]
    report = load(given.rows, max_skipped=1.0, **given.options).report
    assert report.skipped_by_reason == {reason: 1}
    (issue,) = [e for e in report.examples if e.reason == reason]
    assert issue.line >= 1


@pytest.mark.parametrize("reason", NOTES)
def test_a_row_is_kept_with_its_remark(reason: str) -> None:
    given = NOTES[reason]
    report = load(given.rows, **given.options).report
    assert report.noted.get(reason, 0) >= 1


# -- next steps


def maps_in(step: str) -> list[dict[str, str]]:
    words = shlex.split(step.replace(";", " "))
    return [m for i, w in enumerate(words) if w == "--map" and (m := parse_map(words[i + 1]))]


def refused(rows: list[Any], **options: Any) -> CrAuditError:
    with pytest.raises(CrAuditError) as caught:
        load(rows, **options)
    return caught.value


UNREADABLE: dict[str, list[Any]] = {
    "labels of nought and one": [{**L, "winner": i % 2} for i in range(6)],
    "labels of words": [{**L, "winner": w} for w in ("chat one", "chat two")],
    "labels with marks": [{**L, "winner": w} for w in ("it's 1st!?", "it's not")],
    "labels of a scale": [{**L, "winner": i} for i in range(1, 8)],
    "answers of other names": [{"prompt": "Why is it?", "yes": "It is so", "no": "It isn't"}],
    "answers and a label": [
        {"qq": "Why is it?", "botA": f"It is {i}", "botB": "No", "votes_winner": i % 2}
        for i in range(4)
    ],
    "a text and a number": [{"name": f"name {i}", "percent": i} for i in range(3)],
    "a list": [{"question": "Why?", "answer": ["It is", "No"]}],
    "a ranking": [{"prompt": "p", "responses": ["x", "y", "z"], "ranking": [2, 3, 1]}],
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_every_map_that_is_advised_reads_every_row(name: str) -> None:
    rows = UNREADABLE[name]
    maps = maps_in(refused(rows).next_step or "")
    assert maps
    for mapping in maps:
        report = load(rows, mapping=mapping).report
        assert report.rows_read == len(rows)
        assert report.rows_skipped == 0


def test_a_tie_of_schemas_gives_two_lines_that_work() -> None:
    row = {**P, "instruction": "p", "output_1": "v", "output_2": "w", "preference": 1}
    words = (refused([row]).next_step or "").split()
    names = [words[i + 1] for i, w in enumerate(words) if w == "--schema"]
    assert len(names) == 2
    texts = [load([row], schema=n).alternatives["text"].to_list() for n in names]
    assert sorted(texts) == [["v", "w"], ["x", "y"]]


def test_a_limit_that_is_advised_is_enough() -> None:
    rows = [*[{**P, "chosen": f"x{i}"} for i in range(20)], {**P, "chosen": "y"}, "{broken}", P]
    step = refused(rows).next_step or ""
    words = step.split()
    limit = float(words[words.index("--max-skipped") + 1])
    assert load(rows, max_skipped=limit).report.rows_skipped == 2


def test_reading_on_is_never_advised_for_labels() -> None:
    rows = [*[{**L, "response_a": f"x{i}"} for i in range(20)], {**L, "winner": "perhaps"}]
    error = refused(rows)
    assert error.slug == "unknown_labels"
    assert "max-skipped" not in (error.next_step or "")
    found = [load(rows, mapping=m).report for m in maps_in(error.next_step or "")]
    assert [r.rows_skipped for r in found] == [0, 0, 0, 1]  # a side, the other, a tie, nothing
    assert found[3].skipped_by_reason == {"missing_label": 1}


def test_a_name_that_is_near_is_offered_and_works() -> None:
    row = {"question": "Why?", "better": "x", "lesser": "y"}
    step = refused([row], mapping={"prompt": "qestion", "chosen": "better", "rejected": "lesser"})
    assert "prompt=question" in (step.next_step or "")
    step = refused([row], mapping={"chosen": "better"})
    assert "rejected=FIELD" in (step.next_step or "")
    step = refused([P], schema="choosen_rejected")
    assert "chosen_rejected" in (step.next_step or "")


def test_shell_lines_are_whole(tmp_path: Path) -> None:
    """What is advised for a folder, a UTF-16 file and a NUL runs in a shell as it stands."""
    import subprocess

    folder = tmp_path / "my data"
    folder.mkdir()
    (folder / "a.jsonl").write_text(json.dumps(P))
    with pytest.raises(CrAuditError) as caught:
        read([str(folder)])
    pattern = (caught.value.next_step or "").partition(": ")[2]
    done = subprocess.run(f"echo {pattern}", shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(folder / "a.jsonl")
    for name, body in (
        ("wide.jsonl", json.dumps(P).encode("utf-16")),
        ("nul.jsonl", json.dumps(P).encode() + b"\n\x00"),
    ):
        path = folder / name
        path.write_bytes(body)
        with pytest.raises(CrAuditError) as caught:
            read([str(path)])
        line = (caught.value.next_step or "").partition(": ")[2].replace("OUT", "out.jsonl")
        subprocess.run(line, shell=True, cwd=tmp_path, check=True)
        assert read([str(tmp_path / "out.jsonl")]).comparisons.height == 1


def test_data_without_pairs_is_told_how_it_is_read_as_pairs() -> None:
    ratings = [{"prompt": "p", "response": t, "score": i} for i, t in enumerate("xy")]
    for rows, option in ((ratings, "ratings_to_pairs"), ([BALLOT], "expand_choices")):
        step = pairing_step(load(rows)) or ""
        assert step.startswith("--" + option.replace("_", "-"))
        assert load(rows, **{option: True}).comparisons.height == 1
        assert pairing_step(load(rows, **{option: True})) is None


def test_two_reads_that_cannot_be_compared_are_refused() -> None:
    def report(rows: list[Any], **options: Any) -> Any:
        return load(rows, **options).report

    base = report([P])
    bare = [{"zorp": "Why is it?", "chosen": "x", "rejected": "y"}]
    error = reading_mismatch(base, report(bare))
    assert error is not None
    assert error.slug == "prompts_differ"
    assert "zorp" in (error.found or "")
    assert "--map prompt=FIELD" in (error.next_step or "")
    assert reading_mismatch(base, report(bare, mapping={"prompt": "zorp"})) is None
    assert reading_mismatch(report(bare), base) is not None
    assert (
        reading_mismatch(base, report([{"question": "p", "chosen": "x", "rejected": "y"}])) is None
    )
    system = report([{**P, "system": "Be short."}])
    assert reading_mismatch(base, system) is not None
    assert reading_mismatch(report([BALLOT]), report([BALLOT])) is None
