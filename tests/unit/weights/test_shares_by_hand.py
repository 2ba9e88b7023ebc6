"""Cells of a circle and shared neighbourhoods, with the numbers written out."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.weights.schemes.sharing import sharing_weights
from cr_audit.weights.voronoi import voronoi_weights


def test_voronoi_cells_of_a_circle_by_hand() -> None:
    """Answers at 0, 60 and 180 degrees. The borders halve the gaps: 30, 120 and 270 degrees, so
    that the cells are 120, 90 and 150 of 360 degrees. A copy of the third halves its cell."""
    angle = np.deg2rad([0.0, 60.0, 180.0, 180.0])
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    three = voronoi_weights(points[:3], min_samples=400_000, rng=np.random.default_rng(0))
    assert three.weights == pytest.approx([1 / 3, 1 / 4, 5 / 12], abs=0.004)
    four = voronoi_weights(points, min_samples=400_000, rng=np.random.default_rng(0))
    assert four.weights == pytest.approx([1 / 3, 1 / 4, 5 / 24, 5 / 24], abs=0.004)


def test_shares_of_a_neighbourhood_by_hand() -> None:
    """Answers at 0, 0.5 and 3 on a line, width 1: the first two count each other by half, so that
    their densities are 1 + 1/2 and the third's 1. Weights 2/3 : 2/3 : 1, of 7/3 in all."""
    line = np.array([[0.0, 0.0], [0.5, 0.0], [3.0, 0.0]])
    found = sharing_weights(line, width=1.0).weights
    assert found == pytest.approx([2 / 7, 2 / 7, 3 / 7], abs=1e-6)
    # An exact copy of the third shares its place and takes nothing from the others.
    copied = sharing_weights(np.vstack([line, line[2:]]), width=1.0).weights
    assert copied == pytest.approx([2 / 7, 2 / 7, 3 / 14, 3 / 14], abs=1e-6)
