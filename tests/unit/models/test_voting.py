"""Voting rules on margins, and the check of independence of clones."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cr_audit.arrays import Comparisons, FloatArray, IntArray
from cr_audit.models.ties.battles import battles
from cr_audit.models.voting.bootstrap import bootstrap_rules
from cr_audit.models.voting.independence import (
    check_independence,
    clone_sets,
    clone_sets_of_ballots,
    groups_as_sets,
)
from cr_audit.models.voting.lottery import central_path, lottery, programme, smith_sets
from cr_audit.models.voting.margins import drawn_margins, margin_matrix, observed
from cr_audit.models.voting.rules import (
    INDEPENDENT_OF_CLONES,
    RULES,
    widest_paths,
)


def matrix(m: int, values: dict[tuple[int, int], float]) -> FloatArray:
    out = np.zeros((m, m))
    for (i, j), v in values.items():
        out[i, j], out[j, i] = v, -v
    return out


def random_margins(m: int, rng: np.random.Generator, *, ties: bool = False) -> FloatArray:
    upper = np.triu(rng.permutation(m * m).reshape(m, m) + 1.0, 1)
    upper *= rng.choice([-1, 1], size=(m, m))
    if ties:
        upper = np.triu(rng.integers(-2, 3, size=(m, m)).astype(float), 1)
    return (upper - upper.T) / (m * m)


# a beats b by 3, b beats c by 2, c beats a by 1, and d loses to all.
CIRCLE = matrix(4, {(0, 1): 0.3, (1, 2): 0.2, (2, 0): 0.1, (0, 3): 0.5, (1, 3): 0.5, (2, 3): 0.5})


def test_a_circle_by_hand() -> None:
    def ranks(rule: str) -> list[int]:
        return RULES[rule](CIRCLE[None]).rank[0].tolist()

    # The weakest link, c over a, gives way: a over b over c.
    assert ranks("ranked-pairs") == [1, 2, 3, 4]
    assert ranks("schulze") == [1, 2, 3, 4]
    assert ranks("split-cycle") == [1, 2, 3, 4]
    # Mean margins: a .3 - .1 + .5, b -.3 + .2 + .5, c -.2 + .1 + .5.
    assert ranks("borda") == [1, 2, 2, 4]
    assert ranks("copeland") == [1, 1, 1, 4]
    # A circle a, b, c is played in the proportions (b over c) : (c over a) : (a over b).
    assert lottery(CIRCLE[None])[0] == pytest.approx([2 / 6, 1 / 6, 3 / 6, 0.0])
    assert smith_sets(CIRCLE[None])[0].tolist() == [True, True, True, False]


def test_split_cycle_may_leave_several_undefeated() -> None:
    even = matrix(3, {(0, 1): 0.2, (1, 2): 0.2, (2, 0): 0.2})
    assert RULES["split-cycle"](even[None]).winners[0].all()
    assert RULES["schulze"](even[None]).winners[0].all()
    assert RULES["split-cycle"](even[None]).rank[0].tolist() == [1, 1, 1]


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_a_condorcet_winner_wins_everywhere_but_under_borda(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    margins = random_margins(m, rng)
    margins[0, 1:], margins[1:, 0] = np.abs(margins[0, 1:]), -np.abs(margins[0, 1:])
    for name in set(RULES) - {"borda"}:
        assert np.flatnonzero(RULES[name](margins[None]).winners[0]).tolist() == [0], name


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_many_matrices_at_once_are_the_same_as_one_by_one(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    many = np.stack([random_margins(m, rng, ties=i % 2 == 1) for i in range(4)])
    for name, rule in RULES.items():
        together = rule(many)
        for i in range(4):
            alone = rule(many[i : i + 1])
            assert (together.rank[i] == alone.rank[0]).all(), name
            assert (together.winners[i] == alone.winners[0]).all(), name


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_widest_paths_by_enumeration(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    place = np.maximum(rng.integers(-9, 10, size=(m, m)), 0)
    wide = widest_paths(place[None].copy())[0]
    for x, y in itertools.permutations(range(m), 2):
        rest = [z for z in range(m) if z not in (x, y)]
        best = 0
        for k in range(len(rest) + 1):
            for inner in itertools.permutations(rest, k):
                path = [x, *inner, y]
                best = max(best, min(place[a, b] for a, b in itertools.pairwise(path)))
        assert wide[x, y] == best


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 7), st.booleans())
def test_a_lottery_is_not_beaten(seed: int, m: int, ties: bool) -> None:
    margins = random_margins(m, np.random.default_rng(seed), ties=ties)
    p = lottery(margins[None])[0]
    assert p.sum() == pytest.approx(1.0)
    assert (p >= 0).all()
    assert (p @ margins).min() >= -1e-9
    smith = smith_sets(margins[None])[0]
    assert p[~smith].sum() == 0.0


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(4, 30), st.floats(0.1, 1.0))
def test_the_path_draws_whom_the_linear_programme_draws(seed: int, m: int, known: float) -> None:
    """Margins of one or a few battles a pair, many of them level or never seen."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.integers(-2, 3, size=(m, m)) * (rng.random((m, m)) < known) / 2.0, 1)
    game = upper - upper.T
    if not game.any():
        return
    found = central_path(game)
    assert found is not None
    assert ((found > 0) == (programme(game) > 0)).all()
    assert (found @ game).min() >= -1e-9
    # Dropping items on the way does not change who is drawn, their order changes nothing.
    whole = central_path(game, drop=False)
    assert whole is not None
    assert ((found > 0) == (whole > 0)).all()
    p = rng.permutation(m)
    # Digits of the path's end: 1.9e-7 where rounding takes another order (seed 17, 14 items).
    assert central_path(game[np.ix_(p, p)]) == pytest.approx(found[p], abs=1e-6)


def test_of_several_lotteries_everybody_whom_any_draws_is_drawn() -> None:
    """a and b beat all others and not each other: every mixture of the two is a lottery."""
    game = matrix(5, {(0, 1): 0.0, (2, 3): 0.5, (3, 4): 0.5, (4, 2): 0.5}
                  | {(i, j): 0.25 for i in (0, 1) for j in (2, 3, 4)})  # fmt: skip
    assert lottery(game[None])[0] == pytest.approx([0.5, 0.5, 0.0, 0.0, 0.0], abs=1e-9)
    assert lottery(game[None])[0][2:].tolist() == [0.0, 0.0, 0.0]


def test_ranked_pairs_locks_equal_margins_in_by_the_order_of_the_items() -> None:
    # Of a circle of equal margins the last pair by winner, c over a, is left out.
    even = matrix(3, {(0, 1): 0.2, (1, 2): 0.2, (2, 0): 0.2})
    assert RULES["ranked-pairs"](even[None]).rank[0].tolist() == [1, 2, 3]
    # More items than a machine word has bits: a chain, and one pair against it.
    chain = matrix(70, {(i, i + 1): 0.5 for i in range(69)} | {(69, 0): 0.4})
    assert RULES["ranked-pairs"](chain[None]).rank[0].tolist() == list(range(1, 71))


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 6), st.booleans())
def test_smith_sets_by_enumeration(seed: int, m: int, ties: bool) -> None:
    margins = random_margins(m, np.random.default_rng(seed), ties=ties)
    for size in range(1, m + 1):
        sets = [
            s
            for s in itertools.combinations(range(m), size)
            if all(margins[i, j] > 0 for i in s for j in range(m) if j not in s)
        ]
        if sets:
            break
    assert np.flatnonzero(smith_sets(margins[None])[0]).tolist() == list(sets[0])


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(3, 7))
def test_the_order_of_items_does_not_matter(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    margins = random_margins(m, rng)
    p = rng.permutation(m)
    for name, rule in RULES.items():
        one = rule(margins[None]).rank[0]
        two = rule(margins[np.ix_(p, p)][None]).rank[0]
        assert (one[p] == two).all(), name


def with_clones(margins: FloatArray, item: int, n: int, rng: np.random.Generator) -> FloatArray:
    """``n`` more items that stand to everybody as ``item`` does."""
    m = margins.shape[0]
    at = np.r_[np.arange(m), np.full(n, item)]
    out = margins[np.ix_(at, at)]
    clones = np.r_[item, np.arange(m, m + n)]
    inner = random_margins(n + 1, rng) * 0.01
    out[np.ix_(clones, clones)] = inner
    return out


def rule_on(margins: FloatArray, name: str) -> Callable[[IntArray], IntArray]:
    return lambda kept: RULES[name](margins[np.ix_(kept, kept)][None]).rank[0]


def many_on(margins: FloatArray, name: str) -> Callable[[IntArray], IntArray]:
    return lambda kept: RULES[name](margins[kept[:, :, None], kept[:, None, :]]).rank


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_four_rules_are_independent_of_planted_clones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    margins = with_clones(random_margins(5, rng), int(rng.integers(5)), 2, rng)
    m = margins.shape[0]
    sets = clone_sets(margins)
    assert sets
    for name in INDEPENDENT_OF_CLONES:
        assert not check_independence(rule_on(margins, name), m, sets).winners, name
    for name in ("ranked-pairs", "schulze"):
        assert not check_independence(rule_on(margins, name), m, sets).order, name


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_many_selections_at_once_are_checked_as_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    margins = with_clones(random_margins(5, rng, ties=bool(seed % 2)), int(rng.integers(5)), 2, rng)
    m, sets = margins.shape[0], clone_sets(margins)
    for name in RULES:
        one = check_independence(rule_on(margins, name), m, sets)
        assert (
            check_independence(rule_on(margins, name), m, sets, many=many_on(margins, name)) == one
        )


def test_borda_depends_on_clones_by_hand() -> None:
    """a beats b narrowly, both beat c, b by more: with one more c, b passes a under Borda."""
    margins = matrix(3, {(0, 1): 0.3, (0, 2): 0.1, (1, 2): 0.6})
    more = with_clones(margins, 2, 1, np.random.default_rng(0))
    assert RULES["borda"](margins[None]).rank[0].tolist() == [1, 2, 3]
    assert RULES["borda"](more[None]).rank[0][:2].tolist() == [2, 1]
    sets = clone_sets(more)
    assert (2, 3) in [s.members for s in sets]
    found = check_independence(rule_on(more, "borda"), 4, sets)
    assert found.order
    assert found.order[0].removed in (2, 3)
    assert not check_independence(rule_on(more, "schulze"), 4, sets).order


def all_clone_sets(margins: FloatArray, tolerance: float) -> list[tuple[int, ...]]:
    m = margins.shape[0]
    out = []
    for size in range(2, m):
        for s in itertools.combinations(range(m), size):
            rest = [x for x in range(m) if x not in s]
            seen = margins[np.ix_(s, rest)]
            gone = np.isnan(seen)
            spread = np.ptp(np.where(gone, 0.0, seen), axis=0)
            if ((spread <= tolerance) | gone.all(axis=0)).all() and (
                gone.all(axis=0) == gone.any(axis=0)
            ).all():
                out.append(s)
    return out


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(["borda", "copeland", "schulze", "split-cycle"]))
def test_the_check_agrees_with_every_clone_set_there_is(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    some = random_margins(4, rng, ties=bool(seed % 2))
    if seed % 3 == 0:
        x, y = rng.choice(4, 2, replace=False)
        some[x, y] = some[y, x] = np.nan
    margins = with_clones(some, int(rng.integers(4)), 2, rng)
    m, rule = margins.shape[0], rule_on(margins, name)
    tolerance = float(rng.choice([0.0, 0.1, 0.3]))
    mine = check_independence(rule, m, clone_sets(margins, tolerance=tolerance))
    every = all_clone_sets(margins, tolerance)
    full = rule(np.arange(m))
    bad_winners = bad_order = False
    for s in every:
        for c in s:
            kept = np.array([x for x in range(m) if x != c])
            after = np.zeros(m, int)
            after[kept] = rule(kept)
            rest = [x for x in range(m) if x not in s]
            left = [x for x in s if x != c]
            bad_winners |= any((full[x] == 1) != (after[x] == 1) for x in rest)
            bad_winners |= any(full[x] == 1 for x in s) != any(after[x] == 1 for x in left)
            for x, y in itertools.permutations(rest, 2):
                bad_order |= bool(np.sign(full[x] - full[y]) != np.sign(after[x] - after[y]))
            for x in rest:
                before = np.sign(full[x] - min(full[z] for z in s))
                bad_order |= bool(before != np.sign(after[x] - min(after[z] for z in left)))
    assert bool(mine.winners) == bad_winners
    assert bool(mine.order) == bad_order


def test_smallest_clone_sets_by_hand() -> None:
    margins = with_clones(CIRCLE, 1, 1, np.random.default_rng(3))
    sets = [s.members for s in clone_sets(margins)]
    assert (1, 4) in sets
    # Everybody beats d by the same: the circle with its clone is a clone set, too.
    assert (0, 1, 2, 4) in sets
    assert all(len(s) < 5 for s in sets)
    wide = [s.members for s in clone_sets(CIRCLE, tolerance=2.0)]
    assert (0, 1) in wide
    assert len(wide) == 6


def test_a_pair_that_was_not_compared_is_like_another_one_only() -> None:
    """a beat c and b never met c: without a, c is no longer beaten, so they are no clones."""
    margins = matrix(3, {(0, 2): 0.5})
    margins[1, 2] = margins[2, 1] = np.nan
    assert (0, 1) not in [s.members for s in clone_sets(margins)]
    margins[0, 2] = margins[2, 0] = np.nan
    assert (0, 1) in [s.members for s in clone_sets(margins)]


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_independent_rules_stay_independent_where_pairs_are_missing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    margins = random_margins(6, rng)
    missing = np.triu(rng.random((6, 6)) < 0.5, 1)
    margins[missing | missing.T] = np.nan
    margins = with_clones(margins, int(rng.integers(6)), 2, rng)
    sets = clone_sets(margins)
    assert sets
    for name in INDEPENDENT_OF_CLONES:
        assert not check_independence(rule_on(margins, name), 8, sets).winners, name


def test_counting_who_is_above_is_no_order_where_pairs_are_missing() -> None:
    """Of a > b > c and d > c alone, b and d are level; counted, b has one above it and d none."""
    chain = matrix(4, {(0, 1): 0.3, (1, 2): 0.3, (3, 2): 0.3})
    assert RULES["schulze"](chain[None]).rank[0].tolist() == [1, 2, 4, 1]


def test_clone_sets_of_ballots_by_hand() -> None:
    # a b c d and d b a c: {a, b} and {a, b, c} stand together on both, {b, c} does not.
    positions = np.array([[0, 1, 2, 3], [2, 1, 3, 0]])
    assert [s.members for s in clone_sets_of_ballots(positions)] == [(0, 1), (0, 1, 2)]
    assert [s.members for s in groups_as_sets(np.array([0, 1, 0, -1]))] == [(0, 2)]


def test_margins_by_hand_and_resamples() -> None:
    c = Comparisons.of(3, [0, 0, 1, 0], [1, 1, 0, 2], [1.0, 1.0, 1.0, 0.5])
    rows = battles(c)
    expected = matrix(3, {(0, 1): 1 / 3})
    expected[1, 2] = expected[2, 1] = np.nan
    assert margin_matrix(rows) == pytest.approx(expected, nan_ok=True)
    assert observed(rows).tolist() == [[False, True, True], [True, False, False],
                                       [True, False, False]]  # fmt: skip
    blocks = list(drawn_margins(rows, 500, np.random.default_rng(0)))
    drawn = np.concatenate(blocks)
    assert drawn.shape == (500, 3, 3)
    assert np.array_equal(drawn, -drawn.transpose(0, 2, 1), equal_nan=True)
    assert np.nanmean(drawn[:, 0, 1]) == pytest.approx(1 / 3, abs=0.08)
    # Cells apart by a covariate are one pair.
    apart = battles(c, np.array([[0.0], [1.0], [0.0], [2.0]]))
    assert margin_matrix(apart) == pytest.approx(margin_matrix(rows), nan_ok=True)


def test_a_clear_winner_is_sure_and_a_tie_is_not() -> None:
    c = Comparisons.of(3, [0] * 40 + [1, 2] * 20, [1, 2] * 20 + [2, 1] * 20)
    out = bootstrap_rules(battles(c), n_replicates=200, rng=np.random.default_rng(0))
    assert [r.rule for r in out] == list(RULES)
    for r in out:
        assert r.winners.tolist() == [0], r.rule
        assert r.share_winning[0] == pytest.approx(1.0), r.rule
        assert r.rank_high[0] == 1
        # Whoever is not drawn by the lottery is second, all of them together.
        last = 2 if r.rule == "maximal-lottery" else 3
        assert (r.rank_low[1], r.rank_high[1]) == (2, last)


def test_who_was_compared_less_is_not_ranked_lower_by_borda() -> None:
    """a beat its one opponent by .5; b beat both of its by .4."""
    margins = matrix(3, {(0, 2): 0.5, (1, 2): 0.4, (0, 1): 0.0})
    margins[0, 1] = margins[1, 0] = np.nan
    assert RULES["borda"](margins[None]).rank[0].tolist() == [1, 2, 3]
    assert RULES["schulze"](margins[None]).winners[0].tolist() == [True, True, False]
