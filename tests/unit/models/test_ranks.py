"""Competition ranks by hand and by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from cr_audit.models.ranks import kendall_tau, ranks


def test_ties_share_the_better_rank_and_the_next_are_skipped() -> None:
    values = np.array([3.0, 5.0, 5.0 - 1e-9, 1.0, np.nan, 9.0, 2.0])
    components = np.array([0, 0, 0, 0, 0, -1, 1])
    assert ranks(values, components, tie=1e-7).tolist() == [3, 1, 1, 4, -1, -1, 1]
    assert ranks(values, components, tie=1e-12).tolist() == [3, 1, 2, 4, -1, -1, 1]
    assert ranks(values, components, tie=1e-7, missing=0)[4:6].tolist() == [0, 0]
    both = ranks(np.stack([values, -values]), components, tie=1e-7)
    assert both[1].tolist() == [2, 3, 3, 1, -1, -1, 1]


def test_a_chain_of_near_neighbours_is_one_rank() -> None:
    """Each is within the tie of the next; the rank is that of the best of the chain."""
    assert ranks(np.array([1.0, 0.9, 0.8, 0.5]), np.zeros(4, np.int64), tie=0.1001).tolist() == [
        1,
        1,
        1,
        4,
    ]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 3))
def test_a_rank_counts_those_that_are_better(values: list[int], n_components: int) -> None:
    x = np.array(values, dtype=np.float64)
    part = np.arange(x.size) % n_components
    found = ranks(x, part, tie=0.5)
    for i in range(x.size):
        assert found[i] == 1 + sum((part == part[i]) & (x > x[i]))


@pytest.mark.parametrize("n_items", [0, 1, 2, 3, 17, 300])
@pytest.mark.parametrize("n_values", [2, 5, 10**6])
def test_tau_of_many_rows_is_scipys_of_each(n_items: int, n_values: int) -> None:
    rng = np.random.default_rng(n_items + n_values)
    x = rng.integers(0, n_values, (30, n_items)).astype(np.float64)
    y = np.where(rng.random(x.shape) < 0.5, x, rng.integers(0, n_values, x.shape))
    x[rng.random(x.shape) < 0.1] = np.nan
    y[rng.random(x.shape) < 0.05] = -np.inf
    for one, two, tau in zip(x, y, kendall_tau(x, y), strict=True):
        both = np.isfinite(one) & np.isfinite(two)
        expected = kendalltau(one[both], two[both]).statistic if both.sum() > 1 else np.nan
        np.testing.assert_equal(tau, expected)


def test_tau_of_more_rows_than_one_block_and_of_more_items_than_sixteen_bits() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2, 70_000))
    y = x + rng.normal(size=x.shape)
    assert kendall_tau(x, y).tolist() == [
        kendalltau(*pair).statistic for pair in zip(x, y, strict=True)
    ]
    assert kendall_tau(np.zeros((0, 4)), np.zeros((0, 4))).shape == (0,)
