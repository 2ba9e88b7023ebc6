"""Both fits on comparisons drawn again: one bootstrap for each reward model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cr_audit.analysis.mlp_fits import MIN_REPLICATES as MIN_MLP_REPLICATES
from cr_audit.analysis.mlp_fits import NETWORKS_PER_REPLICATE, ONE_IN, mlp_replicates
from cr_audit.analysis.reward_facts import Errors
from cr_audit.analysis.reward_problem import Problem
from cr_audit.analysis.subjects import Averages
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.models.rewards.bootstrap import (
    bootstrap_tabular,
    normal_interval,
    sandwich_covariance,
)
from cr_audit.models.rewards.linear import LinearFit
from cr_audit.models.rewards.linear_bootstrap import bootstrap_linear
from cr_audit.models.rewards.tabular import Fit

MAX_DRAWN = 20_000_000
"""Replicates times subjects of one fit held at once: 160 MB of float64."""
MIN_REPLICATES = 100


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """rewards : float64 (fits, replicates, n_subjects). holds : what they vary, in words."""

    rewards: FloatArray
    holds: str
    n_not_converged: int


def draw_replicates(
    problem: Problem,
    fits: tuple[Fit | LinearFit | FloatArray, ...],
    weights: tuple[FloatArray, ...],
    averages: Averages,
    *,
    what: str,
    clusters: IntArray | None,
    n_replicates: int,
    rng: np.random.Generator,
    tick: Callable[[int, int], None],
) -> Replicates:
    """Replicates of the subjects' rewards, all fits on the same resamples of ``what``.

    With the weights' Monte-Carlo error. Tabular: full refits. Linear: two Newton steps from the
    fit. Mlp: one in ONE_IN of them, networks of the ensemble trained anew (``mlp_replicates``).
    """
    n = max(MIN_REPLICATES, min(n_replicates, MAX_DRAWN // averages.subjects.n))
    if problem.model == "tabular":
        exact = [f for f in fits if isinstance(f, Fit)]
        drawn = bootstrap_tabular(
            problem.comparisons,
            exact,
            n_replicates=n,
            clusters=clusters,
            draw_weights=[None, problem.draw][: len(exact)],
            n_threads=problem.n_threads,
            rng=rng,
        )
        error = " and the Monte-Carlo error of the weights" if drawn.weights_drawn[-1] else ""
        return Replicates(
            averages.of(drawn.rewards) if averages.matrix is not None else drawn.rewards,
            f"resampled {what}{error}",
            sum(drawn.n_not_converged),
        )
    assert problem.contexts is not None
    if problem.model == "linear":
        return _linear(problem, [f for f in fits if isinstance(f, LinearFit)], averages, what,
                       clusters, n, rng)  # fmt: skip
    runs = tuple(f for f in fits if isinstance(f, np.ndarray))
    rewards = mlp_replicates(
        problem,
        runs,
        weights,
        averages,
        clusters=clusters,
        n_replicates=max(MIN_MLP_REPLICATES, n_replicates // ONE_IN),
        rng=rng,
        tick=tick,
    )
    error = " and the Monte-Carlo error of the weights" if len(runs) > 1 and problem.draw else ""
    networks = (
        "one network" if NETWORKS_PER_REPLICATE == 1 else f"{NETWORKS_PER_REPLICATE} networks"
    )
    return Replicates(
        rewards, f"resampled {what}{error}, {networks} trained in each, and resampled runs", 0
    )


def _linear(
    problem: Problem,
    fits: list[LinearFit],
    averages: Averages,
    what: str,
    clusters: IntArray | None,
    n: int,
    rng: np.random.Generator,
) -> Replicates:
    assert problem.contexts is not None
    assert averages.matrix is not None
    contexts = problem.contexts.astype(np.float64)
    drawn = bootstrap_linear(
        problem.comparisons,
        contexts,
        fits,
        n_replicates=n,
        clusters=clusters,
        draw_weights=[None, problem.draw][: len(fits)],
        n_threads=problem.n_threads,
        rng=rng,
    )
    error = " and the Monte-Carlo error of the weights" if drawn.weights_drawn[-1] else ""
    return Replicates(
        drawn.predict(np.asarray(averages.matrix @ contexts)), f"resampled {what}{error}", 0
    )


def standard_errors(
    problem: Problem,
    fit: Fit | LinearFit | FloatArray,
    replicates: FloatArray,
    interval: FloatArray,
    clusters: IntArray | None,
    *,
    n_units: float,
    confidence_level: float,
) -> Errors | NotApplicable:
    """Bootstrap beside sandwich, for a tabular fit of few enough items.

    interval : float64 (n, 2), that of ``replicates``; n_units : the effective number of what was
    resampled, by which it was widened.
    """
    if not isinstance(fit, Fit):
        return NotApplicable("the sandwich is computed for tabular rewards")
    covariance = sandwich_covariance(problem.comparisons, fit, clusters=clusters)
    if isinstance(covariance, NotApplicable):
        return covariance
    with np.errstate(invalid="ignore"):
        sandwich = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    missing = np.isnan(replicates)
    known = ~missing.all(axis=0)
    bootstrap = np.full(replicates.shape[1], np.nan)
    bootstrap[known] = np.nanstd(replicates[:, known], axis=0, ddof=1)
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
