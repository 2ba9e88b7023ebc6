"""How judgements go within groups of prompts, each held against all other prompts.

A judgement has a value y in [0, 1] (did the longer answer win, did the first one; 1/2 = a tie) and
belongs to a cluster (a prompt and its copies), every cluster to one group or to none. Of a group
the rate is the mean of y. Rows of a cluster are not independent: with s_c the sum over a cluster of
y minus the rate, the variance of the rate is Σ s_c²/n² · C/(C - 1), which is held against
p(1 - p)/n to give an effective number m; the interval is Wilson's at m, as in ``kinds.rates``.

Whether the group differs from everything else (other groups and what is of none), whose rate and
effective number come about in the same way, is asked with both pooled,

    z = (p - p') / √(P(1 - P) (1/m + 1/m')),  P the mean of all y,

which holds at rates of 0 and 1 too; two-sided, Benjamini and Hochberg over the groups. Fewer than
``FEWEST`` clusters on either side are no test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.engine.tails import norm
from cr_audit.models.kinds.rates import kind_rates
from cr_audit.models.marks import adjusted

FEWEST = 10
ENOUGH = 20
"""Comparisons that a model needs within a group to be its leader."""


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """Per group, all (k,); NaN where nothing was judged.

    n : judgements; n_effective : as many independent ones. rate, low, high : mean value and its
    interval. elsewhere : the rate of all others. q_value : false-discovery rate at which the two
    differ, 1 where that cannot be asked.
    """

    n: IntArray
    n_effective: FloatArray
    rate: FloatArray
    low: FloatArray
    high: FloatArray
    elsewhere: FloatArray
    q_value: FloatArray


def judged_within(
    value: FloatArray, group: IntArray, cluster: IntArray, n_groups: int, *, level: float = 0.9
) -> Within:
    """value : float64 (n,); group : int64 (n,), -1 = of none; cluster : int64 (n,). O(n log n).

    Raises ValueError where a cluster is of two groups.
    """
    k = n_groups
    names, first, which = np.unique(cluster, return_index=True, return_inverse=True)
    of = group[first]
    if not np.array_equal(of[which], group):
        raise ValueError("a cluster is of two groups")
    size = np.bincount(which, minlength=names.size).astype(np.float64)
    total = np.bincount(which, weights=value, minlength=names.size)
    # Sums over the clusters of each group, of none in the last place: enough for every variance.
    held = np.where(of < 0, k, of)
    sums: FloatArray = np.stack(
        [
            np.bincount(held, weights=w, minlength=k + 1)
            for w in (np.ones(names.size), size, total, total**2, total * size, size**2)
        ]
    ).astype(np.float64)
    inside, outside = sums[:, :k], sums.sum(axis=1, keepdims=True) - sums[:, :k]
    rate, m = _effective(inside)
    elsewhere, m_out = _effective(outside)
    z = float(norm.ppf((1 + level) / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (rate + z * z / (2 * m)) / (1 + z * z / m)
        half = z / (1 + z * z / m) * np.sqrt(rate * (1 - rate) / m + z * z / (4 * m * m))
        pooled = float(value.mean()) if value.size else np.nan
        error = np.sqrt(pooled * (1 - pooled) * (1 / m + 1 / m_out))
        p_value = 2 * norm.sf(np.abs(rate - elsewhere) / error)
    tested = np.flatnonzero((inside[0] >= FEWEST) & (outside[0] >= FEWEST) & (error > 0))
    q = np.ones(k)
    q[tested] = adjusted(np.asarray(p_value)[tested], tested.size)
    return Within(
        inside[1].astype(np.int64), np.nan_to_num(m), rate, np.maximum(centre - half, 0.0),
        np.minimum(centre + half, 1.0), elsewhere, q,
    )  # fmt: skip


def _effective(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rate and effective number from clusters, their sizes, totals, and sums of total², total ·
    size, size²; NaN where there is nothing."""
    clusters, n, total, square, both, sizes = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = total / n
        spread = rate * (1 - rate)
        moved = square - 2 * rate * both + rate**2 * sizes
        deff = moved / n * clusters / (clusters - 1) / spread
        # Nothing is seen of how rows go together: as if they did entirely.
        deff = np.where((spread > 1e-12) & (clusters > 1), deff, sizes / n)
        return np.clip(rate, 0.0, 1.0), n / np.maximum(deff, 1.0)


@dataclass(frozen=True, slots=True)
class Leader:
    """item : who won the largest share of its n comparisons with others within a group, of
    n_compared that had ``ENOUGH`` of them; low, high : its interval, widened for their number."""

    item: int
    n: int
    rate: float
    low: float
    high: float
    n_compared: int


NO_LEADER = NotApplicable(f"fewer than two models with {ENOUGH} comparisons")


def leaders(
    comparisons: Comparisons,
    labels: IntArray,
    n_items: int,
    group: IntArray,
    cluster: IntArray,
    n_groups: int,
    *,
    level: float = 0.9,
) -> tuple[Leader | NotApplicable, ...]:
    """Of each group who leads. labels : int64, the item (a model) of each alternative, -1 = none;
    group, cluster : int64 (n,), of each comparison. Intervals are those of ``kind_rates`` at
    1 - (1 - level)/items, since the highest of several is picked; ties go to the first item."""
    out: list[Leader | NotApplicable] = []
    for g in range(n_groups):
        some = np.flatnonzero(group == g)
        within, _ = comparisons.take(some).relabel(labels, n_items)
        n = np.bincount(within.winner, minlength=n_items)
        n += np.bincount(within.loser, minlength=n_items)
        able = np.flatnonzero(n >= ENOUGH)
        if able.size < 2:
            out.append(NO_LEADER)
            continue
        sides = labels[comparisons.winner[some]], labels[comparisons.loser[some]]
        known = (sides[0] >= 0) & (sides[1] >= 0) & (sides[0] != sides[1])
        r = kind_rates(
            within, np.arange(n_items), n_items, None, clusters=cluster[some[known]],
            level=1 - (1 - level) / able.size,
        )  # fmt: skip
        best = int(able[np.argmax(np.round(r.rate[able], 12))])
        rate, low, high = (float(x[best]) for x in (r.rate, r.low, r.high))
        out.append(Leader(best, int(n[best]), rate, low, high, int(able.size)))
    return tuple(out)


def agreement_within(
    comparisons: Comparisons, group: IntArray, n_groups: int
) -> tuple[IntArray, FloatArray]:
    """Of the pairs of answers that were judged twice or more how many there are, int64 (k,), and
    how often two judgements of one pair are the same (a win of the one, of the other, or a tie):
    float64 (k,), mean over the pairs of Σ c(c - 1)/(n(n - 1)), NaN where there is none. group :
    int64 (n,), of each comparison, -1 = of none; all of a pair are of one."""
    a, b = comparisons.winner, comparisons.loser
    pair = np.minimum(a, b) * comparisons.n_items + np.maximum(a, b)
    which = np.unique(pair, return_inverse=True)[1].astype(np.int64)
    result = np.where(comparisons.outcome == 0.5, 1, np.where(a < b, 2, 0))
    n_pairs = int(which.max(initial=-1)) + 1
    count = np.bincount(which * 3 + result, minlength=3 * n_pairs).reshape(n_pairs, 3)
    n = count.sum(axis=1)
    of = np.full(n_pairs, -1, np.int64)
    of[which] = group
    some = np.flatnonzero((n > 1) & (of >= 0))
    same = (count[some] * (count[some] - 1)).sum(axis=1) / (n[some] * (n[some] - 1))
    repeated = np.bincount(of[some], minlength=n_groups)
    with np.errstate(invalid="ignore"):
        return repeated, np.bincount(of[some], weights=same, minlength=n_groups) / repeated
