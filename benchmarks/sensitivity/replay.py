"""Does the advice settle the leader with fewer votes? Votes of real data, hidden and collected.

    python benchmarks/sensitivity/replay.py DATA_FOLDER [--sets ukp] [--start 0.2] [--repeats 3]

A share of the votes is kept (the start), the others are in a drawer. A rule names pairs; one of the
pair's hidden votes is drawn (a pair without any is passed over). Counted is how many votes it takes
until the leader of all votes leads, and goes on leading for 300 votes more. Rules:
advice (expected fall of the probability of error per vote), random, A (largest fall of the trace of
the covariance), D (largest fall of its determinant).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from real_sets import sets

from cr_audit.arrays import Comparisons, FloatArray
from cr_audit.models.rewards.bootstrap import rows_of_pairs
from cr_audit.models.sensitivity.advice import Posterior, advise, order_errors, posterior

RULES = ("advice", "random", "A", "D")
BATCH = 20
RIVALS = 6
SETTLED = 300
MAX_ITEMS = 80


def optimal(known: Posterior, first: FloatArray, second: FloatArray, rule: str) -> FloatArray:
    """Gain of one vote on each pair for A- and D-optimality, at its information."""
    c, r = known.covariance, known.mean
    q = 1 / (1 + np.exp(r[second] - r[first]))
    slope = q * (1 - q)
    column = c[:, first] - c[:, second]
    own = column[first, np.arange(first.size)] - column[second, np.arange(first.size)]
    if rule == "D":
        return np.log1p(slope * own)
    return slope * (column**2).sum(axis=0) / (1 + slope * own)


def replay(rows: Comparisons, rule: str, start: float, seed: int) -> int:
    """Votes collected until the leader of all votes leads for good."""
    rng = np.random.default_rng(seed)
    m = rows.n_items
    first, second, pair, _ = rows_of_pairs(rows)
    everything = posterior(rows.proportions(), np.arange(m))
    best = int(np.argmax(everything.mean))
    order = rng.permutation(rows.n)
    known = list(order[: max(m, int(start * rows.n))])
    drawer: dict[int, list[int]] = {}
    for r in order[len(known) :]:
        drawer.setdefault(int(pair[r]), []).append(int(r))
    index = {(int(a), int(b)): k for k, (a, b) in enumerate(zip(first, second, strict=True))}
    settled, collected = -1, 0
    draws = np.random.default_rng(seed + 1)
    while True:
        now = posterior(rows.take(np.array(known)).proportions(), np.arange(m))
        leader = int(np.argmax(now.mean))
        if leader != best:
            settled = -1
        elif settled < 0:
            settled = collected
        left = [k for k, v in drawer.items() if v]
        if not left or (collected - max(settled, 0) > SETTLED and settled >= 0):
            break
        some = np.array(left)
        if rule == "random":
            # A random vote: pairs in proportion to what is left of them.
            mass = np.array([len(drawer[k]) for k in left], dtype=float)
            chosen = draws.choice(some, size=BATCH, p=mass / mass.sum()).tolist()
        elif rule == "advice":
            below = np.array([x for x in range(m) if x != leader])
            wrong = order_errors(now.mean, now.covariance, np.full(m - 1, leader), below)
            below = below[np.argsort(-wrong, kind="stable")[:RIVALS]]
            plan = advise(now, np.full(below.size, leader), below, BATCH)
            keys = [
                index.get((min(a, b), max(a, b)), -1)
                for a, b in zip(plan.first.tolist(), plan.second.tolist(), strict=True)
            ]
            chosen = []
            for k in keys:
                if k >= 0 and len(drawer.get(k, ())) > chosen.count(k):
                    chosen.append(k)
            if len(chosen) < BATCH:
                # Advised pairs that nobody judged cannot be replayed: the leader's pairs instead.
                gain = np.where((first[some] == leader) | (second[some] == leader), 1.0, 0.0)
                gain -= 0.01 * np.abs(now.mean[first[some]] - now.mean[second[some]])
                chosen += some[np.argsort(-gain, kind="stable")][:BATCH].tolist()
        else:
            gain = optimal(now, first[some], second[some], rule)
            chosen = some[np.argsort(-gain, kind="stable")[:BATCH]].tolist()
        taken = 0
        for k in chosen:
            if drawer.get(k) and taken < BATCH:
                known.append(drawer[k].pop())
                taken += 1
        collected += taken
    return settled if settled >= 0 else collected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default="ukp;llmfao crowd")
    parser.add_argument("--start", type=float, default=0.2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=int, default=12)
    given = parser.parse_args()
    wanted = tuple(s for s in given.sets.split(";") if s)
    print("| data | " + " | ".join(RULES) + " |\n|---|" + "---|" * len(RULES))
    wins = total = 0
    for name, rows in sets(given.folder):
        if not name.startswith(wanted) or rows.n_items > MAX_ITEMS or total >= given.limit:
            continue
        means = {
            rule: np.mean([replay(rows, rule, given.start, s) for s in range(given.repeats)])
            for rule in RULES
        }
        wins += means["advice"] <= means["random"]
        total += 1
        print(f"| {name} | " + " | ".join(f"{means[r]:.0f}" for r in RULES) + " |", flush=True)
    print(f"\nadvice needs no more than random in {wins} of {total}")


if __name__ == "__main__":
    main()
