"""All pairs of texts within a radius, by an inverted index that can miss none.

Prefix filter (Chaudhuri, Ganti and Kaushik 2006; Bayardo, Ma and Srikant 2007). Let t = 1 - radius.
If J(a, b) >= t then |A n B| >= t * max(|A|, |B|). Put every set in one common order, the rarest
shingles first. The first |A| - ceil(t |A|) + 1 shingles of A, its prefix, and the prefix of B then
share at least one; prefixes longer by q - 1 share at least q. So only texts whose prefixes share
enough shingles are candidates, and the exact distance decides on each of them. Shingles that stand
in one text only are rarest of all and lead nowhere, which empties most prefixes. A partner that is
known to be large asks for more: |A n B| >= t (|A| + |B|) / (1 + t). Pairs are therefore met from
their larger side, tile by tile of texts of one size, and the smaller side's prefix is as short as
the tile allows (Xiao, Wang, Lin, Yu and Wang 2011 do so set by set).

Dense regions. Among m texts that are nearly the same (one refusal with small changes), pairs would
be m^2. Where a prefix shingle is shared by more than ``HEAVY`` texts, whole balls are set aside
first: all texts within half the ball's diameter of a pivot are within that diameter of each other,
by the triangle inequality, so a ball is a certified group without a list of its pairs. Pivots are
taken in the order of the rows, which the caller makes canonical. Pairs between a ball and texts
outside it are not searched for. What is then still too much (the sum of squared numbers of texts
per prefix shingle is above ``MAX_WORK``, or ``WORK_PER_TEXT`` for each: tens of thousands of texts
that share half their words and no ball) is searched without the most frequent shingles, and
``complete`` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from cr_audit import engine
from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.clones.shingles import Shingles, jaccard_distance
from cr_audit.errors import InputError

MIN_SHINGLES = 9
"""Five words and their four pairs: a text with fewer distinct shingles pairs with no other. "Yes!"
and "yes." are too short for their likeness to be evidence that one was made from the other; equal
texts are clones at any length."""
HEAVY = 2048
MIN_BALL = 64
ROUNDING = 1e-12
PREFIX_DEMAND, PREFIX_SHARE = 3, 32
"""Shared shingles demanded of two prefixes: 3, and one more for every 32 of the set. Demanding q
and lengthening the prefixes by q - 1 loses no pair (of q more places one can be lost to each side)
and removes most false candidates; the values are the fastest of those tried."""
MAX_WORK, WORK_PER_TEXT = 2e9, 5_000.0
"""Steps of a search, or so many for each text where that is more. Left with a third, a tenth or a
thirtieth of the steps it needs, it still finds all, 99.7 % or 97.1 % of the copies with a few words
changed among 100,000 texts: benchmarks/README.md."""
MAX_PAIRS = 20_000_000
"""Pairs that are held: 24 bytes each, and five times that while they are sorted, so 2.4 GB;
20,000 near-identical answers under seven prompts, too far apart for balls, have 57 million."""
_MAX_FAILED_PIVOTS, _MAX_BARREN = 8, 8
_BLOCK_CANDIDATES = 2_000_000
_TILE = 8192
PIECES = 64
"""Shares of a search that may be looked at apart (``engine.pieces``)."""
_TILES = 96
"""Tiles at most: the time of a tile with every other one is that of their number squared, so that
of more texts they are larger."""
_BLOCK_ENTRIES = 4_000_000
_BLOCK_ROWS, _FEW_ROWS = 1 << 18, 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class TextPairs:
    """Pairs first < second with their exact distance <= radius, sorted by (first, second).

    balls : int64 (b, n_members) groups set aside as dense (see the head of the module); the first
    member is the pivot. n_candidates : pairs whose exact distance was computed. complete : False
    if frequent shingles had to be left out of the search to keep its work within ``MAX_WORK``.
    """

    n: int
    radius: float
    first: IntArray
    second: IntArray
    distance: FloatArray
    balls: tuple[IntArray, ...]
    n_candidates: int
    complete: bool

    def limited(self, radius: float) -> TextPairs:
        """The pairs within a smaller radius."""
        near = self.distance <= radius + ROUNDING
        return TextPairs(
            n=self.n,
            radius=radius,
            first=self.first[near],
            second=self.second[near],
            distance=self.distance[near],
            balls=self.balls,
            n_candidates=self.n_candidates,
            complete=self.complete,
        )


class TextIndex:
    """The sets of n texts ready for exact distances: sparse rows and sizes."""

    def __init__(self, shingles: Shingles) -> None:
        self._take(shingles.matrix(np.bool_), shingles.sizes)

    @classmethod
    def of_rows(cls, rows: sp.csr_array, sizes: IntArray) -> TextIndex:
        """From what ``Shingles.matrix`` gives, and the sizes of the sets."""
        out = cls.__new__(cls)
        out._take(rows, sizes)
        return out

    def _take(self, rows: sp.csr_array, sizes: IntArray) -> None:
        self.sizes, self.rows = sizes, rows
        self.lengths = np.diff(self.rows.indptr).astype(np.int64)
        self.comparable = self.sizes >= MIN_SHINGLES

    @property
    def n(self) -> int:
        """Sets of shingles."""
        return int(self.sizes.shape[0])

    def distances(self, first: IntArray, second: IntArray) -> FloatArray:
        """Exact distance of each pair, float64 (k,); memory flat in k."""
        out = np.empty(first.size)
        if not first.size:
            return out
        work = np.cumsum(self.lengths[first] + self.lengths[second])
        cuts = np.searchsorted(work, np.arange(0, work[-1] + 1, _BLOCK_ENTRIES))
        for lo, hi in zip(cuts, np.append(cuts[1:], first.size), strict=True):
            a, b = first[lo:hi], second[lo:hi]
            overlap = self.rows[a].multiply(self.rows[b]).sum(axis=1).astype(np.float64)
            out[lo:hi] = jaccard_distance(overlap, self.sizes[a], self.sizes[b])
        return out

    def among(self, rows: IntArray) -> FloatArray:
        """Exact distances of these rows, float64 (rows, rows), 0 on the diagonal."""
        sets = self.rows[rows]
        used, column = np.unique(sets.indices, return_inverse=True)
        ones = np.ones(column.size, np.float32)
        sets = sp.csr_array((ones, column, sets.indptr), shape=(rows.size, used.size))
        sizes = self.sizes[rows]
        overlap = (sets @ sets.T).toarray().astype(np.float64)
        out = jaccard_distance(overlap, sizes[:, None], sizes[None, :])
        np.fill_diagonal(out, 0.0)
        return out

    def to_all(self, rows: IntArray) -> FloatArray:
        """Exact distances of a few rows to all, float64 (rows, n)."""
        overlap = np.empty((rows.size, self.n))
        for here, shared in self._shared(rows):
            overlap[:, here] = shared.T
        return jaccard_distance(overlap, self.sizes[rows][:, None], self.sizes[None, :])

    def within(self, rows: IntArray, radius: float) -> tuple[IntArray, IntArray]:
        """Pairs (a place in ``rows``, a row) of comparable sets at exact distance <= radius < 1, as
        ``to_all`` has it, themselves included; the index is looked at once, and flat memory."""
        least = (1.0 - radius) * self.sizes[rows] - 1.0
        least[~self.comparable[rows]] = np.inf
        found: list[tuple[IntArray, IntArray]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        for here, shared in self._shared(rows):
            at, i = np.nonzero(shared >= least)
            j = at + here.start
            d = jaccard_distance(
                shared[at, i].astype(np.float64), self.sizes[rows[i]], self.sizes[j]
            )
            near = (d <= radius) & self.comparable[j]
            found.append((i[near], j[near]))
        return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])

    def _shared(self, rows: IntArray) -> Iterator[tuple[slice, FloatArray]]:
        """Blocks of all sets, and what each shares with the sets of a few rows, (block, rows)."""
        some = self.rows[rows]
        used, _ = counted(some.indices)
        place = np.full(self.rows.shape[1], -1, np.int32)
        place[used] = np.arange(used.size)
        columns = relabelled(some, place, used.size).toarray().T

        def look(here: slice) -> FloatArray:
            ends = self.rows.indptr[here.start : here.stop + 1]
            block = slice(int(ends[0]), int(ends[-1]))
            held = sp.csr_array((here.stop - here.start, place.size), dtype=np.bool_)
            held.indptr, held.indices = ends - ends[0], self.rows.indices[block]
            return np.asarray(relabelled(held, place, used.size) @ columns)

        blocks = engine.spans(self.n, _FEW_ROWS)
        found = engine.map(look, blocks, local=True)
        yield from engine.forgetting(zip(blocks, found, strict=True))


def counted(
    values: np.ndarray[tuple[int, ...], np.dtype[np.signedinteger[Any]]],
) -> tuple[IntArray, IntArray]:
    """Different values, ascending, and how often each of them is there; a hundred times as fast as
    ``np.unique`` (2.4) for 400,000 of three million."""
    ordered = np.sort(values)
    new = np.ones(ordered.size, bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    start = np.flatnonzero(new)
    return ordered[start].astype(np.int64), np.diff(start, append=ordered.size)


def demands(sizes: IntArray, radius: float) -> tuple[IntArray, IntArray]:
    """(overlap that any partner within the radius has at least, how much of it is demanded of the
    prefixes) per row, from the sizes of the sets."""
    # The small number undoes rounding: 0.55 * 20 must not become 11.000000000000002 -> 12.
    overlap = np.maximum(np.ceil((1.0 - radius) * sizes - 1e-9).astype(np.int64), 1)
    return overlap, np.minimum(overlap, PREFIX_DEMAND + sizes // PREFIX_SHARE)


def _prefixes(index: TextIndex, rows: IntArray, lengths: IntArray) -> sp.csr_array:
    """The first shared shingles of some rows, ``lengths`` of each (float32 0/1)."""
    ends = np.concatenate([[0], np.cumsum(lengths)])
    entry = np.arange(ends[-1]) + np.repeat(index.rows.indptr[rows] - ends[:-1], lengths)
    return sp.csr_array(
        (np.ones(entry.size, np.float32), index.rows.indices[entry], ends),
        shape=(rows.size, index.rows.shape[1]),
    )


class _LongestPrefixes:
    """Each row's prefix for a partner of any size; made a block of rows at a time."""

    def __init__(self, index: TextIndex, radius: float) -> None:
        overlap, demand = demands(index.sizes, radius)
        self._length = np.clip(index.lengths - overlap + demand, 0, index.lengths)
        self._index = index

    def frequency(self, rows: IntArray) -> IntArray:
        """In how many of these rows' prefixes each shingle stands, int64."""
        out = np.zeros(self._index.rows.shape[1], np.int64)
        for here in engine.spans(rows.size, _BLOCK_ROWS):
            prefixes = _prefixes(self._index, rows[here], self._length[rows[here]])
            found, count = counted(prefixes.indices)
            out[found] += count
        return out

    def holding(self, column: int, rows: IntArray) -> IntArray:
        """Those of the rows whose prefixes hold a shingle."""
        found = [np.empty(0, np.int64)]
        for here in engine.spans(rows.size, _BLOCK_ROWS):
            prefixes = _prefixes(self._index, rows[here], self._length[rows[here]])
            at = np.flatnonzero(prefixes.indices == column)
            found.append(rows[here][np.searchsorted(prefixes.indptr, at, side="right") - 1])
        return np.concatenate(found)


class _Near:
    """Rows within a distance of pivots. A look at the index takes as long for a few pivots as for
    one: those whose turn it is if this one fails are looked at with it."""

    def __init__(self, index: TextIndex, radius: float) -> None:
        self._index, self._radius = index, radius
        self._known: dict[int, IntArray] = {}

    def first_of(self, pivots: IntArray) -> IntArray:
        """Comparable rows, ascending, of the first of these pivots."""
        if int(pivots[0]) not in self._known:
            some = pivots[:_MAX_FAILED_PIVOTS]
            at, rows = self._index.within(some, self._radius)
            self._known = {p: rows[at == k] for k, p in enumerate(some.tolist())}
        return self._known[int(pivots[0])]


def _set_balls_aside(
    index: TextIndex, radius: float, diameter: float
) -> tuple[list[IntArray], BoolArray]:
    """Balls of this diameter where a prefix shingle is heavy, and the rows that remain."""
    active = index.comparable.copy()
    balls: list[IntArray] = []
    done: set[int] = set()
    barren = 0
    prefixes, near = _LongestPrefixes(index, radius), _Near(index, diameter / 2)
    held = prefixes.frequency(np.flatnonzero(active))
    while True:
        frequency = held.copy()
        frequency[list(done)] = 0
        column = int(np.argmax(frequency)) if frequency.size else 0
        if not frequency.size or frequency[column] <= HEAVY or barren >= _MAX_BARREN:
            return balls, active
        posting = prefixes.holding(column, np.flatnonzero(active))
        failed = 0
        while failed < _MAX_FAILED_PIVOTS and posting.size > HEAVY:
            pivot, ball = posting[:1], near.first_of(posting)
            ball = ball[active[ball]]
            if ball.size < MIN_BALL:
                failed += 1
                posting = posting[1:]
                continue
            balls.append(np.concatenate([pivot, ball[ball != pivot[0]]]).astype(np.int64))
            active[ball] = False
            held -= prefixes.frequency(ball)
            posting = posting[active[posting]]
        done.add(column)
        barren += failed == _MAX_FAILED_PIVOTS


def _overlap(size: IntArray, partner: IntArray | int, radius: float) -> IntArray:
    """What a set and a partner of at least this size within the radius share at least: from
    o >= t (a + b - o), o >= t (a + b) / (1 + t), t = 1 - radius."""
    t = 1.0 - radius
    least = (size + np.maximum(partner, t * size)) * (t / (1.0 + t))
    out: IntArray = np.maximum(np.ceil(least * (1.0 - 1e-11) - 1e-9).astype(np.int64), 1)
    return out


class _Ordered:
    """The rows that are searched, by their sizes, in tiles; and how long their prefixes are.

    The longer a partner, the more must be shared, and the shorter is the prefix that must meet the
    partner's: of two texts of 200 shingles within 0.4 the first 53 of each decide, where any
    partner would need 83.
    """

    def __init__(self, index: TextIndex, radius: float, active: BoolArray) -> None:
        held = np.flatnonzero(active & (index.lengths > 0))
        self.rows = held[np.argsort(index.sizes[held], kind="stable")]
        self.size = index.sizes[self.rows]
        self.demand = demands(self.size, radius)[1]
        tile = max(_TILE, 1 << int(np.ceil(np.log2(max(self.rows.size / _TILES, 1.0)))))
        self.tiles = engine.spans(self.rows.size, tile)
        self._index, self._radius = index, radius
        self._length = index.lengths[self.rows]

    def to_larger(self, tile: slice, partner: int) -> sp.csr_array:
        """Prefixes of a tile's rows for partners that are at least as large, and as ``partner``."""
        size = self.size[tile]
        return self._first(tile, _overlap(size, np.maximum(size, partner), self._radius))

    def to_smaller(self, tile: slice) -> sp.csr_array:
        """Prefixes of a tile's rows for partners of any size within the radius."""
        return self._first(tile, _overlap(self.size[tile], 0, self._radius))

    def smaller(self, tile: slice) -> list[slice]:
        """Tiles of sets no larger than a tile's that a partner within the radius can be in."""
        least = float(self.size[tile.start]) * (1.0 - self._radius) - 1e-9
        return [s for s in self.tiles if s.start <= tile.start and self.size[s.stop - 1] >= least]

    def sharing(
        self, small: sp.csr_array, first: int, postings: sp.csr_array, second: int
    ) -> list[tuple[IntArray, IntArray]]:
        """Pairs of a tile's prefixes and another's postings that share what is demanded; first,
        second : where the two tiles begin."""
        work = np.concatenate([[0], np.cumsum(small @ np.diff(postings.indptr).astype(np.float64))])
        out, lo = list[tuple[IntArray, IntArray]](), 0
        while lo < small.shape[0]:
            hi = int(np.searchsorted(work, work[lo] + _BLOCK_CANDIDATES, side="right")) - 1
            hi = min(max(hi, lo + 1), small.shape[0])
            shared = small[lo:hi] @ postings
            # The smallest set of the block demands the least of any pair in it.
            some = np.flatnonzero(shared.data >= self.demand[first + lo])
            a = np.searchsorted(shared.indptr, some, side="right") - 1 + first + lo
            b = shared.indices[some].astype(np.int64) + second
            keep = (
                (a < b)
                & (shared.data[some] >= self.demand[a])
                & (self.size[a] >= (1.0 - self._radius) * self.size[b] - 1e-9)
            )
            a, b = self.rows[a[keep]], self.rows[b[keep]]
            out.append((np.minimum(a, b), np.maximum(a, b)))
            lo = hi
        return out

    def _first(self, tile: slice, overlap: IntArray) -> sp.csr_array:
        length = self._length[tile]
        keep = np.clip(length - overlap + self.demand[tile], 0, length)
        return _prefixes(self._index, self.rows[tile], keep)

    def too_frequent(self) -> BoolArray:
        """Shingles, the most frequent first, that make the work more than is allowed."""
        n = self._index.rows.shape[1]
        of_smaller, of_larger = np.zeros(n, np.int64), np.zeros(n, np.int64)
        for tile in self.tiles:
            for total, held in (
                (of_smaller, self.to_larger(tile, 0)),
                (of_larger, self.to_smaller(tile)),
            ):
                found, count = counted(held.indices)
                total[found] += count
        work = of_smaller.astype(np.float64) * of_larger
        order = np.argsort(of_larger, kind="stable")
        over = np.cumsum(work[order]) > max(MAX_WORK, WORK_PER_TEXT * self._index.n)
        if not over.any():
            return np.zeros(n, bool)
        # All of one frequency stay or go together, so that no order among them matters.
        out: BoolArray = of_larger >= of_larger[order[np.argmax(over)]]
        return out


def _candidates(
    ordered: _Ordered, dropped: BoolArray, shares: Sequence[int] = ()
) -> Iterator[tuple[int, IntArray, IntArray]]:
    """Pairs first < second whose prefixes share as much as the smaller set's demand and whose
    sizes allow the radius, each once; and of which share.

    shares : those of ``PIECES`` that are looked at, share p being the p-th of as many runs of rows
    of every tile, met as the smaller side; () = all, as share 0.

    Rows go by their sizes, in tiles of ``_TILE``. A tile is multiplied with itself and with those
    tiles of smaller sets that a partner within the radius can be in, so that a pair is met from its
    larger side alone, and the sums of one row fit into a processor's cache.
    """

    places = engine.PerWorker(lambda: np.full(dropped.size, -1, np.int32))

    def partners(tile: slice) -> list[tuple[int, IntArray, IntArray]]:
        out = list[tuple[int, IntArray, IntArray]]()
        here = ordered.to_smaller(tile)
        used, _ = counted(here.indices)
        used = used[~dropped[used]]
        place = places.get()
        place[used] = np.arange(used.size)
        postings = relabelled(here, place, used.size).T.tocsr()
        for other in ordered.smaller(tile):
            for share, rows in [(p, _share(other, p)) for p in shares] or [(0, other)]:
                if rows.start == rows.stop:
                    continue
                prefixes = ordered.to_larger(rows, int(ordered.size[tile.start]))
                there = relabelled(prefixes, place, used.size)
                met = ordered.sharing(there, rows.start, postings, tile.start)
                out += [(share, a, b) for a, b in met]
        place[used] = -1
        return out

    found = engine.map(partners, ordered.tiles, local=True)
    work = [len(ordered.smaller(tile)) for tile in ordered.tiles]
    for pairs in engine.told("comparing texts", found, work):
        yield from pairs


def _share(tile: slice, share: int) -> slice:
    size = tile.stop - tile.start
    return slice(tile.start + size * share // PIECES, tile.start + size * (share + 1) // PIECES)


def relabelled(
    rows: sp.csr_array, place: np.ndarray[tuple[int, ...], np.dtype[np.int32]], n: int
) -> sp.csr_array:
    """The entries whose columns have a place, there; n places."""
    column = place[rows.indices]
    kept = column >= 0
    ends = np.zeros(kept.size + 1, np.int32)
    np.cumsum(kept, out=ends[1:])
    ends = ends[rows.indptr]
    column = column[kept]
    return sp.csr_array((np.ones(column.size, np.float32), column, ends), shape=(rows.shape[0], n))


Found = tuple[IntArray, IntArray, FloatArray, int]
"""Pairs, their distances, and how many were looked at."""


def text_pairs(
    index: TextIndex,
    radius: float,
    *,
    ball_diameter: float | None = None,
    stage: str = "",
    inputs: engine.Inputs = dict,
) -> TextPairs:
    """Every pair of texts with distance <= ``radius`` (0 <= radius < 1), each distance exact.

    None is missed unless ``complete`` is False in the result, except pairs that touch a ball (of
    ``ball_diameter``, the radius where None; see ``TextPairs.balls``). Texts of fewer than
    ``MIN_SHINGLES`` shingles pair with none. Raises ValueError for a radius outside [0, 1), and
    InputError for more than ``MAX_PAIRS`` pairs.

    stage, inputs : as ``engine.gathered`` has them, where shares of the work may be found.
    """
    if not 0.0 <= radius < 1.0:
        raise ValueError(f"radius is {radius}, expected 0 <= radius < 1")
    balls, active = _set_balls_aside(
        index, radius, radius if ball_diameter is None else ball_diameter
    )
    ordered = _Ordered(index, radius, active)
    dropped = ordered.too_frequent()

    def compute(which: Sequence[int]) -> Iterator[Found]:
        return _shares(index, radius, _candidates(ordered, dropped, which), which)

    if stage and engine.has_shelf():
        parts = list(engine.gathered(stage, inputs, PIECES, compute))
    else:
        parts = list(_shares(index, radius, _candidates(ordered, dropped), (0,)))
    first, second, distance = (np.concatenate([p[k] for p in parts]) for k in range(3))
    _refuse_more(int(first.size), radius)
    order = np.lexsort((second, first))
    return TextPairs(
        n=index.n,
        radius=radius,
        first=first[order],
        second=second[order],
        distance=distance[order],
        balls=tuple(balls),
        n_candidates=sum(p[3] for p in parts),
        complete=not dropped.any(),
    )


def _shares(
    index: TextIndex,
    radius: float,
    candidates: Iterator[tuple[int, IntArray, IntArray]],
    which: Sequence[int],
) -> Iterator[Found]:
    """Of each share the pairs within the radius."""
    none = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    found = {share: [none] for share in which}
    n_candidates = dict.fromkeys(which, 0)
    n_found = 0
    for share, a, b in candidates:
        n_candidates[share] += a.size
        d = index.distances(a, b)
        near = d <= radius + ROUNDING
        found[share].append((a[near], b[near], d[near]))
        n_found += int(np.count_nonzero(near))
        _refuse_more(n_found, radius)
    for share in which:
        first, second, distance = (np.concatenate([f[k] for f in found[share]]) for k in range(3))
        yield first, second, distance, n_candidates[share]


def _refuse_more(n_found: int, radius: float) -> None:
    if n_found > MAX_PAIRS:
        raise InputError(
            "too_many_pairs",
            f"more than {MAX_PAIRS:,} pairs of texts are within {radius:g} of each other, which"
            " is more than can be held",
            next_step="take a random sample of the rows, or a smaller --radius; the texts are"
            " mostly one text with small changes",
        )
