"""The JSON Schema of all documents: the parts of every family and of the gate in one place."""

from __future__ import annotations

from typing import Any

from cr_audit.families import with_role
from cr_audit.wire import json_schema


def schema() -> dict[str, Any]:
    """Made from the records that are registered at this moment."""
    from cr_audit.export import wire as of_export
    from cr_audit.gate import wire as of_gate

    modules = [part for _, part in with_role("wire")] + [of_gate, of_export]
    parts = {key: kind for module in modules for key, kind in module.PARTS.items()}
    return json_schema(
        parts, tuple(key for module in modules for key in getattr(module, "REQUIRED", ()))
    )
