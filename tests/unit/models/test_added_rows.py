"""What added rows do to the order of old items: by hand, and against loops."""

from __future__ import annotations

import numpy as np
import pytest

from cr_audit.arrays import Comparisons
from cr_audit.errors import ComputeError
from cr_audit.models.rankings.added import effect_of_added_rows


def two_parts() -> tuple[Comparisons, np.ndarray]:
    """Items 0-2 and 3-5 apart, eight votes a pair; the batch holds item 0 against 1, lost."""
    pairs = [(part + a, part + b) for part in (0, 3) for a in range(3) for b in range(a)]
    old = pairs * 8
    rows = [*old, *[(1, 0)] * 20]
    added = np.arange(len(rows)) >= len(old)
    winner, loser = (np.array(x) for x in zip(*rows, strict=True))
    return Comparisons.of(7, winner, loser), added


def test_only_components_that_got_rows_are_tested() -> None:
    rows, added = two_parts()
    effect = effect_of_added_rows(
        rows, added, weights=None, n_replicates=60, rng=np.random.default_rng(0)
    )
    assert effect.touched.tolist() == [True] * 3 + [False] * 4
    assert effect.n_tests == 3
    # Φ⁻¹(1 - 0.01/(2 · 3))
    assert effect.critical_value == pytest.approx(2.9352, abs=1e-4)
    change = effect.average
    assert change.change[3:6].tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(change.error[3:]).all()
    assert not change.beyond_noise[3:].any()
    assert np.isnan(change.before[6])
    assert effect.component.tolist()[6] == -1
    assert (change.rank_before[:3].tolist(), change.rank_after[6]) == ([3, 2, 1], 0)


def test_rates_before_and_after_by_hand() -> None:
    """Item 1 beat 0 in all votes of both, so p stays 1 and no rate moves."""
    rows, added = two_parts()
    effect = effect_of_added_rows(
        rows, added, weights=None, n_replicates=60, rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(effect.average.before[:3], [1 / 6, 3 / 6, 5 / 6])
    np.testing.assert_allclose(effect.average.change[:3], 0.0)
    assert effect.average.flips.n == 0
    turned = Comparisons.of(7, np.where(added, 0, rows.winner), np.where(added, 1, rows.loser))
    effect = effect_of_added_rows(
        turned, added, weights=None, n_replicates=400, rng=np.random.default_rng(0)
    )
    moved = 20 / 28 / 3  # of 28 votes item 0 now won 20
    np.testing.assert_allclose(effect.average.change[:3], [moved, -moved, 0.0], atol=1e-12)
    flips = effect.average.flips
    assert (flips.ahead.tolist(), flips.behind.tolist()) == ([1], [0])
    assert flips.change[0] == pytest.approx(2 * moved)
    # The two move against each other, so errors add up; what else moves them is small.
    assert flips.error[0] == pytest.approx(2 * effect.average.error[0], rel=0.1)
    assert flips.beyond_noise.tolist() == [True]


def test_there_must_be_old_rows_and_new_ones() -> None:
    rows, added = two_parts()
    for mask in (np.zeros_like(added), np.ones_like(added)):
        with pytest.raises(ComputeError, match="old comparisons and new"):
            effect_of_added_rows(rows, mask, weights=None, rng=np.random.default_rng(0))
