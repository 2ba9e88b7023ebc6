"""What the penalty takes away, by the fit to exact shares; and intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from threadpoolctl import threadpool_limits

from cr_audit.arrays import Comparisons, FloatArray, NotApplicable, Proportions
from cr_audit.models.rewards import shrinkage
from cr_audit.models.rewards.bootstrap import bootstrap_tabular, percentile_interval
from cr_audit.models.rewards.changes import ranking_changes
from cr_audit.models.rewards.objective import pair_terms
from cr_audit.models.rewards.shrinkage import _at, around_truth
from cr_audit.models.rewards.tabular import Fit, fit_tabular


def drawn(m: int, votes: int, spread: float, seed: int) -> tuple[Comparisons, FloatArray]:
    """A ring and chords, true rewards N(0, spread²), centred."""
    rng = np.random.default_rng(seed)
    truth = spread * rng.normal(size=m)
    first = np.r_[np.arange(m), rng.integers(m, size=m)]
    second = np.r_[(np.arange(m) + 1) % m, rng.integers(m, size=m)]
    keep = first != second
    a, b = np.repeat(first[keep], votes), np.repeat(second[keep], votes)
    won = rng.random(a.size) < expit(truth[a] - truth[b])
    rows = Comparisons.of(m, np.where(won, a, b), np.where(won, b, a))
    return rows, truth - truth.mean()


def wide(rows: Comparisons, fits: list[Fit], replicates: FloatArray, penalty: float) -> FloatArray:
    found = around_truth(
        rows,
        fits,
        replicates,
        penalty=penalty,
        count_weighted=False,
        rng=np.random.default_rng(1),
    )
    assert not isinstance(found, NotApplicable)
    return found.truth


@pytest.mark.parametrize("method", ["dense", "iterative"])
def test_the_pull_is_what_a_fit_to_exact_shares_misses(method: str) -> None:
    """r* - r̂ = λ J⁻¹ r* + O(λ²), with weights of any size."""
    rng = np.random.default_rng(0)
    m, lam = 8, 1e-5
    truth = rng.normal(size=m)
    w = rng.dirichlet(np.ones(m))
    truth -= w @ truth
    first, second = np.triu_indices(m, 1)
    p = expit(truth[first] - truth[second])
    pairs = Proportions(m, first, second, p, np.ones(p.size))
    fit = fit_tabular(pairs, w, penalty=lam, tolerance=1e-14)
    shares, system = _at(pair_terms(pairs, w), w, lam, truth, method)  # type: ignore[arg-type]
    np.testing.assert_allclose(
        lam * system.moves(truth[None])[0], truth - fit.rewards, rtol=2e-3, atol=1e-9
    )
    np.testing.assert_allclose(shares, p)


def test_both_fits_have_the_same_draws_and_stay_centred() -> None:
    rows, _ = drawn(9, 5, 1.0, 0)
    uniform, w = np.full(9, 1 / 9), np.random.default_rng(2).dirichlet(np.ones(9))
    one = fit_tabular(rows.proportions(), uniform, penalty=0.03)
    replicates = np.tile(one.rewards, (2, 50, 1))
    same = wide(rows, [one, one], replicates, 0.03)
    np.testing.assert_array_equal(same[0], same[1])
    assert same.std(axis=1).min() > 0
    two = fit_tabular(rows.proportions(), w, penalty=0.03)
    apart = wide(rows, [one, two], np.stack([replicates[0], np.tile(two.rewards, (50, 1))]), 0.03)
    np.testing.assert_allclose(apart[0] @ uniform, 0.0, atol=1e-9)
    np.testing.assert_allclose(apart[1] @ w, 0.0, atol=1e-9)


def test_votes_that_all_agree_are_no_certainty() -> None:
    """Three of three votes a pair and next to no penalty: resampling gives one number."""
    rows = Comparisons.of(3, [0] * 3 + [1] * 3, [1] * 3 + [2] * 3)
    fit = fit_tabular(rows.proportions(), np.full(3, 1 / 3), penalty=0.01)
    alone = bootstrap_tabular(rows, [fit], n_replicates=60, rng=np.random.default_rng(0)).rewards
    more = wide(rows, [fit], alone, 0.01)
    assert np.nanstd(more[0][:, 0] - more[0][:, 1]) > 0.2


def test_intervals_hold_the_true_differences_where_a_bootstrap_does_not() -> None:
    """12 items, four votes a pair: at λ = 0.03 the bootstrap's 90 % hold some 70 %."""
    plain, held = [], []
    for seed in range(40):
        rows, truth = drawn(12, 4, 1.2, seed)
        fit = fit_tabular(rows.proportions(), np.full(12, 1 / 12), penalty=0.03)
        got = bootstrap_tabular(
            rows, [fit], n_replicates=200, rng=np.random.default_rng(seed)
        ).rewards
        got = got[:, np.isfinite(got[0]).all(axis=1)]
        i, j = np.triu_indices(12, 1)
        for out, drawn_rewards in ((plain, got[0]), (held, wide(rows, [fit], got, 0.03)[0])):
            low, high = percentile_interval(drawn_rewards[:, i] - drawn_rewards[:, j], 0.9).T
            gap = truth[i] - truth[j]
            out.append(float(np.mean((low <= gap) & (gap <= high))))
    assert np.mean(plain) < 0.8
    assert 0.85 < np.mean(held) < 0.96


def test_a_first_place_has_a_chance_and_the_marks_are_as_before() -> None:
    rows, _ = drawn(10, 6, 1.0, 3)
    fit = fit_tabular(rows.proportions(), np.full(10, 0.1), penalty=0.03)
    got = bootstrap_tabular(
        rows, [fit, fit], n_replicates=100, rng=np.random.default_rng(0)
    ).rewards
    around = wide(rows, [fit, fit], got, 0.03)
    known = {"confidence_level": 0.9}
    plain = ranking_changes(fit.rewards, fit.rewards, fit.components, got, **known)
    made = ranking_changes(
        fit.rewards,
        fit.rewards,
        fit.components,
        got,
        around_truth=around,
        rng=np.random.default_rng(5),
        **known,
    )
    assert made.first_is_chance
    assert not plain.first_is_chance
    assert made.probability_first_standard.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(made.flagged, plain.flagged)
    wider = np.diff(made.interval_standard)[:, 0] > np.diff(plain.interval_standard)[:, 0]
    assert wider.mean() > 0.8


def test_too_many_items_keep_the_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrinkage, "MAX_ITEMS", 5)
    rows, _ = drawn(6, 3, 1.0, 0)
    fit = fit_tabular(rows.proportions(), np.full(6, 1 / 6), penalty=0.03)
    found = around_truth(
        rows,
        [fit],
        np.tile(fit.rewards, (1, 4, 1)),
        penalty=0.03,
        count_weighted=False,
        rng=np.random.default_rng(0),
    )
    assert isinstance(found, NotApplicable)


def test_the_chance_of_the_first_place_has_the_same_bytes_on_any_number_of_blas_threads() -> None:
    m = 300
    rng = np.random.default_rng(3)
    rewards = rng.standard_normal(m)
    drawn = rewards + rng.standard_normal((2, 1000, m))
    component = np.zeros(m, np.int64)

    def chances(threads: int) -> list[bytes]:
        with threadpool_limits(threads, user_api="blas"):
            made = ranking_changes(
                rewards,
                rewards,
                component,
                drawn,
                confidence_level=0.9,
                around_truth=drawn,
                rng=np.random.default_rng(0),
            )
        return [made.probability_first_standard.tobytes(), made.interval_shift.tobytes()]

    assert chances(1) == chances(2)


def test_the_spread_of_few_rewards_is_itself_uncertain() -> None:
    """√(k/χ²_k): E[scale²] = k/(k - 2), and k/scale² is χ²_k; k is never below 5."""
    rng = np.random.default_rng(0)

    def scales(*components: int) -> FloatArray:
        each = [shrinkage._of_few(np.array(components), rng) for _ in range(200)]
        return np.concatenate(each)

    eleven = scales(*[0] * 7, *[1] * 6, -1)  # 13 with data, two means taken away
    assert np.mean(eleven**2) == pytest.approx(11 / 9, rel=0.03)
    assert np.mean(11 / eleven**2) == pytest.approx(11, rel=0.02)
    assert np.var(11 / eleven**2) == pytest.approx(22, rel=0.05)
    two = scales(0, 0)
    assert np.mean(5 / two**2) == pytest.approx(5, rel=0.02)


def _two(votes: int, penalty: float) -> tuple[Comparisons, Fit]:
    rows = Comparisons.of(2, [0] * votes, [1] * votes)
    return rows, fit_tabular(rows.proportions(), np.full(2, 0.5), penalty=penalty)


@pytest.mark.parametrize("dense", [True, False])
def test_leverage_of_one_pair_by_hand(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two items of weight 1/2, κ = ¼ + ¼ + ½ = 1 and s = 1. J = λ I + q(1 - q)/2 [[1, -1], [-1, 1]]
    has λ and λ + q(1 - q) as eigenvalues, so that (e_1 - e_2)ᵀ J⁻¹ (e_1 - e_2)/2 is
    1/(λ + q(1 - q)) and h = q(1 - q)/(λ + q(1 - q)): ½ at q = ½ and λ = ¼."""
    if not dense:
        monkeypatch.setattr(shrinkage, "MAX_DENSE", 0)
    rows, _ = _two(1, 0.25)
    terms, w = pair_terms(rows.proportions(), np.full(2, 0.5)), np.full(2, 0.5)
    assert terms.strength[0] == pytest.approx(1.0)
    shares, system = _at(terms, w, 0.25, np.zeros(2))
    z = np.random.default_rng(0).standard_normal((20_000, 1))
    h = shrinkage._leverage(terms, shares, system, z)
    assert h[0] == pytest.approx(0.5, rel=1e-9 if dense else 0.03)


def test_leverages_are_what_the_fit_follows_of_a_share() -> None:
    """h by finite differences of the fitted share in the share of its own pair."""
    rng = np.random.default_rng(4)
    first, second = np.triu_indices(5, 1)
    p, w, lam = rng.uniform(0.2, 0.8, 10), rng.dirichlet(np.ones(5)), 0.02
    pairs = Proportions(5, first, second, p, np.ones(10))
    fit = fit_tabular(pairs, w, penalty=lam, tolerance=1e-13)
    terms = pair_terms(pairs, w)
    shares, system = _at(terms, w, lam, fit.rewards)
    h = shrinkage._leverage(terms, shares, system, np.zeros((1, 10)))
    for k in range(10):
        moved = p.copy()
        moved[k] += 1e-5
        again = fit_tabular(
            Proportions(5, first, second, moved, np.ones(10)), w, penalty=lam, tolerance=1e-13
        ).rewards
        q = expit(again[first[k]] - again[second[k]])
        assert h[k] == pytest.approx((q - shares[k]) / 1e-5, rel=1e-3)


def test_a_chain_of_single_votes_is_no_certainty() -> None:
    """0 beat 1, 0 beat 3, 2 beat 3: a bootstrap of 2 over 1, whom nothing but two votes joins, is
    off by a tenth of its reward; its noise is that of three votes."""
    rows = Comparisons.of(4, [0, 0, 2], [1, 3, 3])
    fit = fit_tabular(rows.proportions(), np.full(4, 0.25), penalty=0.03)
    alone = bootstrap_tabular(rows, [fit], n_replicates=400, rng=np.random.default_rng(0)).rewards
    found = around_truth(
        rows, [fit], alone, penalty=0.03, count_weighted=False, rng=np.random.default_rng(1)
    )
    assert not isinstance(found, NotApplicable)

    def error(replicates: FloatArray) -> float:
        gap = replicates[0][:, 0] - replicates[0][:, 1]
        return float(np.nanstd(gap))

    gap = float(fit.rewards[0] - fit.rewards[1])
    assert error(alone) < gap / 4
    assert error(found.votes) > gap / 2


def test_many_single_votes_need_nothing_more() -> None:
    """40 items, each pair judged once: h is about 39/780, and the bootstrap has the noise."""
    rng = np.random.default_rng(0)
    i, j = np.triu_indices(40, 1)
    won = rng.random(i.size) < 0.5
    rows = Comparisons.of(40, np.where(won, i, j), np.where(won, j, i))
    fit = fit_tabular(rows.proportions(), np.full(40, 1 / 40), penalty=1e-4)
    alone = bootstrap_tabular(rows, [fit], n_replicates=200, rng=np.random.default_rng(0)).rewards
    found = around_truth(
        rows, [fit], alone, penalty=1e-4, count_weighted=False, rng=np.random.default_rng(1)
    )
    assert not isinstance(found, NotApplicable)
    ratio = found.votes[0].std(axis=0).mean() / alone[0].std(axis=0).mean()
    assert 1.0 < ratio < 1.1
