"""Places of items whose scores are estimates: ranges of ranks, groups, and who may lead.

Two different promises are kept apart:

* ``places`` is about *all* pairs at once: with probability of at least ``level`` every range holds
  the item's true rank, and no two items that are truly equal are told apart. Differences are
  compared with the quantile of the largest deviation over all pairs (Tukey's idea with the
  bootstrap's own dependence), so the error rate 1 - level is that of the whole table.
* ``leading`` is a probability: the chance that an item truly leads, given the data, if the true
  scores are spread normally with the spread that the data show.

Sources: Mogstad, Romano, Shaikh & Wilhelm (2024) for ranks from simultaneous intervals of
differences; Hall & Miller (2009) for why shares of resamples mislead near ties; Efron & Morris
(1973) for the spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.engine import one_blas_thread
from cr_audit.engine.tails import norm, t
from cr_audit.models.ranks import ranks

TIE = 1e-9
"""Scores closer than this are one place: rounding is not an order."""
SMALLEST_FREEDOM = 0.1
"""Of hardly more than one cluster: draws that are wider than anything by then."""
MAX_BOOTSTRAPPED = 400
"""Items up to which the largest deviation is taken over the replicates of every pair; beyond, every
pair is tested at level (1 - level)/pairs (Bonferroni)."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Within components; rank 1 is the best, 0 without data.

    rank : int64 (m,), competition ranks, scores within TIE sharing the better one.
    low, high : int64 (m,), the range of ranks that the data leave at simultaneous ``level``.
    tied : bool (m,), another item of the component has the same rank.
    groups : (first, last) int64 (g, 2), positions in ``order``: the longest runs in which no two
    items can be told apart; every item is in one. They may overlap.
    order : int64 (n,), items by component, then rank, then index.
    critical : what |difference|/error must exceed. simultaneous : "bootstrap" or "bonferroni".
    """

    rank: IntArray
    low: IntArray
    high: IntArray
    tied: BoolArray
    order: IntArray
    groups: IntArray
    critical: float
    simultaneous: str
    level: float


def competition_ranks(scores: FloatArray, component: IntArray, *, tie: float = TIE) -> IntArray:
    """1 = best within each component; a score within ``tie`` of the one before it shares its rank.

    scores : float64 (m,) or (b, m), one ranking per row; NaN, or component -1: rank 0.
    """
    return ranks(scores, component, tie=tie, missing=0)


def leaders(rank: IntArray, component: IntArray) -> IntArray:
    """The items at rank 1 of component 0, all of them where they tie; int64."""
    return np.flatnonzero((rank == 1) & (component == 0))


def places(
    scores: FloatArray,
    covariance: FloatArray,
    replicates: FloatArray | None,
    component: IntArray,
    *,
    level: float = 0.95,
    n_units: float | None = None,
) -> Places:
    """Ranks, their ranges, and groups that cannot be told apart.

    covariance : float64 (m, m). replicates : float64 (b, m) of the scores, or None: Bonferroni.
    n_units : clusters resampled; few of them know their spread badly, and the critical value is
    widened as a normal quantile becomes Student's t. Memory: m² numbers, and b + m² per row block.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level!r}")
    variance = np.diag(covariance)
    error = np.sqrt(np.maximum(variance[:, None] + variance[None, :] - 2.0 * covariance, 0.0))
    same = (component[:, None] == component[None, :]) & (component >= 0)[:, None]
    np.fill_diagonal(same, False)
    n_pairs = int(same.sum()) // 2
    if replicates is not None and scores.shape[0] <= MAX_BOOTSTRAPPED and n_pairs:
        critical = _largest_deviation(scores, error, replicates, same, level)
        how = "bootstrap"
    else:
        critical = float(norm.isf(0.5 * (1.0 - level) / max(n_pairs, 1)))
        how = "bonferroni"
    if n_units is not None:
        tail = float(norm.sf(critical))
        critical = float(t.isf(tail, n_units - 1.0)) if n_units > 1.0 else np.inf
    with np.errstate(invalid="ignore"):
        gap = scores[:, None] - scores[None, :]
        above = same & (gap > np.maximum(critical * error, TIE))
    rank = competition_ranks(scores, component)
    size = np.bincount(component[component >= 0], minlength=1)
    known = rank > 0
    order = np.flatnonzero(known)
    order = order[np.lexsort((order, rank[order], component[order]))]
    tied = known & (((rank[:, None] == rank[None, :]) & same).any(axis=1))
    return Places(
        rank=rank,
        low=np.where(known, 1 + above.sum(axis=0), 0),
        high=np.where(known, size[np.maximum(component, 0)] - above.sum(axis=1), 0),
        tied=tied,
        order=order,
        groups=_groups(above[np.ix_(order, order)], component[order]),
        critical=critical,
        simultaneous=how,
        level=level,
    )


def _largest_deviation(
    scores: FloatArray, error: FloatArray, replicates: FloatArray, same: BoolArray, level: float
) -> float:
    """Quantile ``level`` over replicates of max over pairs |Δ* - Δ|/error."""
    first, second = np.nonzero(np.triu(same, 1) & (error > 0))
    if first.size == 0:
        return 0.0
    inverse = 1.0 / error[first, second]
    moved = np.nan_to_num(replicates - scores)
    largest = np.zeros(replicates.shape[0])
    for b in range(replicates.shape[0]):
        row = moved[b]
        largest[b] = np.abs((row[first] - row[second]) * inverse).max()
    return float(np.quantile(largest, level, method="higher"))


def _groups(above: BoolArray, component: IntArray) -> IntArray:
    """Maximal runs [first, last] of the order within which nobody is above anybody; (g, 2)."""
    n = above.shape[0]
    if n == 0:
        return np.zeros((0, 2), np.int64)
    either = above | above.T | (component[:, None] != component[None, :])
    # blocked[j]: the latest i <= j that j can be told apart from.
    position = np.where(either & (np.arange(n)[None, :] < np.arange(n)[:, None]), np.arange(n), -1)
    start = np.maximum.accumulate(position.max(axis=1)) + 1
    last = np.flatnonzero(np.append(start[1:] != start[:-1], True))
    return np.stack([start[last], last], axis=1).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Leading:
    """probability : float64 (m,), of truly leading component 0, sums to 1; 0 elsewhere.

    spread : the normal standard deviation of the true scores that the data show. share : float64
    (m,), of the replicates in which the item leads, ties in equal parts: what the probability is
    where the spread is large against the errors. spread 0 means that nothing tells the items apart.
    """

    probability: FloatArray
    spread: float
    share: FloatArray


def leading(
    scores: FloatArray,
    covariance: FloatArray,
    component: IntArray,
    *,
    spread: float | None = None,
    shared: FloatArray | None = None,
    freedom: float = np.inf,
    n_draws: int = 20_000,
    rng: np.random.Generator,
) -> Leading:
    """Posterior chance of leading, for scores ~ N(true, covariance), true ~ N(μ 1, s² I).

    s maximises the likelihood of the contrasts of the scores (μ is unknown). The posterior is
    normal with mean S (S + C)⁻¹ scores and covariance S - S (S + C)⁻¹ S over contrasts; the share
    of draws in which an item is largest is its probability. A share of bootstrap resamples is the
    limit s -> ∞, and too sure of itself where s is not large against the errors.
    spread : s, estimated where None; infinite where the scores and their covariance come from a fit
    that has a prior of its own (``ties.fit.covariance``).
    freedom : degrees of freedom with which the covariance is known; the posterior is then Student's
    t of many dimensions: one factor √(f/χ²_f) for all items of a draw.
    shared : float64 (m, m), the part of ``covariance`` that comes of what clusters share. People
    who judge more or less well than others agree on the order and differ in how far items lie
    apart: the spread over them is largest along the scores themselves. Taken for noise of one
    direction like any other, it would shrink whoever lies along it and let another lead. What it
    has there above its other directions stretches all scores alike: it is drawn, not shrunk.
    """
    member = np.flatnonzero((component == 0) & np.isfinite(scores))
    out, share = np.zeros(scores.shape[0]), np.zeros(scores.shape[0])
    n = member.size
    if n == 0:
        return Leading(out, 0.0, share)
    if n == 1:
        out[member] = share[member] = 1.0
        return Leading(out, 0.0, share)
    with one_blas_thread():
        centre = np.eye(n) - 1.0 / n
        cov = centre @ covariance[np.ix_(member, member)] @ centre
        stretch = np.zeros(n)
        if shared is not None:
            cov, stretch = _stretched(
                cov, centre @ shared[np.ix_(member, member)] @ centre, centre @ scores[member]
            )
        values, vectors = eigh(cov + np.full((n, n), -1.0))  # the constant goes to -n, first
        values, vectors = np.maximum(values[1:], 0.0), vectors[:, 1:]
        found = vectors.T @ scores[member]
        spread2 = _spread(found, values) if spread is None else spread**2
        shrink = np.ones_like(values)
        if np.isfinite(spread2):
            shrink = spread2 / (spread2 + values) if spread2 > 0 else np.zeros_like(values)
        noise = rng.standard_normal((n_draws, n - 1))
        along = rng.standard_normal((n_draws, 1)) * stretch if stretch.any() else 0.0
        wide = np.ones((n_draws, 1))
        if np.isfinite(freedom):
            f = max(freedom, SMALLEST_FREEDOM)
            wide = np.sqrt(f / np.maximum(rng.chisquare(f, (n_draws, 1)), 1e-300))
        posterior = (noise * np.sqrt(shrink * values)) @ vectors.T + along
        # The tie of equal items with no error at all is a tie in every draw.
        out[member] = _first_share(vectors @ (shrink * found) + wide * posterior)
        drawn = (noise * np.sqrt(values)) @ vectors.T + along
        share[member] = _first_share(vectors @ found + wide * drawn)
    return Leading(out, float(np.sqrt(spread2)), share)


def _stretched(
    cov: FloatArray, shared: FloatArray, scores: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """``cov`` without what ``shared`` has along the scores above the mean of its other directions,
    and that as a multiple of the scores (0 where there is nothing above, or no other direction)."""
    n, norm2 = scores.shape[0], float(scores @ scores)
    if n < 3 or norm2 == 0.0:
        return cov, np.zeros(n)
    unit = scores / np.sqrt(norm2)
    with_it = shared @ unit
    here = float(unit @ with_it)
    others = (float(np.trace(shared)) - here) / (n - 2)
    if here <= others:
        return cov, np.zeros(n)
    # Pᵀ shared P + others · unit unitᵀ in the place of ``shared``, P = I - unit unitᵀ.
    cross = np.outer(unit, with_it - here * unit)
    less = cross + cross.T + (here - others) * np.outer(unit, unit)
    return cov - less, np.sqrt(here - others) * unit


def _spread(found: FloatArray, values: FloatArray) -> float:
    """s² >= 0 that maximises Σ log N(found_i; 0, s² + value_i)."""
    top = float((found**2).mean())
    if top == 0.0:
        return 0.0
    floor = max(1e-12 * top, float(values.max()) * 1e-9)

    def loss(log_s2: float) -> float:
        total = np.exp(log_s2) + np.maximum(values, floor)
        return float((np.log(total) + found**2 / total).sum())

    low, high = np.log(floor), np.log(4.0 * top * found.size)
    from scipy.optimize import minimize_scalar

    best = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    at_zero = np.maximum(values, floor)
    zero = float((np.log(at_zero) + found**2 / at_zero).sum())
    return 0.0 if zero <= best.fun + 1e-9 else float(np.exp(best.x))


def _first_share(draws: FloatArray) -> FloatArray:
    first = draws >= draws.max(axis=1, keepdims=True) - TIE
    out: FloatArray = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return out


def percentile(replicates: FloatArray, level: float) -> FloatArray:
    """Equal-tailed interval over axis 0, float64 (m, 2); NaN where a column has NaN."""
    tail = 0.5 * (1.0 - level)
    out: FloatArray = np.quantile(replicates, [tail, 1.0 - tail], axis=0).T
    return out


__all__ = [
    "Leading",
    "Places",
    "competition_ranks",
    "leaders",
    "leading",
    "percentile",
    "places",
]
