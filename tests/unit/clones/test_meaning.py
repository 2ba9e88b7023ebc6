"""One graph for all who read it: against brute force, and whoever is not in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cr_audit import engine
from cr_audit.arrays import Float32Array, NotApplicable
from cr_audit.clones import health as shapes
from cr_audit.clones import meaning, nearest, neighbours
from cr_audit.clones.health import health
from cr_audit.clones.meaning import meaning_graph
from cr_audit.clones.neighbours import distinct_rows
from cr_audit.errors import ComputeError

RNG = np.random.default_rng


def texts(n: int, d: int = 12, seed: int = 0) -> Float32Array:
    """Unit vectors that share one large part."""
    v = RNG(seed).standard_normal((n, d)) + 3.0 * np.eye(d)[0]
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def by_hand(v: Float32Array) -> np.ndarray:
    """Distances in double precision, the mean of the distinct rows away, unit length."""
    w = v.astype(np.float64)
    w = w - np.unique(w, axis=0).mean(axis=0)
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    return np.sqrt(((w[:, None] - w[None]) ** 2).sum(axis=2))


@pytest.mark.parametrize("index", ["auto", "exact", "cells", "hnsw"])
def test_lists_are_those_of_brute_force(index: str) -> None:
    v = texts(300)
    joined = meaning_graph(v, index=index, rng=RNG(0))  # type: ignore[arg-type]
    truth = by_hand(v)
    np.fill_diagonal(truth, np.inf)
    rows = joined.rows
    assert sorted(rows.tolist()) == list(range(300))
    expected = np.sort(truth[rows], axis=1)[:, : meaning.NEIGHBOURS]
    assert np.allclose(joined.graph.distance, expected, atol=2e-6)
    record = joined.record
    assert (record.n, record.n_distinct, record.k) == (300, 300, meaning.NEIGHBOURS)
    assert record.asked == index
    if record.index == "exact":
        assert isinstance(record.recall, NotApplicable)
    else:
        assert record.recall == 1.0
        assert record.n_recall_sample == 256
    names = {
        "exact": set(),
        "cells": {"n_cells", "n_probes"},
        "hnsw": {"m", "ef_construction", "ef"},
    }
    assert set(record.parameters) == names[record.index]


def test_equal_rows_share_a_node_and_empty_ones_have_none() -> None:
    v = texts(80)
    v = np.concatenate([v, v[:20], np.zeros((3, v.shape[1]), np.float32)])
    joined = meaning_graph(v, rng=RNG(0))
    assert joined.space.n == joined.graph.n == 80
    nodes = joined.nodes
    assert np.array_equal(nodes[80:100], nodes[:20])
    assert (nodes[100:] == -1).all()
    assert np.array_equal(joined.rows[nodes[:80]], np.arange(80))


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_few_rows(n: int) -> None:
    v = texts(n) if n else np.zeros((0, 12), np.float32)
    joined = meaning_graph(v, rng=RNG(0))
    assert joined.graph.neighbours.shape == (n, max(n - 1, 0))
    if n:
        assert joined.among(v, np.arange(n), 5).shape == (n, n - 1)


def test_auto_draws_and_a_named_index_joins_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "JOINED", 100)
    v = texts(250)
    some, every = (meaning_graph(v, index=i, rng=RNG(0)) for i in ("auto", "cells"))  # type: ignore[arg-type]
    assert (some.record.n, some.record.n_distinct, some.record.index) == (100, 250, "exact")
    assert (some.nodes >= 0).sum() == 100
    assert (every.record.n, every.record.index) == (250, "cells")


@pytest.mark.parametrize("drawn", [250, 120])
def test_neighbours_among_some_are_exact(drawn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read off the lists where they reach, searched for where they do not or a row is not there."""
    monkeypatch.setattr(meaning, "JOINED", drawn)
    v = texts(250)
    joined = meaning_graph(v, rng=RNG(0))
    truth = by_hand(v)
    for size in (250, 60, 12, 2):
        some = np.sort(RNG(size).choice(250, size, replace=False))
        d = truth[np.ix_(some, some)].copy()
        np.fill_diagonal(d, np.inf)
        k = min(7, size - 1)
        found = joined.among(v, some, 7)
        assert found.shape == (size, k)
        assert not (found == np.arange(size)[:, None]).any()
        assert np.allclose(np.take_along_axis(d, found, 1), np.sort(d, axis=1)[:, :k], atol=1e-6)


def test_among_copies_nobody_is_his_own_neighbour() -> None:
    v = np.concatenate([texts(30), np.repeat(texts(1, seed=5), 12, axis=0)])
    joined = meaning_graph(v, rng=RNG(0))
    found = joined.among(v, np.arange(42), 5)
    assert found.shape == (42, 5)
    assert not (found == np.arange(42)[:, None]).any()
    assert (found[30:] >= 30).all()


@pytest.mark.parametrize("index", ["auto", "cells", "hnsw"])
def test_same_bytes_on_one_and_two_cores(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "JOINED", 500)
    monkeypatch.setattr(nearest, "_BLOCK", 40_000)
    v = texts(700, 24)
    made = []
    for n in (1, 2):
        with engine.using(workers=n), threadpool_limits(n):
            monkeypatch.setattr(engine, "cores", lambda n=n: n)
            made.append(meaning_graph(v, index=index, rng=RNG(0)))  # type: ignore[arg-type]
    one, two = made
    assert one.graph.neighbours.tobytes() == two.graph.neighbours.tobytes()
    assert one.graph.distance.tobytes() == two.graph.distance.tobytes()
    assert one.record == two.record


def test_hnsw_tries_harder_until_it_finds_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    v = texts(1_500, 64)
    easy = meaning_graph(v, index="hnsw", rng=RNG(0)).record
    monkeypatch.setattr(nearest, "ENOUGH", 1.1)  # never
    monkeypatch.setattr(nearest, "_MOST_EF", 400)
    hard = meaning_graph(v, index="hnsw", rng=RNG(0)).record
    assert isinstance(easy.recall, float)
    assert isinstance(hard.recall, float)
    assert easy.recall >= 0.99
    assert hard.parameters["ef"] >= 400 > easy.parameters["ef"]
    assert hard.recall >= easy.recall


def test_without_hnswlib_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "find_spec", lambda name: None)
    with pytest.raises(ComputeError, match="hnswlib") as error:
        meaning_graph(texts(20), index="hnsw", rng=RNG(0))
    assert "--index cells" in str(error.value)
    assert meaning_graph(texts(20), rng=RNG(0)).record.index == "exact"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40), st.integers(1, 5), st.integers(1, 4))
def test_distinct_rows_are_those_of_their_bytes(seed: int, n: int, d: int, values: int) -> None:
    """Few values, so that rows share their first numbers, are equal, and hold both zeros."""
    v = RNG(seed).integers(-values, values + 1, (n, d)).astype(np.float32)
    v[RNG(seed + 1).random((n, d)) < 0.2] *= np.float32(-1.0)
    first, which = distinct_rows(v)
    rows = v + np.float32(0.0)
    raw = [r.tobytes() for r in rows]
    assert [raw[i] for i in first] == sorted(set(raw))
    assert all(raw.index(raw[i]) == i for i in first)
    assert [raw[first[w]] for w in which] == raw


def test_the_shape_of_a_graph_by_loops() -> None:
    # Two far crowds, and one point in the middle of the first that all of it are near to.
    rng = RNG(1)
    v = np.concatenate([rng.standard_normal((60, 30)), 50.0 + rng.standard_normal((40, 30))])
    v[0] = v[1:60].mean(axis=0)
    graph = nearest.nearest_graph(v.astype(np.float32), 20, rng=RNG(0))
    h = health(graph)
    lists = [set(graph.neighbours[i, :15].tolist()) for i in range(100)]
    degree = [sum(i in of for of in lists) for i in range(100)]
    assert h.links == 15
    assert h.in_degree_max == max(degree) == 59
    assert h.n_hubs == sum(x >= shapes.OFTEN * 15 for x in degree)
    assert h.in_none == pytest.approx(sum(x == 0 for x in degree) / 100)
    assert h.mutual == pytest.approx(
        sum(i in lists[j] for i in range(100) for j in lists[i]) / (100 * 15)
    )
    away = np.array(degree) - 15.0
    assert h.in_degree_skewness == pytest.approx((away**3).mean() / (away**2).mean() ** 1.5)
    assert (h.n_components, h.largest) == (2, 0.6)
    assert h.nearest == pytest.approx(np.median(graph.distance[:, 0]))
    hub = int(np.argmax(degree))
    assert graph.rows[hub] == 0
