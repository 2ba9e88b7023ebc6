"""A word diff of two texts, as runs that a renderer can colour or mark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MAX_WORDS = 2_000
"""Beyond this many words of each text only the first ones are compared (the cost is quadratic)."""
CONTEXT = 4
_TOKEN = re.compile(r"\w+|[^\w\s]+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Run:
    """Words that are equal in both texts, only in this one, or left out as far from any change."""

    kind: Literal["same", "changed", "skipped"]
    text: str


def word_diff(left: str, right: str) -> tuple[list[Run], list[Run]]:
    """Runs of words for each side. Equal stretches are cut to a few words around each change."""
    a, b = _words(left), _words(right)
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return _side(a, [(tag, i, j) for tag, i, j, _, _ in blocks]), _side(
        b, [(tag, i, j) for tag, _, _, i, j in blocks]
    )


def _words(text: str) -> list[str]:
    """Words with the white space and marks that follow them, so that a join gives the text back."""
    starts = [m.start() for _, m in zip(range(MAX_WORDS), _TOKEN.finditer(text), strict=False)]
    ends = [*starts[1:], len(text) if len(starts) < MAX_WORDS else starts[-1]] if starts else []
    return [text[i:j] for i, j in zip(starts, ends, strict=True)]


def _side(words: list[str], blocks: list[tuple[str, int, int]]) -> list[Run]:
    out: list[Run] = []
    last = len(blocks) - 1
    for k, (tag, i, j) in enumerate(blocks):
        part = words[i:j]
        if not part:
            continue
        if tag != "equal":
            out.append(Run("changed", "".join(part)))
            continue
        head = CONTEXT if k > 0 else 0
        tail = CONTEXT if k < last else 0
        if last == 0:
            head = CONTEXT * 2
        if len(part) <= head + tail + 2:
            out.append(Run("same", "".join(part)))
            continue
        if head:
            out.append(Run("same", "".join(part[:head])))
        out.append(Run("skipped", f"… {len(part) - head - tail} words …"))
        if tail:
            out.append(Run("same", "".join(part[-tail:])))
    return out
