"""Plackett–Luce on rankings of published size, beside choix on the same rows.

    python -m benchmarks.choices.rankings

5,000 rankings of 10 (R PlackettLuce publishes 1.4 s for data of that size) and 40,000 ballots of
up to 6 of 17. Times are of this process alone (``time.process_time``), the best of three.
Measured 2026-11-27 on a busy core:
0.10 and 0.29 s, choix 0.53 and 1.33 s, rewards equal to 1e-10.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import choix
import numpy as np

from cr_audit.arrays import ChoiceSets
from cr_audit.models.listwise.plackett_luce import fit_rankings
from cr_audit.models.listwise.rankings import rankings_of


def drawn(n: int, m: int, longest: int, rng: np.random.Generator) -> list[list[int]]:
    """Rankings by Gumbel noise on rewards from −1 to 1, cut at random lengths up to ``longest``."""
    utility = rng.gumbel(size=(n, m)) + np.linspace(-1, 1, m)
    order = np.argsort(-utility, axis=1)
    lengths = rng.integers(2, longest + 1, n) if longest < m else np.full(n, m)
    return [row[:k].tolist() for row, k in zip(order, lengths, strict=True)]


def sets_of(rankings: list[list[int]], m: int) -> ChoiceSets:
    sizes = np.array([len(r) for r in rankings])
    unknown = np.full(sizes.size, -1)
    return ChoiceSets(
        n_items=m,
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        members=np.concatenate(rankings).astype(np.int64),
        rank=np.concatenate([np.arange(k) for k in sizes]),
        mass=np.ones(sizes.size),
        annotator=unknown,
        prompt=unknown,
    )


def best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    rng = np.random.default_rng(0)
    for name, n, m, longest in (("5,000 x 10", 5000, 10, 10), ("40,000 ballots", 40_000, 17, 6)):
        rankings = drawn(n, m, longest, rng)
        sets = sets_of(rankings, m)
        ours = fit_rankings(rankings_of(sets)).rewards
        theirs = choix.ilsr_rankings(m, rankings, tol=1e-8)
        off = float(np.abs(ours - (theirs - theirs.mean())).max())
        mine = best(partial(_fitted, sets))
        choixs = best(partial(choix.ilsr_rankings, m, rankings, tol=1e-8))
        print(f"{name}: cr-audit {mine:.2f} s (errors too), choix {choixs:.2f} s, off {off:.1e}")


def _fitted(sets: ChoiceSets) -> object:
    return fit_rankings(rankings_of(sets))


if __name__ == "__main__":
    main()
