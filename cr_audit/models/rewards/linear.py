"""Rewards linear in the contexts, r(x) = θ·(c(x) - c̄): for alternatives that are compared once.

The objective of ``objective`` with r restricted to that form, solved by Newton's method; its linear
systems by conjugate gradients preconditioned with the Hessian at θ = 0, which is factorised once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

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
    """Products with the m x d contexts, in blocks of rows summed in one fixed order."""

    def __init__(self, contexts: FloatArray, workers: int | None = None) -> None:
        self.values = contexts
        self.workers = workers
        self.spans = engine.spans(contexts.shape[0], BLOCK_ROWS)

    def parts(self, part: Callable[[slice], FloatArray]) -> Iterator[FloatArray]:
        """``part`` of every block, in their order: in this process, whose contexts they read."""
        return engine.map(part, self.spans, workers=self.workers, local=True)

    def total(self, part: Callable[[slice], FloatArray]) -> FloatArray:
        """Σ ``part`` over the blocks, from the first to the last."""
        parts = self.parts(part)
        total = next(parts)
        for block in parts:
            total = total + block
        return total

    def times(self, v: FloatArray) -> FloatArray:
        """C v, float64 (m,) or (m, k)."""
        out: FloatArray = np.concatenate(list(self.parts(lambda s: self.values[s] @ v)))
        return out

    def transposed(self, u: FloatArray) -> FloatArray:
        """Cᵀ u, float64 (d,)."""
        return self.total(lambda s: self.values[s].T @ u[s])

    def gram(self, matrix: sp.csr_array) -> FloatArray:
        """Cᵀ A C for a sparse symmetric A (m, m); float64 (d, d)."""

        def part(s: slice) -> FloatArray:
            out: FloatArray = self.values[s].T @ np.asarray(matrix[s] @ self.values)
            return out

        return self.total(part)


def fit_linear(
    proportions: Proportions,
    contexts: FloatArray,
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

    contexts : (m, d), finite; read as float64 (an m x d copy is made). weights : float64 (m,).
    ridge : >= 0. warm_start : float64 (d,). tolerance : on max |∂f/∂θ|.
    The result does not depend on ``workers``. Time: 2 m d² once and 4 m d per inner iteration.

    Raises ValueError for arrays that break these conditions, ComputeError ``fit-no-weight`` as the
    tabular fit. Source: [CR] section 5 and Eq. 2. Deviations, beside those of ``objective``:

    5. Contexts are centred at their weighted mean, which is the fit with a free constant: it gives
       Σ w r = 0, as every other fit has.
    6. The penalty is on w r², as in the objective, not on θ. Where the contexts do not determine θ
       (fewer alternatives than dimensions), the solution started at θ = 0 has the smallest norm;
       ``ridge`` adds the usual penalty on θ.
    """
    m = proportions.n_items
    c = np.array(contexts, dtype=np.float64)
    if c.ndim != 2 or c.shape[0] != m or c.shape[1] == 0:
        raise ValueError(f"contexts have shape {c.shape}, expected ({m}, d)")
    if not np.all(np.isfinite(c)):
        raise ValueError("contexts must be finite")
    if not (np.isfinite(ridge) and ridge >= 0) or not tolerance > 0 or max_iterations < 0:
        raise ValueError("ridge, tolerance and max_iterations must not be negative")
    w, lam = check_weights(weights, m), check_penalty(penalty)
    terms = pair_terms(proportions, w, count_weighted=count_weighted)
    theta = np.zeros(c.shape[1]) if warm_start is None else np.array(warm_start, dtype=np.float64)
    with one_blas_thread():
        rows = Rows(c, workers)
        centre = rows.transposed(w)
        c -= centre
        problem = _Problem(rows, terms, w, lam, ridge)
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
        out = self.rows.gram(self.curvature(rewards))
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
