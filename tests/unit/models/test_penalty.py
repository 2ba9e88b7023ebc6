"""Penalties chosen by the data, and leaders that depend on them."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons, FloatArray
from cr_audit.errors import ComputeError
from cr_audit.models.penalty import (
    SAME,
    choose_penalty,
    path_of,
    penalty_path,
    row_log_likelihood,
    vanishing_penalty,
)
from cr_audit.models.rewards.tabular import fit_tabular

GRID = tuple(10.0 ** np.arange(-5.0, 0.6, 0.5))


def tabular(
    rows: Comparisons, penalty: float, warm: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    w = np.full(rows.n_items, 1.0 / rows.n_items)
    r = fit_tabular(rows.proportions(), w, penalty=penalty, warm_start=warm).rewards
    return r, r


def draw(theta: FloatArray, n: int, rng: np.random.Generator) -> Comparisons:
    m = theta.size
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    won = rng.random(n) < 1.0 / (1.0 + np.exp(theta[b] - theta[a]))
    return Comparisons.of(m, np.where(won, a, b), np.where(won, b, a))


def test_held_out_likelihood_by_hand() -> None:
    rows = Comparisons.of(3, [0, 1, 2], [1, 2, 0], [1.0, 0.5, 0.0])
    r = np.array([np.log(3.0), 0.0, np.nan])
    found = row_log_likelihood(rows, r, np.arange(3))
    # 3 to 1; an even tie (no reward is read as 0); 0 beats 2, 3 to 1.
    assert found == pytest.approx([np.log(0.75), np.log(0.5), np.log(0.75)])


def test_more_data_choose_a_smaller_penalty() -> None:
    rng = np.random.default_rng(0)
    theta = rng.normal(size=8)
    chosen = [
        choose_penalty(draw(theta, n, rng), tabular, penalties=GRID, n_folds=5, rng=rng)
        for n in (60, 20_000)
    ]
    assert chosen[1].best < chosen[0].best
    assert chosen[1].high < chosen[0].high
    for c in chosen:
        assert c.low <= c.best / 2
        assert c.high >= 2 * c.best
        at = int(np.flatnonzero(c.penalties == c.best)[0])
        assert c.loss[at] == 0.0
        assert c.loss.min() >= -SAME / c.n_units
        assert c.open[at]


def test_of_penalties_that_predict_the_same_the_strongest_is_best_by_hand() -> None:
    """100 votes; in all 0, -0.009, -0.02 and -5 nats below the highest: the second is the best."""
    rows = Comparisons.of(2, [0] * 100, [1] * 100)
    lost = {0.1: 0.0, 0.2: 0.009, 0.3: 0.02, 0.4: 5.0}

    def fit(
        training: Comparisons, penalty: float, warm: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        p = np.exp(np.log(0.9) - lost[penalty] / 100)
        r = np.array([np.log(p / (1.0 - p)), 0.0])
        return r, r

    rng = np.random.default_rng(0)
    c = choose_penalty(rows, fit, penalties=tuple(lost), n_folds=5, rng=rng)
    assert c.best == 0.2
    np.testing.assert_allclose(c.loss * 100, [-0.009, 0.0, 0.011, 4.991], atol=1e-12)
    # Every row loses the same: the error is 0, and only what is the same in all stays open.
    assert c.open.tolist() == [True, True, False, False]


def test_no_signal_leaves_strong_penalties_open() -> None:
    rng = np.random.default_rng(1)
    c = choose_penalty(draw(np.zeros(6), 300, rng), tabular, penalties=GRID, n_folds=5, rng=rng)
    assert c.high >= 0.3
    assert c.at_edge


def test_whole_clusters_are_held_out() -> None:
    """Each vote copied ten times: held out one by one, no penalty seems needed at all."""
    rng = np.random.default_rng(2)
    base = draw(np.zeros(6), 60, rng)
    at = np.repeat(np.arange(60), 10)
    rows = Comparisons.of(6, base.winner[at], base.loser[at])
    alone = choose_penalty(rows, tabular, penalties=GRID, n_folds=5, rng=rng)
    apart = choose_penalty(rows, tabular, penalties=GRID, n_folds=5, clusters=at, rng=rng)
    assert alone.best < apart.best
    assert apart.n_units == 60


def test_one_unit_cannot_choose() -> None:
    rows = Comparisons.of(2, [0, 0], [1, 1])
    with pytest.raises(ComputeError) as error:
        choose_penalty(rows, tabular, clusters=np.zeros(2, int), rng=np.random.default_rng(0))
    assert error.value.slug == "selection-too-few"


def unequal() -> Comparisons:
    """a beat one opponent 9 to 1, b beat three of them 8 to 2: shrinkage decides who leads."""
    winner = [0] * 9 + [2] + ([1] * 8 + [2] * 2) + ([1] * 8 + [3] * 2) + ([1] * 8 + [4] * 2)
    loser = [2] * 9 + [0] + ([2] * 8 + [1] * 2) + ([3] * 8 + [1] * 2) + ([4] * 8 + [1] * 2)
    return Comparisons.of(5, winner, loser)


def test_a_leader_that_the_penalty_makes_is_undecided() -> None:
    rows = unequal()
    path = penalty_path(rows, tabular, np.zeros(5, int), np.array([1e-4, 1e-3, 0.3]))
    assert path.leaders == ((0,), (0,), (1,))
    assert not path.decided
    assert path.undecided == (0, 1)
    assert path.turns() == ((1e-4, (0,)), (0.3, (1,)))
    assert path.holds(np.array([0, 1]), np.array([1, 3])).tolist() == [False, True]
    low = penalty_path(rows, tabular, np.zeros(5, int), np.array([1e-4, 1e-3]))
    assert low.decided
    assert low.undecided == (0,)


def test_a_tie_at_the_top_is_one_answer() -> None:
    rows = Comparisons.of(3, [0, 1, 0, 1], [1, 0, 2, 2])
    path = penalty_path(rows, tabular, np.zeros(3, int), np.array([0.01, 0.1]))
    assert path.leaders == ((0, 1), (0, 1))
    assert path.decided


def test_the_path_holds_the_best_halved_and_doubled() -> None:
    rng = np.random.default_rng(3)
    c = choose_penalty(draw(rng.normal(size=5), 500, rng), tabular, penalties=GRID, rng=rng)
    path = path_of(c)
    assert (np.diff(path) > 0).all()
    for x in (c.best / 2, c.best, 2 * c.best, c.low, c.high):
        assert np.isclose(path, x).any()


def test_the_rule_is_one_over_the_comparisons_of_an_item() -> None:
    assert vanishing_penalty(1000, 10) == pytest.approx(1 / 200)
    assert vanishing_penalty(1000, 10, prior_sd=2.0) == pytest.approx(1 / 800)


def test_a_fixed_penalty_is_a_bias_and_the_rule_is_none() -> None:
    rng = np.random.default_rng(4)
    theta = np.array([1.5, 0.5, -0.5, -1.5])
    rows = draw(theta, 100_000, rng)
    fixed = tabular(rows, 0.03, None)[0]
    vanishing = tabular(rows, vanishing_penalty(rows.n, 4), None)[0]
    assert np.abs(fixed - theta).max() > 0.1
    assert np.abs(vanishing - theta).max() < 0.05
