"""What an ensemble of networks needs beside its fits: replicates, and fits with other weights.

A network's noise is that of its start, of its batches and of the data. What is asked here is how
the *mean* of the ensemble moves, so networks are compared with those of the fit that had the same
start: r̄ + mean_k (r*_k - r_k) over few runs k moves as the mean of all of them does, and most of
the noise of the starts cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray, IntArray
from cr_audit.labels import cluster_labels
from cr_audit.models.rewards.bootstrap import rows_of_pairs
from cr_audit.models.rewards.mlp import MlpFit, centred, seeds_of
from cr_audit.models.rewards.model import FitRewards, Means, Problem, Tick
from cr_audit.models.rewards.networks import Task, Training, train_networks
from cr_audit.models.rewards.objective import pair_terms

ONE_IN = 10
"""An mlp is trained anew in one in ten of the replicates asked for: docs/refit.md, "Networks"."""
MIN_REPLICATES = 20
NETWORKS_PER_REPLICATE = 1
REPLICATES_AT_ONCE = 20
"""Trained in one call; fixed, so that the result does not hang on the number of workers."""
N_CAUSE_RUNS = 5
"""Networks that are trained anew for each clone group that is undone."""
SURE = 2.0
"""Standard errors of the training below which a shift counts as none."""


def mlp_replicates(
    problem: Problem,
    fits: Sequence[MlpFit],
    means: Means,
    *,
    training: Training,
    n_subjects: int,
    clusters: IntArray | None,
    n_replicates: int,
    networks: int = NETWORKS_PER_REPLICATE,
    rng: np.random.Generator,
    tick: Tick,
) -> FloatArray:
    """Replicates of the subjects' rewards, float64 (fits, n_replicates, n_subjects).

    A replicate holds, each drawn anew and the same for all fits: the comparisons (or ``clusters``
    of them), the runs that the mean is over, and the weights' Monte-Carlo error. Its reward is the
    mean of the drawn runs plus the mean change of ``networks`` of them when trained on the drawn
    comparisons. As in ``bootstrap_tabular`` a drawn pair has strength M*/M and κ stays that of the
    data.
    """
    rows, runs = problem.comparisons, fits[0].n_runs
    pairs = _Resampled(rows, clusters)
    seeds = seeds_of(np.random.default_rng(problem.seed), runs)
    out = np.empty((len(fits), n_replicates, n_subjects))
    for a in range(0, n_replicates, REPLICATES_AT_ONCE):
        tick(a, n_replicates)
        tasks: list[Task] = []
        made: list[tuple[int, int, IntArray]] = []
        for b in range(a, min(a + REPLICATES_AT_ONCE, n_replicates)):
            drawn: IntArray = rng.integers(runs, size=(runs,))
            share, p = pairs.draw(rng)
            for f, fit in enumerate(fits):
                w = fit.weights if f == 0 or problem.draw is None else problem.draw(rng)
                terms = pair_terms(pairs.all, w, count_weighted=problem.count_weighted)
                terms = replace(terms, p=p, strength=terms.strength * share)
                tasks += [Task(terms, w, problem.penalty, seeds[k]) for k in drawn[:networks]]
                made.append((f, b, drawn))
        trained = _train(problem, training, tasks).reshape(len(made), networks, -1)
        for (f, b, drawn), after in zip(made, trained, strict=True):
            by_run = fits[f].by_run
            moved = after - by_run[drawn[:networks]]
            out[f, b] = means.of(by_run[drawn].mean(axis=0) + moved.mean(axis=0))
    return out


def with_other_weights(
    problem: Problem, by_run: FloatArray, means: Means, *, training: Training
) -> tuple[FitRewards, FitRewards]:
    """(weights -> rewards of some runs trained with them, those -> rewards of the subjects).

    The rewards of the subjects are those of the ensemble, moved where N_CAUSE_RUNS runs agree on
    it: where their mean change is SURE standard errors or more.
    """
    seeds = seeds_of(np.random.default_rng(problem.seed), by_run.shape[0])[:N_CAUSE_RUNS]
    pairs = problem.comparisons.proportions()
    mean = means.of(by_run.mean(axis=0))

    def fit(weights: FloatArray) -> FloatArray:
        terms = pair_terms(pairs, weights, count_weighted=problem.count_weighted)
        return _train(problem, training, [Task(terms, weights, problem.penalty, s) for s in seeds])

    def subjects(trained: FloatArray) -> FloatArray:
        moved = means.of(trained - by_run[: len(seeds)])
        shift = moved.mean(axis=0)
        error = moved.std(axis=0, ddof=1) / np.sqrt(len(seeds))
        out: FloatArray = mean + np.where(np.abs(shift) >= SURE * error, shift, 0.0)
        return out

    return fit, subjects


def _train(problem: Problem, training: Training, tasks: list[Task]) -> FloatArray:
    assert problem.contexts is not None
    contexts = np.asarray(problem.contexts, dtype=np.float32)
    trained = train_networks(contexts, tasks, training, workers=problem.workers)
    return np.concatenate(
        [centred(r[None], t.weights) for r, t in zip(trained, tasks, strict=True)]
    )


class _Resampled:
    """Comparisons drawn again, as pairs: each keeps its place, with more or less of its mass."""

    def __init__(self, rows: Comparisons, clusters: IntArray | None) -> None:
        self.all = rows.proportions()
        _, _, self.pair, won = rows_of_pairs(rows)
        self.mass, self.won = rows.mass, rows.mass * won
        self.unit = cluster_labels(clusters, rows.n)
        self.n_units = int(self.unit.max()) + 1

    def draw(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Drawn over own mass, and the share that the first item won; float64 (n_pairs,) each."""
        drawn = rng.integers(self.n_units, size=self.n_units)
        counts = np.bincount(drawn, minlength=self.n_units)[self.unit]
        n = self.all.first.shape[0]
        mass = np.bincount(self.pair, self.mass * counts, n)
        won = np.bincount(self.pair, self.won * counts, n)
        p = np.divide(won, mass, out=np.full(n, 0.5), where=mass > 0)
        return mass / self.all.mass, p
