"""Identifiers: what they depend on, what they do not, and that they stay what they are."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from cr_audit.data.identity import alternative_id, canonical, digest, prompt_id

texts = st.text(max_size=20)
parts = st.lists(st.none() | texts, max_size=4)


@given(texts)
def test_canonical_texts_are_nfc_trimmed_and_fixed(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert once == unicodedata.normalize("NFC", text).strip()
    assert canonical(f" \n{text}\t") == once


def test_nothing_else_is_folded() -> None:
    for a, b in (("A b", "a b"), ("a  b", "a b"), ("a.", "a"), ("ﬁ", "fi")):
        assert canonical(a) != canonical(b)
    assert canonical("e\u0301") == canonical("é")


@given(parts, parts)
def test_digests_tell_parts_apart(left: list[str | None], right: list[str | None]) -> None:
    assert (digest("prompt", *left) == digest("prompt", *right)) == (left == right)
    assert digest("prompt", *left) != digest("alternative", *left)


def test_boundaries_between_parts_count() -> None:
    assert digest("x", "ab", "c") != digest("x", "a", "bc")
    assert digest("x", None) != digest("x", "")
    assert digest("x", "a") != digest("x", "a", None)


def test_a_prompt_is_its_text_and_its_key_only_without_one() -> None:
    assert prompt_id("p", "1") == prompt_id("p", "2") == prompt_id("p", None)
    assert len({prompt_id(None, None), prompt_id(None, "1"), prompt_id("1", None)}) == 3


def test_identifiers_never_change_between_versions() -> None:
    """Baselines of the gate and caches on disk refer to them."""
    assert prompt_id("Why?", None) == "1f017886c8f72842"
    assert alternative_id("1f017886c8f72842", "good", "A", None) == "ecf197469aa63460"
    assert digest("model", "gpt-4") == "489be0135d2de385"
