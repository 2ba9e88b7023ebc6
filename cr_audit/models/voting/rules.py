"""Six rules on margins, each for many margin matrices at once.

A pair that was not compared (NaN) is a margin of 0 to the rules that follow paths.

``borda``, ``copeland`` : mean margin over observed opponents and itself; the same of its sign.
``ranked_pairs`` : pairs are locked in from the widest margin down unless they close a circle.
``schulze`` : x is above y if the widest path of wins from x to y is wider than the one back; a path
is as wide as its narrowest margin.
``split_cycle`` : x defeats y if x beats y by more than the widest path from y back to x; the
undefeated win. The defeats are not an order: ranks are layers, the undefeated first, then those
that only they defeat, and so on.
``maximal_lottery`` : the optimal mixed strategy of the game whose payoffs are the margins; whoever
it may draw wins, and the others share the next rank (``lottery`` has the probabilities; an order by
them would depend on clones, who share theirs).

The last four do not let clones change who else wins (``independence`` checks it on data); Borda
does (and so does a Bradley-Terry fit), Copeland too.

Sources: Tideman (1987) and Zavist & Tideman (1989); Schulze (2011); Holliday & Pacuit (2023);
Fishburn (1984), Laffond, Laslier & Le Breton (1993); Copeland (1951).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.errors import ComputeError
from cr_audit.models.places import competition_ranks

IN_CACHE = 65_536
"""Entries of matrices whose paths are found together: more would not fit the cache of a core."""
SUPPORT = 1e-9
"""A probability of a maximal lottery below this is 0: what the solver calls feasible."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """rank : int64 (b, m), 1 = best, equal ranks are ties. winners : bool (b, m)."""

    rank: IntArray
    winners: BoolArray


Rule = Callable[[FloatArray], Order]
"""Margins float64 (b, m, m) -> order."""


def borda(margins: FloatArray) -> Order:
    """Order by mean margin. margins : float64 (b, m, m), antisymmetric, in [-1, 1]."""
    return _by_score(_mean(margins))


def copeland(margins: FloatArray) -> Order:
    """Order by pairwise victories less defeats; margins as for ``borda``."""
    return _by_score(_mean(np.sign(margins)))


def _mean(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    out: FloatArray = np.where(known, values, 0.0).sum(axis=2) / known.sum(axis=2)
    return out


def schulze(margins: FloatArray) -> Order:
    """Order by the widest paths of margins (Schulze 2011); margins as for ``borda``.

    The relation is transitive, and an order where no margins are equal; where some are, or pairs
    are missing, it may leave items unordered, and their ranks by how many are above can hang on
    clones of those. The winners do not.
    """
    wide = widest_paths(margin_order(margins))
    above = (wide < wide.transpose(0, 2, 1)).sum(axis=2)
    return Order(above + 1, above == 0)


def split_cycle(margins: FloatArray) -> Order:
    """Order by defeats that are the weakest of no cycle (Holliday and Pacuit 2023), layer by layer;
    margins as for ``borda``.
    """
    place = margin_order(margins)
    back = widest_paths(place).transpose(0, 2, 1)
    defeats = (place > 0) & (place > back)
    rank = np.zeros(margins.shape[:2], np.int64)
    left = np.ones(margins.shape[:2], np.bool_)
    layer = 1
    while left.any():
        free = left & ~(defeats & left[:, :, None]).any(axis=1)
        rank[free] = layer
        left &= ~free
        layer += 1
    return Order(competition_ranks(-rank.astype(np.float64), _one(margins)), rank == 1)


def ranked_pairs(margins: FloatArray) -> Order:
    """Equal margins are locked in by the order of their winners, then of their losers.

    A defeat of ``split_cycle`` is always locked in (no wider path leads back), so that the closure
    of these is where the locking starts, and the pairs that it settles are not looked at: none of
    them could be locked in the other way without a circle. What is left are pairs within circles.
    """
    m = margins.shape[1]
    place = margin_order(margins)
    defeats = (place > 0) & (place > widest_paths(place).transpose(0, 2, 1))
    reach = widest_paths(defeats.astype(np.int8)) > 0
    first, second = np.triu_indices(m, 1)
    ahead, behind, left = _unsettled(margins, reach, first, second)
    # Whom an item reaches as bits: locking a pair in writes an eighth of what it would.
    packed = np.packbits(reach, axis=2)
    byte, bit = np.divmod(np.arange(m), 8)
    mask = (128 >> bit).astype(np.uint8)
    for k in range(ahead.shape[1]):
        x, y = ahead[:, k], behind[:, k]
        row = np.flatnonzero(left > k)
        x, y = x[row], y[row]
        settled = (packed[row, y, byte[x]] & mask[x]) | (packed[row, x, byte[y]] & mask[y])
        new = settled == 0
        if not new.any():
            continue
        row, x, y = row[new], x[new], y[new]
        at = np.arange(row.size)
        above = (packed[row, :, byte[x]] & mask[x][:, None]) > 0
        above[at, x] = True
        below = packed[row, y]
        below[at, byte[y]] |= mask[y]
        lower, upper = np.nonzero(above)
        packed[row[lower], upper] |= below[lower]
    reach = np.unpackbits(packed, axis=2, count=m).astype(np.bool_)
    n_above = reach.sum(axis=1)
    return Order(competition_ranks(-n_above.astype(np.float64), _one(margins)), n_above == 0)


def _unsettled(
    margins: FloatArray, reach: BoolArray, first: IntArray, second: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Winners and losers of the pairs without an order yet, widest first, (b, k), and how many."""
    upper = np.nan_to_num(margins[:, first, second])
    open_pairs = (upper != 0) & ~reach[:, first, second] & ~reach[:, second, first]
    left = open_pairs.sum(axis=1)
    width = int(left.max(initial=0))
    ahead = np.where(upper > 0, first, second)
    behind = np.where(upper > 0, second, first)
    size = np.where(open_pairs, np.abs(upper), -1.0)
    order = np.lexsort((behind, ahead, -size), axis=1)[:, :width]
    return (
        np.take_along_axis(ahead, order, axis=1),
        np.take_along_axis(behind, order, axis=1),
        left,
    )


def maximal_lottery(margins: FloatArray) -> Order:
    """Who has a chance in the maximal lottery comes first, everybody else after; margins as for
    ``borda``.
    """
    support = lottery(margins) > SUPPORT
    rank = np.where(support, 1, 1 + support.sum(axis=1, keepdims=True))
    return Order(rank.astype(np.int64), support)


RULES: dict[str, Rule] = {
    "borda": borda,
    "copeland": copeland,
    "ranked-pairs": ranked_pairs,
    "schulze": schulze,
    "split-cycle": split_cycle,
    "maximal-lottery": maximal_lottery,
}
INDEPENDENT_OF_CLONES = ("ranked-pairs", "schulze", "split-cycle", "maximal-lottery")


def _one(margins: FloatArray) -> IntArray:
    return np.zeros(margins.shape[1], np.int64)


def _by_score(score: FloatArray) -> Order:
    rank = competition_ranks(score, np.zeros(score.shape[1], np.int64))
    return Order(rank, rank == 1)


def margin_order(margins: FloatArray) -> IntArray:
    """Positive margins as their place among the margins of the matrix, 0 for the rest; (b, m, m).

    Only the order of margins matters to paths, and small integers are four times as fast.
    """
    b, m, _ = margins.shape
    flat = np.maximum(np.nan_to_num(margins), 0.0).reshape(b, -1)
    order = np.argsort(flat, axis=1)
    value = np.take_along_axis(flat, order, axis=1)
    step = np.zeros(value.shape, np.int32)
    step[:, 1:] = value[:, 1:] > value[:, :-1]
    place = np.cumsum(step, axis=1, dtype=np.int32)
    place += (value[:, :1] > 0).astype(np.int32)
    kind = np.int16 if m * (m - 1) // 2 < 32_000 else np.int32
    out = np.zeros(flat.shape, kind)
    np.put_along_axis(out, order, place.astype(kind), axis=1)
    return out.reshape(b, m, m)


def widest_paths(place: IntArray) -> IntArray:
    """The width of the widest path of positive entries from x to y, (b, m, m); Floyd (1962)."""
    wide = place.copy()
    m = place.shape[1]
    size = max(1, IN_CACHE // max(m * m, 1))
    for start in range(0, place.shape[0], size):
        part = wide[start : start + size]
        through = np.empty_like(part)
        for k in range(m):
            np.minimum(part[:, :, k, None], part[:, None, k, :], out=through)
            np.maximum(part, through, out=part)
    span = np.arange(m)
    wide[:, span, span] = 0
    return wide


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
    """p >= 0, Σ p = 1, Σ_x p(x) margin(x, y) >= 0 for all y; float64 (b, m).

    Its support lies in the Smith set (an outsider loses against an equilibrium inside), so that one
    linear programme of the size of that set is solved, and none for a single winner or a circle of
    three. Where several lotteries are optimal, this is one that draws everybody whom any of them
    draws (Goldman & Tucker 1956: p_i + what p wins against i is positive for all i at some
    optimum), so that who may be drawn does not hang on the solver.
    """
    margins = np.nan_to_num(margins)
    sets = smith_sets(margins)
    out = np.zeros(sets.shape)
    for i, inside in enumerate(sets):
        member = np.flatnonzero(inside)
        game = margins[i][np.ix_(member, member)]
        out[i, member] = _strategy(game)
    return out


def _strategy(game: FloatArray) -> FloatArray:
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
    # max s with p + (what p wins against each) >= s: a strictly complementary optimum.
    slack = np.full((n, 1), 1.0)
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
