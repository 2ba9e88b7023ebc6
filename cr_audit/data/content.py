"""Responses that say nothing: empty, invisible, markup alone, or a name that a colon follows."""

from __future__ import annotations

import re
import unicodedata

from cr_audit.data.lookalikes import visible

_MARKUP = re.compile(r"<[^<>\n]*>|^[ \t]*#{1,6}[ \t][^\n]*$", re.MULTILINE)
"""Tags, and headings: a heading without anything under it announces what does not come."""
_NAME = re.compile(r"^[ \t]*[\w .'-]{1,40}:[ \t]*$", re.MULTILINE)
_SAYS = ("L", "N")
PLAIN = r"(?m)^[^<>:#\nA-Za-z0-9]*[A-Za-z0-9][^<>:#\n]*$"
"""A line that none of the above can take away: most texts hold one, which is enough to know.
Python's regular expressions and those of polars read it alike."""
_PLAIN = re.compile(PLAIN)


def has_content(text: str) -> bool:
    """Whether anything is left of a text without invisible characters, tags, headings and lines
    that are a name and a colon: a letter, a digit or a picture (Unicode L, N, So)."""
    if _PLAIN.search(text):
        return True
    left = _NAME.sub("", _MARKUP.sub("", visible(text)))
    return any(c[0] in _SAYS or c == "So" for c in map(unicodedata.category, left))
