"""What the two fits decide about comparisons that neither has seen."""

from __future__ import annotations

import numpy as np

from cr_audit import engine
from cr_audit.analysis.fitting import Fitting
from cr_audit.analysis.reward_facts import Decisions, HeldOut, Share, WinCounts
from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.models.ranks import mean_ranks
from cr_audit.models.rewards.model import Fitted
from cr_audit.models.rewards.selection import folds

N_FOLDS = 5
MAX_PAIRS = 20_000
N_NOISE = 100
"""Replicates behind the noise of decisions."""
UNDECIDED = 1e-6
"""A difference of log-odds below this predicts no winner: fits are not converged much further."""


def held_out_decisions(
    fitting: Fitting,
    weighted: FloatArray,
    clusters: IntArray | None,
    what: str,
    rng: np.random.Generator,
) -> HeldOut | NotApplicable:
    """Five-fold cross-validation of both fits; every comparison is held out once.

    clusters : int64 (n,), what stays together in a fold, called ``what``. Shares go by the
    comparisons' mass; standard errors are clustered: sqrt(Σ_c (Σ_{i in c} m_i (v_i - v̄))²) / Σ m.
    """
    model, problem = fitting.model, fitting.problem
    rows = problem.comparisons
    units = rows.n if clusters is None else np.unique(clusters[clusters >= 0]).size
    if min(rows.n, units) < 2 * N_FOLDS:
        return NotApplicable(f"fewer than {2 * N_FOLDS} {what} to hold out")
    fold = folds(rows.n, clusters, N_FOLDS, rng)
    delta = np.full((2, rows.n), np.nan)
    warm: list[FloatArray | None] = [None, None]
    one_more = engine.counted("held out", 2 * N_FOLDS)
    for f in range(N_FOLDS):
        test = np.flatnonzero(fold == f)
        training = rows.take(np.flatnonzero(fold != f))
        for k, weights in enumerate((problem.uniform, weighted)):
            rewards, warm[k] = model.refit(problem, training, weights, problem.penalty, warm[k])
            delta[k, test] = rewards[rows.winner[test]] - rewards[rows.loser[test]]
            one_more()
    return _shares(rows, delta, clusters, what)


def decisions(
    fitting: Fitting,
    fits: tuple[Fitted, ...],
    clusters: IntArray | None,
    rng: np.random.Generator,
) -> Decisions | NotApplicable:
    """How often two fits order compared items differently, beside what noise alone does.

    Pairs that were compared, MAX_PAIRS of them drawn where there are more.
    """
    if len(fits) < 2:
        return NotApplicable("needs two tabular or linear fits")
    pairs = fitting.problem.comparisons.proportions()
    chosen = np.arange(pairs.first.size)
    if chosen.size > MAX_PAIRS:
        chosen = np.sort(rng.choice(chosen.size, MAX_PAIRS, replace=False))
    first, second = pairs.first[chosen], pairs.second[chosen]
    drawn = fitting.model.drawn_differences(
        fitting.problem, fits, first, second, clusters=clusters, n_replicates=N_NOISE, rng=rng
    )
    if isinstance(drawn, NotApplicable):
        return drawn
    signs = [_sign(f.rewards[first] - f.rewards[second]) for f in fits]
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
        x, y = mean_ranks(np.round(rewards[members], 9)), mean_ranks(wins[members])
        z = mean_ranks(np.round(wins[members] / seen[members], 12))
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
