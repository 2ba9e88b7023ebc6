"""The distance between two texts."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.clones.shingles import Shingles, text_distance

ANY_TEXT = st.text(st.characters(), max_size=60)
FEW_WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), max_size=12).map(" ".join)


def by_hand(a: str, b: str) -> float:
    """For plain lower-case texts: the definition, with Python's sets."""

    def shingles(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"[a-z0-9]+", text)
        return {(w,) for w in words} | set(pairwise(words))

    x, y = shingles(a), shingles(b)
    return 1 - len(x & y) / len(x | y) if x | y else 0.0


@given(FEW_WORDS, FEW_WORDS)
def test_is_the_jaccard_distance_of_words_and_pairs(a: str, b: str) -> None:
    assert text_distance(a, b) == pytest.approx(by_hand(a, b), abs=1e-12)


@given(FEW_WORDS, FEW_WORDS, FEW_WORDS)
def test_is_a_metric(a: str, b: str, c: str) -> None:
    assert text_distance(a, b) == text_distance(b, a)
    assert text_distance(a, c) <= text_distance(a, b) + text_distance(b, c) + 1e-12


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Hello,  World!\n", "hello world"),
        ("# Title\n\n- **one** two\n- three", "Title one two three"),
        ("Straße", "STRASSE"),
        ("ﬁne ①", "fine 1"),
        ("cafe\u0301", "caf\u00e9"),
        ("“Don’t”", '"Don\'t"'),
        ("a\x00b \x1b[0m", "a\x00b \x1b[0m"),
        ("你好，世界。", "你好世界"),
    ],
)
def test_form_does_not_count(a: str, b: str) -> None:
    assert text_distance(a, b) == 0.0


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("Yes.", "No.", 1.0),
        ("", "word", 1.0),
        ("", "  \n", 0.0),
        ("你好世界", "你好地球", 1 - 3 / 11),
        ("1 + 1", "1 = 1", 1 - 1 / 7),
        ("🙂", "🙃", 1.0),
        ("?!", "?!", 0.0),
        ("?!", "...", 1.0),
    ],
)
def test_content_does(a: str, b: str, distance: float) -> None:
    assert text_distance(a, b) == pytest.approx(distance)


@given(st.lists(ANY_TEXT, max_size=8), st.randoms())
def test_hostile_text_any_order(texts: list[str], random: object) -> None:
    shingles = Shingles.of(texts)
    assert shingles.n == len(texts)
    assert np.all(shingles.keys[1:] >= shingles.keys[:-1])
    for i, text in enumerate(texts):
        assert (shingles.sizes[i] == 0) == (Shingles.of([text]).sizes[0] == 0)
        assert text_distance(text, text) == 0.0


def test_lone_surrogates_and_long_lines() -> None:
    assert text_distance("a \ud800 b", "a \udfff b") == 0.0
    long = "word " * 200_000
    assert Shingles.of([long, "x"]).sizes.tolist() == [2, 1]
    assert text_distance("x" * 300_000, "x" * 299_999 + "y") == 1.0


def test_blocks_do_not_show() -> None:
    texts = [f"text number {i} " + "with some words " * 2000 for i in range(60)]
    whole = Shingles.of(texts)
    for i in (0, 31, 32, 59):
        assert whole.sizes[i] == Shingles.of([texts[i]]).sizes[0]


def test_units_of_two_groups_share_nothing() -> None:
    shingles = Shingles.of(["one two three", "one two four"])
    units = shingles.within(np.array([0, 1, 1]), np.array([0, 0, 1]))
    overlap = (units.matrix() @ units.matrix().T).toarray()
    np.testing.assert_array_equal(overlap[0, 1:], [3, 0])
    assert overlap[1, 2] == 0
    assert units.sizes.tolist() == [5, 5, 5]
