"""Vectors within a radius of each other, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cr_audit.arrays import Float32Array, NotApplicable
from cr_audit.clones.neighbours import RadiusGraph, cosine_to_distance, radius_graph

RNG = np.random.default_rng


def clumps(n: int, d: int, seed: int, per: int = 6) -> Float32Array:
    rng = RNG(seed)
    v = np.repeat(rng.standard_normal((n // per + 1, d)), per, axis=0)[:n]
    v += 0.3 * rng.standard_normal(v.shape)
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def edges(graph: RadiusGraph) -> set[tuple[int, int]]:
    return set(zip(graph.first.tolist(), graph.second.tolist(), strict=True))


def brute(v: Float32Array, radius: float) -> set[tuple[int, int]]:
    w = v.astype(np.float64)
    d = np.sqrt(((w[:, None] - w[None]) ** 2).sum(-1))
    i, j = np.nonzero(np.triu(d <= radius, 1))
    return set(zip(i.tolist(), j.tolist(), strict=True))


@pytest.mark.parametrize("index", ["exact", "cells", "hnsw"])
def test_finds_what_brute_force_finds(index: str) -> None:
    v = clumps(600, 24, 0)
    graph = radius_graph(v, 0.55, index=index, rng=RNG(0))
    assert edges(graph) == brute(v, 0.55)
    assert graph.index == index
    assert np.all(graph.distance <= 0.55)


@pytest.mark.parametrize("index", ["cells", "hnsw"])
def test_no_ceiling_on_the_length_of_a_list(index: str) -> None:
    """800 rows in one clump: every list is longer than the first k that is asked for."""
    v = clumps(800, 16, 1, per=800)
    graph = radius_graph(v, 2.0, index=index, rng=RNG(0))
    assert graph.first.size == 800 * 799 // 2
    assert graph.recall_estimate == 1.0


def test_recall_is_measured_for_hnsw_only() -> None:
    v = clumps(300, 8, 2)
    exact = radius_graph(v, 0.3, rng=RNG(0))
    assert isinstance(exact.recall_estimate, NotApplicable)
    hnsw = radius_graph(v, 0.3, index="hnsw", recall_sample=50, rng=RNG(0))
    assert hnsw.n_recall_sample == 50
    assert hnsw.recall_estimate == 1.0


def test_a_missed_edge_lowers_the_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    from cr_audit.clones import neighbours

    v = clumps(300, 8, 2)
    found = neighbours._hnsw_candidates
    monkeypatch.setattr(neighbours, "_hnsw_candidates", lambda r, limit: found(r, limit)[::2])
    recall = radius_graph(v, 0.3, index="hnsw", rng=RNG(0)).recall_estimate
    assert isinstance(recall, float)
    assert 0.2 < recall < 0.8


def test_equal_rows_are_collapsed_onto_the_first() -> None:
    v = clumps(50, 8, 3)
    v = np.concatenate([v, np.repeat(v[7:8], 400, axis=0), -0.0 * v[:1]])
    graph = radius_graph(v, 0.5, index="hnsw", rng=RNG(0))
    assert set(graph.representative[50:450].tolist()) == {7}
    assert not np.isin(graph.first, np.arange(50, 450)).any()


@pytest.mark.parametrize("index", ["exact", "cells", "hnsw"])
@settings(max_examples=8)
@given(seed=st.integers(0, 99))
def test_row_order_and_threads_do_not_matter(index: str, seed: int) -> None:
    v = clumps(200, 12, seed)
    order = RNG(seed).permutation(200)
    with threadpool_limits(1):
        a = radius_graph(v, 0.6, index=index, rng=RNG(0))
    b = radius_graph(v[order], 0.6, index=index, rng=RNG(0))
    back = {tuple(sorted((int(order[i]), int(order[j])))) for i, j in edges(b)}
    assert edges(a) == back
    c = radius_graph(v, 0.6, index=index, rng=RNG(0))
    assert a.distance.tobytes() == c.distance.tobytes()
    assert a.first.tobytes() == c.first.tobytes()


def test_empty_single_and_wrong_input() -> None:
    for n in (0, 1):
        for index in ("exact", "cells", "hnsw"):
            graph = radius_graph(np.ones((n, 3), np.float32), 1.0, index=index, rng=RNG(0))
            assert graph.first.size == 0
    with pytest.raises(ValueError, match="finite"):
        radius_graph(np.full((2, 3), np.nan, np.float32), 1.0, rng=RNG(0))
    with pytest.raises(ValueError, match="radius"):
        radius_graph(np.ones((2, 3), np.float32), -1.0, rng=RNG(0))


def test_cosine_to_distance() -> None:
    assert cosine_to_distance(1.0) == 0.0
    assert cosine_to_distance(0.5) == pytest.approx(1.0)
    assert cosine_to_distance(-1.0) == pytest.approx(2.0)
