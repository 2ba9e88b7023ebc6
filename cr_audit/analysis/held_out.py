"""What the two fits decide about comparisons that neither has seen."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from cr_audit.analysis.reward_facts import Decisions, HeldOut, Share, WinCounts
from cr_audit.analysis.reward_problem import Problem
from cr_audit.arrays import (
    BoolArray,
    Comparisons,
    FloatArray,
    IntArray,
    NotApplicable,
    cluster_labels,
)
from cr_audit.models.rewards.bootstrap import bootstrap_tabular
from cr_audit.models.rewards.linear import LinearFit
from cr_audit.models.rewards.linear_bootstrap import bootstrap_linear
from cr_audit.models.rewards.selection import subset
from cr_audit.models.rewards.tabular import Fit

N_FOLDS = 5
MAX_PAIRS = 20_000
N_NOISE = 100
"""Replicates behind the noise of decisions."""
UNDECIDED = 1e-6
"""A difference of log-odds below this predicts no winner: fits are not converged much further."""


def folds(n: int, clusters: IntArray | None, n_folds: int, rng: np.random.Generator) -> IntArray:
    """Fold of each comparison, int64 (n,); a cluster stays together, a negative label is alone."""
    unit = cluster_labels(clusters, n)
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


def decisions(
    problem: Problem,
    fits: tuple[Fit | LinearFit | FloatArray, ...],
    clusters: IntArray | None,
    rng: np.random.Generator,
) -> Decisions | NotApplicable:
    """How often two fits order compared items differently, beside what noise alone does.

    Pairs that were compared, MAX_PAIRS of them drawn where there are more.
    """
    if problem.model == "mlp" or len(fits) < 2:
        return NotApplicable("needs two tabular or linear fits")
    pairs = problem.comparisons.proportions()
    chosen = np.arange(pairs.first.size)
    if chosen.size > MAX_PAIRS:
        chosen = np.sort(rng.choice(chosen.size, MAX_PAIRS, replace=False))
    first, second = pairs.first[chosen], pairs.second[chosen]
    exact = [f.rewards for f in fits if isinstance(f, Fit | LinearFit)]
    signs = [_sign(r[first] - r[second]) for r in exact]
    drawn = _drawn_differences(problem, fits, clusters, first, second, rng)
    noise = []
    for sign, difference in zip(signs, drawn, strict=True):
        known = np.isfinite(difference)
        other = (_sign(difference) != sign) & known
        share = other.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        noise.append(Share(float(share.mean()), float(share.std(ddof=1))))
    return Decisions(
        n_pairs=int(chosen.size),
        differs=float(np.mean(signs[0] != signs[1])),
        noise_standard=noise[0],
        noise_weighted=noise[1],
        n_replicates=N_NOISE,
    )


def _drawn_differences(
    problem: Problem,
    fits: tuple[Fit | LinearFit | FloatArray, ...],
    clusters: IntArray | None,
    first: IntArray,
    second: IntArray,
    rng: np.random.Generator,
) -> list[FloatArray]:
    """Per fit the reward differences of the pairs in every replicate, float64 (N_NOISE, pairs)."""
    rows, threads = problem.comparisons, problem.n_threads
    if problem.model == "tabular":
        drawn = bootstrap_tabular(
            rows,
            [f for f in fits if isinstance(f, Fit)],
            n_replicates=N_NOISE,
            clusters=clusters,
            n_threads=threads,
            rng=rng,
        ).rewards
        return [r[:, first] - r[:, second] for r in drawn]
    assert problem.contexts is not None
    contexts = problem.contexts.astype(np.float64)
    theta = bootstrap_linear(
        rows,
        contexts,
        [f for f in fits if isinstance(f, LinearFit)],
        n_replicates=N_NOISE,
        clusters=clusters,
        n_threads=threads,
        rng=rng,
    ).theta
    apart = contexts[first] - contexts[second]
    # Not BLAS: its threads would change the last bits with the number of cores.
    return [np.einsum("bd,pd->bp", t, apart) for t in theta]


def _sign(difference: FloatArray) -> FloatArray:
    out: FloatArray = np.where(
        np.abs(difference) <= UNDECIDED, 0.0, np.sign(np.nan_to_num(difference))
    )
    return out


def win_counts(
    comparisons: Comparisons, rewards: FloatArray, components: IntArray
) -> WinCounts | NotApplicable:
    """Do the rewards rank as the raw counts of wins do?"""
    wins = np.bincount(
        comparisons.winner,
        weights=comparisons.mass * comparisons.outcome,
        minlength=comparisons.n_items,
    ) + np.bincount(
        comparisons.loser,
        weights=comparisons.mass * (1.0 - comparisons.outcome),
        minlength=comparisons.n_items,
    )
    seen = np.bincount(
        np.concatenate([comparisons.winner, comparisons.loser]),
        weights=np.tile(comparisons.mass, 2),
        minlength=comparisons.n_items,
    )
    found, by_rate = [], []
    sizes = np.bincount(components[components >= 0])
    for c in np.flatnonzero(sizes >= 3).tolist():
        members = np.flatnonzero(components == c)
        x, y = rankdata(np.round(rewards[members], 9)), rankdata(wins[members])
        z = rankdata(np.round(wins[members] / seen[members], 12))
        if x.std() > 0 and y.std() > 0 and z.std() > 0:
            found.append(float(np.corrcoef(x, y)[0, 1]))
            by_rate.append(float(np.corrcoef(x, z)[0, 1]))
    if not found:
        return NotApplicable("no component has three items")
    return WinCounts(len(found), float(np.median(found)), min(found), float(np.median(by_rate)))


def _shares(rows: Comparisons, delta: FloatArray, clusters: IntArray | None, what: str) -> HeldOut:
    known: BoolArray = np.asarray(np.isfinite(delta).all(axis=0))
    sign = _sign(delta)
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
        gain=share(agree[1] - agree[0], decided),
    )
