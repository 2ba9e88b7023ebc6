"""All pairs of vectors within a radius: exact search on small sets, cells of the space or an HNSW
graph on large ones.

1. Equal rows are collapsed first (HNSW loses connectivity on many identical vectors); edges run
   between the representatives, the first of each group in the order of the rows' bytes.
2. Up to ``CROSSOVER`` distinct rows: blocked matrix products over the upper triangle. Above:
   candidates from cells (``clones.cells``), or, where it is asked for, from an HNSW graph (Malkov
   and Yashunin 2018; hnswlib), built by one thread in the order of the rows' bytes, so that it
   depends on the set of vectors alone, not on row order or core count.
3. There is no ceiling k: a list of an HNSW graph is extended (its length grows fourfold) until its
   last entry lies outside the radius, and a row that is not done by then, or whose candidates from
   cells are all within the radius, is searched exactly.
4. Single-precision results are candidates only: every edge is decided by the Euclidean distance
   in double precision, summed in a fixed order. Candidates within 1e-3 of the radius are kept for
   that decision, so rounding decides nothing.
5. Cells and HNSW may miss edges. Recall is measured against brute force on seeded rows and
   returned.

Memory: O(edges), plus blocks of ``_BLOCK`` distances, plus the graph (4 d + 136 bytes per row).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.clones.cells import candidates
from cr_audit.errors import ComputeError

Found = Literal["exact", "cells", "hnsw"]
Index = Literal["auto", Found]
CROSSOVER = 200_000
"""Distinct rows up to which exact search is the faster one (measured to 80,000 rows of 384 numbers,
where it took 28 s against 73 s, and extrapolated; benchmarks/README.md, Clones)."""
_BLOCK = 16_000_000
_SLACK = 1e-3
HNSW = {"m": 16, "ef_construction": 128}
_SEED = 100
_FIRST_K, _LAST_K = 32, 2048


@dataclass(frozen=True, slots=True, eq=False)
class RadiusGraph:
    """Edges first < second between representatives, with distance <= radius, sorted.

    representative : int64 (n,), for each row the row that stands for all equal to it. distance :
    float64, Euclidean. index : "exact", "cells" or "hnsw". recall_estimate : share of the true
    edges of ``n_recall_sample`` seeded rows that were found; not applicable to exact search.
    n_candidates : pairs whose distance was computed in double precision.
    """

    n: int
    radius: float
    representative: IntArray
    first: IntArray
    second: IntArray
    distance: FloatArray
    index: Found
    recall_estimate: float | NotApplicable
    n_recall_sample: int
    n_candidates: int


def cosine_to_distance(cosine: float) -> float:
    """Euclidean distance of two unit vectors with this cosine: sqrt(2 - 2 cos)."""
    return float(np.sqrt(max(0.0, 2.0 - 2.0 * cosine)))


def pair_distances(vectors: Float32Array, first: IntArray, second: IntArray) -> FloatArray:
    """Euclidean distance of each pair in double precision, float64 (k,), in blocks."""
    out = np.empty(first.size)
    step = max(1, _BLOCK // max(vectors.shape[1], 1) // 4)
    for lo in range(0, first.size, step):
        a = vectors[first[lo : lo + step]].astype(np.float64)
        a -= vectors[second[lo : lo + step]]
        np.square(a, out=a)
        out[lo : lo + step] = np.sqrt(a.sum(axis=1))
    return out


def radius_graph(
    vectors: Float32Array,
    radius: float,
    *,
    index: Index = "auto",
    recall_sample: int = 256,
    rng: np.random.Generator,
) -> RadiusGraph:
    """All pairs of rows of ``vectors`` (float32 (n, d), finite) at Euclidean distance <= radius.

    index : "auto" is exact up to ``CROSSOVER`` distinct rows and cells above. rng : draws the rows
    for the recall estimate. Raises ValueError for a negative radius or vectors that are not finite,
    ComputeError where HNSW is asked for and hnswlib is not installed.
    """
    if not radius >= 0.0:
        raise ValueError(f"radius is {radius}, expected radius >= 0")
    if not np.isfinite(vectors).all():
        raise ValueError("vectors must be finite")
    distinct, row_of, representative = collapsed(vectors)
    n = distinct.shape[0]
    if index == "hnsw":
        need_hnsw()
    chosen: Found = ("cells" if n > CROSSOVER else "exact") if index == "auto" else index
    limit = (radius + _SLACK) ** 2
    if chosen == "exact" or n < 2:
        keys = _exact_candidates(distinct, np.arange(n), limit, upper=True)
    else:
        keys = (_cell_candidates if chosen == "cells" else _hnsw_candidates)(distinct, limit)
    first, second, distance = _verified(distinct, keys, radius)
    recall: float | NotApplicable = NotApplicable("exact search misses nothing")
    n_sample = 0
    if chosen != "exact":
        n_sample = min(recall_sample, n)
        sample = np.sort(rng.choice(n, n_sample, replace=False))
        true_keys = _exact_candidates(distinct, sample, limit, upper=False)
        a, b, _ = _verified(distinct, true_keys, radius)
        found = np.isin(a * n + b, first * n + second)
        recall = float(found.mean()) if found.size else 1.0
    a, b = row_of[first], row_of[second]
    a, b = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((b, a))
    return RadiusGraph(
        n=vectors.shape[0],
        radius=radius,
        representative=representative,
        first=a[order],
        second=b[order],
        distance=distance[order],
        index=chosen,
        recall_estimate=recall,
        n_recall_sample=n_sample,
        n_candidates=int(keys.size),
    )


def collapsed(vectors: Float32Array) -> tuple[Float32Array, IntArray, IntArray]:
    """Equal rows as one: (distinct rows ordered by their bytes, the first row that has each, for
    each row the first one equal to it)."""
    first, which = distinct_rows(vectors)
    rows = np.asarray(vectors[first], dtype=np.float32)
    rows += np.float32(0.0)  # -0.0 becomes 0.0
    return rows, first, first[which]


def distinct_rows(vectors: Float32Array) -> tuple[IntArray, IntArray]:
    """(the first row that has each distinct one, in the order of their bytes; for each row which of
    these it is). 0.0 and -0.0 are equal.

    Sorted by their first eight bytes; only rows that share these are looked at whole, so that no
    copy of all rows is made.
    """
    n, d = vectors.shape
    if not n or not d:
        return np.zeros(min(n, 1), np.int64), np.zeros(n, np.int64)
    key = np.empty(n, np.uint64)
    for here in engine.blocks_of_rows(vectors):
        head = _bytes_of(vectors[here, :2]).view(">u4").astype(np.uint64)
        key[here] = head[:, 0] << np.uint64(32)
        if d > 1:
            key[here] |= head[:, 1]
    order = np.argsort(key, kind="stable")
    begins = np.append(True, key[order[1:]] != key[order[:-1]])
    run = np.cumsum(begins) - 1
    shared = np.flatnonzero(np.bincount(run)[run] > 1)
    if shared.size:
        # The runs stay where they are; rows within one stand by their bytes, equal ones as given.
        some = order[shared]
        raw = _bytes_of(vectors[some])
        whole = raw.view(np.dtype((np.void, raw.dtype.itemsize * d))).ravel()
        _, code = np.unique(whole, return_inverse=True)
        by_bytes = np.lexsort((some, code))
        order[shared] = some[by_bytes]
        code = code[by_bytes]
        begins[shared] = np.append(True, code[1:] != code[:-1])
    which = np.empty(n, np.int64)
    which[order] = np.cumsum(begins) - 1
    return order[begins].astype(np.int64), which


def _bytes_of(rows: Float32Array) -> Float32Array:
    """A copy of the rows, with 0.0 for -0.0."""
    return np.ascontiguousarray(rows, dtype=np.float32) + np.float32(0.0)


def _exact_candidates(rows: Float32Array, some: IntArray, limit: float, *, upper: bool) -> IntArray:
    """Keys i * n + j, i < j, of pairs of ``some`` rows with all rows and squared distance <= limit.
    ``upper``: each pair is looked at from its smaller side only."""
    n = rows.shape[0]
    square = np.einsum("ij,ij->i", rows, rows)
    found: list[IntArray] = []
    step = max(1, _BLOCK // max(n, 1))
    for lo in range(0, some.size, step):
        block = some[lo : lo + step]
        start = int(block[0]) if upper else 0
        d = rows[block] @ rows[start:].T
        d *= -2.0
        d += square[block][:, None]
        d += square[start:][None, :]
        i, j = np.nonzero(d <= limit)
        a, b = block[i], j + start
        keep = a < b if upper else a != b
        found.append(np.minimum(a, b)[keep] * n + np.maximum(a, b)[keep])
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def need_hnsw() -> None:
    """Raises ComputeError where hnswlib, which comes as source and needs a compiler, is missing."""
    if find_spec("hnswlib") is None:
        raise ComputeError(
            "no-hnswlib",
            "an HNSW graph needs hnswlib, which is not installed",
            found="--index hnsw",
            next_step="pip install hnswlib (it needs a C++ compiler), or --index cells",
        )


def hnsw_index(rows: Float32Array) -> Any:
    """The HNSW graph of distinct rows in the order of their bytes, built by one thread."""
    import hnswlib

    n, dimension = rows.shape
    graph = hnswlib.Index(space="l2", dim=dimension)
    graph.init_index(n, ef_construction=HNSW["ef_construction"], M=HNSW["m"], random_seed=_SEED)
    graph.set_num_threads(1)
    graph.add_items(rows, np.arange(n), num_threads=1)
    return graph


def _cell_candidates(rows: Float32Array, limit: float) -> IntArray:
    n = rows.shape[0]
    near = candidates(rows, min(_FIRST_K, n - 1)).near
    found: list[IntArray] = []
    open_rows: list[IntArray] = []
    step = max(1, _BLOCK // (near.shape[1] * max(rows.shape[1], 1)))
    for lo in range(0, n, step):
        a = np.arange(lo, min(lo + step, n))
        apart = rows[near[a]] - rows[a][:, None, :]
        inside = np.einsum("ijk,ijk->ij", apart, apart) <= limit
        i, j = np.nonzero(inside)
        b = near[a[i], j].astype(np.int64)
        found.append(np.minimum(a[i], b) * n + np.maximum(a[i], b))
        open_rows.append(a[inside.all(axis=1)])
    found.append(_exact_candidates(rows, np.concatenate(open_rows), limit, upper=False))
    return np.unique(np.concatenate(found))


def _hnsw_candidates(rows: Float32Array, limit: float) -> IntArray:
    n = rows.shape[0]
    graph = hnsw_index(rows)
    found: list[IntArray] = []
    todo, k = np.arange(n), _FIRST_K
    while todo.size and k <= min(_LAST_K, n):
        graph.set_ef(2 * k)
        step, open_rows = max(1, _BLOCK // (4 * k)), list[IntArray]()
        for lo in range(0, todo.size, step):
            block = todo[lo : lo + step]
            labels, d = graph.knn_query(rows[block], k=k)
            near = d <= limit
            i, j = np.nonzero(near)
            a, b = block[i], labels[i, j].astype(np.int64)
            keep = a != b
            found.append(np.minimum(a, b)[keep] * n + np.maximum(a, b)[keep])
            open_rows.append(block[near[:, -1]])
        todo, k = np.concatenate(open_rows), 4 * k
    found.append(_exact_candidates(rows, todo, limit, upper=False))
    return np.unique(np.concatenate(found))


def _verified(
    rows: Float32Array, keys: IntArray, radius: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """The candidate pairs whose double-precision distance is within the radius."""
    first, second = keys // max(rows.shape[0], 1), keys % max(rows.shape[0], 1)
    d = pair_distances(rows, first, second)
    near = d <= radius
    return first[near], second[near], d[near]
