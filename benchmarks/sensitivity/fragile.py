"""Are the pairs called fragile those whose predictions move under resampling?

    python benchmarks/sensitivity/fragile.py [--first 0] [--designs 8]

Simulated votes with known rewards. For every pair that was never compared: the standard error of
the fit's prediction, which is M of the fit times the error of each preference, in quadrature (the
number that the command ranks by); M times the error of the strong preference along the best chain;
and the spread of the prediction over a bootstrap of the votes. Spearman's rank correlation of both
with the spread, over all uncompared pairs and over those that are called fragile (M > 2), and how
the fifty that a report lists compare with the median uncompared pair.

Designs 0 to 7 were looked at when the number was chosen; those from 8 on were not, and are also
uneven in votes (lognormal, log-sd 1) and have ties.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import spearmanr

from cr_audit.arrays import Comparisons, Proportions
from cr_audit.models.rewards.bootstrap import bootstrap_tabular
from cr_audit.models.rewards.objective import pair_terms
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.sensitivity.chains import fragile_chains
from cr_audit.models.sensitivity.influence import FittedInfluence, share_variance
from cr_audit.models.sensitivity.pairwise import from_counts

LOOKED_AT, LISTED, THRESHOLD = 8, 50, 2.0


def drawn(seed: int) -> tuple[str, Comparisons, float]:
    """A design in words, its votes, and the penalty of the fit."""
    rng = np.random.default_rng(seed)
    fresh = seed >= LOOKED_AT
    m = int(rng.choice([12, 25, 50, 80] if fresh else [15, 30, 60]))
    scale = float(rng.choice([0.5, 1.0, 2.0, 3.0] if fresh else [0.7, 1.5, 2.5]))
    votes = int(rng.choice([3, 10, 30, 100] if fresh else [5, 15, 40]))
    penalty = float(rng.choice([0.03, 0.003, 0.0003] if fresh else [0.03, 0.003]))
    ties = float(rng.choice([0.0, 0.3])) if fresh else 0.0
    truth = rng.normal(scale=scale, size=m)
    first, second = np.triu_indices(m, 1)
    near = rng.random(first.size) < 4.0 / m
    near |= second == first + 1
    each = np.full(int(near.sum()), votes)
    if fresh:
        each = 1 + rng.poisson(votes * np.exp(rng.normal(size=each.size) - 0.5))
    a, b = np.repeat(first[near], each), np.repeat(second[near], each)
    won = rng.random(a.size) < 1 / (1 + np.exp(truth[b] - truth[a]))
    outcome = np.where(rng.random(a.size) < ties, 0.5, 1.0)
    rows = Comparisons.of(m, np.where(won, a, b), np.where(won, b, a), outcome)
    name = f"{seed}: {m}, {int(near.sum())}, {votes}, {scale}, {ties}, {penalty}"
    return name, rows, penalty


def measured(seed: int) -> str:
    name, rows, penalty = drawn(seed)
    pairs, m = rows.proportions(), rows.n_items
    w = np.full(m, 1 / m)
    share = from_counts(pairs.p * pairs.mass, pairs.mass)
    likely = Proportions(m, pairs.first, pairs.second, share, pairs.mass)
    near = fit_tabular(likely, w, penalty=penalty)
    fitted = FittedInfluence(pair_terms(likely, w), w, penalty, near.rewards)
    compared = np.eye(m, dtype=np.bool_)
    compared[pairs.first, pairs.second] = True
    i, j = np.nonzero(np.triu(~compared, 1))
    error = fitted.errors(i, j, share_variance(pairs.p * pairs.mass, pairs.mass))
    fit = fit_tabular(pairs, w, penalty=penalty)
    resampled = bootstrap_tabular(
        rows, [fit], n_replicates=300, rng=np.random.default_rng([seed, 1])
    ).rewards[0]
    p = 1 / (1 + np.exp(resampled[:, j] - resampled[:, i]))
    # A pair that resampling parts from the rest has no prediction in that replicate.
    spread = np.nanstd(p, axis=0)
    harm, called = np.full((m, m), np.nan), np.zeros((m, m), np.bool_)
    for threshold in (1.001, THRESHOLD):
        c = fragile_chains(pairs, threshold=threshold, thin=0.0, limit=100_000)
        low, high = np.minimum(c.start, c.end), np.maximum(c.start, c.end)
        if threshold == THRESHOLD:
            called[low, high] = True
        else:
            harm[low, high] = c.harm
    chain, fragile = harm[i, j], called[i, j]
    some = np.isfinite(chain)

    def rank(x: np.ndarray, which: np.ndarray) -> str:
        if which.sum() < 10:
            return f"– ({which.sum()})"
        return f"{spearmanr(x[which], spread[which]).statistic:.3f} ({which.sum()})"

    listed = np.flatnonzero(fragile)
    listed = listed[np.argsort(-error[listed], kind="stable")[:LISTED]]
    more = spread[listed].mean() / np.median(spread) if listed.size else float("nan")
    every = np.ones(i.size, np.bool_)
    return (
        f"| {name} | {rank(error, every)} | {rank(error, fragile)} | {rank(chain, some)} |"
        f" {more:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--designs", type=int, default=8)
    given = parser.parse_args()
    print(
        "| design: items, pairs, votes a pair, spread of rewards, ties, penalty | M·s.e. in the"
        " fit, all pairs | the same, pairs with M > 2 | M·s.e. of the best chain | spread of the"
        " listed over the median |"
    )
    print("|---|---|---|---|---|")
    for seed in range(given.first, given.first + given.designs):
        print(measured(seed), flush=True)


if __name__ == "__main__":
    main()
