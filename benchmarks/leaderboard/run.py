"""Speed beside arena-rank and evalica, coverage of intervals, reliability of the leader's chance.

python benchmarks/leaderboard/run.py speed [--battles N] [--items M] [--replicates B]
python benchmarks/leaderboard/run.py coverage [--runs N]

A peer that is not installed is left out and named. arena-rank pins versions of its own: run the
file with the Python of an environment that has it and PYTHONPATH set to this folder's root.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Comparisons, FloatArray
from cr_audit.models.places import leading
from cr_audit.models.ties.battles import battles
from cr_audit.models.ties.bootstrap import bootstrap_ties
from cr_audit.models.ties.fit import (
    DEFAULT_PRIOR_PRECISION,
    ELO_PER_LOG_ODDS,
    covariance,
    fit_best_link,
    fit_ties,
    sandwich,
)
from cr_audit.models.ties.links import LINKS

DESIGNS = (
    # items, opponents each, battles each, spread, uneven numbers
    (30, 3, 30, 1.0, True),
    (30, 4, 30, 2.0, False),
    (30, 4, 30, 2.5, True),
    (30, 4, 30, 0.5, False),
    (30, 8, 60, 2.0, True),
    (100, 6, 40, 1.5, True),
    (30, 15, 300, 2.0, True),
    (40, 30, 200, 1.5, False),
    (30, 6, 3000, 2.5, True),
    (20, 10, 20_000, 2.0, False),
)


def timed(name: str, work: Callable[[], object]) -> object:
    start, busy = time.perf_counter(), time.process_time()
    out = work()
    wall, cpu = time.perf_counter() - start, time.process_time() - busy
    print(f"{name}: {wall:.1f} s, {cpu:.1f} s of processor time", flush=True)
    return out


def arena(n: int, m: int, rng: np.random.Generator, link: str, eta: float) -> Comparisons:
    theta = rng.normal(size=m)
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    p = LINKS[link].probabilities(theta[a] - theta[b], np.asarray(eta))
    u = rng.random(n)
    tie, lost = (u >= p[0]) & (u < p[0] + p[1]), u >= p[0] + p[1]
    return Comparisons.of(m, np.where(lost, b, a), np.where(lost, a, b), np.where(tie, 0.5, 1.0))


def speed(n: int, m: int, replicates: int, workers: int) -> None:
    rows = arena(n, m, np.random.default_rng(0), "davidson", -0.3)
    print(f"{n:,} battles, {m} items, {replicates:,} resamples, {workers} workers")

    def ours() -> FloatArray:
        cells = battles(rows)
        fit, _ = fit_best_link(cells, prior_precision=DEFAULT_PRIOR_PRECISION)
        with engine.using(workers=workers):
            bootstrap_ties(cells, fit, n_replicates=replicates, rng=np.random.default_rng(1))
        return fit.rewards

    timed("cr-audit: Davidson and Rao-Kupper, the likelier one resampled", ours)
    cells = battles(rows)
    plain = fit_ties(cells, "bradley-terry", prior_precision=0.0)
    error = np.sqrt(np.diag(sandwich(cells, plain)))[:m]
    _arena_rank(rows, plain.rewards, error, replicates)
    _evalica(rows, plain.rewards)


def _arena_rank(rows: Comparisons, ours: FloatArray, error: FloatArray, replicates: int) -> None:
    try:
        import pandas as pd
        from arena_rank.models.bradley_terry import BradleyTerry
        from arena_rank.utils.data_utils import PairDataset
    except ImportError as missing:
        print(f"arena-rank: not installed ({missing})")
        return
    names = np.array([f"{i:04d}" for i in range(rows.n_items)])
    table = pd.DataFrame(
        {
            "model_a": names[rows.winner],
            "model_b": names[rows.loser],
            "winner": np.where(rows.outcome == 0.5, "tie", "model_a"),
        }
    )
    data = timed("arena-rank: reading the table", lambda: PairDataset.from_pandas(table))

    def work(method: str, n: int) -> dict[str, object]:
        model = BradleyTerry(n_competitors=rows.n_items)
        # One process: it forks, and a fork of a process with JAX's threads hangs.
        return model.compute_ratings_and_cis(data, ci_method=method, num_bootstrap=n, n_jobs=1)

    found = timed("arena-rank: fit and sandwich", lambda: work("sandwich", 0))
    order = np.argsort(np.asarray(found["competitors"]))
    theirs = np.asarray(found["ratings"])[order] / ELO_PER_LOG_ODDS
    gap = (theirs - theirs.mean()) - ours
    half = np.asarray(found["rating_upper"])[order] - np.asarray(found["rating_lower"])[order]
    width = half / ELO_PER_LOG_ODDS / (2 * 1.959964)
    print(f"  largest difference of rewards {np.abs(gap).max():.1e}, of standard errors"
          f" {np.abs(width / error - 1).max():.1e} (relative)")  # fmt: skip
    few = min(replicates, 20)
    timed(f"arena-rank: {few} resamples", lambda: work("bootstrap", few))


def _evalica(rows: Comparisons, ours: FloatArray) -> None:
    try:
        import evalica
    except ImportError:
        print("evalica: not installed")
        return
    names = [f"{i:04d}" for i in range(rows.n_items)]
    one = [names[i] for i in rows.winner]
    two = [names[i] for i in rows.loser]
    won = [evalica.Winner.Draw if o == 0.5 else evalica.Winner.X for o in rows.outcome]

    def work() -> FloatArray:
        found = evalica.bradley_terry(one, two, won, tolerance=1e-10, limit=10_000)
        return np.log(np.array([found.scores[n] for n in names]))

    theirs = timed("evalica: one fit, no errors", work)
    print(f"  largest difference of rewards {np.abs(theirs - theirs.mean() - ours).max():.1e}")


def coverage(n_runs: int) -> None:
    """Of 90 % intervals of all true differences, and of the leader's chance, under the default."""
    print("| items | opponents | battles each | spread | covered | leader's chance | is the best |")
    print("|---|---|---|---|---|---|---|")
    stated: list[float] = []
    right: list[float] = []
    for m, degree, battles_each, spread, uneven in DESIGNS:
        rng = np.random.default_rng(m + degree + battles_each)
        held, chance, hit = [], [], []
        for _ in range(n_runs):
            rows, theta = sparse(m, degree, battles_each, spread, uneven, rng)
            cells = battles(rows)
            fit = fit_ties(cells, "bradley-terry", prior_precision=DEFAULT_PRIOR_PRECISION)
            cov = covariance(cells, fit)[:m, :m]
            i, j = np.triu_indices(m, 1)
            error = np.sqrt(cov[i, i] + cov[j, j] - 2 * cov[i, j])
            gap = fit.rewards[i] - fit.rewards[j] - (theta[i] - theta[j])
            held.append(float(np.mean(np.abs(gap) <= 1.6449 * error)))
            lead = leading(fit.rewards, cov, fit.component, n_draws=2_000, rng=rng)
            best = int(np.argmax(lead.probability))
            chance.append(float(lead.probability[best]))
            hit.append(float(theta[best] == theta.max()))
        stated += chance
        right += hit
        print(
            f"| {m} | {degree} | {battles_each:,} | {spread} | {np.mean(held):.3f} |"
            f" {np.mean(chance):.2f} | {np.mean(hit):.2f} |",
            flush=True,
        )
    p, h = np.array(stated), np.array(right)
    print("| stated chance | runs | mean stated | truly the best |")
    print("|---|---|---|---|")
    for low, high in ((0.0, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.95), (0.95, 1.01)):
        mine = (p >= low) & (p < high)
        if mine.any():
            print(f"| {low}-{high} | {mine.sum()} | {p[mine].mean():.2f} | {h[mine].mean():.2f} |")


def sparse(
    m: int, degree: int, each: int, spread: float, uneven: bool, rng: np.random.Generator
) -> tuple[Comparisons, FloatArray]:
    """A ring and random chords; ``each`` battles an item on average; true rewards N(0, spread²)."""
    pairs = {(min(i, (i + 1) % m), max(i, (i + 1) % m)) for i in range(m)}
    while len(pairs) < m * degree / 2:
        a, b = (int(x) for x in rng.integers(m, size=2))
        if a != b:
            pairs.add((min(a, b), max(a, b)))
    edges = np.array(sorted(pairs))
    theta = rng.normal(scale=spread, size=m)
    share = np.exp(1.2 * rng.normal(size=len(edges))) if uneven else np.ones(len(edges))
    count = np.maximum(rng.multinomial(each * m // 2, share / share.sum()), 1)
    at = np.repeat(np.arange(len(edges)), count)
    x, y = edges[at, 0], edges[at, 1]
    won = rng.random(at.size) < 1 / (1 + np.exp(theta[y] - theta[x]))
    return Comparisons.of(m, np.where(won, x, y), np.where(won, y, x)), theta


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "coverage"))
    parser.add_argument("--battles", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=40)
    given = parser.parse_args()
    if given.what == "speed":
        speed(given.battles, given.items, given.replicates, given.workers)
    else:
        coverage(given.runs)


if __name__ == "__main__":
    main()
