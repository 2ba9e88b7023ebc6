"""Answers of a batch that win and lose alike, against how different answers of the baseline fare.

Where words find no copies, results still speak: copies of one answer that come with its votes beat
and lose to the same opponents. Facts only; no text is looked at.

For items x and y (answers, or models) and an opponent o that both met, let the results agree if
both won, both tied or both lost against it (the majority, where they met more than once). Were they
different, this would happen with chance

    P = (1 - t)^2 (p_xo p_yo + (1 - p_xo)(1 - p_yo)) + t^2,
    logit p_xo = c (logit p_x + logit q_o),

t the share of ties, p_x the share of its wins and q_o the share of wins against o of the other
items of the baseline, each with one win and one loss added; c is the value of ``SHARPNESS`` under
which the baseline's results are the likeliest, each predicted without itself. Strong answers agree
in winning, and answers next to each other in a clear order agree nearly everywhere; P counts that.
Of n common opponents k agreed; the chance of k or more is at most

    exp(-n KL(k/n, mean P))        where k/n > mean P, else 1

(Chernoff; for unequal chances Hoeffding 1956). A set of m others that agree with x on at least a
share of ``LEVELS`` has at most the product of these chances, times the number of such sets among
the N that could be asked:

    T_x = min over m of log C(N, m) + sum of the m smallest logarithms.

Answers to one question are not independent, and different ones may be alike to annotators as well.
So T is read on the baseline's scale, level by level: kappa >= 1 is the smallest number such that
P(T <= -t) <= exp(-t / kappa) holds for the baseline's own items at every t seen there, items that
are clones of each other by their text aside. The p-value of x is the smallest of exp(T_x / kappa)
over the levels, times the number of levels and of new items (Bonferroni).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, logit, xlogy

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable

MIN_COMMON = 5
"""Opponents that two items must have in common to be compared."""
LEVELS = (1.0, 0.9, 0.8)
"""Shares of common opponents on which two items agree that are called alike. Copies with their
votes agree on all; answers that are next to each other on many."""
MIN_KNOWN = 3
"""Results of the baseline against an opponent, for a result against it to count: what only the
batch knows, a prompt of its own for instance, changes nobody's place in the baseline."""
MIN_BASELINE = 20
"""Items of the baseline that must be there to compare with."""
SHARPNESS = np.geomspace(0.25, 8.0, 21)
MAX_ENTRIES = 20_000_000
"""Pairs of results against one opponent that are looked at; opponents who met the most items are
left out first."""


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """New items that fare alike. new, old : int64, ascending; ``centre`` is among the new ones.

    n_opponents : of the centre; agreement : smallest share of common opponents with a member on
    which the two agree. p_value : of a set as alike as this, for all new items together.
    """

    centre: int
    new: IntArray
    old: IntArray
    n_opponents: int
    agreement: float
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """groups : the most unlikely first, no item in two. kappa : see the head of the module. n_new :
    new items that were asked; n_baseline : items of the baseline that they were held against."""

    groups: tuple[Alike, ...]
    kappa: tuple[float, ...]
    n_new: int
    n_baseline: int


def behaviour(
    item: IntArray,
    opponent: IntArray,
    score: FloatArray,
    is_new: BoolArray,
    same: IntArray,
) -> Behaviour | NotApplicable:
    """One entry per result, from the side of ``item``; give every comparison from both sides.

    item, opponent : int64 (n,). Items and opponents may be numbered apart (a model against single
    answers of others). score : float64 (n,), 1 won, 1/2 tie, 0 lost. is_new : bool (n_items,), not
    in the baseline. same : int64 (n_items,), equal for clones by text; old ones do not count as
    different answers. Not applicable where the baseline has too few items with common opponents.

    Memory is linear in the pairs of results against one opponent, at most ``MAX_ENTRIES``.
    """
    if not is_new.any():
        return NotApplicable("the batch holds no new answer")
    if not item.size:
        return NotApplicable("nothing was compared")
    cells = _Cells(item, opponent, score, is_new)
    pairs = _agreements(cells)
    old_pair = ~is_new[pairs.first] & ~is_new[pairs.second]
    different = old_pair & (same[pairs.first] != same[pairs.second])
    held = pairs.some(different)
    n_baseline = int(np.unique(np.concatenate([held.first, held.second])).size)
    if n_baseline < MIN_BASELINE:
        return NotApplicable(
            f"fewer than {MIN_BASELINE} answers of the baseline met opponents in common"
        )
    fresh = pairs.some(~old_pair)
    kappa, found = [], []
    for level in LEVELS:
        kappa.append(_kappa(-_rarest(held, level).log_p))
        found.append(_rarest(fresh, level, is_new))
    return Behaviour(
        groups=_groups(found, pairs, is_new, kappa),
        kappa=tuple(kappa),
        n_new=int(found[0].centre.size),
        n_baseline=n_baseline,
    )


def _total(index: IntArray, size: int, weights: FloatArray | None = None) -> FloatArray:
    return np.asarray(np.bincount(index, weights=weights, minlength=size), dtype=np.float64)


class _Cells:
    """Results by (item, opponent): the majority, and the chance that the item wins."""

    def __init__(
        self, item: IntArray, opponent: IntArray, score: FloatArray, is_new: BoolArray
    ) -> None:
        n_opponents = int(opponent.max(initial=-1)) + 1
        key, at = np.unique(item * max(n_opponents, 1) + opponent, return_inverse=True)
        mean = _total(at, key.size, score) / np.maximum(_total(at, key.size), 1.0)
        self.item, self.opponent = key // max(n_opponents, 1), key % max(n_opponents, 1)
        self.result = np.where(np.abs(mean - 0.5) < 1e-9, 0.5, np.round(mean))
        old = ~is_new[self.item]
        known = self.result[old]
        self.ties = float((known == 0.5).mean()) if known.size else 0.0
        n_items = is_new.size
        won, met = _total(self.item, n_items, self.result), _total(self.item, n_items)
        self.own = (won + 1.0) / (met + 2.0)
        # Against each opponent, by the items of the baseline.
        of = self.opponent[old]
        self.sum, self.count = _total(of, n_opponents, known), _total(of, n_opponents)
        self.old = old
        self.sharpness = self._likeliest(won, met)

    def _likeliest(self, won: FloatArray, met: FloatArray) -> float:
        old, x, o, r = self.old, self.item, self.opponent, self.result
        if not old.any():
            return 1.0
        x, o, r = x[old], o[old], r[old]
        own = logit((won[x] - r + 1.0) / (met[x] + 1.0))
        against = logit((self.sum[o] - r + 1.0) / (self.count[o] + 1.0))
        p = expit(np.multiply.outer(SHARPNESS, own + against))
        likelihood = (xlogy(r, p) + xlogy(1.0 - r, 1.0 - p)).sum(axis=1)
        return float(SHARPNESS[np.argmax(likelihood)])


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """first < second, with ``MIN_COMMON`` opponents or more: n of them, on k of which they agree,
    and the logarithm of the chance of that."""

    first: IntArray
    second: IntArray
    n: FloatArray
    k: FloatArray
    log_p: FloatArray

    def some(self, mask: BoolArray) -> _Pairs:
        return _Pairs(
            self.first[mask], self.second[mask], self.n[mask], self.k[mask], self.log_p[mask]
        )


def _agreements(cells: _Cells) -> _Pairs:
    order = np.lexsort((cells.item, cells.opponent))
    item, opponent, result = cells.item[order], cells.opponent[order], cells.result[order]
    old = cells.old[order]
    degree = np.bincount(opponent, minlength=cells.count.size)
    by_degree = np.argsort(degree, kind="stable")
    total = np.cumsum(degree[by_degree] * (degree[by_degree] - 1) // 2)
    used = np.zeros(degree.size, np.bool_)
    used[by_degree[total <= MAX_ENTRIES]] = True
    used &= cells.count >= MIN_KNOWN
    end = np.cumsum(degree)[opponent]
    later = np.where(used[opponent], end - np.arange(opponent.size) - 1, 0)
    a = np.repeat(np.arange(opponent.size), later)
    b = a + 1 + np.arange(a.size) - np.repeat(np.cumsum(later) - later, later)
    o = opponent[a]
    # Without the two themselves: their own results say nothing of what others do.
    won = cells.sum[o] - np.where(old[a], result[a], 0.0) - np.where(old[b], result[b], 0.0)
    met = cells.count[o] - old[a] - old[b]
    against = logit((won + 1.0) / (met + 2.0))
    p = expit(cells.sharpness * (logit(cells.own[item[a]]) + against))
    q = expit(cells.sharpness * (logit(cells.own[item[b]]) + against))
    t = cells.ties
    chance = (1.0 - t) ** 2 * (p * q + (1.0 - p) * (1.0 - q)) + t**2
    key, at = np.unique(item[a] * cells.own.size + item[b], return_inverse=True)
    n = _total(at, key.size)
    k = _total(at, key.size, (result[a] == result[b]).astype(np.float64))
    mean = _total(at, key.size, chance) / np.maximum(n, 1.0)
    log_p = _chernoff(n, k, mean)
    keep = n >= MIN_COMMON
    first, second = key // cells.own.size, key % cells.own.size
    return _Pairs(first, second, n, k, log_p).some(keep)


def _chernoff(n: FloatArray, k: FloatArray, p: FloatArray) -> FloatArray:
    """log of a bound on P(X >= k) for a sum X of n events of mean chance p."""
    a = k / np.maximum(n, 1.0)
    divergence = xlogy(a, a / p) + xlogy(1.0 - a, (1.0 - a) / (1.0 - p))
    out: FloatArray = np.where(a > p, -n * divergence, 0.0)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class _Rarest:
    """Per centre T_x and the partners of the set that gives it: those in ``partner`` from ``start``
    on, ``m`` of them."""

    centre: IntArray
    log_p: FloatArray
    start: IntArray
    m: IntArray
    partner: IntArray


def _rarest(pairs: _Pairs, level: float, centres: BoolArray | None = None) -> _Rarest:
    """centres : who may be one, None = all."""
    centre = np.concatenate([pairs.first, pairs.second])
    partner = np.concatenate([pairs.second, pairs.first])
    agree = np.concatenate([pairs.k / pairs.n] * 2) if pairs.n.size else np.empty(0)
    log_p = np.concatenate([pairs.log_p, pairs.log_p])
    log_p = np.where(agree >= level - 1e-9, log_p, 0.0)
    if centres is not None:
        keep = centres[centre]
        centre, partner, log_p = centre[keep], partner[keep], log_p[keep]
    order = np.lexsort((partner, log_p, centre))
    centre, partner, log_p = centre[order], partner[order], log_p[order]
    who, start, size = np.unique(centre, return_index=True, return_counts=True)
    if not who.size:
        empty = np.empty(0, np.int64)
        return _Rarest(empty, np.empty(0), empty, empty, empty)
    rank = np.arange(centre.size) - np.repeat(start, size) + 1
    total = np.cumsum(log_p)
    total -= np.repeat(total[start] - log_p[start], size)
    many = np.repeat(size, size)
    t = total + gammaln(many + 1) - gammaln(rank + 1) - gammaln(many - rank + 1)
    t = np.where(log_p < 0.0, np.minimum(t, 0.0), 0.0)
    best = np.minimum.reduceat(t, start)
    at = np.flatnonzero(t == np.repeat(best, size))
    first_at = at[np.unique(centre[at], return_index=True)[1]]
    return _Rarest(who, best, start, np.where(best < 0.0, rank[first_at], 0), partner)


def _kappa(t: FloatArray) -> float:
    """The smallest kappa >= 1 with #{t_i >= t} / n <= exp(-t / kappa) at every t seen."""
    t = np.sort(t)[::-1]
    rank = np.arange(1, t.size + 1)
    share = rank / (t.size + 1.0)
    seen = t > 0.0
    ratio = t[seen] / -np.log(share[seen])
    return float(max(1.0, ratio.max(initial=1.0)))


def _groups(
    found: list[_Rarest], pairs: _Pairs, is_new: BoolArray, kappa: list[float]
) -> tuple[Alike, ...]:
    out: list[Alike] = []
    taken = np.zeros(is_new.size, np.bool_)
    n_items = is_new.size
    key = pairs.first * n_items + pairs.second
    # Every level asks the same centres.
    log_p = np.stack([f.log_p / k for f, k in zip(found, kappa, strict=True)])
    log_p += np.log(len(found) * max(found[0].centre.size, 1))
    level, least = np.argmin(log_p, axis=0), np.min(log_p, axis=0, initial=0.0)
    for c in np.argsort(least, kind="stable").tolist():
        if least[c] >= 0.0:
            break
        of = found[int(level[c])]
        centre = int(of.centre[c])
        if taken[centre]:
            continue
        partners = of.partner[of.start[c] : of.start[c] + of.m[c]]
        members = np.append(partners, centre)
        new = np.sort(members[is_new[members] & ~taken[members]])
        low, high = np.minimum(partners, centre), np.maximum(partners, centre)
        at = np.searchsorted(key, low * n_items + high)
        taken[new] = True
        out.append(
            Alike(
                centre=centre,
                new=new,
                old=np.sort(partners[~is_new[partners]]),
                n_opponents=int(pairs.n[at].max()),
                agreement=float((pairs.k[at] / pairs.n[at]).min()),
                p_value=float(np.exp(least[c])),
            )
        )
    return tuple(out)
