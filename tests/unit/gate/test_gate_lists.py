"""CR711 and CR712: batches of lists that turn the order of two kinds, or give the wrong one."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gate_cases import TODAY

from cr_audit.analysis import Settings
from cr_audit.arrays import NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.gate.compare import compare
from cr_audit.gate.judge import judge
from cr_audit.gate.policy import shipped
from cr_audit.gate.verdict import decide
from cr_audit.readers import read


def lists(seed: int, n: int, size: int, offered: float, liked: float) -> PreferenceDataset:
    """Dichotomy lists of Nectar's shape: ``liked`` of the judges want the brief model's answer."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for i in range(n):
        brief = rng.random(size) < offered
        brief[0], brief[1] = True, False
        brief = rng.permutation(brief)
        best = int(rng.choice(np.flatnonzero(brief == (rng.random() < liked))))
        answers = [
            {
                "answer": f"{seed} {i} {j}",
                "model": "brief" if b else "wordy",
                "rank": 1 + (j != best),
            }
            for j, b in enumerate(brief.tolist())
        ]
        rows.append({"prompt": f"q{seed} {i}", "answers": answers})
    return read(["-"], stdin=io.BytesIO("\n".join(map(json.dumps, rows)).encode()))


def found(base: PreferenceDataset, batch: PreferenceDataset) -> dict[str, Any]:
    settings = Settings(model="none", n_replicates=50)
    effect = compare(base, batch, settings, backend_for=lambda data: None)
    return {f.rule: f for f in judge(effect, shipped("default"))}


BASE, LONGER = lists(1, 150, 3, 0.5, 0.7), lists(2, 1200, 6, 0.95, 0.7)


def test_longer_lists_of_the_kind_that_is_liked_give_the_wrong_sign() -> None:
    rules = found(BASE, LONGER)
    assert "CR712" in rules
    evidence = rules["CR712"].evidence
    assert evidence["share_chosen_after"] == pytest.approx(0.7, abs=0.05)
    assert evidence["margin_before"] > 0 > evidence["margin_after"]
    assert evidence["mean_size_after"] > evidence["mean_size_before"] == 3
    assert len(rules["CR712"].rows) == 5
    assert "CR711" in rules  # the order turns too: it was the majority's before


def test_judges_who_like_the_other_kind_turn_the_order_and_no_sign_is_wrong() -> None:
    rules = found(BASE, lists(3, 900, 3, 0.5, 0.05))
    assert "CR711" in rules
    assert "“wordy” to “brief”" in rules["CR711"].message
    assert "CR712" not in rules


@pytest.mark.parametrize("seed", range(4, 12))
def test_lists_like_those_before_are_not_mentioned(seed: int) -> None:
    assert not {"CR711", "CR712"} & set(found(BASE, lists(seed, 100, 3, 0.5, 0.7)))


def test_a_baseline_that_has_the_wrong_sign_already_is_not_the_batchs_fault() -> None:
    wrong = lists(20, 1200, 6, 0.95, 0.7)
    assert "CR712" not in found(wrong, lists(21, 100, 6, 0.95, 0.7))


def test_pairs_are_left_to_the_other_rules() -> None:
    assert not {"CR711", "CR712"} & set(
        found(lists(30, 200, 2, 0.5, 0.9), lists(31, 400, 2, 0.5, 0.1))
    )


def test_the_policy_decides_what_fails() -> None:
    settings = Settings(model="none", n_replicates=50)
    effect = compare(BASE, LONGER, settings, backend_for=lambda data: None)
    for profile, fails in (("default", True), ("lenient", False)):
        policy = shipped(profile)
        verdict = decide(judge(effect, policy), policy, known=None, today=TODAY)
        assert (
            any(j.finding.rule == "CR712" and j.bin == "failing" for j in verdict.judged) is fails
        )
    off = replace(shipped("default"), severities={"CR711": None, "CR712": None})
    assert not {"CR711", "CR712"} & {f.rule for f in judge(effect, off)}
    assert isinstance(effect.ranking, NotApplicable)
