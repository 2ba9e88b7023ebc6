"""Prompts of few words, with a word more.

A text of fewer than ``pairs.MIN_SHINGLES`` words and word pairs is near nothing: what few words
share says little of answers. Of prompts it says much: one with "please" behind it asks the same.
Two prompts are near where the shorter one, of at least ``MIN_WORDS`` words, stands in the longer
one word for word, and their sets are within the radius. A word in the middle ("is it *not* good")
or in the place of another asks something else. Of any number of words, two short prompts are near
where they look the same (``looks``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from cr_audit.clones.clusters import SetIndex
from cr_audit.clones.looks import alike
from cr_audit.clones.overlay import with_listed
from cr_audit.clones.pairs import ROUNDING, TextPairs
from cr_audit.clones.rendered import rendered
from cr_audit.texts import some_of

MIN_WORDS, MAX_WORDS = 3, 9
"""Of the shorter and of the longer prompt: within the default radius a prompt of fewer shingles
than are compared stands in none of more words."""
_WORD = re.compile(r"\w+")
_MAX_LETTERS = 400


def with_short_prompts(
    index: SetIndex, pairs: TextPairs, texts: Sequence[str]
) -> tuple[SetIndex, TextPairs]:
    """The index and its pairs, and those of short prompts. texts : of the prompts, distinct."""
    found = np.array(sorted(set(_standing_in(texts, index))), np.int64).reshape(-1, 2)
    short = np.flatnonzero(~index.comparable)
    a, b = alike(some_of(texts, short), np.arange(short.size), np.zeros_like(short))
    first = np.concatenate([short[a], found.min(axis=1, initial=len(texts))])
    second = np.concatenate([short[b], found.max(axis=1, initial=-1)])
    if not first.size:
        return index, pairs
    distance = index.distances(first, second)
    distance[: a.size] = 0.0
    near = distance <= pairs.radius + ROUNDING
    return with_listed(index, pairs, first[near], second[near], distance[near])


def _standing_in(texts: Sequence[str], index: SetIndex) -> Iterator[tuple[int, int]]:
    words: dict[int, tuple[str, ...]] = {}
    for i, text in enumerate(texts):
        if len(text) <= _MAX_LETTERS:
            found = _WORD.findall(rendered(text).casefold())
            if MIN_WORDS <= len(found) <= MAX_WORDS:
                words[i] = tuple(found)
    short: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, w in words.items():
        if not index.comparable[i]:
            short[w].append(i)
    lengths = {len(w) for w in short}
    for i, w in words.items():
        for n in lengths:
            for at in range(len(w) - n + 1):
                for j in short.get(w[at : at + n], ()):
                    if i != j:
                        yield min(i, j), max(i, j)
