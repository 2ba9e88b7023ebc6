"""One reward per alternative: the tabular fit, standard or weighted."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray, Proportions
from cr_audit.engine import one_blas_thread
from cr_audit.models.graph import components_of
from cr_audit.models.rewards.moments import MAX_ITERATIONS, FitStatus, MomentSystem
from cr_audit.models.rewards.objective import check_penalty, check_weights, pair_terms

# ‖F‖∞ <= TOLERANCE means that every reward is within TOLERANCE/λ of the exact one.
TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A tabular fit and the settings that made it.

    rewards : float64 (m,), log-odds, NaN where ``has_data`` is false. Σ w r = 0 per component.
    has_data : bool (m,), false for an alternative that was never compared.
    components : int64 (m,), 0, 1, ... by smallest member; -1 without data. Rewards (and ranks) of
    two components cannot be compared. n_components : how many.
    gradient_norm : max_x |F(x)|/max(1, Σ_y w(y) s(x,y)), F the gradient divided by the weight.
    Where the divisor is 1 (complete data) every reward is within gradient_norm/λ of the exact one.
    kappa : the normaliser of sparse data. weights : float64 (m,), as given.
    """

    rewards: FloatArray
    has_data: BoolArray
    components: IntArray
    n_components: int
    status: FitStatus
    iterations: int
    gradient_norm: float
    kappa: float
    method: str
    weights: FloatArray
    penalty: float
    tolerance: float
    max_iterations: int
    count_weighted: bool
    n_pairs: int

    @property
    def converged(self) -> bool:
        """Whether the fit reached its stopping rule."""
        return self.status is FitStatus.CONVERGED


def fit_tabular(
    proportions: Proportions,
    weights: FloatArray,
    *,
    penalty: float,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    warm_start: FloatArray | None = None,
    count_weighted: bool = False,
    normaliser: float | None = None,
) -> Fit:
    """Minimise f (see ``objective``) over one reward per alternative.

    weights : float64 (m,), >= 0, sum 1; uniform for the standard fit. An alternative of weight 0
    gets the limit of its rewards as the weight tends to 0. penalty : λ > 0.
    tolerance : on max_x |F(x)|. warm_start : float64 (m,), NaN is read as 0.
    normaliser : replaces κ; 1 gives the plain sum over the observed pairs.

    Raises ValueError for arrays that break these conditions and ComputeError ``fit-no-weight``
    where no observed pair has two positive weights. A fit that did not converge is returned, with
    a status that says what to do.

    Source: [CR] Eq. 2, Theorem 4.4/4.2. Deviations: those numbered in ``objective``, and

    5. On a disconnected graph the penalty alone would place the components relative to each other;
       each has Σ w r = 0 by itself and ``components`` says not to compare across.
    6. A component whose weights are all 0 has rewards 0, the limit of vanishing weights.
    """
    m = proportions.n_items
    w = check_weights(weights, m)
    lam = check_penalty(penalty)
    if not tolerance > 0 or max_iterations < 0:
        raise ValueError("tolerance must be positive and max_iterations not negative")
    start = np.zeros(m)
    if warm_start is not None:
        if np.shape(warm_start) != (m,):
            raise ValueError(f"warm_start has shape {np.shape(warm_start)}, expected ({m},)")
        start = np.nan_to_num(np.asarray(warm_start, dtype=np.float64), nan=0.0)
    labels, n_components = components_of(proportions)
    has_data = labels >= 0
    start[~has_data] = 0.0
    terms = pair_terms(proportions, w, count_weighted=count_weighted, normaliser=normaliser)
    system = MomentSystem(m, terms.first, terms.second)
    with one_blas_thread() if system.dense else nullcontext():
        solved = system.solve(
            terms.p,
            terms.strength,
            w,
            lam,
            start=start,
            tolerance=tolerance,
            max_iterations=max_iterations,
        )
    rewards = _centre(solved.rewards, w, labels, n_components)
    rewards[~has_data] = np.nan
    return Fit(
        rewards=rewards,
        has_data=has_data,
        components=labels,
        n_components=n_components,
        status=solved.status if n_components else FitStatus.NO_DATA,
        iterations=solved.iterations,
        gradient_norm=solved.residual_norm,
        kappa=terms.kappa,
        method=solved.method,
        weights=w,
        penalty=lam,
        tolerance=tolerance,
        max_iterations=max_iterations,
        count_weighted=count_weighted,
        n_pairs=int(terms.first.shape[0]),
    )


def _centre(
    rewards: FloatArray, weights: FloatArray, labels: IntArray, n_components: int
) -> FloatArray:
    """Remove what is left of Σ w r in each component: Newton's exact step along constants."""
    known = labels >= 0
    index, w, r = labels[known], weights[known], rewards[known]
    mass = np.bincount(index, weights=w, minlength=n_components)
    moment = np.bincount(index, weights=w * r, minlength=n_components)
    mean = np.divide(moment, mass, out=np.zeros(n_components), where=mass > 0)
    out = rewards.copy()
    out[known] = r - mean[index]
    return out
