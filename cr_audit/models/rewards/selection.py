"""The penalty that predicts held-out comparisons best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray, IntArray
from cr_audit.errors import ComputeError
from cr_audit.labels import cluster_labels

# The grid of ``--penalty auto``: two per decade over every scale at which λ acts (r <= 1/(2λ)).
PENALTIES: tuple[float, ...] = tuple(float(x) for x in 10.0 ** np.arange(-4.0, 0.5, 0.5))

# fit(rows, penalty, warm) -> rewards float64 (m,) (NaN = no data), and the next warm start.
FitAtPenalty = Callable[[Comparisons, float, FloatArray | None], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class PenaltyCurve:
    """Cross-validated log-likelihood against the penalty.

    penalties : float64 (g,), falling. log_likelihood : float64 (g,), mean per held-out comparison,
    ln ½ = -0.693 for a fit that knows nothing. standard_error : float64 (g,), over folds.
    best : the penalty of the highest curve. simplest : the largest penalty within one standard
    error of it.
    """

    penalties: FloatArray
    log_likelihood: FloatArray
    standard_error: FloatArray
    best: float
    simplest: float
    n_folds: int
    clustered: bool

    @property
    def at_edge(self) -> bool:
        """True where the best penalty is the first or last tried: the grid should be wider."""
        return bool(self.best in (self.penalties[0], self.penalties[-1]))


def held_out_log_likelihood(comparisons: Comparisons, rewards: FloatArray) -> float:
    """Mean of v log σ(Δ) + (1 - v) log σ(-Δ) over the comparisons, by mass; a tie has v = ½.

    Δ = r(winner) - r(loser); an alternative without a reward is read as 0, the centre.
    """
    r = np.nan_to_num(rewards, nan=0.0)
    delta = r[comparisons.winner] - r[comparisons.loser]
    value = comparisons.outcome * np.logaddexp(0.0, -delta)
    value += (1.0 - comparisons.outcome) * np.logaddexp(0.0, delta)
    return -float((comparisons.mass * value).sum() / comparisons.mass.sum())


def folds(n: int, clusters: IntArray | None, n_folds: int, rng: np.random.Generator) -> IntArray:
    """Fold of each comparison, int64 (n,); a cluster stays together, a negative label is alone."""
    unit = cluster_labels(clusters, n)
    n_units = int(unit.max(initial=-1)) + 1
    return np.asarray((rng.permutation(n_units) % n_folds)[unit], dtype=np.int64)


def cross_validate_penalty(
    comparisons: Comparisons,
    fit: FitAtPenalty,
    *,
    penalties: tuple[float, ...] = PENALTIES,
    n_folds: int = 5,
    clusters: IntArray | None = None,
    rng: np.random.Generator,
) -> PenaltyCurve:
    """Mean held-out log-likelihood of ``fit`` at each penalty, over folds of the comparisons.

    clusters : int64 (n,), annotators or prompts; whole clusters go to one fold, a negative label
    is a cluster by itself. Within a fold, penalties fall and each fit starts from the one before.
    ComputeError ``selection-too-few`` where there are fewer units than folds.
    """
    if n_folds < 2 or not penalties or min(penalties) <= 0:
        raise ValueError("n_folds must be at least 2 and the penalties positive")
    n = comparisons.n
    n_units = int(cluster_labels(clusters, n).max(initial=-1)) + 1
    if n_units < n_folds:
        raise ComputeError(
            "selection-too-few",
            f"{n_folds} folds need at least as many comparisons or clusters, there are {n_units}",
            next_step="set --penalty to a number",
        )
    fold = folds(n, clusters, n_folds, rng)
    grid = np.sort(np.asarray(penalties, dtype=np.float64))[::-1]
    scores, mass = np.empty((n_folds, grid.shape[0])), np.empty(n_folds)
    for f in range(n_folds):
        training = comparisons.take(np.flatnonzero(fold != f))
        held_out = comparisons.take(np.flatnonzero(fold == f))
        mass[f] = held_out.mass.sum()
        warm: FloatArray | None = None
        for g, penalty in enumerate(grid):
            rewards, warm = fit(training, float(penalty), warm)
            scores[f, g] = held_out_log_likelihood(held_out, rewards)
    share = mass / mass.sum()
    mean = share @ scores
    error = np.sqrt(((scores - mean) ** 2 * share[:, None]).sum(axis=0) / (n_folds - 1))
    best = int(np.argmax(mean))
    simplest = int(np.flatnonzero(mean >= mean[best] - error[best])[0])
    return PenaltyCurve(
        penalties=grid,
        log_likelihood=mean,
        standard_error=error,
        best=float(grid[best]),
        simplest=float(grid[simplest]),
        n_folds=n_folds,
        clustered=clusters is not None,
    )
