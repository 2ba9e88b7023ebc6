"""The map's places: the gradient against differences, neighbours kept, whatever the cores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from threadpoolctl import threadpool_limits

from cr_audit.clones import layout
from cr_audit.clones.layout import gradient, plane, spread


def divergence(y: np.ndarray, e: np.ndarray) -> float:
    """KL(e || q / Z), by loops."""
    n = y.shape[0]
    q = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                q[i, j] = 1.0 / (1.0 + float(((y[i] - y[j]) ** 2).sum()))
    q /= q.sum()
    return float(
        sum(e[i, j] * np.log(e[i, j] / q[i, j]) for i, j in zip(*np.nonzero(e), strict=True))
    )


def test_the_gradient_is_that_of_the_divergence() -> None:
    rng = np.random.default_rng(3)
    n = 12
    e = np.triu((rng.random((n, n)) < 0.4).astype(float), 1)
    e = (e + e.T) / (2 * e.sum())
    y = rng.normal(size=(n, 2))
    found = gradient(y.astype(np.float32), coo_array(e), np.empty((n, n), np.float32))
    step = 1e-5
    for i in range(n):
        for axis in range(2):
            up, down = y.copy(), y.copy()
            up[i, axis] += step
            down[i, axis] -= step
            expected = (divergence(up, e) - divergence(down, e)) / (2 * step)
            assert found[i, axis] == pytest.approx(expected, abs=2e-6)


def kept_by_loops(vectors: np.ndarray, points: np.ndarray, k: int) -> float:
    total = 0.0
    for i in range(len(vectors)):

        def nearest(x: np.ndarray, i: int = i) -> set[int]:
            apart = ((x - x[i]) ** 2).sum(axis=1)
            apart[i] = np.inf
            return set(np.argsort(apart)[:k].tolist())

        total += len(nearest(vectors.copy()) & nearest(points.copy())) / k
    return total / len(vectors)


def clouds(seed: int, per: int = 25, d: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Four clouds far from each other: vectors, and the cloud of each."""
    rng = np.random.default_rng(seed)
    centres = 4.0 * rng.normal(size=(4, d))
    which = np.repeat(np.arange(4), per)
    return (centres[which] + rng.normal(size=(4 * per, d))).astype(np.float32), which


def test_neighbours_stand_together_and_the_share_of_them_is_right() -> None:
    vectors, which = clouds(1)
    made = plane(vectors, np.full(len(vectors), -1))
    # Rounding of the places to four digits may turn a near tie.
    assert made.kept == pytest.approx(
        kept_by_loops(vectors.astype(float), made.points, made.neighbours), abs=0.01
    )
    assert made.kept > 3 * made.neighbours / (len(vectors) - 1)
    apart = ((made.points[:, None] - made.points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (which[apart.argmin(axis=1)] == which).all()


def test_more_neighbours_are_kept_than_by_two_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = clouds(2)
    alone = np.full(len(vectors), -1)
    graph = plane(vectors, alone).kept
    monkeypatch.setattr(layout, "_pulled", lambda points, near: points)
    assert graph > 1.2 * plane(vectors, alone).kept


def test_copies_stand_around_each_other_and_none_hides_another() -> None:
    vectors, _ = clouds(3)
    groups = np.full(len(vectors), -1)
    groups[:8] = 0
    points = plane(vectors, groups).points
    middle = points[:8].mean(axis=0)
    assert np.abs(points[:8] - middle).max() < 0.1
    assert len(np.unique(points, axis=0)) == len(points)


def test_the_same_bytes_on_one_core_and_on_two() -> None:
    vectors, _ = clouds(4)
    alone = np.full(len(vectors), -1)
    with threadpool_limits(limits=2):
        two = plane(vectors, alone)
    with threadpool_limits(limits=1):
        one = plane(vectors, alone)
    assert np.array_equal(one.points, two.points)
    assert one.kept == two.kept


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 30), d=st.integers(1, 6), seed=st.integers(0, 99), same=st.booleans())
def test_everything_stands_on_the_page(n: int, d: int, seed: int, same: bool) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.ones((n, d), np.float32) if same else rng.normal(size=(n, d)).astype(np.float32)
    made = plane(vectors, rng.integers(-1, 3, n))
    assert made.points.shape == (n, 2)
    assert np.isfinite(made.points).all()
    assert made.points.min() >= 0
    assert made.points.max() <= 1
    assert 0 <= made.kept <= 1


def test_groups_come_first_and_single_items_at_even_distances() -> None:
    groups = np.full(1000, -1)
    groups[10:20] = 0
    groups[30:33] = 1
    shown = spread(1000, groups, most=40, of_one=6)
    assert len(shown) == 40
    assert set(range(10, 16)) <= set(shown.tolist())
    assert {30, 31, 32} <= set(shown.tolist())
    assert np.array_equal(spread(30, groups[:30], most=40, of_one=6), np.arange(30))


def test_items_are_drawn_where_nothing_has_a_copy() -> None:
    shown = spread(1000, np.full(1000, -1), most=40, of_one=6)
    assert len(shown) == 40
    assert np.diff(shown).max() == 25
