"""Pictures, sound and films: what is in them is not read, but which one it is counts.

A medium is known by a digest of its bytes, or of its reference (path, address, identifier) where
the row has no bytes. The text shows it as ``[image 0123456789abcdef]``, so that twenty pictures
with one question are twenty prompts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from cr_audit.readers.names import tokens

KINDS = ("image", "audio", "video", "file")
FIELDS: dict[str, str] = {
    **dict.fromkeys(
        (
            "image",
            "images",
            "img",
            "imgs",
            "image_url",
            "image_urls",
            "image_path",
            "image_paths",
            "image_file",
            "image_id",
            "image_bytes",
            "picture",
            "pictures",
            "photo",
            "photos",
            "screenshot",
            "screenshots",
            "figure",
            "pixel_values",
        ),
        "image",
    ),
    **dict.fromkeys(
        ("audio", "audios", "audio_path", "audio_url", "audio_file", "speech", "sound"), "audio"
    ),
    **dict.fromkeys(("video", "videos", "video_path", "video_url", "video_file"), "video"),
}
"""Columns that hold a medium beside the prompt, and its kind."""
_REFERENCES = (
    "bytes",
    "data",
    "b64_json",
    "image_url",
    "url",
    "uri",
    "path",
    "file",
    "file_id",
    "filename",
    "file_name",
    "id",
    "source",
    "image",
    "input_audio",
    "audio",
    "video",
    "text",
    "value",
    "name",
)
_SUFFIX = re.compile(
    r"\.(?:(png|jpe?g|gif|webp|bmp|tiff?|svg)|(wav|mp3|flac|ogg|m4a)|(mp4|webm|mov|avi)"
    r"|(pdf|docx?|pptx?|xlsx?|epub))(?:[?#].*)?$",
    re.IGNORECASE,
)
_BASE64 = {
    "image": ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk0", "PHN2Zy"),
    "file": ("JVBERi0",),
}
"""How the base64 of pictures (PNG, JPEG, GIF, WebP, BMP, SVG) and of PDF files begins."""
_ENCODED = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_KINDS_BY_WORD = {
    **dict.fromkeys(("image", "images", "img", "imgs", "picture", "photo", "screenshot"), "image"),
    **dict.fromkeys(("audio", "speech", "sound"), "audio"),
    "video": "video",
    **dict.fromkeys(("pdf", "attachment"), "file"),
}
_REFERS = frozenset(
    str.split("name names file path paths filename url urls uri id b64 base64 bytes ref src hash")
)


def kind_by_name(field: str) -> str:
    """The kind of medium that a field's name speaks of; a picture where it does not say."""
    return next((k for t in tokens(field) if (k := _KINDS_BY_WORD.get(t))), "image")


def names_medium(field: str) -> bool:
    """Whether a name says that a field holds a medium or where it lies: ``image_name``."""
    said = [t for t in tokens(field) if not t.isdigit()]
    return (
        bool(said)
        and not _KINDS_BY_WORD.keys().isdisjoint(said)
        and (said[-1] in _REFERS or (len(said) == 1 and said[0] in _KINDS_BY_WORD))
    )


def plain(value: Any) -> Any:
    """What JSON cannot hold (bytes, dates, decimals) as text; for :func:`json.dumps`."""
    if isinstance(value, bytes):
        return hashlib.blake2b(value, digest_size=8).hexdigest()
    return str(value)


def as_json(value: Any) -> str:
    """Canonical JSON: keys sorted, so that equal values are equal texts."""
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=plain)
    except (TypeError, RecursionError):  # keys of several types, or too deep to sort
        return str(value)


def _content(value: Any) -> bytes:
    """The bytes that say which medium this is: its own where they are there."""
    while isinstance(value, Mapping):
        for name in _REFERENCES:
            if value.get(name) not in (None, "", b""):
                value = value[name]
                break
        else:
            return as_json(value).encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        head, comma, body = value.partition(",")
        if head.startswith("data:") and comma and head.endswith("base64"):
            try:
                return base64.b64decode(body, validate=True)
            except (binascii.Error, ValueError):
                return value.encode("utf-8", "surrogatepass")
        return value.strip().encode("utf-8", "surrogatepass")
    return as_json(value).encode("utf-8", "surrogatepass")


def kind_by_value(value: Any) -> str | None:
    """The kind of medium that a value is by its look: a path or address with a medium's suffix, a
    data URI, or an object with bytes. None if it is none."""
    if isinstance(value, list) and value:
        return kind_by_value(value[0])
    if isinstance(value, Mapping):
        held = value.get("path") or value.get("url")
        return kind_by_value(held) or ("image" if isinstance(value.get("bytes"), bytes) else None)
    if not isinstance(value, str) or len(value) > 10_000_000 or "\n" in value[:500]:
        return None
    if value.startswith("data:"):
        kind = value[5:].partition("/")[0]
        return kind if kind in KINDS else None
    if len(value) >= 40:
        for kind, starts in _BASE64.items():
            if value.startswith(starts) and _ENCODED.fullmatch(value[:4000]):
                return kind
    found = None if len(value) > 500 or " " in value.strip() else _SUFFIX.search(value.strip())
    return None if found is None else KINDS[(found.lastindex or 1) - 1]


def mark(kind: str, value: Any) -> str:
    """``[image 0123456789abcdef]``: 16 hex digits of BLAKE2b over the bytes or the reference."""
    return f"[{kind} {hashlib.blake2b(_content(value), digest_size=8).hexdigest()}]"


def marks(kind: str, value: Any) -> list[str]:
    """One mark per medium of a column: a list holds several, nothing holds none."""
    if isinstance(value, list | tuple):
        return [m for entry in value for m in marks(kind, entry)]
    if value is None or value == "" or (isinstance(value, float) and value != value):
        return []
    if isinstance(value, Mapping) and not any(v not in (None, "", b"") for v in value.values()):
        return []
    return [mark(kind, value)]


def only_marks(text: str) -> bool:
    """Whether a text is nothing but marks: it has no words."""
    stripped = text.strip()
    if not stripped.startswith("[") or not stripped.endswith("]"):
        return False
    return all(_is_mark(piece) for piece in stripped.split("\n") if piece.strip())


def _is_mark(line: str) -> bool:
    kind, _, digits = line.strip().strip("[]").partition(" ")
    return kind in KINDS and len(digits) == 16 and all(c in "0123456789abcdef" for c in digits)
