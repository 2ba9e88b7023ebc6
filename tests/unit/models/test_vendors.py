"""What many entries gain, and boards on which they gain nothing."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons
from cr_audit.models.ties.battles import battles
from cr_audit.models.ties.fit import TieFit, covariance, fit_ties
from cr_audit.models.vendors import best_of_n, one_place_each, owned


def board(n: int = 4000) -> tuple[object, TieFit]:
    rng = np.random.default_rng(0)
    theta = np.array([1.0, 0.9, 0.0, -0.9, -1.0])
    a = rng.integers(5, size=n)
    b = (a + rng.integers(1, 5, size=n)) % 5
    won = rng.random(n) < 1 / (1 + np.exp(theta[b] - theta[a]))
    rows = battles(Comparisons.of(5, np.where(won, a, b), np.where(won, b, a)))
    return rows, fit_ties(rows, "bradley-terry", prior_precision=1 / 9)


def test_the_best_of_n_copies_gains_what_order_statistics_say() -> None:
    """E max of n normals is 0, 0.564, 1.163 (n = 5) standard errors above the truth."""
    rows, fit = board()
    out = best_of_n(rows, fit, 2, n_variants=(1, 2, 5), n_simulations=4000,
                    rng=np.random.default_rng(1))  # fmt: skip
    # The error of one item with the others' rewards known: the curvature of its own battles.
    error = 1.0 / np.sqrt(fit.hessian[2, 2] - 1.0)
    assert out.gain == pytest.approx(np.array([0.0, 0.564, 1.163]) * error, abs=0.1 * error)
    assert (out.low < out.gain).all()
    assert (out.high > out.gain).all()


def test_more_variants_stand_higher_and_fewer_battles_gain_more() -> None:
    rows, fit = board()
    out = best_of_n(rows, fit, 1, rng=np.random.default_rng(2))
    assert (np.diff(out.gain) > 0).all()
    assert (np.diff(out.first) >= 0).all()
    assert out.places[-1] >= out.places[0]
    small_rows, small = board(400)
    small_out = best_of_n(small_rows, small, 1, rng=np.random.default_rng(2))
    assert small_out.gain[-1] - small_out.gain[0] > 2 * (out.gain[-1] - out.gain[0])


def test_one_owner_is_one_entry() -> None:
    c = Comparisons.of(4, [0, 1, 2, 0], [1, 2, 3, 3])
    between, n_within = owned(c, np.array([0, 0, 1, 2]))
    assert n_within == 1
    assert (between.winner.tolist(), between.loser.tolist()) == ([0, 1, 0], [1, 2, 2])


def test_entries_of_one_owner_share_the_place_of_the_best() -> None:
    rank = np.array([1, 2, 3, 4, 5, 0])
    owner = np.array([0, 0, 1, 0, 2, 3])
    component = np.array([0, 0, 0, 0, 0, -1])
    assert one_place_each(rank, owner, component).tolist() == [1, 1, 2, 1, 3, 0]


def test_covariance_knows_the_prior_and_what_clusters_share() -> None:
    """A log-odds of 6 to 2 with prior precision ρ on both: 1/(1/v + ρ/2), v = 1/(8 · p (1 - p))."""
    c = Comparisons.of(2, [0] * 6 + [1] * 2, [1] * 6 + [0] * 2)
    fit = fit_ties(battles(c), "bradley-terry", prior_precision=0.5)
    cov = covariance(battles(c), fit)
    p = 1 / (1 + np.exp(fit.rewards[1] - fit.rewards[0]))
    variance = cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]
    assert variance == pytest.approx(1 / (8 * p * (1 - p) + 0.25))
    assert cov.sum() == pytest.approx(0.0, abs=1e-12)
    at = np.repeat(np.arange(8), 10)
    many = Comparisons.of(2, c.winner[at], c.loser[at])
    rows = battles(many)
    again = fit_ties(rows, "bradley-terry", prior_precision=0.5)
    grouped = covariance(rows, again, clusters=at)
    assert grouped[0, 0] > 5 * covariance(rows, again)[0, 0]
