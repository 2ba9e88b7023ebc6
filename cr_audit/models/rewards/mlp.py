"""Rewards from a small network on the contexts: the ensemble of [CR] Appendix I.3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, IntArray, Proportions
from cr_audit.models.rewards.moments import FitStatus
from cr_audit.models.rewards.networks import Task, Training, train_networks
from cr_audit.models.rewards.objective import check_penalty, check_weights, objective, pair_terms


@dataclass(frozen=True, slots=True, eq=False)
class MlpFit:
    """The mean of an ensemble and the settings that made it.

    rewards : float64 (m,), the mean over runs, Σ w r = 0. by_run : float64 (runs, m), each centred.
    objective : f at ``rewards``.
    """

    rewards: FloatArray
    by_run: FloatArray
    objective: float
    kappa: float
    weights: FloatArray
    penalty: float
    hidden: int
    learning_rate: float
    batch_size: int
    n_steps: int
    count_weighted: bool

    @property
    def components(self) -> IntArray:
        """int64 (m,), all 0: rewards are on one scale, that of the contexts."""
        return np.zeros(self.rewards.shape[0], np.int64)

    @property
    def status(self) -> FitStatus:
        """The steps are fixed, so a training always ends as intended."""
        return FitStatus.CONVERGED

    @property
    def iterations(self) -> int:
        """Steps of each network's training."""
        return self.n_steps

    @property
    def gradient_norm(self) -> float:
        """NaN: the training is not meant to reach the minimum."""
        return float("nan")

    @property
    def n_runs(self) -> int:
        """Networks of the ensemble."""
        return int(self.by_run.shape[0])


def fit_mlp(
    proportions: Proportions,
    contexts: FloatArray,
    weights: FloatArray,
    *,
    penalty: float,
    n_runs: int = 20,
    hidden: int = 32,
    learning_rate: float = 1e-4,
    batch_size: int = 512,
    n_steps: int = 500,
    count_weighted: bool = False,
    workers: int | None = None,
    rng: np.random.Generator,
) -> MlpFit:
    """Train ``n_runs`` networks d → hidden → hidden → 1 (ReLU, Adam), see ``networks``.

    contexts : (m, d), used as float32. Each run has its own start and its own batches, from a seed
    of its own drawn from ``rng``. The result does not depend on ``workers``.

    Source: [CR] Appendix I.3 (two hidden layers of 32, Adam at 1e-4, batches of 512, 500 steps,
    mean of 20 runs), which are the defaults. Deviations, beside those of ``objective``:

    5. Batches are drawn in proportion to w(x) w(y) s(x, y), and the alternatives of the penalty (a
       quarter as many) in proportion to w, so that every batch estimates f without bias and
       weights change what is drawn, not how large a step is.
    6. 500 steps of 1e-4 do not reach the minimum of f: early stopping is part of this model, and
       ``objective`` says how far it got. The certificate does not hold for it.
    7. Each run is centred to Σ w r = 0 before the mean.
    """
    m = proportions.n_items
    w, lam = check_weights(weights, m), check_penalty(penalty)
    c = np.asarray(contexts, dtype=np.float32)
    if c.ndim != 2 or c.shape[0] != m or not np.all(np.isfinite(c)):
        raise ValueError(f"contexts have shape {c.shape}, expected finite ({m}, d)")
    if min(n_runs, hidden, batch_size) < 1 or n_steps < 0 or not learning_rate > 0:
        raise ValueError("n_runs, hidden, batch_size and learning_rate must be positive")
    terms = pair_terms(proportions, w, count_weighted=count_weighted)
    # Without a pair there is nothing to learn: the networks stay as they start.
    steps = n_steps if np.any(w[terms.first] * w[terms.second] > 0) else 0
    training = Training(hidden, learning_rate, batch_size, steps)
    tasks = [Task(terms, w, lam, seed) for seed in seeds_of(rng, n_runs)]
    by_run = centred(train_networks(c, tasks, training, workers=workers), w)
    rewards = by_run.mean(axis=0)
    return MlpFit(
        rewards=rewards,
        by_run=by_run,
        objective=objective(terms, w, rewards, lam),
        kappa=terms.kappa,
        weights=w,
        penalty=lam,
        hidden=hidden,
        learning_rate=learning_rate,
        batch_size=batch_size,
        n_steps=n_steps,
        count_weighted=count_weighted,
    )


def seeds_of(rng: np.random.Generator, n_runs: int) -> list[np.random.SeedSequence]:
    """The seeds of an ensemble's runs; run k has the same one however many there are."""
    return np.random.SeedSequence(int(rng.integers(2**63))).spawn(n_runs)


def centred(rewards: FloatArray, weights: FloatArray) -> FloatArray:
    """Each row less its mean Σ w r; float64 (runs, m)."""
    out: FloatArray = rewards - np.einsum("ri,i->r", rewards, weights)[:, None]
    return out
