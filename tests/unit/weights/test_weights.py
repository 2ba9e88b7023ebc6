"""Voronoi, cluster and uniform weights: invariances, errors, determinism, cautions."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cr_audit.weights.sampling as voronoi
from cr_audit.errors import ComputeError, UsageError
from cr_audit.weights.contexts import paired_contexts
from cr_audit.weights.estimates import CAUTIONS, Weights, merge_duplicates
from cr_audit.weights.schemes.cluster import cluster_weights
from cr_audit.weights.schemes.uniform import uniform_weights
from cr_audit.weights.spaces import SPACES, Box
from cr_audit.weights.voronoi import voronoi_weights, weights_from_gram, weights_from_hits


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def points(m: int, d: int, seed: int = 0) -> np.ndarray:
    return rng(seed).standard_normal((m, d))


# --- what every estimate holds -------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(1, 5), st.sampled_from(SPACES), st.integers(0, 2**32 - 1))
def test_weights_are_a_distribution(m: int, d: int, space: str, seed: int) -> None:
    x = np.round(points(m, d, seed), 1)
    w = voronoi_weights(x, space=space, min_samples=2000, rng=rng(seed))
    assert w.weights.sum() == pytest.approx(1.0)
    assert np.all(w.weights >= 0)
    assert w.hits is not None
    assert w.hits.sum() == w.n_samples >= 2000
    assert w.n_cells + w.n_merged == m
    assert w.effective_number == pytest.approx(1 / np.sum(w.weights**2))
    assert 1 <= w.effective_number_corrected <= m
    assert w.zero_share == np.mean(w.weights == 0)
    assert w.zero_upper_bound == 3 / w.n_samples
    assert w.max_relative_error == pytest.approx(np.sqrt((w.n_cells - 1) / w.n_samples))
    assert w.reached == ("precision-not-reached" not in w.cautions)
    assert set(w.cautions) <= set(CAUTIONS)
    equal = (x[:, None] == x[None]).all(axis=2)
    assert np.all((w.cells[:, None] == w.cells[None]) >= equal)
    for i, j in zip(*np.nonzero(equal), strict=True):
        assert w.weights[i] == w.weights[j]


def test_one_item_has_everything() -> None:
    for space in SPACES:
        w = voronoi_weights([[0.2, -0.4]], space=space, rng=rng())
        assert w.weights.tolist() == [1.0]
        assert w.standard_error.tolist() == [0.0]
        assert w.max_relative_error == 0.0
        assert "equals-uniform" not in w.cautions


# --- invariances ---------------------------------------------------------------------------------


def close(a: np.ndarray, b: np.ndarray, n: int) -> bool:
    """Two independent estimates of the same weights from n samples each."""
    error = np.sqrt((a * (1 - a) + b * (1 - b)) / n) + 1.0 / n
    return bool(np.all(np.abs(a - b) < 4.5 * error))


def test_the_sphere_does_not_see_rotation_sign_scale_or_permutation() -> None:
    x, n = points(30, 8), 200_000
    plain = voronoi_weights(x, min_samples=n, rng=rng(1)).weights
    turn = np.linalg.qr(points(8, 8, 5))[0]
    scale = rng(3).uniform(0.1, 9.0, size=(30, 1))
    for changed in (x @ turn, -x, x * scale):
        assert close(plain, voronoi_weights(changed, min_samples=n, rng=rng(2)).weights, n)
    order = rng(4).permutation(30)
    permuted = voronoi_weights(x[order], min_samples=n, rng=rng(2)).weights
    assert close(plain[order], permuted, n)


def test_without_normalising_a_common_shift_does_not_matter() -> None:
    x, n = points(20, 5), 200_000
    a = voronoi_weights(x, normalise=False, min_samples=n, rng=rng(1)).weights
    b = voronoi_weights(x + 3.0, normalise=False, min_samples=n, rng=rng(2)).weights
    c = voronoi_weights(x + 3.0, min_samples=n, rng=rng(2)).weights
    assert close(a, b, n)
    assert not close(a, c, n)


@pytest.mark.parametrize("space", ["sphere", "factor-2", "unit-cube"])
def test_pairs_of_prompt_and_response_are_the_joined_vectors(space: str) -> None:
    q, a = points(4, 6, 1), points(40, 7, 2)
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    c, n = paired_contexts(q, a, rng(3).integers(0, 4, 40)), 200_000
    split = voronoi_weights(c, space=space, min_samples=n, rng=rng(1))
    joined = voronoi_weights(c.matrix(), space=space, min_samples=n, rng=rng(2))
    assert close(split.weights, joined.weights, n)
    assert split.outside_share == joined.outside_share


def test_the_same_answer_to_two_prompts_is_not_a_clone_and_to_one_it_is() -> None:
    q = np.eye(3, 6)
    a = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    w = voronoi_weights(paired_contexts(q, a, np.array([0, 0, 1, 2])), rng=rng())
    assert w.cells.tolist() == [0, 0, 1, 2]


# --- duplicates ----------------------------------------------------------------------------------


def test_duplicates_share_one_cell_evenly() -> None:
    x = points(6, 4)
    many = np.vstack([x, x[2:3], x[2:3], x[4:5]])
    once = voronoi_weights(x, min_samples=50_000, rng=rng(1))
    w = voronoi_weights(many, min_samples=50_000, rng=rng(1))
    assert w.cells.tolist() == [0, 1, 2, 3, 4, 5, 2, 2, 4]
    assert np.array_equal(w.hits, once.hits)
    assert w.weights[[2, 6, 7]] == pytest.approx(once.weights[2] / 3, rel=1e-12)
    assert w.standard_error[2] == pytest.approx(once.standard_error[2] / 3, rel=1e-12)
    assert w.n_merged == 3


def test_labels_join_what_vectors_do_not_and_both_close_transitively() -> None:
    x = points(5, 3)
    x[1] = x[0]
    cells, first = merge_duplicates(x, np.array([7, -1, 7, -1, -1]))
    assert cells.tolist() == [0, 0, 0, 1, 2]
    assert first.tolist() == [0, 3, 4]
    x[3] = -0.0 * x[3]
    x[4] = 0.0
    assert merge_duplicates(x, None)[0].tolist() == [0, 0, 1, 2, 2]
    with pytest.raises(ValueError, match=r"labels have shape \(3,\), expected \(5,\)"):
        merge_duplicates(x, np.zeros(3, np.int64))


def test_all_equal_is_uniform_and_says_so() -> None:
    w = voronoi_weights(np.ones((7, 3)), rng=rng())
    assert w.weights == pytest.approx(1 / 7)
    assert w.cautions == ("equals-uniform",)


# --- the error -----------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["sphere", "data-box"])
def test_standard_errors_cover(space: str) -> None:
    """Over 300 estimates the spread is the stated one (the sphere: at most, and 1 - 2W exactly)."""
    x, n = points(6, 4), 2000
    runs = [voronoi_weights(x, space=space, min_samples=n, rng=rng(s)) for s in range(300)]
    w = np.array([r.weights for r in runs])
    mean, spread = w.mean(axis=0), w.std(axis=0, ddof=1)
    stated = np.mean([r.standard_error for r in runs], axis=0)
    exact = np.sqrt(mean * (1 - (2 if space == "sphere" else 1) * mean) / n)
    assert np.all(np.abs(spread / exact - 1) < 4.5 / np.sqrt(2 * 300))
    assert np.all(spread < stated * (1 + 4.5 / np.sqrt(2 * 300)))
    truth = voronoi_weights(x, space=space, min_samples=4_000_000, rng=rng(999)).weights
    covered = np.abs(w - truth) < 1.96 * np.array([r.standard_error for r in runs])
    assert covered.mean() > 0.93


def test_effective_number_is_corrected_for_sampling() -> None:
    x, n = points(400, 300), 1000
    w = voronoi_weights(x, min_samples=n, precision=9.0, rng=rng())
    truth = voronoi_weights(x, min_samples=400_000, rng=rng(1))
    assert w.effective_number < 0.8 * truth.effective_number
    assert w.effective_number_corrected == pytest.approx(truth.effective_number, rel=0.1)


def test_resampling_carries_the_error() -> None:
    x = np.vstack([points(5, 3), points(5, 3)[:2]])
    w = voronoi_weights(x, min_samples=5000, rng=rng())
    draws = w.resample(4000, rng(1))
    assert draws.shape == (4000, 7)
    assert draws.sum(axis=1) == pytest.approx(np.ones(4000))
    assert np.array_equal(draws[:, 0], draws[:, 5])
    assert draws.mean(axis=0) == pytest.approx(w.weights, abs=5 * w.standard_error.max() / 63)
    assert draws.std(axis=0) == pytest.approx(w.standard_error, rel=0.06)
    fixed = uniform_weights(3).resample(2, rng())
    assert fixed.tolist() == [[1 / 3] * 3] * 2


# --- the budget ----------------------------------------------------------------------------------


def test_precision_sets_the_samples_and_the_budget_cuts_them() -> None:
    x = points(500, 20)
    w = voronoi_weights(x, precision=0.05, rng=rng())
    assert w.n_samples == 200_000
    assert w.reached
    short = voronoi_weights(x, precision=0.05, max_products=500 * 20 * 1000, rng=rng())
    assert short.n_samples == 2000
    assert not short.reached
    assert "precision-not-reached" in short.cautions
    for bad in ({"precision": 0.0}, {"min_samples": 0}, {"max_products": 0}):
        with pytest.raises(ValueError, match="must be positive"):
            voronoi_weights(x, rng=rng(), **bad)  # type: ignore[arg-type]


def test_bad_contexts_are_refused() -> None:
    with pytest.raises(ComputeError, match="at least one context"):
        voronoi_weights(np.zeros((0, 3)), rng=rng())
    x = points(4, 2)
    x[2, 1] = np.nan
    with pytest.raises(ComputeError, match="first row 2"):
        voronoi_weights(x, rng=rng())
    with pytest.raises(UsageError, match="no space called 'ball'"):
        voronoi_weights(points(2, 2), space="ball", rng=rng())


# --- the same bits -------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["sphere", "unit-cube"])
def test_workers_do_not_change_a_bit(space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = points(300, 24)
    one = voronoi_weights(x, space=space, workers=1, rng=rng())
    for n in (2, 3):
        other = voronoi_weights(x, space=space, workers=n, rng=rng())
        assert np.array_equal(one.hits, other.hits)
    monkeypatch.setattr(voronoi, "_TILE", 64)  # tiles only change the sizes of the blocks
    tiled = voronoi_weights(x, space=space, workers=1, rng=rng())
    assert tiled.n_samples == one.n_samples
    assert close(one.weights, tiled.weights, one.n_samples)


def test_blas_threads_do_not_change_a_bit() -> None:
    program = (
        "import numpy as np; from cr_audit.weights.voronoi import voronoi_weights;"
        "x = np.random.default_rng(0).standard_normal((200, 300));"
        "w = voronoi_weights(x, min_samples=20000, rng=np.random.default_rng(1));"
        "print(w.hits.tolist())"
    )
    out = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "OMP_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n},
            capture_output=True,
            check=True,
        ).stdout
        for n in ("1", "2")
    ]
    assert out[0] == out[1]


# --- cautions ------------------------------------------------------------------------------------


def test_orthogonal_items_equal_uniform() -> None:
    assert "equals-uniform" in voronoi_weights(np.eye(12), rng=rng()).cautions


def test_clusters_do_not_equal_uniform() -> None:
    x = np.vstack([np.eye(4), np.eye(4)[0] + 0.05 * points(8, 4)])
    w = voronoi_weights(x, rng=rng())
    assert w.cautions == ()
    assert w.masses(np.array([0, 1, 2, 3] + [0] * 8), 4) == pytest.approx(0.25, abs=0.03)


def test_a_few_outer_items_collapse_the_box() -> None:
    x = np.vstack([np.eye(2), 1e-3 * points(98, 2) + 0.5])
    w = voronoi_weights(x, space=Box.of([-9, -9], [10, 10]), rng=rng())
    assert "collapsed" in w.cautions


def test_embeddings_lie_outside_the_unit_cube() -> None:
    w = voronoi_weights(points(10, 5), space="unit-cube", rng=rng())
    assert w.outside_share == 1.0
    assert "space-excludes-data" in w.cautions


# --- the plain schemes ---------------------------------------------------------------------------


def test_cluster_weights() -> None:
    w = cluster_weights(np.array([0, 0, -1, 5, 5, 5, -1]))
    assert w.weights * 4 == pytest.approx([1 / 2, 1 / 2, 1, 1 / 3, 1 / 3, 1 / 3, 1])
    assert w.settings["n_clusters"] == 4
    assert w.reached
    with pytest.raises(ComputeError):
        cluster_weights(np.array([], dtype=np.int64))


def test_uniform_weights() -> None:
    w = uniform_weights(4)
    assert w.weights.tolist() == [0.25] * 4
    assert w.cautions == ("equals-uniform",)
    with pytest.raises(ComputeError):
        uniform_weights(0)


def test_weights_from_gram_merge_equal_models() -> None:
    a = points(5, 9)
    a[4] = a[0]
    w = weights_from_gram(a @ a.T, rng=rng())
    direct = voronoi_weights(a, rng=rng(5))
    assert w.cells.tolist() == [0, 1, 2, 3, 0]
    assert close(w.weights, direct.weights, w.n_samples)


def test_effective_numbers_by_hand() -> None:
    """Ten draws, six in one of two cells. Independent draws: E[h (h-1)] = 10 * 9 W², so
    1/Σw² is 90/42; mirrored pairs hold 10 * 8 W²: 80/42. Never above the number of items."""
    hits, cells = np.array([6, 4]), np.array([0, 1])

    def of(space: str, hits: np.ndarray, cells: np.ndarray) -> Weights:
        return weights_from_hits(hits, cells, space=space, precision=0.1, outside=0.0, settings={})

    assert of("sphere", hits, cells).effective_number_corrected == pytest.approx(80 / 42)
    assert of("data-box", hits, cells).effective_number_corrected == 2.0
    uneven = np.array([8, 2])
    assert of("data-box", uneven, cells).effective_number_corrected == pytest.approx(90 / 58)
    assert of("sphere", uneven, cells).effective_number_corrected == pytest.approx(80 / 58)
    w = of("sphere", hits, np.array([0, 1, 1]))  # the second cell is shared by two
    np.testing.assert_allclose(w.weights, [0.6, 0.2, 0.2])
    error = np.sqrt(0.24 / 10)
    np.testing.assert_allclose(w.standard_error, [error, error / 2, error / 2])
    assert w.max_relative_error == pytest.approx(np.sqrt(1 / 10))
    assert w.zero_upper_bound == pytest.approx(0.3)
