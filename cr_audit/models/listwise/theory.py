"""What fitted rewards say about two categories of messages, in closed form ([IIA] sections 3 to 5).

Choice models (Eq. 2 to 5), the reward difference that lists of given make-up teach, and the
threshold at which it has the wrong sign. Category 1 is M₁; ζ is its share among what is offered;
p* the share of annotators who prefer it; ψ = reward of category 2 − reward of category 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import comb, expit, softmax

from cr_audit.arrays import FloatArray, IntArray

# ψ beyond this (odds of e^60) counts as "no minimiser": no data of finite size has it.
MAX_PSI = 60.0
BISECTIONS = 90


def hard_choice(rewards: FloatArray, shares: FloatArray) -> FloatArray:
    """[IIA] Eq. 2: each type picks uniformly among its best members; float64 (members,).

    rewards : float64 (types, members); shares : float64 (types,), sum 1. A type that is
    indifferent between all members picks any of them ([IIA] Eq. 5 as printed is 0/0 there).
    """
    best = rewards >= rewards.max(axis=1, keepdims=True)
    out: FloatArray = np.einsum("t,tm->m", shares, best / best.sum(axis=1, keepdims=True))
    return out


def soft_choice(rewards: FloatArray, shares: FloatArray) -> FloatArray:
    """[IIA] Eq. 4: E over types of the softmax; Eq. 3 (logit) is the case of one type."""
    out: FloatArray = np.einsum("t,tm->m", shares, softmax(rewards, axis=1))
    return out


def dichotomy_choice(category: IntArray, p_first: float) -> FloatArray:
    """[IIA] Eq. 5 with the case of one category as Eq. 2 has it; category : int64 of 1 and 2."""
    taste = np.stack([category == 1, category == 2]).astype(np.float64)
    return hard_choice(taste, np.array([p_first, 1.0 - p_first]))


def threshold(zeta: float, k: int) -> float:
    """F(ζ, k) = (ζ − ζ^k) / (1 − ζ^k − (1 − ζ)^k): M₁'s mean share of the lists of k that mix.

    Numerator and denominator are divided by ζ(1 − ζ) first, so that the limits 1/k at ζ = 0 and
    1 − 1/k at ζ = 1 need no special case. F(ζ, 2) = 1/2; F(ζ, 3) = (1 + ζ)/3.

    Source: [IIA] Propositions 4 and 5, Lemma 12. ValueError unless 0 <= ζ <= 1 and k >= 2.
    """
    if not 0.0 <= zeta <= 1.0 or k < 2:
        raise ValueError("zeta must lie in [0, 1] and k be at least 2")
    if k > 200:
        top, both = zeta - zeta**k, 1.0 - zeta**k - (1.0 - zeta) ** k
        return top / both if both > 0 else (1.0 / k if zeta < 0.5 else 1.0 - 1.0 / k)
    i, j = np.arange(k - 1), np.arange(1, k)
    numerator = math.fsum(zeta**i)
    denominator = math.fsum(comb(k, j) * zeta ** (j - 1.0) * (1.0 - zeta) ** (k - 1.0 - j))
    return numerator / denominator


def largest_safe_size(zeta: float, p_first: float, *, limit: int = 64) -> int:
    """The largest k <= limit with F(ζ, k') < p* for all 2 <= k' <= k, where p* > ½; 1 if none.

    For the category that is liked by the majority: lists up to this size teach the right order.
    F rises with k for ζ > ½ and falls for ζ < ½, so for ζ <= ½ every size is safe.
    """
    safe = 1
    for k in range(2, limit + 1):
        if threshold(zeta, k) >= p_first - 1e-12:
            break
        safe = k
    return safe


def lemma_9_bound(rho_data: float, rho_chosen: float) -> float:
    """(ρ_data − ρ_chosen) / (1 + ρ_data − ρ_chosen) < ψ where ρ_data > ρ_chosen > 0."""
    gap = rho_data - rho_chosen
    return gap / (1.0 + gap)


def mixed_reward(
    k_first: IntArray, k_second: IntArray, n: FloatArray, chosen: FloatArray
) -> FloatArray:
    """ψ of the logit fit on mixed lists; float64 (b,); ±inf: no minimiser, NaN: no lists.

    k_first, k_second : int64 (j,) >= 1, the make-ups. n : float64 (b, j) or (j,), how many lists of
    each (in b data sets). chosen : float64 (b,) or a scalar, in how many of them M₁ was chosen.

    The minimiser of [IIA] Eq. 7 solves Σ n k₁ / (k₁ + k₂ e^ψ) = chosen (Lemma 9); the left side
    falls with ψ, and bisection finds the one root to rounding.
    """
    counts = np.atleast_2d(np.asarray(n, dtype=np.float64))
    won = np.atleast_1d(np.asarray(chosen, dtype=np.float64))
    total = counts.sum(axis=1)
    log_odds = np.log(k_first / k_second)
    low, high = np.full(won.shape, -MAX_PSI), np.full(won.shape, MAX_PSI)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        over = np.einsum("bj,bj->b", counts, expit(log_odds - middle[:, None])) > won
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    out = (low + high) / 2
    out = np.where(won <= 0, np.inf, np.where(won >= total, -np.inf, out))
    return np.where(total > 0, out, np.nan)


def population_reward(zeta: float, k: int, p_first: float) -> float:
    """ψ that infinitely many lists of k, each member of M₁ with chance ζ, teach under p*."""
    from scipy.stats import binom

    made = np.arange(1, k)
    chance = binom.pmf(made, k, zeta)
    return float(mixed_reward(made, k - made, chance, p_first * chance.sum())[0])


def fixed_reward(k_first: int, k_second: int, p_first: float) -> float:
    """ψ where every list has k₁ and k₂ members: ln((1 − p*)/p* · k₁/k₂) ([IIA] Eq. 12 and 13)."""
    return math.log((1.0 - p_first) / p_first * k_first / k_second)


def iia_share(pairwise: float, n_others: int) -> float:
    """P(x among x and n alike others) that IIA infers from P(x against one of them).

    [IIA] section 6.3 has it backwards: 2/5 becomes 2/11 among one and three, not 2/3.
    """
    odds = pairwise / (1.0 - pairwise)
    return odds / (odds + n_others)


def iia_pairwise(share: float, n_others: int) -> float:
    """The pairwise chance that IIA infers from a share among x and n alike others (2/5 -> 2/3)."""
    odds = share / (1.0 - share) * n_others
    return odds / (1.0 + odds)


@dataclass(frozen=True, slots=True)
class WrongSign:
    """rho_data, rho_chosen : M₁'s share offered and chosen over lists that mix both categories.
    margin : rho_chosen − rho_data; negative where a logit reward prefers category 2.
    threshold : F at the data's own make-up, which is rho_data. n : mass of the mixed lists."""

    rho_data: float
    rho_chosen: float
    n: float

    @property
    def margin(self) -> float:
        """ρ_chosen − ρ_data: above 0, the first kind is chosen more often than it is offered."""
        return self.rho_chosen - self.rho_data

    @property
    def fires(self) -> bool:
        """The majority chooses M₁ and the reward prefers category 2, or the other way round."""
        return (self.rho_chosen - 0.5) * self.margin < 0


def wrong_sign(
    k_first: IntArray, k_second: IntArray, first_chosen: FloatArray, mass: FloatArray
) -> WrongSign:
    """[IIA] Lemma 9 over mixed lists: ρ_data against ρ_chosen ([IIA] A.1, one-category lists add
    the same to both and are left out). NaN where no list is mixed."""
    total = float(mass.sum())
    if total <= 0:
        return WrongSign(math.nan, math.nan, 0.0)
    offered = k_first / (k_first + k_second)
    return WrongSign(
        rho_data=float((mass * offered).sum()) / total,
        rho_chosen=float((mass * first_chosen).sum()) / total,
        n=total,
    )


@lru_cache(maxsize=64)
def mixed_chance(zeta: float, k: int) -> float:
    """1 − ζ^k − (1 − ζ)^k: how many lists of k hold both categories."""
    return 1.0 - zeta**k - (1.0 - zeta) ** k
