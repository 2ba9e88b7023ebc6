"""A response's text in a row of any layout, replaced by another one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cr_audit.data.identity import canonical

NOT_RESPONSES = frozenset(
    str.split(
        "prompt system label annotator models left_model right_model model left_key right_key key"
        " mass weight ranks scores score left_score right_score order turn tie_flag status tree"
        " anony dedup_tag left_won right_won tie_won"
    )
)
"""Roles whose fields hold no response."""


def replaced(
    value: dict[str, Any], old: str, new: str, outside: Collection[str]
) -> dict[str, Any] | None:
    """The row with ``new`` wherever a field ends in the response ``old`` (canonical texts).

    A field is a text that is ``old``, a transcript that ends with it after a speaker's mark, or a
    list whose last text is one of these (a conversation, or one of several responses). outside :
    fields that hold no response. None where it stands nowhere.
    """
    out, found = dict(value), False
    for name, inside in value.items():
        if name in outside:
            continue
        changed = _changed(inside, old, new)
        if changed is not None:
            out[name], found = changed, True
    return out if found else None


def _changed(value: Any, old: str, new: str) -> Any:
    """The value with the text replaced, None where it does not hold it."""
    if isinstance(value, str):
        return _text(value, old, new)
    if isinstance(value, list):
        messages = all(isinstance(v, dict) and ("role" in v or "from" in v) for v in value)
        last = len(value) - 1
        out, found = list(value), False
        for i, inside in enumerate(value):
            if messages and i != last:
                continue  # earlier turns are the prompt
            changed = _changed(inside, old, new)
            if changed is not None:
                out[i], found = changed, True
        return out if found else None
    if isinstance(value, dict):
        pairs = {k: _changed(v, old, new) for k, v in value.items()}
        if all(v is None for v in pairs.values()):
            return None
        return {k: value[k] if v is None else v for k, v in pairs.items()}
    return None


def _text(value: str, old: str, new: str) -> str | None:
    said = canonical(value)
    if said == old:
        return new
    whole = value.rstrip()
    if not old or not whole.endswith(old):
        return None
    head = whole[: len(whole) - len(old)]
    if "Human:" in head and head.rstrip().endswith("Assistant:"):
        return head + new + value[len(whole) :]
    return None
