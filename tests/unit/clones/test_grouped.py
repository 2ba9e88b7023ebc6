"""Pairs of small groups against the search that tells groups apart by their shingles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.arrays import IntArray
from cr_audit.clones import pairs
from cr_audit.clones.added import GrowingIndex, TextSets
from cr_audit.clones.grouped import GroupedIndex, are_small, grouped_pairs, pairs_of_one_group
from cr_audit.clones.pairs import TextIndex, text_pairs
from cr_audit.clones.shingles import Shingles, text_distance

WORDS = st.lists(st.sampled_from(list("abcdefghijkl")), max_size=14).map(" ".join)

Units = list[tuple[str, int]]


def units_of(given_: Units) -> tuple[IntArray, IntArray, Shingles]:
    """Which text each unit is, its group, and the sets of the texts."""
    texts = sorted({t for t, _ in given_})
    text = np.array([texts.index(t) for t, _ in given_], np.int64)
    return text, np.array([g for _, g in given_], np.int64), Shingles.of(texts)


@given(st.lists(st.tuples(WORDS, st.integers(-1, 3)), unique=True, max_size=16), st.data())
def test_pairs_and_distances_are_those_of_the_search(given_: Units, data: st.DataObject) -> None:
    text, group, shingles = units_of(given_)
    index = GroupedIndex(TextIndex(shingles), text, group)
    other = TextIndex(shingles.within(text, group + 1))
    radius = data.draw(st.sampled_from([0.0, 0.4, 0.55]))
    found, known = grouped_pairs(index, group, radius), text_pairs(other, radius)
    assert found.first.tolist() == known.first.tolist()
    assert found.second.tolist() == known.second.tolist()
    assert found.distance.tolist() == pytest.approx(known.distance.tolist())
    some = np.flatnonzero(index.comparable)
    if some.size:
        assert index.among(some) == pytest.approx(other.among(some))
        two = ~np.eye(some.size, dtype=bool)  # no search asks how far a unit is from itself
        to_all = index.to_all(some)[:, some][two]
        assert to_all == pytest.approx(other.to_all(some)[:, some][two])
        first, second = (
            np.repeat(some, some.size)[two.ravel()],
            np.tile(some, some.size)[two.ravel()],
        )
        assert index.distances(first, second) == pytest.approx(other.distances(first, second))


@given(st.lists(st.tuples(WORDS, st.integers(-1, 3)), unique=True, max_size=16), st.data())
def test_rows_within_a_radius_are_those_of_all_distances(
    given_: Units, data: st.DataObject
) -> None:
    """Of texts, of units of groups, and of a growing index; in blocks of three texts."""
    text, group, shingles = units_of(given_)
    of_texts = TextIndex(shingles)
    indices = [
        of_texts,
        GroupedIndex(of_texts, text, group),
        GrowingIndex(TextSets(shingles), np.empty(0, np.int64)),
    ]
    radius = data.draw(st.sampled_from([0.0, 0.4, 0.55, 0.9]))
    for index in indices:
        if not index.n:
            continue
        rows = data.draw(st.sets(st.integers(0, index.n - 1), min_size=1))
        some = np.array(sorted(rows), np.int64)
        distance = index.to_all(some)
        expected = {
            (i, j)
            for i, j in zip(*np.nonzero(distance <= radius), strict=True)
            if index.comparable[some[i]] and index.comparable[j] and some[i] != j
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pairs, "_FEW_ROWS", 3)
            i, j = index.within(some, radius)
        found = [(a, b) for a, b in zip(i.tolist(), j.tolist(), strict=True) if some[a] != b]
        assert len(found) == len(set(found))
        assert set(found) == expected


@given(st.lists(st.integers(-1, 4), max_size=20))
def test_pairs_of_one_group_are_all_of_them(groups: list[int]) -> None:
    n = len(groups)
    expected = [(i, j) for i in range(n) for j in range(i + 1, n) if groups[i] == groups[j]]
    first, second = pairs_of_one_group(np.array(groups, np.int64))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == expected


def test_groups_of_two_are_small_and_one_of_a_hundred_is_not() -> None:
    assert are_small(np.repeat(np.arange(1000), 2))
    assert are_small(np.full(17, -1))
    assert not are_small(np.zeros(100, np.int64))


def test_words_are_told_from_pairs() -> None:
    words = Shingles.of(["red fish blue fish", "?!", "one"]).words()
    assert words.sizes.tolist() == [3, 2, 1]
    assert text_distance("red fish", "fish red") == pytest.approx(1 - 2 / 4)
