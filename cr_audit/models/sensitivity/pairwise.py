"""Sensitivity of a pair's prediction to the pairs it is derived from: general links, Bradley-Terry.

In a pairwise model p_ij = g(s_i - s_j), so two preferences fix a third:

    p_ij = g(g⁻¹(p_ik) + g⁻¹(p_kj))                                              [SP] Lemma 1

and p_ij is *M-sensitive* to p_ik where |∂p_ij/∂p_ik| > M ([SP] Definition 3). All probabilities lie
strictly inside (0, 1) and broadcast; ValueError otherwise. Nothing here knows how sure the
probabilities are: ``chain_error`` does, and near 0 and 1 it is the larger number.

Deviations from [SP] as printed (METHODS section 8): γ₀ of Eq. 5 lacks a -1 in the paper; Example
1's first value is 0.9951, not 0.96 or 0.95; ln((M+1)/(M-1))/2 = atanh(1/M), where the paper's
formula for atanh has the quotient of two logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cr_audit.arrays import FloatArray
from cr_audit.models.sensitivity.links import LOGISTIC, Link


def inside(p: Any, name: str) -> FloatArray:
    """float64, every value strictly between 0 and 1."""
    out = np.asarray(p, dtype=np.float64)
    if not np.all((out > 0.0) & (out < 1.0)):
        raise ValueError(f"{name} must lie strictly between 0 and 1")
    return out


def check_threshold(threshold: float) -> float:
    """M as a float. The regions have the printed shape for M > 1 only."""
    if not (np.isfinite(threshold) and threshold > 1.0):
        raise ValueError(f"the sensitivity threshold must be greater than 1, got {threshold!r}")
    return float(threshold)


def chained(p_ik: Any, p_kj: Any, link: Link = LOGISTIC) -> FloatArray:
    """p_ij from p_ik and p_kj ([SP] Lemma 1, Eq. 1; Eq. 3 for the logistic link)."""
    x = link.difference(inside(p_ik, "p_ik")) + link.difference(inside(p_kj, "p_kj"))
    return link.probability(x)


def sensitivity(p_ik: Any, p_kj: Any, link: Link = LOGISTIC) -> FloatArray:
    """∂p_ij/∂p_ik = g'(g⁻¹(p_ik) + g⁻¹(p_kj)) / g'(g⁻¹(p_ik)) ([SP] Eq. 2; Eq. 4 if logistic).

    By the symmetry of g, ∂p_ij/∂p_kj is ``sensitivity(p_kj, p_ik)``.
    """
    x = link.difference(inside(p_ik, "p_ik"))
    y = link.difference(inside(p_kj, "p_kj"))
    out: FloatArray = np.exp(link.log_density(x + y) - link.log_density(x))
    return out


def path_sensitivity(p: FloatArray, link: Link = LOGISTIC) -> FloatArray:
    """∂p(first ≻ last)/∂p_e for every edge of a chain; p : float64 (..., edges), same shape back.

    Lemma 1 applied again and again: g'(Σ x_e) / g'(x_e), x_e = g⁻¹(p_e).
    """
    x = link.difference(inside(p, "p"))
    out: FloatArray = np.exp(link.log_density(x.sum(axis=-1, keepdims=True)) - link.log_density(x))
    return out


def chain_error(p_ik: Any, p_kj: Any, n_ik: Any, n_kj: Any, link: Link = LOGISTIC) -> FloatArray:
    """Standard error of the chained p_ij when p_ik and p_kj are shares of n_ik and n_kj votes.

    Delta method on Lemma 1: √(M_ik² p_ik(1 - p_ik)/n_ik + M_kj² p_kj(1 - p_kj)/n_kj).
    """
    a, b = inside(p_ik, "p_ik"), inside(p_kj, "p_kj")
    n, k = np.asarray(n_ik, dtype=np.float64), np.asarray(n_kj, dtype=np.float64)
    if not (np.all(n > 0) and np.all(k > 0)):
        raise ValueError("counts must be positive")
    one, two = sensitivity(a, b, link), sensitivity(b, a, link)
    out: FloatArray = np.sqrt(one**2 * a * (1 - a) / n + two**2 * b * (1 - b) / k)
    return out


def from_counts(won: Any, n: Any) -> FloatArray:
    """(won + ½)/(n + 1): a share that is strictly inside (0, 1) for any n >= 0 votes.

    A share of 0 or 1 out of a few votes has no derivative and an infinite log-odds; with Jeffreys'
    half vote on each side it has both, and they tend to the plain share's as n grows.
    """
    w, k = np.asarray(won, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if not (np.all(w >= 0) and np.all(k >= w)):
        raise ValueError("won must lie in [0, n]")
    out: FloatArray = (w + 0.5) / (k + 1.0)
    return out


def region_edge(p_kj: Any, threshold: float) -> FloatArray:
    """γ₀ = 1 - (√((1/p - 1)/M) - 1)/(1/p - 2), p = p_kj ([SP] Eq. 5 as corrected).

    Where 1/(1+M) <= p <= M/(1+M) no p_ik is M-sensitive and the value is NaN.
    """
    p, m = inside(p_kj, "p_kj"), check_threshold(threshold)
    some = (p < 1 / (1 + m)) | (p > m / (1 + m))
    odds = 1.0 / np.where(some, p, 0.25)
    edge = 1.0 - (np.sqrt((odds - 1.0) / m) - 1.0) / (odds - 2.0)
    return np.where(some, edge, np.nan)


def sensitive_interval(p_kj: float, threshold: float) -> tuple[float, float] | None:
    """The open interval of p_ik on which p_ij is M-sensitive to it, or None ([SP] Eq. 5)."""
    edge = float(region_edge(p_kj, threshold))
    if np.isnan(edge):
        return None
    return (edge, 1.0) if p_kj < 0.5 else (0.0, edge)


def area(threshold: float) -> float:
    """Share of the unit square of (p_ik, p_kj) that is M-sensitive ([SP] Proposition 1).

    ½ ln((M-1)/(M+1)) + ln((√M+1)/(√M-1))/(2√M) = atanh(1/√M)/√M - atanh(1/M).
    """
    m = check_threshold(threshold)
    if m < 100.0:
        return float(np.arctanh(1.0 / np.sqrt(m)) / np.sqrt(m) - np.arctanh(1.0 / m))
    # The two terms cancel for large M; the paper's series (B7) does not.
    n = np.arange(1.0, 9.0)
    even = 1.0 / (4.0 * n - 1.0) / m ** (2.0 * n)
    odd = 2.0 * n / ((4.0 * n + 1.0) * (2.0 * n + 1.0)) / m ** (2.0 * n + 1.0)
    return float((even - odd).sum())
