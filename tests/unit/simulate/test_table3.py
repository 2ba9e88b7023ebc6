"""Tables 2 and 3 against the golden values, and what the copies change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cr_audit.simulate.table3 import MAX_COPIES, table_3


def test_the_golden_rates(golden: Path) -> None:
    facts = table_3(max_copies=4)
    expected = json.loads((golden / "borda_awr.json").read_text())["cases"]
    assert len(facts.rows) == len(expected) == 4
    for row, case in zip(facts.rows, expected, strict=True):
        out = case["outputs"]
        np.testing.assert_allclose(row.borda, out["borda"][:3], atol=1e-12)
        np.testing.assert_allclose(row.average, out["awr"][:3], atol=1e-12)
        assert row.winner_average == out["winner"]
    np.testing.assert_allclose(facts.preferences, expected[0]["outputs"]["P"], atol=1e-12)


def test_the_golden_weighted_rates_and_the_mass_at_which_a_and_b_tie(golden: Path) -> None:
    facts = table_3(max_copies=4)
    cases = {c["id"]: c for c in json.loads((golden / "weighted_awr.json").read_text())["cases"]}
    shared = cases["table2_w_1|3_1|3_1|6_1|6"]["outputs"]
    for row in facts.rows:  # however many copies share c's third
        np.testing.assert_allclose(row.weighted, shared["wawr"][:3], atol=1e-12)
        assert row.winner_weighted == shared["winner"] == "a"
        np.testing.assert_allclose(row.rewards_weighted, facts.rows[0].standard, atol=1e-9)
    mass = cases["table2_flip_mass"]["outputs"]["w_c_where_a_and_b_tie"]
    assert facts.flip_mass == pytest.approx(mass, abs=1e-12)


def test_the_winner_flips_where_the_copies_pass_the_flip_mass() -> None:
    facts = table_3(max_copies=6)
    for row in facts.rows:
        beyond = row.n_copies / (row.n_copies + 2) > facts.flip_mass
        assert row.winner_average == ("b" if beyond else "a")
        assert "abc"[int(row.standard.argmax())] == row.winner_average


@pytest.mark.parametrize("copies", [0, MAX_COPIES + 1])
def test_the_number_of_copies_is_bounded(copies: int) -> None:
    with pytest.raises(ValueError, match="copies must lie"):
        table_3(max_copies=copies)
