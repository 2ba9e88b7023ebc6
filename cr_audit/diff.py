"""A word diff of two texts, as runs that a renderer can colour or mark."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from cr_audit.blocks import DiffRun

MAX_WORDS = 2_000
"""Beyond this many words of each text only the first ones are compared (the cost is quadratic)."""
CONTEXT = 4
_TOKEN = re.compile(r"\w+|[^\w\s]+", re.UNICODE)


def word_diff(left: str, right: str) -> tuple[list[DiffRun], list[DiffRun]]:
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


def _side(words: list[str], blocks: list[tuple[str, int, int]]) -> list[DiffRun]:
    out: list[DiffRun] = []
    last = len(blocks) - 1
    for k, (tag, i, j) in enumerate(blocks):
        part = words[i:j]
        if not part:
            continue
        if tag != "equal":
            out.append(DiffRun("changed", "".join(part)))
            continue
        head = CONTEXT if k > 0 else 0
        tail = CONTEXT if k < last else 0
        if last == 0:
            head = CONTEXT * 2
        if len(part) <= head + tail + 2:
            out.append(DiffRun("same", "".join(part)))
            continue
        if head:
            out.append(DiffRun("same", "".join(part[:head])))
        out.append(DiffRun("skipped", f"… {len(part) - head - tail} words …"))
        if tail:
            out.append(DiffRun("same", "".join(part[-tail:])))
    return out
