"""The k nearest neighbours of every distinct row, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cr_audit import engine
from cr_audit.arrays import Float32Array, NotApplicable
from cr_audit.clones import nearest
from cr_audit.clones.nearest import NearestGraph, nearest_graph, nearest_of

RNG = np.random.default_rng


def points(n: int, d: int, seed: int) -> Float32Array:
    v = RNG(seed).standard_normal((n, d))
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def brute(v: Float32Array, k: int) -> tuple[np.ndarray, np.ndarray]:
    w = v.astype(np.float64)
    d = np.sqrt(((w[:, None] - w[None]) ** 2).sum(-1))
    np.fill_diagonal(d, np.inf)
    order = np.argsort(d, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(d, order, 1)


def in_rows(graph: NearestGraph) -> np.ndarray:
    """Neighbours as rows of the input, one list per row of the input."""
    return graph.rows[graph.neighbours][graph.row_of]


@pytest.mark.parametrize("index", ["exact", "cells", "hnsw"])
def test_finds_what_brute_force_finds(index: str) -> None:
    v = points(400, 12, 0)
    graph = nearest_graph(v, 10, index=index, rng=RNG(0))
    order, distance = brute(v, 10)
    assert graph.index == index
    assert np.array_equal(in_rows(graph), order)
    assert np.allclose(graph.distance[graph.row_of], distance, atol=1e-12)


def test_equal_rows_are_one_and_nobody_is_his_own_neighbour() -> None:
    v = points(30, 6, 1)
    v = np.concatenate([v, v[:10], v[:5]])
    graph = nearest_graph(v, 5, rng=RNG(0))
    assert graph.n == 30
    assert sorted(graph.rows.tolist()) == list(range(30))
    assert np.array_equal(graph.rows[graph.row_of][30:40], np.arange(10))
    assert not (graph.neighbours == np.arange(30)[:, None]).any()
    assert (graph.distance > 0).all()


@pytest.mark.parametrize(("n", "k"), [(0, 3), (1, 3), (2, 3), (4, 3)])
def test_few_rows_have_all_others(n: int, k: int) -> None:
    graph = nearest_graph(points(n, 4, 2), k, rng=RNG(0))
    assert graph.neighbours.shape == (n, min(k, max(n - 1, 0)))
    for i, row in enumerate(graph.neighbours):
        assert sorted(row.tolist()) == [j for j in range(n) if j != i][: len(row)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 12))
def test_the_order_of_the_rows_changes_nothing(seed: int, n: int, k: int) -> None:
    v = points(n, 5, seed)
    shuffled = RNG(seed).permutation(n)
    one, two = (nearest_graph(x, k, rng=RNG(0)) for x in (v, v[shuffled]))
    assert np.array_equal(in_rows(one)[shuffled], shuffled[in_rows(two)])
    assert np.array_equal(one.distance, two.distance)


@pytest.mark.parametrize("index", ["exact", "cells", "hnsw"])
def test_same_bytes_on_one_and_two_cores(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_BLOCK", 40_000)
    v = points(900, 24, 3)
    made = []
    for n in (1, 2):
        with engine.using(workers=n), threadpool_limits(n):
            made.append(nearest_graph(v, 8, index=index, rng=RNG(0)))
    assert made[0].neighbours.tobytes() == made[1].neighbours.tobytes()
    assert made[0].distance.tobytes() == made[1].distance.tobytes()


def test_recall_is_measured_where_something_may_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    v = points(300, 8, 4)
    assert isinstance(nearest_graph(v, 5, rng=RNG(0)).recall_estimate, NotApplicable)
    full = nearest_graph(v, 5, index="hnsw", recall_sample=50, rng=RNG(0))
    assert (full.recall_estimate, full.n_recall_sample) == (1.0, 50)
    found = nearest._by_hnsw
    # What one list misses another one has; here nobody is to be entered.
    monkeypatch.setattr(nearest, "_entered", lambda near, distance: (near, distance))

    def worse(rows: Float32Array, k: int) -> nearest.Made:
        near, distance, parameters = found(rows, k + 1)
        return near[:, 1:], distance[:, 1:], parameters  # the nearest of all is always missed

    monkeypatch.setattr(nearest, "_by_hnsw", worse)
    recall = nearest_graph(v, 5, index="hnsw", rng=RNG(0)).recall_estimate
    assert recall == pytest.approx(0.8)


def test_nearest_of_others() -> None:
    v, q = points(200, 6, 5), points(20, 6, 6)
    near, distance = nearest_of(q, v, 7)
    d = np.linalg.norm(q[:, None].astype(float) - v[None].astype(float), axis=2)
    assert np.array_equal(near, np.argsort(d, axis=1, kind="stable")[:, :7])
    assert np.allclose(distance, np.sort(d, axis=1)[:, :7])


def test_what_cannot_be_searched() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        nearest_graph(points(5, 3, 0), 0, rng=RNG(0))
    bad = points(5, 3, 0)
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        nearest_graph(bad, 2, rng=RNG(0))
