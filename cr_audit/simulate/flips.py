"""The least that changes the leader: clones of one item, or comparisons taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import spsolve

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.models.rewards.objective import kappa, moment_jacobian, pair_terms
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.simulate.clone_weights import STANDARD, Copies, Geometry, Variant
from cr_audit.simulate.injection import (
    Contest,
    leader_changes,
    leader_of,
    merged,
    with_copies,
)

MAX_TARGETS = 50
"""Items whose clones are tried under the standard fit: those of the highest rewards."""
WEIGHTED_TARGETS = 5
"""The same where every trial estimates weights anew."""
MAX_CONTENDERS = 5
"""Items that could take the lead, for which a set of comparisons is searched."""


@dataclass(frozen=True, slots=True)
class CloneFlip:
    """The smallest number of clones of one item that changes the leader.

    n_clones : 0 where none up to ``max_clones`` does, of any of the ``n_targets`` items tried;
    item : whose clones, -1 with 0. after : the new leader. kind : "exact" or "edited" copies.
    verified : the full refits with n_clones and with one less were made and agree.
    """

    scheme: Variant
    kind: str
    n_clones: int
    item: int
    before: int
    after: int
    max_clones: int
    n_targets: int
    verified: bool


@dataclass(frozen=True, slots=True, eq=False)
class RemovalFlip:
    """A small set of comparisons without which another item leads.

    n_removed : its size, 0 where no set up to half of the comparisons was found; rows : their
    indices in the ranking's comparisons, int64 (n_removed,). after : the new leader. predicted :
    the size that influences alone foretold. It is a smallest prefix of one order of the
    comparisons: a smaller set may exist.
    """

    scheme: Variant
    n_removed: int
    rows: IntArray
    before: int
    after: int
    predicted: int
    n_comparisons: int


def clone_flip(
    contest: Contest,
    geometry: Geometry,
    scheme: Variant,
    weights: FloatArray,
    *,
    edit: bool,
    max_clones: int,
    seed: int,
) -> CloneFlip:
    """Doubling and bisection per target, then full refits at the number found and one below.

    Under the standard fit more clones of one item move the rewards one way, so the search finds
    the smallest number; sampled weights are monotone up to their noise.
    """
    m = contest.n_items
    rewards = contest.rewards(contest.pairs, weights)
    leader = leader_of(rewards)
    limit = MAX_TARGETS if scheme == STANDARD else WEIGHTED_TARGETS
    targets = np.argsort(-rewards, kind="stable")[:limit].tolist()
    best, best_item = max_clones + 1, -1

    def grown(target: int, k: int) -> FloatArray:
        return geometry.weights(scheme, Copies(target, k, edit), seed)

    for target in targets:

        def flips(k: int, target: int = target) -> bool:
            after = grown(target, k)
            return leader_changes(leader, _reduced(contest, target, after))

        found = _smallest(flips, best - 1)
        if found:
            best, best_item = found, target
    if best_item < 0:
        return _no_flip(scheme, edit, leader, max_clones, len(targets))
    new = contest.injected(best_item, grown(best_item, best))
    fewer = grown(best_item, best - 1) if best > 1 else weights
    below = contest.injected(best_item, fewer)
    return CloneFlip(
        scheme=scheme,
        kind="edited" if edit else "exact",
        n_clones=best,
        item=best_item,
        before=leader,
        after=leader_of(new),
        max_clones=max_clones,
        n_targets=len(targets),
        verified=leader_changes(leader, new[:m]) and not leader_changes(leader, below[:m]),
    )


def _no_flip(
    scheme: Variant, edit: bool, leader: int, max_clones: int, n_targets: int
) -> CloneFlip:
    kind = "edited" if edit else "exact"
    return CloneFlip(scheme, kind, 0, -1, leader, leader, max_clones, n_targets, True)


def _reduced(contest: Contest, target: int, weights: FloatArray) -> FloatArray:
    """The rewards of ``Contest.injected`` from the old pairs alone: clones with the preferences of
    their original have its reward, so they act as one item with their summed weight."""
    m = contest.n_items
    pairs = with_copies(contest.pairs, target, weights.shape[0] - m)
    return fit_tabular(
        contest.pairs,
        merged(weights, target, m),
        penalty=contest.penalty,
        count_weighted=contest.count_weighted,
        normaliser=kappa(pairs, weights, count_weighted=contest.count_weighted),
    ).rewards


def _smallest(holds: Callable[[int], bool], limit: int) -> int:
    """The smallest k in 1..limit for which ``holds``, or 0; ``holds`` is taken as monotone."""
    if limit < 1:
        return 0
    low, high = 0, 1
    while not holds(high):
        if high == limit:
            return 0
        low, high = high, min(2 * high, limit)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def removal_flip(contest: Contest, scheme: Variant, weights: FloatArray) -> RemovalFlip:
    """Rows in the order of their influence on the gap to each contender; the shortest prefix whose
    removal, refitted, changes the leader.

    The influence of row c of pair (i, j) on r(leader) - r(y) is s Δp_c (a_i w_j - a_j w_i), where
    Jᵀa = e_leader - e_y and Δp_c is how far p moves without the row; a pair's only row takes its
    term along. Weights stay as they are.
    """
    rows = contest.comparisons
    rewards = contest.rewards(contest.pairs, weights)
    leader = leader_of(rewards)
    half = rows.n // 2
    orders = [
        (_influences(contest, weights, rewards, leader, y), y)
        for y in np.argsort(-rewards, kind="stable").tolist()[: MAX_CONTENDERS + 1]
        if y != leader
    ]
    best, found, predicted, after = half + 1, np.zeros(0, np.int64), 0, leader
    for influence, y in orders:
        order = np.argsort(influence, kind="stable")
        gap = rewards[leader] - rewards[y]
        closed = np.cumsum(-influence[order])
        enough = np.flatnonzero(closed > gap)

        def flips(k: int, order: IntArray = order) -> bool:
            return leader_changes(leader, _without(contest, weights, leader, order[:k]))

        k = _smallest(flips, best - 1)
        if k:
            best, found = k, np.sort(order[:k])
            predicted = int(enough[0]) + 1 if enough.size else 0
            after = leader_of(_without(contest, weights, leader, order[:k]))
    return RemovalFlip(
        scheme=scheme,
        n_removed=found.size,
        rows=found,
        before=leader,
        after=after,
        predicted=predicted,
        n_comparisons=rows.n,
    )


def _without(contest: Contest, weights: FloatArray, leader: int, gone: IntArray) -> FloatArray:
    """Refit without some rows. Items that are no longer linked to the old leader are out of the
    race (-inf); should the leader itself be cut off from all others, it keeps its place."""
    stay = np.setdiff1d(np.arange(contest.comparisons.n), gone)
    fit = contest.fit(contest.comparisons.take(stay).proportions(), weights)
    linked = (fit.components == fit.components[leader]) & fit.has_data
    linked[leader] = True
    return np.where(linked, np.nan_to_num(fit.rewards), -np.inf)


def _influences(
    contest: Contest, weights: FloatArray, rewards: FloatArray, leader: int, other: int
) -> FloatArray:
    """Change of r(leader) - r(other) by taking away each row, to first order: float64 (n,)."""
    rows, pairs = contest.comparisons, contest.pairs
    terms = pair_terms(pairs, weights, count_weighted=contest.count_weighted)
    jacobian = moment_jacobian(terms, weights, rewards, contest.penalty)
    target = np.zeros(contest.n_items)
    target[leader], target[other] = 1.0, -1.0
    adjoint = spsolve(jacobian.T.tocsc(), target)
    low, high = np.minimum(rows.winner, rows.loser), np.maximum(rows.winner, rows.loser)
    key = pairs.first * np.int64(pairs.n_items) + pairs.second
    pair = np.searchsorted(key, low * np.int64(pairs.n_items) + high)
    won = np.where(low == rows.winner, rows.outcome, 1.0 - rows.outcome)
    mass, p = pairs.mass[pair], pairs.p[pair]
    rest = mass - rows.mass
    alone = rest <= 1e-12 * mass
    predicted = 1.0 / (1.0 + np.exp(rewards[high] - rewards[low]))
    change = np.where(alone, predicted - p, rows.mass * (p - won) / np.where(alone, 1.0, rest))
    if contest.count_weighted:
        change = (rows.mass / mass) * (predicted - won)
    push = adjoint[low] * weights[high] - adjoint[high] * weights[low]
    out: FloatArray = terms.strength[pair] * change * push
    return out
