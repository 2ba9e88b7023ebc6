"""Rewards linear in the contexts, r(x) = θ·(c(x) - c̄): for alternatives that are compared once.

The objective of ``objective`` with r restricted to that form, solved by Newton's method; its linear
systems by conjugate gradients preconditioned with the Hessian at θ = 0, which is factorised once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray, JoinedRows, Proportions
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
_CACHED_ROWS = 512  # that fit into a processor's cache in double precision
_FORGOTTEN = 128
_KEPT_WEIGHTS = 4
_FLAT = 1e-11  # of the largest pivot; of a singular matrix some 1e-14 is left by rounding


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


Matrix = Float32Array | FloatArray | JoinedRows
"""Contexts, (m, d)."""


class Rows:
    """Products with the m x d contexts, in blocks of rows summed in one fixed order.

    centre : float64 (d,), taken from every row, in the products and not in the rows.
    """

    def __init__(
        self,
        contexts: Matrix,
        workers: int | None = None,
        centre: FloatArray | None = None,
    ) -> None:
        self.values = contexts
        self.workers = workers
        self.centre = centre
        self.spans = engine.spans(contexts.shape[0], BLOCK_ROWS)

    @property
    def n_columns(self) -> int:
        """Coordinates."""
        return int(self.values.shape[1])

    def block(self, s: slice) -> FloatArray:
        """Some rows in double precision."""
        return np.asarray(self.values[s], dtype=np.float64)

    def parts(self, part: Callable[[slice], FloatArray]) -> Iterator[FloatArray]:
        """``part`` of every block, in their order: in this process, whose contexts they read."""
        found = engine.map(part, self.spans, workers=self.workers, local=True)
        return engine.forgetting(found)  # of a million pairs they stand in files

    def total(self, part: Callable[[slice], FloatArray]) -> FloatArray:
        """Σ ``part`` over the blocks, from the first to the last."""
        return _sum(self.parts(part))

    def times(self, v: FloatArray) -> FloatArray:
        """C v, float64 (m,) or (m, k)."""

        def part(s: slice) -> FloatArray:
            return np.concatenate([self.block(c) @ v for c in _cached(s)])

        out: FloatArray = np.concatenate(list(self.parts(part)))
        return out if self.centre is None else out - np.einsum("d,d...->...", self.centre, v)

    def transposed(self, u: FloatArray) -> FloatArray:
        """Cᵀ u, float64 (d,) or (d, k)."""
        out = self.total(lambda s: _sum(self.block(c).T @ u[c] for c in _cached(s)))
        return out if self.centre is None else out - np.multiply.outer(self.centre, u.sum(axis=0))

    def weighted_gram(self, w: FloatArray) -> FloatArray:
        """Cᵀ diag(w) C, float64 (d, d), w >= 0; Σ w = 1 where there is a centre, which is Σ w c."""
        root = np.sqrt(w)[:, None]

        def part(s: slice) -> FloatArray:
            x = self.block(s) * root[s]
            out: FloatArray = x.T @ x
            return out

        total = self.total(part)
        return total if self.centre is None else total - np.outer(self.centre, self.centre)

    def gram_of_pairs(self, first: IntArray, second: IntArray, h: FloatArray) -> FloatArray:
        """Σ_k h_k (c_first - c_second)(c_first - c_second)ᵀ, float64 (d, d): the curvature of the
        pairs' Laplacian. Time: m d² multiplications, however many pairs there are."""
        m = self.values.shape[0]
        values = self.block(slice(0, m))
        rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
        both, diagonal = np.concatenate([h, h]), np.arange(m)
        degree = np.bincount(rows, weights=both, minlength=m)
        entries = np.concatenate([-both, degree])
        places = np.concatenate([rows, diagonal]), np.concatenate([columns, diagonal])
        matrix = sp.csr_array((entries, places), shape=(m, m))

        def part(s: slice) -> FloatArray:
            out: FloatArray = values[s].T @ np.asarray(matrix[s] @ values)
            return out

        return self.total(part)


class Differences:
    """c_first - c_second of pairs, in the coordinates in which any two differ: of two answers to
    one prompt, the prompt's cancel.

    used : int64 (u,), those coordinates. values : float64 (pairs, u).
    """

    def __init__(
        self, contexts: Matrix, first: IntArray, second: IntArray, workers: int | None
    ) -> None:
        self._d = contexts.shape[1]
        blocks = engine.spans(first.size, _CACHED_ROWS)

        def of(s: slice) -> FloatArray:
            return np.subtract(contexts[first[s]], contexts[second[s]], dtype=np.float64)

        differ = np.zeros(self._d, bool)
        found = engine.map(lambda s: of(s).any(axis=0), blocks, workers=workers, local=True)
        for here in engine.forgetting(found, _FORGOTTEN):
            differ |= here
        self.used = np.flatnonzero(differ)
        self.values = values = engine.empty((first.size, self.used.size), np.float64)

        def fill(s: slice) -> None:
            values[s] = of(s)[:, self.used]

        filled = engine.map(fill, blocks, workers=workers, local=True)
        for _ in engine.forgetting(filled, _FORGOTTEN):
            pass
        self.rows = Rows(self.values, workers)

    def times(self, v: FloatArray) -> FloatArray:
        """D v, float64 (pairs,) or (pairs, k)."""
        return self.rows.times(v[self.used])

    def transposed(self, u: FloatArray) -> FloatArray:
        """Dᵀ u, float64 (d,) or (d, k)."""
        out = np.zeros((self._d, *u.shape[1:]))
        out[self.used] = self.rows.transposed(u)
        return out

    def gram(self, h: FloatArray) -> FloatArray:
        """Dᵀ diag(h) D, float64 (d, d), h >= 0. Time: pairs u² / 2 multiplications."""
        out = np.zeros((self._d, self._d))
        out[np.ix_(self.used, self.used)] = self.rows.weighted_gram(h)
        return out


def _cached(s: slice) -> list[slice]:
    return [slice(a, min(a + _CACHED_ROWS, s.stop)) for a in range(s.start, s.stop, _CACHED_ROWS)]


def _sum(parts: Iterable[FloatArray]) -> FloatArray:
    rest = iter(parts)
    total = next(rest)
    for block in rest:
        total = total + block
    return total


def _key(*arrays: FloatArray | IntArray) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()


class SharedContexts:
    """Contexts that several fits read, and what fits of one penalty after the other have in common:
    the centre and Cᵀ diag(w) C of the last ``_KEPT_WEIGHTS`` weights; of the last pairs their
    differences, and the curvature at θ = 0.

    contexts : (m, d), finite, float32 or float64; they are read where they are, so nobody may
    change them. Products are in double precision, block by block. Raises ValueError otherwise.
    """

    def __init__(self, contexts: Matrix) -> None:
        c: Any = contexts if isinstance(contexts, JoinedRows) else np.asarray(contexts)
        if c.dtype not in (np.float32, np.float64):
            c = np.asarray(c, dtype=np.float64)
        if c.ndim != 2 or c.shape[1] == 0:
            raise ValueError(f"contexts have shape {c.shape}, expected (m, d)")
        spans = engine.forgetting(engine.spans(c.shape[0], BLOCK_ROWS))
        if not all(np.all(np.isfinite(c[s])) for s in spans):
            raise ValueError("contexts must be finite")
        self.values: Matrix = c
        self._known: dict[bytes, tuple[FloatArray, FloatArray]] = {}
        self._pairs: tuple[bytes, Differences] | None = None
        self._curvature: tuple[bytes, FloatArray] | None = None

    def centred(self, w: FloatArray, workers: int | None) -> tuple[Rows, FloatArray]:
        """The rows less their weighted mean, and their weighted gram."""
        key = _key(w)
        known = self._known.get(key)
        if known is None:
            centre = Rows(self.values, workers).transposed(w)
            known = centre, Rows(self.values, workers, centre).weighted_gram(w)
            while len(self._known) >= _KEPT_WEIGHTS:
                self._known.pop(next(iter(self._known)))
            self._known[key] = known
        return Rows(self.values, workers, known[0]), known[1]

    def differences(
        self, first: IntArray, second: IntArray, workers: int | None
    ) -> Differences | None:
        """Of pairs; None where they are more than the alternatives and cost more than those, and
        where there are none."""
        if not 0 < first.size <= self.values.shape[0]:
            return None
        key = _key(first, second)
        if self._pairs is None or self._pairs[0] != key:
            self._pairs = None  # the old ones go before the new ones come
            self._pairs = key, Differences(self.values, first, second, workers)
        return self._pairs[1]

    def curvature(
        self, first: IntArray, second: IntArray, h: FloatArray, workers: int | None
    ) -> FloatArray:
        """Σ_k h_k (c_first - c_second)(c_first - c_second)ᵀ, float64 (d, d), h >= 0."""
        key = _key(first, second, h)
        if self._curvature is None or self._curvature[0] != key:
            apart = self.differences(first, second, workers)
            made = (
                Rows(self.values, workers).gram_of_pairs(first, second, h)
                if apart is None
                else apart.gram(h)
            )
            self._curvature = key, made
        return self._curvature[1]


def fit_linear(
    proportions: Proportions,
    contexts: Matrix | SharedContexts,
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

    contexts : (m, d), finite, or ``SharedContexts``, which several fits read. weights : float64
    (m,).
    ridge : >= 0. warm_start : float64 (d,). tolerance : on max |∂f/∂θ|.
    The result does not depend on ``workers``. Time: (m + pairs) d² / 2 once, which is shared by
    fits of the same weights and pairs, and 4 m d or 4 pairs d, whichever is less, per inner
    iteration.

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
        problem = _problem(shared, rows, terms, w, lam, ridge, gram)
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


class _Problem(Protocol):
    """The objective in θ. ``image`` : what the data see of θ, linear in it: rewards, or their
    differences."""

    def image(self, theta: FloatArray) -> FloatArray: ...
    def value(self, theta: FloatArray, image: FloatArray) -> float: ...
    def gradient(self, theta: FloatArray, image: FloatArray) -> FloatArray: ...
    def curvature(self, image: FloatArray) -> Callable[[FloatArray], FloatArray]: ...
    def hessian_at_zero(self) -> FloatArray: ...


def _problem(
    shared: SharedContexts,
    rows: Rows,
    terms: PairTerms,
    w: FloatArray,
    penalty: float,
    ridge: float,
    gram: FloatArray,
) -> _Problem:
    """By differences of pairs where they are no more than the alternatives, else by rewards."""
    both = w[terms.first] * w[terms.second] * terms.strength

    def at_zero() -> FloatArray:
        out = shared.curvature(terms.first, terms.second, both * 0.25, rows.workers)
        out = out + penalty * gram
        out[np.diag_indices_from(out)] += ridge
        return out

    apart = shared.differences(terms.first, terms.second, rows.workers)
    if apart is None:
        return _ByRewards(rows, terms, w, penalty, ridge, at_zero)
    return _ByPairs(apart, terms.p, both, gram, penalty, ridge, at_zero)


@dataclass(frozen=True, slots=True, eq=False)
class _ByPairs:
    """f = Σ b (p log(1 + e^-δ) + (1 - p) log(1 + e^δ)) + λ/2 θᵀGθ, δ = D θ, G = Cᵀ diag(w) C."""

    apart: Differences
    p: FloatArray
    both: FloatArray
    gram: FloatArray
    penalty: float
    ridge: float
    hessian_at_zero: Callable[[], FloatArray]

    def image(self, theta: FloatArray) -> FloatArray:
        return self.apart.times(theta)

    def value(self, theta: FloatArray, image: FloatArray) -> float:
        loss = self.p * np.logaddexp(0.0, -image) + (1.0 - self.p) * np.logaddexp(0.0, image)
        return float((self.both * loss).sum()) + 0.5 * _dot(theta, self._pull(theta))

    def gradient(self, theta: FloatArray, image: FloatArray) -> FloatArray:
        excess = self.both * (expit(image) - self.p)
        return self.apart.transposed(excess) + self._pull(theta)

    def curvature(self, image: FloatArray) -> Callable[[FloatArray], FloatArray]:
        q = expit(image)
        h = self.both * q * (1.0 - q)
        return lambda v: self.apart.transposed(h * self.apart.times(v)) + self._pull(v)

    def _pull(self, theta: FloatArray) -> FloatArray:
        out: FloatArray = self.penalty * (self.gram @ theta) + self.ridge * theta
        return out


@dataclass(frozen=True, slots=True, eq=False)
class _ByRewards:
    """``objective`` at r = C θ."""

    rows: Rows
    terms: PairTerms
    weights: FloatArray
    penalty: float
    ridge: float
    hessian_at_zero: Callable[[], FloatArray]

    def image(self, theta: FloatArray) -> FloatArray:
        return self.rows.times(theta)

    def value(self, theta: FloatArray, image: FloatArray) -> float:
        data = objective(self.terms, self.weights, image, self.penalty)
        return data + 0.5 * self.ridge * _dot(theta, theta)

    def gradient(self, theta: FloatArray, image: FloatArray) -> FloatArray:
        residual = moment_residual(self.terms, self.weights, image, self.penalty)
        return self.rows.transposed(self.weights * residual) + self.ridge * theta

    def curvature(self, image: FloatArray) -> Callable[[FloatArray], FloatArray]:
        inner = hessian(self.terms, self.weights, image, self.penalty)

        def times(v: FloatArray) -> FloatArray:
            out = self.rows.transposed(np.asarray(inner @ self.rows.times(v)))
            out += self.ridge * v
            return out

        return times


def _upper(matrix: FloatArray) -> FloatArray | None:
    """R with RᵀR = matrix, at a seventh of the time of eigenvalues; None where some direction is
    flat: a pivot is then rounding."""
    try:
        upper, _ = cho_factor(matrix, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    pivots = np.diag(upper) ** 2
    return upper if pivots.min() > _FLAT * pivots.max() else None


def factor(matrix: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """A solver in the range of a positive semi-definite matrix: flat directions get no step.

    Contexts of fewer alternatives than dimensions leave θ undetermined in those directions, and
    rounding there, divided by nothing, would swamp the rest.
    """
    # A coordinate without curvature has none in common with the others either.
    diagonal = np.diag(matrix)
    live = np.flatnonzero(diagonal > 1e-13 * max(float(diagonal.max(initial=0.0)), 0.0))
    upper = _upper(matrix[np.ix_(live, live)]) if live.size else None
    if upper is not None:

        def solve_live(rhs: FloatArray) -> FloatArray:
            out = np.zeros_like(rhs)
            out[live] = cho_solve((upper, False), rhs[live], check_finite=False)
            return out

        return solve_live
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
    image = problem.image(theta)
    gradient = problem.gradient(theta, image)
    norm = float(np.abs(gradient).max())
    if norm <= tolerance:
        return theta, 0, norm, False
    precondition = factor(problem.hessian_at_zero())
    value = problem.value(theta, image)
    for iteration in range(max_iterations):
        step = _step(problem, image, gradient, precondition, max(min(0.1, norm), 1e-6))
        moved = problem.image(step)
        slope = _dot(gradient, step)

        def attempt(
            t: float,
            at: tuple[FloatArray, FloatArray, float, float] = (theta, image, value, norm),
            along: tuple[FloatArray, FloatArray, float] = (step, moved, slope),
        ) -> tuple[FloatArray, FloatArray, float, FloatArray, float] | None:
            new_theta, new_image = at[0] + t * along[0], at[1] + t * along[1]
            new_value = problem.value(new_theta, new_image)
            new_gradient = problem.gradient(new_theta, new_image)
            new_norm = float(np.abs(new_gradient).max())
            # Near the minimum f no longer shows its decrease; the gradient does.
            falls = new_value <= at[2] + 1e-4 * t * along[2]
            if falls or new_norm <= 0.5 * at[3]:
                return new_theta, new_image, new_value, new_gradient, new_norm
            return None

        found = backtracked(attempt, 1.0, MAX_HALVINGS)
        if found is None:
            return theta, iteration, norm, True
        theta, image, value, gradient, norm = found
        if norm <= tolerance:
            return theta, iteration + 1, norm, False
    return theta, max_iterations, norm, False


def _step(
    problem: _Problem,
    image: FloatArray,
    gradient: FloatArray,
    precondition: Callable[[FloatArray], FloatArray],
    accuracy: float,
) -> FloatArray:
    """-H⁻¹ g by preconditioned conjugate gradients, to ``accuracy`` in the norm of H₀⁻¹."""
    goal = _dot(gradient, precondition(gradient))
    step, _ = conjugate_gradients(
        problem.curvature(image),
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


def linear_hessian(
    contexts: SharedContexts, proportions: Proportions, fit: LinearFit, workers: int | None = None
) -> FloatArray:
    """∂²/∂θ² of a fit's objective at the fit, float64 (d, d); in the contexts less its centre.

    The pairs must be those that the fit was made of."""
    terms = pair_terms(
        proportions, fit.weights, count_weighted=fit.count_weighted, normaliser=fit.kappa
    )
    q = expit(fit.rewards[terms.first] - fit.rewards[terms.second])
    h = fit.weights[terms.first] * fit.weights[terms.second] * terms.strength * q * (1.0 - q)
    with one_blas_thread():
        gram = contexts.centred(fit.weights, workers)[1]
        out = contexts.curvature(terms.first, terms.second, h, workers) + fit.penalty * gram
    out[np.diag_indices_from(out)] += fit.ridge
    return out
