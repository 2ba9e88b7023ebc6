"""Calibration of ``refit`` and ``scan`` at their default settings: the tables of the README.

    python -m benchmarks.calibration.run coverage [--sets 300] [--designs 0 5 12] [--seed 1]
    python -m benchmarks.calibration.run halves DATA_FOLDER [--sets 50] [--others NAME ...]
    python -m benchmarks.calibration.run same-order [--sets 100] [--designs ...]
    python -m benchmarks.calibration.run planted [--sets 200]

One core, 0.1 to 1 s per set. Real data are read in place and nothing of them is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.calibration.coverage import measure
from benchmarks.calibration.designs import DESIGNS, Design
from benchmarks.calibration.flags import (
    OTHERS,
    RealSet,
    halves,
    noisy_uniform,
    planted,
    read_as_scan,
    real_sets,
    same_order,
)

COLUMNS = (
    "standard percentile",
    "weighted percentile",
    "shift percentile",
    "shift plain",
    "standard sandwich",
    "win-rate shift",
)


def coverage(designs: Sequence[Design], n_sets: int, seed: int) -> None:
    print("| design | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for design in designs:
        tallies = measure(design, n_sets, seed)
        cells = [f"{100 * tallies[c].coverage[0]:.1f}" for c in COLUMNS]
        error = max(tallies[c].coverage[1] for c in COLUMNS)
        print(f"| {design.name} (± {100 * error:.1f}) | " + " | ".join(cells) + " |", flush=True)


def share(
    name: str, run: Callable[[np.random.Generator], tuple[bool, ...]], n_sets: int, seed: int
) -> None:
    """One line: in how many of ``n_sets`` runs each of the answers is yes."""
    got = np.array([run(rng) for rng in np.random.default_rng(seed).spawn(n_sets)])
    print(f"| {name} | {n_sets} | " + " | ".join(map(str, got.sum(axis=0))) + " |", flush=True)


def real(data: RealSet, rng: np.random.Generator) -> tuple[bool, bool, bool]:
    """Halves flagged, a pair sure by itself, win rates of a half flagged under noisy weights."""
    return (*halves(data, rng), noisy_uniform(data, rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["coverage", "halves", "same-order", "planted"])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--others", nargs="*", choices=tuple(OTHERS), help="none named: all")
    parser.add_argument("--designs", type=int, nargs="*", default=range(len(DESIGNS)))
    args = parser.parse_args()
    designs = [DESIGNS[i] for i in args.designs]
    if args.what == "coverage":
        coverage(designs, args.sets, args.seed)
    elif args.what == "planted":
        share("planted clones", planted, args.sets, args.seed)
    elif args.what == "same-order":
        for design in designs:
            share(design.name, partial(same_order, design), args.sets, args.seed)
    elif args.folder is None:
        parser.error("halves needs the folder of the real data sets")
    else:
        others = () if args.others is None else args.others or tuple(OTHERS)
        sets = (
            real_sets(args.folder)
            if args.others is None
            else (read_as_scan(args.folder, name) for name in others)
        )
        for data in sets:
            share(data.name, partial(real, data), args.sets, args.seed)


if __name__ == "__main__":
    main()
