"""The JSON Schema: kept as a golden file, and never narrower than that of the first edition."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cr_audit.contract import schema

GOLDEN = Path(__file__).parent / "golden"


def resolved(node: Any, root: dict[str, Any]) -> Any:
    """The definition that a reference names."""
    while isinstance(node, dict) and "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def objects(node: Any, root: dict[str, Any]) -> list[dict[str, Any]]:
    """The kinds of object that a value may be, those in lists and maps included."""
    node = resolved(node, root)
    if not isinstance(node, dict):
        return []
    out = [node] if node.get("properties") else []
    for key in ("anyOf", "oneOf"):
        for choice in node.get(key, ()):
            out += objects(choice, root)
    for key in ("items", "additionalProperties"):
        out += objects(node.get(key), root)
    return out


def test_the_schema_is_the_golden_one() -> None:
    """CR_AUDIT_GOLDEN=write writes it anew."""
    path = GOLDEN / "schema_v1.json"
    text = json.dumps(schema(), indent=1) + "\n"
    if os.environ.get("CR_AUDIT_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


OLD = json.loads((GOLDEN / "schema_v1_first.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("part", sorted(OLD["properties"]))
def test_no_key_of_the_first_edition_is_gone(part: str) -> None:
    new = schema()
    missing = set()

    def compare(old_node: Any, new_node: Any, where: str, depth: int) -> None:
        known: dict[str, Any] = {}
        for kind in objects(new_node, new):
            known |= kind["properties"]
        for kind in objects(old_node, OLD):
            for key, inside in kind["properties"].items():
                if key not in known:
                    missing.add(f"{where}.{key}")
                elif depth < 8:
                    compare(inside, known[key], f"{where}.{key}", depth + 1)

    assert part in new["properties"]
    compare(OLD["properties"][part], new["properties"][part], part, 0)
    assert missing == set()


def test_what_every_document_had_it_has() -> None:
    assert set(OLD["required"]) <= set(schema()["required"])
