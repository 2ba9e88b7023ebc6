"""The width of the neighbourhood in which items share their vote, found from the data.

A width of 0 counts nobody and a very large one everybody; both give uniform weights and correct
nothing. In between, a group of items keeps its mass when its items are multiplied, which is what
weights are for; the width is chosen where that holds best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cr_audit import engine
from cr_audit.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cr_audit.weights.distinct import Distinct, distances_between, each_block

_SEEN = 1500  # items whose neighbourhoods the search for a width looks at
_REGIONS = (2, 3, 5, 10, 30)  # coarse to fine: into how many regions the data is cut
_CUTS = 4  # cuts of each size where many items are seen
_MOST_CUTS = 48
_ENOUGH = 400  # items; with fewer, more cuts are made, or the search is noise
_WIDTHS = 20
_MULTIPLIED = 4  # a region keeps one item in so many
_PROBED = 200  # items whose distances set the range of widths
_PROBED_AT_ONCE = 16
_GROUPS = 60  # sets looked at where a width is found for many
_SMALLEST_GROUP = 5
EXACT_UP_TO = 10_000
"""Distinct items up to which every distance is looked at; above, sums over all items are estimated
from landmarks."""
_LANDMARKS = 8192
_FEWEST = 10  # distinct items below which regions show nothing


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


def find_width(
    sets: Sequence[Distinct], *, workers: int | None = None, rng: np.random.Generator
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

    Several sets of items do not see each other (the answers to each prompt): at most ``_GROUPS`` of
    those of five items or more, drawn at random, are looked at; each is cut into regions by itself,
    and the shifts of all regions together decide. Fewer than ten distinct items show nothing: width
    1, shift 1. At most 1,500 items of a set, drawn at random, are looked at, but all their
    neighbours count.

    Above ``EXACT_UP_TO`` items the sums over all neighbours are estimated from 8,192 of them, drawn
    at random.

    Cost: 1,500 x m distances and 20 kernels over them, times 201 columns (2,401 with 33 items and
    fewer); memory: 256 x m floats per worker, 20 x 1,500 x 201 floats (24 MB), and up to
    ``EXACT_UP_TO`` items 201 x m floats; above, 16 x m floats per worker and 40 x m bytes.
    """
    if len(sets) > 1:
        large = [s for s in sets if s.n >= _SMALLEST_GROUP]
        looked_at = rng.choice(len(large), min(len(large), _GROUPS), replace=False)
        sets = [large[i] for i in np.sort(looked_at)]
    seen = [np.sort(rng.choice(s.n, min(s.n, _SEEN), replace=False)) for s in sets]
    n_seen = sum(int(some.size) for some in seen)
    probes = [
        _probed(items, some[:_PROBED], workers)
        for items, some in zip(sets, seen, strict=True)
        if items.n > 1
    ]
    high = float(np.quantile(np.concatenate([d for _, d in probes]), 0.95)) if probes else 0.0
    if high == 0 or sum(s.n for s in sets) < _FEWEST:
        return WidthSearch(1.0, np.ones(1), np.ones(1), n_seen)
    low = float(np.median(np.concatenate([nearest for nearest, _ in probes])))
    widths = np.linspace(max(low, 1e-3 * high), high, _WIDTHS)
    n_cuts = min(max(_CUTS * _ENOUGH // n_seen, _CUTS), _MOST_CUTS)
    with engine.one_blas_thread():  # the same bits on any machine size
        found = [
            _region_shifts(items, some, widths, n_cuts, workers, rng)
            for items, some in zip(sets, seen, strict=True)
        ]
    moved = np.concatenate([m for m, _ in found], axis=1)
    plain = np.concatenate([p for _, p in found])
    chosen, shifts = _widest_of_the_best(moved, plain, n_cuts / _CUTS)
    return WidthSearch(float(widths[chosen]), widths, shifts, n_seen)


def _probed(
    items: Distinct, rows: IntArray, workers: int | None
) -> tuple[Float32Array, Float32Array]:
    """Of some items the distance to the nearest other one, and distances to others: to all of
    them, to every k-th where they are more than ``EXACT_UP_TO``."""
    step = max(1, items.n // EXACT_UP_TO)

    work = partial(_to_others, items, rows, step)
    found = each_block(rows.size, work, workers, _PROBED_AT_ONCE)
    return np.concatenate([n for n, _ in found]), np.concatenate([d for _, d in found])


def _to_others(
    items: Distinct, rows: IntArray, step: int, part: slice
) -> tuple[Float32Array, Float32Array]:
    mine = rows[part]
    nearest, found = np.full(mine.size, np.inf, np.float32), list[Float32Array]()
    for here, d in items.distances_by_part(mine):
        own = np.flatnonzero((mine >= here.start) & (mine < here.stop))
        d[own, mine[own] - here.start] = np.inf
        np.minimum(nearest, d.min(axis=1), out=nearest)
        found.append(d[:, -here.start % step :: step])
    others = np.hstack(found).ravel()
    return nearest, others[np.isfinite(others)]


def _region_shifts(
    items: Distinct,
    seen: IntArray,
    widths: FloatArray,
    n_cuts: int,
    workers: int | None,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """|W_r - W_r'| per width and region (n_widths, R), and the same under uniform weights (R,)."""
    u = items.n
    anchors = [rng.choice(u, min(k, u), replace=False) for k in _REGIONS * n_cuts]
    cuts = _thinned_regions(items, anchors, rng)
    member, away = cuts.of(seen)
    if u > EXACT_UP_TO:
        some = np.sort(rng.choice(u, _LANDMARKS, replace=False))
        chosen, own = _with_all(cuts.of(some)[1]), _with_all(away)
        total = _estimated_sums(items, seen, some, widths, chosen, own, workers)
    else:
        everyone = _with_all(cuts.of(np.arange(u))[1])
        total = _kernel_sums(items, seen, widths, everyone, workers)
    return _movements(total, member, away)


def _with_all(away: BoolArray) -> Float32Array:
    """A column of ones before the others."""
    return np.hstack([np.ones((away.shape[0], 1), bool), away]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Cuts:
    """region : uint8 (n_cuts, u), which region of each cut an item belongs to; goes : bool
    (n_cuts, u), the random part that is taken away with its region; sizes : regions of each cut."""

    region: NDArray[np.uint8]
    goes: BoolArray
    sizes: tuple[int, ...]

    def of(self, rows: IntArray) -> tuple[BoolArray, BoolArray]:
        """Of some items: who belongs to each region of each cut, and who of them is taken away:
        two matrices (len(rows), R), R the number of regions of all cuts together."""
        member = np.hstack(
            [r[rows, None] == np.arange(n) for r, n in zip(self.region, self.sizes, strict=True)]
        )
        goes = np.repeat(self.goes[:, rows].T, self.sizes, axis=1)
        return member, member & goes


def _thinned_regions(items: Distinct, anchors: list[IntArray], rng: np.random.Generator) -> _Cuts:
    u = items.n
    goes = np.arange(u) % _MULTIPLIED != 0
    region = np.empty((len(anchors), u), np.uint8)
    gone = np.empty((len(anchors), u), np.bool_)
    parts, every = items.parts(), list(range(len(anchors)))
    # Where all items are one part, workers share the cuts.
    tasks = [(p, every) for p in parts] if len(parts) > 1 else [(parts[0], [k]) for k in every]
    found = engine.map(partial(_regions, items, anchors), tasks, local=True)
    every_so_often = 1 if len(parts) > 1 else len(tasks)
    for (part, cuts), here in engine.forgetting(zip(tasks, found, strict=True), every_so_often):
        region[cuts, part] = here
    for k in range(len(anchors)):
        gone[k] = rng.permutation(goes)
    return _Cuts(region, gone, tuple(cut.size for cut in anchors))


def _regions(
    items: Distinct, anchors: list[IntArray], task: tuple[slice, list[int]]
) -> NDArray[np.uint8]:
    """Which anchor of some cuts the items of a part are nearest to: (cuts, part)."""
    part, cuts = task
    piece = items.within(part)
    nearest = [piece.distances(items, anchors[k]).argmin(axis=0) for k in cuts]
    return np.array(nearest, np.uint8)


def _kernel_sums(
    items: Distinct,
    seen: IntArray,
    widths: FloatArray,
    columns: Float32Array,
    workers: int | None,
) -> Float32Array:
    """sum_j K(d(x, j) / width) columns[j] per width and item seen: (n_widths, n, n_columns)."""

    work = partial(_sums, items, seen, widths, columns)
    return np.concatenate(each_block(seen.size, work, workers), axis=1)


def _sums(
    items: Distinct, seen: IntArray, widths: FloatArray, columns: Float32Array, rows: slice
) -> Float32Array:
    d = items.distances(seen[rows])
    out = np.empty((widths.size, d.shape[0], columns.shape[1]), dtype=np.float32)
    for i, width in enumerate(widths):
        np.matmul(np.maximum(1 - d * np.float32(1 / width), np.float32(0)), columns, out=out[i])
    return out


def _estimated_sums(
    items: Distinct,
    seen: IntArray,
    some: IntArray,
    widths: FloatArray,
    chosen: Float32Array,
    own: Float32Array,
    workers: int | None,
) -> Float32Array:
    """``_kernel_sums`` from a simple random sample ``some`` of the items: an item's own share as it
    is, the sum over the others from those in the sample, scaled up; unbiased. chosen, own : the
    columns of the sample and of the items seen."""
    others = items.some(some)
    vectors = others.joined(np.arange(others.n))

    work = partial(_scaled_up, items, seen, some, widths, chosen, own, vectors, others.norms)
    return np.concatenate(each_block(seen.size, work, workers), axis=1)


def _scaled_up(
    items: Distinct,
    seen: IntArray,
    some: IntArray,
    widths: FloatArray,
    chosen: Float32Array,
    own: Float32Array,
    vectors: Float32Array,
    norms: FloatArray,
    rows: slice,
) -> Float32Array:
    block = seen[rows]
    d = distances_between(items.joined(block), items.norms[block], vectors, norms)
    same = block[:, None] == some[None, :]
    scale = (items.n - 1) / (some.size - same.sum(axis=1, keepdims=True))
    out = np.empty((widths.size, d.shape[0], chosen.shape[1]), dtype=np.float32)
    for i, width in enumerate(widths):
        kernel = np.maximum(1 - d * np.float32(1 / width), np.float32(0))
        kernel[same] = 0.0
        np.matmul(kernel, chosen, out=out[i])
        out[i] *= scale.astype(np.float32)
        out[i] += own[rows]
    return out


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
