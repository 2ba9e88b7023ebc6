"""The graph of meaning of vectors to which others were added, from the graph of what was there.

Added rows move the mean that is taken away, and with it every distance; the graph that comes out
is that of ``meaning.whole_graph``, to the last byte, so what is known may only save time.

1. Known of u nodes: for each a list of ``LISTED`` others, more than the ``NEIGHBOURS`` that are
   kept, and its *reach*, a distance that whoever is not in the list is not nearer than.
2. With the new mean node i moves by m_i on the unit sphere. With c the mean movement and
   e_i = |m_i - c| a distance between two nodes shrinks by at most e_i + e_j, so whoever is not in
   the list of i is now no nearer than reach_i - e_i - max e.
3. Every listed distance is computed anew, and every distance with an added row (two rectangles,
   added times all, which give the lists of the added rows as well). A list whose ``NEIGHBOURS``
   nearest lie within the new reach is right; all others are searched for in full. Rows that are
   gone leave a gap in the lists that held them.

With b rows added to u: d (u ``LISTED`` + b u) operations and d u for each list that is not certain,
against d u² from nothing. Where more than half of the lists are left to search, it is made anew.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.clones.cells import Int32Array
from cr_audit.clones.meaning import (
    LISTED,
    NEIGHBOURS,
    Centred,
    MeaningGraph,
    centred,
    whole_graph,
)
from cr_audit.clones.nearest import (
    NearestGraph,
    distances_to,
    nearest_among,
    nearest_first,
    nearest_of,
)
from cr_audit.clones.neighbours import Index, collapsed

MARGIN = 3e-4
"""What distances may be off, as float32 decides who is a candidate (``clones.nearest``)."""
WORTH = 0.5
_BLOCK_ROWS = 1_024
_DIGEST = 16
SIGNS, _ORDER = 3, 5

Digests = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class KnownGraph:
    """Of each of u nodes: digest, uint8 (u, 16), of its vector as it was given; neighbours, int32
    (u, k), -1 = gone; reach, float64 (u,). mean : float64 (d,), that was taken away."""

    digest: Digests
    neighbours: Int32Array
    reach: FloatArray
    mean: FloatArray

    @property
    def n(self) -> int:
        """Nodes."""
        return int(self.reach.size)


Named = tuple[Centred, Digests]
"""The space of some vectors, and the digest of each distinct one: uint8 (u, 16)."""


def named(vectors: Float32Array) -> Named:
    """What ``made_anew``, ``grown`` and ``signs`` all ask for, worked out once."""
    space = centred(vectors)
    return space, digests(vectors, space.first)


def made_anew(
    vectors: Float32Array, index: Index, rng: np.random.Generator, known_as: Named | None = None
) -> tuple[MeaningGraph, KnownGraph]:
    """``meaning_graph`` of all rows by exact search, and what is to be known of it later.
    known_as : ``named(vectors)``, where it is there already."""
    space, digest = known_as or named(vectors)
    graph = whole_graph(space, vectors, rng)
    full = graph.k >= graph.n - 1
    reach = np.full(graph.n, np.inf) if full else graph.distance[:, -1].copy()
    return (
        MeaningGraph(space, np.arange(space.n), graph.first(NEIGHBOURS), index),
        KnownGraph(digest[graph.rows], graph.neighbours, reach, space.mean),
    )


def grown(
    known: KnownGraph,
    vectors: Float32Array,
    index: Index,
    rng: np.random.Generator,
    known_as: Named | None = None,
) -> tuple[MeaningGraph, KnownGraph]:
    """As ``made_anew``, from the graph of some of these rows (of others it is not quicker)."""
    space, every = known_as or named(vectors)
    rows, row_of, representative = collapsed(space.rows(vectors, np.arange(space.n)))
    n, raw = rows.shape[0], space.first[row_of]
    digest = every[row_of]
    old, new_of_old = _matched(known.digest, digest)
    stay, added = np.flatnonzero(old >= 0), np.flatnonzero(old < 0)
    k, wide = min(NEIGHBOURS, n - 1), min(LISTED, n - 1)
    other = known.mean.size != vectors.shape[1] or known.neighbours.shape[1] != LISTED
    if other or added.size > WORTH * n or wide < LISTED:
        return made_anew(vectors, index, rng, (space, every))
    moved = _moved(known.mean, vectors, raw[stay], rows[stay])
    reach = known.reach[old[stay]] - moved - moved.max(initial=0.0) - MARGIN
    near = np.full((n, wide), -1, np.int32)
    distance = np.full((n, wide), np.inf)
    which, away = nearest_of(rows[stay], rows[added], wide)
    to_added = added[which], away
    work = partial(_again, rows, stay, known.neighbours[old[stay]], new_of_old, to_added)
    spans = engine.spans(stay.size, _BLOCK_ROWS)
    for part, (found, apart) in zip(spans, engine.map(work, spans, local=True), strict=True):
        near[stay[part]], distance[stay[part]] = found, apart
    sure = distance[stay, k - 1] < reach
    reach = np.minimum(reach, distance[stay, -1])
    left = np.sort(np.concatenate([added, stay[~sure]]))
    if left.size > WORTH * n:
        return made_anew(vectors, index, rng, (space, every))
    near[left], distance[left] = nearest_among(rows, left, wide)
    reaches = np.empty(n)
    reaches[stay] = reach
    reaches[left] = distance[left, -1]
    position = np.empty(space.n, np.int64)
    position[row_of] = np.arange(n)
    graph = NearestGraph(
        row_of, position[representative], near[:, :k].copy(), distance[:, :k].copy(), "exact",
        NotApplicable("exact search misses nothing"), 0,
    )  # fmt: skip
    return (
        MeaningGraph(space, np.arange(space.n), graph, index),
        KnownGraph(digest, near, reaches, space.mean),
    )


def digests(vectors: Float32Array, some: IntArray) -> Digests:
    """uint8 (some, 16): a digest of each of the rows ``some``; 0.0 and -0.0 are equal."""
    out = np.empty((some.size, _DIGEST), np.uint8)
    for part in engine.spans(some.size, _BLOCK_ROWS):
        block = np.ascontiguousarray(vectors[some[part]], np.float32) + np.float32(0.0)
        raw = b"".join(hashlib.blake2b(r, digest_size=_DIGEST).digest() for r in block)
        out[part] = np.frombuffer(raw, np.uint8).reshape(-1, _DIGEST)
    return out


def signs(digest: Digests) -> tuple[str, ...]:
    """By which a graph is found again once rows were added: the digests that are the smallest by
    ``SIGNS`` orders of their own. With b rows added to u each stays with probability u/(u + b)."""
    if not digest.shape[0]:
        return ()
    out = []
    for start in range(0, SIGNS * _ORDER, _ORDER):
        key = digest[:, start : start + _ORDER].astype(np.uint64)
        at = (key << np.arange(0, 8 * _ORDER, 8, dtype=np.uint64)).sum(axis=1).argmin()
        out.append(digest[at].tobytes().hex())
    return tuple(out)


def _matched(
    before: Digests,
    after: Digests,
) -> tuple[IntArray, IntArray]:
    """Which known node each node is, and the other way round; -1 = none."""
    place = {row.tobytes(): i for i, row in enumerate(before)}
    old = np.array([place.get(row.tobytes(), -1) for row in after], np.int64)
    new = np.full(before.shape[0], -1, np.int64)
    new[old[old >= 0]] = np.flatnonzero(old >= 0)
    return old, new


def _moved(
    mean: FloatArray, vectors: Float32Array, raw: IntArray, rows: Float32Array
) -> FloatArray:
    """float64 (m,): how far each row moved beyond the mean movement. mean : that was taken away;
    raw : where the rows stand in ``vectors``; rows : as they are now."""
    spans = engine.spans(raw.size, _BLOCK_ROWS)

    def movement(part: slice) -> FloatArray:
        x = vectors[raw[part]].astype(np.float64) - mean
        x /= np.maximum(np.sqrt(np.square(x).sum(axis=1)), 1e-12)[:, None]
        return rows[part] - x

    common = sum((movement(p).sum(axis=0) for p in spans), np.zeros(mean.size))
    common /= max(raw.size, 1)
    lengths = [np.sqrt(np.square(movement(p) - common).sum(axis=1)) for p in spans]
    return np.concatenate([np.empty(0), *lengths])


def _again(
    rows: Float32Array,
    stay: IntArray,
    lists: Int32Array,
    new_of_old: IntArray,
    to_added: tuple[IntArray, FloatArray],
    part: slice,
) -> tuple[Int32Array, FloatArray]:
    """The nearest of the nodes ``stay[part]`` among those listed and the added ones, as many as are
    listed; -1 at an infinite distance where there are fewer. to_added : the added ones nearest to
    each of ``stay``, and their distances."""
    block = stay[part]
    listed = np.append(new_of_old, -1)[lists[part]]
    gone = listed < 0
    away = distances_to(rows, block, rows, np.where(gone, block[:, None], listed))
    away[gone] = np.inf
    found = np.concatenate([listed, to_added[0][part]], axis=1)
    away = np.concatenate([away, to_added[1][part]], axis=1)
    return nearest_first(found, away, lists.shape[1])
