"""Time the fits beside evalica, choix and scikit-learn on the same rows in one run.

    python benchmarks/refit/run.py tabular|bootstrap|linear|mlp|dense [--rows N]

Needs the project, and evalica, choix and scikit-learn for their columns (a missing one is skipped
and said so). Wall and process CPU seconds are the best of --repeat runs; "gradient" is
max |∂f/∂r(x)| / w(x) of the count-weighted objective without penalty, measured by the same code for
every library after centring, so that tolerances can be compared.
"""

# ruff: noqa: B023 (every closure is called before its loop moves on)
from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray
from cr_audit.models.rewards import moments
from cr_audit.models.rewards.bootstrap import bootstrap_tabular, multinomial_weights
from cr_audit.models.rewards.linear import fit_linear
from cr_audit.models.rewards.linear_bootstrap import bootstrap_linear
from cr_audit.models.rewards.mlp import fit_mlp
from cr_audit.models.rewards.objective import moment_residual, pair_terms
from cr_audit.models.rewards.tabular import fit_tabular


def has(name: str) -> bool:
    found = importlib.util.find_spec(name) is not None
    if not found:
        print(f"  {name}: not installed, skipped")
    return found


def clock(label: str, work: Callable[[], Any], repeat: int) -> Any:
    wall, cpu, out = np.inf, np.inf, None
    for _ in range(repeat):
        w, c = time.perf_counter(), time.process_time()
        out = work()
        wall = min(wall, time.perf_counter() - w)
        cpu = min(cpu, time.process_time() - c)
    print(f"  {label:<44} wall {wall:8.4f} s   cpu {cpu:8.4f} s", end="")
    return out


def draw(m: int, n: int, seed: int = 0) -> Comparisons:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=m)
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    first = rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))
    return Comparisons.of(m, np.where(first, a, b), np.where(first, b, a))


def gradient_of(rows: Comparisons, rewards: FloatArray, penalty: float) -> float:
    w = np.full(rows.n_items, 1 / rows.n_items)
    terms = pair_terms(rows.proportions(), w, count_weighted=True)
    r = np.nan_to_num(rewards)
    return float(np.abs(moment_residual(terms, w, r - r.mean(), penalty)).max())


def tabular(n: int, repeat: int) -> None:
    for m in (200, 2_000, 10_000, 200_000):
        rows = draw(m, n)
        w = np.full(m, 1 / m)
        print(f"{n:,} comparisons of {m:,} alternatives")
        for penalty, tolerance in ((1e-2, 1e-10), (1e-2, 1e-12), (1e-6, 1e-12)):

            def ours(penalty: float = penalty, tolerance: float = tolerance) -> Any:
                return fit_tabular(
                    rows.proportions(),
                    w,
                    penalty=penalty,
                    tolerance=tolerance,
                    count_weighted=True,
                )

            label = f"cr-audit, penalty {penalty:g}, tolerance {tolerance:g}"
            fit = clock(label, ours, repeat)
            grad = gradient_of(rows, fit.rewards, penalty)
            print(f"   gradient {grad:.1e}  {fit.iterations} steps, {fit.method}")
        proportions = rows.proportions()
        clock(
            "  of which the fit",
            lambda p=proportions: fit_tabular(p, w, penalty=1e-2, count_weighted=True),
            repeat,
        )
        print()
        if m <= 2_000 and has("evalica"):
            import evalica

            xs, ys = rows.winner.tolist(), rows.loser.tolist()
            wins = [evalica.Winner.X] * n
            for tolerance, limit in ((1e-6, 100), (1e-9, 10_000)):
                result = clock(
                    f"evalica.bradley_terry, tolerance {tolerance:g}",
                    lambda t=tolerance, k=limit: evalica.bradley_terry(
                        xs, ys, wins, tolerance=t, limit=k
                    ),
                    1,
                )
                scores = np.log(np.array([result.scores.get(x, 1.0) for x in range(m)]))
                print(
                    f"   gradient {gradient_of(rows, scores, 0.0):.1e}  {result.iterations} steps"
                )
        if m <= 200 and has("choix"):
            import choix

            data = list(zip(rows.winner.tolist(), rows.loser.tolist(), strict=True))
            scores = clock("choix.ilsr_pairwise", lambda: choix.ilsr_pairwise(m, data, tol=1e-8), 1)
            print(f"   gradient {gradient_of(rows, scores, 0.0):.1e}")


def bootstrap(n: int, repeat: int) -> None:
    m = 2_000
    rows = draw(m, n)
    w = np.full(m, 1 / m)
    fit = fit_tabular(rows.proportions(), w, penalty=0.01)
    print(f"1,000 replicates of {n:,} comparisons of {m:,} alternatives")
    for threads in (1, 2):
        out = clock(
            f"cr-audit, {threads} thread(s)",
            lambda t=threads: bootstrap_tabular(
                rows, [fit], workers=t, rng=np.random.default_rng(0)
            ),
            repeat,
        )
        print(f"   {out.n_not_converged[0]} above the tolerance")
    if has("evalica"):
        import evalica

        rng = np.random.default_rng(0)
        xs, ys = rows.winner, rows.loser
        wins = [evalica.Winner.X] * n

        def ten() -> None:
            for _ in range(10):
                drawn = rng.integers(n, size=n)
                evalica.bradley_terry(xs[drawn].tolist(), ys[drawn].tolist(), wins)

        clock("evalica.bradley_terry, 10 replicates only", ten, 1)
        print()


def linear(n: int, repeat: int) -> None:
    d = 384
    for m in (20_000, 2 * n):
        rng = np.random.default_rng(0)
        contexts = rng.normal(size=(m, d)) / (1 + np.arange(d)) ** 0.5
        contexts /= np.linalg.norm(contexts, axis=1, keepdims=True)
        truth = contexts @ rng.normal(size=d) * 3
        a = rng.integers(m, size=n)
        b = (a + rng.integers(1, m, size=n)) % m
        first = rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))
        rows = Comparisons.of(m, np.where(first, a, b), np.where(first, b, a))
        w, ridge = np.full(m, 1 / m), 1e-4
        print(f"linear, {n:,} comparisons of {m:,} alternatives x {d}")
        for threads in (1, 2):
            fit = clock(
                f"cr-audit, {threads} thread(s), penalty 0.01",
                lambda t=threads: fit_linear(
                    rows.proportions(), contexts, w, penalty=0.01, workers=t
                ),
                repeat,
            )
            print(f"   gradient {fit.gradient_norm:.1e}  {fit.iterations} steps")
        fit = clock(
            "cr-audit, penalty 1e-9, ridge as scikit-learn",
            lambda: fit_linear(
                rows.proportions(),
                contexts,
                w,
                penalty=1e-9,
                ridge=ridge,
                count_weighted=True,
                workers=2,
            ),
            repeat,
        )
        print(f"   gradient {fit.gradient_norm:.1e}")
        if has("sklearn"):
            from sklearn.linear_model import LogisticRegression

            sign = rng.random(n) < 0.5
            scale = fit.kappa * m**2
            for tol in (1e-4, 1e-8):

                def theirs(tol: float = tol) -> Any:
                    x = contexts[rows.winner] - contexts[rows.loser]
                    x[~sign] *= -1
                    model = LogisticRegression(
                        C=1 / (ridge * scale), fit_intercept=False, tol=tol, max_iter=1000
                    )
                    return model.fit(x, sign)

                model = clock(f"scikit-learn LogisticRegression, tol {tol:g}", theirs, 1)
                print(f"   largest difference of θ {np.abs(model.coef_[0] - fit.theta).max():.1e}")
        if m == 20_000:
            redrawn = multinomial_weights(w, 2_000_000)
            for steps, draw in ((1, None), (2, None), (2, redrawn)):
                weights = "known" if draw is None else "redrawn"
                clock(
                    f"1,000 replicates, {steps} step(s), weights {weights}",
                    lambda k=steps, d=draw: bootstrap_linear(
                        rows,
                        contexts,
                        [fit],
                        draw_weights=[d],
                        n_steps=k,
                        rng=np.random.default_rng(0),
                    ),
                    1,
                )
                print()


def dense(n: int, repeat: int) -> None:
    for m in (3, 5, 10, 20, 30, 50, 100, 200):
        rows = draw(m, n)
        proportions, w = rows.proportions(), np.full(m, 1 / m)
        print(f"{m} alternatives")
        kept = moments.DENSE_LIMIT
        for label, limit in (("dense", 10**9), ("iterative", 0)):
            moments.DENSE_LIMIT = limit
            work = partial(fit_tabular, proportions, w, penalty=0.01)
            fit = clock(label, work, 100 * repeat)
            print(f"   {fit.iterations} steps")
        moments.DENSE_LIMIT = kept


def mlp(n: int, repeat: int) -> None:
    """The paper's ensemble: 20 networks, 500 steps, batches of 512."""
    for m, rows in ((200, 2_000), (20_000, n)):
        rng = np.random.default_rng(0)
        contexts = rng.normal(size=(m, 384)) / (1 + np.arange(384)) ** 0.5
        contexts /= np.linalg.norm(contexts, axis=1, keepdims=True)
        pairs, w = draw(m, rows).proportions(), np.full(m, 1 / m)
        print(f"mlp, {rows:,} comparisons of {m:,} alternatives x 384")
        for threads in (1, 2):
            clock(
                f"cr-audit, {threads} thread(s)",
                lambda t=threads: fit_mlp(
                    pairs, contexts, w, penalty=0.1, workers=t, rng=np.random.default_rng(0)
                ),
                repeat,
            )
            print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["tabular", "bootstrap", "linear", "mlp", "dense"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    work, rows = {
        "tabular": (tabular, 1_000_000),
        "bootstrap": (bootstrap, 100_000),
        "linear": (linear, 100_000),
        "mlp": (mlp, 100_000),
        "dense": (dense, 1_000_000),
    }[chosen.part]
    work(chosen.rows or rows, chosen.repeat)


if __name__ == "__main__":
    main()
