"""Bootstrap and sandwich against each other, against full refits and against known truth."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons, FloatArray, NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.models.rewards import bootstrap as module
from cr_audit.models.rewards.bootstrap import (
    bootstrap_tabular,
    effective_units,
    expanded_level,
    multinomial_weights,
    normal_interval,
    percentile_interval,
    sandwich_covariance,
)
from cr_audit.models.rewards.objective import moment_residual, pair_terms
from cr_audit.models.rewards.tabular import Fit, fit_tabular


def simulate(
    rng: np.random.Generator, truth: FloatArray, n: int, *, ties: float = 0.0
) -> Comparisons:
    m = truth.size
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    won = (rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    won[rng.random(n) < ties] = 0.5
    return Comparisons.of(m, a, b, won)


def fitted(rows: Comparisons, **settings: bool) -> Fit:
    w = np.full(rows.n_items, 1 / rows.n_items)
    return fit_tabular(rows.proportions(), w, penalty=0.02, **settings)


def test_a_replicate_is_the_refit_of_the_resampled_rows() -> None:
    """The count-weighted bootstrap is a plain refit; rebuild its draws from the same generator."""
    rng = np.random.default_rng(0)
    rows = simulate(rng, rng.normal(size=6), 40, ties=0.2)
    clusters = np.arange(40) % 13
    fit = fitted(rows, count_weighted=True)
    out = bootstrap_tabular(
        rows,
        [fit],
        n_replicates=5,
        clusters=clusters,
        tolerance=1e-11,
        rng=np.random.default_rng(9),
    )
    (child,) = np.random.default_rng(9).spawn(1)
    for b in range(5):
        drawn = child.integers(13, size=13)
        picked = np.concatenate([np.flatnonzero(clusters == c) for c in drawn])
        again = Comparisons.of(
            6, rows.winner[picked], rows.loser[picked], rows.outcome[picked]
        ).proportions()
        refit = fit_tabular(
            again,
            fit.weights,
            penalty=0.02,
            count_weighted=True,
            normaliser=fit.kappa,
            tolerance=1e-11,
        )
        np.testing.assert_allclose(out.rewards[0, b], refit.rewards, atol=1e-8)


@pytest.mark.parametrize("n", [300, 5000])
def test_bootstrap_and_sandwich_agree(n: int) -> None:
    rng = np.random.default_rng(1)
    rows = simulate(rng, rng.normal(size=12), n, ties=0.1)
    fit = fitted(rows)
    spread = np.std(bootstrap_tabular(rows, [fit], n_replicates=600, rng=rng).rewards[0], axis=0)
    sandwich = sandwich_covariance(rows, fit)
    assert not isinstance(sandwich, NotApplicable)
    np.testing.assert_allclose(spread, np.sqrt(np.diag(sandwich)), rtol=0.15)


@pytest.mark.parametrize(("m", "n"), [(8, 2000), (60, 500)])
def test_standard_errors_are_those_of_repeated_samples(m: int, n: int) -> None:
    """Also where almost no pair is compared twice (60 items, 1,770 pairs, 500 comparisons)."""
    rng = np.random.default_rng(2)
    truth = 0.7 * rng.normal(size=m)
    rewards = np.array([fitted(simulate(rng, truth, n)).rewards for _ in range(200)])
    rows = simulate(rng, truth, n)
    replicates = bootstrap_tabular(rows, [fitted(rows)], n_replicates=300, rng=rng).rewards[0]
    ratio = np.nanmean(np.nanvar(replicates, axis=0)) / np.nanmean(np.nanvar(rewards, axis=0))
    assert 0.8 < ratio < 1.3


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(3)
    truth = 0.7 * rng.normal(size=6)
    exact = np.mean([fitted(simulate(rng, truth, 1500)).rewards for _ in range(300)], axis=0)
    hits = []
    for _ in range(80):
        rows = simulate(rng, truth, 1500)
        replicates = bootstrap_tabular(rows, [fitted(rows)], n_replicates=200, rng=rng).rewards[0]
        low, high = percentile_interval(replicates, 0.9).T
        hits.append((low <= exact) & (exact <= high))
    assert 0.85 <= np.mean(hits) <= 0.94


def test_clusters_widen_the_interval_when_annotators_repeat_themselves() -> None:
    rng = np.random.default_rng(4)
    rows = simulate(rng, rng.normal(size=5), 300)
    copies = Comparisons.of(
        5,
        np.repeat(rows.winner, 9),
        np.repeat(rows.loser, 9),
        np.repeat(rows.outcome, 9),
        annotator=np.repeat(np.arange(300), 9),
    )
    fit = fitted(copies)
    spread = [
        np.std(
            bootstrap_tabular(copies, [fit], n_replicates=300, clusters=c, rng=rng).rewards[0],
            axis=0,
        )
        for c in (None, copies.annotator)
    ]
    np.testing.assert_allclose(spread[1] / spread[0], 3.0, rtol=0.3)
    sandwich = sandwich_covariance(copies, fit, clusters=copies.annotator)
    assert not isinstance(sandwich, NotApplicable)
    np.testing.assert_allclose(spread[1], np.sqrt(np.diag(sandwich)), rtol=0.2)


def test_same_bytes_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 500)
    rng = np.random.default_rng(5)
    rows = simulate(rng, rng.normal(size=10), 400)
    fits = [fitted(rows), fit_tabular(rows.proportions(), rng.dirichlet(np.ones(10)), penalty=0.1)]
    draws = [None, multinomial_weights(fits[1].weights, 500)]
    one, two = (
        bootstrap_tabular(
            rows,
            fits,
            n_replicates=60,
            draw_weights=draws,
            workers=threads,
            rng=np.random.default_rng(1),
        )
        for threads in (1, 3)
    )
    assert one.rewards.tobytes() == two.rewards.tobytes()
    assert one.weights_drawn == (False, True)
    assert one.n_not_converged == (0, 0)


def test_the_error_of_the_weights_widens_the_interval() -> None:
    rng = np.random.default_rng(6)
    rows = simulate(rng, rng.normal(size=6), 60_000)
    w = rng.dirichlet(np.ones(6))
    fit = fit_tabular(rows.proportions(), w, penalty=0.1)
    known, drawn = bootstrap_tabular(
        rows,
        [fit, fit],
        n_replicates=200,
        draw_weights=[None, multinomial_weights(w, 100)],
        rng=rng,
    ).rewards
    assert np.all(np.std(drawn, axis=0) > 1.5 * np.std(known, axis=0))


def test_redrawn_weights_have_the_multinomial_spread_and_keep_groups() -> None:
    w = np.array([0.5, 0.2, 0.1, 0.2, 0.0])
    draw = multinomial_weights(w, 400, groups=np.array([-1, 0, 0, -1, -1]))
    rng = np.random.default_rng(7)
    drawn = np.array([draw(rng) for _ in range(4000)])
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    np.testing.assert_allclose(drawn[:, 1], 2 * drawn[:, 2])
    np.testing.assert_allclose(drawn.mean(axis=0), w, atol=0.002)
    assert drawn[:, 0].std() == pytest.approx(np.sqrt(0.25 / 400), rel=0.05)
    assert np.all(drawn[:, 4] == 0)


def test_an_item_that_lost_its_comparisons_has_no_reward_in_that_replicate() -> None:
    rows = Comparisons.of(3, [0] * 20 + [2], [1] * 10 + [1] * 10 + [0])
    out = bootstrap_tabular(rows, [fitted(rows)], n_replicates=400, rng=np.random.default_rng(8))
    missing = np.isnan(out.rewards[0, :, 2]).mean()
    assert missing == pytest.approx((1 - 1 / 21) ** 21, abs=0.08)
    assert np.isfinite(percentile_interval(out.rewards[0], 0.9)[2]).all()


def test_one_cluster_is_refused() -> None:
    rows = Comparisons.of(2, [0, 1], [1, 0])
    with pytest.raises(ComputeError) as caught:
        bootstrap_tabular(
            rows, [fitted(rows)], clusters=np.zeros(2, np.int64), rng=np.random.default_rng(0)
        )
    assert caught.value.slug == "bootstrap-one-cluster"


def test_the_sandwich_says_when_it_does_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SANDWICH_LIMIT", 2)
    rows = Comparisons.of(3, [0, 1], [1, 2])
    assert isinstance(sandwich_covariance(rows, fitted(rows)), NotApplicable)


def test_the_expanded_level_by_hand() -> None:
    # t with 9 degrees of freedom leaves 5 % above 1.8331; times sqrt(10/9) = 1.9322.
    assert expanded_level(0.9, 10) == pytest.approx(0.9467, abs=2e-4)
    assert expanded_level(0.9, 1e9) == pytest.approx(0.9, abs=1e-8)
    assert expanded_level(0.9, 1.0) == 1.0
    levels = [expanded_level(0.8, n) for n in (1.5, 2.0, 5.0, 50.0)]
    assert levels == sorted(levels, reverse=True)


def test_the_normal_interval_by_hand() -> None:
    # 1.8331 * sqrt(10/9) = 1.9322 standard errors for ten units.
    got = normal_interval(np.array([1.0, 2.0]), np.array([0.5, np.nan]), 0.9, 10)
    np.testing.assert_allclose(got[0], [1 - 0.9661, 1 + 0.9661], atol=1e-4)
    assert np.isnan(got[1]).all()
    many = normal_interval(np.zeros(1), np.ones(1), 0.9, 1e9)
    np.testing.assert_allclose(many, [[-1.6449, 1.6449]], atol=1e-4)
    assert np.isnan(normal_interval(np.zeros(1), np.ones(1), 0.9, 1.0)).all()
    with pytest.raises(ValueError, match="confidence level"):
        normal_interval(np.zeros(1), np.ones(1), 90, 10)


def test_effective_units_count_equal_clusters() -> None:
    rows = Comparisons.of(3, [0] * 8, [1] * 8, mass=[1.0] * 6 + [2.0] * 2)
    assert effective_units(rows, None) == 8
    assert effective_units(rows, np.repeat(np.arange(2), 4)) == pytest.approx(100 / (16 + 36))
    assert effective_units(rows, np.full(8, -1)) == pytest.approx(100 / 14)


def test_few_annotators_are_covered_at_the_expanded_level_only() -> None:
    """Seven annotators of different taste: the plain interval is too narrow, ours are not."""
    rng = np.random.default_rng(6)
    m, n, level = 5, 2000, expanded_level(0.9, 7)
    hits: dict[float, list[float]] = {0.9: [], level: []}
    sandwich_hits: list[float] = []
    for _ in range(150):
        who, a = rng.integers(7, size=n), rng.integers(m, size=n)
        b = (a + rng.integers(1, m, size=n)) % m
        taste = rng.normal(size=(7, m))
        won = rng.random(n) < 1 / (1 + np.exp(taste[who, b] - taste[who, a]))
        rows = Comparisons.of(m, a, b, won.astype(float), annotator=who)
        fit = fitted(rows)
        drawn = bootstrap_tabular(rows, [fit], n_replicates=400, clusters=who, rng=rng)
        for used, hit in hits.items():
            low, high = percentile_interval(drawn.rewards[0], used).T
            hit.append(float(np.mean((low <= 0) & (high >= 0))))  # nobody is better: truth 0
        covariance = sandwich_covariance(rows, fit, clusters=who)
        assert not isinstance(covariance, NotApplicable)
        low, high = normal_interval(fit.rewards, np.sqrt(np.diag(covariance)), 0.9, 7).T
        sandwich_hits.append(float(np.mean((low <= 0) & (high >= 0))))
    assert np.mean(hits[0.9]) < 0.85
    assert 0.86 <= np.mean(sandwich_hits) <= 0.94
    assert 0.86 <= np.mean(hits[level]) <= 0.94


def test_the_sandwich_against_loops() -> None:
    """J⁻¹ Σ_c (u_c - ū)(u_c - ū)ᵀ J⁻ᵀ with u_c one cluster at a time and J by differences.

    Few clusters and a large penalty: the scores do not sum to 0, so leaving ū out shows.
    """
    rng = np.random.default_rng(8)
    m, n = 4, 30
    a = rng.integers(m, size=n)
    rows = Comparisons.of(
        m, a, (a + rng.integers(1, m, size=n)) % m, rng.choice([1.0, 0.5], n), rng.random(n) + 0.5
    )
    clusters = np.where(np.arange(n) < 25, np.arange(n) % 5, -1)
    w, lam = np.array([0.1, 0.4, 0.3, 0.2]), 1.0
    fit = fit_tabular(rows.proportions(), w, penalty=lam)
    pairs = rows.proportions()
    total = {(i, j): s for i, j, s in zip(pairs.first, pairs.second, pairs.mass, strict=True)}
    units: dict[object, FloatArray] = {}
    for c in range(n):
        x, y, v = int(rows.winner[c]), int(rows.loser[c]), float(rows.outcome[c])
        share = rows.mass[c] / total[min(x, y), max(x, y)] / fit.kappa
        g = share * (v - 1 / (1 + np.exp(fit.rewards[y] - fit.rewards[x])))
        u = units.setdefault(int(clusters[c]) if clusters[c] >= 0 else ("alone", c), np.zeros(m))
        u[x] += w[y] * g
        u[y] -= w[x] * g
    scores = np.stack(list(units.values()))
    assert scores.shape == (10, m)
    np.testing.assert_allclose(scores.sum(axis=0), lam * fit.rewards, atol=1e-8)
    centred = scores - scores.mean(axis=0)
    terms, step = pair_terms(pairs, w), 1e-6
    jacobian = np.empty((m, m))
    for k in range(m):
        up, down = fit.rewards.copy(), fit.rewards.copy()
        up[k], down[k] = up[k] + step, down[k] - step
        rise = moment_residual(terms, w, up, lam) - moment_residual(terms, w, down, lam)
        jacobian[:, k] = rise / (2 * step)
    inverse = np.linalg.inv(jacobian)
    wanted = inverse @ centred.T @ centred @ inverse.T
    found = sandwich_covariance(rows, fit, clusters=clusters)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-9)
    uncentred = inverse @ scores.T @ scores @ inverse.T
    assert np.abs(uncentred - wanted).max() > 0.05 * np.abs(wanted).max()


def test_redrawn_weights_by_hand() -> None:
    """Two cells of mass 1/4 and 3/4, the second shared 1 : 2."""
    drawn = multinomial_weights(np.array([0.25, 0.25, 0.5]), 8, groups=np.array([-1, 3, 3]))
    w = drawn(np.random.default_rng(0))
    assert w.sum() == pytest.approx(1.0)
    assert w[2] == pytest.approx(2 * w[1])
    assert w[0] * 8 == pytest.approx(round(w[0] * 8))
