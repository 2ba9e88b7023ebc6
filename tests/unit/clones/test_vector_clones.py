"""Clones of data that has vectors and no texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.clones.vectors import DEFAULT_VECTOR_RADIUS, find_vector_clones


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def report(vectors: np.ndarray, prompt_of: np.ndarray, radius: float = DEFAULT_VECTOR_RADIUS):
    prompts = np.eye(int(prompt_of.max()) + 1, vectors.shape[1], dtype=np.float32)
    rng = np.random.default_rng(0)
    return find_vector_clones(vectors, prompts, prompt_of, radius=radius, rng=rng)


def data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three prompts, four distinct responses each, the first with two near copies and one equal."""
    rng = np.random.default_rng(seed)
    rows, prompt_of = [], []
    for prompt in range(3):
        base = unit(rng.standard_normal((4, 64)))
        near = unit(base[:1] + 0.005 * rng.standard_normal((2, 64)))
        rows += [base, near, base[:1]]
        prompt_of += [prompt] * 7
    return np.vstack(rows).astype(np.float32), np.array(prompt_of, dtype=np.int64)


def test_near_and_equal_vectors_under_one_prompt_are_found() -> None:
    vectors, prompt_of = data(1)
    found = report(vectors, prompt_of)
    near = [c for c in found.clusters if c.kind == "near"]
    exact = [c for c in found.clusters if c.kind == "exact"]
    assert sorted(c.members.tolist() for c in near) == [
        [0, 4, 5, 6],
        [7, 11, 12, 13],
        [14, 18, 19, 20],
    ]
    assert sorted(c.members.tolist() for c in exact) == [[0, 6], [7, 13], [14, 20]]
    assert all(c.diameter <= DEFAULT_VECTOR_RADIUS for c in near)
    assert found.labels.n_groups == 12
    assert found.neighbours.index == "exact"


def test_one_vector_under_two_prompts_is_no_clone() -> None:
    vectors = unit(np.random.default_rng(2).standard_normal((1, 8)))
    found = report(np.vstack([vectors, vectors]), np.array([0, 1]))
    assert found.clusters == ()


def test_the_distance_is_that_of_the_responses_own_vectors() -> None:
    angle = 0.2
    vectors = np.array([[1, 0, 0], [np.cos(angle), np.sin(angle), 0], [0, 0, 1]], np.float32)
    chord = 2 * np.sin(angle / 2)
    for prompts in (np.zeros(3, np.int64), np.array([0, 0, 1])):
        assert len(report(vectors, prompts, chord + 1e-4).clusters) == 1
        assert len(report(vectors, prompts, chord - 1e-4).clusters) == 0
        cluster = report(vectors, prompts, chord + 1e-4).clusters[0]
        assert cluster.diameter == pytest.approx(chord, abs=1e-6)


@given(st.permutations(list(range(21))), st.integers(0, 5))
def test_the_order_of_the_rows_does_not_matter(order: list[int], seed: int) -> None:
    vectors, prompt_of = data(seed)
    index = np.array(order)
    plain = {frozenset(c.members.tolist()) for c in report(vectors, prompt_of).clusters}
    shuffled = report(vectors[index], prompt_of[index]).clusters
    assert {frozenset(index[c.members].tolist()) for c in shuffled} == plain


def test_a_radius_of_one_or_more_is_refused() -> None:
    vectors, prompt_of = data(3)
    with pytest.raises(ValueError, match="radius"):
        report(vectors, prompt_of, 1.0)
