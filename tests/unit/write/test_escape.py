"""Escapes: what comes out is harmless, and what was harmless is left alone."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.write.escape import markdown, no_commands, plain, shorten, visible

ANY = st.text(st.characters(codec=None), max_size=60)


@given(ANY)
def test_visible_leaves_nothing_invisible(text: str) -> None:
    assert not {unicodedata.category(c) for c in visible(text)} & {
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Zl",
        "Zp",
    }


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "Mc"]), max_size=60))
def test_visible_leaves_plain_text_alone(text: str) -> None:
    if "##" not in text:
        assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x00\x7f\x85", "\\x00\\x7f\\x85"),
        ("\u202e\u200b\u2028", "\\u202e\\u200b\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("##vso[x]", "#\\x23vso[x]"),
        ("##[x]", "#\\x23[x]"),
        ("## heading", "## heading"),
        ("e\u0301\u0323\u20dd हिन्दी שָׁלוֹם", "e\u0301\u0323\u20dd हिन्दी שָׁלוֹם"),
        ("e" + 7 * "\u0301" + "e\u0301", "e" + 5 * "\u0301" + 2 * "\\u0301" + "e\u0301"),
        ("\ufffe\ufdd0\U0001ffff", "\\ufffe\\ufdd0\\U0001ffff"),
        ("std::vector", "std::vector"),
    ],
)
def test_visible_shows_what_was_there(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_visible_can_keep_new_lines() -> None:
    assert visible("a\nb\r\x00", keep_newlines=True) == "a\nb\\r\\x00"


@given(ANY)
def test_plain_is_one_line_and_no_command(text: str) -> None:
    out = plain(text)
    assert len(out.splitlines()) <= 1
    assert not out.lstrip().startswith("::")


@given(st.lists(st.sampled_from(["::", " ", "\n", "\x1b[1m", "error", ":"]), max_size=12))
def test_no_commands_keeps_lines_and_widths(pieces: list[str]) -> None:
    text = "".join(pieces)
    out = no_commands(text)
    assert [len(a) for a in out.split("\n")] == [len(a) for a in text.split("\n")]
    for line in out.split("\n"):
        assert not line.replace("\x1b[1m", "").lstrip().startswith("::")


@given(ANY)
def test_markdown_holds_no_markup(text: str) -> None:
    out = markdown(text)
    assert not re.search(r"[<>|`*_\[\]@~!$\\\"']", out)
    assert not re.search(r"&(?!#\d+;)", out)
    assert not re.search(r"(?i)www\.|://", out)
    assert "\n" not in out


@given(ANY)
def test_markdown_shows_the_text(text: str) -> None:
    """A reader sees the visible text: references resolve to it, parted by zero-width spaces."""
    assert html.unescape(markdown(text)).replace("\u200b", "") == visible(text)


@pytest.mark.parametrize("text", ["@someone", "#12", "https://x.org", "a@b.org", "www.x.org"])
def test_markdown_parts_what_is_looked_for_in_rendered_text(text: str) -> None:
    shown = html.unescape(markdown(text))
    assert text not in shown
    assert "\u200b" in shown


@given(ANY, st.integers(0, 80))
def test_shorten(text: str, width: int) -> None:
    out = shorten(text, width)
    assert len(out) <= max(width, 1)
    if len(text) <= width:
        assert out == text
