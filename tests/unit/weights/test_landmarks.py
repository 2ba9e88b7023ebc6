"""Densities from landmarks against sums over every pair."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cr_audit.arrays import FloatArray
from cr_audit.weights import landmarks
from cr_audit.weights.contexts import Contexts
from cr_audit.weights.distinct import Distinct, distinct_items
from cr_audit.weights.landmarks import Moments, landmark_densities
from cr_audit.weights.schemes import sharing, sharing_width
from cr_audit.weights.schemes.sharing import sharing_weights


def _items(n: int = 2000, seed: int = 0) -> Distinct:
    """Loose topics and a few outliers; responses under prompts."""
    rng = np.random.default_rng(seed)
    topics = rng.standard_normal((12, 24))
    rows = topics[rng.integers(0, 12, n)] * 0.5 + rng.standard_normal((n, 24))
    rows[:20] *= 3.0
    rows /= np.linalg.norm(rows[20:], axis=1).mean()
    prompts = rng.standard_normal((n // 2, 8)).astype(np.float32) / np.sqrt(8)
    return distinct_items(Contexts(rows.astype(np.float32), prompts, np.arange(n) // 2))


def _exact(items: Distinct, width: float) -> FloatArray:
    x = items.joined(np.arange(items.n)).astype(np.float64)
    out: FloatArray = np.maximum(1.0 - cdist(x, x) / width, 0.0).sum(axis=1)
    return out


def test_moments_are_those_of_all_distances() -> None:
    items = _items(400)
    x = items.joined(np.arange(items.n)).astype(np.float64)
    q = np.square(x[:, None] - x[None]).sum(axis=2)
    mean, variance = Moments.of(items).means(
        x.astype(np.float32), np.square(x).sum(axis=1), items.n
    )
    n = items.n - 1
    np.testing.assert_allclose(mean, q.sum(axis=1) / n, rtol=1e-5)
    np.testing.assert_allclose(variance, np.square(q).sum(axis=1) / n - mean**2, rtol=1e-3)


@pytest.mark.parametrize("width", [0.7, 1.4, 2.0])
def test_densities_are_within_what_they_say(width: float) -> None:
    items = _items()
    exact = _exact(items, width)
    found, error = landmark_densities(
        items, width, first=512, tolerance=0.02, rng=np.random.default_rng(1)
    )
    away = np.abs(found / exact - 1.0)
    assert (error <= 0.02).all()
    assert np.sqrt(np.mean(away**2)) <= 0.02
    known = error == 0.0
    np.testing.assert_allclose(found[known], exact[known], rtol=1e-4)
    some = ~known
    assert some.any() == (width > 1.0)  # of few neighbours all are needed
    assert (
        not some.any() or np.mean(away[some] <= 2.0 * error[some]) >= 0.9
    )  # 95 % where errors are normal


def test_every_item_a_landmark_is_the_exact_sum() -> None:
    items = _items(700)
    found, error = landmark_densities(items, 1.0, first=700, rng=np.random.default_rng(0))
    assert not error.any()
    np.testing.assert_allclose(found, _exact(items, 1.0), rtol=1e-4)


def test_mean_over_draws_is_unbiased() -> None:
    items = _items(1000)
    exact = _exact(items, 1.2)
    drawn = np.stack(
        [
            landmark_densities(
                items, 1.2, first=200, tolerance=np.inf, rng=np.random.default_rng(seed)
            )[0]
            for seed in range(60)
        ]
    )
    error = drawn.std(axis=0, ddof=1) / np.sqrt(60)
    away = (drawn.mean(axis=0) - exact) / np.maximum(error, 1e-9)
    assert np.mean(np.abs(away) <= 3.0) >= 0.95
    assert abs(float(np.mean(drawn.mean(axis=0) / exact)) - 1.0) <= 0.01


def test_weights_above_the_limit_are_those_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    items = _items(2500)
    rows = items.joined(np.arange(items.n))
    exact = sharing_weights(rows, width=1.1, rng=np.random.default_rng(0))
    monkeypatch.setattr(sharing, "EXACT_UP_TO", 1000)
    found = sharing_weights(rows, width=1.1, rng=np.random.default_rng(0))
    assert "density_error" not in exact.settings
    assert 0.0 <= found.settings["density_error"] <= 0.02
    assert np.sqrt(np.mean((found.weights / exact.weights - 1.0) ** 2)) <= 0.02
    one = sharing_weights(rows, width=1.1, workers=1, rng=np.random.default_rng(0))
    assert one.weights.tobytes() == found.weights.tobytes()


def test_width_from_landmarks_is_near_the_one_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    items = _items(2500, seed=3)
    whole = sharing_width.find_width([items], rng=np.random.default_rng(2))
    monkeypatch.setattr(sharing_width, "EXACT_UP_TO", 1000)
    monkeypatch.setattr(sharing_width, "_LANDMARKS", 1500)
    part = sharing_width.find_width([items], rng=np.random.default_rng(2))
    # Above the limit the range comes from every second distance.
    np.testing.assert_allclose(part.widths, whole.widths, rtol=0.005)
    assert np.abs(part.shifts - whole.shifts).max() <= 0.1
    step = whole.widths[1] - whole.widths[0]
    assert abs(part.width - whole.width) <= 4.01 * step


def test_landmarks_end_where_items_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    items = _items(2500, seed=3)
    whole = landmark_densities(items, 2.0, first=2500, rng=np.random.default_rng(2))[0]
    monkeypatch.setattr(landmarks, "MOST", 256)
    many, squares = whole > 50, []
    for seed in range(12):
        density, error = landmark_densities(
            items, 2.0, first=64, tolerance=1e-4, rng=np.random.default_rng(seed)
        )
        assert (error > 0.0).all()
        squares.append(np.mean(((density - whole) / (error * density))[many] ** 2))
    # Stated errors are no smaller than the true ones: they have a floor of a third of a neighbour.
    assert 0.1 < np.sqrt(np.mean(squares)) < 1.2
