"""The JSON Schema of every document: the parts of all families and of the gate."""

from __future__ import annotations

from typing import Any

from cr_audit.families import with_role
from cr_audit.wire import json_schema


def contract_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12), of all that is registered at this moment."""
    from cr_audit.gate import wire as of_gate

    parts: dict[str, Any] = {}
    required: list[str] = []
    for _, part in with_role("wire"):
        parts |= part.PARTS
        required += getattr(part, "REQUIRED", ())
    return json_schema(parts | of_gate.PARTS, tuple(required))
