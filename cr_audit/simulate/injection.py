"""A ranking, and the same ranking with copies of one item, as pairs and as fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray, IntArray, Proportions
from cr_audit.models.marks import TIE
from cr_audit.models.ranks import ranks
from cr_audit.models.rewards.objective import kappa, pair_terms, shift_certificate
from cr_audit.models.rewards.tabular import Fit, fit_tabular


def with_copies(pairs: Proportions, target: int, n: int) -> Proportions:
    """``n`` further items that were compared as ``target`` was: the same opponents, proportions
    and masses, and one half among themselves and against ``target``.
    """
    if n == 0:
        return pairs
    m = pairs.n_items
    as_first, as_second = pairs.first == target, pairs.second == target
    other = np.concatenate([pairs.second[as_first], pairs.first[as_second]])
    lost = np.concatenate([1.0 - pairs.p[as_first], pairs.p[as_second]])  # p(other ≻ target)
    mass = np.concatenate([pairs.mass[as_first], pairs.mass[as_second]])
    group = np.append(target, np.arange(m, m + n))
    a, b = np.triu_indices(n + 1, 1)
    own = float(mass.mean()) if mass.size else 1.0
    return Proportions(
        n_items=m + n,
        first=np.concatenate([pairs.first, np.tile(other, n), group[a]]),
        second=np.concatenate([pairs.second, np.repeat(group[1:], other.size), group[b]]),
        p=np.concatenate([pairs.p, np.tile(lost, n), np.full(a.size, 0.5)]),
        mass=np.concatenate([pairs.mass, np.tile(mass, n), np.full(a.size, own)]),
    )


def merged(weights: FloatArray, target: int, m: int) -> FloatArray:
    """The copies' weight added to the target's: float64 (m,)."""
    out = weights[:m].copy()
    out[target] += weights[m:].sum()
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """One connected ranking and how it is fitted. pairs : of ``comparisons``."""

    comparisons: Comparisons
    pairs: Proportions
    penalty: float
    count_weighted: bool

    @property
    def n_items(self) -> int:
        """Items without their copies."""
        return self.pairs.n_items

    def fit(self, pairs: Proportions, weights: FloatArray) -> Fit:
        """The tabular fit of pairs (those of this ranking or more) at weights float64 (m,)."""
        return fit_tabular(pairs, weights, penalty=self.penalty, count_weighted=self.count_weighted)

    def rewards(self, pairs: Proportions, weights: FloatArray) -> FloatArray:
        """Of ``fit``, float64 (m,)."""
        return self.fit(pairs, weights).rewards

    def injected(self, target: int, weights: FloatArray) -> FloatArray:
        """Rewards of the old items after copies of ``target`` were added; weights (m + n,)."""
        n = weights.shape[0] - self.n_items
        return self.rewards(with_copies(self.pairs, target, n), weights)[: self.n_items]

    def certificate(self, target: int, before: FloatArray, after: FloatArray) -> float:
        """Bound on the change of an old item's reward, from the weights alone.

        Exact copies of preferences have the reward of their original, so the fit with copies is
        that of the old pairs at the merged weights and the new κ, and ``shift_certificate`` holds.
        """
        grown = with_copies(self.pairs, target, after.shape[0] - self.n_items)
        new_kappa = kappa(grown, after, count_weighted=self.count_weighted)
        joined = merged(after, target, self.n_items)
        counted = self.count_weighted
        old = pair_terms(self.pairs, before, count_weighted=counted)
        new = pair_terms(self.pairs, joined, count_weighted=counted, normaliser=new_kappa)
        return shift_certificate(old, before, new, joined, self.penalty)


def ranks_of(rewards: FloatArray) -> IntArray:
    """1 = highest; rewards within ``TIE`` of the one above share its rank."""
    return ranks(rewards, np.zeros(rewards.shape[0], np.int64), tie=TIE)


def leader_of(rewards: FloatArray) -> int:
    """The first item of the highest reward."""
    return int(np.argmax(rewards))


def leader_changes(leader: int, rewards: FloatArray) -> bool:
    """Whether another item is above the old leader by more than rounding."""
    return bool(np.nanmax(rewards) - rewards[leader] > TIE)
