"""A place in the plane for each text, so that a person can look at them.

The picture is a layout of the graph of meaning: each clone group is one node, joined to those whose
first members are nearest (``MeaningGraph.among``; without it, to those whose means are); joined
nodes pull each other, all nodes push each other away, with the forces of t-SNE (van der Maaten and
Hinton 2008) where every edge counts alike (Böhm, Berens and Kobak 2022). It begins at the two
directions in which the vectors differ most (principal components; Pearson 1901), so that nothing in
it is random. Those directions alone would be cheaper, but keep few neighbours together: of the 10
nearest of 677 groups 15 %, this layout 47 % with copies parted.
``Layout.kept`` says how many a picture does keep.

The members of a group stand around its place like the seeds of a sunflower (Vogel 1979): copies
would otherwise hide each other, and how many there are is what one wants to see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array
from threadpoolctl import threadpool_limits

from cr_audit.arrays import Float32Array, FloatArray, IntArray

GOLDEN = np.pi * (3.0 - np.sqrt(5.0))
SEED = 0.016
"""Distance of the second seed from the first, where the picture is 1 wide."""
DISC = 0.014
"""Room around a single item; ``ROUNDS`` steps part those that overlap."""
ROUNDS = 30
DIGITS = 4
NEIGHBOURS = 10
"""Edges of a node of the neighbour graph, before it is made symmetric; a third of the others where
they are few, and no graph but the two directions where that is fewer than two."""
STEPS, EARLY_STEPS, EARLY = 250, 100, 4.0
"""Steps of the layout, and how many of them begin with edges ``EARLY`` times as strong. Twice as
many steps keep no more neighbours together."""
CROWD = 300
"""Groups that have the room of ``DISC`` and ``SEED``; of more, each has less."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """points : float64 (n, 2) in [0, 1], rounded to four digits. neighbours : edges of a node, k.
    kept : of the k groups nearest to a group by their vectors, the share that is among the k
    nearest to it in the picture, averaged; k / (groups - 1) would be chance. 1 for one group."""

    points: FloatArray
    neighbours: int
    kept: float


def spread(n: int, groups: IntArray, *, most: int, of_one: int) -> IntArray:
    """Which of n items are drawn, ascending int64: at most ``most``, and ``of_one`` of a group.

    groups : int64 (n,), -1 = none. Groups come first, the largest before the others; the rest is
    filled with single items at even distances. No randomness: the same data, the same items.
    """
    if n <= most:
        return np.arange(n, dtype=np.int64)
    sizes = np.bincount(groups[groups >= 0], minlength=max(int(groups.max(initial=-1)) + 1, 1))
    taken: list[IntArray] = []
    left = most // 2
    for g in np.lexsort((np.arange(sizes.size), -sizes)).tolist():
        if sizes[g] < 2 or left <= 0:
            break
        members = np.flatnonzero(groups == g)[: min(of_one, left)]
        taken.append(members.astype(np.int64))
        left -= members.size
    mine = np.concatenate(taken) if taken else np.empty(0, np.int64)
    single = np.flatnonzero((groups < 0) | (sizes[np.maximum(groups, 0)] < 2)).astype(np.int64)
    room = min(most - mine.size, single.size)
    even = single[(np.arange(room) * single.size) // max(room, 1)]
    return np.unique(np.concatenate([mine, even]))


Near = Callable[[IntArray, int], IntArray]
"""Of some items their k nearest among themselves, by position: int64 (some, k)."""


def plane(vectors: Float32Array, groups: IntArray, near: Near | None = None) -> Layout:
    """Where items stand. vectors : float32 (n, d); groups : int64 (n,), -1 = in none. near : gives
    the neighbours of the first member of each group; None: those of the groups' means.

    Of two opposite directions the one whose largest entry is positive is taken. One thread, so that
    neither equal variances (a symmetric set has them) nor the last digits of a sum turn with the
    number of cores. O(n d² + d³) and, of g groups, O(g² d + g² steps); memory a few arrays of g².
    """
    n = vectors.shape[0]
    alone = groups < 0
    own = np.where(alone, groups.max(initial=-1) + 1 + np.cumsum(alone) - 1, groups)
    _, first, place, size = np.unique(
        own, return_index=True, return_inverse=True, return_counts=True
    )
    means: FloatArray = np.zeros((first.size, vectors.shape[1]))
    np.add.at(means, place, vectors.astype(np.float64))
    means /= size[:, None]
    centred = means - means.mean(axis=0)
    with threadpool_limits(limits=1):
        # Where everybody is everybody's neighbour, a graph says nothing.
        k = min(NEIGHBOURS, max((first.size - 1) // 3, 1))
        joined = _nearest(means, k) if near is None else near(first, k)
        drawn = _stretched(_pulled(centred @ _directions(centred), joined))
        room = np.sqrt(min(1.0, CROWD / first.size))
        apart = _parted(drawn, room * (DISC + SEED * np.sqrt(size - 1.0)))
        kept = _kept(apart, joined)
    points = apart[place]
    order = np.argsort(place, kind="stable")
    begin = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank: FloatArray = np.empty(n)
    rank[order] = np.arange(n) - begin[place[order]]
    angle = rank * GOLDEN
    seeds = room * SEED * np.sqrt(rank)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Layout(np.round(np.clip(points + seeds, 0.0, 1.0), DIGITS), joined.shape[1], kept)


def _directions(centred: FloatArray) -> FloatArray:
    """float64 (d, 2): where the variance is largest."""
    _, vectors = np.linalg.eigh(centred.T @ centred)
    two: FloatArray = vectors[:, ::-1][:, :2]
    if two.shape[1] < 2:
        two = np.pad(two, ((0, 0), (0, 2 - two.shape[1])))
    largest = np.abs(two).argmax(axis=0)
    return two * np.where(two[largest, np.arange(2)] < 0, -1.0, 1.0)


def _nearest(points: FloatArray, k: int) -> IntArray:
    """int64 (g, min(k, g - 1)): the nearest others by distance, of equal ones the first."""
    square = _squared(points)
    np.fill_diagonal(square, np.inf)
    # Rounded, so that the last digits do not decide between equal distances.
    order: IntArray = np.argsort(np.round(square, 9), axis=1, kind="stable")
    return order[:, : min(k, points.shape[0] - 1)]


def _squared(points: FloatArray) -> FloatArray:
    """float64 (g, g): squared distances."""
    own = (points * points).sum(axis=1)
    out: FloatArray = own[:, None] + own[None, :]
    out -= 2.0 * (points @ points.T)
    return np.maximum(out, 0.0, out=out)


def _pulled(points: FloatArray, near: IntArray) -> FloatArray:
    """Where the nodes come to rest: gradient steps of g / 12 with momentum and a gain for each
    coordinate (Jacobs 1988), the edges ``EARLY`` times as strong at first, so that groups find each
    other.

    points : float64 (g, 2), where the nodes begin; near : int64 (g, k). Inside float32, which takes
    half the time. Nodes in one place part by the turn of a sunflower.
    """
    g, k = near.shape
    if k < 2:
        return points
    begin = np.arange(0, g * k + 1, k)
    edges = csr_array((np.full(g * k, 0.5 / (g * k)), near.ravel(), begin), shape=(g, g))
    both = coo_array(edges + edges.T)
    here = _begun(points)
    speed, gain = np.zeros_like(here), np.ones_like(here)
    q = np.empty((g, g), np.float32)
    for step in range(STEPS):
        early = step < EARLY_STEPS
        up = gradient(here, both, q, EARLY if early else 1.0)
        gain = np.maximum(np.where(up * speed > 0, 0.8 * gain, gain + 0.2), 0.01)
        speed = ((0.5 if early else 0.8) * speed - (g / 12.0) * gain * up).astype(np.float32)
        here = here + speed
        here -= here.mean(axis=0)
    return here.astype(np.float64)


def gradient(
    here: Float32Array, edges: coo_array, q: Float32Array, strong: float = 1.0
) -> Float32Array:
    """Of KL(e || q / Z), with the edges ``strong`` times as strong; float32 (g, 2).

    e_ij : the share of edge ij, of both directions, 1 in sum; q_ij = 1 / (1 + |y_i - y_j|²), 0 for
    i = j; Z : the sum of q. At node i it is
        4 [ sum_j e_ij q_ij (y_i - y_j) - sum_j q_ij² (y_i - y_j) / Z ],
    the second sum as one product, y_i sum_j q_ij² - (q² y)_i. here : y; q : float32 (g, g), room
    to write in.
    """
    own = (here * here).sum(axis=1)
    np.matmul(here, (-2.0 * here).T, out=q)
    q += own[:, None]
    q += own[None, :] + 1.0
    np.reciprocal(np.maximum(q, 1.0, out=q), out=q)
    np.fill_diagonal(q, 0.0)
    z = float(q.sum(dtype=np.float64))
    np.square(q, out=q)
    push = (here * q.sum(axis=1)[:, None] - q @ here) / z
    along = here[edges.row] - here[edges.col]
    pull = (strong * edges.data / (1.0 + (along * along).sum(axis=1)))[:, None] * along
    n = here.shape[0]
    up = np.stack([np.bincount(edges.row, pull[:, a], minlength=n) for a in (0, 1)], axis=1)
    out: Float32Array = (4.0 * (up - push)).astype(np.float32)
    return out


def _begun(points: FloatArray) -> Float32Array:
    """float32 (g, 2): small, so that at first every edge pulls; no two in one place."""
    spread = float(points.std(axis=0).max()) or 1.0
    angle = np.arange(points.shape[0]) * GOLDEN
    turn = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    out: Float32Array = (1e-4 * (points - points.mean(axis=0)) / spread + 1e-6 * turn).astype(
        np.float32
    )
    return out


def _kept(points: FloatArray, near: IntArray) -> float:
    """The share of neighbours that are neighbours in the picture, too."""
    g, k = near.shape
    if k < 1:
        return 1.0
    drawn = np.sort(_nearest(points, k) + g * np.arange(g)[:, None], axis=None)
    wanted = (near + g * np.arange(g)[:, None]).ravel()
    return float(np.isin(wanted, drawn).mean())


def _stretched(points: FloatArray) -> FloatArray:
    """Both coordinates from 0.08 to 0.92; in the middle where all are equal."""
    low, high = points.min(axis=0), points.max(axis=0)
    width = high - low
    flat = width < 1e-9
    out: FloatArray = 0.08 + 0.84 * (points - low) / np.where(flat, 1.0, width)
    out[:, flat] = 0.5
    return out


def _parted(points: FloatArray, radius: FloatArray) -> FloatArray:
    """Discs that overlap move apart, each by half of what is missing, a few times over.

    points : float64 (g, 2); radius : float64 (g,). Discs in one place part along the directions of
    their positions in the list. Memory: a few arrays of g² numbers.
    """
    here = points.copy()
    g = here.shape[0]
    angle = np.arange(g) * GOLDEN
    nudge = 1e-6 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    wanted = radius[:, None] + radius[None, :]
    np.fill_diagonal(wanted, 0.0)
    here += nudge
    for _ in range(ROUNDS):
        away = here[:, None, :] - here[None, :, :]
        apart = np.sqrt((away * away).sum(axis=2))
        missing = np.maximum(wanted - apart, 0.0)
        if not missing.any():
            break
        step = (away * (missing / np.maximum(apart, 1e-12))[:, :, None]).sum(axis=1)
        here += 0.5 * np.clip(step, -0.05, 0.05)
        np.clip(here, 0.02, 0.98, out=here)
    return here
