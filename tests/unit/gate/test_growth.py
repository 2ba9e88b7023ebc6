"""How many copies would be chance, and which cluster a turn hangs on: by hand and by drawing."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from cases import DISTINCT, labelled
from gate_cases import compared

from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.gate.growth import CloneRate, ClusterGain, Growth, copies_in
from cr_audit.gate.ranking_change import what_undoes

A, B, C, D, E = DISTINCT[:5]


def test_the_chance_of_a_cluster_is_a_binomial_tail_that_holds_its_own_count() -> None:
    """Three new copies among five new responses; the baseline's rate is (0 + 1/2) / (4 + 1)."""
    old = [labelled("Why?", A, x, None, "a") for x in (B, C, D)]
    new = [labelled("Why?", f"{A} {word}", x, None, "a")
           for word, x in (("indeed", B), ("surely", C), ("anyway", E))]  # fmt: skip
    new.append(labelled("Why?", "one two three four five six", DISTINCT[5], None, "a"))
    effect = compared(old, new, n_replicates=20)
    assert not isinstance(effect.growth, NotApplicable)
    (gain,) = effect.growth.gains
    n, k, p = gain.n_scope_new, int(gain.new.size), 0.5 / 5.0
    assert (gain.n_scope_old, n, k) == (4, 6, 3)
    at_least = sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    assert gain.chance == pytest.approx(at_least, rel=1e-9)


def test_the_chance_of_boilerplate_is_a_hypergeometric_tail_that_holds_its_own_count() -> None:
    refusal = "I am sorry, but I cannot help with that request. Please ask something else."
    rng = np.random.default_rng(0)

    def other() -> str:
        return " ".join(f"w{k}" for k in rng.integers(10**6, size=10))

    def ask(i: int, text: str) -> dict[str, object]:
        return labelled(f"Question number {i} {other()}?", text, other(), None, "a")

    old = [ask(i, refusal if i < 2 else other()) for i in range(10)]
    new = [ask(100 + i, refusal if i < 3 else other()) for i in range(5)]
    effect = compared(old, new, n_replicates=20)
    assert not isinstance(effect.growth, NotApplicable)
    (gain,) = effect.growth.gains
    assert (gain.scope, gain.n_old, gain.new.size) == ("boilerplate", 2, 3)
    n_all, n_new, n_marked = 30, 10, 5
    ways = [comb(n_marked, i) * comb(n_all - n_marked, n_new - i) for i in range(3, n_marked + 1)]
    assert gain.chance == pytest.approx(sum(ways) / comb(n_all, n_new), rel=1e-9)


def gain_of(new: list[int], n_old: int, n_rows: int) -> ClusterGain:
    """A cluster of these new alternatives and ``n_old`` old ones."""
    members = np.array([100 + k for k in range(n_old)] + new)
    nothing = dict.fromkeys(
        ("diameter", "item_share_before", "item_share_after", "scope_share_before",
         "scope_share_after", "weight_before", "weight_after", "weight_error", "chance"), 0.0
    )  # fmt: skip
    return ClusterGain(
        scope="response",
        members=members,
        new=np.array(new),
        n_texts=members.size,
        n_prompts=1,
        n_scope_old=1,
        n_scope_new=1,
        n_rows_new=n_rows,
        **nothing,
    )


def turned(n_by_first: int, n_by_second: int) -> tuple[Comparisons, tuple[np.ndarray, np.ndarray]]:
    """Items 0 and 1 meet item 2; alternatives 10 and 11 are new copies of item 2 in the rows that
    1 wins, and in nothing else. Before them 0 leads: 4 of 8 against 1's 2 of 8."""
    winner = [0] * 4 + [2] * 4 + [1] * 2 + [2] * 6
    loser = [2] * 4 + [0] * 4 + [2] * 2 + [1] * 6
    sides = [(w, l) for w, l in zip(winner, loser, strict=True)]
    for copy, n in ((10, n_by_first), (11, n_by_second)):
        winner += [1] * n
        loser += [2] * n
        sides += [(1, copy)] * n
    one, two = np.array(sides).T
    return Comparisons.of(3, np.array(winner), np.array(loser)), (one, two)


def rate_of_1(n: int) -> float:
    """Item 1's average win rate with ``n`` more wins against 2; an item ties with itself."""
    return (0.5 + (2 + n) / (8 + n)) / 2


def cause(n_by_first: int, n_by_second: int) -> tuple[bool, int, list[float]]:
    rows, sides = turned(n_by_first, n_by_second)
    grown = Growth(
        gains=(gain_of([10], 1, n_by_first), gain_of([11], 1, n_by_second)),
        rate=NotApplicable("x"),
        spread=NotApplicable("x"),
        n_tests=2,
    )
    before = 0.5 - rate_of_1(0)
    undone, index = what_undoes(rows, sides, (0, 1), before, grown, np.array([10, 11]), 12)
    whole = rate_of_1(n_by_first + n_by_second)
    moved = whole - rate_of_1(0)
    shares = [(whole - rate_of_1(n)) / moved for n in (n_by_second, n_by_first)]
    return undone, index, shares


def test_a_cause_undoes_at_least_half_of_the_change() -> None:
    undone, index, shares = cause(24, 4)
    assert undone
    assert index == 0
    assert shares[0] > 0.5 > shares[1]


def test_what_undoes_less_than_half_is_no_cause() -> None:
    """Either half of the copies alone leaves most of the change: no single cluster is to blame."""
    undone, index, shares = cause(20, 20)
    assert undone, "all copies together are"
    assert max(shares) < 0.5
    assert max(shares) > 0.1, "a smaller share than a half would do"
    assert index == -1


def test_exactly_half_is_enough_and_the_larger_part_wins() -> None:
    found = [
        (m, n)
        for m in range(1, 60)
        for n in range(1, 60)
        if 2 * (rate_of_1(m + n) - rate_of_1(n))
        == pytest.approx(rate_of_1(m + n) - rate_of_1(0), abs=1e-15)
    ]
    assert found, "a split in which the first cluster undoes exactly half"
    for m, n in found[:3]:
        _, index, shares = cause(m, n)
        assert shares[0] == pytest.approx(0.5, abs=1e-12)
        assert index == (0 if shares[1] < 0.5 + 1e-9 else 1)


def test_of_a_cluster_that_is_all_new_one_is_no_copy() -> None:
    gains = (gain_of([7, 8, 9], 0, 1), gain_of([3, 4], 2, 1))
    assert copies_in(gains).tolist() == [3, 4, 8, 9]
    assert copies_in(()).tolist() == []


def test_both_rates_are_named_by_their_scope() -> None:
    first, second = CloneRate(9, 1, 5, 2, 0.5, 0.1), NotApplicable("none")
    assert Growth((), first, second, 0).rates == {"response": first, "boilerplate": second}
