"""Which ranking changes between the standard and the weighted fit are larger than their noise.

Everything is computed within components: rewards of two components cannot be compared.

Two fits on the same comparisons share their noise, so an item's rank can differ between them in
almost every replicate although no order of two items is known. An item is therefore *flagged* only
where some other item of its component is above it in one fit and below it in the other, and

1. both orders hold together in at least ``confidence_level`` of the replicates, and
2. the pair is sure enough for a list: with z the smaller of the two gaps in units of its standard
   error, the pair's p-value 2 P(T > z) passes the rule of Benjamini and Hochberg at
   1 - ``confidence_level`` over all pairs that change sides. The factor 2 is there because a pair
   is tested in the direction in which it was seen; T is normal, or Student's t where few units
   were resampled.

Without 2, random halves of clean data of 30 items "change" in half of the cases: hundreds of pairs
are nearly tied, and some of them look sure in both halves (benchmarks/README.md, "Calibration").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, norm, t

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.models.ranks import ranks
from cr_audit.models.rewards.bootstrap import expanded_level, percentile_interval

# Rewards closer than this are one rank: solver noise and exact clones are not orders.
TIE = 1e-7
# Pairs ordered differently by the two fits that are tested; those of the widest margins.
MAX_PAIRS = 500_000


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Per item; float64 (m,), int64 (m,), bool (m,) or float64 (m, 2), NaN or -1 without data.

    rank_* : 1 = highest reward in its component; ties share the better rank.
    interval_* : percentile intervals of the rewards and of their difference weighted - standard.
    probability_differs : share of replicates in which the two ranks differ.
    probability_flip : largest share, over items y that change sides with x, of replicates in which
    both orders are the observed ones; 0 where nothing changes sides. flip_with : that y, or -1.
    flagged : an order of x and some y is known to differ, see above; flip_with is then such a y.
    probability_first_* : share of replicates in which the item leads its component.
    kendall_tau, top_overlap : τ-b of the two fits, and the share of the ``top_k`` items that both
    have, in the largest component; with intervals. n_discordant : pairs of one component in
    different order; n_tested of them were tested.
    """

    reward_standard: FloatArray
    reward_weighted: FloatArray
    rank_standard: IntArray
    rank_weighted: IntArray
    interval_standard: FloatArray
    interval_weighted: FloatArray
    interval_shift: FloatArray
    probability_differs: FloatArray
    probability_flip: FloatArray
    flip_with: IntArray
    flagged: BoolArray
    probability_first_standard: FloatArray
    probability_first_weighted: FloatArray
    kendall_tau: float
    kendall_tau_interval: FloatArray
    top_k: int
    top_overlap: float
    top_overlap_interval: FloatArray
    n_discordant: int
    n_tested: int
    confidence_level: float
    n_replicates: int


def discordant_pairs(
    standard: FloatArray, weighted: FloatArray, components: IntArray, *, max_pairs: int
) -> tuple[IntArray, IntArray, int]:
    """Pairs (x, y) with x above y in ``standard`` and below in ``weighted``, and their number.

    At most ``max_pairs`` are returned: those of the largest min(|Δ standard|, |Δ weighted|).
    """
    above, below, margins, count = [], [], [], 0
    for c in np.unique(components[components >= 0]):
        members = np.flatnonzero(components == c)
        a, b = standard[members], weighted[members]
        block = max(1, 4_000_000 // members.size)
        for start in range(0, members.size, block):
            da = a[start : start + block, None] - a
            db = b - b[start : start + block, None]
            margin = np.minimum(da, db)
            x, y = np.nonzero(margin > TIE)
            count += x.size
            above.append(members[start + x])
            below.append(members[y])
            margins.append(margin[x, y])
            if sum(v.size for v in margins) > 4 * max_pairs:
                above, below, margins = _widest(above, below, margins, max_pairs)
    above, below, margins = _widest(above, below, margins, max_pairs)
    return above[0], below[0], count


def _widest(
    above: list[IntArray], below: list[IntArray], margins: list[FloatArray], limit: int
) -> tuple[list[IntArray], list[IntArray], list[FloatArray]]:
    x = np.concatenate([*above, np.zeros(0, np.int64)])
    y = np.concatenate([*below, np.zeros(0, np.int64)])
    margin = np.concatenate([*margins, np.zeros(0)])
    keep = np.sort(np.argsort(-margin, kind="stable")[:limit])
    return [x[keep]], [y[keep]], [margin[keep]]


def ranking_changes(
    standard: FloatArray,
    weighted: FloatArray,
    components: IntArray,
    replicates: FloatArray,
    *,
    confidence_level: float = 0.9,
    top_k: int = 10,
    n_units: float | None = None,
) -> Changes:
    """Compare two reward vectors on replicates of both.

    standard, weighted : float64 (m,), NaN without data. components : int64 (m,), -1 without data.
    replicates : float64 (2, b, m), [0] of the standard and [1] of the weighted fit on the same
    resamples (``bootstrap_tabular`` of both fits, or contexts times ``bootstrap_linear``).
    n_units : how many units were resampled (``Bootstrap.n_effective``); widens intervals and makes
    flags harder where there are few (``expanded_level``). None: many.
    Memory: 4 arrays of b x m and, per block of tested pairs, 4 of b x 1,000.
    """
    m = standard.shape[0]
    if weighted.shape != (m,) or components.shape != (m,):
        raise ValueError("standard, weighted and components must have one entry per item")
    if replicates.ndim != 3 or replicates.shape[0] != 2 or replicates.shape[2] != m:
        raise ValueError(f"replicates have shape {replicates.shape}, expected (2, b, {m})")
    if not 0 < confidence_level < 1:
        raise ValueError("the confidence level must lie in (0, 1)")
    one, two = replicates
    rank_one, rank_two = ranks(one, components, tie=TIE), ranks(two, components, tie=TIE)
    seen = np.maximum((rank_one > 0).sum(axis=0), 1)
    known = components >= 0

    def share(event: BoolArray) -> FloatArray:
        return np.where(known, event.sum(axis=0) / seen, np.nan)

    above, below, count = discordant_pairs(standard, weighted, components, max_pairs=MAX_PAIRS)
    flip, partner, flagged = _flips(
        (standard, weighted), (one, two), (above, below), count, confidence_level, n_units
    )
    level = confidence_level if n_units is None else expanded_level(confidence_level, n_units)
    top = _top(standard, components, top_k)
    tau = [_tau(a, b, top[0]) for a, b in zip(one, two, strict=True)]
    overlap = [_overlap(a, b, top) for a, b in zip(one, two, strict=True)]
    return Changes(
        reward_standard=standard,
        reward_weighted=weighted,
        rank_standard=ranks(standard, components, tie=TIE),
        rank_weighted=ranks(weighted, components, tie=TIE),
        interval_standard=percentile_interval(one, level),
        interval_weighted=percentile_interval(two, level),
        interval_shift=percentile_interval(two - one, level),
        probability_differs=share(rank_one != rank_two),
        probability_flip=np.where(known, flip, np.nan),
        flip_with=partner,
        flagged=flagged,
        probability_first_standard=share(rank_one == 1),
        probability_first_weighted=share(rank_two == 1),
        kendall_tau=_tau(standard, weighted, top[0]),
        kendall_tau_interval=percentile_interval(np.asarray(tau), level),
        top_k=top_k,
        top_overlap=_overlap(standard, weighted, top),
        top_overlap_interval=percentile_interval(np.asarray(overlap), level),
        n_discordant=count,
        n_tested=int(above.shape[0]),
        confidence_level=confidence_level,
        n_replicates=int(one.shape[0]),
    )


def restore_weights(
    weights: FloatArray, members: IntArray, component: IntArray | None = None
) -> FloatArray:
    """Weights with one cluster put back to the average weight of its component; float64 (m,).

    component : int64 positions of the items that share their weight, all items where None. Their
    mass stays as it is, and those outside ``members`` keep their proportions. The weighted fit
    with these weights shows what the cluster's down-weighting alone explains.
    """
    out = weights.astype(np.float64, copy=True)
    among = np.arange(weights.shape[0]) if component is None else component
    total = float(weights[among].sum())
    each = total / among.size
    rest = np.setdiff1d(among, members, assume_unique=True)
    left = float(weights[rest].sum())
    out[members] = each
    room = total - each * members.size
    out[rest] = weights[rest] * (room / left) if left > 0 else room / max(rest.size, 1)
    return out


def _flips(
    rewards: tuple[FloatArray, FloatArray],
    replicates: tuple[FloatArray, FloatArray],
    pairs: tuple[IntArray, IntArray],
    count: int,
    level: float,
    n_units: float | None,
) -> tuple[FloatArray, IntArray, BoolArray]:
    """Per item the surest flip, with whom, and whether a flip of it is flagged."""
    above, below = pairs
    m, k = rewards[0].shape[0], above.shape[0]
    both, z = np.empty(k), np.empty(k)
    for start in range(0, k, 1000):
        x, y = above[start : start + 1000], below[start : start + 1000]
        gaps = replicates[0][:, x] - replicates[0][:, y], replicates[1][:, y] - replicates[1][:, x]
        # Replicates in which one of the two has no data support neither order.
        both[start : start + 1000] = ((gaps[0] > 0) & (gaps[1] > 0)).mean(axis=0)
        seen = rewards[0][x] - rewards[0][y], rewards[1][y] - rewards[1][x]
        z[start : start + 1000] = np.minimum(
            *(gap / _deviation(drawn) for gap, drawn in zip(seen, gaps, strict=True))
        )
    sure = (both >= level) & _list_of(z, count, level, n_units)
    items, others = np.concatenate([above, below]), np.concatenate([below, above])
    # A flagged pair goes before any other, however sure that one looks.
    values = np.concatenate([both + 2.0 * sure, both + 2.0 * sure])
    flip, partner = np.zeros(m), np.full(m, -1, dtype=np.int64)
    order = np.argsort(values, kind="stable")
    flip[items[order]] = np.concatenate([both, both])[order]
    partner[items[order]] = others[order]
    flagged = np.zeros(m, dtype=np.bool_)
    flagged[above[sure]] = True
    flagged[below[sure]] = True
    return flip, partner, flagged


def _deviation(drawn: FloatArray) -> FloatArray:
    """Standard deviation over axis 0 of the finite entries; infinite below two of them."""
    known = np.isfinite(drawn)
    n = known.sum(axis=0)
    centre = np.where(known, drawn, 0.0).sum(axis=0) / np.maximum(n, 1)
    square = np.where(known, drawn - centre, 0.0) ** 2
    error: FloatArray = np.sqrt(square.sum(axis=0) / np.maximum(n - 1, 1))
    return np.where(n > 1, np.maximum(error, TIE), np.inf)


def _list_of(z: FloatArray, count: int, level: float, n_units: float | None) -> BoolArray:
    """Benjamini and Hochberg's rule over ``count`` pairs, of which the surest were tested."""
    if n_units is None:
        p = 2.0 * norm.sf(z)
    elif n_units <= 1.0:
        return np.zeros(z.shape, dtype=np.bool_)
    else:
        p = 2.0 * t.sf(z / np.sqrt(n_units / (n_units - 1.0)), n_units - 1.0)
    steps = np.arange(1, z.shape[0] + 1) / max(count, 1)
    # A hair of room, so that 0.1 is not above 1 - 0.9.
    below = np.flatnonzero(np.sort(p) <= (1.0 - level) * steps + 1e-12)
    out: BoolArray = p <= (np.sort(p)[below[-1]] if below.size else -1.0)
    return out


def _top(rewards: FloatArray, components: IntArray, k: int) -> tuple[IntArray, int]:
    """Members of the largest component, and k capped at its size."""
    if not np.any(components >= 0):
        return np.zeros(0, dtype=np.int64), 0
    largest = int(np.argmax(np.bincount(components[components >= 0])))
    members = np.flatnonzero((components == largest) & np.isfinite(rewards))
    return members, min(k, members.size)


def _overlap(a: FloatArray, b: FloatArray, top: tuple[IntArray, int]) -> float:
    members, k = top
    if k == 0:
        return float("nan")

    def leaders(r: FloatArray) -> IntArray:
        return np.argsort(-np.nan_to_num(r[members], nan=-np.inf), kind="stable")[:k]

    return np.intersect1d(leaders(a), leaders(b)).size / k


def _tau(a: FloatArray, b: FloatArray, members: IntArray) -> float:
    """Kendall's τ-b, rewards within TIE being ties; NaN below two items with data."""
    x, y = a[members], b[members]
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 2:
        return float("nan")
    return float(kendalltau(np.round(x[both] / TIE), np.round(y[both] / TIE)).statistic)
