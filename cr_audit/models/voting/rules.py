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

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.models.places import competition_ranks
from cr_audit.models.voting.lottery import SUPPORT, lottery

IN_CACHE = 65_536
"""Entries of matrices whose paths are found together: more would not fit the cache of a core."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """rank : int64 (b, m), 1 = best, equal ranks are ties. winners : bool (b, m)."""

    rank: IntArray
    winners: BoolArray


Rule = Callable[[FloatArray], Order]
"""Margins float64 (b, m, m) -> order."""


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """place : ``margin_order``, (b, m, m). wide : ``widest_paths`` of it."""

    place: IntArray
    wide: IntArray

    @classmethod
    def of(cls, margins: FloatArray) -> Paths:
        """The paths of margins float64 (b, m, m); twice their memory at two bytes an entry."""
        place = margin_order(margins)
        return cls(place, widest_paths(place))


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
    return _schulze(Paths.of(margins))


def split_cycle(margins: FloatArray) -> Order:
    """Order by defeats that are the weakest of no cycle (Holliday and Pacuit 2023), layer by layer;
    margins as for ``borda``.
    """
    return _split_cycle(Paths.of(margins))


def _schulze(paths: Paths) -> Order:
    above = (paths.wide < paths.wide.transpose(0, 2, 1)).sum(axis=2)
    return Order(above + 1, above == 0)


def _split_cycle(paths: Paths) -> Order:
    defeats = (paths.place > 0) & (paths.place > paths.wide.transpose(0, 2, 1))
    rank = np.zeros(defeats.shape[:2], np.int64)
    left = np.ones(defeats.shape[:2], np.bool_)
    layer = 1
    while left.any():
        free = left & ~(defeats & left[:, :, None]).any(axis=1)
        rank[free] = layer
        left &= ~free
        layer += 1
    return Order(competition_ranks(-rank.astype(np.float64), _one(rank)), rank == 1)


def ranked_pairs(margins: FloatArray) -> Order:
    """Equal margins are locked in by the order of their winners, then of their losers; margins as
    for ``borda``.

    Whether a pair may be locked in hangs on those before it, so that the pairs of a matrix are gone
    through one by one.
    """
    n_above = np.array([_n_above(one) for one in margins], np.int64)
    rank = competition_ranks(-n_above.astype(np.float64), _one(n_above))
    return Order(rank, n_above == 0)


def _n_above(margins: FloatArray) -> IntArray:
    """How many items reach each one by locked pairs, int64 (m,); margins float64 (m, m).

    Whom an item reaches, and who reaches it, are the bits of whole numbers. A pair x over y is news
    to those above x that were not above y, and to those below y that were not below x.
    """
    first, second = np.nonzero(margins > 0)
    # Found by rows: of equal margins by winner, then by loser, and a stable sort keeps that.
    order = np.argsort(-margins[first, second], kind="stable")
    bits = [1 << i for i in range(margins.shape[0])]
    reach, above = bits.copy(), bits.copy()  # everybody reaches itself
    for x, y in zip(first[order].tolist(), second[order].tolist(), strict=True):
        below, up = reach[y], above[x]
        if below & bits[x] or reach[x] & bits[y]:
            continue
        new_above, new_below = up & ~above[y], below & ~reach[x]
        while new_above:
            bit = new_above & -new_above
            new_above ^= bit
            reach[bit.bit_length() - 1] |= below
        while new_below:
            bit = new_below & -new_below
            new_below ^= bit
            above[bit.bit_length() - 1] |= up
    return np.array([a.bit_count() - 1 for a in above], np.int64)


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
_OF_PATHS: dict[str, Callable[[Paths], Order]] = {
    "schulze": _schulze,
    "split-cycle": _split_cycle,
}
INDEPENDENT_OF_CLONES = ("ranked-pairs", "schulze", "split-cycle", "maximal-lottery")


def orders(margins: FloatArray, rules: Iterable[str]) -> dict[str, Order]:
    """Several rules on the same margins; those that follow paths share them."""
    names = tuple(rules)
    paths = Paths.of(margins) if any(r in _OF_PATHS for r in names) else None
    return {
        r: RULES[r](margins) if paths is None or r not in _OF_PATHS else _OF_PATHS[r](paths)
        for r in names
    }


def _one(rank: IntArray) -> IntArray:
    return np.zeros(rank.shape[1], np.int64)


def _by_score(score: FloatArray) -> Order:
    rank = competition_ranks(score, np.zeros(score.shape[1], np.int64))
    return Order(rank, rank == 1)


def margin_order(margins: FloatArray) -> IntArray:
    """Positive margins as their place among the margins of all matrices, 0 for the rest; (b, m, m).

    Only the order of margins matters to paths, and small integers are four times as fast.
    """
    positive = margins > 0
    values, place = np.unique(margins[positive], return_inverse=True)
    out = np.zeros(margins.shape, np.int16 if values.size < 32_000 else np.int32)
    out[positive] = place + 1
    return out


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
