"""Weights by kinds: by hand, with copies and additions, and where there is nothing to see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.arrays import Float32Array, IntArray
from cr_audit.models.kinds.find import find_division
from cr_audit.weights.schemes.kinds import kind_shares, kind_weights


def topics(sizes: tuple[int, ...], seed: int = 0) -> tuple[Float32Array, IntArray]:
    """Groups around orthogonal directions, apart but not tight."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(sizes)), sizes)
    x = 0.35 * rng.standard_normal((label.size, 24))
    x[np.arange(label.size), label] += 2.0
    return x.astype(np.float32), label


def test_shares_by_hand() -> None:
    """Of six items three are of kind 0, one of kind 1, two of none: these keep 1/6 each, and each
    kind has half of the other 4/6."""
    found = kind_shares(np.array([0, 0, 0, 1, -1, -1]))
    assert found == pytest.approx([1 / 9, 1 / 9, 1 / 9, 1 / 3, 1 / 6, 1 / 6])
    assert kind_shares(np.full(4, -1)) == pytest.approx(1 / 4)


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=40))
def test_kinds_weigh_alike_and_the_rest_as_before(labels: list[int]) -> None:
    used = sorted(set(labels) - {-1})
    label = np.array([used.index(g) if g >= 0 else -1 for g in labels])
    share = kind_shares(label)
    assert share.sum() == pytest.approx(1.0)
    assert share[label < 0] == pytest.approx(1 / label.size)
    masses = [share[label == g].sum() for g in range(len(used))]
    assert masses == pytest.approx([np.mean(label >= 0) / max(len(used), 1)] * len(used))


def test_topics_weigh_alike_however_many_answers_each_has() -> None:
    x, label = topics((70, 25, 25))
    w = kind_weights(x, rng=np.random.default_rng(0))
    assert w.settings["n_kinds"] == 3
    assert w.settings["agreement"] > 0.9
    assert w.masses(label, 3) == pytest.approx([1 / 3] * 3, abs=0.02)
    again = kind_weights(x, resolution=w.settings["resolution"], rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.weights, w.weights)


def test_a_cloud_has_no_kinds_and_its_weights_are_even() -> None:
    x = np.random.default_rng(1).standard_normal((80, 24)).astype(np.float32)
    found = find_division(x, rng=np.random.default_rng(0))
    assert found.resolution == 0.0
    assert (found.labels == -1).all()
    assert kind_weights(x, rng=np.random.default_rng(0)).weights == pytest.approx(1 / 80)


def test_exact_copies_share_their_weight_and_move_nobody() -> None:
    x, _ = topics((50, 50, 50))
    before = kind_weights(x, resolution=0.5, rng=np.random.default_rng(0)).weights
    after = kind_weights(
        np.vstack([x, x[[0, 0]]]), resolution=0.5, rng=np.random.default_rng(0)
    ).weights
    assert after[1:150] == pytest.approx(before[1:], rel=1e-12)
    assert after[[0, 150, 151]] == pytest.approx(before[0] / 3, rel=1e-12)


def test_what_says_nothing_weighs_no_more_than_the_average() -> None:
    x, label = topics((110, 20, 20))
    empty = np.zeros(150, bool)
    empty[-1] = True
    w = kind_weights(x, resolution=0.5, empty=empty, rng=np.random.default_rng(0)).weights
    assert label[-1] == 2
    assert w[-1] <= 1 / 150 + 1e-12 < w[-2]
