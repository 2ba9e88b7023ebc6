"""Sensitivity of a ranking's probability in the K-tuple Plackett-Luce model.

    p_ω = Π_{u<K} 1/(1 + Σ_{v>u} exp(s_{ω_v} - s_{ω_u}))                            [SP] Eq. 6

For two positions u < v let ω_uv be any ranking that ends with ω_u, ω_v, and ω_vu the same with the
last two exchanged. Then exp(s_{ω_v} - s_{ω_u}) = p_vu/p_uv, and p_ω is a function of these ratios
([SP] Lemma 5, Eq. 7) with the partials of Eq. 9.

Deviations from [SP] as printed (METHODS section 8): the second interval of Eq. 11 is for p_vu; the
area is β²/(6αM²), where Appendix B.2 prints M; α = 1 exactly for the last two positions. For K >= 4
p_uv depends on the prefix that is chosen, which the paper leaves open: it is an argument here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from cr_audit.arrays import FloatArray
from cr_audit.models.sensitivity.pairwise import check_threshold


@dataclass(frozen=True, slots=True)
class RankingPartials:
    """One ranking ω and two of its positions. p_uv, p_vu : probabilities of the rankings that end
    in the two; alpha, beta : of [SP] Eq. 10; by_uv, by_vu : ∂p_ω/∂p_uv and ∂p_ω/∂p_vu (Eq. 9)."""

    p_omega: float
    p_uv: float
    p_vu: float
    alpha: float
    beta: float
    by_uv: float
    by_vu: float


def log_probability(scores: FloatArray, ranking: Sequence[int]) -> float:
    """ln p_ω ([SP] Eq. 6); ranking : item indices from first to last."""
    s = np.asarray(scores, dtype=np.float64)[list(ranking)]
    return float(sum(s[u] - logsumexp(s[u:]) for u in range(s.shape[0] - 1)))


def from_ratios(ratios: FloatArray) -> float:
    """p_ω from ρ[u, v] = p_vu/p_uv, u < v, the upper triangle of a (K, K) array ([SP] Eq. 7)."""
    r = np.triu(np.asarray(ratios, dtype=np.float64), 1)
    return float(np.prod(1.0 / (1.0 + r[:-1].sum(axis=1))))


def partials(
    scores: FloatArray,
    ranking: Sequence[int],
    u: int,
    v: int,
    prefix: Sequence[int] | None = None,
) -> RankingPartials:
    """Eq. 9 and 10 at the model's own probabilities; u < v are positions in ``ranking``.

    prefix : the K - 2 other positions in the order in which ω_uv ranks them (None: as in ω).
    """
    k = len(ranking)
    if len(set(ranking)) != k or not 0 <= u < v < k:
        raise ValueError("a ranking has distinct items and positions 0 <= u < v < K")
    others = [t for t in range(k) if t not in (u, v)]
    order = others if prefix is None else list(prefix)
    if sorted(order) != others:
        raise ValueError("the prefix must hold every other position once")
    s = np.asarray(scores, dtype=np.float64)[list(ranking)]
    ratios = np.exp(s[None, :] - s[:, None])
    upper = np.triu(ratios, 1)
    rest = 1.0 + upper.sum(axis=1)
    alpha = float(rest[u] - upper[u, v])
    beta = float(np.prod([1.0 / rest[l] for l in range(k - 1) if l != u]))
    p_uv = float(np.exp(log_probability(s, [*order, u, v])))
    p_vu = float(np.exp(log_probability(s, [*order, v, u])))
    by_uv, by_vu = partials_at(p_uv, p_vu, alpha, beta)
    p_omega = float(np.exp(log_probability(s, range(k))))
    return RankingPartials(p_omega, p_uv, p_vu, alpha, beta, by_uv, by_vu)


def partials_at(p_uv: float, p_vu: float, alpha: float, beta: float) -> tuple[float, float]:
    """∂p_ω/∂p_uv = β p_vu/(α p_uv + p_vu)², ∂p_ω/∂p_vu = -β p_uv/(α p_uv + p_vu)² (Eq. 9)."""
    square = (alpha * p_uv + p_vu) ** 2
    return beta * p_vu / square, -beta * p_uv / square


def _check(alpha: float, beta: float, threshold: float) -> float:
    if not (np.isfinite(alpha) and alpha >= 1.0 and 0.0 < beta <= 1.0):
        raise ValueError("alpha must be at least 1 and beta in (0, 1]")
    return check_threshold(threshold)


def edge_of_region(alpha: float, beta: float, threshold: float) -> float:
    """β/(4αM): p_uv (for the first region) or p_vu (for the second) must be below it."""
    return beta / (4.0 * alpha * _check(alpha, beta, threshold))


def interval_of_p_vu(
    p_uv: float, alpha: float, beta: float, threshold: float
) -> tuple[float, float] | None:
    """γ₁ ∓ γ₂: the p_vu at which p_ω is M-sensitive to p_uv, or None ([SP] Eq. 11 as corrected)."""
    m = _check(alpha, beta, threshold)
    if not 0.0 < p_uv < edge_of_region(alpha, beta, m):
        return None
    centre = beta - 2.0 * alpha * m * p_uv
    half = np.sqrt(beta * (beta - 4.0 * alpha * m * p_uv))
    # The lower end as a quotient: the difference of the two nearly equal terms would cancel.
    high = (centre + half) / (2.0 * m)
    return float(alpha**2 * p_uv**2 / high), float(high)


def interval_of_p_uv(
    p_vu: float, alpha: float, beta: float, threshold: float
) -> tuple[float, float] | None:
    """η₁ ∓ η₂: the p_uv at which p_ω is M-sensitive to p_vu, or None ([SP] Eq. 12)."""
    m = _check(alpha, beta, threshold)
    if not 0.0 < p_vu < edge_of_region(alpha, beta, m):
        return None
    centre = beta - 2.0 * alpha * m * p_vu
    half = np.sqrt(beta * (beta - 4.0 * alpha * m * p_vu))
    high = (centre + half) / (2.0 * alpha**2 * m)
    return float(p_vu**2 / (alpha**2 * high)), float(high)


def areas(alpha: float, beta: float, threshold: float) -> tuple[float, float]:
    """β²/(6αM²) and β²/(6α³M²): the areas of the two regions in the plane of (p_uv, p_vu).

    [SP] Proposition 2. They are areas in other coordinates than ``pairwise.area``: that one is the
    larger ([SP] Theorem 2) is no proof that longer rankings are more robust.
    """
    m = _check(alpha, beta, threshold)
    first = beta**2 / (6.0 * alpha * m**2)
    return first, first / alpha**2
