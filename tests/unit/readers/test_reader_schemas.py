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
from cr_audit.readers.detect import ROLES

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


def test_every_schema_has_an_example() -> None:
    assert set(CASES) == set(SCHEMAS)
    assert len(SCHEMAS) >= 20


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
    data = read([write(tmp_path / "rows.jsonl", [CASES["ballots"][0].row])])
    assert data.choice_sets["mass"].to_list() == [2.0]


def test_the_documentation_lists_every_schema() -> None:
    text = (ROOT / "docs" / "schemas.md").read_text(encoding="utf-8")
    table = text.partition("## The table")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    names = [line.split("`")[1] for line in rows]
    assert names == list(SCHEMAS)
    for line, schema in zip(rows, SCHEMAS.values(), strict=True):
        for role in schema.needs:
            assert all(f"`{f}`" in line for f in schema.roles[role]), (schema.name, role)
        assert schema.seen_in in line
        assert schema.becomes in line


def test_the_documentation_names_every_reason() -> None:
    """Reasons of skipped rows and remarks, wherever the readers' sources state them."""
    text = (ROOT / "docs" / "schemas.md").read_text(encoding="utf-8")
    stated = re.compile(
        r'(?:BadRow\(|Unparsed\(|notes\.append\(\(|_remark\(|Notes = \[\()\s*"([a-z_]+)"'
        r'|noted\["([a-z_]+)"\]'
    )
    reasons = {
        a or b
        for path in (ROOT / "cr_audit" / "readers").glob("*.py")
        for a, b in stated.findall(path.read_text(encoding="utf-8"))
    }
    assert len(reasons) > 30
    assert sorted(r for r in reasons if f"`{r}`" not in text) == []


def test_the_documentation_names_every_role() -> None:
    text = (ROOT / "docs" / "schemas.md").read_text(encoding="utf-8")
    assert sorted(r for r in ROLES if f"`{r}`" not in text.partition("## Roles")[2]) == []
