"""Text in the SVG plots: markup escaped, and how much room it takes."""

from __future__ import annotations

import unicodedata
from html import escape

from cr_audit.write.escape import visible

_NARROW = frozenset("fijlrtI.,:;'|!()[]{}/\\ ")
_BROAD = frozenset("mwMW@%—…")


def svg_text(text: str) -> str:
    """One harmless line for the inside of an element or of an attribute."""
    return escape(visible(text))


def text_width(text: str, size: float) -> float:
    """Pixels of a line in a sans-serif of ``size`` pixels; on the wide side, for any such font."""
    return size * sum(map(_em, text))


def _em(character: str) -> float:
    """Width in units of the size."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.2  # emoji are broader than the 1 of an ideograph
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0.0
    if character in _NARROW:
        return 0.42
    if character in _BROAD:
        return 1.0
    if ord(character) > 0x24F:  # beyond Latin, letters such as Ж
        return 1.0
    return 0.74 if character.isupper() else 0.63
