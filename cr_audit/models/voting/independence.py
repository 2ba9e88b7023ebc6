"""Does a ranking depend on clones? An exact check in polynomial time.

A *clone set* is a set C of items that nobody outside tells apart: margin(c, x) is the same (within
a tolerance) for all c in C, for every x outside C; or, for ballots, no x outside C stands between
two of C on any ballot. Not to have been compared with x is like itself only: whoever has lost
against x and whoever never met x are no clones, nor are they to a rule. A rule is independent of
clones on a profile if for every clone set C != A and every c in C, |C| >= 2, deleting c

    (1) does not change how two items outside C are ordered, and
    (2) does not change how an item outside C stands to the best of C: above, level or below.

(With winners instead of orders: who outside C wins, and whether anybody of C wins.) A profile may
have exponentially many clone sets, but m (m - 1)/2 of them decide:

**Proposition.** Let M(c, d) be the smallest clone set that holds c and d. (1) and (2) hold for all
clone sets and all deletions if they hold for every M(c, d) != A and the deletion of c and of d.

*Proof.* (a) M(c, d) exists: two clone sets that share c and d have a clone set as intersection.
For margins: for x outside the intersection, x lies outside one of the two sets, over which
margin(., x) is unknown throughout or varies by at most the tolerance, so it does over the smaller
intersection. For ballots:
a clone set is an interval of each ballot, and intervals that meet intersect in one. (b) Let C be a
clone set, c in C, and d another member; M = M(c, d) is contained in C. Items outside C are outside
M: (1) for M implies (1) for C. (2): how x stands to the best of C follows from how it stands to the
best of C without M, whose members are outside M as x is, so that (1) for M keeps it, and to the
best of M, which (2) for M keeps. For winners: C has a winner iff C without M has one or M has one;
the first is kept by (1), the second by (2) for M. ∎

M(c, d) is found by closing {c, d}: whoever tells two members apart must be a member. That is m
steps of m operations for each pair, and the rule is run once per deleted item: m + 1 runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from cr_audit.arrays import BoolArray, FloatArray, IntArray

RankRule = Callable[[IntArray], IntArray]
"""Kept items, sorted -> their ranks among themselves, int64 of the same length; 1 is the best and
equal ranks are ties."""
ManyRanks = Callable[[IntArray], IntArray]
"""The same of several selections of one size: int64 (b, k), each row sorted -> ranks (b, k)."""


@dataclass(frozen=True, slots=True)
class CloneSet:
    """Items that nobody else tells apart; ``pair`` is whom it is the smallest set of."""

    pair: tuple[int, int]
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Dependence:
    """Deleting ``removed`` from ``clones`` changed something that it must not.

    kind : "order" of ``items`` (two outside the set), "above" (the one item against the best of the
    clones), "winner" (the one item won with or without the clone only), "clones-win".
    """

    removed: int
    clones: tuple[int, ...]
    kind: str
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Independence:
    """sets : the smallest clone sets, without repetition. winners, order : the dependences found,
    one per (deleted item, set) and kind; empty means independent of *all* clone sets."""

    sets: tuple[CloneSet, ...]
    winners: tuple[Dependence, ...]
    order: tuple[Dependence, ...]
    n_runs: int


def clone_sets(margins: FloatArray, *, tolerance: float = 0.0) -> tuple[CloneSet, ...]:
    """M(c, d) for every pair, the whole set left out, each set once.

    margins : float64 (m, m), NaN where a pair was not compared.
    Time O(m⁴) at worst, O(m³) where no two items are alike; memory O(m²).
    """
    m = margins.shape[0]
    unknown = np.isnan(margins)
    # Of unknown margins low is inf and high is -inf, of unknown and known ones as of the known.
    low_of = np.where(unknown, np.inf, margins)
    high_of = np.where(unknown, -np.inf, margins)

    def apart(low: FloatArray, high: FloatArray, gap: BoolArray) -> BoolArray:
        out: BoolArray = (high - low > tolerance) | (gap & (low < np.inf))
        return out

    found: dict[tuple[int, ...], tuple[int, int]] = {}
    for c in range(m - 1):
        tells = apart(
            np.minimum(low_of[c], low_of), np.maximum(high_of[c], high_of), unknown[c] | unknown
        )
        tells[:, c] = False
        others = c + 1 + np.flatnonzero(~_everybody(tells, c)[c + 1 :])
        inside = np.zeros((others.size, m), np.bool_)
        inside[:, c] = True
        inside[np.arange(others.size), others] = True
        low = np.minimum(low_of[c], low_of[others])
        high = np.maximum(high_of[c], high_of[others])
        gap = unknown[c] | unknown[others]
        open_rows = np.arange(others.size)
        while open_rows.size:
            outside = apart(low[open_rows], high[open_rows], gap[open_rows]) & ~inside[open_rows]
            more = outside.any(axis=1)
            open_rows = open_rows[more]
            new = outside[more].argmax(axis=1)
            inside[open_rows, new] = True
            low[open_rows] = np.minimum(low[open_rows], low_of[new])
            high[open_rows] = np.maximum(high[open_rows], high_of[new])
            gap[open_rows] |= unknown[new]
        for row in np.flatnonzero(~inside.all(axis=1)).tolist():
            members = tuple(np.flatnonzero(inside[row]).tolist())
            found.setdefault(members, (c, int(others[row])))
    return tuple(CloneSet(pair, members) for members, pair in sorted(found.items()))


def _everybody(tells: BoolArray, c: int) -> BoolArray:
    """For which d M(c, d) is sure to be the whole set, bool (m,); true of c itself.

    tells : bool (m, m), whether y tells x from c at [x, y]. With x, M(c, d) holds every y that does
    so, and hence everybody that a path of such steps leads to from d. Where all of them are on
    circles with each other, or one such circle leads to all, nobody is left outside.
    """
    n_parts, part = connected_components(tells, directed=True, connection="strong")
    x, y = np.nonzero(tells)
    crossing = part[x] != part[y]
    led_to = np.zeros(n_parts, np.bool_)
    led_to[part[y[crossing]]] = True
    led_to[part[c]] = True  # nobody leads to c, which is inside anyway, and c to nobody
    first = np.flatnonzero(~led_to)
    out = part == first[0] if first.size == 1 else np.zeros(part.size, np.bool_)
    out[c] = True
    return out


def clone_sets_of_ballots(positions: IntArray) -> tuple[CloneSet, ...]:
    """The same for complete ballots: positions int64 (n_ballots, m), 0 = best, without ties."""
    m = positions.shape[1]
    found: dict[tuple[int, ...], tuple[int, int]] = {}
    for c in range(m - 1):
        for d in range(c + 1, m):
            inside = np.zeros(m, np.bool_)
            inside[[c, d]] = True
            while True:
                low = positions[:, inside].min(axis=1, keepdims=True)
                high = positions[:, inside].max(axis=1, keepdims=True)
                between = ((positions > low) & (positions < high)).any(axis=0) & ~inside
                if not between.any():
                    break
                inside |= between
            if not inside.all():
                found.setdefault(tuple(np.flatnonzero(inside).tolist()), (c, d))
    return tuple(CloneSet(pair, members) for members, pair in sorted(found.items()))


def groups_as_sets(labels: IntArray) -> tuple[CloneSet, ...]:
    """Sets given from outside (clusters of texts, vendors): labels int64 (m,), -1 = alone.

    A partition has no other clone sets than its parts, so the check is exact for them too.
    """
    out = []
    for label in np.unique(labels[labels >= 0]).tolist():
        members = tuple(np.flatnonzero(labels == label).tolist())
        if 2 <= len(members) < labels.shape[0]:
            out.append(CloneSet((members[0], members[1]), members))
    return tuple(out)


def check_independence(
    rule: RankRule,
    n_items: int,
    sets: tuple[CloneSet, ...],
    *,
    many: ManyRanks | None = None,
) -> Independence:
    """Run ``rule`` on all items and without each member of each set, and compare.

    many : the same rule on several selections at once, where it is faster so.
    Every member of M(c, d) is deleted, not c and d alone: the same verdict, since (1) and (2) must
    hold for all of them, and each deleted item costs one run however many sets hold it.
    """
    everything = np.arange(n_items)
    full = _spread(rule(everything), everything, n_items)
    without = _without(rule, many, n_items, sets)
    winners, order = [], []
    for s in sets:
        members = np.array(s.members)
        rest = np.setdiff1d(everything, members)
        for c in s.members:
            after = without[c]
            left = members[members != c]
            winners.extend(_winners_changed(full, after, members, left, rest, c, s.members))
            order.extend(_order_changed(full, after, members, left, rest, c, s.members))
    return Independence(sets, tuple(winners), tuple(order), 1 + len(without))


def _without(
    rule: RankRule, many: ManyRanks | None, n_items: int, sets: tuple[CloneSet, ...]
) -> dict[int, IntArray]:
    """Ranks without each member of the sets, int64 (n_items,) by the item that is left out."""
    out = sorted({c for s in sets for c in s.members})
    kept = np.array([np.delete(np.arange(n_items), c) for c in out], np.int64)
    ranks = many(kept) if many and out else np.array([rule(k) for k in kept], np.int64)
    return {c: _spread(r, k, n_items) for c, r, k in zip(out, ranks, kept, strict=True)}


def _spread(rank: IntArray, kept: IntArray, n_items: int) -> IntArray:
    out = np.zeros(n_items, np.int64)
    out[kept] = rank
    return out


def _winners_changed(
    full: IntArray,
    after: IntArray,
    members: IntArray,
    left: IntArray,
    rest: IntArray,
    c: int,
    clones: tuple[int, ...],
) -> list[Dependence]:
    changed = np.flatnonzero((full[rest] == 1) != (after[rest] == 1))
    if changed.size:
        return [Dependence(c, clones, "winner", (int(rest[changed[0]]),))]
    if bool((full[members] == 1).any()) != bool((after[left] == 1).any()):
        return [Dependence(c, clones, "clones-win", ())]
    return []


def _order_changed(
    full: IntArray,
    after: IntArray,
    members: IntArray,
    left: IntArray,
    rest: IntArray,
    c: int,
    clones: tuple[int, ...],
) -> list[Dependence]:
    if not np.array_equal(_dense(full[rest]), _dense(after[rest])):
        before = np.sign(full[rest][:, None] - full[rest][None, :])
        now = np.sign(after[rest][:, None] - after[rest][None, :])
        x, y = np.nonzero(before != now)
        return [Dependence(c, clones, "order", (int(rest[x[0]]), int(rest[y[0]])))]
    best_before, best_now = full[members].min(), after[left].min()
    moved = np.flatnonzero(np.sign(full[rest] - best_before) != np.sign(after[rest] - best_now))
    if moved.size:
        return [Dependence(c, clones, "above", (int(rest[moved[0]]),))]
    return []


def _dense(rank: IntArray) -> IntArray:
    """0, 1, 2 … for equal ranks and the next ones: equal where all pairs are ordered alike."""
    out: IntArray = np.unique(rank, return_inverse=True)[1]
    return out
