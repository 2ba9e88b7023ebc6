"""Graph health against plain loops over tiny graphs."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.models.graph import Triads, graph_health


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparisons:
    m = draw(st.integers(2, 7))
    pairs = draw(
        st.lists(
            st.tuples(
                st.sampled_from(list(permutations(range(m), 2))), st.sampled_from([1.0, 0.5])
            ),
            max_size=25,
        )
    )
    who = draw(st.lists(st.integers(-1, 2), min_size=len(pairs), max_size=len(pairs)))
    return Comparisons.of(
        m, [p[0][0] for p in pairs], [p[0][1] for p in pairs], [p[1] for p in pairs], annotator=who
    )


def reachable(start: int, edges: set[tuple[int, int]]) -> set[int]:
    seen, todo = {start}, [start]
    while todo:
        x = todo.pop()
        for a, b in edges:
            if a == x and b not in seen:
                seen.add(b)
                todo.append(b)
    return seen


@given(comparisons())
def test_against_loops(c: Comparisons) -> None:
    got = graph_health(c, rng=rng())
    m = c.n_items
    rows = list(zip(c.winner.tolist(), c.loser.tolist(), c.outcome.tolist(), strict=True))
    beats = {(x, y) for x, y, _ in rows} | {(y, x) for x, y, o in rows if o == 0.5}
    touch = beats | {(y, x) for x, y in beats}
    compared = {x for x, _ in touch}
    for x in range(m):
        mates = {y for y in compared if got.component[y] == got.component[x]}
        strong = {y for y in compared if got.strong_component[y] == got.strong_component[x]}
        if x not in compared:
            assert (got.component[x], got.strong_component[x]) == (-1, -1)
        else:
            assert mates == reachable(x, touch)
            assert strong == {y for y in reachable(x, beats) if x in reachable(y, beats)}
            assert got.component_sizes[got.component[x]] == len(mates)
            # Ford's condition: everyone beats everyone else of the component, over a chain.
            assert got.fit_exists[got.component[x]] == (reachable(x, beats) == mates == strong)
    assert got.component_sizes.tolist() == sorted(got.component_sizes.tolist(), reverse=True)
    assert got.never_compared.tolist() == [x for x in range(m) if x not in compared]
    won = {x for x in compared if all(x != b and (x != a or o == 1) for a, b, o in rows)}
    lost = {x for x in compared if all(x != a and (x != b or o == 1) for a, b, o in rows)}
    assert (set(got.undefeated.tolist()), set(got.winless.tolist())) == (won, lost)
    n_rows = [sum(x in r[:2] for r in rows) for x in sorted(compared)]
    if n_rows:
        spread = got.comparisons_per_item
        assert (spread.minimum, spread.maximum) == (min(n_rows), max(n_rows))
        assert spread.median == np.median(n_rows)
        assert got.opponents_per_item.maximum == max(
            len({y for y in range(m) if (x, y) in touch}) for x in compared
        )
        assert got.density == len(touch) / 2 / len(list(combinations(compared, 2)))
    clear = [(x, y, a) for (x, y, o), a in zip(rows, c.annotator.tolist(), strict=True) if o == 1]
    both = {frozenset(p[:2]) for p in clear for q in clear if p[:2] == q[1::-1]}
    own = {frozenset(p[:2]) for p in clear for q in clear if p == (q[1], q[0], q[2]) and p[2] >= 0}
    assert (got.n_contradictory_pairs, got.n_self_contradictory_pairs) == (len(both), len(own))


@given(comparisons())
def test_triads_against_a_loop(c: Comparisons) -> None:
    share = {}
    for x, y, o in zip(c.winner.tolist(), c.loser.tolist(), c.outcome.tolist(), strict=True):
        share.setdefault((x, y), []).append(o)
        share.setdefault((y, x), []).append(1 - o)
    full = [
        t for t in combinations(range(c.n_items), 3) if all(p in share for p in combinations(t, 2))
    ]

    def over(x: int, y: int) -> bool:
        return float(np.mean(share[x, y])) > 0.5

    cyclic = [
        (x, y, z)
        for x, y, z in full
        if (over(x, y) and over(y, z) and over(z, x)) or (over(y, x) and over(z, y) and over(x, z))
    ]
    got = graph_health(c, rng=rng()).triads
    if not full:
        assert isinstance(got, NotApplicable)
    else:
        assert isinstance(got, Triads)
        assert (got.n, got.n_cyclic, got.exact) == (len(full), len(cyclic), True)
        assert got.share == len(cyclic) / len(full)


def test_sampled_triads_agree_with_the_count() -> None:
    draw = np.random.default_rng(4)
    i = draw.integers(60, size=4000)
    c = Comparisons.of(60, i, (i + 1 + draw.integers(40, size=4000)) % 60)
    exact = graph_health(c, rng=rng()).triads
    sampled = graph_health(c, max_wedges=0, n_triad_samples=50_000, rng=rng()).triads
    assert isinstance(exact, Triads)
    assert isinstance(sampled, Triads)
    assert exact.exact
    assert not sampled.exact
    assert abs(sampled.share - exact.share) < 4 * sampled.standard_error
    assert 0 < sampled.standard_error < 0.01
    assert sampled.n == pytest.approx(exact.n, rel=0.03)


def test_a_circle_of_three_is_cyclic_and_has_a_fit() -> None:
    got = graph_health(Comparisons.of(3, [0, 1, 2], [1, 2, 0]), rng=rng())
    assert got.unpenalised_fit_exists
    assert got.triads == Triads(1, 1, 1.0, 0.0, 0)
    assert got.density == 1


def test_a_ladder_has_no_fit() -> None:
    got = graph_health(Comparisons.of(3, [0, 0, 1], [1, 2, 2]), rng=rng())
    assert not got.unpenalised_fit_exists
    assert got.undefeated.tolist() == [0]
    assert got.winless.tolist() == [2]
    assert got.n_strong_components == 3
    assert got.triads == Triads(1, 0, 0.0, 0.0, 0)


def test_one_component_may_have_a_fit_and_another_not() -> None:
    c = Comparisons.of(7, [0, 1, 2, 4], [1, 2, 0, 5])
    got = graph_health(c, rng=rng())
    assert got.component.tolist() == [0, 0, 0, -1, 1, 1, -1]
    assert got.component_sizes.tolist() == [3, 2]
    assert got.fit_exists.tolist() == [True, False]
    assert got.never_compared.tolist() == [3, 6]


def test_who_dominates() -> None:
    c = Comparisons.of(2, [0] * 4, [1] * 4, annotator=[5, 2, 5, -1], prompt=[0, 1, 2, 2])
    got = graph_health(c, rng=rng())
    assert got.largest_annotator.index == 5  # type: ignore[union-attr]
    assert got.largest_annotator.n_comparisons == 2  # type: ignore[union-attr]
    assert got.largest_annotator.share == 0.5  # type: ignore[union-attr]
    assert got.largest_annotator.n_distinct == 2  # type: ignore[union-attr]
    assert got.largest_prompt.index == 2  # type: ignore[union-attr]
    bare = graph_health(Comparisons.of(2, [0], [1]), rng=rng())
    assert isinstance(bare.largest_annotator, NotApplicable)
    assert isinstance(bare.largest_prompt, NotApplicable)


@pytest.mark.parametrize("m", [0, 1, 3])
def test_nothing_was_compared(m: int) -> None:
    got = graph_health(Comparisons.of(m, [], []), rng=rng())
    assert (got.n_components, got.n_pairs, got.density) == (0, 0, 0.0)
    assert got.never_compared.tolist() == list(range(m))
    assert isinstance(got.triads, NotApplicable)


def test_a_large_forest_is_quick() -> None:
    n = 200_000
    c = Comparisons.of(2 * n, np.arange(n), np.arange(n) + n)
    got = graph_health(c, rng=rng())
    assert got.n_components == n
    assert not got.fit_exists.any()
