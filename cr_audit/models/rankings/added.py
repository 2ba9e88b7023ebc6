"""What added comparisons do to win rates and to the order of the items that were there before.

A paired bootstrap: rows that were there before get the same multiplier before and after, so only
what the added rows bring (and what scatter they have) moves the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray
from cr_audit.distributions import norm
from cr_audit.errors import ComputeError
from cr_audit.labels import cluster_labels
from cr_audit.models.rankings.rates import (
    TIE_TOLERANCE,
    Sums,
    WinRates,
    competition_ranks,
    positive_weights,
    win_rates,
)
from cr_audit.models.rankings.shifts import Resampler, in_turn, multipliers

MAX_STORED = 20_000_000
"""Replicates times items of which differences are kept: 160 MB for each of the two rates."""
MAX_PAIRED = 2_000
"""Of a larger component only so many items, the best ones before, are looked at pair by pair."""
HEAVY = 10.0
"""An added row that weighs more than so many of the old ones' median is not drawn anew."""
_DIGITS = 9
"""Errors are rounded to so many significant digits: the last ones depend on how a sum was split."""


@dataclass(frozen=True, slots=True, eq=False)
class Flips:
    """Pairs whose order turned: ``ahead`` led ``behind`` before, and trails it after.

    change : float64 (k,) > 0, how far the difference of the two rates moved; error : its standard
    error; beyond_noise : bool (k,), change > critical value times error.
    """

    ahead: IntArray
    behind: IntArray
    change: FloatArray
    error: FloatArray
    beyond_noise: BoolArray

    @property
    def n(self) -> int:
        """Turned pairs."""
        return int(self.ahead.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class RateChange:
    """One kind of win rate before and after. All arrays (m,); NaN and 0 for items that were not
    compared before.

    before, after, change = after - before, error : float64. beyond_noise : bool, |change| exceeds
    the critical value times its error. rank_before, rank_after : int64, competition ranks among the
    items of one component of the graph *before*; items that are new take no rank from anyone.
    flips : turned pairs within those components.
    """

    before: FloatArray
    after: FloatArray
    change: FloatArray
    error: FloatArray
    beyond_noise: BoolArray
    rank_before: IntArray
    rank_after: IntArray
    flips: Flips


@dataclass(frozen=True, slots=True, eq=False)
class AddedRows:
    """average, weighted (None without weights) : see ``RateChange``. component : int64 (m,), of the
    graph before, -1 for items that were not in it. touched : bool (m,), the component got rows.
    n_tests : items in touched components, the family of the Bonferroni correction."""

    average: RateChange
    weighted: RateChange | None
    component: IntArray
    touched: BoolArray
    n_tests: int
    n_replicates: int
    confidence_level: float
    critical_value: float
    settings: Mapping[str, Any] = field(default_factory=dict)


def effect_of_added_rows(
    comparisons: Comparisons,
    added: BoolArray,
    *,
    weights: tuple[FloatArray, FloatArray] | None,
    weight_draws: tuple[FloatArray, FloatArray] | None = None,
    clusters: IntArray | None = None,
    count_weighted: bool = False,
    n_replicates: int = 1000,
    confidence_level: float = 0.99,
    rng: np.random.Generator,
) -> AddedRows:
    """How win rates and the order of the old items change when rows are added.

    comparisons : all n rows; added : bool (n,), the new ones. weights : before and after, each
    float64 (m,), 0 for items that are new; weight_draws : the same with shape (s, m), carrying the
    Monte-Carlo error. clusters, count_weighted : as ``bootstrap_win_rates``, whose multiplier
    bootstrap this is, one multiplier per cluster used for both rates.

    beyond_noise of an item: |change| > z error, of a flip: the change of the difference of the two
    rates > z its error; z = Phi^-1(1 - (1 - confidence_level) / (2 n_tests)) (Bonferroni). A flip
    is therefore called one only if the added rows moved the two items against each other by more
    than resampling does; that the order before was itself uncertain does not excuse it.

    Time: O(n_replicates (n + pairs)) and, per component of c items, O(n_replicates c^2). Raises
    ComputeError if there is no old row, or no new one.
    """
    old = ~added
    if not old.any() or not added.any():
        raise ComputeError("nothing-added", "there must be old comparisons and new ones")
    before = comparisons.take(old)
    m = comparisons.n_items
    given = None if weights is None else tuple(positive_weights(w, m) for w in weights)
    flat = np.full(m, 1.0 / max(m, 1))
    sides = given or (flat, flat)
    first = win_rates(before, sides[0], count_weighted=count_weighted)
    second = win_rates(comparisons, sides[1], count_weighted=count_weighted)
    touched = _touched(first, comparisons, added)
    kept = np.flatnonzero(touched)
    n = max(50, min(n_replicates, MAX_STORED // max(kept.size, 1)))
    labels, heavy = _heavy_apart(cluster_labels(clusters, comparisons.n), comparisons.mass, added)
    draws = _differences(
        (before, comparisons),
        (labels[old], labels),
        (first, second),
        sides,
        weight_draws,
        kept,
        count_weighted,
        n,
        heavy,
        rng,
    )
    n_tests = max(int(kept.size), 1)
    critical = float(norm.ppf(1.0 - (1.0 - confidence_level) / (2.0 * n_tests)))
    component = first.component
    return AddedRows(
        average=_change(first.average, second.average, component, kept, draws[0], critical),
        weighted=None
        if given is None
        else _change(first.weighted, second.weighted, component, kept, draws[1], critical),
        component=component,
        touched=touched,
        n_tests=n_tests,
        n_replicates=n,
        confidence_level=confidence_level,
        critical_value=critical,
        settings={"count_weighted": count_weighted, "clustered": clusters is not None},
    )


def _heavy_apart(labels: IntArray, mass: FloatArray, added: BoolArray) -> tuple[IntArray, IntArray]:
    """The labels, with added rows that weigh more than ``HEAVY`` times the median of the old ones
    as clusters of their own, behind the others; and these clusters.

    Drawn anew, such a row is in or out, and its error is as large as what it moves: the heavier it
    is, the less it would be beyond noise. It is one judgement, and it is in the data.
    """
    rows = np.flatnonzero(added & (mass > HEAVY * float(np.median(mass[~added]))))
    apart = int(labels.max(initial=-1)) + 1 + np.arange(rows.size)
    out = labels.copy()
    out[rows] = apart
    return out, apart


def _touched(before: WinRates, comparisons: Comparisons, added: BoolArray) -> BoolArray:
    """Old items in components to which at least one new row was added."""
    component = before.component
    hit = np.zeros(int(component.max(initial=-1)) + 2, np.bool_)
    hit[component[comparisons.winner[added]]] = True
    hit[component[comparisons.loser[added]]] = True
    out: BoolArray = hit[component] & (component >= 0)
    return out


def _differences(
    data: tuple[Comparisons, Comparisons],
    labels: tuple[IntArray, IntArray],
    rates: tuple[WinRates, WinRates],
    weights: tuple[FloatArray, ...],
    draws: tuple[FloatArray, FloatArray] | None,
    kept: IntArray,
    count_weighted: bool,
    n: int,
    heavy: IntArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """after - before of the average and of the weighted rate, (n, kept), over replicates.

    heavy : int64, clusters that are not drawn.
    """
    out = np.zeros((2, n, kept.size))
    n_clusters = int(labels[1].max()) + 1
    parts = []
    for i in (0, 1):
        pairs = data[i].proportions()
        resample = Resampler(data[i], pairs, rates[i].average, labels[i])
        count = pairs.mass if count_weighted else np.ones(pairs.p.shape[0])
        parts.append((Sums(pairs, count_weighted), resample, count))
    n_pairs = max(count.shape[0] for _, _, count in parts)
    for start, g in multipliers(n_clusters, n, n_pairs, rng):
        at = slice(start, start + g.shape[1])
        g[heavy] = 0.0
        for i, sign in ((0, -1.0), (1, 1.0)):
            sums, resample, count = parts[i]
            w = weights[i] if draws is None else in_turn(draws[i], start, g.shape[1])
            moved = resample.moved_by(g[: resample.n_clusters])
            for rates_moved, total in zip(sums.replicates(moved, count, w), out, strict=True):
                total[at] += sign * rates_moved[kept].T
    return out[0], out[1]


def _change(
    before: FloatArray,
    after: FloatArray,
    component: IntArray,
    kept: IntArray,
    draws: FloatArray,
    critical: float,
) -> RateChange:
    m = before.shape[0]
    error = np.full(m, np.nan)
    error[kept] = _rounded(draws.std(axis=0, ddof=1)) if kept.size else 0.0
    change = np.where(component >= 0, after - before, np.nan)
    beyond = np.zeros(m, np.bool_)
    beyond[kept] = np.abs(change[kept]) > np.maximum(critical * error[kept], TIE_TOLERANCE)
    ranks = [
        competition_ranks(np.where(component >= 0, x, np.nan), component) for x in (before, after)
    ]
    return RateChange(
        before=np.where(component >= 0, before, np.nan),
        after=np.where(component >= 0, after, np.nan),
        change=change,
        error=error,
        beyond_noise=beyond,
        rank_before=ranks[0],
        rank_after=ranks[1],
        flips=_flips(before, after, component, kept, draws, critical),
    )


def _rounded(x: FloatArray) -> FloatArray:
    positive = x > 0
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.where(positive, x, 1.0))))
    out: FloatArray = np.where(positive, np.round(x * scale) / scale, 0.0)
    return out


def _flips(
    before: FloatArray,
    after: FloatArray,
    component: IntArray,
    kept: IntArray,
    draws: FloatArray,
    critical: float,
) -> Flips:
    """Turned pairs of every touched component; quadratic in a component's size, see MAX_PAIRED."""
    found: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
    order = np.argsort(component[kept], kind="stable")
    ends = np.flatnonzero(np.diff(component[kept][order])) + 1
    for columns in np.split(order, ends):
        items = kept[columns]
        best = np.lexsort((items, -before[items]))[:MAX_PAIRED]
        items, columns = items[best], columns[best]
        gap_before = before[items][:, None] - before[items]
        gap_after = after[items][:, None] - after[items]
        i, j = np.nonzero((gap_before > TIE_TOLERANCE) & (gap_after < -TIE_TOLERANCE))
        if i.size == 0:
            continue
        centred = draws[:, columns] - draws[:, columns].mean(axis=0)
        covariance = centred.T @ centred / (draws.shape[0] - 1)
        own = np.diag(covariance)
        variance = np.maximum(own[i] + own[j] - 2.0 * covariance[i, j], 0.0)
        found.append(
            (items[i], items[j], gap_before[i, j] - gap_after[i, j], _rounded(np.sqrt(variance)))
        )
    none: IntArray = np.zeros(0, np.int64)
    if not found:
        return Flips(none, none, np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))
    ahead, behind, change, error = (np.concatenate(x) for x in zip(*found, strict=True))
    beyond = change > np.maximum(critical * error, TIE_TOLERANCE)
    return Flips(ahead, behind, change, error, beyond)
