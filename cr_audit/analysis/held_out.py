"""What the two fits decide about comparisons that neither has seen."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.reward_facts import HeldOut, Share
from cr_audit.analysis.reward_problem import Problem
from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.rewards.selection import subset

N_FOLDS = 5
UNDECIDED = 1e-9
"""A reward difference below this predicts no winner."""


def folds(n: int, clusters: IntArray | None, n_folds: int, rng: np.random.Generator) -> IntArray:
    """Fold of each comparison, int64 (n,); a cluster stays together, a negative label is alone."""
    unit = np.arange(n)
    if clusters is not None:
        lone = np.where(clusters < 0, clusters.max(initial=0) + 1 + unit, clusters)
        _, unit = np.unique(lone, return_inverse=True)
    n_units = int(unit.max(initial=-1)) + 1
    return np.asarray((rng.permutation(n_units) % n_folds)[unit], dtype=np.int64)


def held_out_decisions(
    problem: Problem,
    weighted: FloatArray,
    clusters: IntArray | None,
    what: str,
    rng: np.random.Generator,
) -> HeldOut | NotApplicable:
    """Five-fold cross-validation of both fits; every comparison is held out once.

    clusters : int64 (n,), what stays together in a fold, called ``what``. Shares go by the
    comparisons' mass; standard errors are clustered: sqrt(Σ_c (Σ_{i in c} m_i (v_i - v̄))²) / Σ m.
    """
    rows = problem.comparisons
    units = rows.n if clusters is None else np.unique(clusters[clusters >= 0]).size
    if min(rows.n, units) < 2 * N_FOLDS:
        return NotApplicable(f"fewer than {2 * N_FOLDS} {what} to hold out")
    fold = folds(rows.n, clusters, N_FOLDS, rng)
    delta = np.full((2, rows.n), np.nan)
    warm: list[FloatArray | None] = [None, None]
    for f in range(N_FOLDS):
        test = np.flatnonzero(fold == f)
        training = subset(rows, np.flatnonzero(fold != f))
        for k, weights in enumerate((problem.uniform, weighted)):
            rewards, warm[k] = problem.rewards(training, weights, problem.penalty, warm[k])
            delta[k, test] = rewards[rows.winner[test]] - rewards[rows.loser[test]]
    return _shares(rows, delta, clusters, what)


def _shares(rows: Comparisons, delta: FloatArray, clusters: IntArray | None, what: str) -> HeldOut:
    known: BoolArray = np.asarray(np.isfinite(delta).all(axis=0))
    sign = np.where(np.abs(delta) <= UNDECIDED, 0.0, np.sign(np.nan_to_num(delta)))
    decided: BoolArray = known & np.not_equal(rows.outcome, 0.5)
    agree = 0.5 * (1.0 + sign)
    groups = np.arange(rows.n) if clusters is None else clusters

    def share(values: FloatArray, where: BoolArray) -> Share:
        mass = rows.mass[where]
        if mass.size == 0:
            return Share(float("nan"), float("nan"))
        mean = float((mass * values[where]).sum() / mass.sum())
        _, group = np.unique(groups[where], return_inverse=True)
        sums = np.bincount(group, weights=mass * (values[where] - mean))
        return Share(mean, float(np.sqrt((sums**2).sum()) / mass.sum()))

    return HeldOut(
        n_comparisons=rows.n,
        n_decided=int(decided.sum()),
        n_unpredicted=int((~known).sum()),
        n_folds=N_FOLDS,
        held_out=what,
        differs=share((sign[0] != sign[1]).astype(np.float64), known),
        agreement_standard=share(agree[0], decided),
        agreement_weighted=share(agree[1], decided),
    )
