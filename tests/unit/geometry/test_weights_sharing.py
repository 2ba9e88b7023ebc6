"""Sharing weights, the search for their width, and the table of schemes."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.geometry.compare import compare_weights
from cr_audit.geometry.contexts import paired_contexts
from cr_audit.geometry.sharing import find_width, sharing_weights


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def blobs(
    sizes: tuple[int, ...], spread: float, seed: int = 0, d: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around orthogonal middles; distance within a blob about 1.4 * spread."""
    label = np.repeat(np.arange(len(sizes)), sizes)
    noise = rng(seed).standard_normal((label.size, d)) * spread / np.sqrt(d)
    x = np.eye(d)[label] + noise
    return x / np.linalg.norm(x, axis=1, keepdims=True), label


def test_against_a_double_loop() -> None:
    x = rng().standard_normal((30, 4))
    x[7] = x[3]
    expected = [1 / sum(max(0.0, 1 - float(np.linalg.norm(a - b)) / 1.7) for b in x) for a in x]
    w = sharing_weights(x, width=1.7)
    assert w.weights == pytest.approx(np.array(expected) / np.sum(expected), rel=1e-5)
    assert w.weights[3] == w.weights[7]
    assert w.n_merged == 1
    assert np.array_equal(w.resample(2, rng()), [w.weights, w.weights])


def test_limits_are_uniform() -> None:
    x = rng().standard_normal((20, 4))
    for width in (1e-6, 1e9):
        assert sharing_weights(x, width=width).weights == pytest.approx(1 / 20, rel=1e-5)
        assert "equals-uniform" in sharing_weights(x, width=1e-6).cautions


def test_pairs_are_the_joined_vectors_and_workers_do_not_matter() -> None:
    a, _ = blobs((300, 200), 0.5)
    c = paired_contexts(np.eye(7), a, rng(1).integers(0, 7, 500))
    w = sharing_weights(c, width=0.8, workers=1)
    assert w.weights == pytest.approx(sharing_weights(c.matrix(), width=0.8).weights, rel=1e-4)
    assert np.array_equal(w.weights, sharing_weights(c, width=0.8, workers=3).weights)


@pytest.mark.parametrize("spread", [0.2, 0.5, 0.9])
def test_the_width_follows_the_data(spread: float) -> None:
    """Ten blobs of unequal sizes: with the width found the masses are near equal."""
    x, label = blobs((120, 20, 30, 40, 20, 60, 30, 20, 40, 50), spread)
    search = find_width(x, rng=rng())
    within = np.median(np.linalg.norm(x[label == 0][:, None] - x[label == 0], axis=2))
    assert within < search.width < 1.5
    assert search.shifts.min() < 0.8 < search.shifts[0]
    w = sharing_weights(x, rng=rng())
    assert w.settings["width"] == search.width
    assert w.settings["expected_shift"] == search.shifts.min()
    mass = w.masses(label, 10)
    assert np.abs(mass - 0.1).sum() < 0.5 * np.abs(np.bincount(label) / label.size - 0.1).sum()


def test_the_search_is_the_same_with_any_number_of_workers() -> None:
    x, _ = blobs((300, 100, 200), 0.6)
    a, b = find_width(x, workers=1, rng=rng(3)), find_width(x, workers=2, rng=rng(3))
    assert a.width == b.width
    assert np.array_equal(a.shifts, b.shifts)


@pytest.mark.parametrize("m", [1, 2, 3])
def test_the_search_survives_tiny_and_equal_data(m: int) -> None:
    assert sharing_weights(np.ones((m, 2)), rng=rng()).weights == pytest.approx(1 / m)
    assert sharing_weights(np.eye(m, 3), rng=rng()).weights == pytest.approx(1 / m)


def test_width_is_checked() -> None:
    with pytest.raises(ValueError, match="only with rng"):
        sharing_weights(np.eye(3))
    with pytest.raises(ValueError, match="must be positive"):
        sharing_weights(np.eye(3), width=0.0)


def test_table_of_schemes() -> None:
    x, label = blobs((60, 30, 30), 0.4)
    table = compare_weights(x, label, max_products=2e8, rng=rng())
    assert [(r.scheme, r.space) for r in table.rows] == [
        ("uniform", None),
        ("voronoi", "sphere"),
        ("voronoi", "unit-cube"),
        ("voronoi", "factor-2"),
        ("voronoi", "data-box"),
        ("cluster", None),
        ("sharing", None),
    ]
    row = {(r.scheme, r.space): r for r in table.rows}
    uniform, sphere = row["uniform", None], row["voronoi", "sphere"]
    assert uniform.near_clone == pytest.approx(2 * (120 / 180 - 0.5))
    assert uniform.topic_clone == pytest.approx(2 * (0.5 - 30 / 90))
    assert uniform.exact_clone == pytest.approx(2 * (2 / 121 - 1 / 120))
    assert sphere.near_clone < 0.3 * uniform.near_clone
    assert sphere.exact_clone == 0.0
    assert sphere.noise < 0.05
    assert row["sharing", None].near_clone < 0.3 * uniform.near_clone
    assert row["cluster", None].near_clone == pytest.approx(0.0)
    assert table.n_groups == 3
    assert compare_weights(x, label, max_products=2e8, rng=rng()) == table
