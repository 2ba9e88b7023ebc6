"""[CR] Definitions 2.2/2.4 and 4.2/4.3 (numbers of the two versions of the paper) and Table 3."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from cr_audit.arrays import Comparisons
from cr_audit.models.rankings import WinRates, win_rates
from cr_audit.simulate import clone_robust

SHARES = (Fraction(4, 10), Fraction(3, 10), Fraction(3, 10))
EXP_REWARDS = ((100, 10, 1), (10, 1, 100), (1, 100, 10))


def exact_matrix(copies_of_c: int) -> list[list[Fraction]]:
    """Table 2 as fractions: a, b, and c as often as asked."""
    rows = [*EXP_REWARDS[:2], *[EXP_REWARDS[2]] * copies_of_c]
    return [
        [sum(s * Fraction(u, u + v) for s, u, v in zip(SHARES, x, y, strict=True)) for y in rows]
        for x in rows
    ]


def rates(matrix: list[list[Fraction]], weights: list[float] | None = None) -> WinRates:
    p = np.array(matrix, dtype=float)
    i, j = np.nonzero(~np.eye(len(p), dtype=bool))
    w = np.full(len(p), 1 / len(p)) if weights is None else np.array(weights)
    return win_rates(Comparisons.of(len(p), i, j, mass=p[i, j]), w)


@pytest.mark.parametrize("copies", [1, 2, 3, 4])
def test_definition_2_4_borda_count_and_average_win_rate(copies: int) -> None:
    p = exact_matrix(copies)
    got = rates(p)
    np.testing.assert_allclose(got.borda, [float(sum(row)) for row in p], atol=1e-12)
    np.testing.assert_allclose(got.average, [float(sum(row) / len(p)) for row in p], atol=1e-12)


def test_table_3_copies_of_c_make_b_win() -> None:
    """Printed: 1.59, 1.5, 1.41 without copies; 2.04, 2.14, 1.91, 1.91 with one."""
    np.testing.assert_allclose(rates(exact_matrix(1)).borda, [1.59, 1.5, 1.41], atol=0.005)
    np.testing.assert_allclose(rates(exact_matrix(2)).borda, [2.04, 2.14, 1.91, 1.91], atol=0.005)
    leaders = [rates(exact_matrix(k)).leaders_average.tolist() for k in (1, 2, 3, 4)]
    assert leaders == [[0], [1], [1], [1]]


@pytest.mark.parametrize(
    "weights", [[1 / 3, 1 / 3, 1 / 6, 1 / 6], [0.34, 0.239875, 0.025, 0.395125]]
)
def test_definition_4_3_weighted_average_win_rate(weights: list[float]) -> None:
    p = exact_matrix(2)
    expected = [sum(w * float(x) for w, x in zip(weights, row, strict=True)) for row in p]
    np.testing.assert_allclose(rates(p, weights).weighted, expected, atol=1e-12)


@pytest.mark.parametrize("copies", [2, 3, 4])
def test_definition_4_3_copies_that_share_one_weight_change_nothing(copies: int) -> None:
    got = rates(exact_matrix(copies), [1 / 3, 1 / 3, *[1 / 3 / copies] * copies])
    alone = rates(exact_matrix(1))
    np.testing.assert_allclose(got.weighted, alone.average[[0, 1, *[2] * copies]], atol=1e-12)
    assert got.leaders_weighted.tolist() == [0]
    assert got.leaders_average.tolist() == [1]


@pytest.mark.parametrize("copies", [1, 3, 6])
def test_the_sample_data_is_table_2_with_larger_margins(copies: int) -> None:
    """b passes a at 1/(2 + copies) < 0.22, up to how deterministic the tastes are."""
    kinds = [0, 1, *[2] * copies]
    share = np.array(clone_robust.TYPE_SHARES)
    p = [[Fraction(float(clone_robust.preference(x, y) @ share)) for y in kinds] for x in kinds]
    got = rates(p)
    margin = float(got.average[0] - got.average[1])
    assert margin == pytest.approx(1 / (2 + copies) - 0.22, abs=0.02)
    assert got.leaders_average.tolist() == [0 if copies < 3 else 1]
