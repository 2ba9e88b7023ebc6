"""Rewards linear in the contexts, r(x) = θ·(c(x) - c̄): for alternatives that are compared once.

The objective of ``objective`` with r restricted to that form, solved by Newton's method; its linear
systems by conjugate gradients preconditioned with the Hessian at θ = 0, which is factorised once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from cr_audit import engine
from cr_audit.arrays import FloatArray, IntArray, Proportions
from cr_audit.engine import one_blas_thread
from cr_audit.models.rewards.descent import backtracked, conjugate_gradients
from cr_audit.models.rewards.moments import FitStatus
from cr_audit.models.rewards.objective import (
    PairTerms,
    check_penalty,
    check_weights,
    hessian,
    moment_residual,
    objective,
    pair_terms,
)

TOLERANCE = 1e-8
MAX_ITERATIONS = 50
MAX_HALVINGS = 34
# Rows per BLAS call. Fixed, so that sums have one order whatever the number of workers.
BLOCK_ROWS = 4096
_BLOCK_PAIRS = 512  # differences that fit into a processor's cache
_KEPT_WEIGHTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class LinearFit:
    """A linear fit and the settings that made it.

    theta : float64 (d,). centre : float64 (d,), c̄ = Σ w c. rewards : float64 (m,), for every
    alternative, also one that was never compared; Σ w r = 0.
    gradient_norm : max |∂f/∂θ|.
    """

    theta: FloatArray
    centre: FloatArray
    rewards: FloatArray
    status: FitStatus
    iterations: int
    gradient_norm: float
    kappa: float
    weights: FloatArray
    penalty: float
    ridge: float
    tolerance: float
    max_iterations: int
    count_weighted: bool

    @property
    def components(self) -> IntArray:
        """int64 (m,), all 0: rewards are on one scale, that of the contexts."""
        return np.zeros(self.rewards.shape[0], np.int64)

    @property
    def converged(self) -> bool:
        """Whether the fit reached its stopping rule."""
        return self.status is FitStatus.CONVERGED

    def predict(self, contexts: FloatArray) -> FloatArray:
        """Rewards float64 (k,) of contexts (k, d)."""
        out: FloatArray = (np.asarray(contexts, dtype=np.float64) - self.centre) @ self.theta
        return out


class Rows:
    """Products with the m x d contexts, in blocks of rows summed in one fixed order.

    centre : float64 (d,), taken from every row, in the products and not in the rows.
    """

    def __init__(
        self,
        contexts: FloatArray,
        workers: int | None = None,
        centre: FloatArray | None = None,
    ) -> None:
        self.values = contexts
        self.workers = workers
        self.centre = centre
        self.spans = engine.spans(contexts.shape[0], BLOCK_ROWS)

    def parts(self, part: Callable[[slice], FloatArray]) -> Iterator[FloatArray]:
        """``part`` of every block, in their order: in this process, whose contexts they read."""
        return engine.map(part, self.spans, workers=self.workers, local=True)

    def total(self, part: Callable[[slice], FloatArray]) -> FloatArray:
        """Σ ``part`` over the blocks, from the first to the last."""
        return _sum(self.parts(part))

    def times(self, v: FloatArray) -> FloatArray:
        """C v, float64 (m,) or (m, k)."""
        out: FloatArray = np.concatenate(list(self.parts(lambda s: self.values[s] @ v)))
        return out if self.centre is None else out - np.einsum("d,d...->...", self.centre, v)

    def transposed(self, u: FloatArray) -> FloatArray:
        """Cᵀ u, float64 (d,)."""
        out = self.total(lambda s: self.values[s].T @ u[s])
        return out if self.centre is None else out - self.centre * u.sum()

    def weighted_gram(self, w: FloatArray) -> FloatArray:
        """Cᵀ diag(w) C, float64 (d, d), w >= 0; Σ w = 1 where there is a centre, which is Σ w c."""
        root = np.sqrt(w)[:, None]

        def part(s: slice) -> FloatArray:
            x = self.values[s] * root[s]
            out: FloatArray = x.T @ x
            return out

        total = self.total(part)
        return total if self.centre is None else total - np.outer(self.centre, self.centre)

    def gram_of_pairs(self, first: IntArray, second: IntArray, h: FloatArray) -> FloatArray:
        """Σ_k h_k (c_first - c_second)(c_first - c_second)ᵀ, float64 (d, d), h >= 0.

        Coordinates in which no two differ (the prompt's, where two answers to it are compared) are
        left out of the products. Time: k d² / 2 multiplications, or m d² where pairs are more."""
        d, spans = self.values.shape[1], engine.spans(first.size, BLOCK_ROWS)
        if first.size > self.values.shape[0]:
            return self._gram_of_laplacian(first, second, h)
        root = np.sqrt(h)[:, None]

        def part(s: slice) -> list[tuple[IntArray, FloatArray]]:
            found: list[tuple[IntArray, FloatArray]] = []
            for lo in range(s.start, s.stop, _BLOCK_PAIRS):
                here = slice(lo, min(lo + _BLOCK_PAIRS, s.stop))
                x = (self.values[first[here]] - self.values[second[here]]) * root[here]
                used = np.flatnonzero(x.any(axis=0))
                x = np.ascontiguousarray(x[:, used]) if used.size < d else x
                block = x.T @ x
                if found and np.array_equal(found[-1][0], used):
                    block += found.pop()[1]
                found.append((used, block))
            return found

        out = np.zeros((d, d))
        for parts in engine.map(part, spans, workers=self.workers, local=True):
            for used, block in parts:
                if used.size < d:
                    out[np.ix_(used, used)] += block
                else:
                    out += block
        return out

    def _gram_of_laplacian(self, first: IntArray, second: IntArray, h: FloatArray) -> FloatArray:
        m = self.values.shape[0]
        rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
        both, diagonal = np.concatenate([h, h]), np.arange(m)
        degree = np.bincount(rows, weights=both, minlength=m)
        entries = np.concatenate([-both, degree])
        places = np.concatenate([rows, diagonal]), np.concatenate([columns, diagonal])
        matrix = sp.csr_array((entries, places), shape=(m, m))

        def part(s: slice) -> FloatArray:
            out: FloatArray = self.values[s].T @ np.asarray(matrix[s] @ self.values)
            return out

        return self.total(part)


def _sum(parts: Iterator[FloatArray]) -> FloatArray:
    total = next(parts)
    for block in parts:
        total = total + block
    return total


class SharedContexts:
    """Contexts that several fits read: one float64 copy, and what depends on them and the weights
    alone (the centre, and Cᵀ diag(w) C), kept for the last ``_KEPT_WEIGHTS`` weights.

    contexts : (m, d), finite. Raises ValueError otherwise.
    """

    def __init__(self, contexts: FloatArray) -> None:
        c = np.array(contexts, dtype=np.float64)
        if c.ndim != 2 or c.shape[1] == 0:
            raise ValueError(f"contexts have shape {c.shape}, expected (m, d)")
        if not np.all(np.isfinite(c)):
            raise ValueError("contexts must be finite")
        self.values = c
        self._known: dict[bytes, tuple[FloatArray, FloatArray]] = {}

    def centred(self, w: FloatArray, workers: int | None) -> tuple[Rows, FloatArray]:
        """The rows less their weighted mean, and their weighted gram."""
        key = hashlib.blake2b(w.tobytes(), digest_size=16).digest()
        known = self._known.get(key)
        if known is None:
            centre = Rows(self.values, workers).transposed(w)
            known = centre, Rows(self.values, workers, centre).weighted_gram(w)
            while len(self._known) >= _KEPT_WEIGHTS:
                self._known.pop(next(iter(self._known)))
            self._known[key] = known
        return Rows(self.values, workers, known[0]), known[1]


def fit_linear(
    proportions: Proportions,
    contexts: FloatArray | SharedContexts,
    weights: FloatArray,
    *,
    penalty: float,
    ridge: float = 0.0,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    warm_start: FloatArray | None = None,
    count_weighted: bool = False,
    workers: int | None = None,
) -> LinearFit:
    """Minimise f(r) + (ridge/2)‖θ‖² over r(x) = θ·(c(x) - c̄), c̄ = Σ w c.

    contexts : (m, d), finite; read as float64 (an m x d copy is made), or ``SharedContexts``, which
    several fits read without a copy each. weights : float64 (m,).
    ridge : >= 0. warm_start : float64 (d,). tolerance : on max |∂f/∂θ|.
    The result does not depend on ``workers``. Time: (m + pairs) d² / 2 once, of which the part of m
    is shared, and 4 m d per inner iteration.

    Raises ValueError for arrays that break these conditions, ComputeError ``fit-no-weight`` as the
    tabular fit. Source: [CR] section 5 and Eq. 2. Deviations, beside those of ``objective``:

    5. Contexts are centred at their weighted mean, which is the fit with a free constant: it gives
       Σ w r = 0, as every other fit has.
    6. The penalty is on w r², as in the objective, not on θ. Where the contexts do not determine θ
       (fewer alternatives than dimensions), the solution started at θ = 0 has the smallest norm;
       ``ridge`` adds the usual penalty on θ.
    """
    m = proportions.n_items
    shared = contexts if isinstance(contexts, SharedContexts) else SharedContexts(contexts)
    shape = shared.values.shape
    if shape[0] != m:
        raise ValueError(f"contexts have shape {shape}, expected ({m}, d)")
    if not (np.isfinite(ridge) and ridge >= 0) or not tolerance > 0 or max_iterations < 0:
        raise ValueError("ridge, tolerance and max_iterations must not be negative")
    w, lam = check_weights(weights, m), check_penalty(penalty)
    terms = pair_terms(proportions, w, count_weighted=count_weighted)
    theta = np.zeros(shape[1]) if warm_start is None else np.array(warm_start, dtype=np.float64)
    with one_blas_thread():
        rows, gram = shared.centred(w, workers)
        centre = rows.centre
        assert centre is not None
        problem = _Problem(rows, terms, w, lam, ridge, gram)
        theta, iterations, norm, stalled = _newton(problem, theta, tolerance, max_iterations)
        rewards = rows.times(theta)
    status = FitStatus.STALLED if stalled else FitStatus.ITERATION_LIMIT
    if norm <= tolerance:
        status = FitStatus.CONVERGED
    if terms.first.size == 0:
        status = FitStatus.NO_DATA
    return LinearFit(
        theta=theta,
        centre=centre,
        rewards=rewards,
        status=status,
        iterations=iterations,
        gradient_norm=norm,
        kappa=terms.kappa,
        weights=w,
        penalty=lam,
        ridge=ridge,
        tolerance=tolerance,
        max_iterations=max_iterations,
        count_weighted=count_weighted,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    rows: Rows
    terms: PairTerms
    weights: FloatArray
    penalty: float
    ridge: float
    gram: FloatArray | None = None
    """Cᵀ diag(w) C, where it is known."""

    def value(self, theta: FloatArray, rewards: FloatArray) -> float:
        data = objective(self.terms, self.weights, rewards, self.penalty)
        return data + 0.5 * self.ridge * float(np.einsum("i,i->", theta, theta))

    def gradient(self, theta: FloatArray, rewards: FloatArray) -> FloatArray:
        residual = moment_residual(self.terms, self.weights, rewards, self.penalty)
        return self.rows.transposed(self.weights * residual) + self.ridge * theta

    def curvature(self, rewards: FloatArray) -> sp.csr_array:
        """The Hessian in r; the one in θ is Cᵀ (.) C + ridge I."""
        return hessian(self.terms, self.weights, rewards, self.penalty)

    def dense_hessian(self, rewards: FloatArray) -> FloatArray:
        t, w = self.terms, self.weights
        q = expit(rewards[t.first] - rewards[t.second])
        h = w[t.first] * w[t.second] * t.strength * q * (1.0 - q)
        out = self.rows.gram_of_pairs(t.first, t.second, h)
        out += self.penalty * (self.rows.weighted_gram(w) if self.gram is None else self.gram)
        out[np.diag_indices_from(out)] += self.ridge
        return out


def factor(matrix: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """A solver in the range of a positive semi-definite matrix: flat directions get no step.

    Contexts of fewer alternatives than dimensions leave θ undetermined in those directions, and
    rounding there, divided by nothing, would swamp the rest.
    """
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-13 * matrix.shape[0] * max(float(values[-1]), 0.0)
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=kept)

    def solve(rhs: FloatArray) -> FloatArray:
        scale = inverse if rhs.ndim == 1 else inverse[:, None]
        out: FloatArray = vectors @ (scale * (vectors.T @ rhs))
        return out

    return solve


def _newton(
    problem: _Problem, theta: FloatArray, tolerance: float, max_iterations: int
) -> tuple[FloatArray, int, float, bool]:
    """θ, iterations, gradient norm, whether the line search found nothing better."""
    rewards = problem.rows.times(theta)
    gradient = problem.gradient(theta, rewards)
    norm = float(np.abs(gradient).max())
    if norm <= tolerance:
        return theta, 0, norm, False
    precondition = factor(problem.dense_hessian(np.zeros_like(rewards)))
    value = problem.value(theta, rewards)
    for iteration in range(max_iterations):
        step = _step(problem, rewards, gradient, precondition, max(min(0.1, norm), 1e-6))
        moved = problem.rows.times(step)
        slope = _dot(gradient, step)

        def attempt(
            t: float,
            at: tuple[FloatArray, FloatArray, float, float] = (theta, rewards, value, norm),
            along: tuple[FloatArray, FloatArray, float] = (step, moved, slope),
        ) -> tuple[FloatArray, FloatArray, float, FloatArray, float] | None:
            new_theta, new_rewards = at[0] + t * along[0], at[1] + t * along[1]
            new_value = problem.value(new_theta, new_rewards)
            new_gradient = problem.gradient(new_theta, new_rewards)
            new_norm = float(np.abs(new_gradient).max())
            # Near the minimum f no longer shows its decrease; the gradient does.
            falls = new_value <= at[2] + 1e-4 * t * along[2]
            if falls or new_norm <= 0.5 * at[3]:
                return new_theta, new_rewards, new_value, new_gradient, new_norm
            return None

        found = backtracked(attempt, 1.0, MAX_HALVINGS)
        if found is None:
            return theta, iteration, norm, True
        theta, rewards, value, gradient, norm = found
        if norm <= tolerance:
            return theta, iteration + 1, norm, False
    return theta, max_iterations, norm, False


def _step(
    problem: _Problem,
    rewards: FloatArray,
    gradient: FloatArray,
    precondition: Callable[[FloatArray], FloatArray],
    accuracy: float,
) -> FloatArray:
    """-H⁻¹ g by preconditioned conjugate gradients, to ``accuracy`` in the norm of H₀⁻¹."""
    curvature, rows = problem.curvature(rewards), problem.rows

    def image(direction: FloatArray) -> FloatArray:
        out = rows.transposed(np.asarray(curvature @ rows.times(direction)))
        out += problem.ridge * direction
        return out

    goal = _dot(gradient, precondition(gradient))
    step, _ = conjugate_gradients(
        image,
        precondition,
        _dot,
        -gradient,
        done=lambda rest, rho: rho <= accuracy**2 * goal,
        limit=gradient.shape[0],
    )
    return step


def _dot(u: FloatArray, v: FloatArray) -> float:
    # Not BLAS: its threads would change the last bits with the number of cores.
    return float(np.einsum("i,i->", u, v))


def linear_hessian(rows: Rows, proportions: Proportions, fit: LinearFit) -> FloatArray:
    """∂²/∂θ² of a fit's objective at the fit, float64 (d, d); rows : the contexts less its centre.

    The pairs must be those that the fit was made of."""
    terms = pair_terms(
        proportions, fit.weights, count_weighted=fit.count_weighted, normaliser=fit.kappa
    )
    return _Problem(rows, terms, fit.weights, fit.penalty, fit.ridge).dense_hessian(fit.rewards)
