"""The behavioural half of a clone: equal win rates against common opponents."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency, kstest

from cr_audit.arrays import Comparisons, IntArray, NotApplicable
from cr_audit.clones.votes import Homogeneity, Judged, homogeneity, noise_floor


def judged(n_items: int, member: IntArray, opponent: IntArray, score: IntArray) -> Comparisons:
    won = score > 0
    return Comparisons.of(
        n_items,
        np.where(won, member, opponent),
        np.where(won, opponent, member),
        np.where(score == 0.5, 0.5, 1.0),
    )


def measured(c: Comparisons, members: list[int], seed: int = 0) -> Homogeneity:
    out = homogeneity(c, np.array(members), n_permutations=499, rng=np.random.default_rng(seed))
    assert isinstance(out, Homogeneity)
    return out


def test_is_pearson_over_n_times_n_minus_one_for_one_opponent() -> None:
    wins, n = np.array([30, 22, 41]), 60
    member = np.repeat([0, 1, 2], n)
    score = np.concatenate([np.r_[np.ones(w), np.zeros(n - w)] for w in wins])
    out = measured(judged(4, member, np.full(3 * n, 3), score), [0, 1, 2])
    pearson = chi2_contingency(np.array([wins, n - wins]), correction=False).statistic
    assert out.statistic == pytest.approx(pearson * (3 * n - 1) / (3 * n), rel=1e-12)
    assert (out.degrees_of_freedom, out.method) == (2, "chi-square")
    assert out.p_value == pytest.approx(chi2.sf(out.statistic, 2))
    np.testing.assert_allclose(out.win_rates, wins / n)


@pytest.mark.parametrize(("per_cell", "method"), [(3, "permutation"), (40, "chi-square")])
def test_p_values_are_uniform_under_equal_win_rates(per_cell: int, method: str) -> None:
    rng = np.random.default_rng(5)
    p = []
    for seed in range(250):
        member = np.tile(np.repeat([0, 1, 2], per_cell), 4)
        opponent = np.repeat([3, 4, 5, 6], 3 * per_cell)
        strength = np.array([0.3, 0.5, 0.6, 0.7])[opponent - 3]
        score = (rng.random(member.size) < strength).astype(float)
        score[rng.random(member.size) < 0.2] = 0.5
        out = measured(judged(7, member, opponent, score), [0, 1, 2], seed)
        assert out.method == method
        p.append(out.p_value)
    assert kstest(p, "uniform").pvalue > 0.01


def test_sees_a_member_that_is_treated_otherwise() -> None:
    rng = np.random.default_rng(1)
    member, opponent = np.repeat([0, 1], 40), np.tile([2, 3, 4, 5], 20)
    score = (rng.random(80) < np.where(member == 0, 0.15, 0.85)).astype(float)
    assert measured(judged(6, member, opponent, score), [0, 1]).p_value < 0.005


def test_row_order_and_side_carry_no_meaning() -> None:
    rng = np.random.default_rng(2)
    member, opponent = rng.integers(0, 3, 60), rng.integers(3, 6, 60)
    score = rng.choice([0, 0.5, 1], 60)
    order = rng.permutation(60)
    a = measured(judged(6, member, opponent, score), [0, 1, 2])
    b = measured(judged(6, member[order], opponent[order], score[order]), [2, 0, 1])
    assert (a.statistic, a.p_value, a.n_opponents) == (b.statistic, b.p_value, b.n_opponents)


def test_says_why_it_does_not_apply() -> None:
    c = Comparisons.of(4, [0, 1, 0], [2, 3, 1])
    out = homogeneity(c, np.array([0, 1]), rng=np.random.default_rng(0))
    assert isinstance(out, NotApplicable)
    assert "same opponent" in out.reason
    out = homogeneity(
        Comparisons.of(3, [0, 1], [2, 2]), np.array([0, 1]), rng=np.random.default_rng(0)
    )
    assert isinstance(out, NotApplicable)
    assert "alike" in out.reason


def test_noise_floor_counts_decided_comparisons_of_equal_texts() -> None:
    c = Comparisons.of(4, [0, 1, 0, 2], [1, 0, 2, 3], [1, 0.5, 1, 1])
    assert noise_floor(c, np.array([0, 0, 1, -1])) == (2, 1)


def test_a_cluster_among_many_is_judged_by_its_own_comparisons() -> None:
    rng = np.random.default_rng(3)
    member, opponent = rng.integers(0, 30, 4000), rng.integers(30, 60, 4000)
    all_of = judged(60, member, opponent, rng.integers(0, 2, 4000))
    index = Judged(all_of)
    for members in (np.array([1, 4]), np.array([2, 3, 29]), np.array([31, 40])):
        inside = np.isin(all_of.winner, members) | np.isin(all_of.loser, members)
        assert index.of(members).tolist() == np.flatnonzero(inside).tolist()
        one = homogeneity(all_of, members, rng=np.random.default_rng(0))
        many = homogeneity(all_of, members, rng=np.random.default_rng(0), judged=index)
        assert isinstance(one, Homogeneity)
        assert isinstance(many, Homogeneity)
        assert (one.p_value, one.statistic) == (many.p_value, many.statistic)
        assert many.members.tolist() == members[np.isin(members, one.members)].tolist()
