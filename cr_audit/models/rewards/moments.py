"""Newton's method on the moment system F(r) = 0 of the objective, dense, iterative or direct.

    F(x) = λ r(x) - Σ_y w(y) s(x,y) [p(x≻y) - σ(r(x) - r(y))]

Why it converges: J = ∂F/∂r is strictly diagonally dominant with row sums λ, so ‖J⁻¹‖∞ <= 1/λ
everywhere and J is Lipschitz; ‖F‖∞ therefore falls along the Newton direction by a factor of at
least 1 - t/2 for small enough steps t, which backtracking finds. ‖F‖∞ sees items of tiny and of
zero weight, which f itself does not, and ‖F‖∞/λ bounds the error of every reward. On the flat ends
of σ it allows only tiny steps; there a step is also taken where f, which is convex, falls enough.

The norm of F divides each row by max(1, Σ_y w(y) s(x,y)), which is 1 on complete data.

Linear systems: J is self-adjoint in the inner product Σ w u v, so conjugate gradients in that
product, preconditioned by J's diagonal, needs no square roots and no copies of the matrix. Rows of
negligible weight do not act on the others; they are solved exactly, one by one, afterwards.
Where the iteration does not settle (long chains, tiny penalties) the sparse matrix is factorised,
if its graph allows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dgesv
from scipy.sparse.linalg import splu
from scipy.special import expit

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.engine import one_blas_thread
from cr_audit.models.rewards import objective
from cr_audit.models.rewards.descent import backtracked, conjugate_gradients

# Items up to which a dense J is factorised: measured crossover, benchmarks/README.md "Refit".
DENSE_LIMIT = 80
# A sparse factorisation is affordable up to so many items, or so few pairs per item.
FILL_LIMIT = 3000
# Pairs per item above which a factorisation fills the matrix, and a dense one is faster.
FILLED = 4.0
TREE_LIKE = 3.0
MAX_ITERATIONS = 300
MAX_HALVINGS = 40
# First accuracy of the linear systems: evaluating σ costs more than a few more inner iterations.
FORCING = 0.03
# A step that lowers f may raise the norm of F by this factor (the flat ends of σ need it).
WORSE = 4.0
# Largest change of one reward difference, in log-odds, that one step may make.
REACH = 8.0


class FitStatus(StrEnum):
    """How a fit ended; the text is the advice."""

    CONVERGED = "converged"
    ITERATION_LIMIT = "stopped at the iteration limit: raise max_iterations or the penalty"
    STALLED = "rounding stopped the fit above its tolerance: raise the tolerance or the penalty"
    NO_DATA = "nothing was compared: there are no rewards to report"


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """rewards float64 (m,); residual_norm = max |F(x)| / max(1, Σ_y w(y) s(x,y)).

    method : "dense", "iterative" or "direct", how the linear systems were solved.
    """

    rewards: FloatArray
    status: FitStatus
    iterations: int
    residual_norm: float
    method: str


class MomentSystem:
    """F and J for fixed pairs; p, strength and weights are given per solve.

    Memory: about 9 arrays of one number per pair (iterative), m² numbers (dense).
    """

    def __init__(self, n_items: int, first: IntArray, second: IntArray) -> None:
        """first < second, sorted by (first, second), int64 (k,)."""
        self.n_items = n_items
        self.first = first
        self.second = second
        pointers = np.zeros(n_items + 1, dtype=np.int32)
        np.cumsum(np.bincount(first, minlength=n_items), out=pointers[1:])
        self._data = np.zeros(first.shape[0])
        columns = second.astype(np.int32)
        self._upper = sp.csr_array((self._data, columns, pointers), shape=(n_items, n_items))
        self._lower = self._upper.T  # shares the three arrays
        self.dense = n_items <= DENSE_LIMIT
        self._factorise = False
        # Elimination on a large, well connected graph fills the matrix: there, keep iterating.
        self._filled = n_items <= FILL_LIMIT and first.shape[0] > FILLED * n_items
        self._may_factorise = n_items <= FILL_LIMIT or first.shape[0] <= TREE_LIKE * n_items

    def _apply(self, values: FloatArray, vector: FloatArray, sign: float) -> FloatArray:
        """U v + sign · Uᵀ v, U the upper triangle with ``values`` on the pairs."""
        if self.dense:
            # The same sums in the same order; calls of sparse products take longer than so few.
            m, first, second = self.n_items, self.first, self.second
            up = np.bincount(first, weights=values * vector[second], minlength=m)
            down = np.bincount(second, weights=values * vector[first], minlength=m)
            return np.asarray(up + sign * down, dtype=np.float64)
        self._data[:] = values
        out = np.asarray(self._upper @ vector, dtype=np.float64)
        out += sign * np.asarray(self._lower @ vector)
        return out

    def residual(
        self,
        p: FloatArray,
        strength: FloatArray,
        weights: FloatArray,
        penalty: float,
        rewards: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """F(r), and σ(r(first) - r(second)) for the Jacobian."""
        # take is twice as fast as indexing, and this gather bounds the large fits.
        delta = np.take(rewards, self.first)
        delta -= np.take(rewards, self.second)
        q = expit(delta)
        np.subtract(p, q, out=delta)
        delta *= strength
        out = penalty * rewards
        out -= self._apply(delta, weights, -1.0)
        return out, q

    def value(
        self,
        p: FloatArray,
        strength: FloatArray,
        weights: FloatArray,
        penalty: float,
        rewards: FloatArray,
    ) -> float:
        """f(r), as ``objective.objective``."""
        pairs = self.first, self.second, p, strength
        return objective.value(*pairs, weights, rewards, penalty)

    def solve(
        self,
        p: FloatArray,
        strength: FloatArray,
        weights: FloatArray,
        penalty: float,
        *,
        start: FloatArray,
        tolerance: float,
        max_iterations: int = MAX_ITERATIONS,
    ) -> Solution:
        """r with ‖F(r)‖ <= tolerance, or the last r and the status that says why not."""
        # Rows of large total strength cannot be known better than their own rounding.
        scale = np.maximum(1.0, self._apply(strength, weights, 1.0))
        self._factorise = False
        problem = (p, strength, weights, penalty)
        r = start
        residual, q = self.residual(*problem, r)
        norm = _largest(residual / scale)
        status = FitStatus.ITERATION_LIMIT
        iterations = 0
        while norm > tolerance and iterations < max_iterations:
            slope = q * (1.0 - q) * strength
            accuracy = max(min(FORCING, norm), 0.3 * tolerance / norm)
            step = self._newton_step(slope, weights, penalty, residual, accuracy)
            found = self._search(problem, scale, r, norm, residual, step)
            if found is None:
                status = FitStatus.STALLED
                break
            r, residual, q, norm = found
            iterations += 1
        if norm <= tolerance:
            status = FitStatus.CONVERGED
        method = "dense" if self.dense else "direct" if self._factorise else "iterative"
        return Solution(r, status, iterations, norm, method)

    def _search(
        self,
        problem: tuple[FloatArray, FloatArray, FloatArray, float],
        scale: FloatArray,
        r: FloatArray,
        norm: float,
        residual: FloatArray,
        step: FloatArray,
    ) -> tuple[FloatArray, FloatArray, FloatArray, float] | None:
        """The next r with its F, its σ and the norm of F; None where no step along ``step`` helps.

        A step helps where the norm of F falls as the theory says, or where f does and the norm does
        not rise too far.
        """
        descent = float((problem[2] * residual * step).sum())
        value: float | None = None

        def attempt(t: float) -> tuple[FloatArray, FloatArray, FloatArray, float] | None:
            nonlocal value
            candidate = r + t * step
            new_residual, q = self.residual(*problem, candidate)
            new_norm = _largest(new_residual / scale)
            improved = new_norm <= (1.0 - 0.25 * t) * norm
            if not improved and new_norm <= WORSE * norm:
                value = self.value(*problem, r) if value is None else value
                gain = self.value(*problem, candidate) - value
                improved = gain < 0.0 and gain <= 0.1 * t * descent
            return (candidate, new_residual, q, new_norm) if improved else None

        return backtracked(attempt, min(1.0, REACH / self._reach(step)), MAX_HALVINGS)

    def _reach(self, step: FloatArray) -> float:
        """The largest change of a difference of rewards that the step makes, at least REACH."""
        if 2.0 * _largest(step) <= REACH:
            return REACH
        return max(REACH, _largest(step[self.first] - step[self.second]))

    def _newton_step(
        self,
        slope: FloatArray,
        weights: FloatArray,
        penalty: float,
        residual: FloatArray,
        accuracy: float,
    ) -> FloatArray:
        """d with ‖J d + F‖∞ <= accuracy · ‖F‖∞."""
        if self.dense:
            return self._dense_step(slope, weights, penalty, residual)
        diagonal = penalty + self._apply(slope, weights, 1.0)
        if not self._factorise:
            step = self._conjugate_gradients(diagonal, weights, residual, accuracy)
            if step is not None:
                return step
            self._factorise = True  # for the rest of this solve
        if self._filled:
            with one_blas_thread():
                return self._dense_step(slope, weights, penalty, residual)
        return self._direct_step(slope, diagonal, weights, residual)

    def _dense_step(
        self, slope: FloatArray, weights: FloatArray, penalty: float, residual: FloatArray
    ) -> FloatArray:
        m = self.n_items
        links = np.zeros((m, m))
        links[self.first, self.second] = slope
        links[self.second, self.first] = slope
        jacobian = -links * weights
        jacobian[np.arange(m), np.arange(m)] = penalty + links @ weights
        # LAPACK directly: scipy.linalg.solve spends longer on its checks than on ten items.
        *_, step, info = dgesv(jacobian, -residual, overwrite_a=True, overwrite_b=True)
        if info != 0:
            raise FloatingPointError(f"the moment system is singular (dgesv info {info})")
        return np.asarray(step, dtype=np.float64)

    def _direct_step(
        self, slope: FloatArray, diagonal: FloatArray, weights: FloatArray, residual: FloatArray
    ) -> FloatArray:
        self._data[:] = slope
        links = self._upper + self._lower
        jacobian = sp.csc_array(sp.diags_array(diagonal) - links @ sp.diags_array(weights))
        jacobian.indices, jacobian.indptr = (
            jacobian.indices.astype(np.int32),
            jacobian.indptr.astype(np.int32),
        )
        factors = splu(
            jacobian,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        return np.asarray(factors.solve(-residual), dtype=np.float64)

    def _conjugate_gradients(
        self,
        diagonal: FloatArray,
        weights: FloatArray,
        residual: FloatArray,
        accuracy: float,
    ) -> FloatArray | None:
        """Conjugate gradients in the inner product Σ w u v; the pairs' slopes are in ``_data``.

        None where the iteration does not settle (the caller factorises instead).
        """
        # Rows that nobody feels are kept out of the iteration and solved exactly at the end.
        light: BoolArray = weights == 0.0
        target = accuracy * _largest(residual)
        inverse = 1.0 / diagonal
        rhs = -residual
        if light.any():
            rhs[light] = 0.0

        def image(vector: FloatArray) -> FloatArray:
            out = self._image(diagonal, weights, vector)
            if light.any():
                out[light] = 0.0
            return out

        limit = 50 + int(2.0 * np.sqrt(self.n_items))
        step, settled = conjugate_gradients(
            image,
            lambda v: inverse * v,
            lambda u, v: _dot(weights, u, v),
            rhs,
            done=lambda rest, rho: _largest(rest) <= target,
            limit=limit if self._may_factorise else 20 * limit,
        )
        # Without a factorisation, the best step so far is still an inexact Newton step.
        if not settled and self._may_factorise:
            return None
        if light.any():
            rest = -residual - self._image(diagonal, weights, step)
            step[light] += (inverse * rest)[light]
        return step

    def _image(self, diagonal: FloatArray, weights: FloatArray, vector: FloatArray) -> FloatArray:
        weighted = weights * vector
        out: FloatArray = diagonal * vector
        out -= np.asarray(self._upper @ weighted)
        out -= np.asarray(self._lower @ weighted)
        return out


def _largest(vector: FloatArray) -> float:
    return float(np.abs(vector).max(initial=0.0))


def _dot(weights: FloatArray, u: FloatArray, v: FloatArray) -> float:
    # Not BLAS: its threads would change the last bits with the number of cores.
    return float(np.einsum("i,i,i->", weights, u, v))
