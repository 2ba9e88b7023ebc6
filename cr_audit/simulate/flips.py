"""The least that changes the leader: clones of one item, or comparisons taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.models.rewards.objective import kappa
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.sensitivity.flips import FlipAudit
from cr_audit.models.sensitivity.votes import Change
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

    n_removed : its size, 0 where no set was found; lower : fewer than so many are proved not to
    change the leader. rows : indices in the ranking's comparisons, int64 (n_removed,). after : the
    new leader. predicted : the size that influences alone foretold.
    """

    scheme: Variant
    n_removed: int
    lower: int
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
    """The certified interval of ``models.sensitivity.flips`` for the leader. Weights stay as they
    are; an item that is no longer linked to the old leader is out of the race."""
    audit = FlipAudit(
        contest.comparisons,
        weights,
        contest.penalty,
        count_weighted=contest.count_weighted,
    )
    orders = audit.leader()
    if isinstance(orders, NotApplicable):
        raise ValueError(f"a contest of three items has a leader: {orders.reason}")
    leader = int(orders.above[0])
    found = audit.interval(orders, Change.REMOVAL)
    none = isinstance(found.upper, NotApplicable)
    return RemovalFlip(
        scheme=scheme,
        n_removed=int(found.units.size),
        lower=found.lower,
        rows=found.rows,
        before=leader,
        after=leader if none else found.below,
        predicted=found.predicted,
        n_comparisons=contest.comparisons.n,
    )
