"""How few comparisons change a decision of a linear reward: which answer to a prompt is best.

Rewards r(x) = θ·(c(x) - c̄), fitted as ``rewards.linear`` fits them. Contexts are brought to
coordinates y in which their weighted covariance is the identity, so that with x_c = y_i - y_j

    f(θ) = (1/κ) Σ_c u_c b_c [p_c log(1 + e^-δ_c) + (1 - p_c) log(1 + e^δ_c)] + (λ/2) ‖θ‖²,

δ_c = θ·x_c, H = (1/κ) Σ_c u_c b_c σ'(δ_c) x_c x_cᵀ + λ I. The proof of docs/sensitivity_proof.md
holds word for word with x_c in the place of e_i - e_j and θ in that of r: only its norm bound is
used for where the fit can go, and its identity for the difference of two answers. What is changed
is the removal of single comparisons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.engine import one_blas_thread
from cr_audit.models.rewards.bootstrap import rows_of_pairs
from cr_audit.models.rewards.linear import fit_linear

# Directions of less than 1e-6 of the largest spread are rounding of float32 contexts.
SMALLEST_VARIANCE = 1e-12
MARGIN = 1e-9
MAX_NEWTON, GRADIENT = 60, 1e-12
BLOCK = 4_000_000
"""Decisions x pairs held at once."""
MAX_REFITS = 12


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """theta : float64 (d,). delta : of the pairs. solve : of H, by its Cholesky factor."""

    theta: FloatArray
    delta: FloatArray
    slope: FloatArray
    factor: tuple[FloatArray, bool]
    gradient: FloatArray


class LinearFlips:
    """Decisions about one fit of ``rows`` in ``contexts``. Memory: 3 pairs x dimensions."""

    def __init__(
        self,
        rows: Comparisons,
        contexts: FloatArray,
        weights: FloatArray,
        penalty: float,
        *,
        count_weighted: bool = False,
    ) -> None:
        """contexts : (m, d). weights : float64 (m,), positive. penalty : above 0."""
        self.rows, self.contexts, self.weights = rows, contexts, weights
        self.penalty, self.counted = penalty, count_weighted
        self.first, self.second, self.pair, self.won = rows_of_pairs(rows)
        k = self.first.shape[0]
        self.total = np.bincount(self.pair, rows.mass, k).astype(np.float64)
        self.total_won = np.bincount(self.pair, rows.mass * self.won, k).astype(np.float64)
        both = weights[self.first] * weights[self.second]
        self.both: FloatArray = both
        self.kappa_share = 2.0 * both / (1.0 - float((weights * weights).sum()))
        with one_blas_thread():
            self.y = _whitened(contexts, weights)
        self.x: FloatArray = self.y[self.first] - self.y[self.second]
        self.at = self._fit(self.total, self.total_won, np.zeros(self.y.shape[1]))
        self.kappa = self._kappa(self.total)
        strength = self._strength(self.total) / self.kappa
        with one_blas_thread():
            solved = cho_solve(self.at.factor, self.x.T)
            self.resistance: FloatArray = np.einsum("cd,dc->c", self.x, solved)
            solved = cho_solve(self.at.factor, self.at.gradient)
            self.residual = math.sqrt(max(float(self.at.gradient @ solved), 0.0))
        self.leverage: FloatArray = strength * both * self.at.slope * self.resistance
        self._regions: dict[int, float] = {}
        # Heaviest row, number of rows, and the range of the outcomes of each pair.
        self.heaviest, self.n_rows = np.zeros(k), np.bincount(self.pair, minlength=k)
        np.maximum.at(self.heaviest, self.pair, rows.mass)
        self.least, self.most = np.ones(k), np.zeros(k)
        np.minimum.at(self.least, self.pair, self.won)
        np.maximum.at(self.most, self.pair, self.won)

    @property
    def rewards(self) -> FloatArray:
        """float64 (m,), of every alternative."""
        out: FloatArray = np.einsum("md,d->m", self.y, self.at.theta)
        return out

    # Fits ---------------------------------------------------------------------------------------

    def _strength(self, total: FloatArray) -> FloatArray:
        here = total > 0.0
        return np.where(here, total if self.counted else 1.0, 0.0)

    def _kappa(self, total: FloatArray) -> float:
        return float((self._strength(total) * self.kappa_share).sum())

    def _fit(self, total: FloatArray, total_won: FloatArray, start: FloatArray) -> _Fit:
        """Newton's method with halved steps; float64 sums in one order (one BLAS thread)."""
        strength = self._strength(total)
        b = strength * self.both / self._kappa(total)
        p = np.divide(total_won, total, out=np.full(total.shape, 0.5), where=total > 0)
        x, penalty = self.x, self.penalty

        def value(theta: FloatArray) -> float:
            d = x @ theta
            loss = b * (np.logaddexp(0.0, d) - p * d)
            return float(loss.sum() + 0.5 * penalty * (theta @ theta))

        theta, here = start, 0.0
        with one_blas_thread():
            here = value(theta)
            for _ in range(MAX_NEWTON):
                delta: FloatArray = x @ theta
                q = expit(delta)
                slope: FloatArray = q * (1.0 - q)
                gradient: FloatArray = (b * (q - p)) @ x + penalty * theta
                hessian = (x * (b * slope)[:, None]).T @ x
                hessian[np.diag_indices_from(hessian)] += penalty
                factor = cho_factor(hessian)
                if float(np.abs(gradient).max(initial=0.0)) <= GRADIENT:
                    break
                step = -cho_solve(factor, gradient)
                length = 1.0
                while value(theta + length * step) > here and length > 1e-6:
                    length /= 2.0
                if length <= 1e-6:
                    break
                theta = theta + length * step
                here = value(theta)
        return _Fit(theta, delta, slope, factor, gradient)

    # The lower end ------------------------------------------------------------------------------

    def _values(self, k: int, reach: float) -> tuple[FloatArray, FloatArray]:
        """[lo, hi] of what stands in the place of p' or σ for each pair (section 3)."""
        wide = np.sqrt(self.resistance) * reach
        low, high = expit(self.at.delta - wide), expit(self.at.delta + wide)
        if self.counted:
            return low, high
        taken = np.minimum(self.n_rows, k) * self.heaviest
        left = self.total - taken
        stays = (left > 0) & (self.n_rows > k)
        safe = np.where(stays, left, 1.0)
        some_low = np.maximum(self.least, 1.0 - (self.total - self.total_won) / safe)
        some_high = np.minimum(self.most, self.total_won / safe)
        several = self.n_rows > 1
        lo = np.where(several, np.minimum(self.least, low), low)
        hi = np.where(several, np.maximum(self.most, high), high)
        return np.where(stays, some_low, lo), np.where(stays, some_high, hi)

    def _share(self) -> FloatArray:
        """What a row takes of its pair's term: m_s/M_c, or m_s where counted; float64 (n,)."""
        share = self.rows.mass if self.counted else self.rows.mass / self.total[self.pair]
        return np.asarray(share, dtype=np.float64)

    def reach(self, k: int) -> float:
        """Bound of ‖d‖_H over all removals of at most k rows; infinite where nothing is proved."""
        if k not in self._regions:
            self._regions[k] = self._reach(k)
        return self._regions[k]

    def _reach(self, k: int) -> float:
        root = float(np.sqrt(self.resistance.max(initial=0.0)))
        if root == 0.0:
            return 0.0
        share, c = self._share(), self.pair
        size = np.linalg.norm(self.at.theta)

        def bound(reach: float) -> float:
            lo, hi = self._values(k, reach)
            far = np.maximum(np.abs(lo[c] - self.won), np.abs(hi[c] - self.won))
            pull = share * self.both[c] / self.kappa * far * np.sqrt(self.resistance[c])
            of_penalty = share * self.kappa_share[c] / self.kappa
            pull += of_penalty * (np.sqrt(self.penalty) * size + reach)
            t = float(np.sort(pull)[-k:].sum()) * (1 + MARGIN) + self.residual
            return -np.log1p(-root * t) / root if root * t < 1.0 else np.inf

        premise = bound(0.0)
        for _ in range(60):
            if not np.isfinite(premise):
                return np.inf
            premise = premise * 1.15 + MARGIN
            found = bound(premise)
            if found < premise * (1 - MARGIN):
                for _ in range(6):  # each evaluation of a proved region gives a smaller one
                    smaller = bound(found * (1 + MARGIN))
                    if not smaller < found:
                        break
                    found = smaller
                return found * (1 + MARGIN)
            premise = found
        return np.inf

    def proved(self, k: int, above: IntArray, below: IntArray) -> BoolArray:
        """Which of the decisions r(above) > r(below) stand whatever k rows go; bool (q,)."""
        out = np.zeros(above.shape[0], np.bool_)
        reach = self.reach(k)
        if not np.isfinite(reach):
            return out
        gap = self.rewards[above] - self.rewards[below]
        lo, hi = self._values(k, reach)
        rho_low, rho_high = _left_out(self.at, np.sqrt(self.resistance) * reach)
        weight = self._strength(self.total)
        size = max(1, BLOCK // max(self.pair.shape[0], 1))
        with one_blas_thread():
            for at in range(0, above.shape[0], size):
                s = slice(at, at + size)
                v = self.y[below[s]] - self.y[above[s]]
                z = cho_solve(self.at.factor, v.T).T
                norm = np.sqrt(np.maximum(np.einsum("qd,qd->q", v, z), 0.0))
                near = norm * reach < gap[s]
                g = (z @ self.x.T) * (self.both / self.kappa)
                most = self._votes(g, z, k, lo, hi, reach)
                curve = np.maximum(g, 0) @ (weight * -rho_low)
                curve += np.maximum(-g, 0) @ (weight * rho_high)
                total = (most + curve) * (1 + MARGIN) + norm * self.residual + MARGIN
                out[s] = near | (total < gap[s])
        return out

    def _votes(
        self, g: FloatArray, z: FloatArray, k: int, lo: FloatArray, hi: FloatArray, reach: float
    ) -> FloatArray:
        """T_k: the k largest gains of rows, the votes' and the penalty's share; float64 (q,)."""
        c, share = self.pair, self._share()
        gains = np.maximum(g[:, c] * (lo[c] - self.won), g[:, c] * (hi[c] - self.won)) * share
        moved = self.penalty * (z @ self.at.theta)
        moved += np.sqrt(self.penalty) * np.linalg.norm(z, axis=1) * reach
        of_penalty = share * self.kappa_share[c] / self.kappa
        gains += np.maximum(moved, 0.0)[:, None] * of_penalty
        gains = np.maximum(gains, 0.0)
        if k < gains.shape[1]:
            gains = np.partition(gains, gains.shape[1] - k, axis=1)[:, -k:]
        out: FloatArray = gains.sum(axis=1)
        return out

    def lower(self, above: int, below: int, limit: int) -> int:
        """The smallest k up to ``limit`` + 1 for which nothing is proved."""
        a, b = np.array([above]), np.array([below])
        low, high = 0, limit + 1
        while high - low > 1:
            middle = (low + high) // 2
            if bool(self.proved(middle, a, b)[0]):
                low = middle
            else:
                high = middle
        return low + 1

    # The upper end ------------------------------------------------------------------------------

    def turned_by(self, above: int, below: int) -> IntArray | NotApplicable:
        """Rows without which ``below`` has the higher reward, confirmed by a fit from scratch.

        By influence, each row's with its leverage; then the number is grown and halved by refits.
        """
        v = self.y[below] - self.y[above]
        z = cho_solve(self.at.factor, v)
        g = np.einsum("cd,d->c", self.x, z) * self.both / self.kappa
        q = expit(self.at.delta)[self.pair]
        alone = np.where(self.n_rows == 1, 1.0 - np.minimum(self.leverage, 0.999), 1.0)[self.pair]
        gain = g[self.pair] * self._share() * (q - self.won) / alone
        order = np.argsort(-gain, kind="stable")
        order = order[gain[order] > 0]
        gap = float(self.rewards[above] - self.rewards[below])
        reached = np.flatnonzero(np.cumsum(gain[order]) >= gap)
        n = int(reached[0]) + 1 if reached.size else int(order.size)
        fails, works = 0, 0
        for _ in range(MAX_REFITS):
            if n < 1 or n > order.size or n in (fails, works):
                break
            if self._turns(order[:n], above, below):
                works = n
                n = max(fails + 1, n - max(1, n // 8)) if fails == 0 else (fails + works) // 2
            else:
                fails = n
                n = min(n + max(1, n // 4), int(order.size)) if works == 0 else (n + works) // 2
        if works == 0 or not self._confirmed(order[:works], above, below):
            return NotApplicable("no set was found that changes the decision")
        return np.sort(order[:works])

    def _turns(self, rows: IntArray, above: int, below: int) -> bool:
        k = self.total.shape[0]
        mass = self.rows.mass[rows]
        total = self.total - np.bincount(self.pair[rows], mass, k)
        won = self.total_won - np.bincount(self.pair[rows], mass * self.won[rows], k)
        gone = total <= 1e-9 * self.total
        total, won = np.where(gone, 0.0, total), np.where(gone, 0.0, np.maximum(won, 0.0))
        if not total.any():
            return False
        theta = self._fit(total, won, self.at.theta).theta
        return float((self.y[below] - self.y[above]) @ theta) > MARGIN

    def _confirmed(self, rows: IntArray, above: int, below: int) -> bool:
        kept = np.ones(self.rows.n, np.bool_)
        kept[rows] = False
        fit = fit_linear(
            self.rows.take(np.flatnonzero(kept)).proportions(),
            self.contexts,
            self.weights,
            penalty=self.penalty,
            count_weighted=self.counted,
        )
        return bool(fit.rewards[below] > fit.rewards[above])


def _left_out(fit: _Fit, wide: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The least and the most of ρ_c(t) = σ(δ + t) - σ(δ) - σ'(δ) t over |t| <= wide."""
    q = expit(fit.delta)
    ends = (np.zeros_like(wide), wide, -wide, np.clip(-2.0 * fit.delta, -wide, wide))
    values = np.stack([expit(fit.delta + t) - q - fit.slope * t for t in ends])
    return values.min(axis=0), values.max(axis=0)


def _whitened(contexts: FloatArray, weights: FloatArray) -> FloatArray:
    """Contexts in coordinates of unit covariance: float64 (m, rank)."""
    c = np.asarray(contexts, dtype=np.float64)
    c = c - np.einsum("m,md->d", weights, c)
    values, vectors = np.linalg.eigh((c * weights[:, None]).T @ c)
    kept = values > SMALLEST_VARIANCE * max(float(values.max(initial=0.0)), 1e-300)
    out: FloatArray = c @ (vectors[:, kept] / np.sqrt(values[kept]))
    return out
