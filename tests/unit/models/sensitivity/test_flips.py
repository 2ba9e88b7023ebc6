"""The certified interval against trying every set, and what must hold for any votes."""

from __future__ import annotations

import numpy as np
import pytest
from flip_brute_force import Small, least, random_problem

from cr_audit.arrays import NotApplicable
from cr_audit.models.sensitivity.flips import FlipAudit
from cr_audit.models.sensitivity.votes import Change


def interval(problem: Small):
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


def check(problem: Small) -> tuple[int, int, int] | None:
    """(lower, least, upper), 0 for none; asserts that the interval is right as far as was tried."""
    found = interval(problem)
    if found is None:
        return None
    upper = 0 if isinstance(found.upper, NotApplicable) else found.upper
    true, searched, _ = least(problem, upper or found.lower + 1)
    if true:
        assert found.lower <= true
    assert searched >= min(found.lower - 1, 3), "the certificate was not put to the test"
    if upper:
        assert true == 0 or true <= upper
        assert upper > searched or true == upper or true < upper
    return found.lower, true, upper


@pytest.mark.parametrize("grouped", [False, True])
def test_the_least_by_brute_force_lies_inside(grouped: bool) -> None:
    results = [check(random_problem(s, grouped=grouped)) for s in range(40)]
    kept = [r for r in results if r is not None]
    assert len(kept) > 30
    assert sum(r[0] > 1 for r in kept) >= 4  # certificates that say something
    assert sum(r[2] > 0 for r in kept) > 25
