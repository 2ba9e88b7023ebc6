"""The ticks of plots: round, few, and around all that is drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.write.chart_svg import round_ticks

NUMBERS = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.3, 0.7, ["0.3", "0.4", "0.5", "0.6", "0.7"]),
        (-0.13, 0.061, ["-0.15", "-0.10", "-0.05", "0.00", "0.05", "0.10"]),
        (0.0, 2.01, ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]),
        (-130.0, 977.0, ["-250", "0", "250", "500", "750", "1000"]),
        (0.0, 0.0, ["0.0"]),
    ],
)
def test_ticks_by_hand(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in round_ticks(low, high)] == texts


@given(NUMBERS, NUMBERS)
def test_ticks_are_few_say_where_they_are_and_hold_the_range(one: float, two: float) -> None:
    low, high = min(one, two), max(one, two)
    ticks = round_ticks(low, high)
    size = high - low or 1.0
    assert ticks[0][0] <= low + 1e-6 * size
    assert ticks[-1][0] >= high - 1e-6 * size
    assert 1 <= len(ticks) <= 7
    for value, text in ticks:
        assert float(text) == pytest.approx(value, rel=1e-12, abs=1e-6 * size)
