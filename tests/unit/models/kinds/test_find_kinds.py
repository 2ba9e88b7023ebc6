"""Kinds that are there are found, and none where there are none."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cr_audit import engine
from cr_audit.arrays import Float32Array, IntArray, NotApplicable
from cr_audit.clones import meaning
from cr_audit.clones.nearest import nearest_graph
from cr_audit.models.kinds import find
from cr_audit.models.kinds.find import Kinds, adjusted_rand_index, find_kinds

RNG = np.random.default_rng


def planted(
    n_kinds: int, size: int, n_loose: int, seed: int, d: int = 24, spread: float = 0.12
) -> tuple[Float32Array, IntArray]:
    """Clouds around random directions, loose points around them, and one part common to all."""
    rng = RNG(seed)
    centres = rng.standard_normal((n_kinds, d))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    truth = np.concatenate([np.repeat(np.arange(n_kinds), size), np.full(n_loose, -1)])
    v = np.concatenate(
        [
            np.repeat(centres, size, axis=0) + spread * rng.standard_normal((n_kinds * size, d)),
            rng.standard_normal((n_loose, d)) / np.sqrt(d),
        ]
    )
    v += 3.0 * np.eye(d)[0]  # the part that says nothing
    order = rng.permutation(truth.size)
    v = v / np.linalg.norm(v, axis=1, keepdims=True)
    return v[order].astype(np.float32), truth[order]


def found(v: Float32Array, **given: int) -> Kinds:
    kinds = find_kinds(v, rng=RNG(1), **given)
    assert not isinstance(kinds, NotApplicable)
    return kinds


def test_planted_kinds_are_found_and_loose_points_are_of_none() -> None:
    v, truth = planted(5, 60, 150, 0)
    kinds = found(v)
    inside = truth >= 0
    assert len(kinds.kinds) >= 5
    assert adjusted_rand_index(kinds.labels[inside], truth[inside]) > 0.95
    assert (kinds.labels[~inside] < 0).mean() > 0.5  # nothing is forced
    assert kinds.agreement > 0.8
    for kind in kinds.kinds[:5]:
        assert kind.stability > 0.9
        assert truth[kind.medoid] == np.bincount(truth[kind.members] + 1).argmax() - 1


def test_clouds_have_no_kinds() -> None:
    """At most one of three gives one: the null is a draw itself."""
    made = [found(RNG(s).standard_normal((600, 40)).astype(np.float32)) for s in range(3)]
    assert sum(len(k.kinds) for k in made) <= 1
    assert any(isinstance(k.agreement, NotApplicable) for k in made)


def test_slices_along_strong_directions_are_few() -> None:
    """Six strong directions: large slices come back by that alone, as they do in the null."""
    n = 0
    for seed in range(2):
        scale = np.concatenate([np.full(6, 1.0), np.full(60, 0.15)])
        v = (RNG(seed).standard_normal((700, 66)) * scale).astype(np.float32)
        n += len(found(v).kinds)
    assert n <= 2


def test_most() -> None:
    v, _ = planted(6, 40, 60, 3)
    every, three = found(v), found(v, most=3)
    assert len(every.kinds) >= 6
    assert len(three.kinds) == 3
    held = {k.members.tobytes() for k in every.kinds}
    assert {k.members.tobytes() for k in three.kinds} <= held


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_the_rows_changes_nothing(seed: int) -> None:
    v, _ = planted(3, 30, 30, seed)
    v = np.concatenate([v, v[:7]])  # copies
    order = RNG(seed).permutation(v.shape[0])
    one, two = found(v), found(v[order])
    assert np.array_equal(one.labels[order], two.labels)
    assert one.agreement == two.agreement


def test_communities_are_the_same_each_time() -> None:
    """On a cloud, where nearly anything would do."""
    graph = nearest_graph(RNG(0).standard_normal((500, 20)).astype(np.float32), 80, rng=RNG(0))
    made = [find._communities(graph, np.arange(500), find.neighbours(500)) for _ in range(3)]
    for labels in made[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(labels, made[0], strict=True))


def test_same_bytes_on_one_and_two_cores() -> None:
    v, _ = planted(4, 60, 60, 5, spread=0.2)
    made = []
    for n in (1, 2):
        with engine.using(workers=n), threadpool_limits(n):
            made.append(found(v))
    assert made[0].labels.tobytes() == made[1].labels.tobytes()
    for a, b in zip(made[0].kinds, made[1].kinds, strict=True):
        for f in fields(a):
            assert np.array_equal(getattr(a, f.name), getattr(b, f.name))


def test_copies_have_one_kind_and_empty_rows_none() -> None:
    v, _ = planted(3, 40, 20, 6)
    v = np.concatenate([v, v[:50], np.zeros((5, v.shape[1]), np.float32)])
    kinds = found(v)
    n = v.shape[0] - 55
    assert np.array_equal(kinds.labels[n : n + 50], kinds.labels[:50])
    assert (kinds.labels[-5:] == -1).all()
    assert kinds.n_distinct == n
    for g, kind in enumerate(kinds.kinds):
        assert np.array_equal(kind.members, np.flatnonzero(kinds.labels == g))
        assert kind.medoid in kind.members
    sizes = [k.members.size for k in kinds.kinds]
    assert sizes == sorted(sizes, reverse=True)


def test_above_the_most_that_are_looked_at_the_others_join(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    v, truth = planted(4, 150, 100, 7)
    monkeypatch.setattr(meaning, "JOINED", 300)
    kinds = found(v)
    assert (kinds.n_seen, kinds.seen.size, kinds.n_distinct) == (300, 300, 700)
    rest = np.setdiff1d(np.flatnonzero(truth >= 0), kinds.seen)
    assert (kinds.labels[rest] >= 0).mean() > 0.9
    assert adjusted_rand_index(kinds.labels[rest], truth[rest]) > 0.9


def test_too_few() -> None:
    v, _ = planted(2, 10, 5, 8)
    assert find_kinds(v, rng=RNG(0)) == NotApplicable("fewer than 50 different texts")
    assert isinstance(find_kinds(np.zeros((80, 4), np.float32), rng=RNG(0)), NotApplicable)


def test_adjusted_rand_index_by_hand() -> None:
    """Hubert and Arabie's formula on two partitions of six: 4 pairs together in both."""
    a = np.array([0, 0, 0, 1, 1, 1])
    assert adjusted_rand_index(a, a) == 1.0
    assert adjusted_rand_index(a, np.array([5, 5, 5, 2, 2, 2])) == 1.0
    b = np.array([0, 0, 1, 1, 2, 2])
    # together in both: 1 + 0 + 0 + 1 = 2; in a 6, in b 3; expected 6 * 3 / 15
    assert adjusted_rand_index(a, b) == pytest.approx((2 - 1.2) / (4.5 - 1.2))


def test_adjusted_rand_index_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = RNG(0)
    for _ in range(20):
        a, b = rng.integers(0, 4, 50), rng.integers(-1, 3, 50)
        assert adjusted_rand_index(a, b) == pytest.approx(metrics.adjusted_rand_score(a, b))


def test_where_no_choice_of_kinds_comes_back_all_stay() -> None:
    labels = np.repeat([0, 1], 20)
    half = [(np.arange(40), [np.tile([0, 1], 20)])]
    kept, left, agreement = find._together([5, 6], labels, half, half)
    assert kept == [5, 6]
    assert np.array_equal(left, labels)
    assert agreement < find.TOGETHER


def test_the_kind_goes_without_which_the_others_agree() -> None:
    labels = np.repeat([0, 1, 2, -1], 20)
    good = np.repeat([0, 1, 3, 3], 20)
    good[40:44] = 1  # the third kind is one with what is of none
    half = [(np.arange(80), [good])]
    kept, left, agreement = find._together([5, 6, 7], labels, half, half)
    assert kept == [5, 6]
    assert left.tolist() == np.repeat([0, 1, -1, -1], 20).tolist()
    theirs = np.where(good == 0, 0, np.where(good == 1, 1, -1))
    assert agreement == pytest.approx(adjusted_rand_index(left, theirs))
    assert agreement >= find.TOGETHER


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=60))
def test_the_index_counts_pairs(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array(x) for x in zip(*pairs, strict=True))
    i, j = np.triu_indices(a.size, 1)
    one, two = a[i] == a[j], b[i] == b[j]
    chance = one.sum() * two.sum() / i.size
    top = (one.sum() + two.sum()) / 2
    expected = 1.0 if top == chance else ((one & two).sum() - chance) / (top - chance)
    assert adjusted_rand_index(a, b) == pytest.approx(expected)


def test_a_kind_that_falls_into_kinds_as_sure_is_shown_as_those() -> None:
    """Groups 0 to 9 of ten each: A is 0 to 4 as {0, 1}, {2, 3, 4}; B is 5 to 8, whose halves are
    far less stable than it; C is 9, in two of which one is no kind."""
    n = 100
    coarse = np.repeat([0, 0, 0, 0, 0, 1, 1, 1, 1, 2], 10)
    fine = np.repeat([0, 0, 1, 1, 1, 2, 2, 3, 3, 4], 10)
    fine[95:] = 5
    whole = [coarse, fine]
    candidates = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]
    stability = np.array([0.95, 0.95, 0.9, 0.85, 0.9, 0.7, 0.7, 0.9, 0.3])
    chosen, labels = find._chosen(whole, candidates, stability, stability >= 0.5, n)
    assert {candidates[k] for k in chosen} == {(1, 0), (1, 1), (0, 1), (0, 2)}
    for g, k in enumerate(chosen):
        r, group = candidates[k]
        assert np.array_equal(labels == g, whole[r] == group)
    # All of C in two kinds as sure as it is: then these.
    stability[[7, 8]] = 0.9
    chosen, _ = find._chosen(whole, candidates, stability, stability >= 0.5, n)
    assert {candidates[k] for k in chosen} == {(1, 0), (1, 1), (0, 1), (1, 4), (1, 5)}
