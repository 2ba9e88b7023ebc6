"""The refit of an analysis: choices, invariants, causes, and what does not apply."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import DISTINCT, SAMPLES, analysed, labelled
from hypothesis import given, settings
from hypothesis import strategies as st

from cr_audit.analysis import Analysis
from cr_audit.analysis.refit import refit
from cr_audit.analysis.reward_facts import Rewards
from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.errors import ComputeError, UsageError
from cr_audit.families.rewards.facts import RewardFacts
from cr_audit.families.rewards.rules import RULES
from cr_audit.models.penalty import SAME
from cr_audit.models.rewards.changes import Changes, restore_weights
from cr_audit.models.rewards.kinds.mlp import MLP
from cr_audit.models.rewards.networks import Training
from cr_audit.models.rewards.objective import moment_residual, pair_terms
from cr_audit.models.rewards.tabular import fit_tabular


def rewards_of(analysis: Analysis, **options: object) -> Rewards:
    return refit(analysis, workers=1, **options)  # type: ignore[arg-type]


def fitted(analysis: Analysis) -> RewardFacts:
    return RewardFacts(analysis, rewards_of(analysis))


def rules_that_fire(facts: RewardFacts) -> set[str]:
    return {f.rule for rule in RULES if rule.judge for f in rule.judge(facts)}


def changes_of(rewards: Rewards) -> Changes:
    assert isinstance(rewards.changes, Changes)
    return rewards.changes


@pytest.fixture(scope="module")
def sample() -> RewardFacts:
    return fitted(analysed(SAMPLES / "clone_robust.jsonl", n_replicates=300))


def arena(copies: int = 0) -> list[dict[str, object]]:
    """Four models and exact copies of the first; every pair of answers twenty times, same shares.

    Model a beats model b > a in 14, 16 and 18 of 20; two copies tie.
    """
    who = [0, 1, 2, 3] + [0] * copies
    wins = {1: 14, 2: 16, 3: 18}
    rows = []
    for i in range(len(who)):
        for j in range(i):
            (a, x), (b, y) = sorted([(who[i], i), (who[j], j)])
            for k in range(20):
                winner = "tie" if a == b else "a" if k < wins[b - a] else "b"
                names = (f"model-{x}", f"model-{y}")
                rows.append(labelled("Which?", DISTINCT[a], DISTINCT[b], names, winner))
    return rows


def test_the_sample_flips_its_leader_surely(sample: RewardFacts) -> None:
    r, c = sample.rewards, changes_of(sample.rewards)
    assert r.reward_model == "tabular"
    assert not isinstance(r.subjects, NotApplicable)
    before = int(np.flatnonzero(c.rank_standard == 1)[0])
    after = int(np.flatnonzero(c.rank_weighted == 1)[0])
    assert (r.subjects.names[before], r.subjects.names[after]) == ("boreal-7b", "atlas-2")
    assert c.flagged[after]
    assert c.flagged[before]
    assert c.probability_first_standard[before] > 0.9
    assert c.probability_first_weighted[after] > 0.9
    assert rules_that_fire(sample) >= {"CR203", "CR204"}


def voted(per_prompt: int, prompts: int = 6, votes: int = 10) -> list[dict[str, object]]:
    """Prompts whose answers were compared with each other by ten judges, answers all different."""
    rows = []
    for q in range(prompts):
        texts = [f"{DISTINCT[(q + i) % 8]} Number {q} times {i}." for i in range(per_prompt)]
        for i in range(per_prompt):
            for j in range(i):
                rows += [
                    labelled(f"{DISTINCT[q]}?", texts[i], texts[j], winner="ab"[k % 3 == 0])
                    for k in range(votes)
                ]
    return rows


def test_pairs_that_stand_alone_get_linear_rewards() -> None:
    """Rewards of their own would keep the order of every pair, whatever the weights."""
    pairs, triples = analysed(voted(2), unit="response"), analysed(voted(3), unit="response")
    assert pairs.units[0].graph.share_in_pairs == 1.0
    assert triples.units[0].graph.share_in_pairs == 0.0
    r = rewards_of(pairs)
    assert r.reward_model == "linear"
    said = "10 comparisons each (median) in 6 separate components, mostly of two"
    assert said in r.reward_choice.reason
    assert rewards_of(triples).reward_model == "tabular"
    blind = rewards_of(analysed(voted(2), unit="response", model="none"))
    assert blind.reward_model == "tabular"
    assert "mostly of two" in blind.reward_choice.reason


@settings(max_examples=25, deadline=None)
@given(st.floats(0.02, 0.98), st.floats(0.01, 0.99), st.floats(1e-3, 1.0))
def test_no_weights_change_the_order_of_a_pair_that_stands_alone(
    p: float, weight: float, penalty: float
) -> None:
    rows = Comparisons.of(2, [0, 1], [1, 0], mass=[p, 1 - p]).proportions()
    fit = fit_tabular(rows, np.array([weight, 1 - weight]), penalty=penalty)
    assert (fit.rewards[0] - fit.rewards[1]) * (p - 0.5) >= -1e-15


def test_the_copies_are_named_as_the_cause(sample: RewardFacts) -> None:
    r, c = sample.rewards, changes_of(sample.rewards)
    assert not isinstance(r.groups, NotApplicable)
    assert [g.members.size for g in r.groups] == [5]
    for i in np.flatnonzero(c.flagged).tolist():
        cause = r.cause_of(i)
        assert cause is not None
        assert cause.share == pytest.approx(1.0, abs=0.1)
    effect = r.effect_of(0)
    assert effect is not None
    assert 0.15 < abs(effect.shift) < 0.5


def test_the_certificate_holds_and_both_fits_solve_their_moment_system(sample: RewardFacts) -> None:
    r = sample.rewards
    assert isinstance(r, Rewards)
    assert not isinstance(r.certificate, NotApplicable)
    k = r.certificate
    assert 0 < k.measured <= k.residual_bound <= k.bound
    assert k.bound <= k.complete_data_bound + 1e-9
    rows = sample.analysis.units[0].comparisons.proportions()
    for fit in (r.standard, r.weighted):
        assert not isinstance(fit, NotApplicable)
        terms = pair_terms(rows, fit.weights)
        residual = moment_residual(terms, fit.weights, fit.rewards, r.penalty)
        assert np.abs(residual).max() < 1e-9
        assert abs(float(fit.weights @ fit.rewards)) < 1e-9


def test_sandwich_and_bootstrap_agree(sample: RewardFacts) -> None:
    assert isinstance(sample.rewards.errors, tuple)
    for errors in sample.rewards.errors:
        assert errors.ratio == pytest.approx(1.0, abs=0.15)
        assert errors.width_ratio == pytest.approx(1.0, abs=0.15)
        np.testing.assert_allclose(
            np.diff(errors.sandwich_interval)[:, 0],
            2 * 1.645 * errors.sandwich,
            rtol=0.01,  # 1,000 annotators: hardly wider than the normal one
        )


def test_uniform_weights_change_nothing() -> None:
    r = rewards_of(analysed(SAMPLES / "clone_robust.jsonl", weights="uniform"))
    c = changes_of(r)
    assert not c.flagged.any()
    assert np.array_equal(c.reward_standard, c.reward_weighted)
    assert np.all(c.sure == 0)
    assert c.kendall_tau == pytest.approx(1.0)
    assert not isinstance(r.certificate, NotApplicable)
    assert r.certificate.measured == r.certificate.bound == 0
    assert not isinstance(r.held_out, NotApplicable)
    assert r.held_out.differs.value == 0


def test_exact_copies_that_share_their_weight_change_nothing() -> None:
    few = rewards_of(analysed(arena(), unit="model", penalty=0.03))
    many = rewards_of(analysed(arena(copies=4), unit="model", weights="cluster", penalty=0.03))
    assert isinstance(many.groups, tuple)
    assert [g.members.size for g in many.groups] == [5]
    assert many.groups[0].weight_mass == pytest.approx(0.25)
    one, two = changes_of(few), changes_of(many)
    assert two.reward_weighted[:4] == pytest.approx(one.reward_standard, abs=1e-8)
    assert two.reward_weighted[4:] == pytest.approx(one.reward_standard[0], abs=1e-8)
    assert np.abs(two.reward_standard[:4] - one.reward_standard).max() > 0.1


def test_a_second_run_gives_the_same_numbers_on_any_number_of_threads() -> None:
    analysis = analysed(SAMPLES / "clone_robust.jsonl")
    one, two = rewards_of(analysis), refit(analysis, workers=3)
    assert isinstance(two, Rewards)
    a, b = changes_of(one), changes_of(two)
    assert np.array_equal(a.interval_shift, b.interval_shift)
    assert np.array_equal(a.sure, b.sure)
    assert one.held_out == two.held_out
    assert one.decisions == two.decisions


def test_responses_compared_once_get_linear_rewards_and_no_ranking() -> None:
    rows = [
        labelled(f"Question {k}?", DISTINCT[k % 12], DISTINCT[(k * 5 + 1) % 12] + f" {k}")
        for k in range(30)
    ]
    r = rewards_of(analysed(rows))
    assert r.reward_model == "linear"
    assert "1 comparison" in r.reward_choice.reason
    assert "cross-validation" in r.penalty_choice.reason
    assert isinstance(r.changes, NotApplicable)
    assert isinstance(r.certificate, NotApplicable)
    assert np.isfinite(r.values_standard).all()
    assert not isinstance(r.held_out, NotApplicable)
    assert r.held_out.n_comparisons == 30


def test_linear_rewards_of_few_responses_are_free_and_said_to_be() -> None:
    """Vectors in a span as large as the responses are many: nothing is learned about others."""
    rows = [
        labelled(f"Question {k}?", f"{DISTINCT[k]} yes", f"{DISTINCT[k]} no") for k in range(12)
    ]
    facts = fitted(analysed(rows))
    assert facts.rewards.n_coordinates == facts.analysis.dataset.n_alternatives == 24
    assert "CR207" in rules_that_fire(facts)
    held = facts.rewards.held_out
    assert not isinstance(held, NotApplicable)
    assert held.agreement_standard.value == 0.5
    for other in (23, None):
        constrained = replace(facts, rewards=replace(facts.rewards, n_coordinates=other))
        assert "CR207" not in rules_that_fire(constrained)


def test_linear_rewards_rank_models_by_the_mean_of_their_responses() -> None:
    analysis = analysed(
        SAMPLES / "clone_robust.jsonl", reward="linear", weights="voronoi", n_replicates=50
    )
    r = rewards_of(analysis)
    c, s = changes_of(r), r.subjects
    assert not isinstance(s, NotApplicable)
    assert s.unit == "model"
    for k in range(s.n):
        assert c.reward_standard[k] == pytest.approx(r.values_standard[s.labels == k].mean())
    assert np.all(c.interval_standard[:, 0] <= c.reward_standard)
    assert np.all(c.reward_standard <= c.interval_standard[:, 1])
    assert "Monte-Carlo error of the weights" in r.intervals


def test_weights_that_were_not_sampled_have_no_error_to_carry() -> None:
    r = rewards_of(
        analysed(
            SAMPLES / "clone_robust.jsonl", reward="linear", weights="cluster", n_replicates=20
        )
    )
    assert r.intervals == "resampled annotators"


def test_linear_rewards_rank_clone_clusters_beside_what_they_were_compared_with() -> None:
    analysis = analysed(
        SAMPLES / "clone_robust.jsonl", reward="linear", unit="response", n_replicates=50
    )
    r = rewards_of(analysis)
    s = r.subjects
    assert not isinstance(s, NotApplicable)
    assert s.unit == "cluster"
    assert s.n_components == 3
    assert s.n == 9


def test_networks_have_a_penalty_curve_replicates_and_causes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = Training(learning_rate=3e-3, batch_size=64, n_steps=40)
    monkeypatch.setattr(MLP, "training", short)
    analysis = analysed(
        SAMPLES / "clone_robust.jsonl", reward="mlp", penalty="auto", n_replicates=300
    )
    r, again = rewards_of(analysis), refit(analysis, workers=3)
    assert isinstance(r.curves, tuple)
    assert r.curves[0].penalties.tolist() == sorted(MLP.penalties)
    assert changes_of(r).n_replicates == 30
    assert "one network trained in each" in r.intervals
    assert isinstance(r.groups, tuple)
    assert len(r.effects) == min(len(r.groups), MLP.max_groups or 0) > 0
    assert isinstance(again, Rewards)
    assert changes_of(again).interval_shift.tobytes() == changes_of(r).interval_shift.tobytes()
    assert again.effects == r.effects


def test_the_cross_validated_penalty_comes_with_its_curve() -> None:
    r = rewards_of(analysed(SAMPLES / "clone_robust.jsonl", penalty="auto"))
    assert isinstance(r.curves, tuple)
    best = r.curves[0]
    assert r.penalty == best.best
    n = len(best.penalties)
    at = int(np.flatnonzero(best.penalties == best.best)[0])
    total = 2100 * (best.log_likelihood.max() - best.log_likelihood)
    assert total[at] <= SAME
    assert at == n - 1 or (total[at + 1 :] > SAME).all()
    assert r.lambda_eq1 == pytest.approx(7 * r.penalty)
    assert not isinstance(r.curves[1], NotApplicable)


def test_the_standard_fit_alone_needs_no_vectors() -> None:
    analysis = analysed(SAMPLES / "clone_robust.jsonl", model="none")
    r = rewards_of(analysis, fits="standard")
    assert isinstance(r.weighted, NotApplicable)
    assert not changes_of(r).flagged.any()
    both = rewards_of(analysis)
    assert isinstance(both.weighted, NotApplicable)
    assert "none" in both.weighted.reason
    with pytest.raises(ComputeError, match="weights"):
        refit(analysis, fits="weighted")
    with pytest.raises(UsageError, match="vectors"):
        refit(analysed(SAMPLES / "clean.jsonl", model="none", reward="linear"))


def test_lists_alone_cannot_be_fitted() -> None:
    answers = [{"answer": text, "rank": k} for k, text in enumerate(DISTINCT[1:4])]
    with pytest.raises(ComputeError, match="compared"):
        refit(analysed([{"prompt": "P", "answers": answers}]))


def test_components_are_ranked_apart() -> None:
    rows = []
    for p in range(2):
        for k in range(40):
            a, b = DISTINCT[6 * p + k % 3], DISTINCT[6 * p + (k + 1) % 3]
            rows.append(labelled(f"P{p}", a, b, winner="a" if k % 4 else "b"))
    r = rewards_of(analysed(rows, unit="response"))
    assert r.reward_model == "tabular"
    c, s = changes_of(r), r.subjects
    assert not isinstance(s, NotApplicable)
    assert s.n_components == 2
    for part in range(2):
        assert sorted(c.rank_standard[s.components == part].tolist())[0] == 1


def test_restoring_a_group_keeps_the_mass_of_its_component() -> None:
    weights = np.array([0.05, 0.05, 0.3, 0.1, 0.5])
    out = restore_weights(weights, np.array([0, 1]), np.array([0, 1, 2, 3]))
    assert out.sum() == pytest.approx(1.0)
    assert out[:2] == pytest.approx([0.125, 0.125])
    assert out[2] / out[3] == pytest.approx(3.0)
    assert out[4] == 0.5


@pytest.mark.parametrize("set_", ["ukp_convarg/votes", "llmfao/crowd_comparisons"])
def test_real_sets(shared_data, set_: str) -> None:  # type: ignore[no-untyped-def]
    r = rewards_of(analysed(shared_data / f"{set_}.shared.jsonl.gz", n_replicates=100))
    assert r.reward_model == "tabular"
    assert r.standard.converged
    assert not isinstance(r.win_counts, NotApplicable)
    assert not isinstance(r.groups, NotApplicable)
    if set_.startswith("ukp"):
        assert r.win_counts.n_components == 22
        assert r.win_counts.median > 0.95
    else:
        assert any("GPT 3.5 Turbo, GPT 3.5 Turbo (16k)" in g.name for g in r.groups)
        assert r.effects
