"""Conversations: message lists and written-out transcripts, rendered in one way.

A conversation of one user turn is rendered as that turn's text alone, so that a prompt given as
a string, as a one-message list or as a transcript is the same prompt. Longer ones are rendered as
``role: text`` paragraphs. Pairs of whole conversations are cut into a shared prompt and two tails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

_ROLES = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "ai": "assistant",
}
_HUMAN, _ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
_TURN = re.compile(r"\n\n(Human|Assistant):")
MARKERS = (
    _ASSISTANT,
    "<|im_start|>assistant\n",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|assistant|>\n",
    "### Response:\n",
    "[/INST]",
)
"""What opens an assistant turn in a written-out transcript."""


class Turn(NamedTuple):
    role: str
    text: str


class NotATurn(ValueError):
    """A message without role and text; the message is in ``args[0]``."""


def _content(value: Any) -> str | None:
    """The text of a message's content: a string, or a list of parts of which some hold text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        parts = [p.get("text") if isinstance(p, dict) else p for p in value]
        texts = [p for p in parts if isinstance(p, str)]
        return "\n".join(texts) if texts else None
    return None


def turn_of(message: Any) -> Turn:
    """``{role, content}``, ``{from, value}`` or ``{role, text}``; tool calls as JSON."""
    if isinstance(message, dict):
        role = message.get("role", message.get("from", message.get("speaker")))
        text = None
        for name in ("content", "value", "text"):
            text = _content(message.get(name))
            if text is not None:
                break
        if text is None and message.get("tool_calls"):
            text = json.dumps(message["tool_calls"], sort_keys=True, ensure_ascii=False)
        if isinstance(role, str) and text is not None:
            role = role.strip().lower()
            return Turn(_ROLES.get(role, role), text)
    raise NotATurn(message)


def is_messages(value: Any) -> bool:
    """A non-empty list whose first entry looks like a message."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and ("role" in value[0] or "from" in value[0])
    )


def turns_of(messages: Sequence[Any]) -> list[Turn]:
    """Raises NotATurn."""
    return [turn_of(m) for m in messages]


def render(turns: Sequence[Turn]) -> str:
    """One user turn (or one assistant turn) alone: its text. Else ``role: text`` paragraphs."""
    if len(turns) == 1 and turns[0].role in ("user", "assistant"):
        return turns[0].text
    return "\n\n".join(f"{t.role}: {t.text.strip()}" for t in turns)


def parse_transcript(text: str) -> list[Turn]:
    r"""Turns of ``\n\nHuman: … \n\nAssistant: …``; text before the first mark is a system turn."""
    pieces = _TURN.split(text)
    turns = [Turn("system", pieces[0].strip())] if pieces[0].strip() else []
    for name, said in zip(pieces[1::2], pieces[2::2], strict=True):
        turns.append(Turn("user" if name == "Human" else "assistant", said.strip()))
    return turns


def render_prompt(text: str) -> str:
    """A prompt that may be a transcript ending in an open assistant turn."""
    if _HUMAN not in text:
        return text
    turns = parse_transcript(text)
    if turns[-1] == Turn("assistant", ""):
        turns.pop()
    return render(turns)


def has_marker(text: str) -> bool:
    """Whether a text looks like a written-out transcript."""
    return any(marker in text for marker in MARKERS)


def cut_texts(left: str, right: str) -> tuple[str, str, str] | None:
    """Cut two transcripts at the last opening of an assistant turn inside their common prefix.

    Returns (prompt, left tail, right tail), or None if they share no such prefix.
    """
    best = -1
    for marker in MARKERS:
        at = left.rfind(marker)
        while at > best:
            end = at + len(marker)
            if right.startswith(left[:end]):
                best = max(best, end)
                break
            at = left.rfind(marker, 0, at)
    if best < 0:
        return None
    return render_prompt(left[:best]), left[best:], right[best:]


def cut_turns(left: list[Turn], right: list[Turn]) -> tuple[list[Turn], list[Turn], list[Turn]]:
    """Split two conversations into their common turns and two tails, neither tail empty.

    The cut never falls behind the last turn of either side, so identical conversations keep
    their last turn as the response.
    """
    n = 0
    limit = min(len(left), len(right)) - 1
    while n < limit and left[n] == right[n]:
        n += 1
    return left[:n], left[n:], right[n:]
