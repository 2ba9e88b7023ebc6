"""Maximal lotteries: optimal mixed strategies of the game whose payoffs are the margins.

p >= 0, Σ p = 1 and Σ_x p(x) margin(x, y) >= 0 for all y. With A(y, x) = margin(x, y), which is
skew, that is p >= 0, s = A p >= 0, and p's = p'A p = 0: a self-dual problem. One of its solutions
has p + s > 0 (Tucker 1956); its support is the union of the supports of all maximal lotteries, and
who may be drawn then hangs on no solver's choice among them.

**What may be left out first.** (a) Whoever is outside the Smith set: a maximal lottery of the
members beats every outsider, whose margin against each member is negative, so that s > 0 there.
(b) In general: if p, extended by zeros, has s(x) > 0 for every x left out, p is a maximal lottery
of all, and no other one draws x: for optimal q, q'A p >= 0 and = -p'A q <= 0, so q(x) s(x) = 0.
What is left out by a guess is thus checked by one product.

**Method.** The central path p(x) s(x) = mu of the self-dual embedding (Ye, Todd & Mizuno 1994)

    s = A p + theta r,   r'p = beta,    r = s0 - A p0,  beta = p0's0,   theta: 1 -> 0,

for which p's = theta beta, followed by predictor and corrector (Mehrotra 1992) with one
factorisation of diag(s / p) + A a step. It ends inside the set of all maximal lotteries, not at a
corner, and knows no order of the items. Items that the path has all but left are dropped on the
way, (b). A game on which it stalls is solved as a linear programme (HiGHS).

Sources: Fishburn (1984); Laffond, Laslier & Le Breton (1993); Goldman & Tucker (1956).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from cr_audit import engine
from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.errors import ComputeError

SUPPORT = 1e-9
"""A probability of a maximal lottery below this is 0: what the linear programme calls feasible."""
MAX_STEPS = 60
PATH_END = 1e-11
"""mu below which an answer is tried; mu starts at 1."""
GAP = 1e5
"""The larger of p and s is at least so many times the smaller where the path ended: at mu = 1e-11,
0.001 and 1e-8."""
ROUNDING = 1e-10
"""What a lottery may lose against an item, as a margin."""
LEAVING = 1e-2
"""An item whose p / s is below this is dropped on the way, once a quarter of the items are."""
SHORT_OF_WALL = 0.99
"""Share of the way to the nearest bound that a step goes."""


def smith_sets(margins: FloatArray) -> BoolArray:
    """The smallest set whose members all beat everybody outside; bool (b, m)."""
    b, m, _ = margins.shape
    margins = np.nan_to_num(margins)
    beats = margins > 0
    score = np.sign(margins).sum(axis=2)
    order = np.argsort(-score, axis=1, kind="stable")
    row = np.arange(b)[:, None]
    ordered = beats[row[:, :, None], order[:, :, None], order[:, None, :]]
    corner = np.cumsum(np.cumsum(ordered, axis=1), axis=2)
    k = np.arange(1, m + 1)
    # Wins of the first k over all, less those among themselves, are k (m - k) at a Smith set.
    outward: IntArray = corner[:, k - 1, m - 1] - corner[:, k - 1, k - 1]
    size = np.argmax(outward == k * (m - k), axis=1) + 1
    out = np.zeros((b, m), np.bool_)
    np.put_along_axis(out, order, np.arange(m) < size[:, None], axis=1)
    return out


def lottery(margins: FloatArray) -> FloatArray:
    """The maximal lottery that draws everybody whom any draws; float64 (b, m), zeros elsewhere.

    margins : float64 (b, m, m), antisymmetric, in [-1, 1]; NaN counts as 0. No margin of p against
    an item is below -``ROUNDING``. Raises ComputeError ``lottery-unsolved``.
    """
    margins = np.nan_to_num(margins)
    sets = smith_sets(margins)
    out = np.zeros(sets.shape)
    with engine.one_blas_thread():
        for i, inside in enumerate(sets):
            member = np.flatnonzero(inside)
            game = np.ascontiguousarray(margins[i][np.ix_(member, member)])
            out[i, member] = strategy(game)
    return out


def strategy(game: FloatArray) -> FloatArray:
    """The lottery of one Smith set: game float64 (n, n), antisymmetric, no NaN."""
    n = game.shape[0]
    if n == 1:
        return np.ones(1)
    if not game.any():
        return np.full(n, 1.0 / n)
    if n == 3:
        circle = np.abs(np.array([game[1, 2], game[2, 0], game[0, 1]]))
        if (
            np.all(circle > 0)
            and np.unique(np.sign([game[0, 1], game[1, 2], game[2, 0]])).size == 1
        ):
            out: FloatArray = circle / circle.sum()
            return out
    found = central_path(game)
    return programme(game) if found is None else found


def central_path(game: FloatArray, *, drop: bool = True) -> FloatArray | None:
    """The lottery that the central path leads to, or None where it stalled.

    drop : leave items out on the way; where the check of them fails, it is done again without.
    Where there are several lotteries it may be another one with the same support.
    """
    n = game.shape[0]
    inside = np.arange(n)
    skew = -game
    p, s = np.ones(n), np.ones(n)
    r, beta, theta = s - skew @ p, float(n), 1.0
    for _ in range(MAX_STEPS):
        mu = theta * beta / inside.size
        if mu < PATH_END:
            found = _ended(game, inside, p, s)
            if found is not None:
                return found
            if mu < PATH_END**1.4:
                break
        leaving = p < LEAVING * s
        if drop and 4 * int(leaving.sum()) > leaving.size:
            keep = ~leaving
            inside, p, s = inside[keep], p[keep], s[keep]
            skew = -game[np.ix_(inside, inside)]
            r, beta, theta = s - skew @ p, float(p @ s), 1.0
            mu = beta / inside.size
        moved = _step(skew, p, s, r, theta, mu)
        if moved is None:
            break
        p, s, theta = moved
    return central_path(game, drop=False) if drop and inside.size < n else None


def _step(
    skew: FloatArray, p: FloatArray, s: FloatArray, r: FloatArray, theta: float, mu: float
) -> tuple[FloatArray, FloatArray, float] | None:
    """One predictor and corrector; None where the arithmetic has come to its end."""
    matrix = skew.copy()
    matrix.flat[:: p.size + 1] += s / p
    # The transpose lies in memory as LAPACK wants it.
    lu, pivots, info = lapack.dgetrf(matrix.T, overwrite_a=1)
    if info != 0:
        return None
    dp = lapack.dgetrs(lu, pivots, theta * r - s, trans=1)[0]
    ds = skew @ dp - theta * r
    far = min(1.0, _to_wall(p, dp), _to_wall(s, ds))
    sigma = (float((p + far * dp) @ (s + far * ds)) / (p.size * mu)) ** 3
    rest = (1.0 - sigma) * theta
    aim = (sigma * mu - dp * ds) / p - s + rest * r
    dp = lapack.dgetrs(lu, pivots, aim, trans=1)[0]
    ds = skew @ dp - rest * r
    far = min(1.0, SHORT_OF_WALL * min(_to_wall(p, dp), _to_wall(s, ds)))
    p, theta = p + far * dp, theta - far * rest
    s = skew @ p + theta * r
    if not (theta > 0.0 and p.min() > 0.0 and s.min() > 0.0):
        return None
    return p, s, theta


def _to_wall(x: FloatArray, dx: FloatArray) -> float:
    """How far x + t dx stays at or above 0."""
    worst = float((-dx / x).max())
    return 1.0 / worst if worst > 0.0 else np.inf


def _ended(game: FloatArray, inside: IntArray, p: FloatArray, s: FloatArray) -> FloatArray | None:
    """The lottery that the path leads to, where it tells who may be drawn from who may not."""
    if (np.maximum(p, s) < GAP * np.minimum(p, s)).any():
        return None
    out = np.zeros(game.shape[0])
    drawn = p > s
    out[inside[drawn]] = p[drawn]
    out /= out.sum()
    gains = out @ game
    outside = np.ones(out.size, np.bool_)
    outside[inside] = False
    if gains.min() < -ROUNDING or (gains[outside] <= SUPPORT).any():
        return None
    return out


def programme(game: FloatArray) -> FloatArray:
    """A strictly complementary lottery as a linear programme: max t with p + A p >= t.

    It may be another one of the same support than ``central_path`` finds, where there are several.
    """
    n = game.shape[0]
    slack = np.full((n, 1), 1.0)
    from scipy.optimize import linprog

    found = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.block([[-game.T, np.zeros((n, 1))], [-game.T - np.eye(n), slack]]),
        b_ub=np.zeros(2 * n),
        A_eq=np.append(np.ones(n), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0.0, 1.0)] * n + [(0.0, 2.0)],
        method="highs",
    )
    if found.x is None:
        raise ComputeError(
            "lottery-unsolved",
            f"the maximal lottery over {n} items was not solved: {found.message}",
            next_step="rank them with cr-audit refit, which solves no lottery",
        )
    p = np.where(found.x[:n] > SUPPORT, found.x[:n], 0.0)
    answer: FloatArray = p / p.sum()
    return answer
