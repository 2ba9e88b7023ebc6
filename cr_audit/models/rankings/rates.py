"""Average, Borda and weighted average win rates, and the ranks they give.

[CR] Definition 2.4 (Borda count, average win rate) and Definition 4.3 (weighted average win rate),
carried over to data in which not every pair was compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from cr_audit.arrays import (
    BoolArray,
    Comparisons,
    FloatArray,
    IntArray,
    Proportions,
    checked_weights,
)
from cr_audit.models.graph import components
from cr_audit.models.ranks import ranks

TIE_TOLERANCE = 1e-10
"""Two rates closer than this are tied: rounding moves a mean of 10^5 rates by less."""


@dataclass(frozen=True, slots=True, eq=False)
class WinRates:
    """Win rates of ``m`` items. Items without a comparison have NaN, rank 0, component -1.

    average : float64 (m,) in [0, 1], AWR(x) = (1/2 + sum p(x > y)) / (1 + n), y over the n observed
        opponents. borda : float64 (m,), the numerator; on incomplete data it grows with n.
    weighted : float64 (m,), wAWR(x) = sum w(y) p(x > y) / sum w(y), y over the observed opponents
        and x itself, p(x > x) = 1/2.
    n_opponents, n_comparisons : int64 (m,); n_comparisons counts rows.
    rank_average, rank_weighted : int64 (m,), competition ranks ("1224") within a component, rates
        closer than ``TIE_TOLERANCE`` sharing the better rank; 0 without data.
    component : int64 (m,), who can be ranked against whom; numbered from the largest unless given.
    has_data : bool (m,).
    settings : what the caller chose.
    """

    average: FloatArray
    borda: FloatArray
    weighted: FloatArray
    n_opponents: IntArray
    n_comparisons: IntArray
    rank_average: IntArray
    rank_weighted: IntArray
    component: IntArray
    has_data: BoolArray
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def leaders_average(self) -> IntArray:
        """The items of component 0 that lead by average win rate: int64, more than one if tied."""
        return np.flatnonzero((self.component == 0) & (self.rank_average == 1))

    @property
    def leaders_weighted(self) -> IntArray:
        """The items of component 0 that lead by weighted average win rate."""
        return np.flatnonzero((self.component == 0) & (self.rank_weighted == 1))


def competition_ranks(rates: FloatArray, component: IntArray) -> IntArray:
    """``ranks`` of rates; 0 for component -1 or a NaN rate."""
    return ranks(rates, component, tie=TIE_TOLERANCE, missing=0)


def win_rates(
    comparisons: Comparisons,
    weights: FloatArray,
    *,
    count_weighted: bool = False,
    component: IntArray | None = None,
) -> WinRates:
    """Average, Borda and weighted average win rates, and ranks within connected components.

    comparisons : repeated comparisons of a pair enter as one proportion p, a tie counting 1/2 each
        way. weights : float64 (n_items,), >= 0; only ratios matter.
    count_weighted : a pair counts as often as it was compared (times its mass) in ``average`` and
        ``weighted``; the item itself then counts as often as its average pair, so that equal counts
        change nothing. This lets over-sampled clones back in.
    component : int64 (n_items,), -1 = not ranked; default the connected components of the data.

    On complete data with weights that sum to one this is [CR] Definitions 2.4 and 4.3, and
    sum w(x) wAWR(x) = 1/2. Deviations:

    1. Incomplete data: both sums run over observed pairs, and are divided by what was summed.
    2. Where x and all its opponents weigh 0, ``weighted`` is the limit of equal, vanishing weights,
       which is ``average``. Otherwise weights of 0 need no care: they are exact.

    Memory: about 120 bytes per comparison. Raises ValueError for weights of the wrong shape,
    negative, not finite or all zero.
    """
    w = positive_weights(weights, comparisons.n_items)
    pairs = comparisons.proportions()
    return point_rates(comparisons, pairs, w, count_weighted, component)


def positive_weights(weights: Any, m: int) -> FloatArray:
    """``checked_weights`` of which at least one in a row is not 0; they need not sum to one."""
    w = checked_weights(weights, m)
    if m and not (w.sum(axis=-1) > 0).all():
        raise ValueError("at least one weight must be positive")
    return w


def point_rates(
    comparisons: Comparisons,
    pairs: Proportions,
    weights: FloatArray,
    count_weighted: bool,
    component: IntArray | None,
) -> WinRates:
    """``win_rates`` of checked weights; pairs : the proportions of ``comparisons``."""
    m = comparisons.n_items
    own, _ = components(pairs)
    label = own if component is None else np.where(own < 0, -1, np.asarray(component, np.int64))
    sums = Sums(pairs, count_weighted)
    count = pairs.mass if count_weighted else np.ones(pairs.p.shape[0])
    average, weighted = sums.rates(pairs.p, count, weights)
    has_data = own >= 0
    n_rows = np.bincount(comparisons.winner, minlength=m)
    n_rows += np.bincount(comparisons.loser, minlength=m)
    wins = np.bincount(pairs.first, weights=pairs.p, minlength=m)
    wins += np.bincount(pairs.second, weights=1.0 - pairs.p, minlength=m)
    return WinRates(
        average=average,
        borda=np.where(has_data, 0.5 + wins, np.nan),
        weighted=weighted,
        n_opponents=sums.n_opponents,
        n_comparisons=n_rows,
        rank_average=competition_ranks(average, label),
        rank_weighted=competition_ranks(weighted, label),
        component=label,
        has_data=has_data,
        settings={"count_weighted": count_weighted, "tie_tolerance": TIE_TOLERANCE},
    )


class Sums:
    """Both sums of both rates as two sparse products whose pattern never changes.

    Each pair stands twice, in the row of either side; a row's entries are p(x > y) c(x, y) for the
    numerator and c(x, y) for the denominator, c being what the pair counts.
    """

    def __init__(self, pairs: Proportions, count_weighted: bool) -> None:
        m, k = pairs.n_items, pairs.first.shape[0]
        row = np.concatenate([pairs.first, pairs.second])
        column = np.concatenate([pairs.second, pairs.first])
        self._order = np.lexsort((column, row))
        self._opponent = column[self._order]
        self._count = self._entries = np.zeros(0)
        self.n_opponents: IntArray = np.bincount(row, minlength=m)
        start = np.concatenate([[0], np.cumsum(self.n_opponents)])
        self._matrix = csr_array((np.ones(2 * k), self._opponent, start), shape=(m, m))
        self._adds = csr_array((np.ones(2 * k), np.arange(2 * k), start), shape=(m, 2 * k))
        self._own = np.ones(m)
        if count_weighted:
            both = np.concatenate([pairs.mass, pairs.mass])
            mass = np.bincount(row, weights=both, minlength=m)
            self._own = np.where(mass > 0, mass / np.maximum(self.n_opponents, 1), 1.0)

    def rates(
        self, p: FloatArray, count: FloatArray, weights: FloatArray
    ) -> tuple[FloatArray, ...]:
        """The average rate, then the weighted rate for each column of ``weights`` (m,) or (m, s).

        p, count : float64 (k,), one per pair. NaN for items without an opponent.
        """
        w = weights[:, None] if weights.ndim == 1 else weights
        columns = np.concatenate([np.ones((w.shape[0], 1)), w], axis=1)
        if count is not self._count:  # the same one in every replicate of a bootstrap
            self._count, self._entries = count, np.concatenate([count, count])[self._order]
        c = self._entries
        own = columns * self._own[:, None]
        self._matrix.data = c
        below = self._matrix @ columns + own
        self._matrix.data = c * np.concatenate([p, 1.0 - p])[self._order]
        above = self._matrix @ columns + 0.5 * own
        # Where nothing in the sum weighs anything: the limit of equal weights, the average rate.
        above = np.where(below > 0, above, above[:, :1])
        below = np.where(below > 0, below, below[:, :1])
        rates = np.where((self.n_opponents > 0)[:, None], above / below, np.nan)
        return tuple(rates.T)

    def replicates(
        self, p: FloatArray, count: FloatArray, *weights: FloatArray
    ) -> list[FloatArray]:
        """As ``rates`` for each column of ``p``, float64 (k, r), bit for bit: every result (m, r).

        weights : each float64 (m,), or (m, r) where they differ between the columns.
        """
        c = np.concatenate([count, count])[self._order]
        won = np.concatenate([p, 1.0 - p])[self._order]
        won *= c[:, None]
        self._matrix.data = c
        sums: list[tuple[FloatArray, FloatArray]] = []
        for given in (np.ones(self._own.shape[0]), *weights):
            w = given[:, None] if given.ndim == 1 else given
            own = w * self._own[:, None]
            below = self._matrix @ w + own
            above = self._adds @ (won * w[self._opponent] if sums else won) + 0.5 * own
            if sums:
                above = np.where(below > 0, above, sums[0][0])
                below = np.where(below > 0, below, sums[0][1])
            sums.append((above, below))
        known = (self.n_opponents > 0)[:, None]
        return [np.where(known, above / below, np.nan) for above, below in sums]
