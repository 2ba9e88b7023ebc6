"""Which differences between weighted and average win rates are more than noise: a bootstrap of the
shifts and of the ranks, and the one rule of ``models.marks`` for who changes place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, Proportions
from cr_audit.distributions import norm, t
from cr_audit.errors import ComputeError
from cr_audit.labels import cluster_labels
from cr_audit.models.marks import Marks, mark_changes, rate_influences
from cr_audit.models.rankings.rates import (
    TIE_TOLERANCE,
    Sums,
    WinRates,
    competition_ranks,
    point_rates,
    positive_weights,
)

_DRAWS_PER_BLOCK = 64
_LARGEST_BLOCK, _BLOCK = 64, 2_000_000  # replicates worked on at once; numbers held for them
# From about this many votes on, a pair's own votes say how much they scatter.
_OWN_VOTES = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class RankShift:
    """What weighting changes, per item, with its uncertainty. Items without data have NaN.

    rates : the point estimates. shift : float64 (m,), weighted - average.
    sampling_error, monte_carlo_error, standard_error : float64 (m,); the standard deviation of the
        shift over resampled comparisons, over draws of the weights, and over both at once.
    shift_low, shift_high : shift -+ z * standard_error at the confidence level; with clusters z is
        the quantile of Student's t with G - 1 degrees of freedom, G = (sum of mass)^2 / sum of
        mass^2 the effective number of clusters: few know their own scatter badly. The intervals of
        the ranks are widened likewise.
    within_noise : bool (m,), the interval holds 0, or the item is thin.
    thin : bool (m,), fewer comparisons than ``n_needed``: even if all of them were won, a fair coin
        would do the same with a probability above 1 - confidence_level. Never flagged.
    rank_average_low, rank_average_high, rank_weighted_low, rank_weighted_high : int64 (m,), central
        intervals of the ranks over the resamples; 0 for thin items.
    marks : which items change sides with another beyond noise, see ``models.marks``; ``flagged``
        and ``sure`` are its answers.
    leader_average, leader_weighted : the leading item of component 0 (the lowest index of a tie),
        -1 without data. probability_leader_average, probability_leader_weighted : float64 (m,), a
        tied lead counting in equal parts.
    n_needed, n_replicates, confidence_level, settings : how it was done.
    """

    rates: WinRates
    shift: FloatArray
    sampling_error: FloatArray
    monte_carlo_error: FloatArray
    standard_error: FloatArray
    shift_low: FloatArray
    shift_high: FloatArray
    within_noise: BoolArray
    thin: BoolArray
    rank_average_low: IntArray
    rank_average_high: IntArray
    rank_weighted_low: IntArray
    rank_weighted_high: IntArray
    marks: Marks
    leader_average: int
    leader_weighted: int
    probability_leader_average: FloatArray
    probability_leader_weighted: FloatArray
    n_needed: int
    n_replicates: int
    confidence_level: float
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def flagged(self) -> BoolArray:
        """An order of the item and some other is known to differ, bool (m,)."""
        return self.marks.marked

    @property
    def sure(self) -> FloatArray:
        """1 - q value, float64 (m,), see ``Marks.sure``."""
        return self.marks.sure

    @property
    def sure_leader(self) -> float:
        """How sure it is that the weighted leader was not ahead of the average one before: 1 - q
        value of that pair, 0 where one item leads both."""
        m, pair = self.marks, (self.leader_average, self.leader_weighted)
        at = np.flatnonzero((m.above == pair[0]) & (m.below == pair[1]))
        return float(1.0 - m.pair_q_value[at[0]]) if at.size else 0.0


def bootstrap_win_rates(
    comparisons: Comparisons,
    weights: FloatArray,
    *,
    weight_draws: FloatArray | None = None,
    clusters: IntArray | None = None,
    count_weighted: bool = False,
    component: IntArray | None = None,
    n_replicates: int = 1000,
    confidence_level: float = 0.9,
    rng: np.random.Generator,
) -> RankShift:
    """How sure the difference between weighted and average win rates is.

    weights, count_weighted, component : as ``win_rates``. weight_draws : float64 (s, n_items), s >=
        2 draws that carry the Monte-Carlo error of the weights, used in turn; None if exact.
    clusters : int64 (n,), comparisons to be resampled together (one annotator, one prompt); a label
        of -1 is a cluster of one. None: every comparison on its own.

    Who was compared with whom is held fixed; so components stay what they are. A replicate gives
    every cluster an independent multiplier g (Exp(1): mean 1, variance 1) and moves p of a pair by
        s * sum over its clusters of (share of the pair's mass) * (proportion won - c) * (g - 1),
    the multiplier (wild, linearised Bayesian) bootstrap of a proportion around the centre c. With
    c = p, a pair judged once would show no error at all, and most preference data compares a pair
    once. So with n = 1 / (sum of squared shares) votes in the pair, c = p + t (q - p), where q is
    what the win rates of the two against all *others* predict (odds over odds), t = 10 / (n + 9):
    q for a single vote, half way at eleven, p in the limit. s^2 = n / (n - 1 + t^2) makes the
    expected variance p (1 - p) / n, plus t^2 (p - q)^2 / n where q misses p. A replicate's p may
    leave [0, 1]; only its sums are used.

    Source: Rubin (1981), Wu (1986), Mammen (1993) for multiplier bootstraps; the centre is ours
    (tests/unit/test_rankings.py measures the coverage). Time: O(n_replicates (n + pairs)); memory:
    O(n + pairs + s n_items), and 8 bytes per replicate and item that is not thin.

    Raises ComputeError without comparisons, ValueError for settings out of range.
    """
    if comparisons.n == 0:
        raise ComputeError(
            "no-comparisons",
            "there are no comparisons to resample",
            next_step="check which rows were read and which fell away with the chosen unit",
        )
    if n_replicates < 2 or not 0 < confidence_level < 1:
        raise ValueError("n_replicates must be at least 2 and 0 < confidence_level < 1")
    w = positive_weights(weights, comparisons.n_items)
    draws = None if weight_draws is None else positive_weights(weight_draws, comparisons.n_items)
    if draws is not None and (draws.ndim != 2 or draws.shape[0] < 2):
        raise ValueError("weight_draws needs two dimensions and at least two rows")
    pairs = comparisons.proportions()
    rates = point_rates(comparisons, pairs, w, count_weighted, component)
    n_needed = math.ceil(1.0 - math.log2(1.0 - confidence_level))
    sums = Sums(pairs, count_weighted)
    ones = np.ones(pairs.p.shape[0])
    count = pairs.mass if count_weighted else ones
    labels = cluster_labels(clusters, comparisons.n)
    resample = Resampler(comparisons, pairs, sums.rates(pairs.p, ones, w)[0], labels)
    tail = _Tail(math.inf if clusters is None else _effective(comparisons, labels))
    tally = _Tally(rates, n_needed, n_replicates, tail)
    moved = rate_influences(
        comparisons, w, clusters=clusters, weight_draws=draws, count_weighted=count_weighted
    )
    marks = mark_changes(
        rates.average, rates.weighted, rates.component, moved.gaps, level=confidence_level
    )
    for start, g in multipliers(resample.n_clusters, n_replicates, pairs.p.shape[0], rng):
        used = () if draws is None else (in_turn(draws, start, g.shape[1]),)
        found = sums.replicates(resample.moved_by(g), count, w, *used)
        for replicate in np.stack(found).transpose(2, 0, 1):
            tally.add(*replicate)
    monte_carlo = np.zeros(w.shape[0]) if draws is None else _spread(sums, pairs.p, count, draws)
    return tally.result(
        marks,
        monte_carlo,
        confidence_level,
        {
            "count_weighted": count_weighted,
            "clustered": clusters is not None,
            "n_clusters": resample.n_clusters,
            "n_effective_clusters": resample.n_clusters if clusters is None else tail.n,
            "n_weight_draws": 0 if draws is None else int(draws.shape[0]),
        },
    )


def multipliers(
    n_clusters: int, n_replicates: int, n_pairs: int, rng: np.random.Generator
) -> Iterator[tuple[int, FloatArray]]:
    """Blocks of replicates: the number of the first, and float64 (n_clusters, r), one multiplier
    (less its mean, 1) per cluster and replicate. The draws do not depend on the size of a block,
    which keeps memory near ``_BLOCK`` numbers."""
    step = int(np.clip(_BLOCK // max(n_clusters, 2 * n_pairs), 1, _LARGEST_BLOCK))
    for start in range(0, n_replicates, step):
        n = min(step, n_replicates - start)
        yield start, np.ascontiguousarray(rng.standard_exponential((n, n_clusters)).T) - 1.0


def in_turn(draws: FloatArray, start: int, n: int) -> FloatArray:
    """The draws (s, m) that replicates start, start + 1, ... use: (m, n)."""
    used: FloatArray = draws[np.arange(start, start + n) % draws.shape[0]].T
    return used


def _spread(sums: Sums, p: FloatArray, count: FloatArray, draws: FloatArray) -> FloatArray:
    """Standard deviation of the weighted rate over the draws, everything else as observed."""
    total, square = np.zeros(draws.shape[1]), np.zeros(draws.shape[1])
    centre = sums.rates(p, count, draws[0])[1]
    for start in range(0, draws.shape[0], _DRAWS_PER_BLOCK):
        block = np.ascontiguousarray(draws[start : start + _DRAWS_PER_BLOCK].T)
        for rate in sums.rates(p, count, block)[1:]:
            total += rate - centre
            square += (rate - centre) ** 2
    s = draws.shape[0]
    out: FloatArray = np.sqrt(np.maximum(square - total**2 / s, 0.0) / (s - 1))
    return out


class Resampler:
    """Draws p of every pair anew, in the order of ``Comparisons.proportions``.

    average : float64 (n_items,), average rates; labels : int64 (n,), the cluster of each row.
    """

    def __init__(
        self, comparisons: Comparisons, pairs: Proportions, average: FloatArray, labels: IntArray
    ) -> None:
        c, k = comparisons, pairs.p.shape[0]
        low = np.minimum(c.winner, c.loser) * np.int64(c.n_items)
        key = low + np.maximum(c.winner, c.loser)
        pair = np.searchsorted(pairs.first * np.int64(c.n_items) + pairs.second, key)
        won = np.where(c.winner < c.loser, c.outcome, 1.0 - c.outcome)
        self.n_clusters = int(labels.max()) + 1
        # Rows of one pair and one cluster always move together: add them up once.
        cell, inverse = np.unique(pair * np.int64(self.n_clusters) + labels, return_inverse=True)
        of, cluster = cell // self.n_clusters, cell % self.n_clusters
        mass = np.bincount(inverse, weights=c.mass, minlength=cell.size) / pairs.mass[of]
        wins = np.bincount(inverse, weights=c.mass * won, minlength=cell.size)
        n = 1.0 / np.bincount(of, weights=mass**2, minlength=k)
        lean = _OWN_VOTES / (n - 1.0 + _OWN_VOTES)
        centre = pairs.p + lean * (_expected(pairs, average) - pairs.p)
        scale = np.sqrt(n / (n - 1.0 + lean**2))
        self._p = pairs.p
        residual = scale[of] * (wins / pairs.mass[of] - mass * centre[of])
        start = np.searchsorted(of, np.arange(k + 1))
        self._residuals = csr_array((residual, cluster, start), shape=(k, self.n_clusters))

    def moved_by(self, g: FloatArray) -> FloatArray:
        """p of every pair, float64 (k, r), under multipliers (less their mean, 1) per cluster and
        replicate, (n_clusters, r)."""
        p: FloatArray = self._p[:, None] + self._residuals @ g
        return p


def _expected(pairs: Proportions, average: FloatArray) -> FloatArray:
    """p of each pair as the rates of the two against all others predict it, by their odds."""
    m = pairs.n_items
    n = np.bincount(pairs.first, minlength=m) + np.bincount(pairs.second, minlength=m)

    def odds(item: IntArray, p: FloatArray) -> FloatArray:
        rate = (average[item] * (1.0 + n[item]) - p) / n[item]
        return rate / (1.0 - rate)

    one, two = odds(pairs.first, pairs.p), odds(pairs.second, 1.0 - pairs.p)
    return one / (one + two)


def _effective(comparisons: Comparisons, labels: IntArray) -> float:
    mass = np.bincount(labels, weights=comparisons.mass)
    return float(mass.sum()) ** 2 / float((mass**2).sum())


@dataclass(frozen=True, slots=True)
class _Tail:
    """The tail of a mean of ``n`` clusters whose spread is known from themselves: Student's t with
    n - 1 degrees of freedom, normal for infinite n. Multipliers lose no variance as resampling
    does, so there is no factor sqrt(n / (n - 1)) as in ``rewards.bootstrap.expanded_level``."""

    n: float

    def quantile(self, probability: float) -> float:
        """Where ``probability`` > 1/2 lies below; infinite for one cluster."""
        if math.isinf(self.n):
            return float(norm.ppf(probability))
        if self.n <= 1.0:
            return math.inf
        return float(t.ppf(probability, self.n - 1.0))


class _Tally:
    """Collects replicates: running sums per item, and the ranks of the items that are not thin."""

    def __init__(self, rates: WinRates, n_needed: int, n_replicates: int, tail: _Tail) -> None:
        m = rates.average.shape[0]
        self.rates, self.n_needed, self.n_replicates = rates, n_needed, n_replicates
        self._tail = tail
        self._shift = rates.weighted - rates.average
        self._moments = np.zeros((4, m))
        self._lead = np.zeros((2, m))
        self._first = rates.component == 0
        self._thin = rates.n_comparisons < n_needed
        self._kept = np.flatnonzero(~self._thin & (rates.component >= 0))
        self._ranks = np.zeros((2, n_replicates, self._kept.size), np.int32)
        self._n = 0

    def add(self, average: FloatArray, exact: FloatArray, drawn: FloatArray | None = None) -> None:
        """One replicate: the average rate, the weighted rate with the point weights, and the
        weighted rate with weights drawn anew."""
        weighted = exact if drawn is None else drawn
        for i, value in enumerate((weighted, exact)):
            deviation = value - average - self._shift
            self._moments[2 * i] += deviation
            self._moments[2 * i + 1] += deviation**2
        ranks = [competition_ranks(x, self.rates.component) for x in (average, weighted)]
        leads = [self._first & (rank == 1) for rank in ranks]
        for i, lead in enumerate(leads):
            self._lead[i] += lead / max(int(lead.sum()), 1)
            self._ranks[i, self._n] = ranks[i][self._kept]
        self._n += 1

    def result(
        self,
        marks: Marks,
        monte_carlo: FloatArray,
        level: float,
        settings: Mapping[str, Any],
    ) -> RankShift:
        r, n = self.rates, self.n_replicates
        variance = (self._moments[1::2] - self._moments[::2] ** 2 / n) / (n - 1)
        error, sampling = np.sqrt(np.maximum(variance, 0.0))
        # No interval may be narrower than what exact arithmetic can tell from 0.
        with np.errstate(invalid="ignore"):  # infinite times 0: one cluster that always agrees
            margin = np.fmax(self._tail.quantile(0.5 + level / 2) * error, TIE_TOLERANCE)
        ranks = self._rank_intervals(level)
        leaders = [int(x[0]) if x.size else -1 for x in (r.leaders_average, r.leaders_weighted)]
        return RankShift(
            rates=r,
            shift=self._shift,
            sampling_error=sampling,
            monte_carlo_error=np.where(r.has_data, monte_carlo, np.nan),
            standard_error=error,
            shift_low=self._shift - margin,
            shift_high=self._shift + margin,
            within_noise=self._thin | (np.abs(self._shift) <= margin),
            thin=self._thin,
            rank_average_low=ranks[0],
            rank_average_high=ranks[1],
            rank_weighted_low=ranks[2],
            rank_weighted_high=ranks[3],
            marks=marks,
            leader_average=leaders[0],
            leader_weighted=leaders[1],
            probability_leader_average=self._lead[0] / n,
            probability_leader_weighted=self._lead[1] / n,
            n_needed=self.n_needed,
            n_replicates=n,
            confidence_level=level,
            settings=settings,
        )

    def _rank_intervals(self, level: float) -> IntArray:
        out = np.zeros((4, self.rates.average.shape[0]), np.int64)
        if self._kept.size:
            tail = (1 - level) / 2
            if not math.isinf(self._tail.n):
                tail = float(norm.sf(self._tail.quantile(1 - tail)))
            for i in (0, 1):
                self._ranks[i].sort(axis=0)
                low = math.floor(tail * (self.n_replicates - 1))
                out[2 * i, self._kept] = self._ranks[i, low]
                out[2 * i + 1, self._kept] = self._ranks[i, self.n_replicates - 1 - low]
        return out
