"""The choice of the penalty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cr_audit.arrays import Comparisons, FloatArray
from cr_audit.errors import ComputeError
from cr_audit.models.rewards.selection import (
    cross_validate_penalty,
    folds,
    held_out_log_likelihood,
)
from cr_audit.models.rewards.tabular import fit_tabular


def tabular(
    rows: Comparisons, penalty: float, warm: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    w = np.full(rows.n_items, 1 / rows.n_items)
    rewards = fit_tabular(rows.proportions(), w, penalty=penalty, warm_start=warm).rewards
    return rewards, rewards


def simulate(seed: int, scale: float, m: int, n: int) -> Comparisons:
    rng = np.random.default_rng(seed)
    truth = scale * rng.normal(size=m)
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    won = (rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    return Comparisons.of(m, a, b, won)


def test_log_likelihood_by_hand() -> None:
    rows = Comparisons.of(3, [0, 1], [1, 2], [1.0, 0.5], [1.0, 3.0])
    r = np.array([1.0, 0.0, np.nan])
    expected = (1 * np.log(1 / (1 + np.exp(-1))) + 3 * np.log(0.5)) / 4
    assert held_out_log_likelihood(rows, r) == pytest.approx(expected)


def test_noise_asks_for_a_large_penalty_and_signal_for_a_small_one() -> None:
    noise = cross_validate_penalty(simulate(1, 0.0, 20, 600), tabular, rng=np.random.default_rng(0))
    signal = cross_validate_penalty(
        simulate(1, 2.0, 20, 6000), tabular, rng=np.random.default_rng(0)
    )
    assert signal.best < 0.02 < 0.3 <= noise.best
    assert noise.at_edge
    assert np.all(np.diff(noise.penalties) < 0)
    assert noise.log_likelihood.max() < np.log(0.5) + 0.005 < signal.log_likelihood.max()
    assert signal.simplest >= signal.best
    assert np.all(signal.standard_error > 0)


def test_repeated_clusters_do_not_leak_into_their_own_test() -> None:
    rows = simulate(2, 0.0, 30, 200)
    copies = Comparisons.of(
        30, np.repeat(rows.winner, 5), np.repeat(rows.loser, 5), np.repeat(rows.outcome, 5)
    )
    clusters = np.repeat(np.arange(200), 5)
    leaking = cross_validate_penalty(copies, tabular, rng=np.random.default_rng(0))
    honest = cross_validate_penalty(
        copies, tabular, clusters=clusters, rng=np.random.default_rng(0)
    )
    assert leaking.best < honest.best
    assert honest.clustered


def test_too_few_comparisons_are_refused() -> None:
    with pytest.raises(ComputeError) as caught:
        cross_validate_penalty(Comparisons.of(2, [0], [1]), tabular, rng=np.random.default_rng(0))
    assert caught.value.slug == "selection-too-few"


def test_the_error_over_folds_against_numpy() -> None:
    """Equal folds: the standard deviation with n - 1, over √n. The fits are spied on."""
    rng = np.random.default_rng(2)
    rows = Comparisons.of(6, np.arange(50) % 6, (np.arange(50) + 1) % 6, mass=np.ones(50))
    rows = replace(rows, annotator=np.arange(50))
    seen: list[float] = []

    def fit(
        training: Comparisons, penalty: float, warm: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        rewards = np.random.default_rng(len(seen)).normal(size=6)
        gone = np.setdiff1d(rows.annotator, training.annotator)
        seen.append(held_out_log_likelihood(rows.take(gone), rewards))
        return rewards, rewards

    curve = cross_validate_penalty(rows, fit, penalties=(1.0, 0.1), n_folds=5, rng=rng)
    scores = np.array(seen).reshape(5, 2)
    np.testing.assert_allclose(curve.log_likelihood, scores.mean(axis=0))
    np.testing.assert_allclose(curve.standard_error, scores.std(axis=0, ddof=1) / np.sqrt(5))
    best = int(np.argmax(scores.mean(axis=0)))
    assert curve.best == (1.0, 0.1)[best]


def test_folds_hold_clusters_together_and_differ_in_size_by_one() -> None:
    clusters = np.array([4, 4, -1, -1, 9, 9, 9, 2, 2, 2, 2])
    fold = folds(11, clusters, 2, np.random.default_rng(0))
    for label in (4, 9, 2):
        assert np.unique(fold[clusters == label]).size == 1
    first = [fold[np.flatnonzero(clusters == c)[0]] for c in (4, 9, 2)] + fold[2:4].tolist()
    assert sorted(np.bincount(first).tolist()) == [2, 3]
