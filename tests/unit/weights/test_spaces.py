"""Boxes, the unit sphere and the affine scores that stand for distances."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.errors import UsageError
from cr_audit.weights.spaces import (
    Block,
    Box,
    box_named,
    box_scores,
    on_unit_sphere,
    sphere_scores,
    squared_norms,
)

RNG = np.random.default_rng(0)
POINTS = np.array([[1.0, -2.0, 0.5], [3.0, -1.0, -0.25], [2.0, -4.0, 0.0]])


def test_boxes_by_name() -> None:
    data = box_named("data-box", (Block(POINTS),))
    assert data.lower.tolist() == [1.0, -4.0, -0.25]
    assert data.upper.tolist() == [3.0, -1.0, 0.5]
    twice = box_named("factor-2", (Block(POINTS),))
    assert twice.lower.tolist() == [0.5, -8.0, -0.5]
    assert twice.upper.tolist() == [6.0, -0.5, 1.0]
    assert box_named("unit-cube", (Block(POINTS),)).share_outside((Block(POINTS),)) == 1.0
    assert data.share_outside((Block(POINTS),)) == 0.0


def test_the_box_of_shared_coordinates_is_that_of_the_joined_points() -> None:
    rows, of = RNG.standard_normal((3, 2)), np.array([0, 2, 2, 1, 0])
    own = RNG.standard_normal((5, 4))
    split, joined = (Block(own), Block(rows, of)), (Block(np.hstack([own, rows[of]])),)
    for name in ("data-box", "factor-2", "unit-cube"):
        a, b = box_named(name, split), box_named(name, joined)
        assert np.array_equal(a.lower, b.lower)
        assert np.array_equal(a.upper, b.upper)
        assert a.share_outside(split) == b.share_outside(joined)
    assert squared_norms(split) == pytest.approx(squared_norms(joined))


def test_refusals() -> None:
    with pytest.raises(UsageError, match="no space called 'cube'"):
        box_named("cube", (Block(POINTS),))
    with pytest.raises(ValueError, match="finite bounds"):
        Box.of([0, 1], [1, 0])
    with pytest.raises(ValueError, match="alike"):
        Box.of([0, 1], [1])
    with pytest.raises(ValueError, match="coordinates"):
        box_scores((Block(POINTS),), Box.of([0], [1]))


def test_box_scores_order_points_by_distance() -> None:
    points, box = RNG.standard_normal((20, 5)), Box.of(-np.ones(5), np.arange(5) + 1.0)
    scores = box_scores((Block(points),), box)
    v = RNG.random((50, 5)) - 0.5
    s = (box.lower + box.upper) / 2 + v * (box.upper - box.lower)
    nearest = np.linalg.norm(s[:, None] - points, axis=2).argmin(axis=1)
    assert scores.offsets is not None
    assert np.array_equal(
        (v @ scores.directions[0].rows.T + scores.offsets).argmax(axis=1), nearest
    )


def test_sphere_scores_keep_the_distances_between_points() -> None:
    points = on_unit_sphere((Block(RNG.standard_normal((6, 40))),))
    turned = sphere_scores(points).directions[0].rows
    assert turned.shape == (6, 6)

    def distances(x: np.ndarray) -> np.ndarray:
        return np.linalg.norm(x[:, None] - x, axis=2)

    assert distances(turned) == pytest.approx(distances(points[0].rows), abs=1e-6)


def test_a_zero_vector_has_no_direction() -> None:
    out = on_unit_sphere((Block(np.array([[0.0, 0.0], [3.0, 4.0]])),))[0].rows
    assert out.tolist() == [[0.0, 0.0], [0.6, 0.8]]


def test_blocks_stay_apart_only_where_lengths_are_one() -> None:
    unit = np.sqrt(0.5) * np.eye(3)
    of = np.array([0, 0, 1])
    assert len(on_unit_sphere((Block(unit), Block(unit, of)))) == 2
    joined = on_unit_sphere((Block(2 * unit), Block(unit, of)))
    assert len(joined) == 1
    assert squared_norms(joined) == pytest.approx(1.0)
