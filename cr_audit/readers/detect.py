"""Which schema is this? Detection, ``--schema`` and ``--map``, each with the reasons."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

from cr_audit.data.dataset import RowIssue, SchemaMatch
from cr_audit.errors import InputError, UsageError
from cr_audit.readers import labels as words
from cr_audit.readers import media
from cr_audit.readers.advice import mending_step
from cr_audit.readers.fields import (
    PROMPT_ROLES,
    Binding,
    Labels,
    Notes,
    Row,
    getter,
    missing,
)
from cr_audit.readers.names import asks, leaf, spelled, twins
from cr_audit.readers.pairs import Parser
from cr_audit.readers.parsing import quote, unpacked
from cr_audit.readers.records import BadRow, Judgement
from cr_audit.readers.schemas import PROMPTS, SCHEMAS, TABLE, Schema
from cr_audit.readers.transcripts import is_messages

SAMPLE = 200
"""Rows at the beginning that are looked at before a schema is chosen."""
ELSEWHERE = 100
"""Further rows, from the end and at random, where the file can be reached there."""

_CONTEXT_ROLES = frozenset(
    {
        "prompt",
        "prompt_key",
        "prompt_key_2",
        "input",
        "context",
        "tools",
        "options",
        "system",
        "annotator",
        "annotator_2",
        "mass",
        "order",
    }
)
_LATE_ROLES = _CONTEXT_ROLES | {"chosen_model", "rejected_model", "chosen_key", "rejected_key"}
_LATE_ROLES |= {"chosen_score", "rejected_score", "left_key", "right_key", "text_model", "text_key"}
_ALIASES = {"model": "text_model", "key": "text_key", "weight": "mass"}
_WORD_ROLES = {
    "left_label": 1.0,
    "right_label": 0.0,
    "tie_label": 0.5,
    "no_label": words.NO_LABEL,
}
ROLES = (
    frozenset(role for schema in TABLE for role in schema.roles) | set(_WORD_ROLES) | set(PROMPTS)
)
"""Every role that ``--map`` knows, beside the short forms model, key and weight."""


class Found:
    """A schema bound to a file's fields, ready to parse rows.

    Fields that first appear in a later row are bound when they come: :meth:`extend`. ``parse`` and
    ``labels`` are those of the latest binding.
    """

    def __init__(
        self,
        schema: Schema,
        how: str,
        given: Mapping[str, str],
        chosen: _Candidate,
        others: Sequence[_Candidate],
        sample: Sequence[Row],
    ) -> None:
        self.schema, self._given = schema, given
        self._head = list(sample[:_KEPT])
        self._fields, self._more = chosen.fields, chosen.more
        self.parse, self.labels = chosen.parser, chosen.labels
        if self.labels is not None:
            self.labels.forget()
        self.known = set(fields_of(sample))
        self._texts = _text_fields(sample)
        self._how, self._confidence = how, chosen.confidence
        self._others = others
        self._suspects()

    def extend(self, row: Row) -> None:
        """A row with other fields than those before it: what is new may play a role."""
        new = [k for k in row if k not in self.known]
        if not new:
            return
        self.known.update(map(str, new))
        self._texts |= _text_fields([row])
        self._head.append(row)
        names = _Names(self._head)
        late = _bind(self.schema, names, self._given)
        fields = {**late, **self._fields}
        more = _more(self.schema, names, fields, self._given)
        for role, field in late.items():
            if self._fields.get(role, field) != field:
                more[role] = (*more.get(role, ()), field)
        if fields != self._fields or more != self._more:
            self._fields, self._more = fields, more
            old = self.labels
            self.parse, self.labels = _parser(self.schema, fields, more, self._head)
            if old is not None and self.labels is not None:
                self.labels.names_first = old.names_first
                self.labels.numbers |= old.numbers
                self.labels.unknown |= old.unknown
        self._suspects()

    def _suspects(self) -> None:
        used = self._used()
        self.unused = tuple(sorted(f for f in self.known if f not in used))
        self.unused_texts = tuple(f for f in self.unused if f in self._texts)
        stand_ins = [f for f in self._more.get("prompt", ()) if f in self._texts]
        self.suspects = tuple(
            f
            for f in (*self.unused_texts, *stand_ins)
            if self.has_prompt and self._texts[f] and not _REMARKS.search(f.lower())
        )
        """Unused fields of whole sentences or of lists and objects, and those that only stand in
        for a prompt: they might belong to it."""

    def _used(self) -> set[str]:
        options = self.schema.options
        used = {*self._fields.values(), *self.schema.also, *options.get("aspects", ())}
        used |= {*options.get("samples", ()), *(v[0] for v in options.get("votes", ()))}
        used |= {f for fields in self._more.values() for f in fields}
        return used | {f.partition(".")[0] for f in used if f not in self.known}

    def has_words(self, field: str) -> bool:
        """Whether a text field holds several words."""
        return self._texts.get(field, False)

    @property
    def has_prompt(self) -> bool:
        """Whether any field is taken for the prompt or a part of it."""
        return bool({*PROMPTS, "tree"} & self._fields.keys() or self._more.keys() & {"media"})

    def match(self) -> SchemaMatch:
        """What was found, for the report."""
        runners = tuple((c.schema.name, round(c.confidence, 4)) for c in self._others[:3])
        return SchemaMatch(
            self.schema.name,
            self._how,
            round(self._confidence, 4),
            dict(self._fields),
            tuple(r for r in runners if r[1]),
            unused=self.unused,
            prompt_fields=tuple(
                dict.fromkeys(
                    f
                    for r in (*PROMPT_ROLES, "media", "tree")
                    for f in (self._fields.get(r), *self._more.get(r, ()))
                    if f is not None
                )
            ),
        )

    @property
    def fields(self) -> dict[str, str]:
        """Role of each field that was found, by its name."""
        return self._fields

    @property
    def head(self) -> list[Row]:
        """The first rows, by which dotted names are told from nested ones."""
        return self._head


_KEPT = 40
_REMARKS = re.compile(
    r"explan|rational|reason|comment|feedback|critique|justif|note|elabor|review|response|answer|"
    r"completion|output|chosen|reject|judg|meta|source|dataset|model|url|date|author|id$|tag|annot|"
    r"label|rating|score|reward|generation|candidate|statistic|moderat|toxic|test|preference|info"
)
"""Names of texts that speak about the answers, or are answers: no part of a prompt."""


class _Candidate(NamedTuple):
    schema: Schema
    fields: dict[str, str]
    more: dict[str, tuple[str, ...]]
    parser: Parser
    labels: Labels | None
    confidence: float
    bad: tuple[tuple[int, BadRow], ...]
    is_read: bool
    """Whether any row is read, and not only without a label."""

    @property
    def first_bad(self) -> BadRow | None:
        return self.bad[0][1] if self.bad else None

    @property
    def order(self) -> tuple[bool, bool, bool, int, int]:
        schema = self.schema
        wanted = (*schema.needs, *schema.options.get("explains", ()))
        needed = {self.fields[r] for r in wanted if r in self.fields}
        explained = len(needed) + len(schema.also) + (schema.test is not None)
        fits = self.confidence >= 0.5
        return fits, self.is_read, not schema.generic, explained, len(self.fields)

    def outcome_fields(self) -> set[str]:
        needed = [r for r in self.schema.needs if r not in _CONTEXT_ROLES]
        return {self.fields[r] for r in needed if r in self.fields}


def fields_of(sample: Sequence[Row]) -> list[str]:
    """Top-level fields in order of first appearance."""
    return list(dict.fromkeys(str(k) for row in sample for k in row))


def _text_fields(sample: Sequence[Row]) -> dict[str, bool]:
    """Fields that hold texts, and whether these have several words; conversations that end with
    the user count, those that end with an answer do not."""
    out: dict[str, bool] = {}
    for row in sample:
        for name, value in row.items():
            if isinstance(value, str) and value.strip() and not _numeric(value):
                out[str(name)] = out.get(str(name), False) or " " in value.strip()
            elif is_messages(value):
                last = value[-1] if isinstance(value[-1], dict) else {}
                if last.get("role", last.get("from")) in ("user", "human", "prompter", "system"):
                    out[str(name)] = True
            elif isinstance(value, list | dict) and _holds_text(value):
                out[str(name)] = True
    return out


def _holds_text(value: Any) -> bool:
    """Whether a list or an object holds a text at its first or second level."""
    inner = value.values() if isinstance(value, dict) else value
    return any(
        (isinstance(v, str) and bool(v.strip()))
        or (isinstance(v, list) and any(isinstance(w, str) for w in v))
        or (isinstance(v, dict) and any(isinstance(w, str) for w in v.values()))
        for v in inner
    )


def _has(field: str, known: set[str], sample: Sequence[Row]) -> bool:
    if field in known:
        return True
    head = field.partition(".")[0]
    if head == field or head not in known:
        return False
    get = getter(field, sample)
    return any(get(row) is not None for row in sample)


_ASKED = frozenset({"mass"})
"""Roles that no field plays by its name alone: weights count where somebody said so."""
_PAIRED = (
    ("left", "right"),
    ("left_model", "right_model"),
    ("left_score", "right_score"),
    ("chosen", "rejected"),
)
_NESTED = frozenset(
    str.split(
        "prompt system context input chosen rejected left right label left_model "
        "right_model chosen_model rejected_model annotator items text score tools options "
        "left_score right_score turn tie_flag"
    )
)


class _Names:
    """The names of the fields of some rows, and how they are found: as they stand, without regard
    to case, in one spelling, as the end of a path, inside an object."""

    def __init__(self, sample: Sequence[Row]) -> None:
        self.sample = sample
        self.known = set(fields_of(sample))
        ordered = sorted(self.known, reverse=True)
        self._lower = {k.lower(): k for k in ordered}
        self._spelled = _unique((spelled(k), k) for k in ordered)
        self._leaves = _unique((leaf(k), k) for k in ordered if leaf(k))
        self.nested = _nested(sample)
        self.all = self.known | self._spelled.keys()

    def find(self, name: str, *, inside: bool = True) -> str | None:
        """The field of a name. inside : also where it is the end of a path, or stands inside an
        object. Short names mean different things in different cases ("ID", "id")."""
        if _has(name, self.known, self.sample):
            return name
        if len(name) <= 2:
            return None
        head, dot, rest = name.partition(".")
        if dot and (first := self.find(head, inside=False)) not in (None, head):
            path = f"{first}.{rest}"
            if _has(path, self.known, self.sample):
                return path
        lower, one = name.lower(), spelled(name)
        found = self._lower.get(lower) or self._spelled.get(one)
        if found is None and inside:
            found = self._leaves.get(one) or self.nested.get(lower)
        return found

    def twins(self, about: str) -> tuple[str, str] | None:
        """The only two fields whose names differ in nothing but the word for a side."""
        found = twins(fields_of(self.sample), about)
        return found[0] if len(found) == 1 else None


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Keys that one name has; those that several have are left out."""
    held: dict[str, list[str]] = {}
    for key, name in pairs:
        held.setdefault(key, []).append(name)
    return {key: found[0] for key, found in held.items() if len(found) == 1}


def _bind(
    schema: Schema, names: _Names, given: Mapping[str, str], *, own: bool = False
) -> dict[str, str]:
    """Roles to fields, the user's first; roles without a field are left out. own : only by the
    schema's own candidates, which decide whether rows are of this schema."""

    def found(name: str, role: str) -> str | None:
        return names.find(name, inside=role in _NESTED)

    fields: dict[str, str] = {}
    for one, other in _PAIRED:  # response_1 is left of response_2, and right of response_0
        pairs = (schema.roles.get(one, ()), schema.roles.get(other, ()))
        if one in given or other in given or len(pairs[0]) != len(pairs[1]):
            continue
        for name, partner in zip(*pairs, strict=True):
            a, b = found(name, one), found(partner, other)
            if a is not None and b is not None:
                fields[one], fields[other] = a, b
                break
        else:
            pair = names.twins(_TWINS[one]) if schema.generic and one in _TWINS else None
            if pair is not None and pairs[0]:
                fields[one], fields[other] = pair
    for role, candidates in schema.roles.items():
        if role in given:
            fields[role] = given[role]
        elif role not in fields and role not in _ASKED:
            taken = set(fields.values()) if schema.generic else set()
            for name in candidates:
                field = found(name, role)
                if field is not None and field not in taken:
                    fields[role] = field
                    break
    fields |= {r: f for r, f in given.items() if r not in _WORD_ROLES}
    if own or not schema.prompting:
        return fields
    return _with_prompt(schema, names, fields, given)


_TWINS = {"left": "text", "left_model": "model", "left_score": "score"}


def _nested(sample: Sequence[Row]) -> dict[str, str]:
    """Names inside objects of a row (up to three levels deep) -> dotted path, where only one object
    has the name and the row itself does not. Messages are no such objects."""
    paths: dict[str, set[str]] = {}

    def walk(value: Any, path: str, row: Row, depth: int) -> None:
        if isinstance(value, str) and value[:1] == "{":
            value = _opened(value)
        if not isinstance(value, dict) or not value.keys().isdisjoint(("role", "from")):
            return
        for inner, held in value.items():
            if isinstance(inner, str) and "." not in inner:
                if inner not in row:
                    paths.setdefault(inner.lower(), set()).add(f"{path}.{inner}")
                if depth > 1 and isinstance(held, dict) and inner.lower() not in media.FIELDS:
                    walk(held, f"{path}.{inner}", row, depth - 1)

    for row in [*sample[:20], *sample[20:][-5:]]:
        for name, value in row.items():
            if name.lower() not in media.FIELDS:
                walk(value, name, row, _LEVELS)
    return {name: next(iter(found)) for name, found in paths.items() if len(found) == 1}


_LEVELS = 3


def _opened(value: Any) -> Any:
    """What a cell holds; a cell that cannot be read is what it is."""
    try:
        return unpacked(value)
    except BadRow:
        return value


_LESS_SURE = "conversation"
"""The first of the names that hold less than a prompt, or more: one that asks goes before them."""


def _prompt_names(role: str, names: _Names, taken: set[str]) -> list[str]:
    """Fields that may play a prompt's role by their names, best first; numbers are no prompt."""
    out: list[str] = []
    sample = names.sample
    kin = [f for f in fields_of(sample) if asks(f)] if role == "prompt" else []
    sure = PROMPTS[role].index(_LESS_SURE) if kin else 0
    for name in (*PROMPTS[role][:sure], *kin, *PROMPTS[role][sure:]):
        field = names.find(name)
        if field is None or field in out or _held(field, taken) or _held(field, set(out)):
            continue
        get = getter(field, sample)
        if any(isinstance(v := get(r), str | list | dict) and v for r in sample):
            out.append(field)
    return out


def _held(field: str, taken: set[str]) -> bool:
    """Whether a field plays a role already, or holds or lies in one that does."""
    return field in taken or any(
        t.startswith(f"{field}.") or field.startswith(f"{t}.") for t in taken
    )


def _with_prompt(
    schema: Schema, names: _Names, fields: dict[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """What the schema's own candidates leave open, by the names that people give to prompts."""
    fields = dict(fields)
    for role in PROMPT_ORDER:
        if role in fields or role in given or ("prompt" in given and role != "system"):
            continue
        found = _prompt_names(role, names, set(fields.values()) | set(_voted(schema)))
        if found:
            fields[role] = found[0]
    return fields


PROMPT_ORDER = ("prompt", "system", "context", "tools", "options", "input")


def _voted(schema: Schema) -> list[str]:
    options = schema.options
    return [*schema.also, *options.get("aspects", ()), *(v[0] for v in options.get("votes", ()))]


def _more(
    schema: Schema, names: _Names, fields: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Fields that stand in where the prompt's own field is missing, and the media."""
    if not schema.prompting:
        return {}
    out: dict[str, tuple[str, ...]] = {}
    taken = set(fields.values()) | set(_voted(schema))
    sample, nested = names.sample, names.nested
    if "prompt" not in given:
        found = _prompt_names("prompt", names, taken)
        found = [n for n in found if n not in _NO_STAND_IN]
        if found:
            out["prompt"] = tuple(found)
    for role in PROMPT_ORDER:  # where a row lacks the field, the same name inside an object
        path = nested.get(fields.get(role, "").lower())
        if path is not None and path not in taken and role not in given:
            out[role] = (*out.get(role, ()), path)
    shown = [
        f
        for f in fields_of(sample)
        if f not in taken and f not in out.get("prompt", ()) and _is_medium(f, sample)
    ]
    shown += [
        path
        for name, path in nested.items()
        if not _held(path, taken) and _is_medium(path, sample, name)
    ]
    sides = {f for pair in twins(shown, "medium") for f in pair}  # pictures of the two answers
    if shown := [f for f in shown if f not in sides]:
        out["media"] = tuple(shown)
    return out


def _is_medium(field: str, sample: Sequence[Row], name: str | None = None) -> bool:
    """Whether a field holds pictures, sound or films: by its name, or by all of its values."""
    get = getter(field, sample)
    values = [v for r in sample if not missing(v := get(r))]
    if (name or field).lower() in media.FIELDS:
        return any(media.marks("image", v) for v in values)
    if values and all(media.kind_by_value(v) for v in values):
        return True
    return media.names_medium(name or field) and any(
        isinstance(v, str | int | list | dict) and not isinstance(v, bool) for v in values
    )


_NO_STAND_IN = frozenset({"messages", "conversation", "conversations", "title", "topic", "text"})
"""Fields that hold more than a prompt, or less: where the prompt is missing they are no prompt."""


def _parser(
    schema: Schema,
    fields: Mapping[str, str],
    more: Mapping[str, Sequence[str]],
    sample: Sequence[Row],
) -> tuple[Parser, Labels | None]:
    binding = Binding(fields, schema.options, sample, more)
    parser = schema.shape(binding)
    return parser, binding.labels


def _try(
    schema: Schema, fields: dict[str, str], names: _Names, given: Mapping[str, str]
) -> _Candidate:
    """Parse the sample: rows that are read, or whose label is explicitly missing, fit."""
    sample = names.sample
    more = _more(schema, names, fields, given)
    parser, labels = _parser(schema, fields, more, sample)
    fits, n_read, bad = _fits(parser, sample)
    if labels is not None and labels.settle() and fits < len(sample):
        labels.forget()
        fits, n_read, bad = _fits(parser, sample)
    share = fits / max(len(sample), 1)
    return _Candidate(schema, fields, more, parser, labels, share, bad, n_read > 0)


def _fits(parser: Parser, sample: Sequence[Row]) -> tuple[int, int, tuple[tuple[int, BadRow], ...]]:
    """How many rows fit, how many of them are read, and the first five that do not fit, by their
    place in the sample."""
    fits = n_read = 0
    found: list[tuple[int, BadRow]] = []
    for at, row in enumerate(sample):
        notes: Notes = []
        try:
            parser(row, notes)
        except BadRow as bad:
            if len(found) < _SHOWN:
                found.append((at, bad))
            if bad.reason != "missing_label":
                continue
        else:
            n_read += 1
        fits += 1
    return fits, n_read, tuple(found)


_SHOWN = 5


def _candidates(sample: Sequence[Row], given: Mapping[str, str]) -> list[_Candidate]:
    names = _Names(sample)
    out = []
    for schema in SCHEMAS.values():
        if names.all & set(schema.without) or not set(schema.also) <= names.known:
            continue
        # A weight stands beside any judgement, whatever the schema names.
        if not given.keys() <= schema.roles.keys() | PROMPTS.keys() | _WORD_ROLES.keys() | {"mass"}:
            continue
        if given.keys() & _WORD_ROLES.keys() and "label" not in schema.roles:
            continue
        if not set(schema.needs) <= _bind(schema, names, given, own=True).keys():
            continue
        fields = _bind(schema, names, given)
        if schema.test is not None and not schema.test(sample):
            continue
        out.append(_try(_words(schema, given), fields, names, given))
    out.sort(key=lambda c: c.order, reverse=True)
    return out


def find_schema(
    sample: Sequence[Row],
    where: str,
    *,
    schema: str | None = None,
    mapping: Mapping[str, str] | None = None,
    complete: bool = True,
    lines: Sequence[int] = (),
) -> Found:
    """The schema for a file of which ``sample`` (at least one row) is known; complete : that is all
    there is; lines : where the first of its rows stand.

    Raises InputError ("unrecognised", "ambiguous_schema", "schema_does_not_fit",
    "mapped_field_missing") and UsageError ("unknown_schema", "unknown_role", "roles_incomplete").
    """
    given = checked_mapping(mapping or {})
    known = set(fields_of(sample))
    for role, name in given.items():
        late = not complete and role in _LATE_ROLES  # it may appear in a later row
        if role not in _WORD_ROLES and not late and not _has(name, known, sample):
            raise no_field(role, name, sample, where)
    if schema is not None:
        return _named(sample, where, schema_named(schema), given)
    base = _mapped_base(given)
    if base is not None:
        return _mapped(sample, base, given, where, lines)
    found = _candidates(sample, given)
    if not found or not found[0].order[0]:
        raise _unrecognised(sample, where, found, lines)
    best, others = found[0], found[1:]
    for other in others:
        if not (other.schema.judges and best.schema.judges):
            continue
        rival = other.order[:3] == best.order[:3]
        apart = not other.outcome_fields() & set(best.fields.values())
        if rival and (apart or (other.order == best.order and _differ(best, other, sample))):
            raise _ambiguous(best, other, where)
        if apart and other.order[:2] == best.order[:2] and _at_odds(best, other, sample):
            raise _ambiguous(best, other, where)
    return Found(best.schema, "mapped" if given else "detected", given, best, others, sample)


def _differ(one: _Candidate, other: _Candidate, sample: Sequence[Row]) -> bool:
    """Whether two schemas that explain a row equally well read it differently."""

    def read(candidate: _Candidate, row: Row) -> object:
        try:
            return candidate.parser(row, [])
        except BadRow as bad:
            return bad.reason

    return any(read(one, row) != read(other, row) for row in sample)


def _at_odds(one: _Candidate, other: _Candidate, sample: Sequence[Row]) -> bool:
    """Whether two schemas find another winner among the same two responses of a row."""

    def won(candidate: _Candidate, row: Row) -> tuple[frozenset[str | None], str | None] | None:
        try:
            found = candidate.parser(row, [])
        except BadRow:
            return None
        first = found[0]
        if len(found) != 1 or not isinstance(first, Judgement) or first.share == 0.5:
            return None
        sides = first.left.text, first.right.text
        return frozenset(sides), sides[0] if first.share == 1.0 else sides[1]

    for row in sample[:_KEPT]:
        a, b = won(one, row), won(other, row)
        if a is not None and b is not None and a[0] == b[0] and a[1] != b[1]:
            return True
    return False


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
    said = {
        words.word_of(word): share
        for role, share in _WORD_ROLES.items()
        for word in given.get(role, "").split("|")
        if word.strip()
    }
    if not said:
        return schema
    own = schema.options.get("words", {})
    return replace(schema, options={**schema.options, "words": {**own, **said}, "given": True})


def _named(sample: Sequence[Row], where: str, schema: Schema, given: Mapping[str, str]) -> Found:
    names = _Names(sample)
    fields = _bind(schema, names, given)
    lacking = [r for r in schema.needs if r not in fields and not _stands_in(r, fields)]
    if lacking:
        wanted = ", ".join(f"{r} ({' or '.join(schema.roles[r])})" for r in lacking)
        raise InputError(
            "schema_does_not_fit",
            f"the schema {schema.name} needs {wanted}",
            where=where,
            found="fields " + _listed(fields_of(sample)),
            next_step=f"add --map {lacking[0]}=FIELD, or leave --schema away to detect it",
        )
    schema = _words(schema, given)
    return Found(schema, "named", given, _try(schema, fields, names, given), (), sample)


def _mapped_base(given: Mapping[str, str]) -> Schema | None:
    """The generic schema whose outcome the mapping describes; None: only context was mapped."""
    roles = given.keys()
    if roles & {"chosen", "rejected", "chosen_key", "rejected_key"}:
        return SCHEMAS["preferred_pair"]
    if roles & {"ranking"}:
        return SCHEMAS["ballots"]
    if roles & {"ranks"}:
        return SCHEMAS["rank_tables"]
    if roles & {"item_scores", "item_ranks", "item_order"}:
        return SCHEMAS["parallel_lists"]
    if "ordered" in roles:
        return SCHEMAS["ordered_list"]
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


def _mapped(
    sample: Sequence[Row],
    base: Schema,
    given: Mapping[str, str],
    where: str,
    lines: Sequence[int],
) -> Found:
    names = _Names(sample)
    fields = _bind(base, names, given)
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
    if base.name == "parallel_lists" and given.keys() & {"item_scores", "item_ranks", "item_order"}:
        for role in {"item_scores", "item_ranks", "item_order"} - given.keys():
            fields.pop(role, None)
    # A field that the user gave a role plays no second one.
    used = {r: f for r, f in fields.items() if r in given or f not in given.values()}
    schema = _words(base, given)
    chosen = _try(schema, used, names, given)
    if chosen.labels is not None and chosen.confidence < 0.5 and chosen.labels.unknown:
        raise unknown_labels(where, used, chosen.labels, _details(chosen, where, lines))
    return Found(schema, "mapped", given, chosen, (), sample)


def _stands_in(role: str, fields: Mapping[str, str]) -> bool:
    """A side may be known by its model or key alone; two scores may stand in one field."""
    if role in ("left", "right"):
        return f"{role}_model" in fields or f"{role}_key" in fields
    return role in ("left_score", "right_score") and "scores" in fields


def _listed(fields: Sequence[str], limit: int = 30) -> str:
    more = f" and {len(fields) - limit} more" if len(fields) > limit else ""
    return ", ".join(quote(f, 40)[1:-1] for f in fields[:limit]) + more


def no_field(role: str, name: str, sample: Sequence[Row], where: str) -> InputError:
    """The error of a ``--map`` whose field no sampled row has, with the nearest of its role."""
    known = fields_of(sample)
    near = difflib.get_close_matches(name, [f for f in known if not _of_another(role, f)], 1)
    return InputError(
        "mapped_field_missing",
        f"--map {role}={name}: no row among the first {len(sample)} has this field",
        where=where,
        found="fields " + _listed(known),
        next_step=f"did you mean {role}={near[0]}?"
        if near
        else f"give --map {role}= the name of a field, or leave {role} out of --map",
    )


def _of_another(role: str, field: str) -> bool:
    """Whether a field bears the name of another role: to take ``rejected`` for the chosen one
    because the names are alike would turn every pair round."""
    roles = [r for s in TABLE for r, names in s.roles.items() if field in names]
    return bool(roles) and role not in roles


def _ambiguous(best: _Candidate, other: _Candidate, where: str) -> InputError:
    def shown(c: _Candidate) -> str:
        return f"{c.schema.name} from {', '.join(sorted(c.outcome_fields()))}"

    return InputError(
        "ambiguous_schema",
        f"the rows hold two judgements: {shown(best)}, or {shown(other)}",
        where=where,
        next_step=f"choose one: --schema {best.schema.name} or --schema {other.schema.name}",
    )


def _details(candidate: _Candidate, where: str, lines: Sequence[int]) -> tuple[str, ...]:
    """The first rows that do not fit, with file and line."""
    return tuple(
        str(RowIssue(bad.reason, where, lines[at], bad.field, quote(bad.found)))
        for at, bad in candidate.bad
        if at < len(lines)
    )


def unknown_labels(
    where: str, fields: Mapping[str, str], labels: Labels, details: tuple[str, ...]
) -> InputError:
    """Labels that were not understood, with the ``--map`` that says what they mean."""
    met = list(dict.fromkeys([*sorted(labels.numbers), *labels.unsettled]))
    shown = ", ".join(quote(w, 40) for w in met[:12]) + (", …" if len(met) > 12 else "")
    field = fields.get("label", "label")
    if len(met) > 40 or any(set(w) & set(",|'\n") or not w for w in met):
        step = (
            f"say which words mean which side: --map label={field},left_label=A|…,right_label=B|…"
        )
    else:
        own = {r: f for r, f in fields.items() if r != "prompt"}  # is found again by itself
        step = f"say what they mean: {words.advice(own, met)}"
    return InputError(
        "unknown_labels",
        f"the field {field} does not say which side won in words that mean the same everywhere",
        where=where,
        found=shown,
        details=details,
        next_step=step,
    )


def _unrecognised(
    sample: Sequence[Row], where: str, found: Sequence[_Candidate], lines: Sequence[int]
) -> InputError:
    known = fields_of(sample)
    for c in found:
        if c.labels is not None and c.first_bad is not None and c.labels.unsettled:
            return unknown_labels(where, c.fields, c.labels, _details(c, where, lines))
        if c.first_bad is not None and c.first_bad.reason == "ambiguous_ranking":
            return ambiguous_ranking(where, c.fields, c.first_bad)
    near: list[tuple[float, str]] = []
    names = _Names(sample)
    for schema in SCHEMAS.values():
        fields = _bind(schema, names, {}, own=True)
        lacking = [r for r in schema.needs if r not in fields]
        share = 1 - len(lacking) / len(schema.needs)
        if share > 0:
            what = [f"{r} ({'|'.join(schema.roles[r][:6])})" for r in lacking]
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
        next_step=_damaged(found) or _advice(sample),
    )


def _damaged(found: Sequence[_Candidate]) -> str | None:
    """What mends the rows where the fields of a schema are all there and only their values are not
    usable; None where it is the fields that do not fit."""
    for c in found:
        if c.first_bad is None or c.first_bad.reason not in _OF_VALUES:
            continue
        outcome = c.outcome_fields()
        bad = c.first_bad
        of_outcome = any(bad.field == f or bad.field.startswith(f"{f}.") for f in outcome)
        if not of_outcome and bad.reason not in _OF_ROWS:
            continue
        if bad.reason == "not_a_text" and isinstance(bad.found, dict):
            inner = sorted(k for k, v in bad.found.items() if isinstance(v, str))
            pairs = [f"{r}={f}.{inner[0]}" for r, f in c.fields.items() if f in outcome and inner]
            if len(pairs) > 1:
                said = words.quoted(",".join(pairs))
                return f"say which part of the objects is the text: --map {said}"
        step = mending_step(bad.reason)
        if step is not None:
            return step
    return None


def ambiguous_ranking(where: str, fields: Mapping[str, str], bad: BadRow) -> InputError:
    """A list of numbers that may be ranks of the responses, or their places in order."""
    items = fields.get("items", "FIELD")
    return InputError(
        "ambiguous_ranking",
        f"the field {bad.field} may hold the rank of each response, or the responses best first",
        where=where,
        found=quote(bad.found),
        next_step=(
            f"--map items={items},item_ranks={bad.field} if the first number is the rank of the "
            f"first response; --map items={items},item_order={bad.field} if it is the place of the "
            "best response"
        ),
    )


_OF_VALUES = frozenset(
    str.split(
        "not_a_text not_a_number number_too_big not_a_message unreadable_list identical_pair "
        "nested_too_deeply missing_text"
    )
)
_OF_ROWS = frozenset(
    {"identical_pair", "number_too_big", "not_a_message", "unreadable_list", "nested_too_deeply"}
)
_LABEL_NAMES = re.compile(
    r"label|winner|prefer|choice|chosen|vote|verdict|decision|judg|better|result|outcome|rank|"
    r"select|annot|pick|pref|wins?$|strength|margin"
)
_NO_ANSWERS = re.compile(
    r"(^|[_.])(id|ids|status|split|source|lang|language|date|url|model|hash|score|rating|label|"
    r"winner|preference|category|subset|annotator|worker|judge)$"
)


def _advice(sample: Sequence[Row]) -> str:
    """The next step for rows of no known schema, with the file's own fields."""
    known = fields_of(sample)
    if _looks_headless(known):
        return "if the first line is a row, put a line with the columns' names before it"
    answers = _answers(sample)
    every = _answers(sample, same=True)
    twin = twins(every, "text") or [p for p in _pairs_of(every) if _twins(*p)]
    answers += [f for pair in twin[:1] for f in pair if f not in answers]
    labels = [f for f in _label_fields(sample) if not any(f in pair for pair in twin)]
    texts = [f for f in answers if f not in labels]
    if len(texts) < 2:
        labels, texts = [], answers
    numbers = [
        name
        for name in known
        if name not in texts
        and any(_numeric(row.get(name)) for row in sample)
        and not _NO_NUMBERS.search(name.lower())
    ]
    prompt, rest = _prompt_of(texts)
    if twin:
        rest = list(twin[0])
        prompt = prompt if prompt not in rest else next((t for t in texts if t not in rest), None)
    start = f"prompt={prompt}," if prompt else ""
    if len(rest) >= 2 and labels:
        fields = {"left": rest[0], "right": rest[1], "label": labels[0]}
        if prompt:
            fields = {"prompt": prompt, **fields}
        met = {
            words.word_of(v): 1
            for row in sample
            if isinstance(v := words.unwrapped(row.get(labels[0])), str | int | float)
            and not missing(v)
        }
        if met and len(met) <= 12 and not any(set(w) & set(",|'\n") for w in met):
            line = words.advice(fields, list(met))
            return f"say which field is what, and what the labels mean: {line}"
    scores = twins(numbers, "score")
    if len(rest) >= 2 and len(scores) == 1:
        said = f"{start}left={rest[0]},right={rest[1]},left_score={scores[0][0]},"
        return (
            f"say which field is what: --map {words.quoted(said + f'right_score={scores[0][1]}')}"
        )
    if len(rest) >= 2 and (twin or _twins(*rest[:2])):
        return (
            f"say which field tells who won: --map {words.quoted(f'{start}left={rest[0]},')}"
            f"{words.quoted(f'right={rest[1]}')},label=FIELD; or name a --schema"
        )
    step = _list_step(sample, start)
    if step is not None and len(rest) < 2:
        return step
    if len(rest) >= 2:
        # The longer the likelier an answer; which of two is preferred, the names do not say.
        said = words.quoted(f"{start}chosen={rest[0]},rejected={rest[1]}")
        return (
            f"say which field is what: --map {said} if "
            f"{rest[0]} is the preferred response, or the other way round; or name a --schema"
        )
    if texts and numbers:
        step = f"--map {words.quoted(f'text={texts[0]},score={numbers[-1]}')}"
        return f"say which field is what: {step}; or name a --schema"
    return "say which field is what: --map prompt=FIELD,chosen=FIELD,rejected=FIELD"


_NO_NUMBERS = re.compile(r"(^|[_.])(id|ids|idx|index|turn|date|time|tstamp|timestamp|year|length)$")


def _looks_headless(known: Sequence[str]) -> bool:
    """Whether the names of columns look like a row: a whole sentence is among them."""
    return any(len(f.split()) > 2 and f.rstrip()[-1:] in ".?!" for f in known)


def _list_step(sample: Sequence[Row], start: str) -> str | None:
    """The next step for rows with a list of responses: the list beside it that ranks or scores
    them, else that it may stand best first."""
    names = fields_of(sample)
    held = {n: [v for r in sample if isinstance(v := _opened(r.get(n)), list)] for n in names}
    lists_ = [
        n
        for n, found in held.items()
        if any(len(v) > 1 and all(isinstance(t, str) for t in v) for v in found)
    ]
    if not lists_:
        return None
    sizes = [len(v) for v in held[lists_[0]]]
    beside = [
        n
        for n, found in held.items()
        if n != lists_[0]
        and [len(v) for v in found] == sizes
        and all(_numeric(e) for v in found for e in v)
    ]
    if beside:
        said = f"{start}items={lists_[0]},"
        return (
            f"say what the numbers are: --map {words.quoted(f'{said}item_scores={beside[0]}')} if"
            f" higher is better; --map {words.quoted(f'{said}item_ranks={beside[0]}')} if they are"
            f" ranks; --map {words.quoted(f'{said}item_order={beside[0]}')} if they name the"
            " responses best first"
        )
    return f"if the list stands best first: --map {words.quoted(f'{start}ordered={lists_[0]}')}"


def _pairs_of(names: Sequence[str]) -> list[tuple[str, str]]:
    """Every two of some names, in the order of the alphabet."""
    return list(combinations(sorted(names), 2))


def _answers(sample: Sequence[Row], *, same: bool = False) -> list[str]:
    """Fields of texts that may be a prompt or responses, the longest first. same : those too that
    say the same in every row."""
    sizes: dict[str, float] = {}
    for name in fields_of(sample):
        if _NO_ANSWERS.search(name.lower()):
            continue
        values: list[Any] = [row.get(name) for row in sample]
        texts = [v for v in values if isinstance(v, str)]
        alike = len(texts) > 1 and len(set(texts)) == 1
        if texts and (same or not alike) and not all(_numeric(t) for t in texts):
            sizes[name] = sum(map(len, texts)) / len(texts)
    return sorted(sizes, key=lambda n: -sizes[n])


def _label_fields(sample: Sequence[Row]) -> list[str]:
    """Fields with few, short values that are named like labels, in the order of the row."""
    out = []
    for name in fields_of(sample):
        values = [words.unwrapped(row.get(name)) for row in sample]
        held = {v for v in values if isinstance(v, str | int | float) and not missing(v)}
        short = all(len(str(v)) <= 40 for v in held)
        again = len(held) < len(values) or len(values) < 4  # a label comes again and again
        if 0 < len(held) <= 12 and short and again and _LABEL_NAMES.search(name.lower()):
            out.append(name)
    return out


def _prompt_of(texts: Sequence[str]) -> tuple[str | None, list[str]]:
    """The field among the texts that is the prompt by its name, else the first of three in the
    order of the row; and two that are the responses, by their names if these are a pair."""
    named = [t for t in texts if t.lower() in PROMPTS["prompt"]]
    rest = [t for t in texts if t not in named]
    for i, one in enumerate(rest):
        for other in rest[i + 1 :]:
            if _twins(one, other):
                return (named[0] if named else None), sorted((one, other))
    if named:
        return named[0], rest[:2]
    return (texts[2], list(texts[:2])) if len(texts) > 2 else (None, rest[:2])


def _twins(one: str, other: str) -> bool:
    """Names that differ in one last letter or digit: answerA, answerB."""
    return one != other and len(one) == len(other) > 1 and one[:-1] == other[:-1]


def _numeric(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True
