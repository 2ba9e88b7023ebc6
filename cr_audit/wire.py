"""The JSON contract, version 1: typed records, and the document that families fill.

Additions are allowed, renames are not. Nothing in a document depends on the terminal, the time or
the machine: floats are rounded, lists stand in an order that the data fixes, texts are cut to
``TEXT_LENGTH`` characters unless asked for in full. What did not apply is a ``NotApplicable``,
written {"not_applicable": reason}; what a record does not have is ``ABSENT`` and left out.

The JSON Schema comes from the records (``json_schema``): a record's docstring is its description,
its annotations are its types. A family names its parts of the document in ``PARTS`` of its
``wire`` module; ``parts(facts, texts)`` fills them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from annotated_types import Ge, Interval

from cr_audit import __version__
from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding as Found
from cr_audit.findings import Severity
from cr_audit.texts import Texts as Held

if TYPE_CHECKING:
    from cr_audit.clones.meaning import GraphRecord
    from cr_audit.data.dataset import PreferenceDataset

SCHEMA = "cr-audit/v1"
TEXT_LENGTH = 200


class Missing(Enum):
    """The type of ``ABSENT``: a key that a record does not have."""

    ABSENT = "absent"


ABSENT: Final = Missing.ABSENT


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text of a fixed form, as a regular expression of JSON Schema."""

    regex: str

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core_schema), "pattern": self.regex}


Share = Annotated[float, Interval(ge=0, le=1)]
Count = Annotated[int, Ge(0)]
Rank = Annotated[int, Ge(1)]
NotNegative = Annotated[float, Ge(0)]
ContentId = Annotated[str, Pattern("^[0-9a-f]{16}$")]
ClusterId = Annotated[str, Pattern("^cluster:[0-9a-f]{16}$")]
ItemId = Annotated[str, Pattern("^((model|cluster|kind):)?[0-9a-f]{16}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeGraph:
    """How a graph of meaning was made; families say of what it is."""

    n: Count
    n_distinct: Count
    k: Count
    asked: Literal["auto", "exact", "cells", "hnsw"]
    index: Literal["exact", "cells", "hnsw"]
    parameters: dict[str, int]
    recall: Share | NotApplicable
    n_recall_sample: Count


def made_graph(record: GraphRecord) -> dict[str, Any]:
    """The fields of a ``MadeGraph``."""
    return {f.name: getattr(record, f.name) for f in fields(MadeGraph)} | {
        "parameters": dict(record.parameters)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting and where its value came from: "flag", "default" or a file's name."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A decision that was made for the user, and why."""

    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of one rule. rows: file:line; evidence: numbers and short texts by name;
    fingerprint: stable under reordered rows. bin and known: in a gate."""

    rule: Annotated[str, Pattern("^CR[0-9]{3}$")]
    severity: Severity
    subject: str
    message: str
    rows: list[str]
    evidence: dict[str, float | int | str | bool | None]
    advice: str
    fingerprint: ContentId
    bin: str | Missing = ABSENT
    known: bool | Missing | None = ABSENT


def finding(found: Found, bin_: str | Missing = ABSENT, known: Any = ABSENT) -> Finding:
    """The record of a finding."""
    return Finding(
        rule=found.rule,
        severity=found.severity,
        subject=found.subject,
        message=found.message,
        rows=list(found.rows),
        evidence=dict(found.evidence),
        advice=found.advice,
        fingerprint=found.fingerprint,
        bin=bin_,
        known=known,
    )


class Texts:
    """Texts and identifiers of a data set by number; texts are cut unless ``full``."""

    def __init__(self, dataset: PreferenceDataset, full: bool) -> None:
        self.full = full
        self.texts = Held(dataset.alternatives["text"])
        self.ids = dataset.alternatives["id"].to_list()
        self.prompt_ids = dataset.prompts["id"].to_list()
        self.prompt_texts = Held(dataset.prompts["text"])
        self.prompt_of = dataset.alternatives["prompt"].to_list()

    def cut(self, text: str | None) -> str | None:
        """The text as the document holds it: whole with ``--full-text``, else its beginning."""
        return text if text is None or self.full else text[:TEXT_LENGTH]


HEAD: dict[str, Any] = {
    "schema": str,
    "command": str,
    "version": str,
    "settings": dict[str, Setting],
}
ORDER: tuple[str, ...] = (
    *HEAD,
    "dataset",
    "alternatives",
    "embedding",
    "neighbours",
    "clones",
    "weights",
    "win_rates",
    "units",
    "choice_sets",
    "rewards",
    "findings",
)
"""Keys that stand first in every document; further parts of families follow as they come."""


def document(
    command: str,
    settings: Mapping[str, Setting],
    parts: Mapping[str, Any],
    findings: list[Finding],
) -> dict[str, Any]:
    """The object of the contract, of plain values and records."""
    given: dict[str, Any] = {
        "schema": SCHEMA,
        "command": command,
        "version": __version__,
        "settings": dict(settings),
        **parts,
        "findings": findings,
    }
    first = {key: given[key] for key in ORDER if key in given}
    return first | {key: value for key, value in given.items() if key not in first}


def setting_records(values: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, Setting]:
    """Settings by name, each with its source."""
    return {
        name: Setting(value=value, source=sources.get(name, "default"))
        for name, value in values.items()
    }


def json_schema(parts: Mapping[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The JSON Schema (2020-12) of documents with these parts, name -> type of the record.

    required : parts that every document has; the others are there where a command makes them.
    """
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

    class Generate(GenerateJsonSchema):
        def dataclass_schema(self, schema: Any) -> dict[str, Any]:
            if schema["cls"] is NotApplicable:
                return {
                    "type": "object",
                    "description": "What did not apply to this data, and why.",
                    "properties": {"not_applicable": {"type": "string", "minLength": 1}},
                    "required": ["not_applicable"],
                }
            return super().dataclass_schema(schema)

    types = {**HEAD, **parts, "findings": list[Finding]}
    ordered = [k for k in ORDER if k in types] + [k for k in types if k not in ORDER]
    inputs: list[tuple[str, Any, Any]] = [
        (key, "serialization", TypeAdapter(types[key])) for key in ordered
    ]
    schemas, definitions = TypeAdapter.json_schemas(
        inputs, schema_generator=Generate, ref_template="#/$defs/{model}"
    )
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:cr-audit:schema:v1",
        "title": "cr-audit report, version 1",
        "description": "What `cr-audit ... --format json` prints. Keys may be added, never renamed"
        " or removed: readers must ignore keys they do not know. A part that did not apply is"
        ' {"not_applicable": reason}.',
        "type": "object",
        "properties": {key: schemas[key, "serialization"] for key in ordered},
        "required": [k for k in ordered if k in (*HEAD, "findings", *required)],
        "$defs": definitions.get("$defs", {}),
    }
    made["properties"]["schema"] = {"const": SCHEMA}
    tidied: dict[str, Any] = _tidied(made, definitions)
    return tidied


def _tidied(value: Any, definitions: Mapping[str, Any]) -> Any:
    """Without titles, defaults and the place of ABSENT; floats may be null (NaN has no JSON)."""
    if isinstance(value, list):
        return [_tidied(v, definitions) for v in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for key, inside in value.items():
        if key == "title" and isinstance(inside, str) and "$schema" not in value:
            continue
        if key == "default":
            continue
        if key == "$defs":
            inside = {k: v for k, v in inside.items() if k != "Missing"}
        if key == "properties":
            out[key] = {k.rstrip("_"): _tidied(v, definitions) for k, v in inside.items()}
            continue
        if key == "required":
            out[key] = [k.rstrip("_") for k in inside]
            continue
        out[key] = _tidied(inside, definitions)
    choices = out.get("anyOf")
    if isinstance(choices, list):
        kept = [c for c in choices if c != {"$ref": "#/$defs/Missing"}]
        if len(kept) == 1:
            rest = {k: v for k, v in out.items() if k != "anyOf"}
            return kept[0] | rest
        out["anyOf"] = kept
    return out


Parts = Callable[[Any, Texts], Mapping[str, Any]]
"""Facts of a family and the data set's texts -> its parts of the document."""
