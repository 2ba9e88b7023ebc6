"""The registry of encoders: who opens which name, and an encoder from outside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cr_audit.arrays import Float32Array
from cr_audit.embed import ENCODERS, open_backend, open_vectors
from cr_audit.embed.backends import Precision, Progress
from cr_audit.embed.encoders import Opening, encoder_of
from cr_audit.embed.precomputed import PrecomputedVectors
from cr_audit.errors import UsageError


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("lexical", "lexical"),
        ("static", "static"),
        ("static:some/model", "static"),
        ("precomputed:x.npy", "precomputed"),
        ("all-MiniLM-L6-v2", "transformer"),
        ("lexical-2", "transformer"),
        ("statics", "transformer"),
    ],
)
def test_who_opens_a_name(name: str, encoder: str) -> None:
    assert encoder_of(name).name == encoder


def test_vectors_of_a_file_are_no_encoder(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(3))
    name = f"precomputed:{tmp_path / 'v.npy'}"
    opened = open_vectors(name)
    assert isinstance(opened, PrecomputedVectors)
    np.testing.assert_array_equal(opened.vectors(["a", "b", "c"]), np.eye(3))
    with pytest.raises(UsageError, match="cannot encode"):
        open_backend(name)


def test_precision_is_asked_of_those_that_have_it() -> None:
    for name in ("lexical", "static:x", "precomputed:x.npy"):
        with pytest.raises(UsageError, match="bfloat16"):
            open_vectors(name, precision="bfloat16")


class Lengths:
    """A toy: one number, the length of the text."""

    name = "lengths"
    summary = "the length of a text"
    precisions: tuple[Precision, ...] = ("float32",)
    dimension = 2
    fingerprint = "lengths-1"

    def claims(self, model: str) -> bool:
        return model == "lengths"

    def open(self, model: str, how: Opening) -> Lengths:
        return self

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Float32Array:
        angle = np.array([len(t) for t in texts], dtype=np.float32)
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_an_encoder_from_outside_is_one_registration() -> None:
    assert encoder_of("lengths").name == "transformer"
    ENCODERS.register("lengths", Lengths())
    try:
        assert open_backend("lengths").encode(["ab"])[0] == pytest.approx([np.cos(2), np.sin(2)])
    finally:
        ENCODERS.unregister("lengths")
