"""Distances of words with those that noise measures lay over them, as one index and its pairs.

Where words alone call two units near, within the radius or ``noise.NEAR``, their distance stays. A
unit with ``MIN_SPOKES`` near ones or more is a hub. Where two of these share ``HUB_SHARE`` of its
shingles, or ``HUB_LETTERS`` of their letters in one order, their distance is that of the farther
one to the hub. Noise falls on each copy anew: two copies with a typo in every word differ in two
typos a word, and each in one from the original; two with a fifth of their words replaced share 0.64
of its words, and each 0.8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.clones.clusters import SetIndex
from cr_audit.clones.noise import HUB_SHARE, NEAR, NoisePairs
from cr_audit.clones.pairs import ROUNDING, TextPairs

HUB_LETTERS = 0.6
MIN_SPOKES = 3
"""Two texts near a third one make a chain, which is no cluster; three or more make a cloud."""
MAX_HUB_PAIRS = 2_000_000
"""Pairs of neighbours of hubs that are looked at; hubs after that, in the order of the rows, join
nobody."""
Agreement = Callable[[IntArray, IntArray], FloatArray]


class OverlaidIndex:
    """Another index's distances, smaller where a pair is listed. keys : int64, ascending, first * n
    + second of each listed pair first < second; listed : float64, their distances."""

    def __init__(self, index: SetIndex, keys: IntArray, listed: FloatArray) -> None:
        self._index, self._keys, self._listed = index, keys, listed
        self.sizes, self.comparable = index.sizes, index.comparable

    @property
    def n(self) -> int:
        """Number of sets, as in the index below."""
        return self._index.n

    def _over(self, first: IntArray, second: IntArray, d: FloatArray) -> FloatArray:
        key = np.minimum(first, second) * self.n + np.maximum(first, second)
        at = np.searchsorted(self._keys, key)
        held = at < self._keys.size
        held[held] = self._keys[at[held]] == key[held]
        out: FloatArray = d.copy()
        out[held] = np.minimum(d[held], self._listed[at[held]])
        return out

    def distances(self, first: IntArray, second: IntArray) -> FloatArray:
        return self._over(first, second, self._index.distances(first, second))

    def among(self, rows: IntArray) -> FloatArray:
        i, j = np.triu_indices(rows.size, 1)
        out = self._index.among(rows)
        out[i, j] = out[j, i] = self._over(rows[i], rows[j], out[i, j])
        return out

    def within(self, rows: IntArray, radius: float) -> tuple[IntArray, IntArray]:
        """As ``to_all``: of the words alone."""
        return self._index.within(rows, radius)

    def to_all(self, rows: IntArray) -> FloatArray:
        """Of the words alone: pairs that noise measures list are never missed by their search."""
        return self._index.to_all(rows)


def overlaid(
    index: SetIndex, pairs: TextPairs, noise: NoisePairs, radius: float, letters: Agreement
) -> tuple[SetIndex, TextPairs]:
    """The index and all pairs within ``pairs.radius`` by words, by noise, or through a hub.

    radius : within it of its hub is what a hub joins. letters : shares of letters that agree.
    """
    by_words = index.distances(noise.first, noise.second)
    compared = index.comparable[noise.first] & index.comparable[noise.second]
    by_words[~compared] = np.inf
    closer = (by_words > max(radius, NEAR) + ROUNDING) & (noise.distance < by_words)
    closer &= noise.distance <= pairs.radius + ROUNDING
    listed = _Listed(pairs.n, noise.first[closer], noise.second[closer], noise.distance[closer])
    pairs = _with(pairs, listed)
    joined = _through_hubs(index, pairs, radius, letters)
    both = _Listed(
        pairs.n,
        np.concatenate([listed.first, joined.first]),
        np.concatenate([listed.second, joined.second]),
        np.concatenate([listed.distance, joined.distance]),
    )
    if not both.key.size:
        return index, pairs
    return OverlaidIndex(index, both.key, both.distance), _with(pairs, joined)


def with_listed(
    index: SetIndex, pairs: TextPairs, first: IntArray, second: IntArray, distance: FloatArray
) -> tuple[SetIndex, TextPairs]:
    """The index and its pairs with further ones, first < second, at most these distances."""
    more = _Listed(pairs.n, first, second, distance)
    if not more.key.size:
        return index, pairs
    return OverlaidIndex(index, more.key, more.distance), _with(pairs, more)


class _Listed:
    """Pairs first < second, each once with its smallest distance, by (first, second)."""

    def __init__(self, n: int, first: IntArray, second: IntArray, distance: FloatArray) -> None:
        key = first * n + second
        order = np.lexsort((distance, key))
        key = key[order]
        once = np.ones(key.size, bool)
        once[1:] = key[1:] != key[:-1]
        order = order[once]
        self.key: IntArray = key[once]
        self.first, self.second, self.distance = first[order], second[order], distance[order]


def _with(pairs: TextPairs, more: _Listed) -> TextPairs:
    both = _Listed(
        pairs.n,
        np.concatenate([pairs.first, more.first]),
        np.concatenate([pairs.second, more.second]),
        np.concatenate([pairs.distance, more.distance]),
    )
    return replace(pairs, first=both.first, second=both.second, distance=both.distance)


def _through_hubs(index: SetIndex, pairs: TextPairs, radius: float, letters: Agreement) -> _Listed:
    near, n = pairs.limited(radius), pairs.n
    hub, first, second, distance = _neighbours(near)
    far = ~np.isin(first * n + second, near.first * n + near.second)
    hub, first, second, distance = hub[far], first[far], second[far], distance[far]
    key, back = np.unique(first * n + second, return_inverse=True)
    a, b = key // n, key % n
    j = 1.0 - index.distances(a, b)
    shared = j * (index.sizes[a] + index.sizes[b]) / (1.0 + j)
    alike = shared[back] >= HUB_SHARE * index.sizes[hub]
    rest = np.unique(back[~alike])
    spelled = np.zeros(key.size, bool)
    spelled[rest] = letters(a[rest], b[rest]) >= HUB_LETTERS
    alike |= spelled[back]
    return _Listed(n, first[alike], second[alike], distance[alike])


def _neighbours(near: TextPairs) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """(hub, first < second, larger distance to the hub) of all two neighbours of one unit."""
    hub = np.concatenate([near.first, near.second])
    other = np.concatenate([near.second, near.first])
    d = np.concatenate([near.distance, near.distance])
    order = np.lexsort((other, hub))
    hub, other, d = hub[order], other[order], d[order]
    _, start, size = np.unique(hub, return_index=True, return_counts=True)
    few = np.cumsum(size * (size - 1) // 2) <= MAX_HUB_PAIRS
    found: list[tuple[IntArray, IntArray]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for lo, k in zip(start[few].tolist(), size[few].tolist(), strict=True):
        if k >= MIN_SPOKES:
            i, j = np.triu_indices(k, 1)
            found.append((i + lo, j + lo))
    i, j = np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])
    return hub[i], other[i], other[j], np.maximum(d[i], d[j])
