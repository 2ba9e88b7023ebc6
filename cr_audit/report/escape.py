"""Text from the data is hostile. One function per kind of output makes it harmless.

``visible`` is the base of all: it replaces what a terminal, a browser or a person could be fooled
by (control characters, bidirectional marks, invisible characters, lone surrogates) with a visible
escape such as ``\\x1b`` or ``\\u202e``.
"""

from __future__ import annotations

import html
import re
import unicodedata

# Cc control, Cf format (bidi marks, zero width, soft hyphen, tags), Cs surrogates, Co private use,
# Zl / Zp line separators. Cn (unassigned) is left to the terminal's own replacement glyph.
_SUSPECT = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_SIMPLE = re.compile(r"[\x20-\x7e]*\Z")


def visible(text: str, *, keep_newlines: bool = False) -> str:
    """``text`` with every suspect character as a visible escape, newlines and tabs included.

    Zero-width joiners inside emoji are escaped as well: showing them is safer than guessing.
    """
    if _SIMPLE.match(text):
        return text
    out = []
    for ch in text:
        if keep_newlines and ch == "\n":
            out.append(ch)
        elif unicodedata.category(ch) in _SUSPECT:
            code = ord(ch)
            simple = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(ch)
            if simple:
                out.append(simple)
            elif code <= 0xFF:
                out.append(f"\\x{code:02x}")
            elif code <= 0xFFFF:
                out.append(f"\\u{code:04x}")
            else:
                out.append(f"\\U{code:08x}")
        else:
            out.append(ch)
    return "".join(out)


def shorten(text: str, width: int) -> str:
    """The first ``width`` characters, the last one an ellipsis if something was cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def plain(text: str) -> str:
    """One harmless line for a plain stream."""
    return visible(text)


def markdown(text: str) -> str:
    """One harmless line inside a Markdown table cell or sentence.

    HTML is escaped first; then everything Markdown could read as markup, a mention, an autolink or
    a table border becomes a character reference, which no renderer interprets again.
    """
    escaped = html.escape(visible(text), quote=True)
    escaped = re.sub(r"(?<!&#x)(?<!&#)([\\`*_{}\[\]()#+!|~@:<>$-])", _reference, escaped)
    return re.sub(r"(?i)\bwww\.", "www&#46;", escaped)


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match.group(1))};"
