"""Is the certificate ever wrong? Random small problems, every set of changes tried.

    python benchmarks/sensitivity/certificate.py [--problems 1000] [--budget 60000]
    python benchmarks/sensitivity/certificate.py --command --problems 100

Half of the problems change single comparisons, half whole annotators; a third asks for the leader,
the others for a named pair. Problems without a fit or a leader are passed over, so that as many
are judged as were asked for. ``--command`` asks ``cr-audit sensitivity`` itself, given rows, for
the leader (uniform weights, both changes). Exits 1 if a brute-force minimum lies outside
[lower, upper].
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from cr_audit.api import sensitivity
from cr_audit.arrays import Comparisons, NotApplicable
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


def by_command(problem: Small) -> list[tuple[Small, int, int]]:
    """Both changes of the leader through the command: problem, lower, upper (0: none found)."""
    r = problem.rows
    used, ends = np.unique(np.concatenate([r.winner, r.loser]), return_inverse=True)
    m = int(used.size)
    won, lost = ends[: r.n], ends[r.n :]
    rows = [
        {
            # Every other row has the winner second.
            "model_a": f"m{b if i % 2 else a}",
            "model_b": f"m{a if i % 2 else b}",
            "winner": "tie" if outcome == 0.5 else f"model_{'ab'[i % 2]}",
            "judge": f"u{unit}",
            "mass": mass,
        }
        for i, (a, b, outcome, unit, mass) in enumerate(
            zip(won, lost, r.outcome.tolist(), problem.units.tolist(), r.mass.tolist(), strict=True)
        )
    ]
    grouped = int(problem.units.max()) + 1 < r.n
    result = sensitivity(
        rows,
        schema="arena_votes",
        unit="model",
        penalty=problem.penalty,
        count_weighted=problem.counted,
        row_weights="mass",
        model="none",
        cache=False,
    ).to_dict()["sensitivity"]
    flips = result["flips"]
    if result["n_components"] != 1 or not isinstance(flips, list):
        return []
    compact = replace(
        problem,
        rows=Comparisons.of(m, won, lost, r.outcome, r.mass),
        weights=np.full(m, 1.0 / m),
        rank=0,
    )
    wanted = "annotator" if grouped else "comparison"
    return [
        (
            replace(compact, reversal=flip["change"] == "reversal"),
            flip["lower"],
            flip["upper"] if isinstance(flip["upper"], int) else 0,
        )
        for flip in flips
        if flip["unit"] == wanted and flip["question"] == "leader"
    ]


def asked(problem: Small, *, command: bool) -> list[tuple[Small, int, int]]:
    """What is judged of one random problem; nothing where it has no fit or no leader."""
    try:
        if command:
            return by_command(problem)
        found = interval(problem)
    except ComputeError:  # weight 0 on every compared pair: no fit, no leader
        return []
    if found is None:
        return []
    return [(problem, found.lower, 0 if isinstance(found.upper, NotApplicable) else found.upper)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--command", action="store_true", help="through cr-audit sensitivity")
    parser.add_argument("--budget", type=int, default=60_000, help="sets tried per size")
    given = parser.parse_args()
    start, wrong, seed = time.perf_counter(), 0, -1
    rows: list[tuple[int, int, int, int]] = []
    while len(rows) < given.problems:
        seed += 1
        made = random_problem(seed, grouped=bool(seed % 2))
        for problem, lower, upper in asked(made, command=given.command):
            # Where no set was found, one size more than the certificate excludes is tried.
            true, searched, _ = least(problem, upper or lower + 1, given.budget)
            outside = bool(true) and (true < lower or (upper > 0 and true > upper))
            unreached = upper > 0 and searched >= upper and not true
            if outside or unreached:
                wrong += 1
                print(f"seed {seed}: [{lower}, {upper}] and the minimum is {true or 'none'}")
            rows.append((lower, true, upper, searched))
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
