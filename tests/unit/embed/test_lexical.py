"""Hashed character n-grams: against a plain count, and the same bytes everywhere."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.embed.lexical import LexicalBackend

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)


def plain_vector(text: str, dimension: int, orders: tuple[int, ...]) -> np.ndarray:
    """The definition with Python integers, one n-gram at a time."""
    bits = 2**64 - 1
    plain = " ".join(text.casefold().split())
    pad = "\x03" * (max(orders) - 1)
    padded = pad + plain + pad if plain else ""
    out = np.zeros(dimension)
    for order in orders:
        grams = Counter(padded[i : i + order] for i in range(len(padded) - order + 1))
        for gram, count in grams.items():
            value = order
            for character in gram:
                value = (value * 0x9E3779B97F4A7C15 + ord(character)) & bits
            value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & bits
            value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & bits
            value = (value ^ (value >> 31)) >> 11
            weight = round((1 + math.log(count)) * 1024) / 1024
            out[(value >> 1) % dimension] += -weight if value & 1 else weight
    norm = np.linalg.norm(out)
    return out / norm if norm else out


@given(ANY_TEXT)
def test_equals_the_definition(text: str) -> None:
    for dimension, orders in ((512, (4,)), (64, (2, 3))):
        got = LexicalBackend(dimension, orders).encode([text])[0]
        expected = plain_vector(text, dimension, orders)
        if expected.any():
            np.testing.assert_allclose(got, expected, atol=1e-6)


@given(st.lists(ANY_TEXT, max_size=8), st.randoms(use_true_random=False))
def test_batch_and_order_do_not_matter(texts: list[str], random: object) -> None:
    backend = LexicalBackend()
    whole = backend.encode(texts)
    order = list(range(len(texts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert np.array_equal(backend.encode([texts[i] for i in order]), whole[order])
    for text, row in zip(texts, whole, strict=True):
        assert np.array_equal(backend.encode([text])[0], row)
        expected = 1.0 if text.split() else 0.0
        assert np.linalg.norm(row) == pytest.approx(expected, abs=1e-6)


def test_a_text_that_cancels_itself_still_has_a_direction() -> None:
    backend = LexicalBackend(1, (1,))
    vectors = backend.encode([chr(a) + chr(b) for a in range(97, 117) for b in range(97, 117)])
    assert (vectors != 0).all()


def test_case_and_spacing_are_one_and_words_are_not() -> None:
    a, b, c = LexicalBackend().encode(["Hello  World\n", "hello world", "hello word"])
    assert np.array_equal(a, b)
    assert 0.4 < a @ c < 0.99


def test_blocks_are_crossed_without_a_trace() -> None:
    long = ["y " * 700_000, "short", "", "z" * 1_200_000]
    backend = LexicalBackend()
    whole = backend.encode(long + ["x"] * 5000)
    for i, text in enumerate(long):
        assert np.array_equal(whole[i], backend.encode([text])[0])
    assert np.array_equal(whole[4:], np.repeat(backend.encode(["x"]), 5000, axis=0))


def test_bytes_are_pinned_and_independent_of_the_hash_seed() -> None:
    code = (
        "import hashlib; from cr_audit.embed.lexical import LexicalBackend as L;"
        "v = L().encode(['the quick brown fox ' * 9, 'naïve Ωmega 你好', 'a']);"
        "print(hashlib.sha256(v.astype('<f4').tobytes()).hexdigest())"
    )
    for seed in ("0", "1"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert out.stdout.strip() == PINNED


PINNED = "480b768c35a0f496f04ebdd104bf0a2a88f0205e7f152a1d5db4db1cc1c14d55"


def test_fingerprint_follows_the_settings() -> None:
    prints = {LexicalBackend(d, o).fingerprint for d in (256, 512) for o in ((4,), (4, 5))}
    assert len(prints) == 4
    assert LexicalBackend().fingerprint == LexicalBackend(512, (4, 4)).fingerprint
    for bad in ((0, (4,)), (8, ()), (8, (0,))):
        with pytest.raises(ValueError, match="positive"):
            LexicalBackend(*bad)
