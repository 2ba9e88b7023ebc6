"""Texts of a page: one harmless line each, and as long as there is room for."""

from __future__ import annotations

import re
from html import escape

from cr_audit.blocks import Words, spans
from cr_audit.write.escape import visible

TEXT = 400
"""Characters of one cell; how many more there are is said, and the JSON report has them."""
LONG = 4_000
"""Characters of a paragraph or of one side of a diff."""


def text(raw: str, most: int = LONG) -> str:
    """The inside of an element or of an attribute. Cut where it is too long, which is said."""
    if len(raw) <= most:
        return escape(visible(raw), quote=True)
    left = len(raw) - most
    return f"{escape(visible(raw[:most]), quote=True)}… ({left:,} more characters)"


def words(line: Words, most: int = LONG) -> str:
    """A line in its tones."""
    return "".join(
        text(s.text, most)
        if s.tone == "plain"
        else f'<span class="t-{s.tone}">{text(s.text, most)}</span>'
        for s in spans(line)
    )


def commented(raw: str) -> str:
    """A sentence in which commands stand between backticks, or between round brackets."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", text(raw))
    return re.sub(r"\((cr-audit [^()<>`,]+)\)", r"(<code>\1</code>)", marked)
