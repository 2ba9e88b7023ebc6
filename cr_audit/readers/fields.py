"""From a row's fields to texts, keys, numbers and labels; every doubt is a note or a BadRow."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from cr_audit.readers import media
from cr_audit.readers.labels import Labels, word_of
from cr_audit.readers.parsing import messages_in, unpacked
from cr_audit.readers.records import BadRow, Prompt, Response
from cr_audit.readers.transcripts import (
    NotATurn,
    Turn,
    is_messages,
    prompt_turns,
    render,
    render_prompt,
    turns_of,
)
from cr_audit.readers.turns import calls, content_of, is_call

__all__ = ["Binding", "Labels", "unpacked", "word_of"]

Row = dict[str, Any]
Get = Callable[[Row], Any]
# (reason, field, what stood there): a remark on a row that was kept.
Notes = list[tuple[str, str, object]]


def getter(field: str, sample: Sequence[Row]) -> Get:
    """Read a field by name, or by a dotted path where no row has a field of that very name."""
    if "." not in field or any(field in row for row in sample):
        return lambda row: row.get(field)
    path = field.split(".")
    return lambda row: at_path(row, path)


def at_path(value: Any, path: Sequence[str]) -> Any:
    """What stands inside objects at a path of names; None where an object or a name is missing."""
    for name in path:
        value = unpacked(value)
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


_NO_WORDS = frozenset({"", "nan", "null", "n/a", "na", "<na>", "nat"})


def missing(value: Any) -> bool:
    """None, NaN, or a string of white space."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, str) and not value.strip()


def no_value(value: Any) -> bool:
    """Missing, or a word by which tables write that (``NaN``, ``null``, ``N/A``). For labels and
    numbers only: an answer may well be the word "null"."""
    if isinstance(value, str):
        if len(value) > 12:  # longer than any of the words, with blanks around it
            return value.isspace()
        return value.strip().lower() in _NO_WORDS
    return missing(value)


def text_of(value: Any, field: str, notes: Notes) -> str:
    """A response's text.

    Numbers, booleans and dates are rendered as in JSON, with a note; a medium is its mark, with a
    note. Raises BadRow("missing_text") for null and NaN, ("not_a_text") for what cannot be a text.
    """
    if type(value) is str:
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise BadRow("missing_text", field, value)
    if isinstance(value, bool | int | float):
        if isinstance(value, float) and abs(value) >= 2**63:  # digits may have been lost
            raise BadRow("number_too_big", field, value)
        notes.append(("non_string_text", field, value))
        return json.dumps(value)
    if isinstance(value, Decimal | datetime.date | datetime.time | datetime.timedelta):
        notes.append(("non_string_text", field, value))
        return _scalar(value)
    if isinstance(value, bytes):
        return _from_bytes(value, field, notes)
    if isinstance(value, dict):
        return calls(value) if is_call(value) else _from_object(value, field, notes)
    if is_messages(value):
        return _rendered(value, field)
    if isinstance(value, list) and value and all(map(is_call, value)):
        return calls(value)
    if isinstance(value, list) and value:
        if len(value) == 1 and isinstance(value[0], str):
            return value[0]
        if all(isinstance(v, dict) and "type" in v for v in value):
            text = content_of(value)
            if text is not None:
                return text
    raise BadRow("not_a_text", field, value)


def _scalar(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else str(value.normalize())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _from_bytes(value: bytes, field: str, notes: Notes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = media.mark("file", value)
        notes.append(("no_text", field, text))
    return text


def _from_object(value: Row, field: str, notes: Notes) -> str:
    if not value.keys().isdisjoint(("role", "from", "speaker")):
        return _rendered([value], field)
    for name in ("text", "content", "response", "answer", "completion", "value", "output"):
        if isinstance(value.get(name), str):
            return value[name]  # type: ignore[no-any-return]
        if is_messages(value.get(name)):
            return _rendered(value[name], field)
    if is_messages(value.get("messages")):
        return _rendered(value["messages"], field)
    if not value.keys().isdisjoint(("bytes", "path", "url", "image_url")):
        text = media.mark("image", value)
        notes.append(("no_text", field, text))
        return text
    raise BadRow("not_a_text", field, value)


def _rendered(messages: list[Any], field: str) -> str:
    try:
        return render(turns_of(messages))
    except NotATurn as error:
        raise BadRow("not_a_message", field, error.args[0]) from None


_KEY_NAMES = frozenset({"id", "name", "key", "value", "text", "model"})


def key_of(value: Any, field: str) -> str | None:
    """An identifier as text: 7, 7.0, Decimal("7.00") and "7" are the same key. None if there is
    none. Dates are written as ISO 8601, bytes as UTF-8 or hexadecimal; an object with
    nothing but a name or id is that, others are canonical JSON.
    """
    if type(value) is str:
        return value.strip() or None
    if value is None:
        return None
    if isinstance(value, bool | int):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if value.is_integer():
            if abs(value) >= 2**63:  # digits were lost when the number was parsed
                raise BadRow("number_too_big", field, value)
            return str(int(value))
        return repr(value)
    if isinstance(value, Decimal):
        return None if not value.is_finite() else _scalar(value)
    if isinstance(value, bytes):
        try:
            return value.decode().strip() or None
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, dict) and len(value) == 1 and value.keys() <= _KEY_NAMES:
        return key_of(next(iter(value.values())), field)
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict | list):
        return key_of(value[0], field)
    if isinstance(value, dict | list):
        return media.as_json(value) if value else None
    return _scalar(value)


def number_of(value: Any, field: str) -> float | None:
    """A finite number, also as text; None if missing. Raises BadRow("not_a_number")."""
    if no_value(value):
        return None
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float | str | Decimal):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise BadRow("not_a_number", field, value) from None
        if math.isfinite(number):
            return number
        if isinstance(value, Decimal) and value.is_nan():
            return None
    raise BadRow("not_a_number", field, value)


class Binding:
    """Roles bound to the fields of one file: what the parsers of all shapes are built from."""

    def __init__(
        self,
        fields: Mapping[str, str],
        options: Mapping[str, Any],
        sample: Sequence[Row],
        more: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """more : role -> further fields that play it where the first is missing; role "media" ->
        the columns of pictures and the like, all of which count."""
        self.fields = dict(fields)
        self.options = dict(options)
        self.sample = sample
        self.more = dict(more or {})
        self.labels: Labels | None = None

    def get(self, role: str) -> Get | None:
        """What reads a role from a row; None where no field plays it."""
        field = self.fields.get(role)
        return None if field is None else getter(field, self.sample)

    def name(self, role: str) -> str:
        """The field of a role, as messages name it."""
        return self.fields.get(role, role)

    def keys(self, *roles: str) -> Callable[[Row], str | None]:
        """The bound roles' keys joined by "/"; None if all are missing or none is bound."""
        parts = [(get, self.name(r)) for r in roles if (get := self.get(r)) is not None]
        if not parts:
            return lambda row: None
        if len(parts) == 1:
            get, field = parts[0]
            return lambda row: key_of(get(row), field)

        def joined(row: Row) -> str | None:
            found = [k for get, field in parts if (k := key_of(get(row), field)) is not None]
            return "/".join(found) if found else None

        return joined

    def annotator(self) -> Callable[[Row], str | None]:
        """What reads who judged a row."""
        return self.keys("annotator", "annotator_2")

    def mass(self) -> Callable[[Row], float]:
        """What reads how much a row counts; 1 where nothing says so."""
        get, field = self.get("mass"), self.name("mass")
        if get is None:
            return lambda row: 1.0

        def mass(row: Row) -> float:  # ``masses.WeightCheck`` has seen it, or will
            try:
                value = number_of(get(row), field)
            except BadRow:
                return 1.0
            return 1.0 if value is None else value

        return mass

    def _said(self, role: str) -> Get | None:
        """The role's value: that of its first field which is not missing."""
        names = [self.fields[role]] if role in self.fields else []
        names += self.more.get(role, ())
        getters = [getter(n, self.sample) for n in names]
        if not getters:
            return None
        if len(getters) == 1:
            return getters[0]

        def first(row: Row) -> Any:
            value = None
            for get in getters:
                value = get(row)
                if not no_value(value):
                    return value
            return value

        return first

    def prompt(self) -> Callable[[Row, Notes], Prompt]:
        """System, context, instruction and input joined by blank lines, then the marks of pictures
        and other media; the key beside them. A system text or context that stands inside another
        part is said once."""
        roles = [r for r in PROMPT_ROLES if r in self.fields or r in self.more]
        parts = [
            (get, self.fields.get(r) or self.more[r][0], r)
            for r in roles
            if (get := self._said(r)) is not None
        ]
        columns = [(getter(f, self.sample), f) for f in self.more.get("media", ())]
        key = self.keys("prompt_key", "prompt_key_2")
        has_key = "prompt_key" in self.fields
        asks, nothing = "prompt" in self.fields, Prompt()
        if not parts and not columns:
            return (
                (lambda row, notes: Prompt(None, key(row)))
                if has_key
                else (lambda row, notes: nothing)
            )
        if len(parts) == 1 and parts[0][2] != "system" and not columns and not has_key:
            get, field, role = parts[0]

            def alone(row: Row, notes: Notes) -> Prompt:
                value = get(row)
                if type(value) is list and len(value) == 1:  # nearly all lists of messages
                    said = _one_question(value[0])
                    if said is not None:
                        return Prompt(said)
                if no_value(value):
                    return Prompt()
                if type(value) is str and value[:1] not in ("[", "{"):
                    return Prompt(render_prompt(value))
                return _prompt([(value, field, role)], [], None, notes)

            return alone

        def prompt(row: Row, notes: Notes) -> Prompt:
            said = [(v, field, role) for get, field, role in parts if not no_value(v := get(row))]
            shown = [(value, field) for get, field in columns if (value := get(row)) is not None]
            found = _prompt(said, shown, key(row) if has_key else None, notes)
            if asks and found != nothing and not any(role == "prompt" for _, _, role in said):
                notes.append(("prompt_part_missing", self.name("prompt"), None))
            return found

        return prompt

    def response(self, side: str) -> Callable[[Row, Notes], Response]:
        """The text of role ``side``, ``<side>_model`` and ``<side>_key``; at least one is bound."""
        text, field = self.get(side), self.name(side)
        model = self.keys(f"{side}_model")
        key = self.keys(f"{side}_key")
        fixed = self.options.get(f"{side}_name")
        plain = f"{side}_model" not in self.fields and f"{side}_key" not in self.fields

        def response(row: Row, notes: Notes) -> Response:
            if text is None:
                names = Response(None, model(row), fixed or key(row))
                if names.model is None and names.key is None:
                    raise BadRow("missing_response", self.name(f"{side}_model"), None)
                return names
            value = text_of(messages_in(text(row)), field, notes)
            return Response(value) if plain else Response(value, model(row), key(row))

        return response


PROMPT_ROLES = ("system", "context", "tools", "prompt", "options", "input")


def _prompt(
    said: Sequence[tuple[Any, str, str]],
    shown: Sequence[tuple[Any, str]],
    key: str | None,
    notes: Notes,
) -> Prompt:
    """One prompt of what the fields say and the media that they show."""
    parts = [
        turns_of_prompt(value, field, [] if role in ("tools", "options") else notes)
        for value, field, role in said
    ]
    texts = [render(turns) for turns in parts]
    kept = [
        i
        for i, (text, (_, _, role)) in enumerate(zip(texts, said, strict=True))
        if text.strip()
        and not (
            role in ("system", "context")
            and any(_stands_in(text, t) for t in texts[:i] + texts[i + 1 :])
        )
    ]
    marks: list[str] = []
    for value, field in shown:
        found = media.marks(_kind(field, value), unpacked(value))
        if not set(found) <= set(marks):  # a second column of the same pictures
            marks += found
    if not kept and not marks:
        return Prompt(None, key)
    text = "\n\n".join([*(texts[i] for i in kept), *marks])
    if not kept:
        notes.append(("no_text", "prompt", text))
    elif not marks and all(said[i][2] == "system" for i in kept):
        notes.append(("no_prompt", "prompt", f"only {said[kept[0]][1]}"))
    turns = parts[kept[0]] if len(kept) == 1 and not marks else [Turn("user", text)]
    return Prompt(text, key, None if turns == [Turn("user", text)] else tuple(turns))


def _one_question(message: Any) -> str | None:
    """What a message of a user says, if it has words and is nothing but role and content."""
    if type(message) is not dict or len(message) != 2 or message.get("role") != "user":
        return None
    text = message.get("content")
    return text if type(text) is str and text.strip() else None


def _stands_in(part: str, whole: str) -> bool:
    """Whether a text says another one: as a line of it, or, if it has three words, anywhere."""
    return part in whole and (len(part.split()) >= 3 or part.strip() in whole.splitlines())


def _kind(field: str, value: Any) -> str:
    name = field.rpartition(".")[2].lower()
    return media.FIELDS.get(name) or media.kind_by_value(value) or media.kind_by_name(name)


def turns_of_prompt(value: Any, field: str, notes: Notes) -> list[Turn]:
    """A prompt as turns: strings (transcripts are parsed), messages, lists of user turns, lists of
    (question, answer) pairs. What is none of these is its canonical JSON, with a note, so that two
    different prompts are never one."""
    value = messages_in(value)
    if isinstance(value, str):
        return prompt_turns(value)
    if is_messages(value):
        try:
            return turns_of(value)
        except NotATurn as error:
            raise BadRow("not_a_message", field, error.args[0]) from None
    if isinstance(value, list) and value:
        if all(isinstance(v, str) for v in value):
            return [Turn("user", "\n\n".join(value))]
        if all(isinstance(v, dict) and v.keys() == {"input", "output"} for v in value):
            value = [[v["input"], v["output"]] for v in value]
        if all(isinstance(v, dict) and v.keys() == {"text"} for v in value):
            value = [{"type": "text", **v} for v in value]
        if all(isinstance(v, list) and len(v) == 2 for v in value):
            turns = [
                Turn(role, v)
                for pair in value
                for role, v in zip(("user", "assistant"), pair, strict=True)
                if isinstance(v, str) and v.strip()
            ]
            if turns:
                return turns
        if all(isinstance(v, dict) and "type" in v for v in value):
            text = content_of(value)
            if text is not None:
                return [Turn("user", text)]
    if isinstance(value, dict):
        for name in ("messages", "conversation", "conversations"):
            if is_messages(value.get(name)):
                return turns_of_prompt(value[name], f"{field}.{name}", notes)
        if not value.keys().isdisjoint(("role", "from")):
            return turns_of_prompt([value], field, notes)
        texts = [k for k, v in value.items() if not missing(v)]
        if len(texts) == 1 and isinstance(value[texts[0]], str):
            return prompt_turns(value[texts[0]])
    elif isinstance(value, bool | int | float | Decimal | datetime.date | bytes):
        return [Turn("user", text_of(value, field, notes))]
    notes.append(("structured_prompt", field, value))
    return [Turn("user", media.as_json(value))]
