"""Weights by soft neighbour counts, and the width of the neighbourhood found from the data.

w(x) is proportional to 1 / sum_j K(d(x, j)), K(d) = max(0, 1 - d / width): an item shares its vote
with everything near it. A width of 0 counts nobody and a very large one everybody; both give
uniform weights and correct nothing. In between, a group of items keeps its mass when its items are
multiplied, which is what weights are for; the width is chosen where that holds best.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from cr_audit.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cr_audit.geometry.spaces import Blocks, squared_norms
from cr_audit.geometry.voronoi import available_workers
from cr_audit.geometry.weights import Weights, checked_blocks, known_weights, merge_duplicates

_ROWS = 256  # rows of the distance matrix held at once by one worker
_SEEN = 1500  # items whose neighbourhoods the search for a width looks at
_REGIONS = (3, 10, 30)  # coarse to fine: how many regions the thinning test cuts the data into
_CUTS = 4  # cuts of each size
_WIDTHS = 20


@dataclass(frozen=True, slots=True, eq=False)
class WidthSearch:
    """What the search for a width saw.

    width : the one chosen; widths : float64 (n,) tried; shifts : float64 (n,), how far thinning a
    region to half of its items moves the region's mass, as a share of how far it moves under
    uniform weights (0: not at all, 1: no better than uniform). n_seen : items looked at.
    """

    width: float
    widths: FloatArray
    shifts: FloatArray
    n_seen: int


def _each_block(n: int, work: Callable[[slice], Any], workers: int | None) -> list[Any]:
    """``work`` over blocks of rows, on one BLAS thread each, results in the order of the rows."""
    blocks = [slice(i, min(i + _ROWS, n)) for i in range(0, n, _ROWS)]
    n_workers = min(workers or available_workers(), len(blocks))
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(n_workers) as pool:
        return list(pool.map(work, blocks))


def _distances(blocks: Blocks, norms: FloatArray, rows: IntArray) -> Float32Array:
    """Distances from some points to all: float32 (len(rows), u); exactly 0 to themselves.

    In float32 a squared distance is known to about 1e-7 of the squared lengths, so a distance
    below 1e-3 of the lengths is not told from 0; no width that matters is near that.
    """
    chosen = tuple(b.take(rows) for b in blocks)
    product: Any = 0.0
    for some, b in zip(chosen, blocks, strict=True):
        part = some.rows.astype(np.float32) @ b.rows.astype(np.float32, copy=False).T
        if some.of is not None and b.of is not None:
            part = part[np.ix_(some.of, b.of)]
        product = part + product
    squared = (norms[rows][:, None] + norms[None, :]).astype(np.float32) - 2 * product
    out: Float32Array = np.sqrt(np.maximum(squared, 0.0))
    out[np.arange(rows.size), rows] = 0.0
    return out


def find_width(
    contexts: Any,
    *,
    duplicates: IntArray | None = None,
    workers: int | None = None,
    rng: np.random.Generator,
) -> WidthSearch:
    """The width at which the mass of a region depends least on how many items it has.

    The items are cut four times each into 3, 10 and 30 regions (nearest of as many randomly drawn
    items). For each region in turn a random half of its items is taken away, and the region's mass
    W_r = sum_{x in r} 1/D(x) / sum_x 1/D(x), D(x) = sum_j K(d(x, j)), is compared before and after;
    shift = mean over the regions of |W_r - W_r'| divided by the mean of the same under uniform
    weights. Of 20 equally spaced widths between the median nearest-neighbour distance and the 95 %
    quantile of all distances, the widest is taken whose shift is within one standard error of the
    smallest.

    At most 1,500 items, drawn at random, are looked at, but all their neighbours count.
    Cost: 1,500 x m distances and 20 kernels over them, times 173 columns; memory: 256 x m floats
    per worker, 173 x m floats and 20 x 1,500 x 173 floats (21 MB).
    """
    blocks = checked_blocks(contexts)
    cells, first = merge_duplicates(blocks, duplicates)
    distinct = tuple(b.take(first) for b in blocks)
    size = np.bincount(cells).astype(np.float32)
    return _find_width(distinct, size, workers, rng)


def _find_width(
    blocks: Blocks, size: Float32Array, workers: int | None, rng: np.random.Generator
) -> WidthSearch:
    u, norms = size.shape[0], squared_norms(blocks)
    seen = np.sort(rng.choice(u, min(u, _SEEN), replace=False))
    probe = np.sort(_distances(blocks, norms, seen[: min(200, seen.size)]), axis=1)[:, 1:]
    if probe.size == 0 or probe.max() == 0:
        return WidthSearch(1.0, np.ones(1), np.ones(1), int(seen.size))
    low, high = float(np.median(probe[:, 0])), float(np.quantile(probe, 0.95))
    widths = np.linspace(max(low, 1e-3 * high), high, _WIDTHS)
    anchors = [rng.choice(u, min(k, u), replace=False) for k in _REGIONS * _CUTS]
    member, away = _thinned_regions(blocks, norms, anchors, rng)
    columns = np.hstack([np.ones((u, 1), bool), away]) * size[:, None]
    total = _kernel_sums(blocks, norms, seen, widths, columns, workers)
    moved, plain = _movements(total, size[seen], member[seen], away[seen])
    chosen, shifts = _widest_of_the_best(moved, plain)
    return WidthSearch(float(widths[chosen]), widths, shifts, int(seen.size))


def _thinned_regions(
    blocks: Blocks, norms: FloatArray, anchors: list[IntArray], rng: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """Who belongs to each region of each cut, and which random half of them is taken away:
    two matrices (u, R), R the number of anchors of all cuts together.
    """
    u = norms.shape[0]
    half = np.arange(u) % 2 == 0
    members, aways = [], []
    for cut in anchors:
        nearest = _distances(blocks, norms, cut).argmin(axis=0)
        member = nearest[:, None] == np.arange(cut.size)
        members.append(member)
        aways.append(member & rng.permutation(half)[:, None])
    return np.hstack(members), np.hstack(aways)


def _kernel_sums(
    blocks: Blocks,
    norms: FloatArray,
    seen: IntArray,
    widths: FloatArray,
    columns: Float32Array,
    workers: int | None,
) -> Float32Array:
    """sum_j K(d(x, j) / width) columns[j] per width and item seen: (n_widths, n, n_columns)."""

    def sums(rows: slice) -> Float32Array:
        d = _distances(blocks, norms, seen[rows])
        out = np.empty((widths.size, d.shape[0], columns.shape[1]), dtype=np.float32)
        for i, width in enumerate(widths):
            np.matmul(np.maximum(1 - d * np.float32(1 / width), np.float32(0)), columns, out=out[i])
        return out

    return np.concatenate(_each_block(seen.size, sums, workers), axis=1)


def _movements(
    total: Float32Array, size: Float32Array, member: BoolArray, away: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """|W_r - W_r'| per width and region (n_widths, R), and the same under uniform weights (R,).

    total (n_widths, n, 1 + R): kernel sums over all items, and over those taken away per region.
    Regions of which nothing or everything was seen to go are left out.
    """
    stay = ~away
    usable = (member & stay).any(axis=0) & (member & away).any(axis=0)
    member, stay = member[:, usable], stay[:, usable]
    mass = size / np.maximum(total[:, :, 0], size)
    before = mass @ member / mass.sum(axis=1, keepdims=True)
    density = np.maximum(total[:, :, :1] - total[:, :, 1:][:, :, usable], size[None, :, None])
    thinned = np.where(stay[None], size[None, :, None] / density, 0.0)
    after = np.where(member[None], thinned, 0.0).sum(axis=1) / thinned.sum(axis=1)
    plain = np.abs(size @ member / size.sum() - size @ (member & stay) / (size @ stay))
    return np.abs(before - after), plain


def _widest_of_the_best(moved: FloatArray, plain: FloatArray) -> tuple[int, FloatArray]:
    """The widest width that is within one standard error of the best, and the shift of each.

    The error is that of the mean difference to the best over the regions, which are the same for
    all widths. The wider of two equals is taken because it also covers groups looser than those
    that the regions happened to hold, and moves less from one data set to the next.
    """
    if plain.size == 0 or plain.mean() == 0:
        return 0, np.ones(moved.shape[0])
    shifts: FloatArray = moved.mean(axis=1) / plain.mean()
    excess = moved - moved[shifts.argmin()]
    error = excess.std(axis=1, ddof=1) / np.sqrt(plain.size) if plain.size > 1 else 0.0
    return int(np.flatnonzero(excess.mean(axis=1) <= error).max()), shifts


def sharing_weights(
    contexts: Any,
    *,
    width: float | None = None,
    duplicates: IntArray | None = None,
    workers: int | None = None,
    rng: np.random.Generator | None = None,
) -> Weights:
    """w(x) = (1 / D(x)) / sum_y 1 / D(y), D(x) = sum_j max(0, 1 - d(x, j) / width).

    The sum includes x itself. contexts : (m, d) or ``Contexts``; d is the Euclidean distance,
    exactly 0 between duplicates
    (see ``merge_duplicates``). ``width`` None: ``find_width``, which needs ``rng``; the settings
    of the result echo the width and the shift that the search expects.

    Cost: m^2 d / 2 multiplications per core; memory: the contexts and 256 x m floats per worker.
    Source: [CR] section 6 asks for such schemes. Deviation from [CR]: none of its theorems is about
    this one; adding clones within eps of an item changes D by eps / width per clone at most.
    Raises ComputeError as ``voronoi_weights`` does, ValueError for a width that is not positive.
    """
    blocks = checked_blocks(contexts)
    cells, first = merge_duplicates(blocks, duplicates)
    distinct = tuple(b.take(first) for b in blocks)
    size = np.bincount(cells).astype(np.float32)
    settings: dict[str, Any] = {"width": width, "width_found": width is None}
    if width is None:
        if rng is None:
            raise ValueError("a width can be found only with rng")
        search = _find_width(distinct, size, workers, rng)
        width = search.width
        settings |= {"width": width, "expected_shift": float(search.shifts.min())}
    if not width > 0:
        raise ValueError(f"the width must be positive, not {width}")
    norms, inverse = squared_norms(distinct), np.float32(1 / width)

    def density(rows: slice) -> FloatArray:
        d = _distances(distinct, norms, np.arange(rows.start, rows.stop))
        kernel = np.maximum(1 - d * inverse, np.float32(0))
        out: FloatArray = (kernel @ size).astype(np.float64)
        return out

    total = np.concatenate(_each_block(size.shape[0], density, workers))
    return known_weights("sharing", 1.0 / total[cells], cells, settings)
