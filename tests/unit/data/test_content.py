"""Responses that say nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.data.content import _MARKUP, _NAME, has_content
from cr_audit.data.lookalikes import visible


@pytest.mark.parametrize(
    "text",
    ["", "  \n", "\u200b", "### Vacation", "<bot>:", "Assistant:", "**", "<p></p>", "...", "| - |"],
)
def test_nothing_is_said(text: str) -> None:
    assert not has_content(text)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "42",
        "\U0001f44d",
        "### Vacation\nGo north.",
        "Answer: yes",
        "<b>no</b>",
        "はい",
        "x < 3",
    ],
)
def test_something_is_said(text: str) -> None:
    assert has_content(text)


PIECES = [
    "a",
    "é",
    "9",
    " ",
    "\n",
    "\t",
    "#",
    "##",
    "<",
    ">",
    ":",
    "\u200b",
    "*",
    "名",
    "b: ",
    "\r",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_a_plain_line_says_something_whatever_stands_around_it(text: str) -> None:
    """The short way gives what is left once markup, names and invisible characters are gone."""
    left = _NAME.sub("", _MARKUP.sub("", visible(text)))
    says = {unicodedata.category(c)[0] for c in left} & {"L", "N"}
    assert has_content(text) == (bool(says) or "So" in map(unicodedata.category, left))
