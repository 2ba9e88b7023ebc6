"""Pairs with the texts that were added to others whose pairs are known.

The distance of two texts depends on nothing but the two, so known pairs stay. For an added text A
the prefix filter of ``text_pairs`` is used from one side: a partner within the radius holds at
least t |A| shingles of A, so at least q of A's |A| - ceil(t |A|) + q rarest ones, in whatever order
the partner would be read. The result has the pairs of a search for all pairs.

All pairs are searched for where that search would, or might, set dense balls aside; where the
earlier one did, or left frequent shingles out; and where added texts have more than
``MAX_CANDIDATES`` candidates.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from cr_audit import engine
from cr_audit.arrays import FloatArray, IntArray
from cr_audit.clones.clusters import SetIndex
from cr_audit.clones.pairs import (
    HEAVY,
    MIN_BALL,
    MIN_SHINGLES,
    ROUNDING,
    TextIndex,
    TextPairs,
    demands,
    text_pairs,
)
from cr_audit.clones.searches import Units
from cr_audit.clones.shingles import Shingles, jaccard_distance

MAX_CANDIDATES = 5_000_000
_AT_ONCE = 16
_CELLS = 4_000_000  # counts of shared shingles held at once


class TextSets:
    """Sets of texts, any two of which can share shingles."""

    def __init__(self, shingles: Shingles) -> None:
        self.shingles, self.sizes = shingles, shingles.sizes

    def some(self, rows: IntArray) -> Shingles:
        """The shingles of some texts."""
        return self.shingles if rows.size == self.sizes.size else self.shingles.some(rows)

    def reach(self, rows: IntArray) -> IntArray:
        """Who can share a shingle with one of these rows, ascending."""
        return np.arange(self.sizes.size)


class UnitSets:
    """Sets of units; those of two groups share nothing."""

    def __init__(self, shingles: Shingles, units: Units) -> None:
        self._shingles, self._units = shingles, units
        self.sizes = shingles.sizes[units.text]

    def some(self, rows: IntArray) -> Shingles:
        """The shingles of some units, told apart by their groups."""
        return self._shingles.within(self._units.text[rows], self._units.group[rows] + 1)

    def reach(self, rows: IntArray) -> IntArray:
        """Who can share a shingle with one of these units: those of their groups, ascending."""
        groups = self._units.group
        return np.flatnonzero(np.isin(groups, np.unique(groups[rows])))


Sets = TextSets | UnitSets


def joined(
    sets: Sets, known: TextPairs | None, place: IntArray, radius: float, ball_diameter: float
) -> tuple[SetIndex, TextPairs]:
    """The known pairs at their new places, and the pairs with any of the other rows."""
    n = sets.sizes.size
    added = np.setdiff1d(np.arange(n), place)
    simple = known is not None and known.complete and not known.balls
    found = None
    if known is not None and added.size == 0:
        balls = tuple(place[b] for b in known.balls)
        found = _moved(known, place, n, balls)
    elif known is not None and simple:
        more = _with_added(sets, added, radius)
        found = None if more is None else _united(_moved(known, place, n, ()), more)
        if found is not None and _may_have_balls(found, ball_diameter):
            found = None
    if found is None:
        index = TextIndex(sets.some(np.arange(n)))
        return index, text_pairs(index, radius, ball_diameter=ball_diameter)
    touched = np.unique(np.concatenate([found.first, found.second, *found.balls]))
    return GrowingIndex(sets, touched), found


def _moved(pairs: TextPairs, place: IntArray, n: int, balls: tuple[IntArray, ...]) -> TextPairs:
    a, b = place[pairs.first], place[pairs.second]
    stay = (a >= 0) & (b >= 0)
    return _sorted(n, pairs, a[stay], b[stay], pairs.distance[stay], balls)


def _united(one: TextPairs, two: TextPairs) -> TextPairs:
    return _sorted(
        one.n,
        one,
        np.concatenate([one.first, two.first]),
        np.concatenate([one.second, two.second]),
        np.concatenate([one.distance, two.distance]),
        (),
        two.n_candidates,
    )


def _sorted(
    n: int,
    like: TextPairs,
    a: IntArray,
    b: IntArray,
    distance: FloatArray,
    balls: tuple[IntArray, ...],
    more_candidates: int = 0,
) -> TextPairs:
    first, second = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((second, first))
    return TextPairs(
        n=n,
        radius=like.radius,
        first=first[order],
        second=second[order],
        distance=distance[order],
        balls=balls,
        n_candidates=like.n_candidates + more_candidates,
        complete=like.complete,
    )


def _may_have_balls(pairs: TextPairs, diameter: float) -> bool:
    """Whether some row has enough others within half the diameter to be a pivot."""
    if pairs.n <= HEAVY:
        return False
    close = pairs.distance <= diameter / 2
    ends = np.concatenate([pairs.first[close], pairs.second[close]])
    return bool(np.bincount(ends, minlength=1).max() >= MIN_BALL - 1)


def _with_added(sets: Sets, added: IntArray, radius: float) -> TextPairs | None:
    """All pairs with one of the added rows; None where their candidates are too many."""
    reach = sets.reach(added)
    shingles = sets.some(reach)
    own = np.searchsorted(reach, added)
    own = own[shingles.sizes[own] >= MIN_SHINGLES]
    a, b = _candidates(shingles, own, radius)
    if a.size > MAX_CANDIDATES:
        return None
    involved = np.unique(np.concatenate([a, b]))
    index = TextIndex(shingles.some(involved))
    d = index.distances(np.searchsorted(involved, a), np.searchsorted(involved, b))
    near = d <= radius + ROUNDING
    return TextPairs(
        n=sets.sizes.size,
        radius=radius,
        first=reach[a[near]],
        second=reach[b[near]],
        distance=d[near],
        balls=(),
        n_candidates=int(a.size),
        complete=True,
    )


def _candidates(shingles: Shingles, rows: IntArray, radius: float) -> tuple[IntArray, IntArray]:
    """Pairs first < second of the rows with any, that share enough of a row's rarest shingles."""
    n = shingles.n
    overlap, demand = demands(shingles.sizes, radius)
    start = np.flatnonzero(np.diff(shingles.keys, prepend=~shingles.keys[:1]))
    frequency = np.diff(np.append(start, shingles.keys.size))
    place = np.full(n, -1, np.int64)
    place[rows] = np.arange(rows.size)
    entry = np.flatnonzero(place[shingles.texts] >= 0)
    run = np.searchsorted(start, entry, side="right") - 1
    row = place[shingles.texts[entry]]
    order = np.lexsort((run, frequency[run], row))
    row, run = row[order], run[order]
    rank = np.arange(row.size) - np.searchsorted(row, np.arange(rows.size))[row]
    prefix = rank < (shingles.sizes - overlap + demand)[rows][row]
    row, run = row[prefix], run[prefix]
    found: list[IntArray] = []
    step = max(1, _CELLS // max(n, 1))
    total = 0
    for lo in range(0, rows.size, step):
        here = slice(*np.searchsorted(row, [lo, lo + step]))
        copies = frequency[run[here]]
        at = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
        other = shingles.texts[np.repeat(start[run[here]], copies) + at]
        cell = np.repeat(row[here] - lo, copies) * n + other
        shared = np.bincount(cell, minlength=1)
        cell = np.flatnonzero(shared)
        a, b = rows[lo + cell // n], cell % n
        small = np.minimum(shingles.sizes[a], shingles.sizes[b])
        large = np.maximum(shingles.sizes[a], shingles.sizes[b])
        fits = (shared[cell] >= demand[a]) & (a != b) & (small >= MIN_SHINGLES)
        fits &= small >= (1.0 - radius) * large - 1e-9
        a, b = a[fits], b[fits]
        found.append(np.minimum(a, b) * n + np.maximum(a, b))
        total += a.size
        if total > 2 * MAX_CANDIDATES:
            break
    pairs = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    return pairs // max(n, 1), pairs % max(n, 1)


class GrowingIndex:
    """Exact distances: among ``touched`` rows at once, of others to all on demand."""

    def __init__(self, sets: Sets, touched: IntArray) -> None:
        self._sets, self._touched = sets, touched
        self._index = TextIndex(sets.some(touched)) if touched.size else None
        self.sizes = sets.sizes
        self.comparable = sets.sizes >= MIN_SHINGLES

    def with_rows(self, rows: IntArray) -> GrowingIndex:
        """The same, with distances among these rows too."""
        return GrowingIndex(self._sets, np.union1d(self._touched, rows))

    @property
    def n(self) -> int:
        return int(self.sizes.size)

    def _inner(self, rows: IntArray) -> tuple[TextIndex, IntArray]:
        if self._index is None:
            raise ValueError("no row has a pair")
        return self._index, np.searchsorted(self._touched, rows)

    def distances(self, first: IntArray, second: IntArray) -> FloatArray:
        if not first.size:
            return np.empty(0)
        index, a = self._inner(first)
        return index.distances(a, self._inner(second)[1])

    def among(self, rows: IntArray) -> FloatArray:
        index, at = self._inner(rows)
        return index.among(at)

    def within(self, rows: IntArray, radius: float) -> tuple[IntArray, IntArray]:
        found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        for part in engine.spans(rows.size, _AT_ONCE):
            i, j = np.nonzero(self.to_all(rows[part]) <= radius)
            near = self.comparable[rows[part]][i] & self.comparable[j]
            found.append((i[near] + part.start, j[near]))
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def to_all(self, rows: IntArray) -> FloatArray:
        reach = self._sets.reach(rows)
        shingles = self._sets.some(reach)
        own = np.searchsorted(reach, rows)
        overlap = np.zeros((rows.size, self.n))
        overlap[:, reach] = _overlaps(shingles, own)
        return jaccard_distance(overlap, self.sizes[rows][:, None], self.sizes[None, :])


def _overlaps(shingles: Shingles, rows: IntArray) -> FloatArray:
    """Shared shingles of a few rows with all: float64 (rows, n)."""
    run = np.cumsum(np.diff(shingles.keys, prepend=shingles.keys[:1]) != 0)
    chosen = np.zeros(shingles.n, bool)
    chosen[rows] = True
    used = np.unique(run[chosen[shingles.texts]])
    column = np.full(int(run[-1]) + 1 if run.size else 0, -1, np.int64)
    column[used] = np.arange(used.size)
    at = column[run]
    keep = at >= 0
    ones = np.ones(int(keep.sum()), np.float32)
    sets = sp.csr_array((ones, (shingles.texts[keep], at[keep])), shape=(shingles.n, used.size))
    out: FloatArray = (sets @ sets[rows].toarray().T).T.astype(np.float64)
    return out
