"""What a vendor gains by entering many variants, and the boards on which that gains nothing.

Whoever enters N variants and shows the best of them shows the largest of N noisy estimates: even N
copies of one model stand above its true reward. The gain is measured on the board's own data:
the item's own opponents, its own numbers of battles, the fit's chances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray
from cr_audit.models.ties.battles import Battles
from cr_audit.models.ties.fit import TieFit
from cr_audit.models.ties.links import LINKS, LOSS, TIE, WIN

N_SIMULATIONS = 400
VARIANTS = (1, 2, 3, 5, 10)
MAX_STEPS = 60


@dataclass(frozen=True, slots=True, eq=False)
class BestOfN:
    """item : whose copies are entered. n_variants : int64 (v,). gain : float64 (v,), mean of (best
    estimate of N - true reward) in log-odds, of which n_variants = 1 is what noise and prior do
    alone. low, high : float64 (v,), its 5 % and 95 % points. places : float64 (v,), mean number of
    other items overtaken (fallen behind where negative). first : float64 (v,), share of the
    simulations in which the best variant stands above everybody else on the board.
    """

    item: int
    n_variants: IntArray
    gain: FloatArray
    low: FloatArray
    high: FloatArray
    places: FloatArray
    first: FloatArray
    spread: float
    n_simulations: int


def best_of_n(
    rows: Battles,
    fit: TieFit,
    item: int,
    *,
    n_variants: Sequence[int] = VARIANTS,
    spread: float = 0.0,
    n_simulations: int = N_SIMULATIONS,
    rng: np.random.Generator,
) -> BestOfN:
    """Simulate entering N variants of ``item`` and keeping the best estimate.

    Every variant fights the item's opponents as often as the item did, with a true reward that is
    the item's plus ``spread`` times a standard normal (0: copies). Its estimate maximises the
    likelihood of its battles with the others' rewards and the fit's prior held fixed. Covariates
    are 0. Memory: n_simulations x max(N) x opponents numbers.
    """
    link, eta = LINKS[fit.link], np.asarray(fit.eta)
    mine = (rows.first == item) | (rows.second == item)
    other = np.where(rows.first[mine] == item, rows.second[mine], rows.first[mine])
    opponent, at = np.unique(other, return_inverse=True)
    n_battles = np.rint(
        np.bincount(at, weights=rows.counts[:, mine].sum(axis=0), minlength=opponent.size)
    ).astype(np.int64)
    most = max(n_variants)
    true = fit.rewards[item] + spread * rng.standard_normal((n_simulations, most))
    delta = true[:, :, None] - fit.rewards[opponent]
    p = link.probabilities(delta, eta)
    tie = rng.binomial(n_battles, np.clip(p[TIE], 0.0, 1.0))
    decided = n_battles - tie
    win = rng.binomial(decided, np.clip(p[WIN] / (p[WIN] + p[LOSS]), 0.0, 1.0))
    counts = np.stack([win, tie, decided - win]).astype(np.float64)
    estimate = _alone(counts, fit, opponent, start=float(fit.rewards[item]))
    rivals = np.delete(fit.rewards, item)
    rivals = np.sort(
        rivals[np.isfinite(rivals) & (np.delete(fit.component, item) == fit.component[item])]
    )
    place = rivals.size - np.searchsorted(rivals, fit.rewards[item], side="right")
    gain, places, first = [], [], []
    for n in n_variants:
        best = estimate[:, :n].max(axis=1)
        above = rivals.size - np.searchsorted(rivals, best, side="right")
        gain.append(best - fit.rewards[item])
        places.append(float(np.mean(place - above)))
        first.append(float(np.mean(above == 0)))
    gains = np.stack(gain)
    return BestOfN(
        item=item,
        n_variants=np.array(n_variants, dtype=np.int64),
        gain=gains.mean(axis=1),
        low=np.quantile(gains, 0.05, axis=1),
        high=np.quantile(gains, 0.95, axis=1),
        places=np.array(places),
        first=np.array(first),
        spread=spread,
        n_simulations=n_simulations,
    )


def _alone(counts: FloatArray, fit: TieFit, opponent: IntArray, *, start: float) -> FloatArray:
    """The reward that each row of counts (3, s, v, k) gives a new entry; Newton, steps bounded."""
    link, eta = LINKS[fit.link], np.asarray(fit.eta)
    x = np.full(counts.shape[1:3], start)
    for _ in range(MAX_STEPS):
        delta = x[:, :, None] - fit.rewards[opponent]
        slope = link.gradient(counts, delta, eta)[0].sum(axis=2) - fit.prior_precision * x
        curve = link.curvature(counts, delta, eta)[0].sum(axis=2) + fit.prior_precision
        step = np.clip(slope / np.maximum(curve, 1e-12), -1.0, 1.0)
        x = x + step
        if float(np.abs(step).max(initial=0.0)) < 1e-8:
            break
    return x


def owned(comparisons: Comparisons, owner: IntArray) -> tuple[Comparisons, int]:
    """The comparisons of owners with each other, and how many fell away as one owner's own.

    owner : int64 (m,) labels 0, 1, ... One entry stands for everything that an owner entered: more
    entries are more battles of the one, not more places.
    """
    return comparisons.relabel(owner, int(owner.max(initial=-1)) + 1)


def one_place_each(rank: IntArray, owner: IntArray, component: IntArray) -> IntArray:
    """Ranks when only each owner's best entry takes a place: 1 + owners that are wholly above.

    Entries of one owner share the place of its best; 0 without data.
    """
    out = np.zeros_like(rank)
    for c in np.unique(component[component >= 0]).tolist():
        members: BoolArray = (component == c) & (rank > 0)
        owners = np.unique(owner[members])
        best = np.array([rank[members & (owner == o)].min() for o in owners])
        for o, b in zip(owners.tolist(), best.tolist(), strict=True):
            out[members & (owner == o)] = 1 + int((best < b).sum())
    return out
