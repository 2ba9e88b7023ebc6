"""Responses that say nothing."""

from __future__ import annotations

import pytest

from cr_audit.data.content import has_content


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
