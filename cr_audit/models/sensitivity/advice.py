"""Which comparison to collect next: the one after which an answer is least likely to be wrong.

The rewards are given the normal posterior of a count-weighted Bradley-Terry fit with a prior
N(0, τ²) on each (Laplace): mean r, precision Λ = Σ_c n_c σ'(δ_c)(e_i - e_j)(e_i - e_j)ᵀ + I/τ². For
an order r(a) > r(b) with gap g and variance v = eᵀΛ⁻¹e the probability of error is Φ(-|g|/√v). B
more votes on (x, y) add B σ'(δ_xy) to the precision along e_xy; before they are cast their effect
on g is N(0, s²), s² = v - v', and the expected probability of error afterwards is

    E = E_h [ Φ(-|g + s h|/√v') ],   h ~ N(0, 1)

which Gauss-Hermite quadrature takes. One vote alone can hardly change a decision, so its own
expected fall is next to nothing for every pair (the value of information is not concave); what is
compared is therefore the fall *per vote* at the best of several B, as Frazier & Powell (2010,
"Paradoxes in learning and the marginal value of information") advise. One vote of the best pair is
taken, Λ⁻¹ is updated (rank one, at the expected information), and the next one is chosen. Votes of
which nothing is known move nobody's mean in expectation, so a batch can be chosen before any of it
is collected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, ndtr

from cr_audit.arrays import FloatArray, IntArray, Proportions
from cr_audit.engine.blas import one_blas_thread
from cr_audit.models.rewards.tabular import fit_tabular

# Items that may be named in an advice beside those of the orders; a dense covariance of them.
MAX_ITEMS = 2000
# Orders of an answer that count: those of the highest probability of error.
MAX_ORDERS = 20
NODES = 10
# How many votes on one pair are thought of at once; further on by eights, until they would tell
# ENOUGH times what is known of the least certain order.
AHEAD = (1.0, 4.0, 16.0, 64.0)
FURTHER, ENOUGH = 8.0, 4.0
N_DRAWS = 4000
# The prior's standard deviation, in log-odds: wide beside what votes say, never infinite.
PRIOR_DEVIATION = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Advice:
    """first, second : int64 (n,), the pairs to compare, in order of choice. fall : float64 (n,),
    the expected fall per vote of the summed probability of error that each was chosen by. error :
    probability that the first k are not the right ones; error_after : the same as expected after
    all of the votes; both by draws from the posterior. width : float64 (n + 1,), of the interval of
    the least certain order's gap before and after each, at the level asked for."""

    first: IntArray
    second: IntArray
    fall: FloatArray
    error: float
    error_after: float
    width: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """mean : float64 (m,); covariance : float64 (m, m) of the connected items ``items``."""

    items: IntArray
    mean: FloatArray
    covariance: FloatArray


def posterior(
    pairs: Proportions, items: IntArray, *, deviation: float = PRIOR_DEVIATION
) -> Posterior:
    """Laplace posterior of the rewards of ``items`` from the comparisons among them.

    pairs : mass the number of comparisons. ValueError above MAX_ITEMS items.
    """
    m = items.shape[0]
    if m > MAX_ITEMS:
        raise ValueError(f"a posterior of {m} items needs more than {MAX_ITEMS}² numbers")
    local = _among(pairs, items)
    mean = _likeliest(local, deviation)
    q = expit(mean[local.first] - mean[local.second])
    information = local.mass * q * (1.0 - q)
    precision = np.zeros((m, m))
    np.add.at(precision, (local.first, local.second), -information)
    precision += precision.T
    precision[np.arange(m), np.arange(m)] = deviation**-2 - precision.sum(axis=1)
    with one_blas_thread():
        covariance = cho_solve(cho_factor(precision), np.eye(m))
    return Posterior(items, mean, 0.5 * (covariance + covariance.T))


def posterior_mean(
    pairs: Proportions, items: IntArray, *, deviation: float = PRIOR_DEVIATION
) -> FloatArray:
    """``posterior(...).mean`` alone, for any number of items."""
    return _likeliest(_among(pairs, items), deviation)


def _among(pairs: Proportions, items: IntArray) -> Proportions:
    """The pairs of two of ``items``, by their positions."""
    place = np.full(pairs.n_items, -1, np.int64)
    place[items] = np.arange(items.shape[0])
    a, b = place[pairs.first], place[pairs.second]
    keep = (a >= 0) & (b >= 0)
    a, b, p, n = a[keep], b[keep], pairs.p[keep], pairs.mass[keep]
    swap = a > b
    a, b, p = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, 1.0 - p, p)
    order = np.lexsort((b, a))
    return Proportions(items.shape[0], a[order], b[order], p[order], n[order])


def _likeliest(local: Proportions, deviation: float) -> FloatArray:
    """Mode of the posterior; float64 (m,)."""
    m = local.n_items
    if not local.mass.size:
        return np.zeros(m)
    # The count-weighted fit is the likelihood with a prior of variance 1/(κ λ m) on rewards.
    kappa = 2.0 * float(local.mass.sum()) / m**2 / (1.0 - 1.0 / m)
    penalty = 1.0 / (deviation**2 * kappa * m)
    fitted = fit_tabular(local, np.full(m, 1.0 / m), penalty=penalty, count_weighted=True)
    return np.nan_to_num(fitted.rewards)


def order_errors(
    mean: FloatArray, covariance: FloatArray, above: IntArray, below: IntArray
) -> FloatArray:
    """Φ(-gap/√v) for each order; float64 (q,)."""
    gap = mean[above] - mean[below]
    out: FloatArray = ndtr(-gap / np.sqrt(_variance(covariance, above, below)))
    return out


def advise(
    known: Posterior,
    above: IntArray,
    below: IntArray,
    n: int,
    *,
    level: float = 0.95,
    among: tuple[IntArray, IntArray] | None = None,
    rng: np.random.Generator | None = None,
) -> Advice:
    """The next ``n`` comparisons for the answer r(above) > r(below) of every order.

    above, below : positions in ``known.items``. among : the pairs that can be asked for, as
    positions; None: all that have an item of the orders that count on a side. rng : for the two
    probabilities of error; without it they are NaN.
    """
    from cr_audit.engine.tails import norm

    mean, cov = known.mean, known.covariance.copy()
    errors = order_errors(mean, cov, above, below)
    chosen = np.argsort(-errors, kind="stable")[:MAX_ORDERS]
    above, below = above[chosen], below[chosen]
    if among is None:
        among = _candidates(np.unique(np.concatenate([above, below])), mean.shape[0])
    x, y = among
    quantile = 2.0 * float(norm.ppf(0.5 + level / 2.0))
    out: list[tuple[int, int, float]] = []
    widths = [quantile * float(np.sqrt(_variance(cov, above[:1], below[:1])[0]))]
    slope = expit(mean[x] - mean[y])
    slope = slope * (1.0 - slope)
    moves = []
    for _ in range(n if x.size else 0):
        fall = _falls(mean, cov, above, below, x, y, slope)
        best = int(np.argmax(fall))
        i, j = int(x[best]), int(y[best])
        out.append((i, j, float(fall[best])))
        column = cov[:, i] - cov[:, j]
        move = column * np.sqrt(slope[best] / (1.0 + slope[best] * (column[i] - column[j])))
        cov -= np.multiply.outer(move, move)
        moves.append(move)
        widths.append(quantile * float(np.sqrt(_variance(cov, above[:1], below[:1])[0])))
    errors_of = (float("nan"), float("nan"))
    if rng is not None:
        k = int(np.unique(above).size)
        errors_of = _answer_errors(mean, known.covariance, cov, moves, k, rng)
    return Advice(
        first=np.array([i for i, _, _ in out], np.int64),
        second=np.array([j for _, j, _ in out], np.int64),
        fall=np.array([f for _, _, f in out]),
        error=errors_of[0],
        error_after=errors_of[1],
        width=np.array(widths),
    )


def votes_until(
    known: Posterior, above: int, below: int, width: float, *, level: float, limit: int
) -> int:
    """The fewest votes after which the interval of r(above) - r(below) is expected to be at most
    ``width`` wide, each vote on the pair that narrows it most; limit + 1 where that many do not
    suffice. above, below : positions in ``known.items``.
    """
    from cr_audit.engine.tails import norm

    mean, cov = known.mean, known.covariance.copy()
    a, b = np.array([above]), np.array([below])
    x, y = _candidates(np.array([above, below]), mean.shape[0])
    slope = expit(mean[x] - mean[y])
    slope = slope * (1.0 - slope)
    goal = (width / (2.0 * float(norm.ppf(0.5 + level / 2.0)))) ** 2
    for n in range(limit + 1):
        if float(_variance(cov, a, b)[0]) <= goal:
            return n
        along = cov[above, x] - cov[above, y] - cov[below, x] + cov[below, y]
        best = int(np.argmax(slope * along**2 / (1.0 + slope * _variance(cov, x, y))))
        column = cov[:, x[best]] - cov[:, y[best]]
        scale = slope[best] / (1.0 + slope[best] * (column[x[best]] - column[y[best]]))
        cov -= np.multiply.outer(column, column) * scale
    return limit + 1


def _variance(covariance: FloatArray, a: IntArray, b: IntArray) -> FloatArray:
    out = covariance[a, a] + covariance[b, b] - 2.0 * covariance[a, b]
    return np.maximum(out, 1e-300)


def _candidates(named: IntArray, n_items: int) -> tuple[IntArray, IntArray]:
    """Pairs x < y with one of ``named`` on a side."""
    a, b = np.meshgrid(named, np.arange(n_items), indexing="ij")
    low, high = np.minimum(a, b).ravel(), np.maximum(a, b).ravel()
    key = np.unique((low * np.int64(n_items) + high)[low != high])
    return key // n_items, key % n_items


def _falls(
    mean: FloatArray,
    cov: FloatArray,
    above: IntArray,
    below: IntArray,
    x: IntArray,
    y: IntArray,
    slope: FloatArray,
) -> FloatArray:
    """Expected fall of the summed probability of error by one vote on each candidate."""
    from numpy.polynomial.hermite_e import hermegauss

    nodes, weights = hermegauss(NODES)
    weights = weights / weights.sum()
    v = _variance(cov, above, below)
    gap = mean[above] - mean[below]
    along = cov[above][:, x] - cov[above][:, y] - cov[below][:, x] + cov[below][:, y]
    own = _variance(cov, x, y)
    now = float(ndtr(-np.abs(gap) / np.sqrt(v)).sum())
    best = np.zeros(x.shape[0])
    steps = list(AHEAD)
    while steps[-1] * float(slope.max(initial=0.0)) * float(v.min(initial=1.0)) < ENOUGH:
        steps.append(steps[-1] * FURTHER)
    for ahead in steps:
        gain = ahead * slope * along**2 / (1.0 + ahead * slope * own)
        # Votes cannot tell more than there is to know of an order.
        gain = np.minimum(gain, v[:, None] * (1.0 - 1e-9))
        left, spread = np.sqrt(v[:, None] - gain), np.sqrt(gain)
        total = np.zeros(x.shape[0])
        for h, w in zip(nodes, weights, strict=True):
            total += w * ndtr(-np.abs(gap[:, None] + spread * h) / left).sum(axis=0)
        best = np.maximum(best, (now - total) / ahead)
    return best


def _answer_errors(
    mean: FloatArray,
    before: FloatArray,
    after: FloatArray,
    moves: list[FloatArray],
    k: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Probability that the first k by the mean are not the first k, now and after the moves.

    After: the mean will be mean + Σ move h and the truth that plus N(0, after). The same joint
    draws serve both: the truth of a draw is that of now as well, so that the two probabilities
    differ by what the moves do and not by the draws.
    """
    m = mean.shape[0]
    jitter = 1e-12 * float(np.trace(before)) / m * np.eye(m)
    with one_blas_thread():
        future = np.tile(mean, (N_DRAWS, 1))
        if moves:
            future = future + rng.standard_normal((N_DRAWS, len(moves))) @ np.stack(moves)
        truth = future + rng.standard_normal((N_DRAWS, m)) @ np.linalg.cholesky(after + jitter).T
    true = _first(truth, k)
    wrong_now = float(np.any(true != _first(mean[None, :], k), axis=1).mean())
    wrong_then = float(np.any(true != _first(future, k), axis=1).mean())
    return wrong_now, wrong_then


def _first(values: FloatArray, k: int) -> IntArray:
    """The k largest of each row, as ascending indices."""
    top = np.argpartition(-values, k - 1, axis=1)[:, :k]
    return np.sort(top, axis=1).astype(np.int64)
