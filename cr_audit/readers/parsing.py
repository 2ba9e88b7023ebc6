"""JSON values from bytes, the fast parser first; and short quotes of what stood there."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import warnings
from typing import Any

import orjson

from cr_audit.readers.records import BadRow

DEEP = "nested too deeply"
"""The text of the ValueError for values that are too deep to parse."""


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def repaired(value: Any) -> tuple[Any, bool]:
    """Replace lone surrogates by U+FFFD anywhere in a parsed value. Recursive: depth is bounded by
    the parser that made the value."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return _replace_surrogates(value), True
        return value, False
    if isinstance(value, list):
        parts = [repaired(v) for v in value]
        return [v for v, _ in parts], any(r for _, r in parts)
    if isinstance(value, dict):
        pairs = [(repaired(k), repaired(v)) for k, v in value.items()]
        return {k: v for (k, _), (v, _) in pairs}, any(rk or rv for (_, rk), (_, rv) in pairs)
    return value, False


def parse_slowly(raw: bytes) -> tuple[Any, bool]:
    """What orjson refuses and the standard library takes: NaN, infinities, lone surrogates.

    Returns the value and whether lone surrogates were replaced. Raises UnicodeDecodeError if the
    bytes are not UTF-8, ValueError if they are not JSON or are nested too deeply.
    """
    text = raw.decode("utf-8")
    try:
        return repaired(json.loads(text))
    except RecursionError:
        raise ValueError(DEEP) from None


DEEPEST = 400
"""Levels of lists and objects. What walks values is recursive and takes up to two of Python's 1000
frames a level; the rows of known sets have at most 8."""


def too_deep(value: Any) -> bool:
    """Whether a value has more than ``DEEPEST`` levels. Not recursive."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return True
        inner: list[Any] = []
        for v in level:
            inner.extend(v.values() if isinstance(v, dict) else v)
        level = [v for v in inner if isinstance(v, list | dict)]
    return False


def parse_json(raw: bytes) -> tuple[Any, bool]:
    """orjson first, the standard library second. Errors as in :func:`parse_slowly`."""
    try:
        return orjson.loads(raw), False
    except orjson.JSONDecodeError as error:
        if "depth" in str(error) or "recursion" in str(error).lower():
            raise ValueError(DEEP) from None
        return parse_slowly(raw)


_ARRAY = re.compile(r"array\(|,\s*dtype=object\)|\)(?=\s*[,\]}]|\s*$)")
_GAP = re.compile(r"(?<=[}\]'\"])\s+(?=[{\['\"])")
_MESSAGE = re.compile(
    r"""^[\s"]*(?:array\()?\s*[\[(]?\s*\{\s*\\?['"](?:role|from|content|value|speaker|parts)\\?['"]\s*:"""
)
_LATER = re.compile(
    r"""^[\s"]*(?:array\()?\s*[\[(]\s*\{[^{}\[\]]{0,500}?\\?['"](?:role|from)\\?['"]\s*:\s*\\?['"]"""
    r"""(?:user|human|assistant|gpt|system|bot|model|prompter|tool|developer|chatbot|ai)\\?['"]"""
)
"""A list of messages whose first one begins with another name (``id``)."""


def _begins_messages(text: str) -> bool:
    return bool(_MESSAGE.match(text) or _LATER.match(text))


def unpacked(value: Any) -> Any:
    """A list or object that a cell holds as text: JSON, or as Python or numpy write it.

    Anything else as it is. Raises BadRow("unreadable_list") for text that begins like a list of
    messages and is none: it must not pass as an answer.
    """
    if type(value) is not str:
        return value
    start = value.lstrip()[:7]
    if start[:1] not in ("[", "{", "a", "(", '"') or (start[:1] == "a" and start != "array(["):
        return value
    try:
        parsed = orjson.loads(value)
        if isinstance(parsed, str):  # JSON in JSON
            parsed = orjson.loads(parsed) if parsed[:1] in ("[", "{") else value
    except orjson.JSONDecodeError:
        if _NUMBERS.fullmatch(value.strip()):  # as numpy prints them
            return [
                float(n) if "." in n or "n" in n else int(n) for n in value.strip()[1:-1].split()
            ]
        if "'" not in value and not _begins_messages(value):
            return value
        parsed = _python(value)
        if parsed is None and _begins_messages(value):
            raise BadRow("unreadable_list", "row", value) from None
    if isinstance(parsed, tuple):
        parsed = list(parsed)
    if not isinstance(parsed, list | dict):
        return value
    if isinstance(parsed, dict):
        parsed = by_fields(parsed)
    if too_deep(parsed):
        raise BadRow("nested_too_deeply", "row", value)
    return parsed


_NUMBERS = re.compile(r"\[\s*-?[\d.][\d.e+-]*(?:\s+-?(?:[\d.][\d.e+-]*|nan))+\s*\]")


def by_fields(value: dict[str, Any]) -> Any:
    """A list of messages that is kept field by field (``{"role": [...], "content": [...]}``) as one
    list; anything else as it is."""
    for who in ("role", "from"):
        roles = value.get(who)
        if not isinstance(roles, list) or not roles or not all(isinstance(r, str) for r in roles):
            continue
        if all(isinstance(v, list) and len(v) == len(roles) for v in value.values()):
            return [{k: v[i] for k, v in value.items()} for i in range(len(roles))]
    return value


def messages_in(value: Any) -> Any:
    """A list of messages that a cell holds as text; any other text as it is: an answer may well
    be JSON."""
    if type(value) is dict:
        return by_fields(value) if "role" in value or "from" in value else value
    if type(value) is not str or value[:1] not in '[{a( \n"' or not _begins_messages(value):
        return value
    found = unpacked(value)
    return value if isinstance(found, dict) and found.keys().isdisjoint(("role", "from")) else found


_MAX_LITERAL = 1_000_000
"""Values in a cell that Python wrote: its parser takes about 500 bytes for each."""


def _python(text: str) -> Any:
    """What ``repr`` of a list, an object or a numpy array of them says; None if it is none."""
    if sum(map(text.count, ",[{(")) > _MAX_LITERAL:
        return None
    forms = (text, _GAP.sub(", ", _ARRAY.sub("", text)))
    if _ADJACENT.search(text):  # Python would join two texts that stand side by side
        forms = (_separated(text), *forms[1:])
    for form in forms:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # escapes in the data's strings
                return ast.literal_eval(form.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


_ADJACENT = re.compile(r"""['"]\s+['"]""")


def _separated(text: str) -> str:
    """The text with commas between texts that stand side by side, as numpy prints them."""
    out: list[tuple[int, str]] = []
    before = None
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
                continue
            if token.type == before == tokenize.STRING:
                out.append((tokenize.OP, ","))
            out.append((token.type, token.string))
            before = token.type
    except (tokenize.TokenError, IndentationError):
        return text
    return " ".join(string for _, string in out)


def quote(value: object, limit: int = 80) -> str:
    """A short repr of what stood there; never longer than ``limit``."""
    if isinstance(value, bytes):
        value = value[: limit * 4].decode("utf-8", "replace")
    if isinstance(value, str):
        value = value[: limit + 1]
    elif isinstance(value, list | dict) and len(value) > 20:
        return f"{'list' if isinstance(value, list) else 'object'} of {len(value)} entries"
    try:
        text = repr(value)
    except RecursionError:
        text = DEEP
    return text if len(text) <= limit else text[: limit - 1] + "…"
