"""Weights by soft neighbour counts, and the width of the neighbourhood found from the data.

w(x) is proportional to 1 / (1 + s sum_j K(d(x, j))), K(d) = max(0, 1 - d / width): an item shares
its vote with everything near it. Clones count as one item, so the neighbourhood answers only for
what is alike without being a copy. A width of 0 counts nobody and a very large one everybody; both
give uniform weights and correct nothing. In between, a group of items keeps its mass when its items
are multiplied, which is what weights are for; the width is chosen where that holds best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from cr_audit.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cr_audit.geometry.spaces import Blocks, squared_norms
from cr_audit.geometry.voronoi import available_workers
from cr_audit.geometry.weights import (
    Weights,
    checked_blocks,
    joined_cells,
    known_weights,
    merge_duplicates,
)

_ROWS = 256  # rows of the distance matrix held at once by one worker
_SEEN = 1500  # items whose neighbourhoods the search for a width looks at
_REGIONS = (2, 3, 5, 10, 30)  # coarse to fine: into how many regions the data is cut
_CUTS = 4  # cuts of each size where many items are seen
_MOST_CUTS = 48
_ENOUGH = 400  # items; with fewer, more cuts are made, or the search is noise
_WIDTHS = 20
_MULTIPLIED = 4  # a region keeps one item in so many
_PROBED = 200  # items whose distances set the range of widths
_GROUPS = 60  # sets looked at where a width is found for many
_SMALLEST_GROUP = 5
_FEWEST = 10  # distinct items below which regions show nothing

NOT_WORTH, WORTH = 0.25, 0.4
"""What a width takes away of the effect of multiplied regions, for each part of the effective
number that it costs: at NOT_WORTH and below neighbours do not count, at WORTH and above in full, in
between in proportion, so that a little more data never turns neighbours on or off. Topics that are
there give 0.33 to 0.56, data without any 0.26 and less, and there weighted fits predict worse than
standard ones (benchmarks/README.md, "Case study" and "Schemes on real data")."""


@dataclass(frozen=True, slots=True, eq=False)
class WidthSearch:
    """What the search for a width saw.

    width : the one chosen; widths : float64 (n,) tried; shifts : float64 (n,), how far thinning a
    region to a quarter of its items moves the region's mass, as a share of how far it moves under
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
    clusters: IntArray | None = None,
    workers: int | None = None,
    rng: np.random.Generator,
) -> WidthSearch:
    """The width at which the mass of a region depends least on how many items it has.

    The items are cut into 2, 3, 5, 10 and 30 regions (nearest of as many items drawn at random),
    four times each; more often where fewer than 400 items are seen, at most 48 times. Of each
    region in turn a random three quarters are taken away, which is a region whose items somebody
    has multiplied by four, seen backwards. The region's mass
    W_r = sum_{x in r} 1/D(x) / sum_x 1/D(x), D(x) = sum_j K(d(x, j)), is compared before and after;
    shift = mean over the regions of |W_r - W_r'| divided by the mean of the same under uniform
    weights. Of 20 equally spaced widths between the median nearest-neighbour distance and the 95 %
    quantile of all distances, the widest is taken whose shift is within one standard error of the
    smallest.

    duplicates, clusters : as for ``sharing_weights``; what is merged there counts once here.
    Fewer than ten distinct items show nothing: width 1, shift 1. At most 1,500 items, drawn at
    random, are looked at, but all their neighbours count.
    Cost: 1,500 x m distances and 20 kernels over them, times 201 columns (2,401 with 33 items and
    fewer); memory: 256 x m floats per worker, 201 x m floats and 20 x 1,500 x 201 floats (24 MB).
    """
    return _find_width([_distinct(contexts, duplicates, clusters)[0]], workers, rng)


def find_width_within(
    groups: Sequence[Any], *, workers: int | None = None, rng: np.random.Generator
) -> WidthSearch:
    """One width for several sets of items that do not see each other (the answers to each prompt).

    groups : contexts of each set, as for ``find_width``, duplicates and clones merged before. At
    most ``_GROUPS`` sets of five items or more, drawn at random, are looked at; each is cut into
    regions by itself, and the shifts of all regions together decide.
    """
    blocks = [checked_blocks(g) for g in groups]
    large = [b for b in blocks if squared_norms(b).size >= _SMALLEST_GROUP]
    chosen = rng.choice(len(large), min(len(large), _GROUPS), replace=False)
    return _find_width([large[i] for i in np.sort(chosen)], workers, rng)


def _find_width(
    groups: Sequence[Blocks], workers: int | None, rng: np.random.Generator
) -> WidthSearch:
    norms = [squared_norms(b) for b in groups]
    seen = [np.sort(rng.choice(n.size, min(n.size, _SEEN), replace=False)) for n in norms]
    n_seen = sum(int(s.size) for s in seen)
    probes = [
        np.sort(_distances(b, n, s[:_PROBED]), axis=1)[:, 1:]
        for b, n, s in zip(groups, norms, seen, strict=True)
    ]
    probes = [p for p in probes if p.size]
    high = float(np.quantile(np.concatenate([p.ravel() for p in probes]), 0.95)) if probes else 0.0
    if high == 0 or sum(n.size for n in norms) < _FEWEST:
        return WidthSearch(1.0, np.ones(1), np.ones(1), n_seen)
    low = float(np.median(np.concatenate([p[:, 0] for p in probes])))
    widths = np.linspace(max(low, 1e-3 * high), high, _WIDTHS)
    n_cuts = min(max(_CUTS * _ENOUGH // n_seen, _CUTS), _MOST_CUTS)
    found = [
        _region_shifts(b, n, s, widths, n_cuts, workers, rng)
        for b, n, s in zip(groups, norms, seen, strict=True)
    ]
    moved = np.concatenate([m for m, _ in found], axis=1)
    plain = np.concatenate([p for _, p in found])
    chosen, shifts = _widest_of_the_best(moved, plain, n_cuts / _CUTS)
    return WidthSearch(float(widths[chosen]), widths, shifts, n_seen)


def _region_shifts(
    blocks: Blocks,
    norms: FloatArray,
    seen: IntArray,
    widths: FloatArray,
    n_cuts: int,
    workers: int | None,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """|W_r - W_r'| per width and region (n_widths, R), and the same under uniform weights (R,)."""
    u = norms.size
    anchors = [rng.choice(u, min(k, u), replace=False) for k in _REGIONS * n_cuts]
    member, away = _thinned_regions(blocks, norms, anchors, rng)
    columns = np.hstack([np.ones((u, 1), bool), away]).astype(np.float32)
    total = _kernel_sums(blocks, norms, seen, widths, columns, workers)
    return _movements(total, member[seen], away[seen])


def _thinned_regions(
    blocks: Blocks, norms: FloatArray, anchors: list[IntArray], rng: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """Who belongs to each region of each cut, and which random part of them is taken away:
    two matrices (u, R), R the number of anchors of all cuts together.
    """
    u = norms.shape[0]
    goes = np.arange(u) % _MULTIPLIED != 0
    members, aways = [], []
    for cut in anchors:
        nearest = _distances(blocks, norms, cut).argmin(axis=0)
        member = nearest[:, None] == np.arange(cut.size)
        members.append(member)
        aways.append(member & rng.permutation(goes)[:, None])
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
    total: Float32Array, member: BoolArray, away: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """|W_r - W_r'| per width and region (n_widths, R), and the same under uniform weights (R,).

    total (n_widths, n, 1 + R): kernel sums over all items, and over those taken away per region.
    Regions of which nothing or everything was seen to go are left out.
    """
    stay = ~away
    usable = (member & stay).any(axis=0) & (member & away).any(axis=0)
    member, stay = member[:, usable], stay[:, usable]
    mass = 1.0 / np.maximum(total[:, :, 0], 1.0)
    before = mass @ member / mass.sum(axis=1, keepdims=True)
    density = np.maximum(total[:, :, :1] - total[:, :, 1:][:, :, usable], 1.0)
    thinned = np.where(stay[None], 1.0 / density, 0.0)
    after = np.where(member[None], thinned, 0.0).sum(axis=1) / thinned.sum(axis=1)
    plain = np.abs(member.mean(axis=0) - (member & stay).sum(axis=0) / stay.sum(axis=0))
    return np.abs(before - after), plain


def _widest_of_the_best(
    moved: FloatArray, plain: FloatArray, repeated: float
) -> tuple[int, FloatArray]:
    """The widest width that is within one standard error of the best, and the shift of each.

    The error is that of the mean difference to the best over the regions, which are the same for
    all widths. ``repeated``: how many times ``_CUTS`` the items were cut; more cuts make the search
    less noisy, but the items are as few as they were, so the error stays that of ``_CUTS``. The
    wider of two equals is taken because it also covers groups looser than those that the regions
    happened to hold, and moves less from one data set to the next.
    """
    if plain.size == 0 or plain.mean() == 0:
        return 0, np.ones(moved.shape[0])
    shifts: FloatArray = moved.mean(axis=1) / plain.mean()
    excess = moved - moved[shifts.argmin()]
    n = plain.size / repeated
    error = excess.std(axis=1, ddof=1) / np.sqrt(n) if plain.size > 1 else 0.0
    return int(np.flatnonzero(excess.mean(axis=1) <= error).max()), shifts


def worth(expected_shift: float, effective_share: float) -> float:
    """How much neighbours count: 0 up to NOT_WORTH, 1 from WORTH on, of gain / cost.

    gain = 1 - expected_shift, of the width found, see ``WidthSearch``; cost = 1 - effective_share,
    effective number of the distinct items under the weights at that width, as a share of them.
    """
    gain, cost = 1.0 - expected_shift, 1.0 - effective_share
    if gain <= 0.0 or cost <= 0.0:
        return float(gain > 0.0)
    return float(np.clip((gain / cost - NOT_WORTH) / (WORTH - NOT_WORTH), 0.0, 1.0))


def sharing_weights(
    contexts: Any,
    *,
    width: float | None = None,
    strength: float = 1.0,
    duplicates: IntArray | None = None,
    clusters: IntArray | None = None,
    workers: int | None = None,
    rng: np.random.Generator | None = None,
) -> Weights:
    """w(x) = (1 / D(x)) / sum_y 1 / D(y), D(x) = 1 + s sum_j max(0, 1 - d(x, j) / width).

    The inner sum is over all distinct items j but x; s is the ``strength``, 0 to 1. Items that are
    equal (``duplicates``, see ``merge_duplicates``) or clones of each other (``clusters``, int64
    (m,), equal label = clones; -1 = a clone of nobody) are one item, that of the first of them,
    and share its weight evenly: adding a clone to a cluster moves nobody else. contexts : (m, d)
    or ``Contexts``; d is the Euclidean distance. ``width`` 0: D = 1, only clones share. ``width``
    None: ``find_width``, which needs ``rng``, and the strength that what it finds is ``worth``;
    width 0 where that is nothing. The settings of the result echo the width and strength used, and
    where they were searched for the width found, the shift that the search expects of it and the
    effective share that it leaves, both at strength 1.

    Cost: m^2 d / 2 multiplications per core; memory: the contexts and 256 x m floats per worker.
    Source: [CR] section 6 asks for such schemes. Deviation from [CR]: none of its theorems is about
    this one; moving an item by eps changes D of any other by s eps / width at most.
    Raises ComputeError as ``voronoi_weights`` does, ValueError for a negative width.
    """
    distinct, cells = _distinct(contexts, duplicates, clusters)
    settings: dict[str, Any] = {"width": width, "strength": strength, "width_found": width is None}
    if width is not None:
        return _shared(_densities(distinct, width, workers), strength, cells, settings)
    if rng is None:
        raise ValueError("a width can be found only with rng")
    search = _find_width([distinct], workers, rng)
    density = _densities(distinct, search.width, workers)
    settings |= decided(search, [effective_share(density)])
    return _shared(density, settings["strength"], cells, settings)


def decided(search: WidthSearch, effective: Sequence[float]) -> dict[str, Any]:
    """The settings that follow from a search: the width found and how much neighbours within it
    count, or 0 and 0 where that is not worth it, or where there was nothing to search.

    effective : effective share under the width found, of every set of items that it was found for.
    """
    if search.widths.size == 1:
        return {"width": 0.0, "strength": 0.0}
    shift = float(search.shifts[np.flatnonzero(search.widths == search.width)[0]])
    share = float(np.mean(effective))
    strength = worth(shift, share)
    return {
        "width": search.width if strength > 0 else 0.0,
        "strength": strength,
        "width_searched": search.width,
        "expected_shift": shift,
        "effective_share": share,
    }


def effective_share(density: FloatArray) -> float:
    """(sum v)^2 / (n sum v^2) of v = 1 / density: 1 where all are equal, else below."""
    v = 1.0 / density
    return float(v.sum() ** 2 / (v.size * np.sum(v**2)))


def _densities(distinct: Blocks, width: float, workers: int | None) -> FloatArray:
    """D of every distinct item: float64 (u,), at least 1."""
    norms = squared_norms(distinct)
    if width == 0:
        return np.ones(norms.size)
    if not width > 0:
        raise ValueError(f"the width must not be negative, as {width} is")
    inverse = np.float32(1 / width)

    def density(rows: slice) -> FloatArray:
        d = _distances(distinct, norms, np.arange(rows.start, rows.stop))
        out: FloatArray = np.maximum(1 - d * inverse, np.float32(0)).sum(axis=1, dtype=np.float64)
        return out

    return np.concatenate(_each_block(norms.size, density, workers))


def _shared(
    density: FloatArray, strength: float, cells: IntArray, settings: dict[str, Any]
) -> Weights:
    share = 1.0 / ((1.0 + strength * (density - 1.0)) * np.bincount(cells))
    return known_weights("sharing", share[cells], cells, settings)


def _distinct(
    contexts: Any, duplicates: IntArray | None, clusters: IntArray | None
) -> tuple[Blocks, IntArray]:
    """One item per set of duplicates and clones, and the place of each given item among them."""
    blocks = checked_blocks(contexts)
    cells, first = joined_cells(merge_duplicates(blocks, duplicates)[0], clusters)
    return tuple(b.take(first) for b in blocks), cells
