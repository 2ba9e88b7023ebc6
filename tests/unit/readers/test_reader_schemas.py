"""Every schema of the table with an invented row: recognised by itself, and read as what it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from reader_cases import CASES, Case

from cr_audit.data.dataset import PreferenceDataset
from cr_audit.readers import SCHEMAS, read
from cr_audit.readers.labels import LEFT, RIGHT, TIE
from cr_audit.readers.media import FIELDS
from cr_audit.readers.page import page
from cr_audit.readers.reasons import NOTED, SKIPPED
from cr_audit.readers.schemas import PROMPTS

ROOT = Path(__file__).resolve().parents[3]


def write(path: Path, rows: list[Any]) -> str:
    path.write_bytes(b"".join(orjson.dumps(r) + b"\n" for r in rows))
    return str(path)


FLAT = [(name, case) for name, cases in CASES.items() for case in cases]


def check(data: PreferenceDataset, case: Case) -> None:
    assert data.comparisons.height == case.comparisons
    assert data.choice_sets.height == case.sets
    assert data.ratings.height == case.ratings
    assert data.prompts["text"].to_list() == [case.prompt]
    assert tuple(data.alternatives["text"].to_list()) == case.texts
    for column, expected in (("model", case.models), ("key", case.keys)):
        values = tuple(data.alternatives[column].to_list())
        assert values == (expected or (None,) * len(case.texts))
    assert data.annotators == case.annotators
    if case.comparisons:
        first = data.comparisons.row(0, named=True)
        assert first["outcome"] == case.outcome
        if case.outcome == 1:
            assert first["winner"] == case.winner
        assert first["winner_first"] == case.winner_first


@pytest.mark.parametrize(("name", "case"), FLAT, ids=[n for n, _ in FLAT])
def test_a_schema_is_recognised_and_read(name: str, case: Case, tmp_path: Path) -> None:
    data = read([write(tmp_path / "rows.jsonl", [case.row])])
    match = data.report.schemas[0]
    assert (match.name, match.how, match.confidence) == (name, "detected", 1.0)
    check(data, case)
    mentioned = data.mentions.select("alternative", "line").rows()
    assert mentioned == [(i, 1) for i in range(data.n_alternatives)]


@pytest.mark.parametrize(("name", "case"), FLAT, ids=[n for n, _ in FLAT])
def test_a_schema_can_be_named(name: str, case: Case, tmp_path: Path) -> None:
    data = read([write(tmp_path / "rows.jsonl", [case.row])], schema=name)
    assert data.report.schemas[0].how == "named"
    check(data, case)


ONLY_MAPPED = {
    "parallel_lists": (
        {"q": "Why?", "said": ["good", "bad"], "points": [3, 1]},
        {"prompt": "q", "items": "said", "item_scores": "points"},
    ),
    "ordered_list": (
        {"q": "Why?", "said": ["good", "bad"]},
        {"prompt": "q", "ordered": "said"},
    ),
}


def test_every_schema_has_an_example() -> None:
    assert {*CASES, *ONLY_MAPPED} == set(SCHEMAS)
    assert len(SCHEMAS) >= 20


@pytest.mark.parametrize("name", ONLY_MAPPED)
def test_a_schema_without_names_of_its_own_is_mapped(name: str, tmp_path: Path) -> None:
    row, mapping = ONLY_MAPPED[name]
    data = read([write(tmp_path / "rows.jsonl", [row])], mapping=mapping)
    assert data.report.schemas[0].name == name
    assert data.prompts["text"].to_list() == ["Why?"]
    assert data.alternatives["text"].to_list() == ["good", "bad"]
    assert (data.comparisons.height, data.ratings.height) == (
        name == "ordered_list",
        2 * (name == "parallel_lists"),
    )


def test_ranks_are_kept_as_the_data_gives_them(tmp_path: Path) -> None:
    def ranks(name: str) -> list[int]:
        data = read([write(tmp_path / "rows.jsonl", [CASES[name][0].row])])
        sets = data.choice_set_arrays()
        assert sets.n == 1
        return sets.rank.tolist()

    assert ranks("oasst_ranked_sets") == [1, 0]
    assert ranks("nectar") == [0, 1]
    assert ranks("chosen_rejected_lists") == [0, 0, 1]
    assert ranks("choice_sets") == [0, -1]
    assert ranks("prism") == [0, -1]
    assert ranks("lm_human_preferences") == [-1, -1, 0, -1]
    assert ranks("ranked_list") == [0, 1]


def test_a_penalty_is_stored_with_its_sign_changed(tmp_path: Path) -> None:
    data = read([write(tmp_path / "rows.jsonl", [CASES["wmt_ratings"][0].row])])
    assert data.ratings.select("score", "aspect").rows() == [(-5.0, "mqm (negated)")]


def test_a_ballot_weighs_what_it_says(tmp_path: Path) -> None:
    data = read([write(tmp_path / "rows.jsonl", [CASES["ballots"][0].row])], row_weights="weight")
    assert data.choice_sets["mass"].to_list() == [2.0]


def documentation() -> str:
    return (ROOT / "docs" / "schemas.md").read_text(encoding="utf-8")


def test_the_documentation_is_made_of_the_tables() -> None:
    """``python -m cr_audit.readers.page > docs/schemas.md``"""
    assert documentation() == page()


def test_the_readme_counts_the_schemas_and_links_to_them() -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    words = {"twenty": 20, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80}
    found = re.search(r"More than (\w+) schemas are recognised .{0,40}\(docs/schemas\.md\)", text)
    assert found is not None
    assert words[found[1]] < len(SCHEMAS) <= words[found[1]] + 10


def test_every_reason_that_the_readers_state_is_documented() -> None:
    """Reasons of skipped rows and remarks, wherever the sources of readers and data state them."""
    stated = re.compile(
        r"(?:BadRow\(|Unparsed\(|notes\.append\(\(|_remark\(|Notes = \[\(|remark=\(|several = \("
        r'|_issue\(|line, \[\()\s*"([a-z_]+)"|noted\["([a-z_]+)"\]'
    )
    reasons = {
        a or b
        for folder in ("readers", "data")
        for path in (ROOT / "cr_audit" / folder).glob("*.py")
        for a, b in stated.findall(path.read_text(encoding="utf-8"))
    }
    assert len(reasons) > 50
    assert reasons <= SKIPPED.keys() | NOTED.keys()


SEEN: dict[str, dict[str, Any]] = {
    "TRL preference (explicit": CASES["chosen_rejected"][0].row,
    "conversational)": CASES["chosen_rejected"][1].row,
    "OpenRLHF": {**CASES["chosen_rejected"][0].row, "margin": 1.5},
    "axolotl": {"system": "S", "question": "Why?", "chosen": "good", "rejected": "bad"},
    "RewardBench": CASES["chosen_rejected"][3].row,
    "RM-Bench": CASES["chosen_rejected"][0].row,
    "axolotl argilla_chat": CASES["chosen_rejected_messages"][0].row,
    "LLaMA-Factory alpaca": CASES["alpaca_preference"][1].row,
    "axolotl argilla": CASES["alpaca_preference"][2].row,
    "axolotl icr": CASES["icr_preference"][0].row,
    "LLaMA-Factory sharegpt": CASES["sharegpt_preference"][0].row,
    "axolotl chat_template": CASES["sharegpt_preference"][1].row,
    "axolotl zephyr.nectar": {
        "prompt": "Why?",
        "answers": [{"answer": "good", "rank": 1}, {"answer": "bad", "rank": 2}],
    },
    "LLaMA-Factory KTO": {"instruction": "Why?", "output": "good", "kto_tag": True},
}


@pytest.mark.parametrize("trainer", SEEN)
def test_what_the_documentation_promises_of_trainers_holds(trainer: str, tmp_path: Path) -> None:
    """The rows of each named layout are read under their prompt, by a schema that names it."""
    data = read([write(tmp_path / "rows.jsonl", [SEEN[trainer]])])
    schema = SCHEMAS[data.report.schemas[0].name]
    assert trainer in schema.seen_in or schema.name == "chosen_rejected_lists"
    assert "Why?" in (data.prompts["text"][0] or "")
    assert "good" in data.alternatives["text"].to_list()
    assert "no_prompt" not in data.report.noted


@pytest.mark.parametrize("word", sorted({*LEFT, *RIGHT, *TIE}))
def test_a_documented_word_is_understood(word: str, tmp_path: Path) -> None:
    row = {"prompt": "p", "response_a": "x", "response_b": "y", "winner": word}
    data = read([write(tmp_path / "rows.jsonl", [row])])
    won = data.comparisons.row(0, named=True)
    wanted = 0.5 if word in TIE else float(word in LEFT)
    assert (0.5 if won["outcome"] == 0.5 else float(won["winner"] == 0)) == wanted


@pytest.mark.parametrize("role", PROMPTS)
def test_a_documented_name_of_a_prompt_is_found(role: str, tmp_path: Path) -> None:
    for name in PROMPTS[role]:
        if name == "input.messages":
            continue
        row = {name: "Why?", "chosen": "good", "rejected": "bad"}
        data = read([write(tmp_path / "rows.jsonl", [row])])
        assert data.prompts["text"].to_list() == ["Why?"], name


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_documented_name_of_a_medium_is_found(name: str, tmp_path: Path) -> None:
    rows = [
        {"prompt": "Why?", name: f"{i}.bin", "chosen": "good", "rejected": "bad"} for i in range(2)
    ]
    assert read([write(tmp_path / "rows.jsonl", rows)]).n_prompts == 2
