"""Designs drawn many times over, and how often a stated chance is right; for benchmarks of both."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from cr_audit.arrays import FloatArray

D = TypeVar("D")
BINS = ((0.0, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.95), (0.95, 1.01))


def arguments(description: str, *, n_designs: int, sets: int, seed: int) -> argparse.Namespace:
    """``--sets``, ``--seed`` and ``--only`` of the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sets", type=int, default=sets)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--only", type=int, nargs="*", default=range(n_designs))
    return parser.parse_args()


def measured(
    designs: Sequence[D],
    one: Callable[[D, np.random.Generator], tuple[float, ...]],
    given: argparse.Namespace,
) -> Iterator[tuple[D, FloatArray, float]]:
    """Each design that was asked for, what ``one`` says of its data sets, float64 (sets, figures),
    and seconds of processor time."""
    for d in given.only:
        start = time.process_time()
        generators = np.random.default_rng([given.seed, d]).spawn(given.sets)
        got = np.array([one(designs[d], rng) for rng in generators])
        yield designs[d], got, time.process_time() - start


def print_reliability(name: str, stated: FloatArray, best: FloatArray) -> None:
    """A table of stated chances, float64 (runs,), and how often they were right, by ``BINS``."""
    print(f"\n| {name} | runs | mean | truly the best | ± |\n|---|---|---|---|---|")
    for low, high in BINS:
        mine = (stated >= low) & (stated < high)
        if mine.any():
            h = best[mine].mean()
            error = np.sqrt(max(h * (1 - h), 0.25 / mine.sum()) / mine.sum())
            print(
                f"| {low} to {min(high, 1.0)} | {mine.sum()} | {stated[mine].mean():.2f} |"
                f" {h:.2f} | {error:.2f} |"
            )
