"""Contexts of responses and models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cr_audit.weights.contexts as module
from cr_audit import engine
from cr_audit.arrays import JoinedRows
from cr_audit.errors import ComputeError
from cr_audit.weights.contexts import (
    model_gram,
    paired_contexts,
    points_from_gram,
    pseudo_prompt_vectors,
    response_contexts,
)


def unit(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = rng.standard_normal((n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 2**32 - 1))
def test_squared_distance_is_the_mean_of_the_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q, a, of = unit(rng, 3, 4), unit(rng, 6, 7), np.array([0, 1, 2, 0, 1, 2])
    c = response_contexts(q, a, of)
    gap = np.sum((c[:, None] - c) ** 2, axis=2)
    parts = np.sum((q[of][:, None] - q[of]) ** 2, axis=2), np.sum((a[:, None] - a) ** 2, axis=2)
    assert gap == pytest.approx((parts[0] + parts[1]) / 2, abs=1e-5)


def test_one_prompt_leaves_the_response_alone() -> None:
    a = unit(np.random.default_rng(0), 4, 5)
    assert np.array_equal(response_contexts(unit(np.random.default_rng(1), 3, 5), a, np.ones(4)), a)
    assert np.array_equal(response_contexts(None, a, np.arange(4)), a)


def test_taking_items() -> None:
    rng = np.random.default_rng(0)
    c = paired_contexts(unit(rng, 3, 4), unit(rng, 6, 7), np.array([0, 1, 2, 0, 1, 2]))
    some = np.array([5, 0, 3])
    assert np.array_equal(c.take(some).matrix(), c.matrix()[some])


def test_rows_joined_when_asked_for_are_those_of_the_matrix() -> None:
    rng = np.random.default_rng(0)
    c = paired_contexts(unit(rng, 3, 4), unit(rng, 6, 7), np.array([0, 1, 2, 0, 1, 2]))
    joined = JoinedRows(c.prompts, c.responses, c.prompt_of)
    assert (joined.shape, joined.nbytes) == ((6, 11), 264)
    for some in (slice(1, 4), np.array([5, 0, 3, 3]), slice(None)):
        assert np.array_equal(joined[some], c.matrix()[some])
        assert joined[some].dtype == np.float32
    assert np.array_equal(np.asarray(joined), c.matrix())
    assert np.array_equal(joined.astype(np.float64), c.matrix().astype(np.float64))


def test_large_contexts_are_joined_when_asked_for() -> None:
    responses, prompts = np.ones((1 << 17, 128), np.float32), np.ones((2, 8), np.float32)
    c = paired_contexts(prompts, responses, np.arange(1 << 17) % 2)
    with engine.using(memory=1 << 40):
        assert isinstance(c.rows(), np.ndarray)
    with engine.using(memory=1 << 28):
        assert isinstance(c.rows(), JoinedRows)


def test_shapes_are_checked() -> None:
    a = unit(np.random.default_rng(0), 4, 5)
    with pytest.raises(ValueError, match="disagree"):
        response_contexts(a, a, np.arange(3))
    with pytest.raises(ValueError, match="must lie in"):
        response_contexts(a, a, np.arange(1, 5))


def test_prompts_known_by_id_are_nearly_orthogonal_and_always_the_same() -> None:
    ids = np.random.default_rng(0).integers(0, 2**63, 500).astype(np.uint64)
    v = pseudo_prompt_vectors(ids, 100)
    assert np.linalg.norm(v, axis=1) == pytest.approx(1.0, abs=1e-6)
    off = (v @ v.T)[np.triu_indices(500, 1)]
    assert abs(off.mean()) < 0.002
    assert off.std() == pytest.approx(0.1, rel=0.02)
    assert np.array_equal(pseudo_prompt_vectors(ids[3:4], 100)[0], v[3])
    signs = (pseudo_prompt_vectors(np.array([0, 1], np.uint64), 8) > 0).astype(int)
    assert signs.tolist() == [[1, 1, 1, 1, 0, 1, 0, 1], [1, 0, 0, 0, 0, 0, 1, 1]]


def stacked(seed: int, k: int = 5, n: int = 9, d: int = 6) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(k * n)
    return unit(rng, k * n, d), (order % k), order // k


def test_complete_models_are_their_stacked_answers() -> None:
    a, model, prompt = stacked(0)
    found = model_gram(a, model, prompt, 5)
    rows = [a[np.flatnonzero(model == i)[np.argsort(prompt[model == i])]].ravel() for i in range(5)]
    v = np.stack(rows) / 3.0
    assert found.gram == pytest.approx(v @ v.T, abs=1e-6)
    assert found.distance == pytest.approx(np.linalg.norm(v[:, None] - v, axis=2), abs=1e-6)
    assert not found.projected
    assert found.negative_mass == 0.0
    assert np.all(found.n_shared == 9)


def test_distance_is_over_shared_prompts_and_blocks_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, model, prompt = stacked(1)
    keep = (model != 0) | (prompt < 4)
    a, model, prompt = a[keep], model[keep], prompt[keep]
    found = model_gram(a, model, prompt, 5)
    gaps = [
        a[(model == 0) & (prompt == p)][0] - a[(model == 1) & (prompt == p)][0] for p in range(4)
    ]
    assert found.n_shared[0, 1] == 4
    assert found.distance[0, 1] == pytest.approx(
        np.sqrt(np.mean([g @ g for g in np.array(gaps, dtype=float)])), abs=1e-6
    )
    monkeypatch.setattr(module, "_DENSE_CELLS", 5 * 6 * 2)
    again = model_gram(a, model, prompt, 5)
    assert again.gram == pytest.approx(found.gram, abs=1e-12)


def test_several_answers_to_a_prompt_count_by_their_mean() -> None:
    a, model, prompt = stacked(2)
    extra = np.array([np.flatnonzero((model == 2) & (prompt == 3))[0]])
    once = model_gram(a, model, prompt, 5)
    twice = model_gram(np.vstack([a, a[extra]]), np.append(model, 2), np.append(prompt, 3), 5)
    assert twice.gram == pytest.approx(once.gram, abs=1e-12)


def test_missing_prompts_are_projected_and_said() -> None:
    """A ~ B on one prompt, B ~ C on another, A opposite to C on a third: no such three vectors."""
    x, y = [1.0, 0.0], [-1.0, 0.0]
    a = np.array([x, x, x, x, x, y], dtype=np.float32)
    found = model_gram(a, np.array([0, 1, 1, 2, 0, 2]), np.array([0, 0, 1, 1, 2, 2]), 3)
    assert found.projected
    assert found.negative_mass == pytest.approx(1 / 5)  # eigenvalues 2, 2, -1
    assert np.linalg.eigvalsh(found.gram).min() > -1e-12
    assert found.distance[0, 2] == pytest.approx(2.0)


def test_pairs_without_a_shared_prompt_are_counted() -> None:
    a = unit(np.random.default_rng(0), 4, 3)
    found = model_gram(a, np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]), 3)
    assert found.n_pairs_filled == 1
    assert np.isnan(found.distance[0, 2])
    with pytest.raises(ComputeError, match="model 3 has no answer"):
        model_gram(a, np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]), 4)


def test_points_from_gram() -> None:
    a = np.random.default_rng(0).standard_normal((5, 8))
    a[3] = a[1]
    points, labels = points_from_gram(a @ a.T)
    assert points @ points.T == pytest.approx(a @ a.T, abs=1e-9)
    assert labels.tolist() == [0, 1, 2, 1, 4]
