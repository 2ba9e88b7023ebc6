"""The weights that are used and the paper's beside them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from cases import SAMPLES, run_of

from cr_audit.analysis import Settings, analyse
from cr_audit.analysis.growing import Growing, Memory
from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Prose, Table
from cr_audit.embed import open_backend
from cr_audit.families.weights.facts import WeightFacts
from cr_audit.families.weights.show import voronoi
from cr_audit.readers import read
from cr_audit.weights.estimates import Weights

ROBUST = SAMPLES / "clone_robust.jsonl"
CLEAN = SAMPLES / "clean.jsonl"


def facts_of(path: Any, **settings: Any) -> WeightFacts:
    made: WeightFacts = run_of(path, **settings).facts("weights")
    return made


def known(weights: Weights | NotApplicable) -> Weights:
    assert not isinstance(weights, NotApplicable)
    return weights


def test_clones_share_one_vote_and_the_paper_stands_beside_it() -> None:
    """Of three prompts with seven answers each, five are clones: 7 answers are 3 votes, so every
    clone group keeps a third of a third under the default."""
    facts = facts_of(ROBUST)
    used, paper = known(facts.analysis.weights), known(facts.voronoi)
    assert used.method == "sharing"
    assert paper.method == "voronoi"
    assert not facts.voronoi_is_used
    assert [m.members.size for m in facts.masses] == [5, 5, 5]
    for mass in facts.masses:
        assert mass.item_share == pytest.approx(5 / 21)
        assert mass.used == pytest.approx(1 / 9)
        assert mass.voronoi == pytest.approx(sum(paper.weights[i] for i in mass.members))
        variance = sum(paper.standard_error[i] ** 2 for i in mass.members)
        assert mass.error == pytest.approx(variance**0.5)
    seen = np.concatenate([m.members for m in facts.masses])
    assert np.unique(seen).size == seen.size == 15


def test_the_papers_weights_are_those_that_asking_for_them_gives() -> None:
    """To the bit, and then they are not sampled again."""
    beside = known(facts_of(ROBUST).voronoi)
    asked = facts_of(ROBUST, weights="voronoi")
    assert asked.voronoi_is_used
    assert known(asked.analysis.weights).weights.tobytes() == beside.weights.tobytes()


def test_without_vectors_neither_is_known() -> None:
    facts = facts_of(ROBUST, model="none")
    assert isinstance(facts.analysis.weights, NotApplicable)
    assert isinstance(facts.voronoi, NotApplicable)
    assert all(np.isnan(m.used) and np.isnan(m.voronoi) for m in facts.masses)


def test_data_without_clones_is_left_alone() -> None:
    facts = facts_of(CLEAN)
    weights = known(facts.analysis.weights).weights
    np.testing.assert_allclose(weights, 1 / weights.size, rtol=1e-12)
    assert facts.masses == ()
    assert np.ptp(known(facts.voronoi).weights) > 0.01, "its cells differ all the same"


@pytest.mark.parametrize("unit", ["response", "model"])
@pytest.mark.parametrize("scope", ["prompt", "dataset"])
def test_a_part_that_grows_keeps_the_width_that_was_found_in_it(unit: str, scope: str) -> None:
    """Whatever a search in all of the data would have found."""
    settings = Settings(model="lexical", unit=unit, scope=scope, n_replicates=10)
    data = read([str(ROBUST)])
    backend = open_backend("lexical")
    n = data.n_alternatives
    alone = analyse(data, settings, backend=backend, growing=Growing(np.arange(n), Memory(None)))
    found = {"width": 0.77, "strength": 0.5}
    before = known(alone.weights)
    # As if one response fewer had been weighed: only how many there are is looked at.
    fewer = dataclasses.replace(before, weights=before.weights[: n - 1], settings=found)
    units = tuple(
        dataclasses.replace(u, items=dataclasses.replace(u.items, scheme=found))
        for u in alone.units
    )
    earlier = dataclasses.replace(alone, weights=fewer, units=units)
    smaller = Growing(np.arange(n - 1), Memory(None), earlier)
    grown = analyse(data, settings, backend=backend, growing=smaller)
    weights = known(grown.weights)
    assert weights.settings["width"] == 0.77
    assert weights.settings["strength"] == 0.5
    assert weights.settings["width_found"] is False
    if unit == "model":
        assert grown.units[0].items.scheme["width"] == 0.77
    assert before.settings["width"] != 0.77


@pytest.mark.parametrize(
    ("largest", "error", "reached", "listed"),
    [
        (20.0, 9.0, False, True),  # times the average: 20 - 2 * 9 is above it
        (20.0, 9.6, False, False),
        (0.0, 9.6, True, True),  # as precise as was asked for
    ],
)
def test_cells_are_listed_where_one_is_known_to_be_larger_than_the_average(
    largest: float, error: float, reached: bool, listed: bool
) -> None:
    """A table of two hits beside millions of zeros would name answers by chance."""
    facts = facts_of(ROBUST)
    sampled = known(facts.voronoi)
    m = sampled.m
    weights = np.zeros(m)
    weights[3] = largest / m
    errors = np.full(m, error / m)
    coarse = dataclasses.replace(sampled, weights=weights, standard_error=errors, reached=reached)
    shown = voronoi(WeightFacts(facts.analysis, lambda: coarse))
    tables = [b for b in shown.blocks if isinstance(b, Table)]
    told = " ".join(line for b in shown.blocks if isinstance(b, Prose) for line in b.lines)
    assert [t.name for t in tables] == (["cluster-masses", "largest-cells"] if listed else [])
    assert ("no cell is known to be larger than the average" in told) is not listed


def test_the_rows_that_the_line_without_cells_names_can_be_taken() -> None:
    assert known(facts_of(ROBUST, sample=20000).voronoi).n_samples > 0
