"""Is the certificate ever wrong? Random small problems, every set of changes tried.

    python benchmarks/sensitivity/certificate.py [--problems 1000] [--budget 60000]

Half of the problems change single comparisons, half whole annotators; a third asks for the leader,
the others for a named pair. Exits 1 if a brute-force minimum lies outside [lower, upper].
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.models.sensitivity.flips import FlipAudit, FlipInterval
from cr_audit.models.sensitivity.votes import Change

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from flip_brute_force import Small, least, random_problem


def interval(problem: Small) -> FlipInterval | None:
    audit = FlipAudit(
        problem.rows,
        problem.weights,
        problem.penalty,
        count_weighted=problem.counted,
        units=problem.units,
    )
    orders = audit.leader()
    if problem.rank:
        order = np.argsort(-audit.rewards, kind="stable")
        orders = audit.pair(int(order[0]), int(order[problem.rank]))
    if isinstance(orders, NotApplicable):
        return None
    return audit.interval(orders, Change.REVERSAL if problem.reversal else Change.REMOVAL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--budget", type=int, default=60_000, help="sets tried per size")
    given = parser.parse_args()
    start, rows, wrong = time.perf_counter(), [], 0
    for seed in range(given.problems):
        problem = random_problem(seed, grouped=bool(seed % 2))
        try:
            found = interval(problem)
        except ComputeError:  # weight 0 on every compared pair: no fit, no leader
            continue
        if found is None:
            continue
        upper = 0 if isinstance(found.upper, NotApplicable) else found.upper
        # Where no set was found, one size more than the certificate excludes is tried.
        true, searched, _ = least(problem, upper or found.lower + 1, given.budget)
        outside = bool(true) and (true < found.lower or (upper > 0 and true > upper))
        unreached = upper > 0 and searched >= upper and not true
        if outside or unreached:
            wrong += 1
            print(f"seed {seed}: [{found.lower}, {upper}] and the minimum is {true or 'none'}")
        rows.append((found.lower, true, upper, searched))
    a = np.array(rows)
    both = (a[:, 1] > 0) & (a[:, 2] > 0)
    print(f"{len(a)} problems, {wrong} wrong, {time.perf_counter() - start:.0f} s")
    print(f"searched in full below the lower end: {(a[:, 3] >= a[:, 0] - 1).mean():.3f}")
    print(
        f"a set was found: {(a[:, 2] > 0).mean():.3f}; none found though one exists: "
        f"{((a[:, 2] == 0) & (a[:, 1] > 0)).sum()}"
    )
    upper_is, lower_is = (a[both, 1] == a[both, 2]).mean(), (a[both, 0] == a[both, 1]).mean()
    print(f"of {both.sum()} known minima upper is {upper_is:.3f} and lower {lower_is:.3f}")
    print("minimum: count", dict(sorted(Counter(a[both, 1].tolist()).items())))
    ratio = a[both, 2] / a[both, 0]
    print(f"upper/lower at most 2: {(ratio <= 2).mean():.3f}, at most 3: {(ratio <= 3).mean():.3f}")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
