"""What a replicate does not show: how far the penalty pulls rewards, and votes that all agree.

A penalised fit r̂ misses the true rewards r* by noise and by what the penalty takes away. To first
order, with J the Jacobian of the moment system (λ I plus the data's part),

    r̂ - r* = J⁻¹ noise - λ J⁻¹ r*

and a bootstrap of the comparisons shows the first term alone: its intervals cover what infinitely
many votes would give *at this penalty*. The second term is not known but has a size: with true
rewards spread as N(0, τ²), r̂ = A r* + noise for A = I - λ J⁻¹, so that

    τ² = max(0, (Σ r̂² - Σ Var r̂) / ‖A‖²)

and draws of -λ J⁻¹ ρ, ρ ~ N(0, τ² I), added to the replicates, widen their intervals so that they
cover the truth on average over items (as Bayesian intervals of smoothing splines do: Wahba 1983,
Nychka 1988). τ is known from k = items - components rewards only: every draw has its own τ²·k/χ²_k,
as a variance from k numbers has, which turns the normal distribution of the pull into Student's t
(k at least ``LEAST_FREEDOM``: below, the draws' covariance would mean nothing). J is taken at the
rewards with the pull undone once, r̂ + λ J⁻¹ r̂, where slopes are flatter: at r̂ itself what strong
preferences lose is understated.

The noise has a gap of its own. A pair of n votes, of which p went to the first, gives a bootstrap
the variance [p(1 - p) + (p - q̂)²]/n: votes that differ, and a mass that is drawn with the fit's
residual. In expectation that is q(1 - q)/n · [(1 - 1/n) + (1 - h)²/n], where h = ∂q̂/∂p is how far
the fit follows the pair's own share (its leverage). What is missing,

    q(1 - q)/n² · h (2 - h)

is added at the fitted q. Where few pairs decide about few items, h is near 1: three votes that
agree never disagree when they are drawn again, and a chain of single votes is fitted as it stands,
so that its replicates differ by what the penalty leaves of it and say next to nothing of its noise.
Where many pairs share an item h is near 0, and the bootstrap has the noise of single votes already.

τ is one number, from the standard fit; both fits have the same draws of the truth and of the votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.engine import one_blas_thread
from cr_audit.models.rewards.objective import PairTerms, pair_terms
from cr_audit.models.sensitivity.solves import Adjoints, Method

# Draws; replicates take them in turn. Above so many items the solves would cost more than the fit.
N_DRAWS, MAX_ITEMS = 200, 4000
# Items up to which J is factorised; accuracy of the iteration beyond, of draws that are random.
MAX_DENSE, ACCURACY = 1500, 1e-6
# Degrees of freedom of the spread with the fewest items: the covariance of the draws must exist.
LEAST_FREEDOM = 5.0
# In place of a weight of 0, whose row stays but on whom nothing rests.
TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Widened:
    """Replicates with what they do not show, float64 (fits, b, m), NaN without data.

    votes : with the noise of votes that resampling cannot show; their spread is that of the fit at
    its penalty. truth : with what the penalty takes away too; their spread is that of r̂ - r*.
    """

    votes: FloatArray
    truth: FloatArray


class Fit(Protocol):
    """A tabular fit."""

    @property
    def rewards(self) -> FloatArray: ...
    @property
    def weights(self) -> FloatArray: ...
    @property
    def components(self) -> IntArray: ...


def around_truth(
    comparisons: Comparisons,
    fits: Sequence[Fit],
    replicates: FloatArray,
    *,
    penalty: float,
    count_weighted: bool,
    rng: np.random.Generator,
) -> Widened | NotApplicable:
    """``replicates`` with what they do not show added.

    replicates : float64 (fits, b, m), the standard fit first, NaN without data. Not applicable
    above MAX_ITEMS items. Memory: two arrays as ``replicates``, up to MAX_DENSE items a dense
    matrix of them, and 3 arrays of N_DRAWS x m.
    """
    m = comparisons.n_items
    if m > MAX_ITEMS:
        return NotApplicable(f"what the penalty takes from more than {MAX_ITEMS:,} items")
    pairs = comparisons.proportions()
    votes = comparisons.proportions(np.ones(comparisons.n)).mass
    truth = rng.standard_normal((N_DRAWS, m))
    votes_drawn = rng.standard_normal((N_DRAWS, pairs.first.shape[0]))
    scale = _of_few(fits[0].components, rng)
    seen, out = np.empty_like(replicates), np.empty_like(replicates)
    spread: float | None = None
    turn = np.arange(replicates.shape[1]) % N_DRAWS
    for k, fit in enumerate(fits):
        known = fit.components >= 0
        r = np.where(known, fit.rewards, 0.0)
        w = np.maximum(fit.weights, TINY)
        terms = pair_terms(pairs, fit.weights, count_weighted=count_weighted)
        pull = _at(terms, w, penalty, r, "iterative")[1].moves(r[None, :])[0]
        q, system = _at(terms, w, penalty, r + penalty * pull)
        undone = system.moves(truth)
        h = _leverage(terms, q, system, votes_drawn)
        gap = q * (1.0 - q) / np.maximum(votes, 1.0) ** 2 * h * (2.0 - h)
        noise = system.moves(system.pull(votes_drawn * np.sqrt(gap) * terms.strength))
        if spread is None:
            kept = truth - penalty * undone
            size = float((kept[:, known] ** 2).sum() / N_DRAWS)
            own = float(np.nanvar(replicates[k][:, known], axis=0).sum())
            spread = np.sqrt(max(0.0, float((r[known] ** 2).sum()) - own) / max(size, TINY))
        pulled = penalty * spread * scale[:, None] * undone
        seen[k] = replicates[k] + _centred(noise, fit.weights, fit.components)[turn]
        out[k] = replicates[k] + _centred(noise - pulled, fit.weights, fit.components)[turn]
    return Widened(seen, out)


def _leverage(
    terms: PairTerms, shares: FloatArray, system: Adjoints, drawn: FloatArray
) -> FloatArray:
    """h = ∂q̂/∂p = q(1 - q) s (e_i - e_j)ᵀ J⁻¹ (w_j e_i - w_i e_j) of each pair, float64 (k,).

    drawn : float64 (n, k) standard normal z; above MAX_DENSE items the product is the mean of z
    times what s z moves, whose error is about 1/√n of the gap's own spread.
    """
    first, second, w = terms.first, terms.second, system.weights
    if terms.n_items <= MAX_DENSE:
        inverse = system.moves(np.eye(terms.n_items)).T
        moved = w[second] * (inverse[first, first] - inverse[second, first])
        moved += w[first] * (inverse[second, second] - inverse[first, second])
        moved *= terms.strength
    else:
        by_draw = system.moves(system.pull(drawn * terms.strength))
        moved = (drawn * (by_draw[:, first] - by_draw[:, second])).mean(axis=0)
    out: FloatArray = np.clip(shares * (1.0 - shares) * moved, 0.0, 1.0)
    return out


def _of_few(components: IntArray, rng: np.random.Generator) -> FloatArray:
    """√(k/χ²_k) per draw, float64 (N_DRAWS,): how far off a spread from k rewards may be."""
    k = int((components >= 0).sum()) - int(components.max(initial=-1)) - 1
    freedom = max(float(k), LEAST_FREEDOM)
    out: FloatArray = np.sqrt(freedom / rng.chisquare(freedom, N_DRAWS))
    return out


def _at(
    terms: PairTerms,
    weights: FloatArray,
    penalty: float,
    rewards: FloatArray,
    method: Method | None = None,
) -> tuple[FloatArray, Adjoints]:
    """σ of the pairs' gaps at these rewards, and J prepared there."""
    shares: FloatArray = expit(rewards[terms.first] - rewards[terms.second])
    if method is None and terms.n_items > MAX_DENSE:
        method = "iterative"
    return shares, Adjoints.at(terms, shares, weights, penalty, method=method, accuracy=ACCURACY)


def _centred(moved: FloatArray, weights: FloatArray, components: IntArray) -> FloatArray:
    """Σ w x = 0 in each component, as of every fit; 0 elsewhere."""
    out = np.zeros_like(moved)
    with one_blas_thread():
        for c in range(int(components.max(initial=-1)) + 1):
            member: BoolArray = components == c
            w = weights[member]
            total = w.sum()
            mean = moved[:, member] @ w / total if total > 0 else moved[:, member].mean(axis=1)
            out[:, member] = moved[:, member] - mean[:, None]
    return out
