"""Distances of words with those that noise measures lay over them, as one index and its pairs.

Where words alone call two units near, their distance stays. Where two units are both near a hub (a
unit with an edge that only a noise measure sees) and still share ``noise.HUB_OVERLAP`` of their
shingles, or ``HUB_LETTERS`` of their letters, their distance is that of the farther one to the hub.
Noise falls on each copy anew: two copies with a typo in every word differ in two typos a word, and
each in one from the original.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.clones.noise import HUB_OVERLAP, NoisePairs
from cr_audit.geometry.clusters import SetIndex
from cr_audit.geometry.text_pairs import ROUNDING, TextPairs

HUB_LETTERS = 0.6
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

    def to_all(self, rows: IntArray) -> FloatArray:
        """Of the words alone: pairs that noise measures list are never missed by their search."""
        return self._index.to_all(rows)


def overlaid(
    index: SetIndex, pairs: TextPairs, noise: NoisePairs, radius: float, letters: Agreement
) -> tuple[SetIndex, TextPairs]:
    """The index and all pairs within ``pairs.radius`` by words, by noise, or through a hub.

    radius : within it of its hub is what a hub joins. letters : shares of letters that agree.
    """
    if not noise.first.size:
        return index, pairs
    by_words = index.distances(noise.first, noise.second)
    closer = (by_words > radius + ROUNDING) & (noise.distance < by_words)
    closer &= noise.distance <= pairs.radius + ROUNDING
    if not closer.any():
        return index, pairs
    n = pairs.n
    listed = _Listed(n, noise.first[closer], noise.second[closer], noise.distance[closer])
    index = OverlaidIndex(index, listed.key, listed.distance)
    pairs = _with(pairs, listed)
    joined = _through_hubs(index, pairs, listed, radius, letters)
    if joined.key.size:
        both = _Listed(
            n,
            np.concatenate([listed.first, joined.first]),
            np.concatenate([listed.second, joined.second]),
            np.concatenate([listed.distance, joined.distance]),
        )
        index = OverlaidIndex(index, both.key, both.distance)
        pairs = _with(pairs, joined)
    return index, pairs


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


def _through_hubs(
    index: OverlaidIndex, pairs: TextPairs, listed: _Listed, radius: float, letters: Agreement
) -> _Listed:
    near = pairs.limited(radius)
    is_hub = np.zeros(pairs.n, bool)
    within = listed.distance <= radius + ROUNDING
    is_hub[listed.first[within]] = True
    is_hub[listed.second[within]] = True
    first, second, distance = _neighbours_of_hubs(near, is_hub)
    key = first * pairs.n + second
    known = np.isin(key, near.first * pairs.n + near.second)
    first, second, distance = first[~known], second[~known], distance[~known]
    if first.size:
        alike = index.distances(first, second) <= 1.0 - HUB_OVERLAP
        rest = np.flatnonzero(~alike)
        alike[rest] = letters(first[rest], second[rest]) >= HUB_LETTERS
        first, second, distance = first[alike], second[alike], distance[alike]
    return _Listed(pairs.n, first, second, distance)


def _neighbours_of_hubs(
    near: TextPairs, is_hub: BoolArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs first < second of neighbours of one hub, and the larger distance to it; the smallest of
    several hubs."""
    hub = np.concatenate([near.first, near.second])
    other = np.concatenate([near.second, near.first])
    d = np.concatenate([near.distance, near.distance])
    keep = is_hub[hub]
    order = np.lexsort((other[keep], hub[keep]))
    hub, other, d = hub[keep][order], other[keep][order], d[keep][order]
    _, start, size = np.unique(hub, return_index=True, return_counts=True)
    total = np.cumsum(size * (size - 1) // 2)
    empty = np.empty(0, np.int64)
    found: list[tuple[IntArray, IntArray, FloatArray]] = [(empty, empty, np.empty(0))]
    for lo, k in zip(
        start[total <= MAX_HUB_PAIRS].tolist(), size[total <= MAX_HUB_PAIRS].tolist(), strict=True
    ):
        i, j = np.triu_indices(k, 1)
        i, j = i + lo, j + lo
        found.append((other[i], other[j], np.maximum(d[i], d[j])))
    pairs = _Listed(
        near.n,
        np.concatenate([f[0] for f in found]),
        np.concatenate([f[1] for f in found]),
        np.concatenate([f[2] for f in found]),
    )
    return pairs.first, pairs.second, pairs.distance
