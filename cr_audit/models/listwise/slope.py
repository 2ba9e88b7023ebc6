"""How the chosen category follows the numbers offered: slope 1 is IIA, slope 0 a dichotomy.

For two categories A and B, over lists that offer both and of which a member of either was chosen,

    logit P(A chosen) = a + τ ln(k_A / k_B)

k_A and k_B being the numbers offered. A logit whose rewards depend on the category has τ = 1
whatever else the list offers (that is IIA); in the dichotomy model ([IIA] Eq. 5) the numbers do not
matter: τ = 0. τ is the λ of a nested logit with equal members, without the bound at 0.

Covariates enter as the difference, between A's and B's members, of their means in the list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.engine.tails import norm
from cr_audit.models.listwise.designs import ChoiceDesign
from cr_audit.models.listwise.logit import LogitStatus, fit_logit


@dataclass(frozen=True, slots=True, eq=False)
class Slope:
    """intercept, tau and their errors; robust : by unit. p_iia, p_dichotomy : two-sided, of
    τ = 1 and of τ = 0, with the robust error. low, high : the interval of τ at ``level``.
    robust : float64 (2, 2), sandwich covariance of (intercept, τ). n_lists : lists used;
    n_varied : those whose k_A/k_B is not the most frequent one."""

    intercept: float
    tau: float
    intercept_error: float
    tau_error: float
    tau_robust: float
    robust: FloatArray
    p_iia: float
    p_dichotomy: float
    low: float
    high: float
    level: float
    n_lists: int
    n_varied: int


def choice_slope(
    k_first: IntArray,
    k_second: IntArray,
    first_chosen: FloatArray,
    *,
    mass: FloatArray | None = None,
    unit: IntArray | None = None,
    covariates: FloatArray | None = None,
    level: float = 0.95,
) -> Slope | NotApplicable:
    """Fit the slope.

    k_first, k_second : int64 (n,) >= 1, numbers offered. first_chosen : float64 (n,), 1 where a
    member of the first category was chosen, 0 where one of the second; in between where several
    were. mass : float64 (n,). unit : int64 (n,), see ``ChoiceDesign``. covariates : float64 (n, c).
    """
    n = k_first.shape[0]
    if n == 0:
        return NotApplicable("no list offers both categories")
    if np.any(k_first < 1) or np.any(k_second < 1):
        raise ValueError("every list must offer both categories")
    x = np.log(k_first) - np.log(k_second)
    ratio, count = np.unique(np.round(x, 12), return_counts=True)
    if ratio.size < 2:
        return NotApplicable("every list offers the two categories in the same proportion")
    extra = np.zeros((n, 0)) if covariates is None else covariates
    columns = np.zeros((2 * n, 2 + extra.shape[1]))
    columns[0::2] = np.column_stack([np.ones(n), x, extra])
    share = np.empty(2 * n)
    share[0::2], share[1::2] = first_chosen, 1.0 - first_chosen
    design = ChoiceDesign(
        offsets=np.arange(0, 2 * n + 1, 2, dtype=np.int64),
        columns=columns,
        share=share,
        mass=np.ones(n) if mass is None else mass,
        unit=np.arange(n, dtype=np.int64) if unit is None else unit,
        offset=np.zeros(2 * n),
    )
    fit = fit_logit(design)
    if fit.status is LogitStatus.SEPARATED:
        return NotApplicable("one category is always chosen at some proportion: no finite slope")
    if fit.status is not LogitStatus.CONVERGED:
        return NotApplicable("the fit of the slope did not converge")
    if not fit.identified[1]:
        return NotApplicable("the proportion offered cannot be told from the covariates")
    tau, error = float(fit.coefficients[1]), float(fit.robust_errors[1])
    if not error > 0:
        return NotApplicable("too few independent units for an error")
    z = float(norm.ppf(0.5 + level / 2))
    return Slope(
        intercept=float(fit.coefficients[0]),
        tau=tau,
        intercept_error=float(fit.standard_errors[0]),
        tau_error=float(fit.standard_errors[1]),
        tau_robust=error,
        robust=fit.robust_covariance[:2, :2],
        p_iia=float(2 * norm.sf(abs(tau - 1) / error)),
        p_dichotomy=float(2 * norm.sf(abs(tau) / error)),
        low=tau - z * error,
        high=tau + z * error,
        level=level,
        n_lists=n,
        n_varied=int(n - count.max()),
    )


def equal_reward_score(
    k_first: IntArray, k_second: IntArray, first_chosen: FloatArray, mass: FloatArray | None = None
) -> float:
    """Score test of equal category rewards: Σ (chosen − k_A/k) / √Σ k_A k_B / k², k = k_A + k_B.

    Positive where the fitted logit reward prefers the first category (its sign is the sign of
    ρ_chosen − ρ_data, [IIA] Lemma 9). NaN where no list offers both.
    """
    m = np.ones(k_first.shape[0]) if mass is None else mass
    offered = k_first / (k_first + k_second)
    variance = float((m * offered * (1 - offered)).sum())
    if variance <= 0:
        return float("nan")
    return float((m * (first_chosen - offered)).sum() / np.sqrt(variance))


def chance_of_first(k_first: int, k_second: int, intercept: float, tau: float) -> float:
    """P(a member of the first category is chosen) under the fitted slope."""
    return float(expit(intercept + tau * np.log(k_first / k_second)))
