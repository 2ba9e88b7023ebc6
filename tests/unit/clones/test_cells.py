"""Candidates from cells, against every distance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cr_audit import engine
from cr_audit.arrays import Float32Array
from cr_audit.clones import cells
from cr_audit.clones.nearest import _entered, nearest_graph

RNG = np.random.default_rng


def near_and_equal(n: int, d: int, seed: int) -> Float32Array:
    """A hard set: a cloud, a crowd of near-copies of one row, and groups of very near rows."""
    rng = RNG(seed)
    cloud = rng.standard_normal((n, d))
    crowd = rng.standard_normal(d) + 1e-2 * rng.standard_normal((n, d))
    groups = np.repeat(rng.standard_normal((n // 10, d)), 10, axis=0)
    groups += 1e-2 * rng.standard_normal(groups.shape)
    v = np.concatenate([cloud, crowd, groups])
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def squared(v: np.ndarray) -> np.ndarray:
    w = v.astype(np.float64)
    out = ((w[:, None] - w[None]) ** 2).sum(-1)
    np.fill_diagonal(out, np.inf)
    return out


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(12, 300), st.integers(2, 40), st.integers(1, 10))
def test_every_cell_looked_at_is_every_distance_looked_at(
    seed: int, n: int, d: int, wanted: int
) -> None:
    v = RNG(seed).standard_normal((n, d)).astype(np.float32)
    found = cells.candidates(v, wanted, probes=1e9).near
    assert found.shape == (n, wanted)
    truth = np.sort(squared(cells.turned(v)), axis=1)[:, :wanted]
    y = cells.turned(v).astype(np.float64)
    got = ((y[found] - y[:, None]) ** 2).sum(-1)
    assert np.allclose(got, truth, rtol=1e-3, atol=1e-4)


def test_nobody_is_his_own_neighbour_and_nobody_comes_twice() -> None:
    v = near_and_equal(700, 24, 1)
    found = cells.candidates(v, 20).near
    assert not (found == np.arange(v.shape[0])[:, None]).any()
    ordered = np.sort(found, axis=1)
    assert (ordered[:, 1:] > ordered[:, :-1]).all()


def test_few_directions_hold_the_variance_and_shorten_distances_only() -> None:
    rng = RNG(2)
    v = (rng.standard_normal((900, 80)) * np.where(np.arange(80) < 20, 3.0, 0.3)).astype(np.float32)
    few = cells.turned(v)
    assert few.shape == (900, 32)
    assert few.var(axis=0).sum() >= 0.9 * v.var(axis=0).sum()
    assert (
        squared(few[:50])[np.triu_indices(50, 1)] <= squared(v[:50])[np.triu_indices(50, 1)] + 1e-3
    ).all()


def test_cells_hold_every_row_once_and_a_crowd_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "CELL", 20)
    v = near_and_equal(400, 10, 3)
    made = cells.cut(v, 5)
    assert sorted(made.order.tolist()) == list(range(v.shape[0]))
    assert np.array_equal(made.rows, v[made.order])
    size = np.diff(made.start)
    assert size.min() > 0
    assert size.max() <= 20 * cells._LARGEST + 1
    assert all(a[0] == c for c, a in enumerate(made.about))
    assert all(size[a].sum() >= min(cells.ABOUT, v.shape[0]) for a in made.about)


def test_recall_on_a_hard_set() -> None:
    v = near_and_equal(2_500, 40, 4)
    graph = nearest_graph(v, 10, index="cells", recall_sample=200, rng=RNG(0))
    assert isinstance(graph.recall_estimate, float)
    # A round cloud of 40 directions has hardly any near and far: 0.94 there, 0.99 on texts.
    assert graph.recall_estimate >= 0.9
    exact = nearest_graph(v, 10, index="exact", rng=RNG(0))
    # What was found has its true distance, and none is nearer than the true ones.
    assert (graph.distance >= exact.distance - 1e-12).all()
    same = graph.neighbours == exact.neighbours
    assert np.array_equal(graph.distance[same], exact.distance[same])


def test_same_bytes_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_BLOCK_ROWS", 500)
    v = near_and_equal(1_000, 40, 5)
    made = []
    for n in (1, 2, 4):
        with engine.using(workers=n), threadpool_limits(n):
            made.append(cells.candidates(v, 12).near.tobytes())
    assert made[0] == made[1] == made[2]


def test_who_has_a_row_in_his_list_is_entered_in_its_own() -> None:
    near = np.array([[1, 2], [2, 3], [3, 1], [2, 1]], np.int32)
    distance = np.array([[0.1, 0.2], [0.5, 0.9], [0.3, 0.5], [0.3, 0.9]])
    got, length = _entered(near, distance)
    # 0 is 0.1 from 1 and 0.2 from 2, who did not know; 3 is in 1's list at 0.9, no nearer.
    assert got.tolist() == [[1, 2], [0, 2], [0, 3], [2, 1]]
    assert length.tolist() == [[0.1, 0.2], [0.1, 0.5], [0.2, 0.3], [0.3, 0.9]]


def test_more_is_looked_at_where_true_neighbours_would_be_missed() -> None:
    v = near_and_equal(1_500, 60, 6)
    some = np.arange(0, v.shape[0], 40)
    near = np.argsort(squared(v), axis=1, kind="stable")[some, :8]
    few = cells.turned(v)
    made = cells.cut(few, 40)
    # By hand: how many of the true ones are among the nearest by the directions kept.
    ranks = np.argsort(np.argsort(squared(few), axis=1, kind="stable"), axis=1)
    at = np.take_along_axis(ranks[some], near, 1)
    times = cells._times_wanted(few, 8, (some, near))
    share = [(at < (t + 1) * 8).mean() for t in range(5)]
    expected = next((t + 1 for t, s in enumerate(share) if s >= cells.ENOUGH), 5)
    assert abs(times - expected) <= 1  # single precision moves a rank at the edge
    # Every cell holds all of them, and no fewer probes are ever taken than asked for.
    assert cells._probes(made, few, 1e6, (some, near)) == 1e6
    assert cells._probes(made, few, 0.5, (some, near)) >= 0.5
    plain = cells.candidates(v, 8, probes=0.2).near
    helped = cells.candidates(v, 8, probes=0.2, truth=(some, near)).near
    found = [np.mean([np.isin(a, c[i]).mean() for i, a in zip(some, near, strict=True)])
             for c in (plain, helped)]  # fmt: skip
    assert found[1] >= found[0]
    assert found[1] > 0.9
