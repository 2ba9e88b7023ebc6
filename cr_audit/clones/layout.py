"""A place in the plane for each text, so that a person can look at them.

The two directions are those in which the vectors differ most (principal components; Pearson 1901),
taken over clone groups, each as one point, so that copies do not turn the picture towards
themselves. The members of a group stand around its place like the seeds of a sunflower (Vogel
1979): copies would otherwise hide each other, and how many there are is what one wants to see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from cr_audit.arrays import Float32Array, FloatArray, IntArray

GOLDEN = np.pi * (3.0 - np.sqrt(5.0))
SEED = 0.016
"""Distance of the second seed from the first, where the picture is 1 wide."""
DISC = 0.014
"""Room around a single item; ``ROUNDS`` steps part those that overlap."""
ROUNDS = 30
DIGITS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """points : float64 (n, 2) in [0, 1], rounded to four digits. explained : share of the variance
    between groups that each of the two directions holds."""

    points: FloatArray
    explained: tuple[float, float]


def spread(n: int, groups: IntArray, *, most: int, of_one: int) -> IntArray:
    """Which of n items are drawn, ascending int64: at most ``most``, and ``of_one`` of a group.

    groups : int64 (n,), -1 = none. Groups come first, the largest before the others; the rest is
    filled with single items at even distances. No randomness: the same data, the same items.
    """
    if n <= most:
        return np.arange(n, dtype=np.int64)
    sizes = np.bincount(groups[groups >= 0], minlength=int(groups.max(initial=-1)) + 1)
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


def plane(vectors: Float32Array, groups: IntArray) -> Layout:
    """Where items stand. vectors : float32 (n, d); groups : int64 (n,), -1 = in none.

    Of two opposite directions the one whose largest entry is positive is taken. One thread, so that
    equal variances (a symmetric set has them) do not turn with the number of cores.
    O(n d² + d³ + n²).
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
    axes, explained = _directions(centred)
    points = _parted(_stretched(centred @ axes), DISC + SEED * np.sqrt(size - 1.0))[place]
    order = np.argsort(place, kind="stable")
    begin = np.concatenate([[0], np.cumsum(size)[:-1]])
    rank: FloatArray = np.empty(n)
    rank[order] = np.arange(n) - begin[place[order]]
    angle = rank * GOLDEN
    seeds = SEED * np.sqrt(rank)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Layout(np.round(np.clip(points + seeds, 0.0, 1.0), DIGITS), explained)


def _directions(centred: FloatArray) -> tuple[FloatArray, tuple[float, float]]:
    """float64 (d, 2), and the share of the variance along each."""
    with threadpool_limits(limits=1):
        values, vectors = np.linalg.eigh(centred.T @ centred)
    two: FloatArray = vectors[:, ::-1][:, :2]
    if two.shape[1] < 2:
        two = np.pad(two, ((0, 0), (0, 2 - two.shape[1])))
    largest = np.abs(two).argmax(axis=0)
    two = two * np.where(two[largest, np.arange(2)] < 0, -1.0, 1.0)
    total = float(np.maximum(values, 0.0).sum()) or 1.0
    shares = np.pad(np.maximum(values[::-1][:2], 0.0), (0, 2))[:2] / total
    return two, (float(shares[0]), float(shares[1]))


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
