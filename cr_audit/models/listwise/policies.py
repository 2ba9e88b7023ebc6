"""What RLPO, DPO, IL and SLiC make of choices between two categories ([IIA] sections 4 and 5).

Policies have two parameters ([IIA] Assumption 3): all messages of a category are equally likely, so
a policy is P(M₁), here t = log P(M₁)/P(M₂). KL is against the *base* policy; [IIA] A.3 and A.4
write p* there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from cr_audit.arrays import FloatArray, IntArray

_Curve = Callable[[FloatArray], FloatArray]
GRID = 160
REFINEMENTS = 70
# P(M₁) below e^-700 is 0 in float64: t is looked for between these.
REACH = 700.0
FAR = 640.0


@dataclass(frozen=True, slots=True)
class Setting:
    """n_first, n_second : messages in M₁ and M₂. base : P(M₁) under the base policy.
    beta : weight of the KL term, > 0."""

    n_first: int = 10
    n_second: int = 100
    base: float = 0.8
    beta: float = 1.0

    @property
    def log_ratio(self) -> float:
        """ln |M₁|/|M₂|."""
        return math.log(self.n_first / self.n_second)


def rlpo(psi: FloatArray, n_data: int, setting: Setting) -> FloatArray:
    """t of RLPO ([IIA] Eq. 8 and 9): logit P̄(M₁) − ψ |D| / β; psi : float64, NaN or ±inf where the
    reward has no minimiser, which is read as ψ = 0: the base policy."""
    known = np.where(np.isfinite(psi), psi, 0.0)
    out: FloatArray = _base(setting) - known * n_data / setting.beta
    return out


def dpo(psi: FloatArray, n_data: int, setting: Setting) -> FloatArray:
    """t of DPO: RLPO's ([IIA] Lemma 13) where a minimiser exists; without one θ = 0, every message
    alike: t = ln |M₁|/|M₂|."""
    out: FloatArray = np.where(np.isfinite(psi), rlpo(psi, n_data, setting), setting.log_ratio)
    return out


def inclusive(
    k_first: IntArray,
    k_second: IntArray,
    n: FloatArray,
    chosen: FloatArray,
    setting: Setting,
) -> FloatArray:
    """t that minimises [IIA]'s L_IL; float64 (b,). Arguments as in ``theory.mixed_reward``.

    With u = ln of the odds of one message of M₂ against one of M₁ = −t + ln |M₁|/|M₂| the data's
    part is −(lists that chose M₂) u + Σ n ln(k₁ + k₂ e^u); the KL part has slope
    β P(1 − P)(t − t_base) in t. Where they balance, t lies between the data's minimiser and the
    base; all balance points on a grid are refined and the lowest loss kept.
    """
    counts = np.atleast_2d(np.asarray(n, dtype=np.float64))
    won = np.atleast_1d(np.asarray(chosen, dtype=np.float64))
    lost = counts.sum(axis=1) - won
    log_odds = np.log(k_first / k_second)

    def slope(t: FloatArray) -> FloatArray:
        """(dL/dt) / (P (1 − P)) at t, float64 (b, g)."""
        u = setting.log_ratio - t
        first = np.einsum("bj,bgj->bg", counts, expit(log_odds - u[..., None]))
        second = np.einsum("bj,bgj->bg", counts, expit(u[..., None] - log_odds))
        # dD/du is won − first and second − lost; take the one that does not cancel.
        data = np.where(t < 0, won[:, None] - first, second - lost[:, None])
        out: FloatArray = setting.beta * (t - _base(setting)) - data * _curve(t)
        return out

    def loss(t: FloatArray) -> FloatArray:
        u = setting.log_ratio - t
        inside = np.logaddexp(np.log(k_first), np.log(k_second) + u[..., None])
        data: FloatArray = np.einsum("bj,bgj->bg", counts, inside) - lost[:, None] * u
        return data + setting.beta * kl_to_base(t, setting.base)

    return _lowest(slope, loss, won.shape[0], ())


def slic(
    chosen_first: FloatArray, chosen_second: FloatArray, setting: Setting, *, delta: float = 1.0
) -> FloatArray:
    """t that minimises [IIA]'s L_SLiC on pairs; float64 (b,).

    chosen_first, chosen_second : float64 (b,), mixed pairs of which M₁ (M₂) was chosen; pairs of
    one category add the constant δ. The data's part is piecewise linear in u with kinks at ±δ.
    """
    first = np.atleast_1d(np.asarray(chosen_first, dtype=np.float64))[:, None]
    second = np.atleast_1d(np.asarray(chosen_second, dtype=np.float64))[:, None]

    def slope(t: FloatArray) -> FloatArray:
        u = setting.log_ratio - t
        data = first * (u > -delta) - second * (u < delta)
        out: FloatArray = setting.beta * (t - _base(setting)) - data * _curve(t)
        return out

    def loss(t: FloatArray) -> FloatArray:
        u = setting.log_ratio - t
        data = first * np.maximum(u + delta, 0.0) + second * np.maximum(delta - u, 0.0)
        return data + setting.beta * kl_to_base(t, setting.base)

    kinks = (setting.log_ratio - delta, setting.log_ratio + delta)
    return _lowest(slope, loss, first.shape[0], kinks)


def kl_to_base(t: FloatArray, base: float) -> FloatArray:
    """KL(P ‖ P̄) of two policies that spread evenly within categories; t = log-odds of P(M₁)."""
    log_p, log_q = -np.logaddexp(0.0, -t), -np.logaddexp(0.0, t)
    out: FloatArray = np.exp(log_p) * (log_p - math.log(base)) + np.exp(log_q) * (
        log_q - math.log1p(-base)
    )
    return out


def inclusive_limit(p_first: float, setting: Setting) -> float:
    """P(M₁) of IL on endless pairs: p |M₁| / (p |M₁| + (1 − p) |M₂|) ([IIA] Eq. 15 and 16)."""
    first = p_first * setting.n_first
    return first / (first + (1.0 - p_first) * setting.n_second)


def slic_limit(p_first: float, setting: Setting, *, delta: float = 1.0) -> float:
    """P(M₁) of SLiC on endless pairs: the hinge is lowest at u = −δ for p* > ½ and at δ below.

    NaN at p* = ½, where every u between the two is.
    """
    if p_first == 0.5:
        return math.nan
    u = -delta if p_first > 0.5 else delta
    return float(expit(setting.log_ratio - u))


def _base(setting: Setting) -> float:
    return float(logit(setting.base))


def _curve(t: FloatArray) -> FloatArray:
    """1 / (P (1 − P)) = 2 + e^t + e^-t, held below what times 10^20 would overflow."""
    return 2.0 + np.exp(np.minimum(t, FAR)) + np.exp(np.minimum(-t, FAR))


def _lowest(slope: _Curve, loss: _Curve, n: int, kinks: tuple[float, ...]) -> FloatArray:
    """The t of the lowest loss among the zeros of slope and the kinks; float64 (n,)."""
    # Dense near 0, where probabilities turn, and reaching far out, where they vanish.
    half = np.sinh(np.linspace(0.0, math.asinh(REACH), GRID))
    grid = np.unique(np.concatenate([-half, half]))
    t = np.broadcast_to(grid, (n, grid.size))
    value = slope(t)
    rising = (value[:, :-1] < 0) & (value[:, 1:] >= 0)
    low = np.where(rising, grid[:-1], 0.0)
    high = np.where(rising, grid[1:], 0.0)
    # Only the columns in which some data set turns are refined.
    used = np.flatnonzero(rising.any(axis=0))
    low, high, real = low[:, used], high[:, used], rising[:, used]
    for _ in range(REFINEMENTS):
        middle = (low + high) / 2
        below = slope(middle) < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    points = [(low + high) / 2, *[np.full((n, 1), k) for k in kinks]]
    candidates = np.concatenate(points, axis=1)
    allowed = np.concatenate([real, np.ones((n, len(kinks)), np.bool_)], axis=1)
    losses = np.where(allowed, loss(candidates), np.inf)
    best = losses.argmin(axis=1)
    out: FloatArray = candidates[np.arange(n), best]
    return out
