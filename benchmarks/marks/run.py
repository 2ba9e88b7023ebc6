"""False-discovery rates of marked rank changes on nulls, and the power on planted ones.

python benchmarks/marks/run.py [--runs N] [--planted] [--only TEXT]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.marks.designs import NULLS, PLANTED, Design, Drawn, draw
from cr_audit.arrays import BoolArray
from cr_audit.models.marks import mark_changes, rate_influences

LEVEL = 0.9


def marked(d: Drawn) -> BoolArray:
    rates = rate_influences(d.rows, d.weights, clusters=d.clusters)
    everybody = np.where(np.isfinite(rates.average), 0, -1)
    return mark_changes(rates.average, rates.weighted, everybody, rates.gaps, level=LEVEL).marked


def measure(design: Design, n_runs: int) -> dict[str, float]:
    """fdr : mean share of false marks; any : share of runs with a false mark; power : share of the
    items that truly change that are marked; true : how many these are."""
    seed = np.random.SeedSequence(_seed(design.name))
    false, any_false, found, n_true = [], [], [], []
    for child in seed.spawn(n_runs):
        rng = np.random.default_rng(child)
        d = draw(design, rng)
        shown = marked(d)
        wrong = int((shown & ~d.true).sum())
        false.append(wrong / max(int(shown.sum()), 1))
        any_false.append(wrong > 0)
        n_true.append(int(d.true.sum()))
        if n_true[-1]:
            found.append(float((shown & d.true).sum()) / n_true[-1])
    return {
        "fdr": float(np.mean(false)),
        "error": float(np.std(false) / np.sqrt(n_runs)),
        "any": float(np.mean(any_false)),
        "true": float(np.mean(n_true)),
        "power": float(np.mean(found)) if found else float("nan"),
    }


def _seed(name: str) -> int:
    return int.from_bytes(name.encode()[-8:], "little") + len(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--only", default="")
    parser.add_argument("--planted", action="store_true")
    given = parser.parse_args()
    print("| design | FDR | ± | runs with a false mark | truly change | found | s |")
    print("|---|---|---|---|---|---|---|")
    for design in PLANTED if given.planted else NULLS:
        if given.only not in design.name:
            continue
        start = time.perf_counter()
        r = measure(design, given.runs)
        print(
            f"| {design.name} | {r['fdr']:.3f} | {r['error']:.3f} | {r['any']:.3f} |"
            f" {r['true']:.1f} | {r['power']:.2f} | {time.perf_counter() - start:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
