"""Streams of a run: one per stage, by name."""

from __future__ import annotations

import numpy as np

from cr_audit.streams import KEYS, stream


def test_no_two_stages_share_a_stream() -> None:
    assert len(set(KEYS.values())) == len(KEYS)
    names = (*KEYS, "gate: leader", "x")
    first = {stream(0, name).integers(1 << 62) for name in names}
    assert len(first) == len(names)


def test_the_same_name_and_seed_give_the_same_numbers() -> None:
    for name in ("clones", "a stage of my own"):
        a, b = stream(5, name).random(4), stream(5, name).random(4)
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, stream(6, name).random(4))


def test_old_stages_draw_what_they_drew() -> None:
    """The numbers of earlier reports: stage 3 of seed 0 is the third child of that seed."""
    expected = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(3,))).random(3)
    np.testing.assert_array_equal(stream(0, "weights").random(3), expected)
