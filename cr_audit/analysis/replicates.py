"""Both fits on comparisons drawn again, and the standard errors that follow."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.fitting import Fitting
from cr_audit.analysis.reward_facts import Errors
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.models.rewards.bootstrap import (
    expanded_level,
    normal_interval,
    percentile_interval,
)
from cr_audit.models.rewards.model import Fitted, Replicates


def in_words(replicates: Replicates, what: str) -> str:
    """What replicates of resampled ``what`` vary."""
    error = " and the Monte-Carlo error of the weights" if replicates.weights_drawn else ""
    return f"resampled {what}{error}{replicates.also}"


def standard_errors(
    fitting: Fitting,
    fit: Fitted,
    replicates: FloatArray,
    clusters: IntArray | None,
    *,
    n_units: float,
    confidence_level: float,
) -> Errors | NotApplicable:
    """Bootstrap beside sandwich, where the model has one.

    n_units : the effective number of what was resampled, by which both intervals are widened. Both
    are about the fit at its penalty, so that they can be held against each other.
    """
    covariance = fitting.model.covariance(fitting.problem, fit, clusters)
    if isinstance(covariance, NotApplicable):
        return covariance
    with np.errstate(invalid="ignore"):
        sandwich = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    missing = np.isnan(replicates)
    known = ~missing.all(axis=0)
    bootstrap = np.full(replicates.shape[1], np.nan)
    bootstrap[known] = np.nanstd(replicates[:, known], axis=0, ddof=1)
    interval = percentile_interval(replicates, expanded_level(confidence_level, n_units))
    other = normal_interval(fit.rewards, sandwich, confidence_level, n_units)
    return Errors(
        bootstrap,
        sandwich,
        _median_ratio(sandwich, bootstrap),
        other,
        _median_ratio(np.diff(other)[:, 0], np.diff(interval)[:, 0]),
    )


def _median_ratio(above: FloatArray, below: FloatArray) -> float:
    both = np.isfinite(above) & (below > 0)
    return float(np.median(above[both] / below[both])) if both.any() else float("nan")
