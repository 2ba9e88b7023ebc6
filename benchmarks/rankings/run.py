"""Time and peak memory of win rates, the bootstrap and graph health on generated comparisons.

    python benchmarks/rankings/run.py            # the table of benchmarks/README.md
    python benchmarks/rankings/run.py coverage   # calibration of the bootstrap, a few minutes

Each case runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from cr_audit.arrays import Comparisons
from cr_audit.models.graph import graph_health
from cr_audit.models.rankings import bootstrap_win_rates, win_rates


def generated(m: int, n: int, seed: int = 0) -> tuple[Comparisons, np.ndarray]:
    rng = np.random.default_rng(seed)
    reward = rng.normal(size=m)
    i = rng.integers(m, size=n)
    j = (i + 1 + rng.integers(m - 1, size=n)) % m
    y = rng.random(n) < 1 / (1 + np.exp(reward[j] - reward[i]))
    outcome = np.where(rng.random(n) < 0.1, 0.5, 1.0)
    return Comparisons.of(m, np.where(y, i, j), np.where(y, j, i), outcome), rng.dirichlet(
        np.ones(m)
    )


def case_win_rates(m: int, n: int) -> None:
    c, w = inputs(m, n)
    win_rates(c, w)


def case_graph_health(m: int, n: int) -> None:
    c, _ = inputs(m, n)
    graph_health(c, rng=np.random.default_rng(0))


def case_bootstrap_200(m: int, n: int) -> None:
    c, w = inputs(m, n)
    draws = np.random.default_rng(1).multinomial(100_000, w, size=200) / 100_000
    bootstrap_win_rates(c, w, weight_draws=draws, n_replicates=200, rng=np.random.default_rng(0))


def case_bootstrap_1000(m: int, n: int) -> None:
    c, w = inputs(m, n)
    bootstrap_win_rates(c, w, n_replicates=1000, rng=np.random.default_rng(0))


_INPUTS: dict[tuple[int, int], tuple[Comparisons, np.ndarray]] = {}


def inputs(m: int, n: int) -> tuple[Comparisons, np.ndarray]:
    """Made before the clock starts."""
    if (m, n) not in _INPUTS:
        _INPUTS[m, n] = generated(m, n)
    return _INPUTS[m, n]


def measure(case: Callable[[int, int], None], m: int, n: int) -> tuple[float, float, float]:
    inputs(m, n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    case(m, n)
    seconds = time.perf_counter() - start
    return seconds, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


CASES = [
    (case_win_rates, 15, 100_000),
    (case_win_rates, 3_797, 100_000),
    (case_win_rates, 200_000, 1_000_000),
    (case_graph_health, 15, 100_000),
    (case_graph_health, 3_797, 100_000),
    (case_graph_health, 200_000, 1_000_000),
    (case_bootstrap_200, 3_797, 100_000),
    (case_bootstrap_1000, 15, 100_000),
    (case_bootstrap_1000, 2_000, 100_000),
]


def coverage() -> None:
    """Nominal 90 % intervals of the shift against the true shift on the same design, and how many
    of the flagged items do not, in truth, change rank in that direction (spread 0: none does)."""
    print("| items | comparisons | spread | coverage | flags | wrong | mean share wrong per run |")
    print("|---|---|---|---|---|---|---|")
    for m, n, spread in [
        (12, 3000, 1.0),
        (12, 3000, 3.0),
        (12, 250, 1.0),
        (60, 500, 1.0),
        (200, 2000, 1.0),
        (200, 2000, 3.0),
        (12, 3000, 0.0),
        (12, 250, 0.0),
        (200, 2000, 0.0),
    ]:
        covered, flags, wrong = [], [], []
        for seed in range(100):
            rng = np.random.default_rng(seed)
            reward, w = spread * rng.normal(size=m), rng.dirichlet(np.full(m, 0.7)) + 1e-9
            i = rng.integers(m, size=n)
            j = (i + 1 + rng.integers(m - 1, size=n)) % m
            p = 1 / (1 + np.exp(reward[j] - reward[i]))
            y = rng.random(n) < p
            votes = Comparisons.of(m, np.where(y, i, j), np.where(y, j, i))
            population = Comparisons.of(m, np.r_[i, j], np.r_[j, i], mass=np.r_[p, 1 - p] + 1e-12)
            rates = win_rates(population, w)
            truth = rates.weighted - rates.average
            got = bootstrap_win_rates(votes, w, n_replicates=500, rng=rng)
            known = ~np.isnan(truth)
            inside = (got.shift_low <= truth) & (truth <= got.shift_high)
            covered.append(float(np.mean(inside[known])))
            flags.append(int(got.flagged.sum()))
            moved = np.sign(rates.rank_weighted - rates.rank_average)
            seen = np.sign(got.rates.rank_weighted - got.rates.rank_average)
            wrong.append(int(np.sum(got.flagged & (moved != seen))))
        false_share = float(np.mean(np.array(wrong) / np.maximum(flags, 1)))
        print(
            f"| {m} | {n:,} | {spread} | {np.mean(covered):.3f}"
            f" | {sum(flags)} | {sum(wrong)} | {false_share:.3f} |",
            flush=True,
        )


def main() -> None:
    print(
        "| case | items | comparisons | seconds | peak MB (of it before) |\n|---|---|---|---|---|"
    )
    context = multiprocessing.get_context("spawn")
    for case, m, n in CASES:
        with context.Pool(1) as pool:
            seconds, before, peak = pool.apply(measure, (case, m, n))
        name = case.__name__.removeprefix("case_").replace("_", " ")
        print(f"| {name} | {m:,} | {n:,} | {seconds:.2f} | {peak:.0f} ({before:.0f}) |")


if __name__ == "__main__":
    coverage() if sys.argv[1:] == ["coverage"] else main()
