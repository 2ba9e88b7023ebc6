"""[CR] Definition 4.1, Figures 1 and 2: Voronoi weights against exact values and an oracle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cr_audit.weights.spaces import Box
from cr_audit.weights.voronoi import voronoi_weights

N = 400_000  # half the error of the 100,000 samples that the golden tolerance is meant for


def cases(name: str) -> list[Any]:
    path = Path(__file__).resolve().parent.parent / "golden" / f"{name}.json"
    return [pytest.param(c, id=c["id"]) for c in json.loads(path.read_text())["cases"]]


def agrees(case: dict[str, Any], points: Any, space: str | Box) -> None:
    found = voronoi_weights(points, space=space, min_samples=N, rng=np.random.default_rng(7))
    expected = np.array(case["outputs"]["weights"])
    assert np.abs(found.weights - expected).max() <= case["tol"]["mc_100k_abs"] / 2
    assert np.all(found.weights[expected == 0] == 0)
    z = np.abs(found.weights - expected) / np.maximum(found.standard_error, 1e-12)
    assert np.all(z[expected > 0] < 4.5)


@pytest.mark.parametrize("case", cases("voronoi_2d"))
def test_planar_cells(case: dict[str, Any]) -> None:
    box = Box.of(case["inputs"]["S"]["lo"], case["inputs"]["S"]["hi"])
    agrees(case, case["inputs"]["points"], box)


@pytest.mark.parametrize("case", cases("voronoi_1d"))
def test_cells_of_a_line(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    points = np.array(inputs["points"])[:, None]
    agrees(case, points, Box.of([inputs["lo"]], [inputs["hi"]]))


@pytest.mark.parametrize("case", cases("voronoi_highdim") + cases("voronoi_highdim_two_points"))
def test_unit_cube(case: dict[str, Any]) -> None:
    agrees(case, case["inputs"]["points"], "unit-cube")


@pytest.mark.parametrize("case", cases("sphere_weights"))
def test_sphere(case: dict[str, Any]) -> None:
    agrees(case, case["inputs"]["vectors"], "sphere")
    vectors = np.array(case["inputs"]["vectors"], dtype=float)
    assert closed_form(vectors) == pytest.approx(case["outputs"]["weights"], abs=1e-9)


@pytest.mark.parametrize("case", cases("mc_precision"))
def test_precision_of_a_known_number_of_samples(case: dict[str, Any]) -> None:
    """Two points on a line with cells w and 1 - w: the standard error is the binomial one."""
    w, n = case["inputs"]["w"], case["inputs"]["n_samples"]
    found = voronoi_weights(
        [[w - 0.5 * w], [w + 0.5 * w]],
        space=Box.of([0.0], [1.0]),
        min_samples=n,
        rng=np.random.default_rng(3),
    )
    assert found.n_samples == n
    share = found.weights[0]
    assert found.standard_error[0] == pytest.approx(np.sqrt(share * (1 - share) / n), rel=1e-9)
    assert abs(share - w) < 4.5 * case["outputs"]["standard_error"]
    assert found.zero_upper_bound == pytest.approx(
        case["outputs"]["rule_of_three_upper95"], rel=2e-3
    )


def test_figure_2_a_clone_moves_single_weights_and_not_their_sum() -> None:
    square = Box.of([0, 0], [1, 1])
    three = [[0, 0], [1, 0], [1, 1]]
    before = voronoi_weights(three, space=square, min_samples=N, rng=np.random.default_rng(0))
    after = voronoi_weights(
        [*three, [0.999, 1]], space=square, min_samples=N, rng=np.random.default_rng(0)
    )
    assert after.weights[2] < 0.001 < 0.37 < before.weights[2]
    assert after.weights[2:].sum() == pytest.approx(before.weights[2], abs=0.005)


# --- the sphere in closed form -------------------------------------------------------------------


def closed_form(vectors: np.ndarray) -> np.ndarray:
    """P(argmax g.y) of 2, 3 or 4 vectors, from orthant probabilities of their differences."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    out = []
    for i in range(len(unit)):
        d = np.delete(unit[i] - unit, i, axis=0)
        d /= np.linalg.norm(d, axis=1, keepdims=True)
        angles = np.arccos(np.clip(d @ d.T, -1, 1))[np.triu_indices(len(d), 1)]
        if len(d) == 1:
            out.append(0.5)
        elif len(d) == 2:
            out.append(0.5 - angles[0] / (2 * np.pi))
        else:  # trivariate orthant: 1/2 - (sum of the angles between the normals) / (4 pi)
            out.append(0.5 - angles.sum() / (4 * np.pi))
    return np.array(out)


@settings(max_examples=25)
@given(st.integers(2, 4), st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_sphere_against_closed_form(m: int, d: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((m, d))
    found = voronoi_weights(vectors, min_samples=N // 4, rng=np.random.default_rng(1))
    assert np.abs(found.weights - closed_form(vectors)).max() < 4.5 * 0.5 / np.sqrt(N // 4)


# --- an exact planar Voronoi diagram by polygon clipping -----------------------------------------


def clipped(polygon: list[np.ndarray], value: Callable[[np.ndarray], float]) -> list[np.ndarray]:
    """The part of a convex polygon where an affine function is not positive."""
    out = []
    for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        va, vb = value(a), value(b)
        if va <= 0:
            out.append(a)
        if va * vb < 0:
            out.append(a + (b - a) * (va / (va - vb)))
    return out


def area(polygon: list[np.ndarray]) -> float:
    if len(polygon) < 3:
        return 0.0
    x, y = np.array(polygon).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def planar_voronoi(points: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Exact weights; equal points share a cell."""
    distinct, inverse, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    cells = []
    for y in distinct:
        polygon = [np.array(c) for c in ((lower[0], lower[1]), (upper[0], lower[1]))]
        polygon += [np.array(c) for c in ((upper[0], upper[1]), (lower[0], upper[1]))]
        for other in distinct:
            if np.any(other != y) and polygon:
                normal, middle = other - y, (other + y) / 2
                polygon = clipped(polygon, lambda s, n=normal, c=middle: float(n @ (s - c)))
        cells.append(area(polygon))
    return (np.array(cells) / np.prod(upper - lower) / counts)[inverse.reshape(-1)]


@pytest.mark.parametrize("case", cases("voronoi_2d"))
def test_the_oracle_itself(case: dict[str, Any]) -> None:
    box = Box.of(case["inputs"]["S"]["lo"], case["inputs"]["S"]["hi"])
    exact = planar_voronoi(np.array(case["inputs"]["points"]), box.lower, box.upper)
    assert exact == pytest.approx(case["outputs"]["weights"], abs=1e-12)


grid = st.integers(-4, 12).map(lambda k: k / 8)


@settings(max_examples=40)
@given(st.lists(st.tuples(grid, grid), min_size=1, max_size=12), st.sampled_from([0, 1, 2]))
def test_boxes_against_the_planar_oracle(points: list[tuple[float, float]], which: int) -> None:
    """Points on a grid: duplicates, cocircular points, points outside, empty cells."""
    p = np.array(points)
    box = [
        Box.of([0, 0], [1, 1]),
        Box.of([-1, -1], [2, 1.5]),
        Box.of([0.1, -0.7], [0.9, 3.0]),
    ][which]
    found = voronoi_weights(p, space=box, min_samples=60_000, rng=np.random.default_rng(2))
    exact = planar_voronoi(p, box.lower, box.upper)
    assert np.abs(found.weights - exact).max() < 4.5 * 0.5 / np.sqrt(60_000)
    assert np.all(found.weights[exact < 1e-12] == 0)
