"""The distinct items of a set, equal items and clones being one, and the distances between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.weights.estimates import checked_blocks, joined_cells, merge_duplicates
from cr_audit.weights.spaces import Block, Blocks, squared_norms

_MOVED = 4096
_FORGOTTEN = 128
_ROWS = 256  # rows of the distance matrix held at once by one worker
_WHOLE, _PART = 1 << 19, 1 << 17
"""Items up to which distances from some to all are one product, and how many at once of more: the
product would hold all their vectors in memory. A rule of the input alone: in single precision the
last bit of a product depends on where it is cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """u items that stand for m given ones.

    blocks : their vectors; norms : float64 (u,), squared lengths; cells : int64 (m,), which of the
    items each given one is.
    """

    blocks: Blocks
    norms: FloatArray
    cells: IntArray

    @property
    def n(self) -> int:
        """u, the distinct items."""
        return self.norms.size

    def distances(self, rows: IntArray) -> Float32Array:
        """Distances from some items to all: float32 (len(rows), u); exactly 0 to themselves.

        In float32 a squared distance is known to about 1e-7 of the squared lengths, so a distance
        below 1e-3 of the lengths is not told from 0; no width that matters is near that.
        """
        found = [d for _, d in self.distances_by_part(rows)]
        return found[0] if len(found) == 1 else np.hstack(found)

    def parts(self) -> list[slice]:
        """All items, in pieces whose vectors are looked at together."""
        return engine.spans(self.n, self.n if self.n <= _WHOLE else _PART)

    def distances_by_part(self, rows: IntArray) -> Iterator[tuple[slice, Float32Array]]:
        """``distances``, one of ``parts`` after another: float32 (len(rows), part)."""
        for part in self.parts():
            yield part, self.within(part).distances(self, rows)
            if part.stop < self.n:
                engine.forget()

    def within(self, part: slice) -> Piece:
        """The vectors of one of ``parts``."""
        return Piece(part, tuple(_piece(b, part) for b in self.blocks), self.norms[part])

    def some(self, rows: IntArray) -> Distinct:
        """Some of the items, as the whole of another set."""
        return Distinct(
            tuple(b.take(rows) for b in self.blocks), self.norms[rows], np.arange(rows.size)
        )

    def joined(self, rows: IntArray) -> Float32Array:
        """The vectors of some items: float32 (len(rows), d)."""
        parts = [b.rows[rows] if b.of is None else b.rows[b.of[rows]] for b in self.blocks]
        return np.hstack(parts).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some consecutive items, to which distances are taken."""

    part: slice
    blocks: Blocks
    norms: FloatArray

    def distances(self, items: Distinct, rows: IntArray) -> Float32Array:
        """From some of the ``items``, as their ``distances``: float32 (len(rows), part)."""
        product: Any = None
        for b, whole in zip(self.blocks, items.blocks, strict=True):
            some = whole.take(rows)
            found = some.rows.astype(np.float32) @ b.rows.astype(np.float32, copy=False).T
            if some.of is not None and b.of is not None:
                found = found[np.ix_(some.of, b.of)]
            product = found if product is None else np.add(found, product, out=product)
        out: Float32Array = np.empty(product.shape, np.float32)
        # In place, but with the sum of the squares in double precision: half a GB of 512 rows.
        np.add(items.norms[rows][:, None], self.norms[None, :], out=out, casting="unsafe")
        product *= np.float32(2.0)
        out -= product
        np.maximum(out, np.float32(0.0), out=out)
        np.sqrt(out, out=out)
        own = np.flatnonzero((rows >= self.part.start) & (rows < self.part.stop))
        out[own, rows[own] - self.part.start] = 0.0
        return out


def _piece(block: Block, part: slice) -> Block:
    """Consecutive points; rows that they share are no copy where they stand together."""
    if part.stop - part.start == (block.rows if block.of is None else block.of).shape[0]:
        return block
    if block.of is None:
        return Block(block.rows[part])
    of = block.of[part]
    low, high = int(of.min()), int(of.max()) + 1
    if high - low <= 2 * of.size:
        return Block(block.rows[low:high], of - low)
    return block.take(np.arange(part.start, part.stop))


def distances_between(
    x: Float32Array, x_norms: FloatArray, y: Float32Array, y_norms: FloatArray
) -> Float32Array:
    """Distances of every x from every y, float32 (len(x), len(y)), from their squared lengths."""
    product = x @ y.T
    product *= np.float32(-2.0)
    product += x_norms.astype(np.float32)[:, None]
    product += y_norms.astype(np.float32)[None, :]
    np.maximum(product, np.float32(0.0), out=product)
    out: Float32Array = np.sqrt(product, out=product)
    return out


def distinct_items(
    contexts: Any, duplicates: IntArray | None = None, clusters: IntArray | None = None
) -> Distinct:
    """One item per set of duplicates and clones, that of the first of them.

    contexts : (m, d) or ``Contexts``; duplicates : see ``merge_duplicates``; clusters : int64 (m,),
    equal label = clones, -1 = a clone of nobody. Raises ComputeError as ``voronoi_weights`` does.
    """
    blocks = checked_blocks(contexts)
    cells, first = joined_cells(merge_duplicates(blocks, duplicates)[0], clusters)
    whole = np.array_equal(first, np.arange(cells.size))
    if not whole:
        # Rows move up in the copy that ``checked_blocks`` made: a million are not held twice.
        parts, blocks = list(blocks), ()
        for k, b in enumerate(parts):
            if b.of is not None:
                parts[k] = b.take(first)
                continue
            for s in engine.forgetting(engine.spans(first.size, _MOVED)):
                b.rows[s] = b.rows[first[s]]
            parts[k] = Block(b.rows[: first.size])
        blocks = tuple(parts)
    kept = blocks
    engine.give_back()
    return Distinct(kept, squared_norms(kept), cells)


def each_block(
    n: int, work: Callable[[slice], Any], workers: int | None, rows: int = _ROWS
) -> list[Any]:
    """``work`` over blocks of rows, results in the order of the rows."""
    spans = engine.spans(n, rows)
    found = engine.map(work, spans, workers=workers, most=engine.ALL_CORES)
    told = engine.told("distances of responses", found, [s.stop - s.start for s in spans])
    return list(engine.forgetting(told, _FORGOTTEN))  # rows of items may stand in files
