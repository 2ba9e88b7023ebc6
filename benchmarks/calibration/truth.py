"""Do ``refit``'s intervals hold the *true* rewards and reward differences, and how often is its
leader truly the best? The penalty is chosen from the data, as ``refit`` chooses it.

    python -m benchmarks.calibration.truth [--sets 100] [--only 0 3] [--seed 7]

A ring and random chords (``degree`` opponents an item), true rewards N(0, spread²), the battles of
a pair lognormal in number where ``uneven``. "rewards": 90 % percentile intervals of the centred
rewards, which the report prints, against the true rewards, centred; "differences": the same of all
r_i - r_j; "chance": of the leader, as the report prints it; "share of resamples": in how many
replicates it leads. Standard errors are over data sets.
"""

from __future__ import annotations

import numpy as np

from benchmarks.calibration.reliability import arguments, measured, print_reliability
from benchmarks.leaderboard.run import sparse
from cr_audit.arrays import Comparisons, FloatArray, NotApplicable
from cr_audit.models.penalty import choose_penalty
from cr_audit.models.places import leading
from cr_audit.models.rewards.bootstrap import bootstrap_tabular, percentile_interval
from cr_audit.models.rewards.kinds.tabular import TABULAR
from cr_audit.models.rewards.shrinkage import around_truth
from cr_audit.models.rewards.tabular import fit_tabular

# items, opponents each, battles each, spread of the true rewards, uneven
DESIGNS = (
    (30, 3, 30, 1.0, False),
    (30, 3, 30, 2.5, True),
    (12, 11, 60, 1.5, False),
    (60, 6, 90, 1.0, True),
    (40, 30, 200, 2.0, False),
    (25, 5, 400, 2.5, True),
    (20, 12, 3_000, 2.0, True),
    (16, 8, 20_000, 3.0, True),
    # Looked at only when the method was settled.
    (50, 4, 40, 1.5, True),
    (15, 14, 100, 0.7, False),
    (35, 10, 800, 1.2, True),
)
LEVEL, REPLICATES = 0.9, 1_000


def chosen(rows: Comparisons, rng: np.random.Generator) -> float:
    uniform = np.full(rows.n_items, 1.0 / rows.n_items)

    def fit(
        some: Comparisons, penalty: float, warm: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        found = fit_tabular(some.proportions(), uniform, penalty=penalty, warm_start=warm)
        return found.rewards, found.rewards

    return choose_penalty(rows, fit, penalties=TABULAR.penalties, n_folds=5, rng=rng).best


def one(design: tuple[int, int, int, float, bool], rng: np.random.Generator) -> tuple[float, ...]:
    """(covered rewards, covered differences, chance and share of resamples of the leader, is it the
    best, penalty)."""
    m, degree, each, width, uneven = design
    rows, theta = sparse(m, degree, each, width, uneven, rng)
    penalty = chosen(rows, rng)
    fit = fit_tabular(rows.proportions(), np.full(m, 1.0 / m), penalty=penalty)
    drawn = bootstrap_tabular(rows, [fit], n_replicates=REPLICATES, rng=rng).rewards[0]
    wide = around_truth(rows, [fit], drawn[None], penalty=penalty, count_weighted=False, rng=rng)
    assert not isinstance(wide, NotApplicable)
    share = float(np.mean(drawn.argmax(axis=1) == np.argmax(fit.rewards)))
    drawn = wide.truth[0][np.isfinite(wide.truth[0]).all(axis=1)]
    drawn = drawn - drawn.mean(axis=1, keepdims=True)
    chance, other = (
        leading(fit.rewards, np.cov(drawn.T), fit.components, spread=spread, n_draws=4_000, rng=rng)
        for spread in (np.inf, None)
    )
    truth = theta - theta.mean()
    low, high = percentile_interval(drawn, LEVEL).T
    i, j = np.triu_indices(m, 1)
    gap = percentile_interval(drawn[:, i] - drawn[:, j], LEVEL).T
    best = int(np.argmax(fit.rewards))
    held = (gap[0] <= truth[i] - truth[j]) & (truth[i] - truth[j] <= gap[1])
    return (
        float(np.mean((low <= truth) & (truth <= high))),
        float(held.mean()),
        float(chance.probability[best]),
        share,
        float(best == int(np.argmax(theta))),
        penalty,
        float(other.probability[best]),
    )


def main() -> None:
    summary = (__doc__ or "").splitlines()[0]
    given = arguments(summary, n_designs=len(DESIGNS), sets=100, seed=7)
    print(
        "| items | opponents | battles each | spread | data sets | rewards | differences | ± |"
        " median penalty | chance | share of resamples | is the best | s |\n|" + "---|" * 13
    )
    every = []
    for design, got, seconds in measured(DESIGNS, one, given):
        every.append(got)
        mean, error = got.mean(axis=0), got.std(axis=0, ddof=1) / np.sqrt(given.sets)
        m, degree, each, spread, _ = design
        print(
            f"| {m} | {degree} | {each:,} | {spread} | {given.sets} | {mean[0]:.3f} |"
            f" {mean[1]:.3f} | {max(error[:2]):.3f} | {np.median(got[:, 5]):.2g} | {mean[2]:.2f} |"
            f" {mean[3]:.2f} ({mean[6]:.2f}) | {mean[4]:.2f} | {seconds:.0f} |",
            flush=True,
        )
    table = np.concatenate(every)
    for name, at in (("chance", 2), ("share of resamples", 3), ("chance, shrunk again", 6)):
        print_reliability(name, table[:, at], table[:, 4])


if __name__ == "__main__":
    main()
