"""Labels: numbering, joining and cutting, against values by hand and a slow search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.labels import alone_apart, cluster_labels, connected, contiguous


def test_numbers_by_first_appearance() -> None:
    labels = np.array([7, -1, 3, 7, 0, -1, 3])
    assert contiguous(labels).tolist() == [0, -1, 1, 0, 2, -1, 1]
    assert contiguous(np.array([-1, -1])).tolist() == [-1, -1]
    assert contiguous(np.zeros(0, np.int64)).size == 0


def test_those_without_a_label_are_alone() -> None:
    assert alone_apart(np.array([5, -1, 5, -1, 0])).tolist() == [5, 6, 5, 7, 0]
    assert alone_apart(np.array([-1, -1])).tolist() == [0, 1]
    assert cluster_labels(np.array([5, -1, 5, -1, 0]), 5).tolist() == [1, 2, 1, 3, 0]
    assert cluster_labels(None, 3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="expected"):
        cluster_labels(np.zeros(2, np.int64), 3)


def reached(n: int, links: list[tuple[int, int]], start: int) -> set[int]:
    """Who can be reached from ``start`` along the arrows, by search."""
    seen, todo = {start}, [start]
    while todo:
        x = todo.pop()
        for a, b in links:
            if a == x and b not in seen:
                seen.add(b)
                todo.append(b)
    return seen


@given(st.integers(1, 9), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=14))
def test_components_are_those_of_a_search(n: int, pairs: list[tuple[int, int]]) -> None:
    links = [(a % n, b % n) for a, b in pairs]
    first = np.array([a for a, _ in links], dtype=np.int64)
    second = np.array([b for _, b in links], dtype=np.int64)
    mirrored = links + [(b, a) for a, b in links]
    weak, strong = connected(n, first, second), connected(n, first, second, both_ways=True)
    for x in range(n):
        for y in range(n):
            assert (weak[x] == weak[y]) == (y in reached(n, mirrored, x))
            both = y in reached(n, links, x) and x in reached(n, links, y)
            assert (strong[x] == strong[y]) == both
    for labels in (weak, strong):
        assert labels.dtype == np.int64
        _, where = np.unique(labels, return_index=True)
        assert (np.diff(where) > 0).all(), "numbered by their smallest items"
