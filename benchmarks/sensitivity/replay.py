"""Does the advice settle the leader with fewer votes? Votes of real data, hidden and collected.

    python benchmarks/sensitivity/replay.py DATA_FOLDER [--sets ukp] [--start 0.2] [--repeats 3]

A share of the votes is kept (the start), the others are in a drawer. A rule names pairs of which
the drawer has votes, and a batch of these is taken out. Counted is how many votes it takes until
the leader of all votes leads, and goes on leading for 300 votes more. Rules: advice (largest
expected fall of the probability of error per vote), random (any vote of the drawer), A (largest
fall of the trace of the covariance), D (largest fall of its determinant).

``humour_pairs`` is one ranking of 3,797 texts: it is cut into quarters of the texts, drawn at
random, with the votes among each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from real_sets import coded, load, sets

from cr_audit.arrays import Comparisons, FloatArray, IntArray
from cr_audit.models.rewards.bootstrap import rows_of_pairs
from cr_audit.models.sensitivity.advice import (
    Posterior,
    advise,
    order_errors,
    posterior,
    posterior_mean,
)

RULES = ("advice", "random", "A", "D")
BATCH = 20
RIVALS = 6
SETTLED = 300
MAX_ITEMS = 1000
QUARTERS = 4


def all_sets(folder: Path) -> Iterator[tuple[str, Comparisons]]:
    yield from sets(folder)
    rows = load(folder, "humour_pairs/pairs")
    items = sorted({r["winner_id"] for r in rows} | {r["loser_id"] for r in rows})
    quarter = np.random.default_rng(0).permutation(len(items)) % QUARTERS
    of = dict(zip(items, quarter.tolist(), strict=True))
    for q in range(QUARTERS):
        some = [r for r in rows if of[r["winner_id"]] == of[r["loser_id"]] == q]
        made = [(r["winner_id"], r["loser_id"], "l", None) for r in some]
        yield f"humour quarter {q + 1}", coded(made)


def optimal(known: Posterior, first: IntArray, second: IntArray, rule: str) -> FloatArray:
    """Gain of one vote on each pair for A- and D-optimality, at its information."""
    c, r = known.covariance, known.mean
    q = 1 / (1 + np.exp(r[second] - r[first]))
    slope = q * (1 - q)

    def along(matrix: FloatArray) -> FloatArray:
        return matrix[first, first] + matrix[second, second] - 2 * matrix[first, second]

    if rule == "D":
        return np.log1p(slope * along(c))
    return slope * along(c @ c) / (1 + slope * along(c))


def advised(known: Posterior, first: IntArray, second: IntArray) -> IntArray:
    """The batch that the advice takes of the pairs that can be had, one vote after another."""
    m = known.mean.size
    leader = int(np.argmax(known.mean))
    below = np.delete(np.arange(m), leader)
    wrong = order_errors(known.mean, known.covariance, np.full(m - 1, leader), below)
    rivals = below[np.argsort(-wrong, kind="stable")[:RIVALS]]
    plan = advise(known, np.full(rivals.size, leader), rivals, BATCH, among=(first, second))
    key = first * m + second
    order = np.argsort(key)
    return order[np.searchsorted(key[order], plan.first * m + plan.second)]


def replay(rows: Comparisons, rule: str, start: float, seed: int) -> int:
    """Votes collected until the leader of all votes leads for good."""
    rng, draws = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    m = rows.n_items
    first, second, pair, _ = rows_of_pairs(rows)
    best = int(np.argmax(posterior_mean(rows.proportions(), np.arange(m))))
    order = rng.permutation(rows.n)
    known = list(order[: max(m, int(start * rows.n))])
    drawer: dict[int, list[int]] = {}
    for r in order[len(known) :]:
        drawer.setdefault(int(pair[r]), []).append(int(r))
    settled, collected = -1, 0
    while True:
        seen = rows.take(np.array(known)).proportions()
        # A random choice needs no covariance.
        now = None if rule == "random" else posterior(seen, np.arange(m))
        mean = posterior_mean(seen, np.arange(m)) if now is None else now.mean
        if int(np.argmax(mean)) != best:
            settled = -1
        elif settled < 0:
            settled = collected
        left = np.array([k for k, v in drawer.items() if v], dtype=np.int64)
        if not left.size or (settled >= 0 and collected - settled > SETTLED):
            break
        if now is None:
            every = [(k, r) for k in left.tolist() for r in drawer[k]]
            taken = draws.choice(len(every), size=min(BATCH, len(every)), replace=False)
            chosen = [every[t][0] for t in taken.tolist()]
        elif rule == "advice":
            chosen = left[advised(now, first[left], second[left])].tolist()
        else:
            gain = optimal(now, first[left], second[left], rule)
            chosen = left[np.argsort(-gain, kind="stable")[:BATCH]].tolist()
        for k in chosen:
            # The advice may ask for more votes of a pair than the drawer has.
            if drawer[k]:
                known.append(drawer[k].pop())
                collected += 1
    return settled if settled >= 0 else collected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default="llmfao;ukp;humour")
    parser.add_argument("--start", type=float, default=0.2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rules", default=";".join(RULES))
    parser.add_argument("--debates", type=int, default=10, help="of ukp, the first ones")
    given = parser.parse_args()
    wanted = tuple(s for s in given.sets.split(";") if s)
    rules = given.rules.split(";")
    print("| data | items, votes | " + " | ".join(rules) + " |\n|---|---|" + "---|" * len(rules))
    fewer = total = debates = 0
    for name, rows in all_sets(given.folder):
        debates += name.startswith("ukp")
        if not name.startswith(wanted) or rows.n_items > MAX_ITEMS:
            continue
        if name.startswith("ukp") and debates > given.debates:
            continue
        means = {
            rule: np.mean([replay(rows, rule, given.start, s) for s in range(given.repeats)])
            for rule in rules
        }
        fewer += means["advice"] < means["random"]
        total += 1
        cells = " | ".join(f"{means[r]:.0f}" for r in rules)
        print(f"| {name} | {rows.n_items}, {rows.n:,} | {cells} |", flush=True)
    print(f"\nadvice needs fewer than random in {fewer} of {total}")


if __name__ == "__main__":
    main()
