"""The certified interval against trying every set, and what must hold for any votes."""

from __future__ import annotations

import numpy as np
import pytest
from flip_brute_force import Small, least, random_problem

from cr_audit.arrays import Comparisons, NotApplicable
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


def test_units_of_one_fit_share_what_is_solved_and_change_nothing() -> None:
    rng = np.random.default_rng(8)
    m, n = 12, 300
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    first = rng.random(n) < 1 / (1 + np.exp(0.2 * (a - b)))
    rows = Comparisons.of(m, np.where(first, a, b), np.where(first, b, a))
    units = rng.integers(15, size=n)
    w = np.full(m, 1 / m)
    shared = FlipAudit(rows, w, 0.03)
    for change in Change:
        shared.interval(shared.leader(), change)
        alone = FlipAudit(rows, w, 0.03, units=units)
        got, expected = (x.interval(x.leader(), change) for x in (shared.by(units), alone))
        assert (got.lower, got.upper, got.n_units) == (expected.lower, expected.upper, 15)
        np.testing.assert_array_equal(got.rows, expected.rows)


def test_iterated_systems_side_by_side_are_those_solved_alone() -> None:
    from scipy.sparse import csr_array, diags_array

    from cr_audit.models.sensitivity.solves import together

    rng = np.random.default_rng(4)
    n = 60
    links = csr_array(np.triu(rng.random((n, n)) < 0.1, 1).astype(float))
    links = links + links.T
    matrix = csr_array(diags_array(links.sum(axis=1) + 0.1) - links)
    rhs = rng.normal(size=(n, 5))
    rhs[:, 3] = 0.0
    found = together(matrix, 1.0 / matrix.diagonal(), rhs, 1e-11)
    np.testing.assert_allclose(found, np.linalg.solve(matrix.toarray(), rhs), atol=1e-8)
    alone = together(matrix, 1.0 / matrix.diagonal(), rhs[:, :1], 1e-11)
    np.testing.assert_allclose(found[:, :1], alone, atol=1e-13)
