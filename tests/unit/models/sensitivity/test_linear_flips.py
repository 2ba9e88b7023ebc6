"""Decisions of a linear reward: the fit is that of ``fit_linear``, the proof is never wrong."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.models.rewards.linear import fit_linear
from cr_audit.models.sensitivity.linear import LinearFlips


def problem(seed: int) -> tuple[Comparisons, np.ndarray, np.ndarray, float, bool]:
    """Few answers in few dimensions, pairs that come again, ties and weights."""
    rng = np.random.default_rng(seed)
    m, d, n = int(rng.integers(4, 9)), int(rng.integers(1, 4)), int(rng.integers(6, 15))
    first = rng.integers(0, m, n)
    second = (first + rng.integers(1, m, n)) % m
    rows = Comparisons.of(
        m,
        first,
        second,
        outcome=np.where(rng.random(n) < 0.15, 0.5, 1.0),
        mass=rng.choice([1.0, 1.0, 2.0], n),
    )
    weights = rng.dirichlet(np.full(m, 5.0))
    return rows, rng.normal(size=(m, d)), weights, float(10 ** rng.uniform(-2, 0)), bool(seed % 2)


@pytest.mark.parametrize("seed", range(6))
def test_the_fit_is_that_of_the_linear_rewards(seed: int) -> None:
    rows, contexts, weights, penalty, counted = problem(seed)
    mine = LinearFlips(rows, contexts, weights, penalty, count_weighted=counted)
    fit = fit_linear(
        rows.proportions(),
        contexts,
        weights,
        penalty=penalty,
        count_weighted=counted,
        tolerance=1e-12,
    )
    np.testing.assert_allclose(mine.rewards, fit.rewards, atol=1e-7)


def least(rows: Comparisons, flips: LinearFlips, above: int, below: int, most: int) -> int:
    """The size of the smallest removal that turns the two; most + 1 where none does."""
    for k in range(1, most + 1):
        for gone in combinations(range(rows.n), k):
            if len(gone) < rows.n and flips._turns(np.array(gone), above, below):
                return k
    return most + 1


@pytest.mark.parametrize("seed", range(24))
def test_no_removal_below_the_lower_end_turns_a_decision(seed: int) -> None:
    rows, contexts, weights, penalty, counted = problem(seed)
    flips = LinearFlips(rows, contexts, weights, penalty, count_weighted=counted)
    order = np.argsort(-flips.rewards)
    above, below = int(order[0]), int(order[1 + seed % 3])
    found = flips.turned_by(above, below)
    upper = rows.n if isinstance(found, NotApplicable) else found.size
    lower = flips.lower(above, below, upper - 1)
    most = min(upper, 3)
    true = least(rows, flips, above, below, most)
    assert lower <= upper
    assert true >= min(lower, most + 1)
    if not isinstance(found, NotApplicable) and found.size <= most:
        assert true <= found.size


def test_many_clear_votes_are_proved_to_hold_and_few_are_not() -> None:
    rng = np.random.default_rng(3)
    m = 300
    contexts = rng.normal(size=(m, 3))
    first = rng.integers(0, m, 2000)
    second = (first + rng.integers(1, m, 2000)) % m
    win = rng.random(2000) < 1 / (1 + np.exp(-2 * (contexts[first, 0] - contexts[second, 0])))
    rows = Comparisons.of(m, np.where(win, first, second), np.where(win, second, first))
    flips = LinearFlips(rows, contexts, np.full(m, 1 / m), 0.01)
    order = np.argsort(-flips.rewards)
    clear, close = (order[:1], order[-1:]), (order[:1], order[1:2])
    assert bool(flips.proved(10, *clear)[0])
    found = flips.turned_by(int(close[0][0]), int(close[1][0]))
    assert not isinstance(found, NotApplicable)
    assert not bool(flips.proved(found.size, *close)[0])
