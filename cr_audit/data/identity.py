"""Who is the same: alternatives and prompts are identified by their content.

An identifier is the first 16 hex digits (64 bits) of a BLAKE2b digest over the canonical text (NFC,
outer white space trimmed, nothing else) and, where the data names them, the prompt, the system that
wrote the response and the response's own key. Two systems that give the same text to one prompt are
therefore two alternatives, and exact clones; the same text without a named author is one.
Collisions: at 10^7 alternatives the chance that any two share an identifier is 3e-6; the builder
checks for them and refuses.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cache
from struct import Struct

DIGITS = 16
_FRAME = Struct("<BQ").pack


def canonical(text: str) -> str:
    """NFC with outer white space trimmed; inner white space, case and punctuation are kept."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text.strip()


@cache
def _base(domain: str) -> hashlib.blake2b:
    """An empty digest of a domain; copying it is cheaper than making it."""
    return hashlib.blake2b(digest_size=DIGITS // 2, person=domain.encode()[:16])


def _framed(raw: bytes) -> bytes:
    """1, the length in 8 bytes, lowest first, and the bytes."""
    return _FRAME(1, len(raw)) + raw


def digest(domain: str, *parts: str | None) -> str:
    """16 hex digits that depend on every part, on which parts are absent, and on the domain."""
    pieces = [
        b"\x00" if part is None else _framed(part.encode("utf-8", "surrogatepass"))
        for part in parts
    ]
    h = _base(domain).copy()
    h.update(b"".join(pieces))
    return h.hexdigest()


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


_ABSENT = b"\x00"
_PROMPT_FRAME = _FRAME(1, DIGITS)


def prompt_id(text: str | None, key: str | None) -> str:
    """A prompt is its text; only where the text is unknown is it the key that the data gives."""
    if text is None:
        return digest("prompt", None, key)
    raw = _encoded(text)
    h = _base("prompt").copy()
    h.update(b"".join((_FRAME(1, len(raw)), raw, _ABSENT)))
    return h.hexdigest()


def alternative_id(prompt: str, text: str | None, model: str | None, key: str | None) -> str:
    """``prompt`` is the prompt's identifier; the rest as the data gives it, texts canonical."""
    if text is None or model is not None or key is not None or len(prompt) != DIGITS:
        return digest("alternative", prompt, text, model, key)
    # A text and no more, as most data has it: what ``digest`` makes of it, at less than half.
    raw = _encoded(text)
    h = _base("alternative").copy()
    parts = (_PROMPT_FRAME, prompt.encode(), _FRAME(1, len(raw)), raw, _ABSENT, _ABSENT)
    h.update(b"".join(parts))
    return h.hexdigest()
