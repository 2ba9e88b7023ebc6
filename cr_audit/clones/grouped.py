"""Units of small groups: every pair is looked at, on one index of the texts for all groups.

A search is worth its index where groups are large. Preference pairs have two answers to a prompt:
all pairs of n units are then n / 2, and the sets of the texts, which the search across prompts
needs in any case, decide on them as they are.
"""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.clones.pairs import HEAVY, ROUNDING, TextIndex, TextPairs

PAIRS_PER_UNIT = 8.0


class GroupedIndex:
    """Distances of units (a text in a group); units of two groups share nothing.

    index : of the distinct texts; text, group : int64 (units,).
    """

    def __init__(self, index: TextIndex, text: IntArray, group: IntArray) -> None:
        self._index, self._text, self._group = index, text, group
        self._by_group = np.argsort(group, kind="stable")
        self._sorted = group[self._by_group]
        self.sizes = index.sizes[text]
        self.comparable = index.comparable[text]

    @property
    def n(self) -> int:
        """Units."""
        return int(self._text.size)

    def distances(self, first: IntArray, second: IntArray) -> FloatArray:
        """Of each pair of units, float64 (k,); 1 between groups."""
        out = np.ones(first.size)
        same = np.flatnonzero(self._group[first] == self._group[second])
        a, b = self._text[first[same]], self._text[second[same]]
        out[same] = self._index.distances(a, b)
        return out

    def among(self, rows: IntArray) -> FloatArray:
        """Between these units, float64 (rows, rows), 0 on the diagonal."""
        out = self._index.among(self._text[rows])
        out[self._group[rows][:, None] != self._group[rows][None, :]] = 1.0
        return out

    def to_all(self, rows: IntArray) -> FloatArray:
        """From a few units to all, float64 (rows, n)."""
        out = np.ones((rows.size, self.n))
        mine, others, distance = self._of_their_groups(rows)
        out[mine, others] = distance
        out[np.arange(rows.size), rows] = 0.0
        return out

    def within(self, rows: IntArray, radius: float) -> tuple[IntArray, IntArray]:
        """Pairs (a place in ``rows``, a unit) of comparable units at distance <= radius < 1, as
        ``to_all`` has it; themselves may be among them."""
        mine, others, distance = self._of_their_groups(rows)
        near = (distance <= radius) & self.comparable[rows[mine]] & self.comparable[others]
        return mine[near], others[near]

    def _of_their_groups(self, rows: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """(place in ``rows``, unit, distance) of all units of the groups of some."""
        low = np.searchsorted(self._sorted, self._group[rows])
        count = np.searchsorted(self._sorted, self._group[rows], side="right") - low
        mine = np.repeat(np.arange(rows.size), count)
        at = np.arange(mine.size) + np.repeat(low - (np.cumsum(count) - count), count)
        others = self._by_group[at]
        return mine, others, self._index.distances(self._text[rows[mine]], self._text[others])


def are_small(group: IntArray) -> bool:
    """Whether every pair of units of one group can be looked at; int64 (units,), -1 or more."""
    size = np.bincount(group + 1, minlength=1).astype(np.float64)
    pairs = float((size * (size - 1.0) / 2.0).sum())
    return bool(size.max() <= HEAVY) and pairs <= PAIRS_PER_UNIT * group.size


def pairs_of_one_group(group: IntArray) -> tuple[IntArray, IntArray]:
    """All pairs first < second of places with one group, sorted; int64 (k,) each."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    found: list[tuple[IntArray, IntArray]] = []
    left, apart = np.arange(max(order.size - 1, 0)), 1
    while left.size:
        left = left[ordered[left] == ordered[left + apart]]
        found.append((order[left], order[left + apart]))
        apart += 1
        left = left[left < order.size - apart]
    first = np.concatenate([a for a, _ in found] or [np.empty(0, np.int64)])
    second = np.concatenate([b for _, b in found] or [np.empty(0, np.int64)])
    sort = np.lexsort((second, first))
    return first[sort], second[sort]


def grouped_pairs(index: GroupedIndex, group: IntArray, radius: float) -> TextPairs:
    """What ``text_pairs`` finds among units, from all pairs of every group."""
    first, second = pairs_of_one_group(group)
    small = np.minimum(index.sizes[first], index.sizes[second])
    large = np.maximum(index.sizes[first], index.sizes[second])
    fits = index.comparable[first] & index.comparable[second]
    fits &= small >= (1.0 - radius) * large - 1e-9
    first, second = first[fits], second[fits]
    distance = index.distances(first, second)
    near = distance <= radius + ROUNDING
    return TextPairs(
        n=index.n,
        radius=radius,
        first=first[near],
        second=second[near],
        distance=distance[near],
        balls=(),
        n_candidates=int(first.size),
        complete=True,
    )
