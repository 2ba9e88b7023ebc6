"""Monte-Carlo sizes of Voronoi cells: a matrix product, an argmax, a count; in flat memory.

Same seed, same counts, whatever the number of cores: samples come in blocks of a size that depends
on the input alone, each with its own random stream, every product runs on one BLAS thread, and the
blocks' counts are integers, whose sum has no order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, IntArray
from cr_audit.weights.spaces import Scores

_BLOCK_CELLS = 1 << 22  # scores held at once by one worker: 16 MiB of float32
_PIECES = 64
"""Runs of draws that may be counted apart (``engine.pieces``)."""
_TILE = 1 << 15  # alternatives scored at once
_TILES_HELD = 8  # after so many, those that stand in files leave memory
_MOST_SHARED = 1 << 17
"""Prompts whose scores are worked out once for all their alternatives; of more, which would take
gigabytes for each worker, tile by tile. A rule of the input alone: single precision knows it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many products (draws of s), in blocks of how many rows, and the samples they yield."""

    n_products: int
    rows: int
    n_samples: int

    @property
    def n_blocks(self) -> int:
        """Blocks of ``rows`` products, the last one shorter."""
        return -(-self.n_products // self.rows)


def plan(scores: Scores, wanted_samples: int, max_products: float) -> Plan:
    """Blocks for ``wanted_samples``, cut so that draws * cost stays within ``max_products``.

    At least one full draw is made whatever the budget. Depends on shapes alone, never on time.
    """
    per_product = 2 if scores.symmetric else 1
    wanted = -(-wanted_samples // per_product)
    affordable = int(max_products // max(1, scores.cost))
    n = max(1, min(wanted, affordable))
    return Plan(n_products=n, rows=min(block_rows(scores), n), n_samples=n * per_product)


def block_rows(scores: Scores) -> int:
    """Draws per block, each block with a random stream of its own."""
    widest = max(min(scores.n_points, _TILE), scores.n_coordinates)
    return int(np.clip(_BLOCK_CELLS // widest, 128, 8192))


def count_hits(
    scores: Scores, schedule: Plan, *, workers: int | None, rng: np.random.Generator
) -> IntArray:
    """How many samples fall into each cell: int64 (u,), summing to ``schedule.n_samples``.

    Memory: the directions plus, per worker, one block of samples and two of scores (16 MiB each).
    """
    u = scores.n_points
    if u == 1:
        return np.array([schedule.n_samples], dtype=np.int64)
    root = np.random.SeedSequence([int(x) for x in rng.integers(0, 1 << 32, size=4)])
    draws = np.random.Generator(np.random.SFC64(root))
    work = _Counting(scores, schedule).hits
    total = np.zeros(u, dtype=np.int64)
    if not engine.has_shelf():
        blocks = range(schedule.n_blocks)
        for hits in engine.map(work, blocks, rng=draws, workers=workers, most=engine.ALL_CORES):
            total += hits
        return total

    # Who is nearest in a draw is known from the draw alone, and counts add up: runs of blocks.
    streams = draws.spawn(schedule.n_blocks)
    runs = engine.spans(schedule.n_blocks, -(-schedule.n_blocks // _PIECES))

    def inputs() -> dict[str, Any]:
        rows = [[b.rows, b.of] for b in scores.directions]
        return {"vectors": [rows, scores.offsets], "draws": schedule.n_products, "seed": str(root)}

    def compute(which: Sequence[int]) -> Iterator[IntArray]:
        for run in which:
            some = range(runs[run].start, runs[run].stop)
            held = np.zeros(u, dtype=np.int64)
            for hits in engine.map(
                lambda block: work(block, streams[block]),
                some,
                workers=workers,
                most=engine.ALL_CORES,
                local=True,
            ):
                held += hits
            yield held

    for hits in engine.gathered("cells", inputs, len(runs), compute):
        total += hits
    return total


class _Counting:
    """The work on one block of draws; every worker keeps its buffers."""

    def __init__(self, scores: Scores, schedule: Plan) -> None:
        self._scores, self._schedule = scores, schedule
        self._buffers = engine.PerWorker(self._empty)

    def _empty(self) -> tuple[Float32Array, Float32Array]:
        """For draws, and for their scores of one tile."""
        rows, u = self._schedule.rows, self._scores.n_points
        draws = np.empty((rows, self._scores.n_coordinates), dtype=np.float32)
        return draws, np.empty(rows * min(u, _TILE), dtype=np.float32)

    def hits(self, block: int, stream: np.random.Generator) -> IntArray:
        """int64 (u,)."""
        scores, schedule = self._scores, self._schedule
        draws, values = self._buffers.get()
        here = draws[: min(schedule.rows, schedule.n_products - block * schedule.rows)]
        if scores.gaussian:
            stream.standard_normal(out=here, dtype=np.float32)
        else:
            stream.random(out=here, dtype=np.float32)
            here -= np.float32(0.5)
        total = np.zeros(scores.n_points, dtype=np.int64)
        for winners in _winners(scores, here, values):
            total += np.bincount(winners, minlength=scores.n_points)
        return total


def _winners(scores: Scores, draws: Float32Array, values: Float32Array) -> list[IntArray]:
    """The nearest alternative of each draw and, for symmetric spaces, of its mirror image.

    Alternatives are scored tile by tile, so that memory does not grow with their number.
    """
    n, u = draws.shape[0], scores.n_points
    shared: list[tuple[Float32Array, IntArray]] = []
    apart: list[tuple[Float32Array, Float32Array, IntArray]] = []
    start = 0
    for b in scores.directions:
        k = slice(start, start := start + b.rows.shape[1])
        if b.of is None:
            own, own_draws = b.rows, draws[:, k]
        elif b.rows.shape[0] > _MOST_SHARED:
            apart.append((draws[:, k], b.rows, b.of))
        else:
            shared.append((np.asarray(draws[:, k] @ b.rows.T, np.float32), b.of))
    best: list[tuple[IntArray, Float32Array]] = []
    for first in engine.forgetting(range(0, u, _TILE), _TILES_HELD):
        width = min(_TILE, u - first)
        tile = values[: n * width].reshape(n, width)
        np.matmul(own_draws, own[first : first + width].T, out=tile)
        for per_row, of in shared:
            tile += np.take(per_row, of[first : first + width], axis=1)
        for part, rows, of in apart:
            used, which = np.unique(of[first : first + width], return_inverse=True)
            tile += np.take(part @ rows[used].T, which, axis=1)
        if scores.offsets is not None:
            tile += scores.offsets[first : first + width]
        found = [_extreme(tile, tile.argmax(axis=1), first, 1.0)]
        if scores.symmetric:
            found.append(_extreme(tile, tile.argmin(axis=1), first, -1.0))
        best = [_better(a, b) for a, b in zip(best, found, strict=True)] if best else found
    return [index for index, _ in best]


def _extreme(
    tile: Float32Array, index: IntArray, start: int, sign: float
) -> tuple[IntArray, Float32Array]:
    value = np.take_along_axis(tile, index[:, None], axis=1)[:, 0] * np.float32(sign)
    return index + start, value


def _better(
    a: tuple[IntArray, Float32Array], b: tuple[IntArray, Float32Array]
) -> tuple[IntArray, Float32Array]:
    later = b[1] > a[1]
    return np.where(later, b[0], a[0]), np.where(later, b[1], a[1])
