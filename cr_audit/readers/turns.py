"""A turn of a conversation: who speaks, and everything that the turn says or does, as text."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from cr_audit.readers.media import KINDS, as_json, mark, marks

_ROLES = {
    "human": "user",
    "prompter": "user",
    "customer": "user",
    "client": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "ai": "assistant",
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thoughts")
_CALL_NOISE = frozenset({"id", "index", "type"})


class Turn(NamedTuple):
    """One message: who speaks, and the text."""

    role: str
    text: str


class NotATurn(ValueError):
    """A message without role and content; the message is in ``args[0]``."""


def role_name(role: str) -> str:
    """One of user, assistant, system, tool …: the names that other layouts use are translated."""
    known = _ROLES.get(role)
    if known is not None:
        return known
    role = role.strip().lower()
    return _ROLES.get(role, role)


def calls(value: Any) -> str:
    """Tool calls as canonical JSON: name and arguments count, random identifiers do not.

    An OpenAI wrapper (``{"type": "function", "function": {…}}``) and arguments given as JSON text
    are the same call as the bare one.
    """
    if isinstance(value, str):  # as a table holds them
        text: str = value
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
    entries = value if isinstance(value, list) else [value]
    return as_json([_call(entry) for entry in entries])


def is_call(value: Any) -> bool:
    """Whether an object is a tool call: a name beside arguments, or the wrapper of one."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("function"), dict):
        return isinstance(value["function"].get("name"), str)
    return isinstance(value.get("name"), str) and not _ARGUMENTS.isdisjoint(value)


_ARGUMENTS = frozenset({"arguments", "args", "parameters"})


def _call(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    inner = entry.get("function")
    call = inner if isinstance(inner, dict) else entry
    call = {k: v for k, v in call.items() if v is not None and k not in _CALL_NOISE} or entry
    arguments = call.get("arguments")
    if isinstance(arguments, str):
        try:
            call = {**call, "arguments": json.loads(arguments)}
        except (ValueError, RecursionError):
            return call  # not JSON: the arguments are the text that they are
    return call


def _part(part: Any) -> str | None:
    """One part of a content list; None if it says nothing."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return None if part is None else as_json(part)
    kind = part.get("type")
    kind = kind if isinstance(kind, str) else ""
    if part.get("thought") is True and isinstance(part.get("text"), str):
        return _thought(part["text"])
    for name in ("functionCall", "function_call"):
        if isinstance(part.get(name), dict):
            return calls(part[name])
    for name in ("functionResponse", "function_response"):
        if isinstance(part.get(name), dict):
            return as_json(part[name])
    text = part.get("text")
    if isinstance(text, dict) and isinstance(text.get("value"), str):
        text = text["value"]
    if isinstance(text, str) and (text or "text" in kind or not kind):
        media = [m for k in KINDS for m in marks(k, part.get(k))]
        return "\n".join([text, *media]) if media else text
    if kind in ("thinking", "reasoning"):
        return _thought(content_of(part.get("thinking", part.get("reasoning"))))
    if isinstance(part.get("refusal"), str):
        refusal: str = part["refusal"]
        return refusal
    if kind == "tool_result" or kind == "function_result":
        return content_of(part.get("content", part.get("output")))
    if kind in ("tool_use", "tool_call", "function_call"):
        return calls({k: v for k, v in part.items() if k not in _CALL_NOISE})
    for name in KINDS:
        if name in kind or any(name in k for k in part):
            held = {k: v for k, v in part.items() if k not in ("type", "detail", "text")}
            found = marks(name, held)
            return found[0] if found else None
    rest = {k: v for k, v in part.items() if v is not None and k != "type"}
    return as_json(part) if rest else None


def _thought(text: str | None) -> str | None:
    return f"<think>\n{text.strip()}\n</think>" if text else None


def content_of(value: Any) -> str | None:
    """The text of a content: a string, a list of parts, or an object (a tool's result) as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return None
    if isinstance(value, list):
        parts = [p for p in map(_part, value) if p is not None]
        return "\n".join(parts) if parts else None
    if isinstance(value, dict):
        if "parts" in value and isinstance(value["parts"], list):
            return content_of(value["parts"])
        if isinstance(value.get("text"), str) and not value.keys() - {"text", "type"}:
            text: str = value["text"]
            return text
        return as_json(value)
    return mark("file", value) if isinstance(value, bytes) else as_json(value)


def turn_of(message: Any) -> Turn:
    """``{role, content}``, ``{from, value}`` or ``{role, text}``, with all that the turn does.

    Thoughts (``reasoning_content`` …) stand before the text in ``<think>`` marks, refusals, tool
    calls and media behind it. Raises NotATurn where there is no role, or nothing was said or done.
    """
    if not isinstance(message, dict):
        raise NotATurn(message)
    role, text = message.get("role"), message.get("content")
    if len(message) == 2 and type(role) is str and type(text) is str:  # nearly all
        return Turn(role_name(role), text)
    role = message.get("role", message.get("from", message.get("speaker")))
    if role is None and isinstance(message.get("author"), dict):
        role = message["author"].get("role")
    if not isinstance(role, str):
        raise NotATurn(message)
    text = None
    for name in ("content", "value", "text", "message", "parts"):
        text = content_of(message.get(name))
        if text is not None:
            break
    if len(message) > 2:
        text = _with_deeds(message, text)
    if text is None:
        raise NotATurn(message)
    role = role_name(role)
    if role in _RESULTS and isinstance(message.get("name"), str):
        role = f"{role} {message['name']}"  # which tool said it
    return Turn(role, text)


def plain_turns(messages: Any) -> list[Turn] | None:
    """The turns of a list of nothing but ``{role, content}`` with known roles and bare texts, which
    nearly all are; None for anything else. The same as ``turn_of`` of each, at half the time."""
    if type(messages) is not list or not messages:
        return None
    turns = []
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return None
        text, role = message.get("content"), message.get("role")
        if type(text) is not str or type(role) is not str or role not in _ROLES:
            return None
        turns.append(_new(Turn, (_ROLES[role], text)))
    return turns


_new = tuple.__new__  # a Turn without the call that its class puts around this
_RESULTS = frozenset({"tool", "function", "observation", "ipython"})


def _with_deeds(message: dict[str, Any], text: str | None) -> str | None:
    before = [t for n in _THOUGHTS if (t := _thought(content_of(message.get(n)))) and t != text][:1]
    after = []
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        after.append(message["refusal"])
    after += [calls(message[n]) for n in ("tool_calls", "function_call") if message.get(n)]
    for kind in KINDS[:3]:
        after += marks(kind, message.get(kind)) + marks(kind, message.get(f"{kind}s"))
    if not before and not after:
        return text
    said = [text] if text and text.strip() else []
    return "\n\n".join([*before, *said, *after])
