"""Multinomial (conditional) logit: P(i | list) = exp(x_i b + o_i) / Σ_j exp(x_j b + o_j).

The log-likelihood Σ_s mass_s Σ_i share_i log P(i | s) is concave; Newton's method with halving
finds its maximum where one exists. Where some direction b keeps every chosen member at or above
all others of its list (separation), none exists; a linear programme decides that, not the size of
the numbers.

Source: McFadden (1974), [IIA] Eq. 3 and 7. Robust errors: White (1982), by unit where units have
several lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.models.listwise.designs import (
    ChoiceDesign,
    centred,
    identified_columns,
    list_sums,
    log_probabilities,
)

MAX_ITERATIONS = 60
MAX_HALVINGS = 30
# On the gradient of the mean log-likelihood, columns scaled to unit variance within lists.
TOLERANCE = 1e-9
# Scaled coefficients beyond this send the fit to the linear programme.
SUSPICIOUS = 12.0


class LogitStatus(StrEnum):
    """How the fit ended; SEPARATED: a maximum does not exist."""

    CONVERGED = "converged"
    SEPARATED = "separated"
    NOT_CONVERGED = "not-converged"


@dataclass(frozen=True, slots=True, eq=False)
class LogitFit:
    """A multinomial logit.

    coefficients : float64 (p,), NaN for columns that are not identified. identified : bool (p,).
    covariance, robust_covariance : float64 (p, p), inverse information and sandwich; NaN rows for
        columns that are not identified, NaN everywhere where the fit is separated.
    log_likelihood : Σ mass log P of the chosen; null_log_likelihood : all members alike.
    gradient_norm : largest entry of the gradient of the mean log-likelihood, scaled columns.
    scores : float64 (n, p), gradient of each list's log-likelihood (times its mass).
    """

    coefficients: FloatArray
    identified: BoolArray
    covariance: FloatArray
    robust_covariance: FloatArray
    log_likelihood: float
    null_log_likelihood: float
    gradient_norm: float
    n_lists: int
    iterations: int
    status: LogitStatus
    scores: FloatArray

    @property
    def standard_errors(self) -> FloatArray:
        """Roots of the inverse information's diagonal: float64 (k,)."""
        return np.sqrt(np.diagonal(self.covariance))

    @property
    def robust_errors(self) -> FloatArray:
        """Roots of the sandwich's diagonal: float64 (k,)."""
        return np.sqrt(np.diagonal(self.robust_covariance))

    @property
    def n_parameters(self) -> int:
        """Coefficients that the data identifies."""
        return int(self.identified.sum())


def fit_logit(
    design: ChoiceDesign,
    *,
    start: FloatArray | None = None,
    max_iterations: int = MAX_ITERATIONS,
    tolerance: float = TOLERANCE,
) -> LogitFit:
    """Maximum likelihood over the columns of ``design``.

    start : float64 (p,), e.g. the fit of a neighbouring design. Memory: three arrays of k x p.
    A fit that has no maximum is returned as SEPARATED with the coefficients where it stopped.
    """
    p = design.n_columns
    keep = identified_columns(design)
    x = centred(design.columns[:, keep], design.offsets)
    scale = np.sqrt(np.einsum("ki,ki->i", x, x) / max(x.shape[0], 1))
    x = x / scale if x.size else x
    b = np.zeros(x.shape[1]) if start is None else np.nan_to_num(start)[keep] * scale
    total = max(float(design.mass.sum()), 1e-300)
    value, gradient, hessian, log_p = _parts(design, x, b)
    iterations, status = 0, LogitStatus.NOT_CONVERGED
    while iterations < max_iterations:
        if np.abs(gradient).max(initial=0.0) <= tolerance * total:
            status = LogitStatus.CONVERGED
            break
        step = _newton_step(hessian, gradient)
        length = 1.0
        for _ in range(MAX_HALVINGS):
            trial = _value(design, x, b + length * step)
            if trial >= value - 1e-12 * abs(value):
                break
            length /= 2
        b = np.asarray(b + length * step, dtype=np.float64)
        value, gradient, hessian, log_p = _parts(design, x, b)
        iterations += 1
        if np.abs(b).max(initial=0.0) > SUSPICIOUS and _separated(design, x):
            status = LogitStatus.SEPARATED
            break
    if np.abs(gradient).max(initial=0.0) <= tolerance * total:
        status = LogitStatus.CONVERGED
        flat = np.abs(b).max(initial=0.0) > SUSPICIOUS or _flat(hessian, total)
        if flat and _separated(design, x):
            status = LogitStatus.SEPARATED
    scores = _scores(design, x, log_p)
    covariance, robust = _covariances(design, hessian, scores, status)
    null = float((design.mass * list_sums(design.share * _null(design), design.offsets)).sum())
    out = np.full(p, np.nan)
    out[keep] = b / scale
    wide_scores = np.zeros((design.n, p))
    wide_scores[:, keep] = scores * scale
    return LogitFit(
        coefficients=out,
        identified=keep,
        covariance=_wide(covariance / np.outer(scale, scale), keep),
        robust_covariance=_wide(robust / np.outer(scale, scale), keep),
        log_likelihood=value,
        null_log_likelihood=null,
        gradient_norm=float(np.abs(gradient).max(initial=0.0)) / total,
        n_lists=design.n,
        iterations=iterations,
        status=status,
        scores=wide_scores,
    )


def log_likelihoods(design: ChoiceDesign, coefficients: FloatArray) -> FloatArray:
    """Σ_i share_i log P(i | s) of every list, float64 (n,), without its mass; NaN counts as 0."""
    utility = np.einsum("kp,p->k", design.columns, np.nan_to_num(coefficients)) + design.offset
    log_p = log_probabilities(utility, design.offsets)
    return list_sums(design.share * log_p, design.offsets)


def by_unit(scores: FloatArray, unit: IntArray) -> FloatArray:
    """Scores summed over units, float64 (number of units, p)."""
    _, code = np.unique(unit, return_inverse=True)
    columns = [np.bincount(code, weights=column) for column in scores.T]
    return np.stack(columns, axis=1) if columns else np.zeros((int(code.max(initial=-1)) + 1, 0))


def sandwich(bread: FloatArray, scores: FloatArray, unit: IntArray) -> FloatArray:
    """bread (Σ_u s_u s_u') bread · G/(G − 1), scores summed within each of G units."""
    summed = by_unit(scores, unit)
    g = summed.shape[0]
    meat = np.einsum("ui,uj->ij", summed, summed) * (g / max(g - 1, 1))
    out: FloatArray = np.einsum("ij,jk,kl->il", bread, meat, bread)
    return out


def _null(design: ChoiceDesign) -> FloatArray:
    return log_probabilities(design.offset, design.offsets)


def _value(design: ChoiceDesign, x: FloatArray, b: FloatArray) -> float:
    log_p = log_probabilities(np.einsum("kp,p->k", x, b) + design.offset, design.offsets)
    return float((design.mass * list_sums(design.share * log_p, design.offsets)).sum())


def _parts(
    design: ChoiceDesign, x: FloatArray, b: FloatArray
) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """Log-likelihood, gradient, Σ mass (Σ p x x' − x̄ x̄') and log P."""
    log_p = log_probabilities(np.einsum("kp,p->k", x, b) + design.offset, design.offsets)
    value = float((design.mass * list_sums(design.share * log_p, design.offsets)).sum())
    row_mass = np.repeat(design.mass, design.sizes)
    prob = np.exp(log_p)
    gradient = np.einsum("kp,k->p", x, row_mass * (design.share - prob))
    mean = list_sums(x * prob[:, None], design.offsets)
    second = np.einsum("ki,k,kj->ij", x, row_mass * prob, x)
    hessian = second - np.einsum("si,s,sj->ij", mean, design.mass, mean)
    return value, gradient, hessian, log_p


def _scores(design: ChoiceDesign, x: FloatArray, log_p: FloatArray) -> FloatArray:
    row_mass = np.repeat(design.mass, design.sizes)
    return list_sums(x * (row_mass * (design.share - np.exp(log_p)))[:, None], design.offsets)


def _newton_step(hessian: FloatArray, gradient: FloatArray) -> FloatArray:
    if gradient.size == 0:
        return gradient
    ridge = 1e-12 * max(float(np.trace(hessian)), 1e-12)
    step = np.linalg.solve(hessian + ridge * np.eye(gradient.size), gradient)
    # No utility moves by more than a few units at once: far from the maximum Newton overshoots.
    reach = min(1.0, 6.0 / max(float(np.abs(step).max()), 1e-300))
    return np.asarray(step * reach, dtype=np.float64)


def _flat(hessian: FloatArray, total: float) -> bool:
    if hessian.size == 0:
        return False
    return bool(np.linalg.eigvalsh(hessian)[0] < 1e-6 * total)


def _separated(design: ChoiceDesign, x: FloatArray) -> bool:
    """Whether some b gives every chosen row at least the utility of every row of its list.

    Maximise Σ (x_chosen − x_other) b over −1 <= b <= 1 under (x_chosen − x_other) b >= 0; the
    maximum is positive exactly where the likelihood has no maximum (Albert and Anderson, 1984).
    """
    owner = design.owner
    chosen = np.flatnonzero(design.share > 0)
    start = design.offsets[owner[chosen]]
    sizes = design.sizes[owner[chosen]]
    left = np.repeat(chosen, sizes)
    right = np.repeat(start, sizes) + _ramp(sizes)
    differences = x[left] - x[right]
    differences = np.unique(differences[np.abs(differences).max(axis=1) > 1e-12], axis=0)
    if differences.shape[0] == 0:
        return False
    from scipy.optimize import linprog

    found = linprog(
        -differences.sum(axis=0),
        A_ub=-differences,
        b_ub=np.zeros(differences.shape[0]),
        bounds=[(-1.0, 1.0)] * x.shape[1],
        method="highs",
    )
    return bool(found.status == 0 and float(found.fun or 0.0) < -1e-7)


def _ramp(sizes: IntArray) -> IntArray:
    """0, 1, ..., sizes[0] − 1, 0, 1, ..."""
    ends = np.cumsum(sizes)
    out: IntArray = np.arange(int(ends[-1]) if sizes.size else 0) - np.repeat(ends - sizes, sizes)
    return out


def _covariances(
    design: ChoiceDesign, hessian: FloatArray, scores: FloatArray, status: LogitStatus
) -> tuple[FloatArray, FloatArray]:
    if status is LogitStatus.SEPARATED or hessian.size == 0:
        nothing = np.full(hessian.shape, np.nan)
        return nothing, nothing
    inverse = np.linalg.inv(hessian)
    covariance: FloatArray = np.asarray((inverse + inverse.T) / 2, dtype=np.float64)
    return covariance, sandwich(covariance, scores, design.unit)


def _wide(matrix: FloatArray, keep: BoolArray) -> FloatArray:
    out = np.full((keep.size, keep.size), np.nan)
    out[np.ix_(keep, keep)] = matrix
    return out
