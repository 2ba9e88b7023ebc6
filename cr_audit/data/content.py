"""Responses that say nothing: empty, invisible, markup alone, or a name that a colon follows."""

from __future__ import annotations

import re
import unicodedata

from cr_audit.data.lookalikes import visible

_MARKUP = re.compile(r"<[^<>\n]*>|^[ \t]*#{1,6}[ \t][^\n]*$", re.MULTILINE)
"""Tags, and headings: a heading without anything under it announces what does not come."""
_NAME = re.compile(r"^[ \t]*[\w .'-]{1,40}:[ \t]*$", re.MULTILINE)
_SAYS = ("L", "N")


def has_content(text: str) -> bool:
    """Whether anything is left of a text without invisible characters, tags, headings and lines
    that are a name and a colon: a letter, a digit or a picture (Unicode L, N, So)."""
    left = _NAME.sub("", _MARKUP.sub("", visible(text)))
    return any(c[0] in _SAYS or c == "So" for c in map(unicodedata.category, left))
