"""Texts as sentences: their content words, the mass of each, their numbers, their vectors.

What is compared is what a reader sees (``rendered``), case-folded. A text is cut at line ends and
after ``. ! ? : ;`` (and their full-width forms) before white space; pieces without a letter or a
digit are no sentences, and the first ``MAX_SENTENCES`` are looked at. A word counts by its first
``STEM`` letters, so that most endings do not matter. Its weight is

    idf(w) = log((1 + n) / df(w)),    0 where it is below LEAST_WEIGHT

n texts, of which df(w) hold w: words of more than a third of the texts say nothing. The mass of a
sentence is the sum over its distinct words, at least ``LEAST_MASS``.

Numbers are runs of digits, with points and commas between digits; those that number the items of a
list are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.clones.shingles import folded, words_in_order

MAX_SENTENCES = 48
STEM = 5
LEAST_WEIGHT = 1.0
LEAST_MASS = 1e-6
GRID = 2048.0
"""Vectors are rounded to multiples of 1 / 2048: their products and sums up to 1 are then exact in
single precision, the same whatever the order of summation."""
_CUT = re.compile(r"(?<=[.!?:;])\s+|(?<=[。！？；])|\n+")
_SAYS = re.compile(r"[^\W_]")
_ENDING = re.compile(rf"([^\W\d_]{{{STEM}}})[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LISTED = re.compile(r"(?m)^\s*\d+[.)](?=\s|$)")

Encode = Callable[[Sequence[str]], Float32Array]
"""Sentences -> float32 (n, d), unit rows, zero for an empty one."""


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """The sentences of n texts, in the order of the texts.

    start : int64 (n + 1,), where each text's sentences begin. mass : float64 (s,), of a sentence,
    above 0. words : int64 (e,) and word_start : int64 (s + 1,), the distinct weighed words of each
    sentence, ascending; weight : float64 (n_words,). vectors : float32 (s, d) on the grid, or None
    where there is no encoder. numbers : csr (n, n_numbers), how often each number stands in a text.
    """

    start: IntArray
    mass: FloatArray
    words: IntArray
    word_start: IntArray
    weight: FloatArray
    vectors: Float32Array | None
    numbers: sp.csr_array

    @property
    def n(self) -> int:
        """Texts."""
        return int(self.start.size - 1)

    @property
    def count(self) -> IntArray:
        """Sentences of each text, int64 (n,)."""
        return np.diff(self.start)

    @property
    def total(self) -> FloatArray:
        """Mass of each text, float64 (n,)."""
        sums = np.concatenate([[0.0], np.cumsum(self.mass)])
        out: FloatArray = sums[self.start[1:]] - sums[self.start[:-1]]
        return out

    @classmethod
    def of(cls, texts: Sequence[str], encode: Encode | None = None) -> Sentences:
        """Cut, weigh and (with ``encode``) embed. Time is linear in the characters, memory in the
        words and in sentences times dimensions."""
        forms = [folded(t) for t in texts]
        parts = [sentences_of(form) for form in forms]
        start = np.concatenate([[0], np.cumsum([len(p) for p in parts], dtype=np.int64)])
        flat = [s for p in parts for s in p]
        words, word_start, mass, weight = _weighed(flat, start)
        vectors = None
        if encode is not None:
            vectors = (np.round(encode(flat) * GRID) / GRID).astype(np.float32)
        return cls(
            start=start,
            mass=mass,
            words=words,
            word_start=word_start,
            weight=weight,
            vectors=vectors,
            numbers=_numbers(forms),
        )

    def some(self, texts: IntArray) -> Sentences:
        """The sentences of some texts, in their order, a text as often as it is named."""
        count = self.count[texts]
        sentence = _ranges(self.start[texts], count)
        n_words = np.diff(self.word_start)[sentence]
        return Sentences(
            start=np.concatenate([[0], np.cumsum(count)]),
            mass=self.mass[sentence],
            words=self.words[_ranges(self.word_start[sentence], n_words)],
            word_start=np.concatenate([[0], np.cumsum(n_words)]),
            weight=self.weight,
            vectors=None if self.vectors is None else self.vectors[sentence],
            numbers=self.numbers[texts],
        )


def _ranges(low: IntArray, size: IntArray) -> IntArray:
    """low, low + 1, ... of each, ``size`` numbers long, one after the other."""
    return np.repeat(low - (np.cumsum(size) - size), size) + np.arange(int(size.sum()))


def sentences_of(form: str) -> list[str]:
    """The sentences of one text that is in the form in which texts are compared."""
    return [s for s in _CUT.split(form) if s and _SAYS.search(s)][:MAX_SENTENCES]


def _weighed(flat: list[str], start: IntArray) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Distinct weighed words of each sentence, masses of sentences, weights of words."""
    n = start.size - 1
    hashes, of = words_in_order([_ENDING.sub(r"\1", s) for s in flat], form=str)
    known, word = np.unique(hashes, return_inverse=True)
    text = np.searchsorted(start, of, side="right") - 1
    in_texts = np.unique(text * max(known.size, 1) + word) % max(known.size, 1)
    weight = np.log((1.0 + n) / np.bincount(in_texts, minlength=known.size))
    weight[weight < LEAST_WEIGHT] = 0.0
    keys = np.unique(of * max(known.size, 1) + word)
    of, word = keys // max(known.size, 1), keys % max(known.size, 1)
    counts = weight[word] > 0.0
    of, word = of[counts], word[counts]
    mass = np.bincount(of, weights=weight[word], minlength=len(flat)).astype(np.float64)
    word_start = np.searchsorted(of, np.arange(len(flat) + 1)).astype(np.int64)
    return word, word_start, np.maximum(mass, LEAST_MASS), weight


def _numbers(forms: list[str]) -> sp.csr_array:
    known: dict[str, int] = {}
    column: list[int] = []
    size: list[int] = []
    for form in forms:
        found = _NUMBER.findall(_LISTED.sub("", form))
        column += [known.setdefault(number, len(known)) for number in found]
        size.append(len(found))
    row = np.repeat(np.arange(len(forms)), size)
    shape = (len(forms), max(len(known), 1))
    return sp.csr_array((np.ones(row.size), (row, np.array(column, np.int64))), shape=shape)
