"""Voronoi cells on the sphere of points to which others are added: only the added ones cost.

For each random direction it is known which point is nearest and what its score is; a new point can
only take the direction over. That this may be kept, and still gives the bits of a computation from
nothing, needs scores that do not depend on what they were computed together with. So:

Grid. Coordinates of points are rounded to multiples of 2^-26, those of directions to 2^-18. Every
product is then a multiple of 2^-44, every partial sum stays below |g| |y| < 2^9 for directions of
up to 10^5 coordinates, and so every float64 sum of products is exact, in whatever order and by
whatever library. The grid moves a point by less than float32 does where coordinates exceed 1/4.

Filter. A float32 product, whose error is at most (k + 4) 2^-24 |g| |y| (Higham, Accuracy and
Stability, 3.1, in any order of summation), finds the points that can be nearest; where they are
several, about one direction in a hundred, their exact scores decide. Equal scores: the earlier one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.weights.estimates import (
    DEFAULT_MAX_PRODUCTS,
    DEFAULT_MIN_SAMPLES,
    Weights,
    checked_blocks,
    merge_duplicates,
)
from cr_audit.weights.sampling import block_rows, plan
from cr_audit.weights.scheme import Keep
from cr_audit.weights.spaces import Block, Blocks, Scores, on_unit_sphere
from cr_audit.weights.voronoi import weights_from_hits

_POINT_GRID, _DIRECTION_GRID = np.float32(2.0**26), np.float32(2.0**18)
_TILE = 1 << 15  # points scored at once
_EXACT = 1 << 12  # points scored at once in float64


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Of each direction (row 0) and its mirror image (row 1) the nearest point and its score:
    int64 and float64 (2, n)."""

    owner: IntArray
    score: FloatArray


@dataclass(frozen=True, slots=True)
class Directions:
    """Standard normals on the grid, in blocks of ``rows`` with one random stream each; the first n
    of them do not depend on how many are drawn."""

    entropy: tuple[int, ...]
    rows: int
    n_coordinates: int

    def block(self, number: int, n: int) -> Float32Array:
        """The first n of a block: float32 (n, n_coordinates)."""
        stream = np.random.SeedSequence(self.entropy, spawn_key=(number,))
        out = np.empty((n, self.n_coordinates), np.float32)
        np.random.Generator(np.random.SFC64(stream)).standard_normal(out=out, dtype=np.float32)
        out *= _DIRECTION_GRID
        np.rint(out, out=out)
        out /= _DIRECTION_GRID
        return out


def growing_weights(
    contexts: Any,
    old: IntArray,
    *,
    precision: float,
    min_samples: int = DEFAULT_MIN_SAMPLES,
    max_products: float = DEFAULT_MAX_PRODUCTS,
    duplicates: IntArray | None = None,
    keep: Keep,
    workers: int | None = None,
    rng: np.random.Generator,
) -> Weights:
    """``voronoi_weights`` on the sphere, where the items ``old`` (int64, ascending, at least one)
    were there before the others.

    The directions are those that the old items alone get, as far as they reach, so what is kept
    serves whatever joins. The result depends on all arguments but ``keep`` and ``workers``. Other
    arguments, and the numbers of samples, as for ``voronoi_weights``; its estimates differ by
    Monte-Carlo error only.
    """
    blocks = on_unit_sphere(checked_blocks(contexts))
    cells, first = merge_duplicates(blocks, duplicates)
    standing = first.copy()
    standing[cells[old[::-1]]] = old[::-1]  # of a cell with old items the first of these
    is_old = np.zeros(first.size, np.bool_)
    is_old[cells[old]] = True
    known = np.flatnonzero(is_old)
    order = np.concatenate([known[np.argsort(standing[known])], np.flatnonzero(~is_old)])
    points = on_grid(tuple(b.take(standing[order]) for b in blocks))
    earlier = tuple(b.take(np.arange(known.size)) for b in points)

    def draws(of: Blocks, n_points: int) -> int:
        wanted = max(min_samples, math.ceil(n_points / precision**2))
        return plan(Scores(of, None, gaussian=True), wanted, max_products).n_products

    n, n_kept = draws(points, first.size), draws(earlier, known.size)
    directions = Directions(
        entropy=tuple(int(x) for x in rng.integers(0, 1 << 32, size=4)),
        rows=block_rows(Scores(earlier, None, gaussian=True)),
        n_coordinates=sum(b.rows.shape[1] for b in points),
    )
    found: Nearest = keep(
        "nearest",
        [
            *directions.entropy,
            directions.rows,
            n_kept,
            *(x for b in earlier for x in (b.rows, b.of)),
        ],
        lambda: nearest(earlier, directions, 0, n_kept, workers),
    )
    shared = min(n, n_kept)
    owner = found.owner[:, :shared]
    if known.size < first.size:
        added = tuple(b.take(np.arange(known.size, first.size)) for b in points)
        rival = nearest(added, directions, 0, shared, workers)
        owner = np.where(rival.score > found.score[:, :shared], rival.owner + known.size, owner)
    beyond = nearest(points, directions, shared, n, workers).owner
    hits = np.zeros(first.size, np.int64)
    hits[order] = np.bincount(np.concatenate([owner, beyond], axis=1).ravel(), minlength=first.size)
    return weights_from_hits(
        hits,
        cells,
        space="sphere",
        precision=precision,
        outside=0.0,
        settings={
            "space": "sphere",
            "precision": precision,
            "min_samples": min_samples,
            "max_products": max_products,
            "normalise": True,
        },
    )


def on_grid(blocks: Blocks) -> Blocks:
    """Coordinates rounded to multiples of 2^-26, float32: see the module."""
    return tuple(
        Block(np.rint(b.rows.astype(np.float32) * _POINT_GRID) / _POINT_GRID, b.of) for b in blocks
    )


def nearest(
    points: Blocks, directions: Directions, start: int, stop: int, workers: int | None = None
) -> Nearest:
    """The nearest of the points (on the grid) to the directions start..stop - 1.

    Memory per worker: one block of directions, and its scores of ``_TILE`` points.
    """
    out = Nearest(np.zeros((2, stop - start), np.int64), np.zeros((2, stop - start)))
    if start == stop:
        return out
    rows = directions.rows
    numbers = range(start // rows, -(-stop // rows))
    work = _Near(_Search(points), directions, start, stop)
    for number, found in zip(
        numbers, engine.map(work, numbers, workers=workers, most=engine.ALL_CORES), strict=True
    ):
        lo, hi = work.bounds(number)
        out.owner[:, lo - start : hi - start] = found.owner
        out.score[:, lo - start : hi - start] = found.score
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """The work on one block of directions."""

    search: _Search
    directions: Directions
    start: int
    stop: int

    def bounds(self, number: int) -> tuple[int, int]:
        """The directions of a block that were asked for."""
        rows = self.directions.rows
        return max(self.start, number * rows), min(self.stop, (number + 1) * rows)

    def __call__(self, number: int) -> Nearest:
        lo, hi = self.bounds(number)
        first = number * self.directions.rows
        draws = self.directions.block(number, hi - first)[lo - first :]
        return Nearest(*self.search.nearest(draws))


class _Search:
    """Exact nearest points, by a float32 product and float64 where that cannot tell."""

    def __init__(self, points: Blocks) -> None:
        self._points = points
        self._n = int(points[0].rows.shape[0] if points[0].of is None else points[0].of.size)
        norms = [b.spread(np.einsum("ij,ij->i", b.rows, b.rows, dtype=np.float64)) for b in points]
        self._longest = float(np.sqrt(np.sum(norms, axis=0).max()))

    def nearest(self, draws: Float32Array) -> tuple[IntArray, FloatArray]:
        """Owner and exact score, (2, n): of the draws and of their mirror images."""
        exact = draws.astype(np.float64)
        length = np.sqrt(np.einsum("ij,ij->i", exact, exact))
        margin = 2.02 * (draws.shape[1] + 4) * 2.0**-24 * self._longest * length
        shared, start, own = [], 0, slice(0)
        for b in self._points:
            k = slice(start, start := start + b.rows.shape[1])
            if b.of is None:
                own = k
            else:
                shared.append((draws[:, k] @ b.rows.T, b.of))
        best: tuple[IntArray, FloatArray] | None = None
        for first in range(0, self._n, _TILE):
            last = min(first + _TILE, self._n)
            tile = draws[:, own] @ self._own()[first:last].T
            for per_row, of in shared:
                tile += np.take(per_row, of[first:last], axis=1)
            found = self._upper(tile, exact, margin, first)
            np.negative(tile, out=tile)
            mirrored = self._upper(tile, -exact, margin, first)
            here = np.stack([found[0], mirrored[0]]), np.stack([found[1], mirrored[1]])
            if best is None:
                best = here
            else:
                later = here[1] > best[1]
                best = np.where(later, here[0], best[0]), np.where(later, here[1], best[1])
        assert best is not None
        return best

    def _own(self) -> Float32Array:
        return next(b.rows for b in self._points if b.of is None)

    def _upper(
        self, tile: Float32Array, exact: FloatArray, margin: FloatArray, first: int
    ) -> tuple[IntArray, FloatArray]:
        """Per row the point with the largest exact score, from a tile of float32 scores."""
        row = np.arange(tile.shape[0])
        owner = tile.argmax(axis=1)
        top = tile[row, owner]
        tile[row, owner] = -np.inf
        close = np.flatnonzero(tile.max(axis=1) >= top - margin)
        tile[row, owner] = top
        score = np.einsum("ij,ij->i", exact, self._at(owner + first))
        if close.size:
            possible = tile[close] >= (top[close] - margin[close])[:, None]
            columns = np.flatnonzero(possible.any(axis=0))
            owner[close], score[close] = self._decided(exact[close], columns + first)
            owner[close] -= first
        return owner + first, score

    def _decided(self, exact: FloatArray, points: IntArray) -> tuple[IntArray, FloatArray]:
        """The first of the points (ascending) with the largest exact score of each row."""
        owner = np.full(exact.shape[0], -1, np.int64)
        score = np.full(exact.shape[0], -np.inf)
        for lo in range(0, points.size, _EXACT):
            some = points[lo : lo + _EXACT]
            values = exact @ self._at(some).T
            at = values.argmax(axis=1)
            value = values[np.arange(at.size), at]
            better = value > score
            owner[better], score[better] = some[at[better]], value[better]
        return owner, score

    def _at(self, points: IntArray) -> FloatArray:
        """Coordinates of some points: float64 (n, k)."""
        rows = [b.rows[points] if b.of is None else b.rows[b.of[points]] for b in self._points]
        return np.hstack(rows).astype(np.float64)
