"""Which items change their place between two rankings of the same comparisons, beyond noise.

One rule for every table. Two scores per item (standard and weighted; win rates, rewards, places on
two boards) are estimated from the same units (votes, annotators, prompts). An item is *marked* if
some other item of its component stands on one side of it in truth under the first score and on the
other side under the second. What is tested:

1. A pair (x, y) that changes sides in the estimates has z = the smaller of its two gaps in units of
   their standard errors. Were one of the two true orders the same as the other, its gap would have
   the wrong sign or be 0, so that P(T > z | T > 0) <= 2 P(T > z) is a p-value given that the pair
   was seen to change sides (the intersection-union test of Berger 1982, conditional on what was
   selected). T is Student's t with the degrees of freedom of the gap's own units: an item that is
   judged by few votes, or whose weight rests on a handful of opponents, is hard to mark.
2. The pairs that change sides pass the rule of Benjamini and Hochberg at ``1 - level``; an item is
   marked if a pair of it passes. So of the changes behind the marks at most that share is expected
   to be there by chance; that the marked *items* keep the rate too is measured where it could fail
   (benchmarks/README.md, "Marks"). Bounding the items' rate by Simes' p-values instead found two
   thirds as many planted changes and no fewer false ones.

A share of bootstrap replicates in which a rank differs is no such p-value: ranks saturate at the
ends and differ almost always among near-ties.

``q_value`` of an item: the smallest false-discovery rate at which it would be marked. 1 minus it is
not the chance of the change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray
from cr_audit.engine.tails import t
from cr_audit.labels import cluster_labels

TIE = 1e-7
"""Scores closer than this are one rank: solver noise and exact clones are not orders."""
MAX_PAIRS = 500_000
"""Pairs ordered differently by the two scores that are tested: those of the widest margins."""
BLOCK = 1_000_000
"""Numbers held at once."""
OWN_VOTES = 10.0
"""From about this many votes on, a pair's own votes say how much they scatter."""
TINY = 1e-12

Holds = Callable[[IntArray, IntArray], BoolArray]
"""(x, y), int64 (k,) each, x above y under the first score -> bool (k,): does the change of the
pair hold under every setting that the data leave open?"""


class Gaps(Protocol):
    """Knows how uncertain the differences of two items' scores are."""

    def errors(self, x: IntArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
        """Standard errors of score(x) - score(y) and their degrees of freedom, (2, k) each: the
        first row under the first score, the second under the second."""


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """What each unit adds to each score, once the score's estimate is linearised.

    units : csr (m, u), units' contributions; Σ over units is about 0, Σ of squares of a difference
    of two rows is the variance of that difference. extra : float64 (m, s) draws of the score from
    another, independent source (Monte-Carlo weights), or None.
    n_units : independent units (effective number), which bounds the degrees of freedom.
    """

    units: sp.csr_array
    extra: FloatArray | None = None
    n_units: float = np.inf


@dataclass(frozen=True, slots=True, eq=False)
class InfluenceGaps:
    """``Gaps`` of two scores given by their influences.

    Degrees of freedom: (Σ v²)²/Σ v⁴ - 1 of the units' contributions v to the difference, at most
    n_units - 1 (Satterthwaite 1946 with the units' own squares); ``extra`` draws add their variance
    with s - 1 degrees. Memory: BLOCK numbers and the squares of the influences.
    """

    first: Influence
    second: Influence

    def errors(self, x: IntArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
        """Standard errors of the gap of x and y, degrees of freedom: float64 (2, n) each."""
        found = [_difference(i, x, y) for i in (self.first, self.second)]
        return np.stack([f[0] for f in found]), np.stack([f[1] for f in found])


def _difference(of: Influence, x: IntArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
    u = of.units
    square, cube = sp.csr_array(u.power(2)), sp.csr_array(u.power(3))
    two = np.asarray(square.sum(axis=1)).ravel()
    four = np.asarray(u.power(4).sum(axis=1)).ravel()
    turned = (sp.csc_array(u.T), sp.csc_array(square.T))
    variance, fourth = np.empty(x.shape[0]), np.empty(x.shape[0])
    order = np.argsort(x, kind="stable")
    size = max(1, BLOCK // max(u.shape[0], 1))
    rows = np.unique(x)
    for start in range(0, rows.size, size):
        block = rows[start : start + size]
        at = order[np.searchsorted(x[order], block[0]) : np.searchsorted(x[order], block[-1] + 1)]
        i, j = np.searchsorted(block, x[at]), y[at]

        def product(left: sp.csr_array, right: sp.csc_array) -> FloatArray:
            return np.asarray((left[block] @ right).toarray()[i, j])  # noqa: B023

        # Σ (a - b)² and Σ (a - b)⁴, multiplied out.
        variance[at] = two[x[at]] + two[j] - 2.0 * product(u, turned[0])
        mixed = product(cube, turned[0]) + np.asarray(
            (u[block] @ sp.csc_array(cube.T)).toarray()[i, j]
        )
        fourth[at] = four[x[at]] + four[j] - 4.0 * mixed + 6.0 * product(square, turned[1])
    variance = np.maximum(variance, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = np.minimum(variance**2 / np.maximum(fourth, TINY**2), of.n_units) - 1.0
    if of.extra is not None:
        draws = of.extra
        more = np.empty(x.shape[0])
        size = max(1, BLOCK // draws.shape[1])
        for start in range(0, x.shape[0], size):
            part = slice(start, start + size)
            more[part] = (draws[x[part]] - draws[y[part]]).var(axis=1, ddof=1)
        total = variance + more
        with np.errstate(divide="ignore", invalid="ignore"):
            share = variance**2 / np.maximum(degrees, TINY) + more**2 / (draws.shape[1] - 1)
            degrees = np.where(degrees > 0, total**2 / np.maximum(share, TINY**2), degrees)
        variance = total
    return np.sqrt(variance), degrees


@dataclass(frozen=True, slots=True, eq=False)
class CovarianceGaps:
    """``Gaps`` from the covariances of both scores, float64 (m, m) each; n_units - 1 degrees of
    freedom."""

    first: FloatArray
    second: FloatArray
    n_units: float = np.inf

    def errors(self, x: IntArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
        """As ``InfluenceGaps.errors``, from two covariance matrices."""
        error = np.stack(
            [
                np.sqrt(np.maximum(c[x, x] + c[y, y] - 2.0 * c[x, y], 0.0))
                for c in (self.first, self.second)
            ]
        )
        return error, np.full_like(error, self.n_units - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class ReplicateGaps:
    """``Gaps`` from replicates of both scores, float64 (2, b, m), NaN where a score is missing.

    n_units : what was resampled, one number or float64 (m,), of what bears on each item: a pair
    has the fewer of its two. n - 1 degrees of freedom, and the factor √(n/(n - 1)) that resampling
    loses.
    """

    replicates: FloatArray
    n_units: float | FloatArray = np.inf

    def errors(self, x: IntArray, y: IntArray) -> tuple[FloatArray, FloatArray]:
        """As ``InfluenceGaps.errors``, from replicates of both rates."""
        b, m = self.replicates.shape[1:]
        out = np.empty((2, x.shape[0]))
        size = max(1, BLOCK // b)
        for start in range(0, x.shape[0], size):
            part = slice(start, start + size)
            for k in (0, 1):
                drawn = self.replicates[k][:, x[part]] - self.replicates[k][:, y[part]]
                known = np.isfinite(drawn)
                n = known.sum(axis=0)
                mean = np.where(known, drawn, 0.0).sum(axis=0) / np.maximum(n, 1)
                square = (np.where(known, drawn - mean, 0.0) ** 2).sum(axis=0)
                out[k, part] = np.where(n > 1, np.sqrt(square / np.maximum(n - 1, 1)), np.inf)
        units = np.broadcast_to(np.asarray(self.n_units, dtype=np.float64), (m,))
        freedom = np.maximum(np.minimum(units[x], units[y]) - 1.0, 0.0)
        with np.errstate(divide="ignore"):
            out *= np.sqrt(1.0 + 1.0 / freedom)
        return out, np.stack([freedom, freedom])


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Per item; q_value 1 where no pair of the item changes sides in the estimates.

    marked : bool (m,), q_value <= 1 - level. q_value : float64 (m,), the smallest of its pairs.
    partner : int64 (m,), whom the item most surely changes sides with, -1 for nobody. n_changes :
    int64 (m,), pairs of the item that change sides. n_pairs, n_tested : pairs that change sides in
    all, and those of them that were tested (the widest).
    above, below, pair_p_value, pair_q_value : the tested pairs, ``above`` first under the first
    score.
    """

    marked: BoolArray
    q_value: FloatArray
    partner: IntArray
    n_changes: IntArray
    n_pairs: int
    n_tested: int
    level: float
    above: IntArray
    below: IntArray
    pair_p_value: FloatArray
    pair_q_value: FloatArray

    @property
    def sure(self) -> FloatArray:
        """1 - ``q_value``, float64 (m,), 0 where the item changes sides with nobody: of the items
        with at least some value, at most the rest is expected to be there by chance. It is the
        promise about a list, not the chance of one change."""
        return 1.0 - self.q_value


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
        block = max(1, BLOCK // members.size)
        for start in range(0, members.size, block):
            da = a[start : start + block, None] - a
            db = b - b[start : start + block, None]
            margin = np.minimum(da, db)
            x, y = np.nonzero(margin > TIE)
            count += x.size
            above.append(members[start + x])
            below.append(members[y])
            margins.append(margin[x, y])
            if sum(v.size for v in margins) > 2 * max_pairs:
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


def mark_changes(
    first: FloatArray,
    second: FloatArray,
    component: IntArray,
    gaps: Gaps,
    *,
    level: float = 0.9,
    holds: Holds | None = None,
) -> Marks:
    """Mark the items whose place among the others differs between ``first`` and ``second``.

    first, second : float64 (m,), NaN without data. component : int64 (m,), -1 without data; pairs
    across components are not compared. holds : pairs whose change does not hold are never marked
    and count as tested (``penalty.PenaltyPath.holds`` for the penalty).
    ``1 - level`` is the false-discovery rate. Time O(m²) to find the pairs.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level!r}")
    m = first.shape[0]
    above, below, count = discordant_pairs(first, second, component, max_pairs=MAX_PAIRS)
    if above.size:
        error, degrees = gaps.errors(above, below)
        seen = np.stack([first[above] - first[below], second[below] - second[above]])
        with np.errstate(divide="ignore", invalid="ignore"):
            z = seen / error
        p = np.minimum(2.0 * _tail(z, degrees).max(axis=0), 1.0)
    else:
        p = np.zeros(0)
    if holds is not None:
        p = np.where(holds(above, below), p, 1.0)
    q = adjusted(p, count)
    item_q, partner, n_changes = _by_item(above, below, p, q, m)
    return Marks(
        # A hair of room, so that 0.1 is not above 1 - 0.9.
        marked=item_q <= 1.0 - level + TINY,
        q_value=item_q,
        partner=partner,
        n_changes=n_changes,
        n_pairs=count,
        n_tested=int(above.size),
        level=level,
        above=above,
        below=below,
        pair_p_value=p,
        pair_q_value=q,
    )


def _tail(z: FloatArray, degrees: FloatArray) -> FloatArray:
    """P(T > z); 1/2 where nothing is known of the error."""
    unknown = ~np.isfinite(z) | (degrees <= 0)
    out = t.sf(np.where(unknown, 0.0, z), np.where(unknown, 1.0, np.minimum(degrees, 1e9)))
    return np.where(unknown, 0.5, out)


def adjusted(p: FloatArray, count: int) -> FloatArray:
    """Benjamini and Hochberg's adjusted p-values among ``count`` tests, of which ``p`` are the
    smallest: min over k' >= k of p_(k') count/k', at most 1."""
    order = np.argsort(p, kind="stable")
    steps = np.arange(1, p.size + 1)
    scaled = p[order] * (count / np.maximum(steps, 1))
    out = np.empty(p.size)
    out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return out


def _by_item(
    above: IntArray, below: IntArray, p: FloatArray, q: FloatArray, m: int
) -> tuple[FloatArray, IntArray, IntArray]:
    """Per item the smallest q of its pairs, the partner of its smallest p, and how many pairs."""
    item = np.concatenate([above, below])
    other = np.concatenate([below, above])
    order = np.lexsort((other, np.concatenate([p, p]), item))
    item, other, value = item[order], other[order], np.concatenate([q, q])[order]
    n = np.bincount(item, minlength=m)
    start = np.concatenate([[0], np.cumsum(n)])[:-1]
    some = n > 0
    out, partner = np.ones(m), np.full(m, -1, np.int64)
    out[some], partner[some] = value[start[some]], other[start[some]]
    return out, partner, n.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class RateInfluences:
    """Average and weighted win rates with their influences; ``gaps`` is what ``mark_changes``
    asks. average, weighted : float64 (m,), as ``rankings.win_rates``."""

    average: FloatArray
    weighted: FloatArray
    gaps: InfluenceGaps


def rate_influences(
    comparisons: Comparisons,
    weights: FloatArray,
    *,
    clusters: IntArray | None = None,
    weight_draws: FloatArray | None = None,
    count_weighted: bool = False,
) -> RateInfluences:
    """How every cluster of comparisons moves the average and the weighted win rates.

    A rate is Σ_y c(x, y) p(x≻y) over x itself and its opponents, c = w(y)/Σ w; a comparison of the
    pair moves p by its share of the pair's mass times (outcome - centre). The centre is the pair's
    own p, drawn towards what the win rates of the two against all others predict where the pair has
    few votes (weight t = 10/(n + 9), n effective votes), and scaled so that the expected variance
    is p (1 - p)/n for one vote as for many: a pair that was judged once would else show no error.

    clusters : int64 (n,), rows that go together. weight_draws : float64 (s, m), s >= 2 draws of the
    weights. Memory: O(n + pairs + s m).
    """
    c, m = comparisons, comparisons.n_items
    pairs = c.proportions()
    k = pairs.first.shape[0]
    count = pairs.mass if count_weighted else np.ones(k)
    rows = np.concatenate([pairs.first, pairs.second])
    columns = np.concatenate([np.arange(k), np.arange(k)])
    sign = np.concatenate([np.ones(k), -np.ones(k)])
    opponent = np.concatenate([pairs.second, pairs.first])
    both = np.concatenate([count, count])
    n_opponents = np.bincount(rows, minlength=m)
    own = np.ones(m)
    if count_weighted:
        own = np.bincount(rows, weights=both, minlength=m) / np.maximum(n_opponents, 1)
    won = np.concatenate([pairs.p, 1.0 - pairs.p])

    def rate(w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The rates, and c(x, y) of every side of every pair."""
        below = np.bincount(rows, weights=both * w[opponent], minlength=m) + own * w
        flat = np.where(below > 0, below, 1.0)
        part = both * np.where(below[rows] > 0, w[opponent], 1.0)
        alone = np.where(below > 0, own * w, own)
        total = np.bincount(rows, weights=part, minlength=m) + alone
        share = part / total[rows]
        value = np.bincount(rows, weights=share * won, minlength=m) + 0.5 * alone / total
        return np.where((n_opponents > 0) & (flat > 0), value, np.nan), share

    uniform = np.ones(m)
    average, one = rate(uniform)
    weighted, two = rate(np.asarray(weights, dtype=np.float64))
    labels = cluster_labels(clusters, c.n)
    plain = (0.5 + np.bincount(rows, weights=won, minlength=m)) / (1.0 + n_opponents)
    moved = _pair_influence(c, pairs.first, pairs.second, pairs.p, pairs.mass, plain, labels)

    def influence(share: FloatArray, extra: FloatArray | None) -> Influence:
        side = sp.csr_array((share * sign, (rows, columns)), shape=(m, k))
        return Influence(sp.csr_array(side @ moved), extra, n_units)

    n_units = np.inf
    if clusters is not None:
        mass = np.bincount(labels, weights=c.mass)
        n_units = float(mass.sum()) ** 2 / float((mass**2).sum())
    extra = None
    if weight_draws is not None:
        extra = np.stack([np.nan_to_num(rate(w)[0]) for w in weight_draws], axis=1)
    return RateInfluences(
        average, weighted, InfluenceGaps(influence(one, None), influence(two, extra))
    )


def _pair_influence(
    c: Comparisons,
    first: IntArray,
    second: IntArray,
    p: FloatArray,
    mass: FloatArray,
    average: FloatArray,
    labels: IntArray,
) -> sp.csr_array:
    """How much each cluster moves p of each pair, csr (pairs, clusters)."""
    k, m = first.shape[0], c.n_items
    key = np.minimum(c.winner, c.loser) * np.int64(m) + np.maximum(c.winner, c.loser)
    pair = np.searchsorted(first * np.int64(m) + second, key)
    won = np.where(c.winner < c.loser, c.outcome, 1.0 - c.outcome)
    n_clusters = int(labels.max(initial=-1)) + 1
    cell, inverse = np.unique(pair * np.int64(n_clusters) + labels, return_inverse=True)
    of, cluster = cell // n_clusters, cell % n_clusters
    share = np.bincount(inverse, weights=c.mass, minlength=cell.size) / mass[of]
    wins = np.bincount(inverse, weights=c.mass * won, minlength=cell.size) / mass[of]
    n = 1.0 / np.bincount(of, weights=share**2, minlength=k)
    lean = OWN_VOTES / (n - 1.0 + OWN_VOTES)
    centre = p + lean * (_predicted(first, second, p, average, m) - p)
    scale = np.sqrt(n / (n - 1.0 + lean**2))
    residual = scale[of] * (wins - share * centre[of])
    return sp.csr_array((residual, (of, cluster)), shape=(k, n_clusters))


def _predicted(
    first: IntArray, second: IntArray, p: FloatArray, average: FloatArray, m: int
) -> FloatArray:
    """p of each pair from the win rates of the two against all others, odds over odds."""
    n = np.bincount(first, minlength=m) + np.bincount(second, minlength=m)

    def odds(item: IntArray, own: FloatArray) -> FloatArray:
        rate = (average[item] * (1.0 + n[item]) - own) / n[item]
        return np.asarray(rate / (1.0 - rate))

    one, two = odds(first, p), odds(second, 1.0 - p)
    return np.asarray(one / (one + two))
