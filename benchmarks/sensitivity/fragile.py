"""Are the pairs called fragile those whose predictions move under resampling?

    python benchmarks/sensitivity/fragile.py [--designs 8]

Simulated votes with known rewards. For every pair that was never compared: the standard error of
the fit's prediction by influence (the sum over all preferences of M² times their variance), the
closed form along the best chain, and the spread of the prediction over a bootstrap of the votes.
Spearman's rank correlation of both with the spread, per design.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import spearmanr

from cr_audit.arrays import Comparisons
from cr_audit.models.rewards.bootstrap import bootstrap_tabular
from cr_audit.models.rewards.objective import pair_terms
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.sensitivity.chains import fragile_chains
from cr_audit.models.sensitivity.influence import FittedInfluence, share_variance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--designs", type=int, default=8)
    given = parser.parse_args()
    print("| items, pairs, votes a pair, spread of rewards, penalty | influence | chain |")
    print("|---|---|---|")
    for seed in range(given.designs):
        rng = np.random.default_rng(seed)
        m = int(rng.choice([15, 30, 60]))
        scale = float(rng.choice([0.7, 1.5, 2.5]))
        votes = int(rng.choice([5, 15, 40]))
        penalty = float(rng.choice([0.03, 0.003]))
        truth = rng.normal(scale=scale, size=m)
        first, second = np.triu_indices(m, 1)
        near = rng.random(first.size) < 4.0 / m
        near |= second == first + 1
        a, b = np.repeat(first[near], votes), np.repeat(second[near], votes)
        won = rng.random(a.size) < 1 / (1 + np.exp(truth[b] - truth[a]))
        rows = Comparisons.of(m, np.where(won, a, b), np.where(won, b, a))
        pairs, w = rows.proportions(), np.full(m, 1 / m)
        fit = fit_tabular(pairs, w, penalty=penalty)
        fitted = FittedInfluence(pair_terms(pairs, w), w, penalty, fit.rewards)
        i, j = first[~near], second[~near]
        error = fitted.errors(i, j, share_variance(pairs.p * pairs.mass, pairs.mass))
        resampled = bootstrap_tabular(rows, [fit], n_replicates=300, rng=rng).rewards[0]
        p = 1 / (1 + np.exp(resampled[:, j] - resampled[:, i]))
        spread = p.std(axis=0)
        chains = fragile_chains(pairs, threshold=1.001, thin=0.0, limit=100_000)
        where = {
            (min(x, y), max(x, y)): e
            for x, y, e in zip(chains.start, chains.end, chains.error, strict=True)
        }
        closed = np.array([where.get((x, y), np.nan) for x, y in zip(i, j, strict=True)])
        some = np.isfinite(closed)
        chain = spearmanr(closed[some], spread[some]).statistic if some.sum() > 5 else np.nan
        print(
            f"| {m}, {int(near.sum())}, {votes}, {scale}, {penalty} |"
            f" {spearmanr(error, spread).statistic:.3f} ({i.size}) | {chain:.3f} ({some.sum()}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
