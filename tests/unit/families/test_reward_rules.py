"""CR203 to CR207 on both sides of their boundaries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import SAMPLES, analysed

from cr_audit.analysis.refit import refit
from cr_audit.analysis.reward_facts import HeldOut, Share
from cr_audit.arrays import NotApplicable
from cr_audit.families.rewards.facts import RewardFacts
from cr_audit.families.rewards.rules import RULES
from cr_audit.findings import Finding
from cr_audit.models.rewards.moments import FitStatus


@pytest.fixture(scope="module")
def facts() -> RewardFacts:
    analysis = analysed(SAMPLES / "clone_robust.jsonl")
    return RewardFacts(analysis, refit(analysis, workers=1))


def found(facts: RewardFacts, rule: str) -> list[Finding]:
    judge = next(r for r in RULES if r.id == rule).judge
    assert judge is not None
    return list(judge(facts))


def with_rewards(facts: RewardFacts, **changes: object) -> RewardFacts:
    return replace(facts, rewards=replace(facts.rewards, **changes))  # type: ignore[arg-type]


def test_the_leader_and_the_ranks_of_the_sample(facts: RewardFacts) -> None:
    s = facts.rewards.subjects
    assert not isinstance(s, NotApplicable)
    (leader,) = found(facts, "CR203")
    assert s.names[s.ids.index(leader.subject)] == "atlas-2"
    assert leader.evidence["leader_standard"] != leader.subject
    assert leader.message.startswith("rewards: weighted, atlas-2 leads instead of boreal-7b (")
    (ranks,) = found(facts, "CR204")
    assert ranks.evidence == {"n_flagged": 2, "n_items": 7, "penalty": facts.rewards.penalty}


def test_a_change_inside_its_noise_or_without_a_weighted_fit_is_no_finding(
    facts: RewardFacts,
) -> None:
    changes = facts.rewards.changes
    assert not isinstance(changes, NotApplicable)
    quiet = replace(
        changes, marks=replace(changes.marks, marked=np.zeros_like(changes.marks.marked))
    )
    for other in (
        with_rewards(facts, changes=quiet),
        with_rewards(facts, weighted=NotApplicable("left out")),
        with_rewards(facts, changes=NotApplicable("no ranking")),
    ):
        assert not found(other, "CR203")
        assert not found(other, "CR204")


def test_each_fit_that_stopped_early_is_named(facts: RewardFacts) -> None:
    assert not found(facts, "CR205")
    early = next(status for status in FitStatus if status is not FitStatus.CONVERGED)
    r = facts.rewards
    assert not isinstance(r.weighted, NotApplicable)
    one = with_rewards(facts, weighted=replace(r.weighted, status=early))
    assert [f.subject for f in found(one, "CR205")] == ["fit:weighted"]
    both = with_rewards(one, standard=replace(r.standard, status=early))
    assert [f.subject for f in found(both, "CR205")] == ["fit:standard", "fit:weighted"]


@pytest.mark.parametrize(
    ("gain", "error", "fires"),
    [
        (-0.01, 0.0049, True),  # a percentage point, and more than two errors
        (-0.0099, 0.001, False),  # sure, but small
        (-0.05, 0.025, False),  # two errors are not more than two
        (-0.05, 0.0249, True),
        (0.05, 0.001, False),
    ],
)
def test_a_loss_of_agreement_must_be_neither_small_nor_noise(
    facts: RewardFacts, gain: float, error: float, fires: bool
) -> None:
    held = facts.rewards.held_out
    assert isinstance(held, HeldOut)
    other = with_rewards(facts, held_out=replace(held, gain=Share(gain, error)))
    assert bool(found(other, "CR206")) == fires
    undecided = replace(held, gain=Share(gain, error), n_decided=0)
    assert not found(with_rewards(facts, held_out=undecided), "CR206")


@pytest.mark.parametrize(("spare", "fires"), [(-1, False), (0, True), (1, True), (None, False)])
def test_as_many_coordinates_as_responses_are_too_many(
    facts: RewardFacts, spare: int | None, fires: bool
) -> None:
    n = facts.rewards.values_standard.size
    other = with_rewards(facts, n_coordinates=None if spare is None else n + spare)
    assert bool(found(other, "CR207")) == fires
