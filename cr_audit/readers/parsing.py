"""JSON values from bytes, the fast parser first; and short quotes of what stood there."""

from __future__ import annotations

import json
from typing import Any

import orjson

DEEP = "nested too deeply"
"""The text of the ValueError for values that are too deep to parse."""


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _repair(value: Any) -> tuple[Any, bool]:
    """Replace lone surrogates by U+FFFD anywhere in a parsed value. Recursive: depth is bounded by
    the parser that made the value."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return _replace_surrogates(value), True
        return value, False
    if isinstance(value, list):
        parts = [_repair(v) for v in value]
        return [v for v, _ in parts], any(r for _, r in parts)
    if isinstance(value, dict):
        pairs = [(_repair(k), _repair(v)) for k, v in value.items()]
        return {k: v for (k, _), (v, _) in pairs}, any(rk or rv for (_, rk), (_, rv) in pairs)
    return value, False


def parse_slowly(raw: bytes) -> tuple[Any, bool]:
    """What orjson refuses and the standard library takes: NaN, infinities, lone surrogates.

    Returns the value and whether lone surrogates were replaced. Raises UnicodeDecodeError if the
    bytes are not UTF-8, ValueError if they are not JSON or are nested too deeply.
    """
    text = raw.decode("utf-8")
    try:
        return _repair(json.loads(text))
    except RecursionError:
        raise ValueError(DEEP) from None


def parse_json(raw: bytes) -> tuple[Any, bool]:
    """orjson first, the standard library second. Errors as in :func:`parse_slowly`."""
    try:
        return orjson.loads(raw), False
    except orjson.JSONDecodeError as error:
        if "depth" in str(error) or "recursion" in str(error).lower():
            raise ValueError(DEEP) from None
        return parse_slowly(raw)


def quote(value: object, limit: int = 80) -> str:
    """A short repr of what stood there; never longer than ``limit``."""
    if isinstance(value, bytes):
        value = value[: limit * 4].decode("utf-8", "replace")
    if isinstance(value, str):
        value = value[: limit + 1]
    elif isinstance(value, list | dict) and len(value) > 20:
        return f"{'list' if isinstance(value, list) else 'object'} of {len(value)} entries"
    try:
        text = repr(value)
    except RecursionError:
        text = DEEP
    return text if len(text) <= limit else text[: limit - 1] + "…"
