"""Text from the data is hostile. One function per kind of output makes it harmless.

``visible`` is the base of all: it replaces what a terminal, a browser or a person could be fooled
by (control characters, bidirectional marks, invisible characters, lone surrogates) with a visible
escape such as ``\\x1b`` or ``\\u202e``.
"""

from __future__ import annotations

import re
import unicodedata

# Cc control, Cf format (bidi marks, zero width, soft hyphen, tags), Cs surrogates, Co private use,
# Zl / Zp line separators. Cn (unassigned) is left to the terminal's own replacement glyph, except
# the noncharacters, which no text may hold and XML forbids.
_SUSPECT = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Me"})
# On one letter; more of them are drawn over the lines above and below.
_MAX_MARKS = 5
_SIMPLE = re.compile(r"[\x20-\x7e]*\Z")
# Build servers read commands from what a program prints: Azure Pipelines "##vso[...]" and GitHub's
# older "##[...]" anywhere in a line, GitHub's "::name::" at the start of one, after white space.
_COMMAND = re.compile(r"##(?=(?:vso)?\[)", re.IGNORECASE)
_LEADING = re.compile(r"^((?:\s|\x1b\[[0-9;]*m)*)::", re.MULTILINE)
_MARKUP = re.compile(r"[&<>\"'\\`*_{}\[\]()#+!|~@:$-]")


def visible(text: str, *, keep_newlines: bool = False) -> str:
    """``text`` with every suspect character as a visible escape, newlines and tabs included.

    Zero-width joiners inside emoji are escaped as well: showing them is safer than guessing.
    """
    text = _COMMAND.sub(r"#\\x23", text)
    if _SIMPLE.match(text):
        return text
    # What a text holds is few of the characters there are: each is looked up once.
    kinds = {ch: unicodedata.category(ch) for ch in set(text)}
    if keep_newlines:
        kinds.pop("\n", None)
    escaped = {
        ord(ch): _escaped(ch)
        for ch, category in kinds.items()
        if category in _SUSPECT or _is_noncharacter(ch)
    }
    piled = {ch for ch, category in kinds.items() if category in _MARKS}
    if not piled:
        return text.translate(escaped) if escaped else text
    out = []
    marks = 0
    for ch in text:
        marks = marks + 1 if ch in piled else 0
        out.append(_escaped(ch) if marks > _MAX_MARKS else escaped.get(ord(ch), ch))
    return "".join(out)


def _is_noncharacter(ch: str) -> bool:
    return ord(ch) & 0xFFFE == 0xFFFE or "\ufdd0" <= ch <= "\ufdef"


def _escaped(ch: str) -> str:
    simple = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(ch)
    if simple:
        return simple
    code = ord(ch)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def beginning(text: str, width: int) -> str:
    """``shorten`` of the visible text, of which no more is looked at than can be shown."""
    return shorten(visible(text[: width + 1]), width)


def shorten(text: str, width: int) -> str:
    """The first ``width`` characters, the last one an ellipsis if something was cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def plain(text: str) -> str:
    """One harmless line for a plain stream."""
    return _LEADING.sub(r"\1\\x3a:", visible(text))


def no_commands(lines: str) -> str:
    """Rendered ``lines`` of which none starts with ``::``; every line keeps its width."""
    return _LEADING.sub("\\1\N{PROPORTION} ", lines)


def markdown(text: str) -> str:
    """One harmless line inside a Markdown table cell or sentence.

    Everything that Markdown or HTML could read as markup or as a table border becomes a character
    reference, which no renderer interprets again. Mentions, issue numbers and links are looked for
    in the rendered text as well, so a zero-width space keeps their parts apart.
    """
    escaped = _MARKUP.sub(lambda match: f"&#{ord(match.group())};", visible(text))
    escaped = re.sub(r"(&#(?:64|35);)(?=\w)|(&#58;)(?=/)", r"\g<0>&#8203;", escaped)
    return re.sub(r"(?i)\b(www)\.", r"\1&#8203;&#46;", escaped)
