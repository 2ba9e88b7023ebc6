"""Both fits on comparisons drawn again: one bootstrap for each reward model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cr_audit.analysis.reward_facts import Errors
from cr_audit.analysis.reward_problem import Problem
from cr_audit.analysis.subjects import Averages
from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.rewards.bootstrap import bootstrap_tabular, sandwich_covariance
from cr_audit.rewards.linear import LinearFit
from cr_audit.rewards.linear_bootstrap import bootstrap_linear
from cr_audit.rewards.tabular import Fit

MAX_DRAWN = 20_000_000
"""Replicates times subjects of one fit held at once: 160 MB of float64."""
MIN_REPLICATES = 100
N_MLP_REPLICATES = 20
"""An mlp is trained anew in every replicate: about two seconds for each of its networks."""


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
    fit. Mlp: N_MLP_REPLICATES full trainings of one network each, so
    their spread also holds that of the training.
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
    return _mlp(problem, weights, averages, what, clusters, rng, tick)


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


def _mlp(
    problem: Problem,
    weights: tuple[FloatArray, ...],
    averages: Averages,
    what: str,
    clusters: IntArray | None,
    rng: np.random.Generator,
    tick: Callable[[int, int], None],
) -> Replicates:
    rows = problem.comparisons
    unit = np.arange(rows.n)
    if clusters is not None:
        lone = np.where(clusters < 0, clusters.max(initial=0) + 1 + unit, clusters)
        _, unit = np.unique(lone, return_inverse=True)
    n_units = int(unit.max()) + 1
    out = np.empty((len(weights), N_MLP_REPLICATES, averages.subjects.n))
    seeds = np.random.SeedSequence(int(rng.integers(2**63))).spawn(N_MLP_REPLICATES)
    for b in range(N_MLP_REPLICATES):
        tick(b, N_MLP_REPLICATES)
        counts = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)[unit]
        kept = counts > 0
        drawn = replace(
            rows,
            **{
                name: getattr(rows, name)[kept]
                for name in ("winner", "loser", "outcome", "annotator", "prompt", "winner_first")
            },
            mass=rows.mass[kept] * counts[kept],
        )
        once = replace(problem, mlp_seed=seeds[b])
        for k, w in enumerate(weights):
            runs = once.mlp(drawn, w, problem.penalty, 1)
            out[k, b] = averages.of(runs.mean(axis=0))
    return Replicates(out, f"resampled {what}, one network trained in each", 0)


def standard_errors(
    problem: Problem,
    fit: Fit | LinearFit | FloatArray,
    replicates: FloatArray,
    clusters: IntArray | None,
) -> Errors | NotApplicable:
    """Bootstrap beside sandwich, for a tabular fit of few enough items."""
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
    both = np.isfinite(sandwich) & (bootstrap > 0)
    ratio = float(np.median(sandwich[both] / bootstrap[both])) if both.any() else float("nan")
    return Errors(bootstrap, sandwich, ratio)
