"""Short texts that look the same: what few words share says little, what a reader cannot tell apart
says all.

A text of fewer than ``pairs.MIN_SHINGLES`` words and word pairs is near no other one by its words.
"Yes" with a zero-width space in it, with a Cyrillic letter, or with a comment of HTML behind it is
a copy of "Yes" all the same, and so is an Arabic or Hebrew word with its vowel marks of the word
without them. ``look`` is stricter than ``rendered``: in few words case, accents, raised digits and
marks of Markdown tell answers apart, and letters that merely resemble each other inside scripts
written from right to left do too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np

from cr_audit.arrays import IntArray
from cr_audit.clones.grouped import pairs_of_one_group
from cr_audit.clones.rendered import VOWEL_MARKS, confusables, shown, without_invisible

MAX_ALIKE = 200
"""Texts of one look in one group of which every pair is listed; of more, so many at a time."""
_PLAIN = re.compile(r"[\t\n\r\x20-\x25\x27-\x3b\x3d-\x7e]*")
_RAISED = ("<super>", "<sub>", "<fraction>")


def is_plain(text: str) -> bool:
    """Whether a text has nothing that ``look`` would change but white space."""
    return _PLAIN.fullmatch(text) is not None


def look(text: str) -> str:
    """What a reader sees of a short text; white space is one blank."""
    if not is_plain(text):
        page = shown(text) if "<" in text or "&" in text else ""
        # Of "<repeats himself>" a page shows nothing: then it was meant as it is written.
        text = page if page.strip() else without_invisible(text)
        text = unicodedata.normalize("NFD", "".join(map(_unstyled, text)))
        text = unicodedata.normalize("NFC", VOWEL_MARKS.sub("", text)).translate(_table())
    return " ".join(text.split())


@lru_cache(1 << 16)
def _unstyled(char: str) -> str:
    """A letter in another cut or width is that letter; raised and lowered ones are not."""
    if unicodedata.decomposition(char).startswith(_RAISED):
        return char
    return unicodedata.normalize("NFKC", char)


@cache
def _table() -> dict[int, str]:
    """Look-alikes but for scripts from right to left, where a digit and a letter resemble the same
    Latin one."""
    return {
        code: to
        for code, to in confusables().items()
        if unicodedata.bidirectional(chr(code)) not in ("R", "AL", "AN")
        and not unicodedata.decomposition(chr(code))
    }


def alike(texts: Sequence[str], text: IntArray, group: IntArray) -> tuple[IntArray, IntArray]:
    """Pairs first < second of units of one group whose texts look the same.

    texts : distinct; text, group : int64 (units,), of each unit. Looked at are groups with a text
    that is not plain.
    """
    odd = np.array([not is_plain(t) for t in texts], bool)
    empty = np.empty(0, np.int64)
    if not odd.any():
        return empty, empty
    some = np.flatnonzero(np.isin(group, np.unique(group[odd[text]])))
    used, place = np.unique(text[some], return_inverse=True)
    number: dict[str, int] = {}
    looks = np.array([number.setdefault(look(texts[i]), len(number)) for i in used.tolist()])
    _, same = np.unique(np.stack([group[some], looks[place]]), axis=1, return_inverse=True)
    same = same.ravel()
    order = np.argsort(same, kind="stable")
    rank = np.empty(same.size, np.int64)
    rank[order] = np.arange(same.size) - np.searchsorted(same[order], same[order])
    first, second = pairs_of_one_group(same * (same.size // MAX_ALIKE + 1) + rank // MAX_ALIKE)
    return some[first], some[second]
