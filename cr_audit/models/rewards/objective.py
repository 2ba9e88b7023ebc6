"""The one objective of every fit, with its halves and normalisers, and what can be proved about it.

With weights w (sum w = 1), penalty λ > 0 and the observed pairs O (unordered, x != y)

    f(r) = -(1/κ) Σ_{(x, y), {x, y} in O} w(x) w(y) p(x≻y) log σ(r(x) - r(y)) + (λ/2) Σ_x w(x) r(x)²

where the first sum runs over *ordered* pairs. σ is the logistic function and

    κ = Σ_{(x, y) observed} w(x) w(y) / (1 - Σ w²)                     (1 on complete data)

Source: [CR] Eq. 2 (docs/rewards.md). Deviations from [CR] Eq. 1 and Eq. 2:

1. The *standard* fit is this objective with w = 1/m. Eq. 1 as printed does not normalise its
   double sum and equals the standard fit at ``lambda_eq1 = m * penalty``. Comparing Eq. 1 with
   Eq. 2 at one λ would report a change of penalty as an effect of clones.
2. κ: the paper assumes that every pair is observed. Dividing by κ keeps sparse data from being all
   penalty.
3. The terms x = y, which add the constant (ln 2 / 2) Σ w², are left out (``diagonal_constant``).
4. ``count_weighted``: a pair's term is multiplied by its number of comparisons, and so is its
   part of κ. Off by default: counts let over-sampled clones back in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from cr_audit.arrays import FloatArray, IntArray, Proportions, checked_weights
from cr_audit.errors import ComputeError


@dataclass(frozen=True, slots=True, eq=False)
class PairTerms:
    """The observed pairs, sorted by (first, second), each once, with what multiplies its term.

    first, second : int64 (k,), first < second. p : float64 (k,), p(first ≻ second).
    strength : float64 (k,) >= 0, 1 (or the number of comparisons) divided by κ.
    """

    n_items: int
    first: IntArray
    second: IntArray
    p: FloatArray
    strength: FloatArray
    kappa: float


def check_weights(weights: FloatArray, n_items: int) -> FloatArray:
    """The weights as float64 (m,): finite, >= 0, sum 1 (within 1e-8). ValueError otherwise."""
    w = checked_weights(weights, n_items)
    if w.ndim != 1:
        raise ValueError(f"weights have shape {w.shape}, expected ({n_items},)")
    if n_items and abs(float(w.sum()) - 1.0) > 1e-8:
        raise ValueError(f"weights must sum to 1, they sum to {float(w.sum())!r}")
    return w


def check_penalty(penalty: float) -> float:
    """The penalty as a float; ValueError unless it is finite and positive."""
    if not (np.isfinite(penalty) and penalty > 0):
        raise ValueError(f"penalty must be positive and finite, got {penalty!r}")
    return float(penalty)


def kappa(proportions: Proportions, weights: FloatArray, *, count_weighted: bool = False) -> float:
    """κ: the observed off-diagonal weight mass over 1 - Σ w²; exactly 1 on complete data.

    ComputeError ``fit-no-weight`` where no observed pair has two positive weights: the objective is
    then all penalty, and no normaliser can mend that.
    """
    m, k = proportions.n_items, proportions.first.shape[0]
    w = check_weights(weights, m)
    if k == 0 or (k == m * (m - 1) // 2 and not count_weighted):
        return 1.0
    both = w[proportions.first] * w[proportions.second]
    observed = 2.0 * float((both * proportions.mass if count_weighted else both).sum())
    possible = 1.0 - float((w * w).sum())
    if observed <= 0.0 or possible <= 0.0:
        raise ComputeError(
            "fit-no-weight",
            "the weights are zero on every compared pair, so there is nothing to fit",
            next_step="use other weights: --weights sharing or --weights uniform",
        )
    return observed / possible


def pair_terms(
    proportions: Proportions,
    weights: FloatArray,
    *,
    count_weighted: bool = False,
    normaliser: float | None = None,
) -> PairTerms:
    """Sort the pairs, merge repeated ones by their mass, and divide by κ (or by ``normaliser``).

    ``normaliser=1`` gives the sum over observed pairs as it stands. ValueError where p is outside
    [0, 1], a pair is not ordered, or an index is out of range.
    """
    m = proportions.n_items
    first, second = proportions.first, proportions.second
    p, mass = proportions.p, proportions.mass
    if first.size:
        if first.min() < 0 or second.max() >= m or np.any(first >= second):
            raise ValueError(f"pairs must satisfy 0 <= first < second < {m}")
        if not np.all((p >= 0) & (p <= 1)) or not np.all(mass > 0):
            raise ValueError("p must lie in [0, 1] and mass must be positive")
    key = first * np.int64(m) + second
    if np.any(np.diff(key) <= 0):
        unique, inverse = np.unique(key, return_inverse=True)
        total: FloatArray = np.bincount(inverse, weights=mass).astype(np.float64)
        p = np.bincount(inverse, weights=mass * p) / total
        first, second, mass = unique // m, unique % m, total
        proportions = Proportions(m, first, second, p, mass)
    k = normaliser
    if k is None:
        k = kappa(proportions, weights, count_weighted=count_weighted)
    strength = mass / k if count_weighted else np.full(first.shape[0], 1.0 / k)
    return PairTerms(m, first, second, p, strength, k)


def objective(terms: PairTerms, weights: FloatArray, rewards: FloatArray, penalty: float) -> float:
    """f(r) without the constant of the diagonal (see the module's formula)."""
    return value(terms.first, terms.second, terms.p, terms.strength, weights, rewards, penalty)


def value(
    first: IntArray,
    second: IntArray,
    p: FloatArray,
    strength: FloatArray,
    weights: FloatArray,
    rewards: FloatArray,
    penalty: float,
) -> float:
    """``objective`` of pairs that are given as arrays, float64 or int64 (k,) each."""
    delta = rewards[first] - rewards[second]
    # -log σ(t) = logaddexp(0, -t): no overflow at any scale.
    loss = p * np.logaddexp(0.0, -delta) + (1.0 - p) * np.logaddexp(0.0, delta)
    both = weights[first] * weights[second] * strength
    return float((both * loss).sum() + 0.5 * penalty * (weights * rewards**2).sum())


def diagonal_constant(weights: FloatArray) -> float:
    """(ln 2 / 2) Σ w²: the paper's terms x = y with p(x, x) = 1/2; the gradient ignores it."""
    return float(0.5 * np.log(2.0) * (weights * weights).sum())


def moment_residual(
    terms: PairTerms, weights: FloatArray, rewards: FloatArray, penalty: float
) -> FloatArray:
    """F(x) = λ r(x) - Σ_y w(y) s(x,y) [p(x≻y) - σ(r(x) - r(y))], s = strength; float64 (m,).

    The gradient of f divided by w(x) ([CR] Theorem 4.4/4.2 is F = 0). Defined where w(x) = 0 too.
    """
    m = terms.n_items
    excess = terms.strength * (terms.p - expit(rewards[terms.first] - rewards[terms.second]))
    gain = np.bincount(terms.first, weights=weights[terms.second] * excess, minlength=m)
    loss = np.bincount(terms.second, weights=weights[terms.first] * excess, minlength=m)
    residual: FloatArray = penalty * rewards - gain + loss
    return residual


def gradient(
    terms: PairTerms, weights: FloatArray, rewards: FloatArray, penalty: float
) -> FloatArray:
    """∇f(r) = w(x) F(x), float64 (m,) ([CR] Eq. 8)."""
    return weights * moment_residual(terms, weights, rewards, penalty)


def moment_jacobian(
    terms: PairTerms, weights: FloatArray, rewards: FloatArray, penalty: float
) -> sp.csr_array:
    """J = ∂F/∂r, sparse (m, m): J(x,y) = -w(y) s σ', J(x,x) = λ + Σ_y w(y) s σ'; row sums are λ."""
    m = terms.n_items
    q = expit(rewards[terms.first] - rewards[terms.second])
    slope = terms.strength * q * (1.0 - q)
    rows = np.concatenate([terms.first, terms.second])
    columns = np.concatenate([terms.second, terms.first])
    values = np.concatenate([slope * weights[terms.second], slope * weights[terms.first]])
    diagonal = penalty + np.bincount(rows, weights=values, minlength=m)
    span = np.arange(m)
    return sp.csr_array(
        (
            np.concatenate([-values, diagonal]),
            (np.concatenate([rows, span]), np.concatenate([columns, span])),
        ),
        shape=(m, m),
    )


def hessian(
    terms: PairTerms, weights: FloatArray, rewards: FloatArray, penalty: float
) -> sp.csr_array:
    """∇²f(r) = diag(w) J, symmetric, sparse (m, m)."""
    out: sp.csr_array = sp.csr_array(
        sp.diags_array(weights) @ moment_jacobian(terms, weights, rewards, penalty)
    )
    return out


def lambda_eq1(penalty: float, n_items: int) -> float:
    """The λ at which [CR] Eq. 1 as printed (unnormalised sum) is the standard fit: m · penalty."""
    return n_items * penalty


def certificate(
    penalty: float, *, max_p_change: float = 0.0, weight_change_l1: float = 0.0
) -> float:
    """‖r - r'‖∞ <= (max|Δp| + ‖Δw‖₁)/λ on complete data, for any weights, zeros included.

    No refit needed: row sums of J are λ, so ‖J⁻¹‖∞ = 1/λ, and |p - σ| <= 1. With incomplete data
    use ``shift_certificate``, whose rows know which pairs exist. docs/rewards.md.
    """
    return (max_p_change + weight_change_l1) / check_penalty(penalty)


def shift_certificate(
    before: PairTerms, weights: FloatArray, after: PairTerms, other: FloatArray, penalty: float
) -> float:
    """‖r - r'‖∞ <= max_x Σ_y (|Δ(w(y) s)| + min(w s) |Δp|)/λ: the certificate on any set of pairs.

    ``before`` and ``after`` must hold the same pairs. On complete data it is at most
    ``certificate`` (it leaves out the row's own weight). Before any fit: it needs no rewards.
    """
    same = before.first.shape == after.first.shape and np.array_equal(before.first, after.first)
    if not same or not np.array_equal(before.second, after.second):
        raise ValueError("the certificate compares two fits of the same pairs")
    m, i, j = before.n_items, before.first, before.second
    dp = np.abs(before.p - after.p)

    def row(y: IntArray) -> FloatArray:
        a, b = weights[y] * before.strength, other[y] * after.strength
        out: FloatArray = np.abs(a - b) + np.minimum(a, b) * dp
        return out

    total = np.bincount(i, weights=row(j), minlength=m) + np.bincount(
        j, weights=row(i), minlength=m
    )
    return float(total.max(initial=0.0)) / check_penalty(penalty)


def residual_certificate(
    terms: PairTerms, weights: FloatArray, rewards: FloatArray, penalty: float
) -> float:
    """‖r - r̂‖∞ <= ‖F(r)‖∞/λ: how far any r can be from the fit r̂ of ``terms`` and ``weights``.

    With r the standard fit and ``weights`` the clone-robust ones it bounds the reward shift without
    a second fit, and more tightly than ``shift_certificate`` (it uses |p - σ| instead of 1).
    """
    known = np.isfinite(rewards)
    residual = moment_residual(terms, weights, np.where(known, rewards, 0.0), penalty)
    return float(np.abs(residual[known]).max(initial=0.0)) / check_penalty(penalty)
