"""What a message calls things: items by name, responses and prompts by the beginning of their text.

Texts are data and may be hostile: messages hold them as they are, every renderer escapes them.
"""

from __future__ import annotations

from cr_audit.gate.compare import BatchEffect

MAX_NAME = 40


def quoted(text: str) -> str:
    """The beginning of ``text`` on one line, in quotation marks."""
    return f"“{_shortened(' '.join(text.split()) or '(empty)')}”"


def item(effect: BatchEffect, index: int) -> str:
    """An item of the main unit: a model by its name, anything else by its text."""
    name = effect.unit.items.names[index]
    return _shortened(name) if effect.unit.unit == "model" else quoted(name)


def response(effect: BatchEffect, alternative: int) -> str:
    """The response's text."""
    return quoted(effect.after.dataset.alternatives["text"][alternative] or "")


def to_prompt(effect: BatchEffect, alternative: int) -> str:
    """`` to “How can I …”``; empty where the data has no prompts."""
    data = effect.after.dataset
    text = data.prompts["text"][data.alternatives["prompt"][alternative]]
    return f" to {quoted(text)}" if text and text.strip() else ""


def _shortened(text: str) -> str:
    """Cut after a word where one ends near the limit."""
    if len(text) <= MAX_NAME:
        return text
    cut = text[: MAX_NAME - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > MAX_NAME // 2 else cut).rstrip() + "…"
