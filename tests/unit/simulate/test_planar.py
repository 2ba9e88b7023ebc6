"""Exact planar cells: golden values, and sums that must hold for any points."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cr_audit.simulate.planar import planar_weights
from cr_audit.simulate.voronoi_figures import CLONED, voronoi_figures


def test_the_golden_cells_of_the_unit_square(golden: Path) -> None:
    cases = json.loads((golden / "voronoi_2d.json").read_text())["cases"]
    square = [c for c in cases if c["inputs"]["S"] == {"lo": [0.0, 0.0], "hi": [1.0, 1.0]}]
    assert len(square) >= 8
    for case in square:
        found, expected = planar_weights(case["inputs"]["points"]), case["outputs"]["weights"]
        np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=case["id"])


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_areas_sum_to_one_and_agree_with_counting(m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.random((m, 2)).round(1)  # coarse: ties and equal points
    weights = planar_weights(points)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= 0).all()
    grid = np.stack(np.meshgrid(*[(np.arange(200) + 0.5) / 200] * 2), -1).reshape(-1, 2)
    d = np.round(((grid[:, None] - points) ** 2).sum(-1), 12)
    nearest = d == d.min(axis=1, keepdims=True)
    counted = (nearest / nearest.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(weights, counted, atol=0.02)


@pytest.mark.parametrize("points", [[], [[0.0, np.nan]], [[0.0]], [0.0, 1.0]])
def test_points_that_are_none(points: list[float]) -> None:
    with pytest.raises(ValueError, match="points must be finite"):
        planar_weights(points)


def test_figures_1_and_2() -> None:
    facts = voronoi_figures(rng=np.random.default_rng(0))
    assert [f.exact.tolist() for f in facts.figures] == [
        pytest.approx([0.375, 0.25, 0.375]),
        pytest.approx([0.34, 0.239875, 0.025, 0.395125]),
    ]
    for figure in facts.figures:
        assert figure.n_samples == 100_000
        assert np.all(np.abs(figure.sampled - figure.exact) < 4.5 * figure.standard_error)
    both = [step.both for step in facts.steps]
    assert np.all(np.diff(np.abs(np.array(both) - facts.without_clone)) < 0)
    assert both[-1] == pytest.approx(facts.without_clone, abs=1e-4)
    assert facts.steps[-1].original < 1e-4  # the single weight goes, the sum stays
    assert facts.figures[0].points[CLONED].tolist() == [1.0, 1.0]


def test_the_same_seed_gives_the_same_estimates() -> None:
    a, b = (voronoi_figures(n_samples=1000, rng=np.random.default_rng(5)) for _ in range(2))
    for x, y in zip(a.figures, b.figures, strict=True):
        assert x.sampled.tobytes() == y.sampled.tobytes()
