"""How likely a win, a tie and a loss are, given a difference of rewards δ.

Three links, all log-concave in (δ, η) together, so that a fit has one maximum:

* ``BradleyTerry``: P(win) = σ(δ); there is no η, and a tie counts as half a win and half a loss.
* ``Davidson``: (win, tie, loss) ∝ (exp(δ/2), exp(η), exp(-δ/2)); exp(η) = ν is the propensity to
  tie. Given that a battle is decided, its log-odds are δ whatever ν is.
* ``RaoKupper``: P(win) = σ(δ - τ), P(loss) = σ(-δ - τ), the rest is a tie; τ = η > 0 is the
  smallest difference that a judge sees. With a = P(win), b = P(loss): P(tie) = (exp(2τ) - 1) a b.

Sources: Bradley & Terry (1952); Davidson (1970), Eq. 2.5; Rao & Kupper (1967), Eq. 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit, log_expit

from cr_audit.arrays import FloatArray

WIN, TIE, LOSS = 0, 1, 2
MIN_GAP = 1e-9
"""Below this η, a Rao-Kupper tie has no probability left that a float could hold."""


class Link(Protocol):
    """counts : float64 (3, ...) of wins, ties and losses; δ : float64 (...); η broadcasts to δ.

    has_eta : whether ties have a parameter. Every function is elementwise.
    """

    @property
    def name(self) -> str:
        """As in settings and reports."""

    @property
    def has_eta(self) -> bool:
        """Whether ties have a parameter of their own."""

    def start(self, tie_share: float) -> float:
        """η at δ = 0 for that share of ties."""

    def probabilities(self, delta: FloatArray, eta: FloatArray) -> FloatArray:
        """P(win), P(tie), P(loss), float64 (3, ...)."""

    def log_likelihood(self, counts: FloatArray, delta: FloatArray, eta: FloatArray) -> FloatArray:
        """Σ counts · log P, float64 (...); -inf where η is out of range."""

    def scores(self, delta: FloatArray, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """∂ log P/∂δ and ∂ log P/∂η of each of the three outcomes, float64 (3, ...) each."""

    def gradient(
        self, counts: FloatArray, delta: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """∂/∂δ and ∂/∂η of ``log_likelihood``, float64 (...) each."""

    def curvature(
        self, counts: FloatArray, delta: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """-∂²/∂δ², -∂²/∂δ∂η, -∂²/∂η² of ``log_likelihood``, float64 (...) each."""


@dataclass(frozen=True, slots=True)
class BradleyTerry:
    """P(win) = σ(δ); a tie is half a win and half a loss, and has no probability of its own."""

    name: str = "bradley-terry"
    has_eta: bool = False

    def start(self, tie_share: float) -> float:
        return 0.0

    def probabilities(self, delta: FloatArray, eta: FloatArray) -> FloatArray:
        win = expit(delta)
        out: FloatArray = np.stack([win, np.zeros_like(win), expit(-delta)])
        return out

    def log_likelihood(self, counts: FloatArray, delta: FloatArray, eta: FloatArray) -> FloatArray:
        won, lost = counts[WIN] + 0.5 * counts[TIE], counts[LOSS] + 0.5 * counts[TIE]
        out: FloatArray = won * log_expit(delta) + lost * log_expit(-delta)
        return out

    def scores(self, delta: FloatArray, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        win = expit(delta)
        zero = np.zeros_like(win)
        return np.stack([1.0 - win, 0.5 - win, -win]), np.stack([zero, zero, zero])

    def gradient(
        self, counts: FloatArray, delta: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        # Battles times (share won - chance of winning): one exponential per entry.
        win = expit(delta)
        won = counts[WIN] + 0.5 * counts[TIE]
        return won - counts.sum(axis=0) * win, np.zeros_like(win)

    def curvature(
        self, counts: FloatArray, delta: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        win = expit(delta)
        zero = np.zeros_like(win)
        return counts.sum(axis=0) * win * (1.0 - win), zero, zero


@dataclass(frozen=True, slots=True)
class Davidson:
    """P(win) ∝ exp(δ/2), P(loss) ∝ exp(−δ/2), P(tie) ∝ ν with η = log ν (Davidson 1970)."""

    name: str = "davidson"
    has_eta: bool = True

    def start(self, tie_share: float) -> float:
        share = min(max(tie_share, 1e-6), 1.0 - 1e-6)
        return float(np.log(2.0 * share / (1.0 - share)))

    def probabilities(self, delta: FloatArray, eta: FloatArray) -> FloatArray:
        logits = np.stack(np.broadcast_arrays(0.5 * delta, eta + 0.0 * delta, -0.5 * delta))
        logits -= logits.max(axis=0)
        odds = np.exp(logits)
        out: FloatArray = odds / odds.sum(axis=0)
        return out

    def log_likelihood(self, counts: FloatArray, delta: FloatArray, eta: FloatArray) -> FloatArray:
        half = 0.5 * delta
        total = np.logaddexp(np.logaddexp(half, -half), eta)
        won = (counts[WIN] - counts[LOSS]) * half + counts[TIE] * eta
        out: FloatArray = won - counts.sum(axis=0) * total
        return out

    def scores(self, delta: FloatArray, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        p = self.probabilities(delta, eta)
        drift = 0.5 * (p[WIN] - p[LOSS])
        return (
            np.stack([0.5 - drift, -drift, -0.5 - drift]),
            np.stack([-p[TIE], 1.0 - p[TIE], -p[TIE]]),
        )

    def gradient(
        self, counts: FloatArray, delta: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        # With u = exp(-|δ|/2): (win - loss)/total = ±(1 - u²)/(1 + u² + ν u), tie = ν u/(...).
        u = np.exp(-0.5 * np.abs(delta))
        tie = np.exp(eta) * u
        square = u * u
        n = counts[WIN] + counts[TIE]
        n += counts[LOSS]
        n = n / (1.0 + square + tie)  # η may be many where the counts are one
        drift = np.copysign(n * (1.0 - square), delta)
        return 0.5 * (counts[WIN] - counts[LOSS] - drift), counts[TIE] - n * tie

    def curvature(
        self, counts: FloatArray, delta: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        p, n = self.probabilities(delta, eta), counts.sum(axis=0)
        drift = p[WIN] - p[LOSS]
        return (
            0.25 * n * (p[WIN] + p[LOSS] - drift**2),
            -0.5 * n * drift * p[TIE],
            n * p[TIE] * (1.0 - p[TIE]),
        )


@dataclass(frozen=True, slots=True)
class RaoKupper:
    """P(win) = σ(δ − τ), P(loss) = σ(−δ − τ), the rest ties; η = τ ≥ 0 (Rao and Kupper 1967)."""

    name: str = "rao-kupper"
    has_eta: bool = True

    def start(self, tie_share: float) -> float:
        share = min(max(tie_share, 1e-6), 1.0 - 1e-6)
        return float(2.0 * np.arctanh(share))  # 1 - 2 σ(-τ) = tanh(τ/2)

    def probabilities(self, delta: FloatArray, eta: FloatArray) -> FloatArray:
        a, b = expit(delta - eta), expit(-delta - eta)
        out: FloatArray = np.stack([a, np.expm1(2.0 * eta) * a * b, b])
        return out

    def log_likelihood(self, counts: FloatArray, delta: FloatArray, eta: FloatArray) -> FloatArray:
        eta = np.asarray(eta, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            log_gap = np.where(eta >= MIN_GAP, np.log(np.expm1(2.0 * eta)), -np.inf)
            tied = np.where(counts[TIE] > 0, counts[TIE] * log_gap, 0.0)
        out: FloatArray = (
            (counts[WIN] + counts[TIE]) * log_expit(delta - eta)
            + (counts[LOSS] + counts[TIE]) * log_expit(-delta - eta)
            + tied
        )
        return np.where(eta >= MIN_GAP, out, -np.inf)

    def scores(self, delta: FloatArray, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        lose, win = expit(eta - delta), expit(eta + delta)  # 1 - a, 1 - b
        gap = -2.0 / np.expm1(-2.0 * eta)  # 2 exp(2τ)/(exp(2τ) - 1)
        return np.stack([lose, lose - win, -win]), np.stack([-lose, gap - lose - win, -win])

    def gradient(
        self, counts: FloatArray, delta: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        up = (counts[WIN] + counts[TIE]) * expit(eta - delta)
        down = (counts[LOSS] + counts[TIE]) * expit(eta + delta)
        gap = -2.0 / np.expm1(-2.0 * np.asarray(eta, dtype=np.float64))
        return up - down, counts[TIE] * gap - up - down

    def curvature(
        self, counts: FloatArray, delta: FloatArray, eta: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        a, b = expit(delta - eta), expit(-delta - eta)
        up = (counts[WIN] + counts[TIE]) * a * (1.0 - a)
        down = (counts[LOSS] + counts[TIE]) * b * (1.0 - b)
        gap = np.sinh(np.asarray(eta, dtype=np.float64)) ** -2.0  # 4 exp(2τ)/(exp(2τ) - 1)²
        return up + down, down - up, up + down + counts[TIE] * gap


LINKS: dict[str, Link] = {link.name: link for link in (BradleyTerry(), Davidson(), RaoKupper())}
