"""The graph of meaning: responses joined to their nearest, made once for all who read it.

1. Equal vectors are one response. The mean of all distinct vectors is taken from each (mean-pooled
   vectors share one large part, which says nothing), and what is left is scaled to unit length.
2. Each of them is joined to its ``NEIGHBOURS`` nearest (``clones.nearest``): every distance in
   double precision, recall measured on seeded rows.
3. ``index="auto"`` joins up to ``JOINED`` of them, drawn at random where there are more, by exact
   search, which is the fastest there: to join 100,000 and find kinds on them would take longer than
   all the rest of a scan. A named index joins all of them: "cells" is the fastest from 11,000 rows
   on, "hnsw" is the graph of Malkov and Yashunin (2018). What more rows bring:
   benchmarks/README.md, Graph of meaning.

Memory: 12 ``NEIGHBOURS`` bytes for each that is joined and 16 for each response, and while it is
made the centred vectors of those that are joined and what the index takes. The vectors themselves
are read in blocks and may be memory-mapped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.clones.nearest import NearestGraph, nearest_graph, nearest_of
from cr_audit.clones.neighbours import Found, Index, distinct_rows

NEIGHBOURS = 80
"""Of which a random half of the responses holds 30 all but 1 % of the time."""
LISTED = 112
"""Looked at where exact search joins more than ``JOINED``: what lies beyond the neighbours lets the
graph grow with the data (``clones.meaning_growing``)."""
JOINED = 4_000
_BLOCK_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """How a graph was made. n of n_distinct different vectors have k neighbours each. asked : the
    index of the settings; index : the one used; parameters : what it was built and asked with.
    recall : share of the true neighbours of n_recall_sample rows that were found."""

    n: int
    n_distinct: int
    k: int
    asked: Index
    index: Found
    parameters: dict[str, int]
    recall: float | NotApplicable
    n_recall_sample: int


@dataclass(frozen=True, slots=True, eq=False)
class Centred:
    """Distinct vectors with their mean taken away, as unit vectors, made when they are asked for.

    first : int64 (u,), the first row of the input that has each, in the order of their bytes;
    which : int64 (n,), the one that a row of the input is, -1 for rows of zeros; mean : float64.
    """

    first: IntArray
    which: IntArray
    mean: FloatArray

    @property
    def n(self) -> int:
        """Distinct vectors."""
        return int(self.first.size)

    def rows(self, vectors: Float32Array, some: IntArray) -> Float32Array:
        """float32 (some, d), of the distinct vectors ``some``; a vector that is the mean is 0."""
        out = np.empty((some.size, vectors.shape[1]), np.float32)
        for part in engine.spans(some.size, _BLOCK_ROWS):
            x = vectors[self.first[some[part]]].astype(np.float64)
            x -= self.mean
            length = np.sqrt(np.square(x).sum(axis=1))
            x /= np.where(length > 0, length, 1.0)[:, None]
            out[part] = x
        return out


def centred(vectors: Float32Array) -> Centred:
    """The space of the graph. vectors : float32 (n, d), finite."""
    first, which = distinct_rows(vectors)
    if first.size and not np.any(vectors[first[0]]):  # zeros are the first in the order of bytes
        first, which = first[1:], which - 1
    mean = np.zeros(vectors.shape[1])
    for part in engine.forgetting(engine.spans(first.size, _BLOCK_ROWS), every=1):
        mean += vectors[first[part]].sum(axis=0, dtype=np.float64)
    return Centred(first, which, mean / max(first.size, 1))


@dataclass(frozen=True, slots=True, eq=False)
class MeaningGraph:
    """seen : int64, the distinct vectors of ``space`` that are joined; graph : over them, where
    vectors that are equal once they are centred are one node."""

    space: Centred
    seen: IntArray
    graph: NearestGraph
    asked: Index

    @property
    def record(self) -> GraphRecord:
        """How it was made."""
        g = self.graph
        return GraphRecord(
            g.n, self.space.n, g.k, self.asked, g.index, dict(g.parameters), g.recall_estimate,
            g.n_recall_sample,
        )  # fmt: skip

    @property
    def rows(self) -> IntArray:
        """int64 (nodes,), a row of the input that each node is."""
        return self.space.first[self.seen[self.graph.rows]]

    @property
    def nodes(self) -> IntArray:
        """int64 (n,), the node of each row of the input, -1 for who is not joined."""
        of_distinct = np.full(self.space.n + 1, -1, np.int64)
        of_distinct[self.seen] = self.graph.row_of
        return of_distinct[self.space.which]

    def among(self, vectors: Float32Array, some: IntArray, k: int) -> IntArray:
        """The min(k, some - 1) nearest of the rows ``some`` of the input among themselves: int64
        positions in ``some``.

        Read off the lists where these hold so many of them; the others are searched for exactly.
        """
        k = min(k, some.size - 1)
        out = np.empty((some.size, k), np.int64)
        node = self.nodes[some]
        left = np.ones(some.size, bool)
        # Rows of one vector are at distance 0 from each other, which the lists do not hold.
        if k and node.min() >= 0 and np.unique(node).size == node.size:
            place = np.full(self.graph.n, -1, np.int64)
            place[node] = np.arange(some.size)
            near = place[self.graph.neighbours[node]]
            inside = near >= 0
            enough = inside.sum(axis=1) >= k
            taken = inside[enough] & (np.cumsum(inside[enough], axis=1) <= k)
            out[enough] = near[enough][taken].reshape(-1, k)
            left = ~enough
        if k and left.any():
            rows = self.space.rows(vectors, self.space.which[some])
            at = np.flatnonzero(left)
            near = nearest_of(rows[at], rows, k + 1)[0].astype(np.int64)
            own = near == at[:, None]
            own[~own.any(axis=1), -1] = True  # of many equal ones it may not be among the first
            out[at] = near[~own].reshape(-1, k)
        return out


def meaning_graph(
    vectors: Float32Array,
    *,
    index: Index = "auto",
    most: int | None = None,
    space: Centred | None = None,
    rng: np.random.Generator,
) -> MeaningGraph:
    """The graph of the rows of ``vectors``, float32 (n, d); rows of zeros are not in it.

    most : instead of ``JOINED``. space : ``centred(vectors)``, where it is there already. rng :
    draws the rows that are joined, where not all are, and those that recall is measured on.
    """
    space = space or centred(vectors)
    draw, measure = rng.spawn(2)
    seen = np.arange(space.n, dtype=np.int64)
    most = JOINED if most is None else most
    if index == "auto" and space.n > most:
        seen = np.sort(draw.choice(space.n, most, replace=False)).astype(np.int64)
    if index == "exact" and space.n > most:
        return MeaningGraph(space, seen, whole_graph(space, vectors, rng).first(NEIGHBOURS), index)
    graph = nearest_graph(space.rows(vectors, seen), NEIGHBOURS, index=index, rng=measure)
    return MeaningGraph(space, seen, graph, index)


def whole_graph(space: Centred, vectors: Float32Array, rng: np.random.Generator) -> NearestGraph:
    """The ``LISTED`` nearest of all distinct vectors of ``space``, by exact search."""
    every = np.arange(space.n, dtype=np.int64)
    return nearest_graph(space.rows(vectors, every), LISTED, index="exact", rng=rng)
