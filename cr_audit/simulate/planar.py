"""Exact Voronoi cells in the unit square, by cutting the square along bisectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from cr_audit.arrays import FloatArray

UNIT_SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def planar_cells(points: Any) -> list[FloatArray]:
    """The cell of each point in [0, 1]²: corners in order, float64 (n_corners, 2), perhaps none.

    points : (m, 2). Equal points have the same cell. Cost: m² cuts of a polygon.
    """
    x = _checked(points)
    cells = []
    for i, point in enumerate(x):
        cell = np.array(UNIT_SQUARE)
        for other in np.delete(x, i, axis=0):
            normal = other - point
            if normal.any() and cell.size:
                cell = _cut(cell, normal, float(other @ other - point @ point) / 2)
        cells.append(cell)
    return cells


def planar_weights(points: Any) -> FloatArray:
    """Areas of the cells, equal points sharing theirs evenly: float64 (m,), sum 1.

    Source: [CR] Definition 4.1 with S = [0, 1]².
    """
    x = _checked(points)
    same = (x[:, None] == x[None]).all(axis=2).sum(axis=1)
    areas = np.array([_area(cell) for cell in planar_cells(x)])
    out: FloatArray = areas / same
    return out


def _checked(points: Any) -> FloatArray:
    x = np.asarray(points, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] != 2 or not np.isfinite(x).all():
        raise ValueError(f"points must be finite with shape (m, 2), m > 0, not {x.shape}")
    return x


def _cut(cell: FloatArray, normal: FloatArray, offset: float) -> FloatArray:
    """What of a convex polygon lies in normal·s <= offset."""
    side = cell @ normal - offset
    kept: list[FloatArray] = []
    for i, corner in enumerate(cell):
        j = (i + 1) % len(cell)
        if side[i] <= 0:
            kept.append(corner)
        if (side[i] < 0) != (side[j] < 0) and side[i] != 0 and side[j] != 0:
            t = side[i] / (side[i] - side[j])
            kept.append(corner + t * (cell[j] - corner))
    return np.array(kept).reshape(-1, 2)


def _area(cell: FloatArray) -> float:
    if cell.shape[0] < 3:
        return 0.0
    turned = np.roll(cell, -1, axis=0)
    cross = cell[:, 0] * turned[:, 1] - cell[:, 1] * turned[:, 0]
    return abs(float(cross.sum())) / 2
