"""How a kind of answer fares against everything else, and what weights change about it.

Of the comparisons with exactly one side of the kind, the share that this side won, a tie counting
one half. Rows of one cluster (a prompt) are not independent: with s_c the sum over a cluster of
outcome minus rate, the variance of the rate is Σ s_c²/n² · C/(C - 1), which is held against
p(1 - p)/n to give an effective number; the interval is Wilson's at that number, and the test
against one half is two-sided at it.

Weighted, a comparison counts as the product of the weights of its two sides, as in both objectives
of the fit (docs/methods.md). The error of the shift between both rates is the jackknife's: without
cluster c it moves by v_c = A_c/(W - W_c) - B_c/(n - n_c), with A and B the sums over the cluster of
w (y - p_w) and of y - p; its variance is Σ v_c² (C - 1)/C, with (Σ v²)²/Σ v⁴ - 1 degrees of freedom
(Satterthwaite 1946, with the clusters' own squares). A linear influence without the leverage told a
shift in 39 % of data without any where weights are heavy (squares of exponentials, 80 comparisons a
kind), this in 9 %, where 10 % is promised. Fewer than ``FEWEST`` degrees are no test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray
from cr_audit.distributions import norm, t
from cr_audit.labels import cluster_labels
from cr_audit.models.marks import adjusted

FEWEST = 10.0
TINY, ROUNDING = 1e-300, 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class KindRates:
    """Per kind, all (k,); NaN where nothing was compared.

    n : comparisons with one side of the kind; n_within : with both. rate, low, high : share won and
    its interval. q_value : false-discovery rate at which the rate differs from one half. weighted,
    shift, error : under weights, NaN without; shift_q_value : of the shift.
    """

    n: IntArray
    n_within: IntArray
    n_effective: FloatArray
    rate: FloatArray
    low: FloatArray
    high: FloatArray
    q_value: FloatArray
    weighted: FloatArray
    shift: FloatArray
    error: FloatArray
    shift_q_value: FloatArray

    def decided(self, level: float) -> BoolArray:
        """Kinds whose rate is not one half, at a false-discovery rate of 1 - level."""
        out: BoolArray = self.q_value <= 1.0 - level + 1e-12
        return out

    def moved(self, level: float) -> BoolArray:
        """Kinds whose rate the weights move beyond noise."""
        out: BoolArray = self.shift_q_value <= 1.0 - level + 1e-12
        return out


def kind_rates(
    comparisons: Comparisons,
    labels: IntArray,
    n_kinds: int,
    weights: FloatArray | None,
    *,
    clusters: IntArray | None = None,
    level: float = 0.9,
) -> KindRates:
    """``comparisons`` are of alternatives; labels : int64, the kind of each, -1 = none. weights :
    float64, of each alternative. clusters : int64 (n,), rows that go together."""
    c = comparisons
    of_winner, of_loser = labels[c.winner], labels[c.loser]
    cluster = cluster_labels(clusters, c.n)
    mass = np.ones(c.n) if weights is None else weights[c.winner] * weights[c.loser]
    nothing = np.full(n_kinds, np.nan)
    n, within = np.zeros(n_kinds, np.int64), np.zeros(n_kinds, np.int64)
    effective, rate, low, high = np.zeros(n_kinds), nothing.copy(), nothing.copy(), nothing.copy()
    weighted, shift, error = nothing.copy(), nothing.copy(), nothing.copy()
    p_rate, p_shift = np.ones(n_kinds), np.ones(n_kinds)
    z = float(norm.ppf((1 + level) / 2))
    for g in range(n_kinds):
        first, second = of_winner == g, of_loser == g
        within[g] = int((first & second).sum())
        at = np.flatnonzero(first != second)
        n[g] = at.size
        if not at.size:
            continue
        y = np.where(first[at], c.outcome[at], 1.0 - c.outcome[at])
        group = np.unique(cluster[at], return_inverse=True)[1]
        k = int(group.max()) + 1
        p = float(y.mean())
        spread = p * (1 - p)
        size = np.bincount(group)
        if spread > 0 and k > 1:
            moved = np.bincount(group, weights=y - p)
            deff = float((moved**2).sum()) / at.size * k / (k - 1) / spread
        else:  # nothing is seen of how rows go together: as if they did entirely
            deff = float((size.astype(np.float64) ** 2).sum()) / at.size
        effective[g] = m = at.size / max(deff, 1.0)
        centre = (p + z * z / (2 * m)) / (1 + z * z / m)
        half = z / (1 + z * z / m) * np.sqrt(spread / m + z * z / (4 * m * m))
        rate[g], low[g], high[g] = p, max(centre - half, 0.0), min(centre + half, 1.0)
        p_rate[g] = 2 * norm.sf(abs(p - 0.5) * 2 * np.sqrt(m))
        w = mass[at]
        if weights is None or w.sum() <= 0:
            continue
        weighted[g] = pw = float((w * y).sum() / w.sum())
        shift[g] = pw - p
        heavy = np.bincount(group, weights=w)
        if k < 2 or heavy.max() >= heavy.sum() * (1 - ROUNDING):
            error[g] = np.inf
            continue
        without = np.bincount(group, weights=w * (y - pw)) / (heavy.sum() - heavy)
        without -= np.bincount(group, weights=y - p) / (at.size - size)
        square = without**2
        error[g] = np.sqrt(square.sum() * (k - 1) / k)
        degrees = float(square.sum()) ** 2 / max(float((square**2).sum()), TINY) - 1.0
        if error[g] > ROUNDING and degrees >= FEWEST:
            p_shift[g] = 2 * t.sf(abs(shift[g]) / error[g], degrees)
    tested = np.flatnonzero(n > 0)
    q, q_shift = np.ones(n_kinds), np.ones(n_kinds)
    q[tested] = adjusted(p_rate[tested], tested.size)
    q_shift[tested] = adjusted(p_shift[tested], tested.size)
    return KindRates(n, within, effective, rate, low, high, q, weighted, shift, error, q_shift)
