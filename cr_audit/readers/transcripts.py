"""Conversations: message lists and written-out transcripts, rendered in one way.

A conversation of one user turn is rendered as that turn's text alone, so that a prompt given as
a string, as a one-message list or as a transcript is the same prompt. Longer ones are rendered as
``role: text`` paragraphs. Pairs of whole conversations are cut into a shared prompt and two tails.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cr_audit.data.identity import canonical
from cr_audit.readers import templates
from cr_audit.readers.turns import NotATurn, Turn, plain_turns, turn_of

__all__ = ["NotATurn", "Turn", "plain_turns", "render", "turn_of", "turns_of"]

_HUMAN, _ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
_TURN = re.compile(r"\n\n(Human|Assistant):")
_WORD_START = re.compile(r"\S+\s")
_SENTENCE = re.compile(r"(?<=[.!?:;])\s|[。！？：]")


def is_messages(value: Any) -> bool:
    """A non-empty list whose first entry looks like a message."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and not value[0].keys().isdisjoint(("role", "from", "speaker", "author"))
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


def prompt_turns(text: str) -> list[Turn]:
    """The turns of a prompt; a last open assistant turn is none. A plain text is a user's turn.

    Templates of plain words count only where an open assistant turn ends the text: elsewhere
    ``User:`` may be anything.
    """
    turns: list[Turn] | None = None
    if _HUMAN in text:
        turns = parse_transcript(text)
    elif templates.may_hold_tokens(text):
        turns = templates.parse(text, words=False)
    elif text.rstrip().endswith(":"):
        turns = templates.parse(text)
        if turns and turns[-1] != Turn("assistant", ""):
            turns = None
    if not turns:
        return [Turn("user", text)]
    if len(turns) > 1 and turns[-1] == Turn("assistant", ""):
        turns.pop()
    return turns


def render_prompt(text: str) -> str:
    """A prompt that may be a transcript ending in an open assistant turn."""
    if "uman:" not in text and "<" not in text and text[-1:] not in ":\n ]":
        return text
    turns = prompt_turns(text)
    return text if turns == [Turn("user", text)] else render(turns)


def has_marker(text: str) -> bool:
    """Whether a text looks like a written-out transcript with an assistant's turn."""
    return _ASSISTANT in text or any(t.role == "assistant" for t in templates.parse(text) or ())


def cut_texts(left: str, right: str) -> tuple[list[Turn], str, str] | None:
    """Two transcripts as (shared turns, left tail, right tail), or None if they share none.

    Human/Assistant paragraphs are cut at the last opening of an assistant turn inside their common
    prefix, other templates at their last common turn.
    """
    if _HUMAN in left and _ASSISTANT in left and _ASSISTANT in right:
        at = left.rfind(_ASSISTANT)
        while at >= 0:
            end = at + len(_ASSISTANT)
            if right.startswith(left[:end]):
                return prompt_turns(left[:end]), left[end:], right[end:]
            at = left.rfind(_ASSISTANT, 0, at)
        return None
    a, b = templates.parse(left), templates.parse(right)
    if a is None or b is None:
        return None
    shared, a, b = cut_turns(a, b)
    return (shared, render(a), render(b)) if shared else None


MIN_SHARED = 3
"""Words that two bare texts must share at their beginning before it is taken for a prompt."""


def shared_prefix(left: str, right: str) -> int:
    """Length of the prompt that two bare texts begin with, 0 if they share too little.

    The common prefix (the rule of trainers that take such rows), cut behind its last line break,
    else behind its last sentence, else before the word in which the texts part. It must hold
    ``MIN_SHARED`` words, and both texts must go on.
    """
    n, end = 0, min(len(left), len(right))
    while n < end:  # bisection over slices: no loop over characters
        middle = (n + end + 1) // 2
        if left[n:middle] == right[n:middle]:
            n = middle
        else:
            end = middle - 1
    prefix = left[:n]
    at = prefix.rfind("\n") + 1
    if not left[at:].strip() or not right[at:].strip() or not prefix[:at].strip():
        at = 0
    if not at:
        ends = [m.end() for m in _SENTENCE.finditer(prefix)]
        at = ends[-1] if ends else max((m.end() for m in _WORD_START.finditer(prefix)), default=0)
    if not left[at:].strip() or not right[at:].strip():
        return 0
    return at if len(prefix[:at].split()) >= MIN_SHARED else 0


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


def joined(prompt: Sequence[Turn], shared: Sequence[Turn]) -> list[Turn]:
    """A row's own prompt and the turns that both sides begin with, each turn once.

    Where one holds the other it is the whole; else the shared turns follow the prompt.
    """
    if not shared:
        return list(prompt)
    if not prompt:
        return list(shared)
    own = [Turn(t.role, canonical(t.text)) for t in prompt]
    said = [Turn(t.role, canonical(t.text)) for t in shared]
    if _holds(said, own):
        return list(shared)
    if _holds(own, said):
        return list(prompt)
    if len(own) == 1 and own[0].text == canonical(render(shared)):  # the rendered conversation
        return list(shared)
    for n in range(min(len(own), len(said)) - 1, 0, -1):
        if own[-n:] == said[:n]:
            return [*prompt, *shared[n:]]
    return [*prompt, *shared]


def _holds(whole: Sequence[Turn], part: Sequence[Turn]) -> bool:
    n = len(part)
    return any(list(whole[i : i + n]) == list(part) for i in range(len(whole) - n + 1))
