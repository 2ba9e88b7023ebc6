"""Marks of rank changes: by hand, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import norm, t

from cr_audit.arrays import Comparisons
from cr_audit.models.marks import (
    Influence,
    InfluenceGaps,
    ReplicateGaps,
    adjusted,
    mark_changes,
    rate_influences,
)
from cr_audit.models.rankings import win_rates


class Known:
    """Errors of 1 with infinitely many degrees of freedom."""

    def __init__(self, error: float = 1.0, degrees: float = 1e9) -> None:
        self.error, self.degrees = error, degrees

    def errors(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full((2, x.size), self.error), np.full((2, x.size), self.degrees)


def test_one_pair_by_hand() -> None:
    out = mark_changes(np.array([3.0, 0.0]), np.array([0.0, 2.0]), np.zeros(2, int), Known())
    # The smaller gap counts, and twice its tail.
    assert out.pair_p_value == pytest.approx([2 * norm.sf(2.0)])
    assert out.marked.all()
    assert out.partner.tolist() == [1, 0]
    few = mark_changes(
        np.array([3.0, 0.0]), np.array([0.0, 2.0]), np.zeros(2, int), Known(degrees=2.0)
    )
    assert few.pair_p_value == pytest.approx([2 * t.sf(2.0, 2.0)])
    assert not few.marked.any()


def test_no_change_of_sides_no_mark() -> None:
    out = mark_changes(np.array([3.0, 0.0, np.nan]), np.array([9.0, 1.0, 2.0]),
                       np.array([0, 0, -1]), Known(1e-6))  # fmt: skip
    assert not out.marked.any()
    assert out.n_pairs == 0
    assert out.q_value.tolist() == [1.0, 1.0, 1.0]
    apart = mark_changes(np.array([3.0, 0.0]), np.array([0.0, 2.0]), np.array([0, 1]), Known())
    assert not apart.marked.any()


def test_what_does_not_hold_is_never_marked() -> None:
    def holds(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.zeros(x.shape, np.bool_)

    one, two = np.array([9.0, 0.0]), np.array([0.0, 9.0])
    assert mark_changes(one, two, np.zeros(2, int), Known()).marked.all()
    assert not mark_changes(one, two, np.zeros(2, int), Known(), holds=holds).marked.any()


def test_adjusted_p_values_by_hand() -> None:
    assert adjusted(np.array([0.04, 0.01, 0.03]), 4) == pytest.approx([0.16 / 3, 0.04, 0.16 / 3])


def test_errors_of_a_difference_by_hand() -> None:
    units = np.array([[1.0, 2.0, 0.0, -3.0], [1.0, 0.0, 2.0, 0.5], [0.0, 0.0, 0.0, 0.0]])
    extra = np.random.default_rng(0).normal(size=(3, 50))
    of = Influence(sp.csr_array(units), None, 100.0)
    with_draws = Influence(sp.csr_array(units), extra, 100.0)
    x, y = np.array([2, 0, 1]), np.array([0, 1, 2])
    error, degrees = InfluenceGaps(of, with_draws).errors(x, y)
    for k in range(3):
        v = units[x[k]] - units[y[k]]
        own = (v**2).sum()
        df = own**2 / (v**4).sum() - 1
        assert error[0, k] == pytest.approx(np.sqrt(own))
        assert degrees[0, k] == pytest.approx(df)
        more = (extra[x[k]] - extra[y[k]]).var(ddof=1)
        assert error[1, k] == pytest.approx(np.sqrt(own + more))
        assert degrees[1, k] == pytest.approx((own + more) ** 2 / (own**2 / df + more**2 / 49))


def test_replicates_give_their_own_spread() -> None:
    drawn = np.random.default_rng(1).normal(size=(2, 500, 3))
    error, degrees = ReplicateGaps(drawn, 20.0).errors(np.array([0, 1]), np.array([1, 2]))
    expected = (drawn[:, :, [0, 1]] - drawn[:, :, [1, 2]]).std(axis=1, ddof=1)
    assert error == pytest.approx(expected * np.sqrt(20 / 19))
    assert (degrees == 19.0).all()
    one = ReplicateGaps(drawn, 1.0)
    assert not mark_changes(np.array([9.0, 0, 0]), np.array([0.0, 9, 0]), np.zeros(3, int),
                            one).marked.any()  # fmt: skip


def draw(p: np.ndarray, n: int, rng: np.random.Generator) -> Comparisons:
    m = p.shape[0]
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    won = rng.random(n) < p[a, b]
    return Comparisons.of(m, np.where(won, a, b), np.where(won, b, a))


@pytest.mark.parametrize("count_weighted", [False, True])
def test_rates_are_those_of_the_win_rate_table(count_weighted: bool) -> None:
    rng = np.random.default_rng(2)
    rows = draw(np.full((8, 8), 0.6), 60, rng)
    w = rng.dirichlet(np.ones(8))
    w[3] = 0.0
    mine = rate_influences(rows, w, count_weighted=count_weighted)
    table = win_rates(rows, w, count_weighted=count_weighted)
    assert mine.average == pytest.approx(table.average, nan_ok=True)
    assert mine.weighted == pytest.approx(table.weighted, nan_ok=True)


def test_errors_are_those_of_repeated_data() -> None:
    """The standard error of a difference of rates, against the spread over 800 data sets."""
    rng = np.random.default_rng(3)
    theta = np.linspace(0, 0.4, 6)
    p = 0.5 + theta[:, None] - theta
    w = np.array([0.4, 0.1, 0.1, 0.1, 0.1, 0.2])
    gaps, errors = [], []
    for _ in range(800):
        r = rate_influences(draw(p, 300, rng), w)
        gaps.append((r.average[0] - r.average[3], r.weighted[0] - r.weighted[3]))
        errors.append(r.gaps.errors(np.array([0]), np.array([3]))[0][:, 0])
    assert np.mean(errors, axis=0) == pytest.approx(np.std(gaps, axis=0), rel=0.1)


def test_repeated_votes_of_one_annotator_are_one_unit() -> None:
    rng = np.random.default_rng(4)
    rows = draw(np.full((4, 4), 0.5), 80, rng)
    at = np.repeat(np.arange(80), 9)
    many = Comparisons.of(4, rows.winner[at], rows.loser[at])
    x, y = np.array([0]), np.array([1])
    w = np.full(4, 0.25)
    one = rate_influences(rows, w, clusters=np.arange(80)).gaps.errors(x, y)[0]
    nine = rate_influences(many, w, clusters=at).gaps.errors(x, y)[0]
    alone = rate_influences(many, w).gaps.errors(x, y)[0]
    assert nine == pytest.approx(one, rel=0.1)
    assert (alone < 0.45 * one).all()


def test_clones_that_hide_a_leader_are_marked() -> None:
    """b beats the many clones of c, a beats everybody else: standard says b, weighted a."""
    rng = np.random.default_rng(5)
    m = 8  # a, b, and six clones of c
    p = np.full((m, m), 0.5)
    p[0, 1], p[1, 0] = 0.8, 0.2
    p[0, 2:], p[2:, 0] = 0.6, 0.4
    p[1, 2:], p[2:, 1] = 0.9, 0.1
    w = np.array([1 / 3, 1 / 3, *[1 / 18] * 6])
    rates = rate_influences(draw(p, 6_000, rng), w)
    out = mark_changes(rates.average, rates.weighted, np.zeros(m, int), rates.gaps)
    assert out.marked[:2].all()
    assert out.partner[:2].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("n", "spread", "k_heavy"), [(45, 0.4, 2), (450, 0.02, 2), (450, 0.4, 1), (4500, 0.1, 3)]
)
def test_nothing_is_marked_where_no_weights_change_the_order(
    n: int, spread: float, k_heavy: int
) -> None:
    """p = ½ + θ(x) - θ(y): the weights move all rates alike. At most 10 % of runs mark anything."""
    rng = np.random.default_rng(n)
    wrong = 0
    for _ in range(100):
        theta = spread * rng.random(10)
        w = np.full(10, 0.01)
        w[rng.permutation(10)[:k_heavy]] += 1.0
        rates = rate_influences(draw(0.5 + theta[:, None] - theta, n, rng), w / w.sum())
        component = np.where(np.isfinite(rates.average), 0, -1)
        out = mark_changes(rates.average, rates.weighted, component, rates.gaps)
        wrong += bool(out.marked.any())
    assert wrong / 100 <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 100)
