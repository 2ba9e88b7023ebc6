"""Adjoint systems Jᵀz = e of a fit: dense, by one sparse factorisation, or iterative.

    J = λ I + Σ_c s_c (e_i - e_j)(w_j e_i - w_i e_j)ᵀ,   s_c = (u_c/κ) σ'(δ_c)

is the Jacobian of the moment system (``rewards.objective``). z turns an excess of pairs into the
move of the functional e: e·dr = Σ_c (w_j z_i - w_i z_j) Δ(u p/κ)_c. Weights of 0 are allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Literal

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse.linalg import splu

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.engine.blas import one_blas_thread
from cr_audit.models.rewards.moments import FILL_LIMIT, TREE_LIKE
from cr_audit.models.rewards.objective import PairTerms

# Items up to which J is kept as a dense matrix (72 MB, about a second to factorise).
DENSE_LIMIT = 3000
ACCURACY = 1e-10
MAX_ITERATIONS = 5000

Method = Literal["dense", "direct", "iterative"]


def method_for(n_items: int, n_pairs: int) -> Method:
    """Dense while that is small; else a factorisation where elimination does not fill the matrix
    (few pairs per item, so mostly trees); else conjugate gradients."""
    if n_items <= DENSE_LIMIT:
        return "dense"
    if n_items <= FILL_LIMIT or n_pairs <= TREE_LIKE / 2.0 * n_items:
        return "direct"
    return "iterative"


def jacobian(
    n_items: int,
    first: IntArray,
    second: IntArray,
    slope: FloatArray,
    weights: FloatArray,
    penalty: float,
) -> sp.csc_array:
    """J as above, sparse (m, m); slope : float64 (k,), s_c."""
    rows, columns, values, diagonal = _entries(n_items, first, second, slope, weights, penalty)
    span = np.arange(n_items)
    return sp.csc_array(
        (
            np.concatenate([-values, diagonal]),
            (np.concatenate([rows, span]), np.concatenate([columns, span])),
        ),
        shape=(n_items, n_items),
    )


def _entries(
    n_items: int,
    first: IntArray,
    second: IntArray,
    slope: FloatArray,
    weights: FloatArray,
    penalty: float,
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Rows, columns and negatives of what stands beside J's diagonal, and the diagonal."""
    rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
    values = np.concatenate([slope * weights[second], slope * weights[first]])
    diagonal = penalty + np.bincount(rows, weights=values, minlength=n_items)
    return rows, columns, values, np.asarray(diagonal, dtype=np.float64)


class Adjoints:
    """z with Jᵀz = e for any number of functionals e, J being prepared once."""

    def __init__(
        self,
        n_items: int,
        first: IntArray,
        second: IntArray,
        slope: FloatArray,
        weights: FloatArray,
        penalty: float,
        *,
        method: Method | None = None,
        accuracy: float = ACCURACY,
    ) -> None:
        self.method = method or method_for(n_items, first.shape[0])
        self.first, self.second, self.weights = first, second, weights
        self._problem = (n_items, first, second, slope, weights, penalty)
        self._accuracy = accuracy
        self._solve: Callable[[FloatArray], FloatArray]
        if self.method == "dense":
            with one_blas_thread():
                factors = lu_factor(self._dense())
            self._solve = lambda rhs: np.asarray(lu_solve(factors, rhs), dtype=np.float64)
        elif self.method == "direct":
            sparse = splu(
                sp.csc_array(self._transposed),
                permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0,
                options={"SymmetricMode": True},
            )
            self._solve = lambda rhs: np.asarray(sparse.solve(rhs), dtype=np.float64)
        else:
            self._solve = self._iterate

    @cached_property
    def _transposed(self) -> sp.csr_array:
        """Jᵀ, sparse (m, m)."""
        return sp.csr_array(jacobian(*self._problem).T)

    def _dense(self) -> FloatArray:
        """Jᵀ, float64 (m, m): of few items made without the sparse one, which takes longer."""
        rows, columns, values, diagonal = _entries(*self._problem)
        out: FloatArray = np.diag(diagonal)
        np.add.at(out, (columns, rows), -values)
        return out

    @classmethod
    def at(
        cls,
        terms: PairTerms,
        shares: FloatArray,
        weights: FloatArray,
        penalty: float,
        *,
        method: Method | None = None,
        accuracy: float = ACCURACY,
    ) -> Adjoints:
        """At rewards whose gaps have these shares q = σ(δ): s_c = strength_c q_c (1 - q_c)."""
        slope = terms.strength * shares * (1.0 - shares)
        return cls(
            terms.n_items,
            terms.first,
            terms.second,
            slope,
            weights,
            penalty,
            method=method,
            accuracy=accuracy,
        )

    def of(self, functionals: FloatArray) -> FloatArray:
        """Rows z for the rows e of ``functionals``; float64 (f, m)."""
        with one_blas_thread():
            solved = self._solve(np.ascontiguousarray(functionals.T))
        out: FloatArray = np.ascontiguousarray(solved.T)
        return out

    def residual(self, z: FloatArray, functionals: FloatArray) -> FloatArray:
        """Jᵀz - e, float64 (f, m)."""
        out: FloatArray = np.asarray(self._transposed @ z.T).T - functionals
        return out

    def push(self, z: FloatArray) -> FloatArray:
        """w_j z_i - w_i z_j per pair, float64 (f, k)."""
        out: FloatArray = self.weights[self.second] * z[:, self.first]
        out -= self.weights[self.first] * z[:, self.second]
        return out

    def pull(self, moved: FloatArray) -> FloatArray:
        """What moves Δ(u p/κ) of the pairs, (n, k), add to the moment system, float64 (n, m): the
        transpose of ``push``."""
        w = self.weights
        out = np.zeros((moved.shape[0], w.shape[0]))
        for row, one in zip(out, moved, strict=True):
            row += np.bincount(self.first, one * w[self.second], minlength=w.shape[0])
            row -= np.bincount(self.second, one * w[self.first], minlength=w.shape[0])
        return out

    def moves(self, excess: FloatArray) -> FloatArray:
        """J⁻¹ of each row of ``excess``, float64 (n, m); weights must be positive. diag(w) J is
        symmetric, so that J⁻¹ = diag(w)⁻¹ J⁻ᵀ diag(w)."""
        out: FloatArray = self.of(excess * self.weights) / self.weights
        return out

    def _iterate(self, rhs: FloatArray) -> FloatArray:
        """Conjugate gradients on diag(w)⁻¹-scaled rows; items of weight 0 are solved first, since
        nothing acts back on them."""
        diagonal = self._transposed.diagonal()
        heavy = self.weights > 0.0
        out = np.zeros_like(rhs)
        out[~heavy] = rhs[~heavy] / diagonal[~heavy, None]
        rest = (rhs - np.asarray(self._transposed @ out))[heavy]
        w = self.weights[heavy]
        # With z = w a the matrix diag(w) J is symmetric and diag(1/(w d)) preconditions it.
        core = self._transposed[heavy][:, heavy] if not heavy.all() else self._transposed
        matrix = sp.csr_array(core @ sp.diags_array(w))
        scale = 1.0 / (diagonal[heavy] * w)
        out[heavy] = w[:, None] * together(matrix, scale, rest, self._accuracy)
        return out


def together(
    matrix: sp.csr_array, scale: FloatArray, rhs: FloatArray, accuracy: float
) -> FloatArray:
    """Conjugate gradients for all columns of ``rhs`` (n, f) side by side: each has its own steps,
    but the matrix, which does not fit into caches, is gone through once for all of them.

    scale : of the diagonal preconditioner. A column is done at a residual of ``accuracy`` times its
    own norm, or after MAX_ITERATIONS.
    """

    def dots(a: FloatArray, b: FloatArray) -> FloatArray:
        out: FloatArray = (a * b).sum(axis=0)
        return out

    x = np.zeros_like(rhs)
    column = np.arange(rhs.shape[1])
    rest = rhs.copy()
    wanted = (accuracy * np.sqrt(dots(rhs, rhs))) ** 2
    direction = scale[:, None] * rest
    rho = dots(rest, direction)
    for _ in range(MAX_ITERATIONS):
        going = dots(rest, rest) > wanted
        if not going.all():
            rest, direction = rest[:, going], direction[:, going]
            rho, wanted, column = rho[going], wanted[going], column[going]
        if column.size == 0:
            break
        moved = np.asarray(matrix @ direction)
        step = rho / dots(direction, moved)
        x[:, column] += step * direction
        rest = rest - step * moved
        z = scale[:, None] * rest
        new_rho = dots(rest, z)
        direction = z + (new_rho / rho) * direction
        rho = new_rho
    return x


def differences(n_items: int, plus: IntArray, minus: IntArray) -> FloatArray:
    """Functionals r(plus) - r(minus), float64 (f, m)."""
    out = np.zeros((plus.shape[0], n_items))
    span = np.arange(plus.shape[0])
    out[span, plus] += 1.0
    out[span, minus] -= 1.0
    return out
