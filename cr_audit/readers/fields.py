"""From a row's fields to texts, keys, numbers and labels; every doubt is a note or a BadRow."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from cr_audit.readers.records import BadRow, Prompt, Response
from cr_audit.readers.transcripts import NotATurn, is_messages, render, render_prompt, turns_of

Row = dict[str, Any]
Get = Callable[[Row], Any]
# (reason, field, what stood there): a remark on a row that was kept.
Notes = list[tuple[str, str, object]]


def getter(field: str, sample: Sequence[Row]) -> Get:
    """Read a field by name, or by a dotted path where no row has a field of that very name."""
    if "." not in field or any(field in row for row in sample):
        return lambda row: row.get(field)
    path = field.split(".")

    def walk(row: Row) -> Any:
        value: Any = row
        for name in path:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return walk


def missing(value: Any) -> bool:
    """None, NaN, or a string of white space."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, str) and not value.strip()


def unpacked(value: Any) -> Any:
    """A list or object that a table (CSV) holds as JSON text; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
        return parsed if isinstance(parsed, list | dict) else value
    return value


def text_of(value: Any, field: str, notes: Notes) -> str:
    """A response's text. Numbers and booleans are rendered as in JSON, with a note.

    Raises BadRow("missing_text") for null, ("not_a_text") for what cannot be a text.
    """
    if type(value) is str:
        return value
    if value is None:
        raise BadRow("missing_text", field, value)
    if isinstance(value, bool | int | float):
        notes.append(("non_string_text", field, value))
        return json.dumps(value)
    if isinstance(value, dict):
        if "role" in value or "from" in value:
            return _rendered([value], field)
        for name in ("text", "content", "response", "answer", "completion", "value"):
            if isinstance(value.get(name), str):
                text: str = value[name]
                return text
    if is_messages(value):
        return _rendered(value, field)
    raise BadRow("not_a_text", field, value)


def _rendered(messages: list[Any], field: str) -> str:
    try:
        return render(turns_of(messages))
    except NotATurn as error:
        raise BadRow("not_a_message", field, error.args[0]) from None


def key_of(value: Any, field: str) -> str | None:
    """An identifier as text: 7, 7.0 and "7" are the same key. None if there is none."""
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
    raise BadRow("not_a_key", field, value)


def number_of(value: Any, field: str) -> float | None:
    """A finite number, also as text; None if missing. Raises BadRow("not_a_number")."""
    if missing(value):
        return None
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float | str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise BadRow("not_a_number", field, value) from None
        if math.isfinite(number):
            return number
    raise BadRow("not_a_number", field, value)


def word_of(value: Any) -> str:
    """A label in one spelling: "Model A" and "model_a" are the same, 1, 1.0 and "1" too."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = str(value).lower().translate(_NO_BRACKETS).strip().replace(" ", "_").replace("-", "_")
    return word[:-2] if word.endswith(".0") and word[:-2].lstrip("_").isdigit() else word


_NO_BRACKETS = str.maketrans("", "", "[]()\"'")
LEFT = (
    "left",
    "a",
    "model_a",
    "model_1",
    "model1",
    "model_x",
    "response_a",
    "response_1",
    "response1",
    "answer_a",
    "answer_1",
    "output_1",
    "output_a",
    "assistant_a",
    "a1",
    "arg1",
    "first",
    "win",
    "a>b",
    "a>>b",
    "1",
    "option_a",
    "completion_a",
    "completion_1",
)
RIGHT = (
    "right",
    "b",
    "model_b",
    "model_2",
    "model2",
    "model_y",
    "response_b",
    "response_2",
    "response2",
    "answer_b",
    "answer_2",
    "output_2",
    "output_b",
    "assistant_b",
    "a2",
    "arg2",
    "second",
    "loss",
    "lose",
    "b>a",
    "b>>a",
    "2",
    "option_b",
    "completion_b",
    "completion_2",
)
TIE = (
    "tie",
    "tied",
    "both_bad",
    "bothbad",
    "both_good",
    "tie_bothbad",
    "tie_both_bad",
    "tie_both_good",
    "equal",
    "draw",
    "same",
    "neither",
    "both",
    "even",
    "no_preference",
    "a=b",
    "b=a",
    "0.5",
    "1.5",
)
WORDS: dict[str, float] = {
    **dict.fromkeys(LEFT, 1.0),
    **dict.fromkeys(RIGHT, 0.0),
    **dict.fromkeys(TIE, 0.5),
}
"""Label words that mean the same everywhere. A bare 0 is not among them: it is a tie in some data
and the right or left response in other data, so only a schema or ``--map`` may say."""


class Labels(NamedTuple):
    """How a label says who won: words first, then the names that the row gives to its sides."""

    words: Mapping[str, float]

    def share(
        self, value: Any, field: str, left: Sequence[object], right: Sequence[object]
    ) -> float:
        """What ``left`` won. Raises BadRow("missing_label") or ("unknown_label")."""
        if type(value) is str and value in self.words:
            return self.words[value]
        if missing(value):
            raise BadRow("missing_label", field, value)
        if not isinstance(value, str | int | float):
            raise BadRow("unknown_label", field, value)
        share = self.words.get(word_of(value))
        if share is not None:
            return share
        is_left = any(value == name for name in left if name is not None)
        is_right = any(value == name for name in right if name is not None)
        if is_left == is_right:
            raise BadRow("unknown_label", field, value)
        return 1.0 if is_left else 0.0


class Binding:
    """Roles bound to the fields of one file: what the parsers of all shapes are built from."""

    def __init__(
        self, fields: Mapping[str, str], options: Mapping[str, Any], sample: Sequence[Row]
    ) -> None:
        self.fields = dict(fields)
        self.options = dict(options)
        self.sample = sample

    def get(self, role: str) -> Get | None:
        field = self.fields.get(role)
        return None if field is None else getter(field, self.sample)

    def name(self, role: str) -> str:
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
        return self.keys("annotator", "annotator_2")

    def mass(self) -> Callable[[Row], float]:
        get, field = self.get("mass"), self.name("mass")
        if get is None:
            return lambda row: 1.0

        def mass(row: Row) -> float:
            value = number_of(get(row), field)
            if value is None:
                return 1.0
            if value <= 0:
                raise BadRow("mass_not_positive", field, value)
            return value

        return mass

    def prompt(self) -> Callable[[Row, Notes], Prompt]:
        """System, instruction and input joined by blank lines; the key beside them."""
        roles = [r for r in ("system", "prompt", "input") if r in self.fields]
        parts = [(getter(self.fields[r], self.sample), self.fields[r]) for r in roles]
        key = self.keys("prompt_key", "prompt_key_2")
        has_key = "prompt_key" in self.fields
        if not parts:
            nothing = Prompt()
            return (
                (lambda row, notes: Prompt(None, key(row)))
                if has_key
                else (lambda row, notes: nothing)
            )

        def prompt(row: Row, notes: Notes) -> Prompt:
            said = [
                prompt_text(value, field, notes)
                for get, field in parts
                if not missing(value := get(row))
            ]
            return Prompt("\n\n".join(said) if said else None, key(row) if has_key else None)

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
            value = text(row)
            if type(value) is not str:
                value = text_of(unpacked(value), field, notes)
            return Response(value) if plain else Response(value, model(row), key(row))

        return response


def prompt_text(value: Any, field: str, notes: Notes) -> str:
    """A prompt as text: strings (transcripts rendered), messages, lists of user turns."""
    if isinstance(value, str):
        return render_prompt(value)
    if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        return value[0] if len(value) == 1 else "\n\n".join(value)
    return text_of(value, field, notes)
