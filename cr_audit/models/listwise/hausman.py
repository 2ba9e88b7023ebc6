"""Hausman and McFadden's test of IIA: drop an alternative; the other coefficients should stay.

d = b_restricted − b_full over the coefficients that both fits identify. The classical statistic is
d' (V_restricted − V_full)⁻¹ d; the difference of the two covariances need not be positive
semi-definite in a sample, and then the statistic means nothing: it is not applicable, with the
smallest eigenvalue, and never an absolute value. Beside it stands a statistic that always exists:
the covariance of d from the two fits' scores together (a joint sandwich), which is a sum of squares
and allows lists of one unit to hang together.

Source: Hausman and McFadden (1984); White (1982), Weesie (1999) for the joint sandwich.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.engine.tails import chi2
from cr_audit.models.listwise.designs import ChoiceDesign, list_sums
from cr_audit.models.listwise.logit import LogitFit, LogitStatus, by_unit, fit_logit

# Eigenvalues below this share of the largest are 0: they set the rank and the pseudo-inverse.
RANK_TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True)
class Quadratic:
    """d' V⁺ d with the rank of V as degrees of freedom; pseudo_inverse : whether V was singular."""

    statistic: float
    degrees_of_freedom: int
    p_value: float
    pseudo_inverse: bool


@dataclass(frozen=True, slots=True, eq=False)
class Hausman:
    """One alternative dropped.

    classical : the textbook statistic, or why there is none. joint : from the joint sandwich.
    smallest, largest : eigenvalues of V_restricted − V_full, each coefficient in units of its error
    in the restricted fit. common : bool (p,), the coefficients compared. difference : float64 (p,),
    NaN elsewhere. effect : largest |difference| in units of the full fit's coefficients' error.
    n_lists, n_kept : lists of the full fit, and those left.
    """

    classical: Quadratic | NotApplicable
    joint: Quadratic | NotApplicable
    smallest: float
    largest: float
    common: BoolArray
    difference: FloatArray
    effect: float
    n_lists: int
    n_kept: int


def hausman_mcfadden(
    design: ChoiceDesign, drop: BoolArray, *, full: LogitFit | None = None
) -> Hausman | NotApplicable:
    """Drop the rows where ``drop`` (bool (k,)) holds, fit again, compare.

    full : the fit of ``design``, if there is one already. NotApplicable where either fit has no
    maximum, too few lists are left, or no coefficient is in both.
    """
    whole = fit_logit(design) if full is None else full
    if whole.status is not LogitStatus.CONVERGED:
        return NotApplicable("the multinomial logit has no maximum on all lists")
    lost = list_sums(np.where(drop, design.share, 0.0), design.offsets) > 0
    left = list_sums((~drop).astype(np.float64), design.offsets) >= 2
    good = ~lost & left
    if not good.any():
        return NotApplicable("no list is left without the alternative")
    rest = fit_logit(design.without_rows(~drop), start=whole.coefficients)
    if rest.status is not LogitStatus.CONVERGED:
        return NotApplicable("the multinomial logit has no maximum without the alternative")
    common = whole.identified & rest.identified
    if not common.any():
        return NotApplicable("no coefficient is identified both with and without the alternative")
    if int(good.sum()) <= int(rest.identified.sum()):
        return NotApplicable("fewer lists are left than there are coefficients")
    difference = rest.coefficients - whole.coefficients
    d = difference[common]
    both = np.ix_(common, common)
    variance = rest.covariance[both] - whole.covariance[both]
    scale = np.sqrt(np.diagonal(rest.covariance[both]))
    values = np.linalg.eigvalsh(variance / np.outer(scale, scale))
    smallest, largest = float(values[0]), float(values[-1])
    return Hausman(
        classical=_classical(d / scale, variance / np.outer(scale, scale), smallest, largest),
        joint=_joint(d, whole, rest, good, design.unit, common),
        smallest=smallest,
        largest=largest,
        common=common,
        difference=np.where(common, difference, np.nan),
        effect=float(np.abs(d / whole.standard_errors[common]).max()),
        n_lists=design.n,
        n_kept=int(good.sum()),
    )


def _classical(
    d: FloatArray, variance: FloatArray, smallest: float, largest: float
) -> Quadratic | NotApplicable:
    # Two converged fits differ by rounding where nothing was dropped: 1e-6 of one's variance.
    if largest <= 1e-6:
        return NotApplicable(
            "the two fits have the same covariance: dropping the alternative takes away nothing"
            " that tells about the other coefficients"
        )
    if smallest < -RANK_TOLERANCE * largest:
        return NotApplicable(
            "the difference of the two covariances is not positive semi-definite"
            f" (smallest eigenvalue {smallest:.3g}, largest {largest:.3g})"
        )
    return quadratic(d, variance)


def _joint(
    d: FloatArray,
    whole: LogitFit,
    rest: LogitFit,
    good: BoolArray,
    unit: IntArray,
    common: BoolArray,
) -> Quadratic | NotApplicable:
    influence = np.einsum("np,pq->nq", *_known(whole, common)) * -1.0
    influence[good] += np.einsum("np,pq->nq", *_known(rest, common))
    summed = by_unit(influence, unit)
    g = summed.shape[0]
    if g <= d.size:
        return NotApplicable("fewer independent units than coefficients")
    variance = np.einsum("ui,uj->ij", summed, summed) * (g / (g - 1))
    scale = np.sqrt(np.diagonal(rest.covariance)[common])
    scaled = variance / np.outer(scale, scale)
    if np.diagonal(scaled).max() <= 1e-6:
        return NotApplicable("dropping the alternative does not move any coefficient")
    return quadratic(d / scale, scaled)


def _known(fit: LogitFit, common: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Scores and the columns of the covariance that turn them into influence on ``common``."""
    known = fit.identified
    return fit.scores[:, known], fit.covariance[np.ix_(known, common)]


def quadratic(d: FloatArray, variance: FloatArray) -> Quadratic:
    """d' V⁺ d over the eigenvalues of V above ``RANK_TOLERANCE`` times the largest."""
    values, vectors = np.linalg.eigh(variance)
    keep = values > RANK_TOLERANCE * values[-1]
    along = np.einsum("ij,i->j", vectors[:, keep], d)
    statistic = float((along**2 / values[keep]).sum())
    rank = int(keep.sum())
    return Quadratic(statistic, rank, float(chi2.sf(statistic, rank)), rank < d.size)
