"""[CR] Table 1: two populations with the same comparisons and mean rewards any distance apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

SMALLEST = math.log(2) ** 2
ERRORS = (SMALLEST, 1.0, 4.0, 9.0)


@dataclass(frozen=True, slots=True)
class Table1Row:
    """Both populations for one C; half of each are of either type, and r(a) = 0 for everybody.

    rewards_one, rewards_two : r(b) of the two types. mean_one, mean_two : their means. p_one, p_two
    : Pr(a preferred to b). most_one : the largest |r(a) - r(b)| within an error C of population one
    (Eq. 5); least_two : the smallest within C of population two (Eq. 6). unavoidable : squared
    errors of a and b together half way between both, (mean_two - mean_one)^2 / 8: no answer has
    less in both.
    """

    error: float
    rewards_one: tuple[float, float]
    rewards_two: tuple[float, float]
    mean_one: float
    mean_two: float
    p_one: float
    p_two: float
    most_one: float
    least_two: float
    unavoidable: float


@dataclass(frozen=True, slots=True)
class Table1:
    """One row per C."""

    rows: tuple[Table1Row, ...]


def table_1(errors: tuple[float, ...] = ERRORS) -> Table1:
    """The populations of [CR] Table 1, and the two bounds of the proof of Theorem 2.3 (2.2).

    errors : values of C, at least (ln 2)^2, or ValueError.
    """
    return Table1(tuple(_row(c) for c in errors))


def _row(c: float) -> Table1Row:
    if not c >= SMALLEST:
        raise ValueError(f"C must be at least (ln 2)^2 = {SMALLEST:.4f}, not {c}")
    k = math.exp(12 * math.sqrt(c))
    one = (math.log(2), math.log(2))
    two = (math.log(k), math.log(k + 4) - math.log(2 * k - 1))
    means = [sum(r) / 2 for r in (one, two)]
    p = [sum(1 / (1 + math.exp(b)) for b in r) / 2 for r in (one, two)]
    return Table1Row(
        error=c,
        rewards_one=one,
        rewards_two=two,
        mean_one=means[0],
        mean_two=means[1],
        p_one=p[0],
        p_two=p[1],
        most_one=math.log(2) + 2 * math.sqrt(c),
        least_two=4 * math.sqrt(c) - math.log(2) / 2,
        unavoidable=(means[1] - means[0]) ** 2 / 8,
    )
