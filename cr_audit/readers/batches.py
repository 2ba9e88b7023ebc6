"""Rows that are tables: one list per field, one entry per row, as trainers write their batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cr_audit.readers.containers import Row
from cr_audit.readers.names import asks, spelled
from cr_audit.readers.transcripts import is_messages


def are_batches(sample: Sequence[dict[str, Any]], prompts: Sequence[str]) -> bool:
    """Whether every row holds nothing but lists of one length, a prompt's among them, or lists of
    whole conversations. prompts : names of prompts.

    ``{"prompt": "q", "chosen": ["x", "z"], "rejected": ["y"]}`` is one row with several answers;
    ``{"prompt": ["q", "r"], "chosen": ["x", "z"], "rejected": ["y", "w"]}`` is two rows.
    """
    return any(_length(row) > 1 for row in sample) and all(
        _length(row) > 0 and _tells(row, prompts) for row in sample
    )


def _length(row: dict[str, Any]) -> int:
    """Entries of every field; 0 where they differ, or a field holds no list but a conversation."""
    held = list(row.values())
    if len(held) < 2 or not all(isinstance(v, list) and v and not is_messages(v) for v in held):
        return 0
    sizes = {len(v) for v in held}
    return sizes.pop() if len(sizes) == 1 else 0


def _tells(row: dict[str, Any], prompts: Sequence[str]) -> bool:
    asked = any(
        (spelled(k) in prompts or asks(k)) and all(isinstance(e, str) for e in v)
        for k, v in row.items()
    )
    return asked or sum(all(map(is_messages, v)) for v in row.values()) > 1


def rows_of(batches: Iterator[Row]) -> Iterator[Row]:
    """The rows in batches; each has its batch's line. What is no batch stays as it is."""
    for batch in batches:
        value = batch.value
        n = _length(value) if isinstance(value, dict) else 0
        if n == 0 or not isinstance(value, dict):
            yield batch
            continue
        for i in range(n):
            yield batch._replace(value={name: held[i] for name, held in value.items()})
