"""The k nearest neighbours of every distinct row: the graph that everything in meaning stands on.

1. Equal rows are one; rows stand in the order of their bytes, so that the graph depends on the set
   of vectors alone, not on their order or on the number of cores.
2. Up to ``EXACT_UP_TO`` distinct rows every distance is looked at, in blocks that are cut from the
   data alone. Above, candidates come from cells (``clones.cells``). ``index="hnsw"`` takes them
   from an HNSW graph (``neighbours.hnsw_index``), built by one thread and searched by all, which
   changes nothing; to join all rows it takes several times as long at the same recall, at every
   size measured (benchmarks/README.md, Clones).
3. Single precision and fewer directions give candidates only, more than asked for: the k that are
   kept, and their order, are decided by the Euclidean distance in double precision, ties by row.
   (Of more than that many rows within 3e-4 of each other single precision cannot tell which are
   the k nearest; all of them are near.)
4. Cells and HNSW may miss neighbours. Whoever is nearer to a row than the last of its list, and has
   it in his own, is entered. Recall is measured against exact search on seeded rows and returned.

Memory: 12 k bytes per distinct row, plus blocks of ``_BLOCK`` distances for each worker, plus 8 k
bytes of candidates and what cells or the HNSW graph (4 d + 136 bytes per row) need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.clones.cells import Int32Array, candidates
from cr_audit.clones.neighbours import HNSW, Found, Index, collapsed, hnsw_index, need_hnsw

EXACT_UP_TO = 12_000
"""Distinct rows up to which every distance is looked at. Cells are about as fast at 11,000, twice
as fast at 20,000 (benchmarks/README.md, Clones)."""
_BLOCK = 4_000_000
_DECIDED = 200_000  # numbers at a time, so that they stay in the cache
_TWICE = 2  # candidates of cells for each neighbour: fewer directions order them otherwise
_SPARE = 8
_SAMPLE = 256
ENOUGH = 0.994
"""Share of the true neighbours of some rows that HNSW is to find: those that recall is measured on
are others, and 0.99 is promised."""
_MOST_EF = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class NearestGraph:
    """Neighbour lists of u distinct rows.

    rows : int64 (u,), the first row of the input that has each, in the order of their bytes;
    row_of : int64 (n,), which of them a row of the input is. neighbours : int32 (u, k), positions
    in ``rows``, nearest first; distance : float64 (u, k), Euclidean. index : "exact", "cells" or
    "hnsw". parameters : what it was built and asked with, by name: of cells how many there are and
    how many a row looked at, of HNSW its M, ef_construction and ef.
    recall_estimate : share of the true neighbours of ``n_recall_sample`` seeded rows that were
    found (a neighbour as near as the last true one counts); not applicable to exact search.
    """

    rows: IntArray
    row_of: IntArray
    neighbours: Int32Array
    distance: FloatArray
    index: Found
    recall_estimate: float | NotApplicable
    n_recall_sample: int
    parameters: Mapping[str, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Distinct rows."""
        return int(self.rows.size)

    @property
    def k(self) -> int:
        """Neighbours of each."""
        return int(self.neighbours.shape[1])

    def first(self, k: int) -> NearestGraph:
        """The same with the ``k`` nearest of each alone."""
        near, away = self.neighbours[:, :k].copy(), self.distance[:, :k].copy()
        return replace(self, neighbours=near, distance=away)


def nearest_graph(
    vectors: Float32Array,
    k: int,
    *,
    index: Index = "auto",
    recall_sample: int = _SAMPLE,
    rng: np.random.Generator,
) -> NearestGraph:
    """The ``k`` nearest other distinct rows of every distinct row (all others where there are
    fewer).

    vectors : float32 (n, d), finite. rng : draws the rows for the recall estimate.
    Raises ValueError for k < 1 or vectors that are not finite, ComputeError where HNSW is asked for
    and hnswlib is not installed.
    """
    if index == "hnsw":
        need_hnsw()
    if k < 1:
        raise ValueError(f"k is {k}, expected at least 1")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors must be finite")
    distinct, row_of, representative = collapsed(vectors)
    u = distinct.shape[0]
    position = np.empty(vectors.shape[0], np.int64)
    position[row_of] = np.arange(u)
    k = min(k, max(u - 1, 0))
    chosen: Found = ("exact" if u <= EXACT_UP_TO else "cells") if index == "auto" else index
    every = np.arange(u, dtype=np.int64)
    recall: float | NotApplicable = NotApplicable("exact search misses nothing")
    n_sample = 0
    parameters: Mapping[str, int] = {}
    if chosen == "exact" or k == 0:
        near, distance = _exact(distinct, every, distinct, k, own=True)
    else:
        near, distance, parameters = (_by_cells if chosen == "cells" else _by_hnsw)(distinct, k)
        near, distance = _entered(near, distance)
        n_sample = min(recall_sample, u)
        some = np.sort(rng.choice(u, n_sample, replace=False))
        _, truth = _exact(distinct, some, distinct, k, own=True)
        recall = float((distance[some] <= truth[:, -1:]).mean())
    return NearestGraph(
        row_of, position[representative], near, distance, chosen, recall, n_sample, parameters
    )


def nearest_of(
    queries: Float32Array, vectors: Float32Array, k: int
) -> tuple[Int32Array, FloatArray]:
    """The k nearest rows of ``vectors`` to every row of ``queries``, exactly: (int32 (q, k),
    float64 (q, k)), nearest first, ties by row."""
    rows = np.arange(queries.shape[0], dtype=np.int64)
    return _exact(queries, rows, vectors, min(k, vectors.shape[0]), own=False)


def nearest_among(rows: Float32Array, some: IntArray, k: int) -> Lists:
    """The k nearest others of the rows ``some`` among all ``rows``, exactly; as ``nearest_of``."""
    return _exact(rows, some, rows, min(k, rows.shape[0] - 1), own=True)


def distances_to(
    queries: Float32Array, block: IntArray, vectors: Float32Array, found: IntArray
) -> FloatArray:
    """float64 of the shape of ``found``: Euclidean, from the rows ``block`` of ``queries`` to those
    of ``vectors``, every sum in one order."""
    exact = np.empty(found.shape)
    step = max(1, _DECIDED // max(found.shape[1] * vectors.shape[1], 1))
    for lo in range(0, block.size, step):
        part = slice(lo, lo + step)
        a = vectors[found[part]].astype(np.float64)
        a -= queries[block[part], None, :]
        np.square(a, out=a)
        exact[part] = np.sqrt(a.sum(axis=2))
    return exact


Lists = tuple[Int32Array, FloatArray]


def _exact(
    queries: Float32Array, some: IntArray, vectors: Float32Array, k: int, *, own: bool
) -> Lists:
    """Neighbours of the rows ``some`` of ``queries``. own : they are rows of ``vectors`` as well,
    and nobody is his own neighbour."""
    n = vectors.shape[0]
    if k == 0 or not some.size:
        return np.empty((some.size, k), np.int32), np.empty((some.size, k))
    square = np.einsum("ij,ij->i", vectors, vectors)
    blocks = [some[s] for s in engine.spans(some.size, max(1, _BLOCK // max(n, 1)))]
    work = partial(_nearest_block, queries, vectors, square, k, own)
    parts = list(engine.map(work, blocks, local=True))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _nearest_block(
    queries: Float32Array,
    vectors: Float32Array,
    square: Float32Array,
    k: int,
    own: bool,
    block: IntArray,
) -> Lists:
    d = queries[block] @ vectors.T
    d *= np.float32(-2.0)
    d += square[None, :]  # |q|^2 is the same in the whole row
    if own:
        d[np.arange(block.size), block] = np.inf
    wanted = min(k + _SPARE, d.shape[1] - int(own))
    if wanted < d.shape[1]:
        found = np.argpartition(d, wanted - 1, axis=1)[:, :wanted]
    else:
        found = np.broadcast_to(np.arange(wanted), (block.size, wanted))
    return _decided(queries, block, vectors, found, k)


def _decided(
    queries: Float32Array, block: IntArray, vectors: Float32Array, found: IntArray, k: int
) -> Lists:
    """The k nearest of the candidates, by their distances in double precision."""
    return nearest_first(found, distances_to(queries, block, vectors, found), k)


def nearest_first(found: IntArray | Int32Array, exact: FloatArray, k: int) -> Lists:
    """Of every list its k nearest, of equal ones the lower row first."""
    order = np.lexsort((found, exact), axis=1)[:, :k]
    return (
        np.take_along_axis(found, order, 1).astype(np.int32),
        np.take_along_axis(exact, order, 1),
    )


Made = tuple[Int32Array, FloatArray, Mapping[str, int]]
"""Lists, and the parameters of the index that gave them."""


def _evenly(n: int) -> IntArray:
    """Rows that an index is set by: at even steps, not those that recall is measured on, which are
    drawn."""
    return (np.arange(min(n, _SAMPLE), dtype=np.int64) * n) // min(n, _SAMPLE)


def _by_cells(rows: Float32Array, k: int) -> Made:
    n = rows.shape[0]
    some = _evenly(n)
    truth = some, _exact(rows, some, rows, k, own=True)[0].astype(np.int64)
    cells = candidates(rows, min(_TWICE * k + _SPARE, n - 1), truth=truth)
    found = cells.near
    blocks = engine.spans(n, max(1, _BLOCK // (8 * found.shape[1])))
    parts = list(engine.map(partial(_screened, rows, found, k), blocks, local=True))
    near, distance = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
    return near, distance, {"n_cells": cells.n_cells, "n_probes": cells.n_probes}


def _screened(rows: Float32Array, found: Int32Array, k: int, part: slice) -> Lists:
    """The k nearest of many candidates, of which ``_SPARE`` more are left for double precision."""
    block, some = np.arange(part.start, part.stop), found[part]
    wanted = min(k + _SPARE, some.shape[1])
    if wanted < some.shape[1]:
        rough = np.empty(some.shape, np.float32)
        for at in engine.spans(block.size, max(1, _DECIDED // (some.shape[1] * rows.shape[1]))):
            a = rows[some[at]]
            a -= rows[block[at], None, :]
            np.einsum("ijk,ijk->ij", a, a, out=rough[at])
        nearest = np.argpartition(rough, wanted - 1, axis=1)[:, :wanted]
        some = np.take_along_axis(some, nearest, 1)
    return _decided(rows, block, rows, some.astype(np.int64), k)


def _entered(near: Int32Array, distance: FloatArray) -> Lists:
    """Lists in which everybody is entered who has the row in his own list and is nearer to it than
    the last there."""
    n, k = near.shape
    row = np.repeat(np.arange(n), k)
    other, away = near.ravel(), distance.ravel()
    nearer = away < distance[other, -1]
    known = np.sort(row * n + other)
    key = other[nearer].astype(np.int64) * n + row[nearer]
    at = np.minimum(np.searchsorted(known, key), known.size - 1)
    new = known[at] != key
    if not new.any():
        return near, distance
    to, whom = key[new] // n, key[new] % n
    touched = np.unique(to)
    every = np.concatenate([np.repeat(touched, k), to])
    member = np.concatenate([near[touched].ravel(), whom])
    length = np.concatenate([distance[touched].ravel(), away[nearer][new]])
    order = np.lexsort((member, length, every))
    count = np.bincount(every, minlength=n)[touched]
    first = order[(np.cumsum(count) - count)[:, None] + np.arange(k)]
    near, distance = near.copy(), distance.copy()
    near[touched], distance[touched] = member[first], length[first]
    return near, distance


def _by_hnsw(rows: Float32Array, k: int) -> Made:
    """By an HNSW graph, asked with as much effort (ef) as finds ``ENOUGH`` of the true neighbours
    of some rows; ``_MOST_EF`` at most, and recall says what that was worth."""
    n = rows.shape[0]
    graph = hnsw_index(rows)
    wanted = min(k + 1 + _SPARE, n)
    some = _evenly(n)
    _, truth = _exact(rows, some, rows, k, own=True)
    ef = 2 * wanted
    while True:
        graph.set_ef(ef)
        found = _asked(graph, rows, some, wanted, k)[1]
        if (found <= truth[:, -1:]).mean() >= ENOUGH or ef >= min(_MOST_EF, n):
            break
        ef *= 2
    blocks = [np.arange(p.start, p.stop) for p in engine.spans(n, max(1, _BLOCK // (4 * wanted)))]
    parts = [_asked(graph, rows, block, wanted, k) for block in blocks]
    near, distance = (np.concatenate([p[i] for p in parts]) for i in (0, 1))
    return near, distance, {**HNSW, "ef": ef}


def _asked(graph: Any, rows: Float32Array, block: IntArray, wanted: int, k: int) -> Lists:
    labels = graph.knn_query(rows[block], k=wanted, num_threads=engine.cores())[0]
    labels = labels.astype(np.int64)
    # A row is not its own neighbour; where it was not found, the last candidate goes instead.
    own = labels == block[:, None]
    own[~own.any(axis=1), -1] = True
    return _decided(rows, block, rows, labels[~own].reshape(block.size, wanted - 1), k)
