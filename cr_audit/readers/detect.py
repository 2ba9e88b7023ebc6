"""Which schema is this? Detection, ``--schema`` and ``--map``, each with the reasons."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from cr_audit.data.dataset import SchemaMatch
from cr_audit.errors import InputError, UsageError
from cr_audit.readers.fields import Binding, Notes, Row, getter
from cr_audit.readers.pairs import Parser
from cr_audit.readers.parsing import quote
from cr_audit.readers.records import BadRow
from cr_audit.readers.schemas import SCHEMAS, TABLE, Schema

SAMPLE = 200
"""Rows looked at before a schema is chosen."""

_CONTEXT_ROLES = frozenset(
    {
        "prompt",
        "prompt_key",
        "prompt_key_2",
        "input",
        "system",
        "annotator",
        "annotator_2",
        "mass",
        "order",
    }
)
_ALIASES = {"model": "text_model", "key": "text_key", "weight": "mass"}
_WORD_ROLES = {"left_label": 1.0, "right_label": 0.0, "tie_label": 0.5}
ROLES = frozenset(role for schema in TABLE for role in schema.roles) | set(_WORD_ROLES)
"""Every role that ``--map`` knows, beside the short forms model, key and weight."""


class Found(NamedTuple):
    """A schema bound to a file's fields, ready to parse rows."""

    match: SchemaMatch
    parser: Parser


class _Candidate(NamedTuple):
    schema: Schema
    fields: dict[str, str]
    parser: Parser
    confidence: float
    first_bad: BadRow | None

    @property
    def order(self) -> tuple[bool, bool, int, int]:
        schema = self.schema
        needed = {self.fields[r] for r in schema.needs if r in self.fields}
        explained = len(needed) + len(schema.also) + (schema.test is not None)
        return self.confidence >= 0.5, not schema.generic, explained, len(self.fields)

    def outcome_fields(self) -> set[str]:
        needed = [r for r in self.schema.needs if r not in _CONTEXT_ROLES]
        return {self.fields[r] for r in needed if r in self.fields}


def fields_of(sample: Sequence[Row]) -> list[str]:
    """Top-level fields in order of first appearance."""
    return list(dict.fromkeys(str(k) for row in sample for k in row))


def _has(field: str, known: set[str], sample: Sequence[Row]) -> bool:
    if field in known:
        return True
    if "." not in field:
        return False
    get = getter(field, sample)
    return any(get(row) is not None for row in sample)


def _bind(schema: Schema, sample: Sequence[Row], given: Mapping[str, str]) -> dict[str, str]:
    """Roles to fields, the user's first; roles without a field are left out."""
    known = set(fields_of(sample))
    lower = {k.lower(): k for k in sorted(known, reverse=True)}
    fields: dict[str, str] = {}
    for role, candidates in schema.roles.items():
        if role in given:
            fields[role] = given[role]
            continue
        for name in candidates:
            if _has(name, known, sample):
                fields[role] = name
                break
            if len(name) > 2 and name.lower() in lower:  # "ID" and "id" mean different things
                fields[role] = lower[name.lower()]
                break
    return fields | {r: f for r, f in given.items() if r not in _WORD_ROLES}


def _try(schema: Schema, fields: dict[str, str], sample: Sequence[Row]) -> _Candidate:
    """Parse the sample: rows that are read, or whose label is explicitly missing, fit."""
    parser = schema.shape(Binding(fields, schema.options, sample))
    fits, first_bad = 0, None
    for row in sample:
        notes: Notes = []
        try:
            parser(row, notes)
        except BadRow as bad:
            first_bad = first_bad or bad
            if bad.reason != "missing_label":
                continue
        fits += 1
    return _Candidate(schema, fields, parser, fits / max(len(sample), 1), first_bad)


def _candidates(sample: Sequence[Row], given: Mapping[str, str]) -> list[_Candidate]:
    known = set(fields_of(sample))
    out = []
    for schema in TABLE:
        if known & set(schema.without) or not set(schema.also) <= known:
            continue
        if not given.keys() <= schema.roles.keys():
            continue
        fields = _bind(schema, sample, given)
        if not set(schema.needs) <= fields.keys():
            continue
        if schema.test is not None and not schema.test(sample):
            continue
        out.append(_try(schema, fields, sample))
    out.sort(key=lambda c: c.order, reverse=True)
    return out


def _found(chosen: _Candidate, how: str, others: Sequence[_Candidate]) -> Found:
    runners = tuple((c.schema.name, round(c.confidence, 4)) for c in others[:3] if c.confidence)
    match = SchemaMatch(
        chosen.schema.name, how, round(chosen.confidence, 4), chosen.fields, runners
    )
    return Found(match, chosen.parser)


def find_schema(
    sample: Sequence[Row],
    where: str,
    *,
    schema: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Found:
    """The schema for a file whose first rows are ``sample`` (at least one).

    Raises InputError ("unrecognised", "ambiguous_schema", "schema_does_not_fit",
    "mapped_field_missing") and UsageError ("unknown_schema", "unknown_role", "roles_incomplete").
    """
    given = checked_mapping(mapping or {})
    known = set(fields_of(sample))
    for role, name in given.items():
        if role not in _WORD_ROLES and not _has(name, known, sample):
            raise _no_field(role, name, sample, where)
    if schema is not None:
        return _named(sample, where, schema_named(schema), given)
    base = _mapped_base(given)
    if base is not None:
        return _mapped(sample, base, given)
    found = _candidates(sample, given)
    if not found or not found[0].order[0]:
        raise _unrecognised(sample, where, found)
    best, others = found[0], found[1:]
    for other in others:
        rival = other.order[:2] == best.order[:2] and other.schema.judges and best.schema.judges
        if rival and not other.outcome_fields() & set(best.fields.values()):
            raise _ambiguous(best, other, where)
    return _found(best, "mapped" if given else "detected", others)


def checked_mapping(mapping: Mapping[str, str]) -> dict[str, str]:
    """Roles with their short forms resolved. Raises UsageError for a role that does not exist."""
    given = {}
    for role, name in mapping.items():
        resolved = _ALIASES.get(role, role)
        if resolved not in ROLES:
            near = difflib.get_close_matches(role, sorted(ROLES | _ALIASES.keys()), 1, 0.0)
            raise UsageError(
                "unknown_role",
                f"--map does not know the role {quote(role)}",
                next_step=f"did you mean {near[0]}={name}? All roles: docs/schemas.md",
            )
        given[resolved] = name
    return given


def schema_named(name: str) -> Schema:
    """Raises UsageError("unknown_schema") with the nearest name."""
    if name in SCHEMAS:
        return SCHEMAS[name]
    near = difflib.get_close_matches(name, list(SCHEMAS), 3, 0.0)
    raise UsageError(
        "unknown_schema",
        f"there is no schema {quote(name)}",
        next_step=f"nearest: {', '.join(near)}; all of them: docs/schemas.md",
    )


def _words(schema: Schema, given: Mapping[str, str]) -> Schema:
    """left_label=0|A and the like become label words of their own."""
    words = {
        word.strip().lower(): share
        for role, share in _WORD_ROLES.items()
        for word in given.get(role, "").split("|")
        if word.strip()
    }
    if not words:
        return schema
    own = schema.options.get("words", {})
    return replace(schema, options={**schema.options, "words": {**own, **words}})


def _named(sample: Sequence[Row], where: str, schema: Schema, given: Mapping[str, str]) -> Found:
    fields = _bind(schema, sample, given)
    lacking = [r for r in schema.needs if r not in fields]
    if lacking:
        wanted = ", ".join(f"{r} ({' or '.join(schema.roles[r])})" for r in lacking)
        raise InputError(
            "schema_does_not_fit",
            f"the schema {schema.name} needs {wanted}",
            where=where,
            found="fields " + _listed(fields_of(sample)),
            next_step=f"add --map {lacking[0]}=FIELD, or leave --schema away to detect it",
        )
    return _found(_try(_words(schema, given), fields, sample), "named", ())


def _mapped_base(given: Mapping[str, str]) -> Schema | None:
    """The generic schema whose outcome the mapping describes; None: only context was mapped."""
    roles = given.keys()
    if roles & {"chosen", "rejected", "chosen_key", "rejected_key"}:
        return SCHEMAS["preferred_pair"]
    if roles & {"ranking"}:
        return SCHEMAS["ballots"]
    if roles & {"ranks"}:
        return SCHEMAS["rank_tables"]
    if "items" in roles:
        return SCHEMAS["choice_sets" if "label" in roles else "ranked_list"]
    sides = {"left", "right", "left_model", "right_model", "left_key", "right_key"}
    if roles & {"left_won", "right_won", "tie_won"}:
        return SCHEMAS["lmsys_kaggle"]
    if roles & {"left_score", "right_score", "scores"}:
        return SCHEMAS["scored_pair"]
    if roles & sides or ("label" in roles and "text" not in roles):
        return SCHEMAS["labelled_pair"]
    if "text" in roles:
        return SCHEMAS["kto" if "label" in roles else "rated_response"]
    return None


def _mapped(sample: Sequence[Row], base: Schema, given: Mapping[str, str]) -> Found:
    fields = _bind(base, sample, given)
    lacking = [r for r in base.needs if r not in fields and not _stands_in(r, fields)]
    if base.name == "rated_response" and lacking == ["score"]:
        lacking = []
    if lacking:
        raise UsageError(
            "roles_incomplete",
            f"--map leaves the role {lacking[0]} open and no field fits it by itself",
            found="fields " + _listed(fields_of(sample)),
            next_step=f"add {lacking[0]}=FIELD to --map",
        )
    # A field that the user gave a role plays no second one.
    used = {r: f for r, f in fields.items() if r in given or f not in given.values()}
    return _found(_try(_words(base, given), used, sample), "mapped", ())


def _stands_in(role: str, fields: Mapping[str, str]) -> bool:
    """A side may be known by its model or key alone; two scores may stand in one field."""
    if role in ("left", "right"):
        return f"{role}_model" in fields or f"{role}_key" in fields
    return role in ("left_score", "right_score") and "scores" in fields


def _listed(fields: Sequence[str], limit: int = 30) -> str:
    more = f" and {len(fields) - limit} more" if len(fields) > limit else ""
    return ", ".join(quote(f, 40)[1:-1] for f in fields[:limit]) + more


def _no_field(role: str, name: str, sample: Sequence[Row], where: str) -> InputError:
    known = fields_of(sample)
    near = difflib.get_close_matches(name, known, 1, 0.0)
    return InputError(
        "mapped_field_missing",
        f"--map {role}={name}: no row among the first {len(sample)} has this field",
        where=where,
        found="fields " + _listed(known),
        next_step=f"did you mean {role}={near[0]}?" if near else None,
    )


def _ambiguous(best: _Candidate, other: _Candidate, where: str) -> InputError:
    def shown(c: _Candidate) -> str:
        return f"{c.schema.name} from {', '.join(sorted(c.outcome_fields()))}"

    return InputError(
        "ambiguous_schema",
        f"the rows hold two judgements: {shown(best)}, or {shown(other)}",
        where=where,
        next_step=f"choose one: --schema {best.schema.name} or --schema {other.schema.name}",
    )


def _unrecognised(sample: Sequence[Row], where: str, found: Sequence[_Candidate]) -> InputError:
    known = fields_of(sample)
    near: list[tuple[float, str]] = []
    for schema in TABLE:
        fields = _bind(schema, sample, {})
        lacking = [r for r in schema.needs if r not in fields]
        share = 1 - len(lacking) / len(schema.needs)
        if share > 0:
            what = [f"{r} ({'|'.join(schema.roles[r])})" for r in lacking]
            what += [f for f in schema.also if f not in known]
            near.append((share, f"{schema.name}: lacks {', '.join(what) or 'rows that parse'}"))
    near.sort(key=lambda pair: -pair[0])
    details = [f"nearest schemas: {text}" for _, text in near[:3]]
    for c in found[:2]:
        if c.first_bad is not None:
            bad = c.first_bad
            details.append(
                f"as {c.schema.name}, {c.confidence:.0%} of the sampled rows fit; the first that "
                f"does not: {bad.reason} in {bad.field}, found {quote(bad.found)}"
            )
    return InputError(
        "unrecognised",
        "the rows fit no known schema",
        where=where,
        found="fields " + _listed(known),
        details=tuple(details),
        next_step=f"say which field is what: --map {_example(sample)}; or name a --schema",
    )


def _example(sample: Sequence[Row]) -> str:
    """A --map with the file's own fields: long texts as responses, a number as a score."""
    sizes: dict[str, float] = {}
    numbers: list[str] = []
    for name in fields_of(sample):
        values: list[Any] = [row.get(name) for row in sample]
        texts = [v for v in values if isinstance(v, str)]
        if texts and not all(_numeric(t) for t in texts):
            sizes[name] = sum(map(len, texts)) / len(texts)
        elif any(isinstance(v, int | float) or _numeric(v) for v in values):
            numbers.append(name)
    texts_by_size = sorted(sizes, key=lambda n: -sizes[n])
    if len(texts_by_size) >= 3:
        prompt = min(texts_by_size[:3], key=lambda n: list(sizes).index(n))
        rest = [n for n in texts_by_size[:3] if n != prompt]
        return f"prompt={prompt},chosen={rest[0]},rejected={rest[1]}"
    if texts_by_size and numbers:
        return f"text={texts_by_size[0]},score={numbers[-1]}"
    return "prompt=FIELD,chosen=FIELD,rejected=FIELD"


def _numeric(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True
