"""A graph that grew is the graph made anew, to the last byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cr_audit.arrays import Float32Array
from cr_audit.clones import meaning, meaning_growing
from cr_audit.clones.meaning import MeaningGraph, meaning_graph
from cr_audit.clones.meaning_growing import KnownGraph, grown, made_anew

RNG = np.random.default_rng


@pytest.fixture(autouse=True)
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of 12, of which 6 are kept, so that small sets have rows that are in no list."""
    monkeypatch.setattr(meaning, "NEIGHBOURS", 6)
    monkeypatch.setattr(meaning, "LISTED", 12)
    monkeypatch.setattr(meaning_growing, "NEIGHBOURS", 6)
    monkeypatch.setattr(meaning_growing, "LISTED", 12)


def texts(n: int, d: int, seed: int) -> Float32Array:
    """Unit vectors in a few clumps that share one large part."""
    rng = RNG(seed)
    v = rng.standard_normal((n, d)) * 0.5 + rng.standard_normal((5, d))[rng.integers(0, 5, n)]
    v += 3.0 * np.eye(d)[0]
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def same(one: tuple[MeaningGraph, KnownGraph], two: tuple[MeaningGraph, KnownGraph]) -> None:
    for name in ("rows", "row_of", "neighbours", "distance"):
        a, b = (getattr(x[0].graph, name) for x in (one, two))
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes(), name
    assert one[0].record == two[0].record
    assert one[0].seen.tobytes() == two[0].seen.tobytes()
    assert one[0].space.mean.tobytes() == two[0].space.mean.tobytes()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(20, 150),
    st.lists(st.integers(0, 40), min_size=1, max_size=3),
    st.integers(0, 10),
    st.sampled_from([0.0, 0.3]),
)
def test_grown_is_made_anew(seed: int, n: int, added: list[int], n_gone: int, shift: float) -> None:
    """Through several batches; rows go as well, some stand twice, batches may lie elsewhere."""
    d = 6
    rng = RNG(seed)
    v = texts(n, d, seed)
    known = made_anew(v, "exact", RNG(0))[1]
    for k, b in enumerate(added):
        batch = texts(b, d, seed + k + 1) + np.float32(shift) * np.eye(d, dtype=np.float32)[1]
        v = np.concatenate([v, batch, v[: b // 4]])[n_gone:]
        v = v[rng.permutation(v.shape[0])]
        result = grown(known, v, "exact", RNG(0))
        same(result, made_anew(v, "exact", RNG(0)))
        known = result[1]
        # Whoever is not in a list is not nearer than its reach.
        rows = result[0].space.rows(v, result[0].seen[result[0].graph.rows]).astype(float)
        apart = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(axis=2))
        np.fill_diagonal(apart, np.inf)
        for i, (near, reach) in enumerate(zip(known.neighbours, known.reach, strict=True)):
            apart[i, near[near >= 0]] = np.inf
            assert apart[i].min() >= reach - 1e-6


def test_few_lists_are_searched_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    v = texts(1_240, 24, 3)
    known = made_anew(v[:1_200], "exact", RNG(0))[1]
    searched: list[int] = []
    real = meaning_growing.nearest_among

    def counted(rows: Float32Array, some: np.ndarray, k: int) -> object:
        searched.append(some.size)
        return real(rows, some, k)

    monkeypatch.setattr(meaning_growing, "nearest_among", counted)
    monkeypatch.setattr(meaning_growing, "made_anew", lambda *given: pytest.fail("made anew"))
    grown(known, v, "exact", RNG(0))
    assert 40 <= searched[0] < 300


def test_another_data_set_is_made_anew() -> None:
    known = made_anew(texts(60, 6, 0), "exact", RNG(0))[1]
    for v in (texts(60, 6, 1), texts(60, 7, 2), texts(3, 6, 0), np.zeros((4, 6), np.float32)):
        same(grown(known, v, "exact", RNG(0)), made_anew(v, "exact", RNG(0)))


def test_it_is_the_graph_of_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meaning, "JOINED", 50)
    v = texts(200, 6, 4)
    one, two = meaning_graph(v, index="exact", rng=RNG(0)), made_anew(v, "exact", RNG(0))[0]
    assert one.record == two.record
    assert one.graph.neighbours.tobytes() == two.graph.neighbours.tobytes()
    assert one.graph.k == 6
