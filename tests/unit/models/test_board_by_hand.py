"""What a leaderboard prints of simple battles, with the numbers written out."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons
from cr_audit.models.style import density_difference, length_difference, scaled
from cr_audit.models.ties.battles import battles
from cr_audit.models.ties.fit import ELO_PER_LOG_ODDS, fit_ties
from cr_audit.models.voting.rules import RULES


def test_length_and_density_by_hand() -> None:
    """300 against 100 characters: (300 - 100)/400; six headings in them against one: densities of
    1/50 and 1/100, (2 - 1)/(2 + 1). Nothing against nothing is no difference."""
    length = np.array([300.0, 100.0, 0.0, 0.0])
    count = np.array([6.0, 1.0, 0.0, 0.0])
    a, b = np.array([0, 2]), np.array([1, 3])
    assert length_difference(length, a, b) == pytest.approx([0.5, 0.0])
    assert density_difference(count, length, a, b) == pytest.approx([1 / 3, 0.0])
    # √((0.6² + 0.8² + 0)/3) is one unit; a column of zeros says nothing and is left out.
    made = scaled({"length": np.array([0.6, -0.8, 0.0]), "lists": np.zeros(3)})
    assert made.names == ("length",)
    assert made.scale == pytest.approx([np.sqrt(1 / 3)])
    assert made.values[:, 0] == pytest.approx(np.array([0.6, -0.8, 0.0]) * np.sqrt(3))


def test_elo_by_hand() -> None:
    """400 points are odds of 10 to 1; 10 wins of 11 are just that."""
    rows = Comparisons.of(2, [0] * 10 + [1], [1] * 10 + [0])
    fit = fit_ties(battles(rows), "bradley-terry", prior_precision=1e-9)
    assert ELO_PER_LOG_ODDS * (fit.rewards[0] - fit.rewards[1]) == pytest.approx(400.0, abs=1e-3)


def test_style_takes_out_what_length_wins_by_hand() -> None:
    """Two models of equal worth; the longer answer wins three of four. Half of the battles have
    the first model's answer longer, 48 of 64; in 16 of 64 the second's. The longer one's odds are
    3 to 1 whoever wrote it, so that β = ln 3 and the models are level; without the covariate the
    first wins (36 + 4)/64 and leads by ln(40/24)."""
    first_long = [1.0] * 36 + [-1.0] * 12
    second_long = [1.0] * 4 + [-1.0] * 12
    won = np.array(first_long + second_long) > 0
    longer = np.array([1.0] * 48 + [-1.0] * 16)  # of the first model's answer
    w, l = np.where(won, 0, 1), np.where(won, 1, 0)
    rows = Comparisons.of(2, w, l)
    column = scaled({"length": np.where(won, longer, -longer)})
    plain = fit_ties(battles(rows), "bradley-terry", prior_precision=1e-9)
    assert plain.rewards[0] - plain.rewards[1] == pytest.approx(np.log(40 / 24), abs=1e-5)
    held = fit_ties(battles(rows, column.values), "bradley-terry", prior_precision=1e-9)
    assert held.rewards[0] - held.rewards[1] == pytest.approx(0.0, abs=1e-5)
    assert held.effects == pytest.approx([np.log(3.0)], abs=1e-5)


def test_four_rules_on_margins_that_tell_them_apart_by_hand() -> None:
    """Margins a > b 5, b > c 4, c > a 1, d > a 3, b > d 2, d > c 0 (level).

    Ranked pairs: a > b, b > c and d > a lock in (d > a > b > c); b > d would close a circle
    d > a > b > d and c > a another one: d wins. Split cycle: d > a (3) is the weakest link of no
    circle that it closes, since b > d (2) is weaker; a is beaten by d; b by a (5: in d > a > b > d
    the weakest is 2, so it stands); c by b (4); d's only defeat, b > d, is the weakest of its
    circle and is dropped: d alone is undefeated. Schulze: d to a 3, a to d min(5, 2) = 2: d beats
    a; d to b 3 against 2; d to c 3 against 1. All agree on d; Copeland puts b first, who beats two
    (c, d) where a beats one, d one and c one."""
    m = np.zeros((4, 4))
    for x, y, v in ((0, 1, 5), (1, 2, 4), (2, 0, 1), (3, 0, 3), (1, 3, 2)):
        m[x, y], m[y, x] = v / 10, -v / 10
    for rule in ("ranked-pairs", "schulze", "split-cycle"):
        assert RULES[rule](m[None]).winners[0].tolist() == [False, False, False, True]
    assert RULES["ranked-pairs"](m[None]).rank[0].tolist() == [2, 3, 4, 1]
    assert RULES["copeland"](m[None]).winners[0].tolist() == [False, True, False, False]
