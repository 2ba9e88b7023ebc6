"""The quick cases of the table of hostile inputs, each against a process of its own."""

from __future__ import annotations

import sys

import pytest

from benchmarks.hostile.inputs import CASES, Case

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="limits and pipes are those of Linux"
)


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if c.quick], ids=lambda c: c.name)
def test_it_is_held(case: Case) -> None:
    from benchmarks.hostile.run import tried

    found = tried(case)
    assert not found.problem, (found.problem, found.said)
    assert found.n_bytes < 1_000_000_000
