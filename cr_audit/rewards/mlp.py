"""Rewards from a small network on the contexts: the ensemble of [CR] Appendix I.3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, Proportions
from cr_audit.rewards.objective import check_penalty, check_weights, objective, pair_terms


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
    def n_runs(self) -> int:
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
    rng: np.random.Generator,
) -> MlpFit:
    """Train ``n_runs`` networks d → hidden → hidden → 1 (ReLU, Adam) in one batched pass.

    contexts : (m, d), used as float32. Each run has its own start and its own batches, all drawn
    from ``rng``; torch runs on one thread, so that the same seed gives the same bytes.
    Memory: n_runs * batch_size * d floats of 4 bytes per step.

    Source: [CR] Appendix I.3 (two hidden layers of 32, Adam at 1e-4, batches of 512, 500 steps,
    mean of 20 runs), which are the defaults. Deviations, beside those of ``objective``:

    5. Batches are drawn in proportion to w(x) w(y) s(x, y), and the alternatives of the penalty (a
       quarter as many) in proportion to w, so that every batch estimates f without bias and
       weights change what is drawn, not how large a step is.
    6. 500 steps of 1e-4 do not reach the minimum of f: early stopping is part of this model, and
       ``objective`` says how far it got. The certificate does not hold for it.
    7. Each run is centred to Σ w r = 0 before the mean.
    """
    import torch

    m = proportions.n_items
    w, lam = check_weights(weights, m), check_penalty(penalty)
    c = np.asarray(contexts, dtype=np.float32)
    if c.ndim != 2 or c.shape[0] != m or not np.all(np.isfinite(c)):
        raise ValueError(f"contexts have shape {c.shape}, expected finite ({m}, d)")
    if min(n_runs, hidden, batch_size) < 1 or n_steps < 0 or not learning_rate > 0:
        raise ValueError("n_runs, hidden, batch_size and learning_rate must be positive")
    terms = pair_terms(proportions, w, count_weighted=count_weighted)
    both = w[terms.first] * w[terms.second] * terms.strength
    mass = float(both.sum())
    pair_cdf, item_cdf = np.cumsum(both) / max(mass, 1e-300), np.cumsum(w)
    sizes = ((c.shape[1], hidden), (hidden, hidden), (hidden, 1))
    # The penalty varies far less over alternatives than the loss does over pairs.
    n_sizes = max(1, batch_size // 4)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        layers = []
        for fan_in, fan_out in sizes:  # torch.nn.Linear's own start: uniform ± 1/√fan_in
            bound = 1.0 / np.sqrt(fan_in)
            for shape in ((n_runs, fan_in, fan_out), (n_runs, 1, fan_out)):
                start = rng.uniform(-bound, bound, shape).astype(np.float32)
                layers.append(torch.tensor(start, requires_grad=True))
        table = torch.from_numpy(c)

        # Few alternatives stand many times in a batch: then the first layer, which costs most,
        # is applied to each alternative once.
        few = m <= 2 * batch_size + n_sizes

        def first_layer(rows: torch.Tensor) -> torch.Tensor:
            """Of alternatives (n_runs, k), as (n_runs, k, hidden)."""
            if not few:
                return torch.baddbmm(layers[1], table[rows], layers[0])
            every = torch.baddbmm(layers[1], table.expand(n_runs, -1, -1), layers[0])
            return torch.take_along_dim(every, rows.unsqueeze(-1), 1)

        def network(rows: torch.Tensor) -> torch.Tensor:
            h = torch.relu(first_layer(rows))
            h = torch.relu(torch.baddbmm(layers[3], h, layers[2]))
            return torch.baddbmm(layers[5], h, layers[4]).squeeze(-1)

        adam = torch.optim.Adam(layers, lr=learning_rate)
        for _ in range(n_steps if mass > 0 else 0):
            pairs = np.searchsorted(pair_cdf, rng.random((n_runs, batch_size)), side="right")
            pairs = np.minimum(pairs, both.shape[0] - 1)
            items = np.searchsorted(item_cdf, rng.random((n_runs, n_sizes)), side="right")
            items = np.minimum(items, m - 1)
            drawn = np.concatenate([terms.first[pairs], terms.second[pairs], items], axis=1)
            r = network(torch.from_numpy(drawn))
            delta = r[:, :batch_size] - r[:, batch_size : 2 * batch_size]
            p = torch.from_numpy(terms.p[pairs].astype(np.float32))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                delta, p, reduction="none"
            ).mean(dim=1)
            size = (r[:, 2 * batch_size :] ** 2).mean(dim=1)
            adam.zero_grad()
            # A sum over runs: each run's gradient is its own.
            torch.autograd.backward((mass * loss + 0.5 * lam * size).sum())
            adam.step()
        with torch.no_grad():
            out = [
                network(torch.arange(a, min(a + 4096, m)).expand(n_runs, -1)).numpy()
                for a in range(0, m, 4096)
            ]
    finally:
        torch.set_num_threads(threads)
    by_run = np.concatenate(out, axis=1).astype(np.float64)
    by_run -= np.einsum("ri,i->r", by_run, w)[:, None]
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
