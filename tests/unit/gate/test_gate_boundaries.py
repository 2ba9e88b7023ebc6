"""What happens exactly at a limit."""

from __future__ import annotations

from datetime import date

import pytest

from cr_audit.findings import FAIL_ON, Severity, reaches
from cr_audit.gate.boundaries import at_least, beyond_chance, exceeds, expired


def test_a_share_at_its_limit_is_allowed() -> None:
    assert not exceeds(0.05, 0.05)
    assert not exceeds(0.3 - 0.2, 0.1)  # 0.09999999999999998, and the other way round
    assert not exceeds(0.1 + 0.2, 0.3)
    assert exceeds(0.0501, 0.05)
    assert not exceeds(0.0, 0.0)


def test_a_count_at_its_limit_is_enough() -> None:
    assert [at_least(n, 3) for n in (2, 3, 4)] == [False, True, True]


def test_the_level_itself_is_still_chance() -> None:
    assert not beyond_chance(0.01, 0.99)
    assert beyond_chance(0.0099, 0.99)
    assert not beyond_chance(0.0099, 0.99, n_tests=2)
    assert beyond_chance(0.0049, 0.99, n_tests=2)
    assert beyond_chance(0.0049, 0.99, n_tests=0) is beyond_chance(0.0049, 0.99)


@pytest.mark.parametrize("fail_on", FAIL_ON)
def test_a_finding_of_the_severity_named_fails(fail_on: str) -> None:
    expected = {
        "never": [],
        "note": ["note", "warning", "error"],
        "warning": ["warning", "error"],
        "error": ["error"],
    }[fail_on]
    assert [s.value for s in Severity if reaches(s, fail_on)] == expected


def test_a_waiver_holds_through_its_last_day() -> None:
    day = date(2026, 6, 30)
    assert not expired(day, date(2026, 6, 30))
    assert expired(day, date(2026, 7, 1))
