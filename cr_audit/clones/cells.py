"""Candidates for the nearest neighbours of many rows, from cells of a space of fewer dimensions.

1. Rows are turned to their principal directions (Pearson 1901), of which those are kept that hold
   ``HELD`` of the variance: distances there are lower bounds, and good ones.
2. The method of k-means (Lloyd 1982) cuts the rows into cells of about ``CELL`` rows. A row looks
   at its ``PROBES`` √(number of cells) nearest cells (an inverted file; Sivic and Zisserman 2003),
   all rows that look at one cell in one matrix product.
3. Of what it sees a row keeps what is nearer than the last of as many as are wanted in the cells
   about its own, and of that the nearest.
4. How many cells are looked at, and how many candidates kept, is set by the true neighbours of some
   rows: vectors of many directions of like strength need more of both.

Every step is cut from the rows alone: samples are taken at even steps through the order of their
bytes, BLAS has one thread, blocks hold ``_BLOCK_ROWS`` rows. O(n^1.5) products of few numbers, in
memory n float32 of the kept directions, and per worker what ``_BLOCK_ROWS`` rows look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, IntArray

Truth = tuple[IntArray, IntArray]
"""Some rows, (s,), and their nearest others, (s, k)."""
Int32Array = np.ndarray[tuple[int, ...], np.dtype[np.int32]]

HELD = 0.9
STEP, LEAST, MOST = 16, 16, 128
"""Directions kept are a multiple of ``STEP``, from ``LEAST`` to ``MOST``."""
CELL = 250
PROBES = 3.0
"""Measured: benchmarks/README.md, Clones."""
ENOUGH, SEEN = 0.995, 0.99
"""Shares of true neighbours that are to be among the wanted, and in the cells looked at (of what
those miss, other rows' lists bring some back)."""
_MOST, _TIMES = 5, (1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
ABOUT = 1_000
"""Rows about a row's own cell that give the first guess of how far its neighbours are."""
_ROUNDS, _PER_CELL = 6, 40
_BLOCK_ROWS = 8_192
_SEEN_BY_PCA = 20_000
_CHUNK = 2_000_000
_LARGEST = 4  # times CELL
_NEAREST = 12  # cells that a row looks at first


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """rows : float32 (n, d), turned, those of a cell together. order : int64 (n,), which row of the
    input each is. start : int64 (c + 1,). centres : float32 (c, d). about : for each cell, those
    around it, its own first, that hold at least as many rows as are asked for."""

    rows: Float32Array
    square: Float32Array
    order: IntArray
    start: IntArray
    centres: Float32Array
    about: tuple[IntArray, ...]

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.rows.shape[0])


def turned(rows: Float32Array, held: float = HELD) -> Float32Array:
    """Rows along the directions that hold ``held`` of the variance: float32 (n, few).

    Rows of at most ``LEAST`` numbers come back as they are.
    """
    n, d = rows.shape
    if d <= LEAST:
        return rows
    some = rows[_evenly(n, _SEEN_BY_PCA)].astype(np.float64)
    with engine.one_blas_thread():
        mean = some.mean(axis=0)
        some -= mean
        size, directions = np.linalg.eigh(some.T @ some)
        share = np.cumsum(np.maximum(size[::-1], 0.0))
        total = max(float(share[-1]), 1e-300)
        wanted = int(np.searchsorted(share, held * total)) + 1
        few = min(max(-(-wanted // STEP) * STEP, LEAST), MOST, d)
        kept = directions[:, ::-1][:, :few].astype(np.float32)
        centre = mean.astype(np.float32)
        out = np.empty((n, few), np.float32)
        for part in engine.spans(n, _BLOCK_ROWS):
            np.matmul(rows[part] - centre, kept, out=out[part])
    return out


def cut(rows: Float32Array, wanted: int) -> Cells:
    """The rows in cells. rows : float32 (n, d), few numbers each. wanted : how many neighbours a
    row will ask for at most."""
    n = rows.shape[0]
    n_cells = max(n // CELL, 1)
    with engine.one_blas_thread():
        centres = _centres(rows, n_cells)
        own = np.concatenate(
            [_to_centres(rows[p], centres).argmin(axis=1) for p in engine.spans(n, _BLOCK_ROWS)]
        )
        # A crowd of near-copies may fill one cell: it is cut along the first direction.
        order = np.lexsort((rows[:, 0], own)).astype(np.int64)
        size = np.bincount(own, minlength=n_cells)
        begin = np.concatenate([[0], np.cumsum(size)])
        bounds = [
            np.linspace(begin[c], begin[c + 1], -(-int(size[c]) // (_LARGEST * CELL)) + 1)[:-1]
            for c in np.flatnonzero(size)
        ]
        start = np.append(np.concatenate(bounds).astype(np.int64), n)
        rows = rows[order]
        held = np.diff(start)
        centres = (np.add.reduceat(rows, start[:-1], axis=0) / held[:, None]).astype(np.float32)
        about = []
        enough = min(max(ABOUT, 2 * wanted), n)
        for part in engine.spans(held.size, 1_024):
            away = _to_centres(centres[part], centres)
            away[
                np.arange(away.shape[0]), np.arange(part.start, part.start + away.shape[0])
            ] = -np.inf
            near = np.argsort(away, axis=1, kind="stable")
            n_about = (np.cumsum(held[near], axis=1) < enough).sum(axis=1) + 1
            about += [near[i, :k].copy() for i, k in enumerate(n_about.tolist())]
    square = np.einsum("ij,ij->i", rows, rows)
    return Cells(rows, square, order, start, centres, tuple(about))


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """near : int32 (n, as many as are wanted or more), nearest first as far as the directions kept
    tell. n_cells : cells; n_probes : those that a row looked at."""

    near: Int32Array
    n_cells: int
    n_probes: int


def candidates(
    rows: Float32Array, wanted: int, probes: float = PROBES, truth: Truth | None = None
) -> Candidates:
    """At least ``wanted`` rows near each row, not itself. rows : float32 (n, d), distinct; wanted
    < n.

    truth : some rows and their true neighbours. Where too few of those are among the cells that are
    looked at, or among as many as are wanted, more are: twice, three times and so on.
    """
    few = turned(rows)
    cells = cut(few, min(_MOST * wanted, rows.shape[0] - 1))
    if truth is not None:
        wanted = min(wanted * _times_wanted(few, wanted, truth), rows.shape[0] - 1)
        probes = _probes(cells, few, probes, truth)
    n_cells = cells.centres.shape[0]
    first = min(max(_NEAREST, *(a.size for a in cells.about)), n_cells)
    n_probes = min(max(round(probes * np.sqrt(n_cells)), first), n_cells)
    work = partial(_near, cells, first, n_probes, wanted)
    parts = engine.map(work, engine.spans(cells.n, _BLOCK_ROWS), local=True)
    out = np.empty((cells.n, wanted), np.int32)
    at = 0
    for part in parts:
        out[cells.order[at : at + part.shape[0]]] = cells.order[part]
        at += part.shape[0]
    return Candidates(out, n_cells, n_probes)


def _times_wanted(few: Float32Array, wanted: int, truth: Truth) -> int:
    """How many times the wanted rows hold ``ENOUGH`` of the true neighbours."""
    some, near = truth
    held = np.zeros(_MOST)
    square = np.einsum("ij,ij->i", few, few)
    lengths = [min((t + 1) * wanted, few.shape[0] - 1) for t in range(_MOST)]
    for part in engine.spans(some.size, max(_CHUNK // few.shape[0], 1)):
        with engine.one_blas_thread():
            d = few[some[part]] @ few.T
        d *= np.float32(-2.0)
        d += square
        true = np.take_along_axis(d, near[part].astype(np.int64), 1)
        last = np.partition(d, lengths, axis=1)[:, lengths]  # the row itself is there as well
        held += (true[:, :, None] <= last[:, None, :]).sum(axis=(0, 1))
    enough = np.flatnonzero(held >= ENOUGH * near.size)
    return int(enough[0]) + 1 if enough.size else _MOST


def _probes(cells: Cells, few: Float32Array, probes: float, truth: Truth) -> float:
    """``probes``, or as many times that as cells hold ``SEEN`` of the true neighbours."""
    some, near = truth
    cell_of = np.empty(cells.n, np.int64)
    cell_of[cells.order] = np.repeat(np.arange(cells.centres.shape[0]), np.diff(cells.start))
    with engine.one_blas_thread():
        away = _to_centres(few[some], cells.centres)
    rank = np.empty(away.shape, np.int64)
    order = np.argsort(away, axis=1, kind="stable")
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(away.shape[1]), away.shape), 1)
    at = np.take_along_axis(rank, cell_of[near], 1)
    for times in _TIMES:
        if (at < round(times * probes * np.sqrt(away.shape[1]))).mean() >= SEEN:
            break
    return probes * times


def _evenly(n: int, most: int) -> IntArray:
    """At most ``most`` of n positions, at even steps."""
    k = min(n, most)
    return (np.arange(k, dtype=np.int64) * n) // max(k, 1)


def _to_centres(rows: Float32Array, centres: Float32Array) -> Float32Array:
    """Squared distances, less what is the same in a row: float32 (n, c)."""
    d = rows @ centres.T
    d *= np.float32(-2.0)
    d += np.einsum("ij,ij->i", centres, centres)
    return d


def _centres(rows: Float32Array, n_cells: int) -> Float32Array:
    some = rows[_evenly(rows.shape[0], n_cells * _PER_CELL)]
    centres = some[_evenly(some.shape[0], n_cells)].copy()
    for _ in range(_ROUNDS):
        own = np.concatenate(
            [
                _to_centres(some[p], centres).argmin(axis=1)
                for p in engine.spans(some.shape[0], _BLOCK_ROWS)
            ]
        )
        order = np.argsort(own, kind="stable")
        size = np.bincount(own, minlength=n_cells)
        used = np.flatnonzero(size)
        begin = np.concatenate([[0], np.cumsum(size)])[used]
        centres[used] = np.add.reduceat(some[order], begin, axis=0) / size[used][:, None]
    return centres


def _near(cells: Cells, first: int, n_probes: int, wanted: int, block: slice) -> IntArray:
    """Positions of the nearest seen, int64 (rows of the block, wanted)."""
    n = block.stop - block.start
    probed = _probed(cells, first, n_probes, block)
    within = _within(cells, wanted, block)
    # The nearest cells first: what is in them says better how far the others matter.
    near, away = _kept(n, wanted, [_looked(cells, probed[:, :first], within, block)])
    if n_probes > first:
        rest = _looked(cells, probed[:, first:], away[:, -1], block)
        rows = np.repeat(np.arange(n, dtype=np.int32), wanted)
        near, _ = _kept(n, wanted, [(rows, near.ravel(), away.ravel()), rest])
    return near.astype(np.int64)


def _probed(cells: Cells, first: int, n_probes: int, block: slice) -> IntArray:
    """Which cells each row looks at: those about its own and the nearest of the others among the
    ``first``. int32 (rows of the block, n_probes)."""
    n = block.stop - block.start
    held_by = np.searchsorted(cells.start, np.arange(block.start, block.stop), side="right") - 1
    out = np.empty((n, n_probes), np.int32)
    n_cells = cells.centres.shape[0]
    for part in engine.spans(n, max(_CHUNK // n_cells, 1)):
        away = _to_centres(cells.rows[block][part], cells.centres)
        for cell in np.unique(held_by[part]).tolist():
            mine = np.flatnonzero(held_by[part] == cell)
            away[np.ix_(mine, cells.about[cell])] = -np.inf
        if n_probes < n_cells:
            bounds = sorted({first - 1, n_probes - 1})
            out[part] = np.argpartition(away, bounds, axis=1)[:, :n_probes]
        else:
            out[part] = np.argsort(away, axis=1, kind="stable")
    return out


Seen = tuple[IntArray, IntArray, Float32Array]
"""Which row of a block, which position it saw, and the squared distance; of the same length."""


def _looked(cells: Cells, probed: IntArray, within: Float32Array, block: slice) -> Seen:
    """All that lies within, in the cells that each row looks at, but the row itself."""
    n_probes = probed.shape[1]
    first, n_cells = block.start, cells.centres.shape[0]
    by_cell = np.argsort(probed.ravel().astype(np.uint32), kind="stable")
    begin = np.concatenate([[0], np.cumsum(np.bincount(probed.ravel(), minlength=n_cells))])
    looking = (by_cell // n_probes).astype(np.int32)
    # |x - y|² - within as one product: (-2 x, 1, |x|² - within) (y, |y|², 1).
    mine = cells.rows[block]
    left = np.empty((mine.shape[0], mine.shape[1] + 2), np.float32)
    np.multiply(mine, np.float32(-2.0), out=left[:, :-2])
    left[:, -2] = 1.0
    left[:, -1] = cells.square[block] - within
    out: list[Seen] = []
    for cell in np.flatnonzero(np.diff(begin)).tolist():
        lo, hi = int(cells.start[cell]), int(cells.start[cell + 1])
        who = looking[begin[cell] : begin[cell + 1]]
        right = np.empty((hi - lo, left.shape[1]), np.float32)
        right[:, :-2], right[:, -2], right[:, -1] = cells.rows[lo:hi], cells.square[lo:hi], 1.0
        for part in engine.spans(who.size, max(_CHUNK // (hi - lo), 1)):
            some = who[part]
            d = left[some] @ right.T
            at = np.flatnonzero(d <= 0.0)
            row, column = np.divmod(at.astype(np.int32), np.int32(hi - lo))
            row, column = some[row], column + np.int32(lo)
            other = column != row + first
            row, column = row[other], column[other]
            out.append((row, column, d.ravel()[at[other]] + within[row]))
    return tuple(np.concatenate([o[i] for o in out]) for i in range(3))  # type: ignore[return-value]


def _kept(n: int, wanted: int, seen: list[Seen]) -> tuple[IntArray, Float32Array]:
    """The nearest ``wanted`` of each row: int32 and float32 (n, wanted)."""
    row, column, away = (np.concatenate([s[i] for s in seen]) for i in range(3))
    # Distances that are not negative are ordered as their bits are.
    bits = np.maximum(away, np.float32(0.0)).view(np.int32)
    order = np.argsort((row.astype(np.int64) << 32) | bits, kind="stable")
    count = np.bincount(row, minlength=n)
    place = (np.cumsum(count) - count)[:, None] + np.arange(wanted)
    nearest = order[place]
    return column[nearest], away[nearest]


def _within(cells: Cells, wanted: int, block: slice) -> Float32Array:
    """For each row a squared distance within which ``wanted`` others lie: float32."""
    out = np.empty(block.stop - block.start, np.float32)
    low = int(np.searchsorted(cells.start, block.start, side="right")) - 1
    for cell in range(low, cells.centres.shape[0]):
        lo, hi = max(int(cells.start[cell]), block.start), int(cells.start[cell + 1])
        hi = min(hi, block.stop)
        if lo >= block.stop:
            break
        some = np.concatenate(
            [np.arange(cells.start[c], cells.start[c + 1]) for c in cells.about[cell]]
        )
        others, square = cells.rows[some].T, cells.square[some]
        for part in engine.spans(hi - lo, max(_CHUNK // some.size, 1)):
            a, b = lo + part.start, min(lo + part.stop, hi)
            d = cells.rows[a:b] @ others
            d *= np.float32(-2.0)
            d += square
            # One more, as a row is among them itself. Products of other shapes may round apart.
            last = np.partition(d, wanted, axis=1)[:, wanted] + cells.square[a:b]
            slack = np.float32(1e-5) * (np.float32(1.0) + np.abs(last) + cells.square[a:b])
            out[a - block.start : b - block.start] = last + slack
    return out
