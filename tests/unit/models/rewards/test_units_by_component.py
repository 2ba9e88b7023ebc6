"""How many units bear on each item, and what marks make of few of them."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons
from cr_audit.models.marks import ReplicateGaps, mark_changes
from cr_audit.models.rewards.bootstrap import units_by_component


def test_units_of_components_by_hand() -> None:
    """Items 0-1-2 have three comparisons, 3-4 one, 5 none. By annotators: the first component has
    two of annotator 7 and one of 8, (2 + 1)²/(4 + 1) = 9/5; the other one annotator."""
    rows = Comparisons.of(6, [0, 1, 0, 3], [1, 2, 2, 4])
    component = np.array([0, 0, 0, 1, 1, -1])
    np.testing.assert_allclose(units_by_component(rows, None, component), [3, 3, 3, 1, 1, 0])
    by = units_by_component(rows, np.array([7, 7, 8, 7]), component)
    np.testing.assert_allclose(by, [1.8, 1.8, 1.8, 1, 1, 0])


def test_few_units_make_a_mark_hard_by_hand() -> None:
    """Gaps of 3 errors both ways. Of many units p = 2 P(Z > 3) = 0.0027; of three units the error
    is √(3/2) larger, and with two degrees of freedom P(T > t) = (1 - t/√(t² + 2))/2."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 4000, 2))
    noise[..., 1] = 0.0
    noise[..., 0] /= noise[..., 0].std(axis=1, ddof=1)[:, None]
    first, second = np.array([3.0, 0.0]), np.array([-3.0, 0.0])
    replicates = np.stack([first, second])[:, None, :] + noise
    joined = np.zeros(2, np.int64)
    many = mark_changes(first, second, joined, ReplicateGaps(replicates))
    assert many.pair_p_value[0] == pytest.approx(0.0027, rel=1e-2)
    few = mark_changes(first, second, joined, ReplicateGaps(replicates, np.array([3.0, 50.0])))
    t = 3.0 / np.sqrt(1.5)
    assert few.pair_p_value[0] == pytest.approx(1.0 - t / np.sqrt(t * t + 2.0), rel=1e-6)
    one = mark_changes(first, second, joined, ReplicateGaps(replicates, np.array([1.0, 50.0])))
    assert one.pair_p_value[0] == 1.0
    assert not one.marked.any()
