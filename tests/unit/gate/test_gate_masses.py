"""Weights of rows and hidden texts: what a batch does with them, and what a scan says."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from cases import audited, jsonl, labelled, lexical
from gate_cases import compared, tournament

from cr_audit.analysis import Settings
from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.findings import Finding
from cr_audit.gate.agreement import contradictions
from cr_audit.gate.compare import BatchEffect, compare
from cr_audit.gate.judge import judge
from cr_audit.gate.masses import masses
from cr_audit.gate.policy import shipped
from cr_audit.models.rankings.added import HEAVY, effect_of_added_rows
from cr_audit.readers import read

STRENGTHS = {"one answer about rivers": 3.0, "two words on mountains": 2.0, "a third on lakes": 1.0}
FIRST, LAST = "one answer about rivers", "a third on lakes"


def weighed(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> BatchEffect:
    sets = [read(["-"], stdin=io.BytesIO(jsonl(rows)), row_weights="weight") for rows in (old, new)]
    chosen = Settings(model="lexical", n_replicates=200)
    return compare(*sets, chosen, backend_for=lambda data: lexical())


def found(effect: BatchEffect, rule: str) -> list[Finding]:
    return [f for f in judge(effect, shipped("default")) if f.rule == rule]


def baseline() -> list[dict[str, Any]]:
    return tournament(STRENGTHS, 20, weight=1.0)


def flipped(weight: float) -> list[dict[str, Any]]:
    return [labelled("Why?", LAST, FIRST, None, "a", weight=weight)] * 2 + tournament(
        STRENGTHS, 10, weight=1.0
    )


def test_a_row_that_outweighs_the_baseline_fails() -> None:
    effect = weighed(baseline(), flipped(100.0))
    (finding,) = found(effect, "CR620")
    assert finding.severity == "error"
    assert finding.evidence["heaviest"] == 100.0
    assert finding.evidence["heaviest_before"] == 1.0
    assert finding.rows == ("-:1",)
    n = len(baseline()) + len(flipped(1.0)) - 2
    assert finding.evidence["largest_share"] == pytest.approx(100.0 / (n + 200.0))


def test_a_whole_batch_that_weighs_more_fails() -> None:
    heavy = [{**r, "weight": 4.0} for r in tournament(STRENGTHS, 10)]
    (finding,) = found(weighed(baseline(), heavy), "CR620")
    assert finding.evidence["mean"] == 4.0
    assert not found(weighed(baseline(), [{**r, "weight": 3.0} for r in heavy]), "CR620")


def test_weights_alike_are_no_finding() -> None:
    rng = np.random.default_rng(5)
    effect = weighed(
        [
            {**r, "weight": float(w)}
            for r, w in zip(baseline(), rng.lognormal(0, 1, 60), strict=True)
        ],
        [
            {**r, "weight": float(w)}
            for r, w in zip(tournament(STRENGTHS, 5), rng.lognormal(0, 1, 15), strict=True)
        ],
    )
    assert not isinstance(masses(effect.after.dataset, 1), NotApplicable)
    assert not found(effect, "CR620")


def test_without_being_asked_no_row_is_heavy() -> None:
    effect = compared(baseline(), flipped(1e300))
    assert isinstance(masses(effect.after.dataset, 1), NotApplicable)
    assert set(effect.after.dataset.comparisons["mass"].to_list()) == {1.0}


def against(weights: list[float], flips: list[bool]) -> Any:
    """One pair, 40 rows of the baseline for the first; rows of the batch with these weights."""
    winner = np.array([0] * 40 + [int(f) for f in flips])
    mass = np.array([1.0] * 40 + weights)
    rows = Comparisons.of(2, winner, 1 - winner, np.ones(winner.size), mass)
    return contradictions(rows, np.arange(winner.size) >= 40, np.arange(2))


def test_contradictions_count_mass() -> None:
    weights, flips = [1.0] * 57 + [100.0] * 3, [False] * 57 + [True] * 3
    c = against(weights, flips)
    assert c.by_mass.share == pytest.approx(300.0 / 357.0)
    assert c.by_mass.n_effective == pytest.approx(357.0**2 / (57.0 + 3e4))
    assert c.by_mass.expected == pytest.approx(c.expected)
    # Two of the four effective rows are surely against a pair that never was.
    assert c.by_mass.p_value < 0.01
    plain = against([2.0] * 60, flips)
    assert isinstance(plain.by_mass, NotApplicable)
    assert plain.p_value > c.by_mass.p_value


def test_heavy_rows_for_the_baseline_hide_nobody() -> None:
    c = against([100.0, *([1.0] * 40)], [False] + [True] * 40)
    assert c.share > 0.9
    assert c.by_mass.share == pytest.approx(40.0 / 140.0)
    assert c.p_value < 1e-6


def heavy_flip(weight: float) -> Any:
    """Ten rows say 0 beats 1, one row of the batch with this weight says the opposite."""
    rng = np.random.default_rng(3)
    winner = np.concatenate([rng.choice([0, 0, 0, 1], 30), rng.integers(0, 3, 60), [1]])
    loser = np.where(winner == 0, 1, 0)
    loser[30:90] = (winner[30:90] + rng.integers(1, 3, 60)) % 3
    loser[-1] = 0
    mass = np.append(np.ones(90), weight)
    rows = Comparisons.of(3, winner, loser, np.ones(91), mass)
    added = np.arange(91) >= 90
    return effect_of_added_rows(
        rows, added, weights=None, n_replicates=300, rng=np.random.default_rng(1)
    )


def test_the_error_of_a_heavy_row_hides_nothing() -> None:
    light, heavy = heavy_flip(HEAVY), heavy_flip(1000.0)
    assert not light.average.beyond_noise[1]
    assert heavy.average.beyond_noise[1]
    assert heavy.average.change[1] > light.average.change[1]
    assert heavy.average.error[1] < light.average.error[1]


PAGE = (
    "<div class='a very long list of classes that nobody reads' id='seven eight nine ten'>yes</div>"
)


def honest(k: int) -> str:
    return f"answer number {k} speaks of {k * 7919 % 101} rivers and {k * 104729 % 89} lakes"


def test_hidden_content_of_a_batch_is_told() -> None:
    old = [labelled("Why?", honest(k), honest(k + 1), None, "a") for k in range(60)]
    new = [labelled("Why?", PAGE.replace("seven", str(k)), honest(k), None, "a") for k in range(6)]
    effect = compared(old, new, model="none")
    (finding,) = found(effect, "CR619")
    assert finding.severity == "warning"
    assert finding.evidence["n_hidden_new"] == 6
    assert finding.evidence["n_hidden_old"] == 0
    assert not found(compared(old, old[:5], model="none"), "CR619")


def test_hidden_content_as_in_the_baseline_is_none() -> None:
    def pages(first: int, n: int) -> list[dict[str, Any]]:
        return [
            labelled("Why?", PAGE.replace("seven", str(k)), honest(k), None, "a")
            for k in range(first, first + n)
        ]

    assert not found(compared(pages(0, 40), pages(40, 6), model="none"), "CR619")


def test_a_scan_tells_hidden_content_heavy_rows_and_unused_weights() -> None:
    rows = [labelled("Why?", honest(k), honest(k + 1), None, "a", weight=1.0) for k in range(20)]
    rows[3] = {**rows[3], "weight": 30.0}
    rows[4] = labelled("Why?", PAGE, honest(3), None, "a", weight=1.0)
    plain = {f.rule: f for f in audited(rows, model="none")[1]}
    assert {"CR409", "CR411"} <= set(plain)
    assert "CR410" not in plain
    assert plain["CR411"].evidence["n_responses"] == 1
    assert plain["CR411"].rows == ("-:5",)
    asked = {f.rule: f for f in audited(rows, model="none", reading={"row_weights": "weight"})[1]}
    assert "CR409" not in asked
    assert asked["CR410"].evidence["largest_share"] == pytest.approx(30.0 / 49.0)
    assert asked["CR410"].evidence["n_effective"] == pytest.approx(49.0**2 / 919.0)
    assert asked["CR410"].rows == ("-:4",)
