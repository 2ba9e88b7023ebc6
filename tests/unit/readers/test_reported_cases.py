"""Files after public reports, each with what it should give."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.errors import InputError
from cr_audit.readers import read

FOLDER = Path(__file__).resolve().parents[2] / "data" / "cases"


class Right(NamedTuple):
    """What a file gives."""

    prompts: int
    alternatives: int
    comparisons: int
    ties: int = 0
    ratings: int = 0
    skipped: dict[str, int] = {}  # noqa: RUF012 - never changed
    noted: dict[str, int] = {}  # noqa: RUF012 - never changed
    mapping: dict[str, str] | None = None


SIDES = {"left": "response_a", "right": "response_b", "label": "label"}
TIE = {"tie": 2}
CASES: dict[str, Right] = {
    "all_ties.csv": Right(1, 3, 12, 12, noted={"tie": 12, "duplicate_row": 9}),
    "argilla_export.jsonl": Right(2, 4, 2),
    "cr_line_ends.jsonl": Right(2, 4, 2),
    "csv_code_answer.csv": Right(2, 4, 2),
    "csv_json_messages.csv": Right(2, 4, 2),
    "csv_json_messages_prompt.csv": Right(2, 4, 2),
    "csv_semicolon.csv": Right(2, 4, 2),
    "distilabel_ultrafeedback.jsonl": Right(2, 6, 0, ratings=6),
    "gate_flipped.jsonl": Right(3, 9, 120, 2, noted=TIE),
    "gate_flipped_renamed.jsonl": Right(3, 9, 120, 2, noted=TIE),
    "helpsteer2_preference.jsonl": Right(6, 12, 6, 1, noted={"tie": 1}),
    "images_column.jsonl": Right(3, 6, 3),
    "images_yes_no.jsonl": Right(20, 40, 20),
    "invisible_characters.jsonl": Right(1, 3, 3, noted={"invisible_difference": 3}),
    "late_fields.jsonl": Right(300, 600, 300),
    "map_label_negative.jsonl": Right(
        4,
        8,
        4,
        1,
        noted={"tie": 1},
        mapping={**SIDES, "left_label": "-1", "right_label": "1", "tie_label": "0"},
    ),
    "map_label_words.jsonl": Right(
        4,
        8,
        4,
        1,
        noted={"tie": 1},
        mapping={
            **SIDES,
            "left_label": "Prefer First",
            "right_label": "Prefer Second",
            "tie_label": "No Difference",
        },
    ),
    "nan_response.jsonl": Right(300, 600, 300, skipped={"missing_text": 3}),
    "parquet_decimal.parquet": Right(6, 12, 6, noted={"weights_unused": 6}),
    "prompt_field_input.jsonl": Right(2, 4, 2),
    "prompt_renamed_late.jsonl": Right(300, 600, 300),
    "template_gemma.jsonl": Right(2, 4, 2),
    "template_none.jsonl": Right(2, 4, 2, noted={"prompt_from_prefix": 2}),
    "template_vicuna.jsonl": Right(2, 4, 2),
    "tie_at_top.csv": Right(1, 3, 18, 6, noted={"tie": 6, "duplicate_row": 15}),
    "tool_calls_arena.jsonl": Right(2, 4, 2),
    "tool_calls_empty_content.jsonl": Right(3, 6, 3),
    "tool_calls_half.jsonl": Right(4, 8, 4),
    "trajectory_prompt_lost.jsonl": Right(3, 6, 3),
}


def load(name: str, **options: Any) -> PreferenceDataset:
    return read([str(FOLDER / name)], **options)


def answers(data: PreferenceDataset) -> list[str]:
    return data.alternatives["text"].to_list()


@pytest.mark.parametrize("name", CASES)
def test_a_reported_file_gives_what_it_should(name: str) -> None:
    case = CASES[name]
    data = load(name, mapping=case.mapping)
    report = data.report
    found = Right(
        data.n_prompts,
        data.n_alternatives,
        data.comparisons.height,
        data.n_ties,
        data.ratings.height,
        report.skipped_by_reason,
        report.noted,
        case.mapping,
    )
    assert found == case


def test_every_case_is_tested() -> None:
    there = {p.name for p in FOLDER.iterdir()}
    assert there <= CASES.keys() | {"suggested_map_inverts.jsonl"}


def test_contents_of_the_cases() -> None:
    short = ["Lima", "Cusco", "The Nile", "The Thames"]
    assert answers(load("csv_json_messages.csv")) == short
    assert answers(load("csv_json_messages_prompt.csv")) == short
    for name in ("template_gemma.jsonl", "template_vicuna.jsonl"):
        assert answers(load(name)) == [f"{t}." for t in short]
    data = load("prompt_field_input.jsonl")
    assert data.prompts["text"][0] == "You are a helpful assistant.\n\nCapital of Peru?"
    data = load("parquet_decimal.parquet", row_weights="weight")
    assert data.annotators == ("7",)
    assert set(data.comparisons["mass"]) == {2.5}
    data = load("late_fields.jsonl")
    assert set(data.annotators) == {"w0", "w1", "w2"}
    assert load("late_fields.jsonl", mapping={"annotator": "annotator"}).annotators
    assert "contradictory_row" not in load("images_yes_no.jsonl").report.noted


def test_the_turned_batch_is_the_control_with_another_name() -> None:
    one, other = load("gate_flipped.jsonl"), load("gate_flipped_renamed.jsonl")
    assert one.alternatives.equals(other.alternatives)
    assert one.comparisons.equals(other.comparisons)


def test_the_advice_for_a_bare_label_does_not_turn_it() -> None:
    with pytest.raises(InputError) as caught:
        load("suggested_map_inverts.jsonl")
    step = caught.value.next_step or ""
    assert "left_label=0,right_label=1" in step
    assert "left_label=1,right_label=0" in step
    assert "chosen" not in step
    wins = []
    for left, right in (("0", "1"), ("1", "0")):
        mapping = {**SIDES, "left_label": left, "right_label": right}
        data = load("suggested_map_inverts.jsonl", mapping=mapping)
        texts = answers(data)
        wins.append(sum("answer a" in texts[w] for w in data.comparisons["winner"]))
    assert sorted(wins) == [10, 30]
