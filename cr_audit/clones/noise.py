"""Copies that noise hides from the words: pairs of one group whose letters, order or parts agree.

The distance of ``shingles`` counts whole words and neighbours. A typo in every word, digits, spaces
or hyphens inside words, shuffled words, a fifth of the words replaced, or sentences put around a
copy leave little of those. Four more measures see them, each for what it is:

letters   r = share of letters in one order (Indel: 2 LCS / (m + n)), nothing but letters counted,
          in the first ``MAX_LETTERS``. Digits inside words are dropped, or read as letters
          (h3ll0): what agrees better. Answers that share words share letters too, so near is
          r >= 0.5 + 0.75 w, within [0.66, 0.92], w the larger of the Jaccard similarity of the
          words there, numbers aside, and of their share in one order: letters agree far more than
          the words that they spell. Not where the letters are not what tells the texts apart:
          where the words without digits are few (codes), and where the words are the same and
          the numbers that stand in place of others are many (tables).
order     Jaccard similarity of the words >= 0.8: the same ones in any order.
sequence  share of words in one order >= 0.78: every fifth replaced.
part      |A n B| / min(|A|, |B|) >= 0.92 over the shingles, or LCS / min(m, n) over the words: one
          text stands in the other, which is at most ``MAX_TIMES`` as long.
look      short texts that no reader can tell apart (``looks``).
written   the distance of the texts as they are written, all that a page does not show included,
          where one of two hides ``MIN_HIDDEN`` or more.

Each is brought to the scale of the distance: 0.4 at its threshold, 0.1 where all agrees. The
smallest counts, where the words alone do not call the two near. Two texts that are both near a
third one and share ``HUB_SHARE`` of its shingles, or most letters, are as near as the farther of
them is to it (``overlay``): noise falls on every copy anew, so that copies are less like each other
than like their original.

Candidates. In groups of at most ``ALL_PAIRS`` texts every pair is looked at. In larger ones every
text has three sketches: the smallest hashes of its triples of initials (typos
inside words leave them), of its pairs of words with sorted letters (swapped letters leave those)
and of its runs of five letters (spaces and marks leave those). Pairs that
share a sixth of a sketch are looked at, and pairs with the same words (prefix filter, exact). Where
that would take more than ``MAX_WORK`` steps the most frequent entries lead nowhere: under one
prompt with tens of thousands of answers the search is no longer complete.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel, LCSseq
from rapidfuzz.process import cpdist

from cr_audit import engine
from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.clones.grouped import pairs_of_one_group
from cr_audit.clones.looks import alike, look
from cr_audit.clones.pairs import MIN_SHINGLES, ROUNDING, TextIndex, text_pairs
from cr_audit.clones.rendered import rendered_with_hidden_share
from cr_audit.clones.shingles import (
    CharClasses,
    Shingles,
    UInt64Array,
    as_written,
    block_spans,
    folded,
    mixed,
    words_in_order,
)
from cr_audit.texts import some_of

Codes = NDArray[np.uint32]
Kinds = NDArray[np.uint8]
MIN_LETTERS, MAX_LETTERS = 40, 512
MIN_WORDS, MAX_WORDS = 16, 512
MIN_DIFFERENT = 8
LETTERS_FLOOR = 0.66
LETTERS_BASE, LETTERS_SLOPE = 0.5, 0.75
LETTERS_ENOUGH = 0.92
SAME_WORDS, SAME_SEQUENCE, PART = 0.8, 0.78, 0.92
MIN_PART, MAX_TIMES = 24, 5.0
HUB_SHARE = 0.45
MIN_HIDDEN = 0.02
MAX_WORK = 5e7
NEAR, CLOSEST = 0.4, 0.1
"""Where the thresholds of all measures fall on the distance, and full agreement."""
ALL_PAIRS = 12
"""Units of a group up to which all its pairs are looked at: about as long as their sketches take,
and none is missed."""
_SKETCH, _MIN_SHARED = 64, 3
_SHARED = (0.18, 0.18, 0.6, 0.18)
_GRAM, _INITIALS = 5, 3
_LEAST_SAME, _LEAST_PART = 0.4, 0.75
"""Of the words without their order: less than this, and the slower look at the order is spared."""
_SKETCHED = 2048
_LEET = str.maketrans("013457@$!|", "oieastasil")
_LEET_CODES = np.array([ord(c) for c in "013457@$!|"], np.uint32)
_LEET_TO = np.array([ord(c) for c in "oieastasil"], np.uint32)
_MIN_LEET = 3
MIN_KEPT = 0.25
"""Share of the different words that are still different without digits; below it they are codes."""
SAME_BUT_NUMBERS, MIN_NUMBERS, NUMBERS_SHARE, NUMBERS_BETWEEN = 0.8, 5, 0.25, 0.8
"""Words that agree so far, so many numbers in both texts, of this share of the words at least, and
at most this share of two neighbouring words with a number between them: then the numbers are what
the text says, and letters say nothing where fewer than half of them are shared. Numbers between
nearly all words are noise."""
_LETTER = re.compile(r"[^\W\d_]")
_LEET_SIGN = re.compile(r"[013457@$!|]")
_LEET_INSIDE = re.compile(r"[013457@$!|](?<=[^\W\d_].)(?=[^\W\d_])")
_NUMBER = re.compile(r"[0-9](?<![^\W_].)[0-9]*(?![^\W_])")
_FIGURE = re.compile(r"(?<![^\W_])[0-9]++(?:[.,][0-9]++)*+(?![^\W_])")
_BETWEEN = re.compile(r"[^\W\d_](?=[^\w]*(?<![^\W_])[0-9]+(?:[.,][0-9]+)*(?![^\W_])[^\w]*[^\W\d_])")
_TOKEN = re.compile(r"[^\W_]+")
_DIGIT_INSIDE = re.compile(r"[0-9](?<=[^\W\d_].)|[0-9](?=[^\W\d_])")
_NO_DIGITS = dict.fromkeys(map(ord, "0123456789"))
_ASCII_LETTERS = {c: None for c in range(128) if not chr(c).isalpha()}
_BLOCK_CANDIDATES, _VERIFIED_AT_ONCE = 2_000_000, 200_000
_OTHER, _GAP, _SPELLS = 0, 1, 2
_MULTIPLIERS: UInt64Array = np.random.default_rng(0xC0FFEE).integers(
    1, 2**63, 8, dtype=np.uint64
) | np.uint64(1)


def _class_of(code: int) -> int:
    category = unicodedata.category(chr(code))
    if category[0] == "L":
        return _SPELLS
    return _GAP if category[0] == "Z" or chr(code) in "\t\n\r\x0b\x0c\x85" else _OTHER


_CLASSES = CharClasses(_class_of)


@dataclass(frozen=True, slots=True, eq=False)
class NoisePairs:
    """Pairs first < second of units with a distance on the scale of ``shingles``, sorted by both.

    measure : int8 (k,), which of ``MEASURES`` gave the distance.
    """

    first: IntArray
    second: IntArray
    distance: FloatArray
    measure: IntArray

    @classmethod
    def joined(cls, parts: Sequence[NoisePairs]) -> NoisePairs:
        """The pairs of all parts, which have none in common."""
        none = np.empty(0, np.int64)
        first = np.concatenate([p.first for p in parts] or [none])
        second = np.concatenate([p.second for p in parts] or [none])
        order = np.lexsort((second, first))
        return cls(
            first[order],
            second[order],
            np.concatenate([p.distance for p in parts] or [np.empty(0)])[order],
            np.concatenate([p.measure for p in parts] or [none])[order],
        )


MEASURES = ("letters", "order", "sequence", "part", "look", "written")


class _Texts:
    """What the measures need of the texts, made for those that have a candidate."""

    def __init__(self, forms: Sequence[str], shingles: Shingles, rows: IntArray) -> None:
        some = [forms[i] for i in rows.tolist()]
        self.index = TextIndex(shingles.some(rows))
        hashes, text = words_in_order(some, form=str)
        self.words = TextIndex(Shingles.of_hashes(hashes, text, rows.size))
        self.sequence = _as_letters(hashes, text, rows.size)
        self.n_words = np.array([len(s) for s in self.sequence])
        heads = [f[: 2 * MAX_LETTERS] for f in some]
        self.letters = [_letters(h) for h in heads]
        self.leet = [_leet_letters(h, t) for h, t in zip(heads, self.letters, strict=True)]
        plain = [_NUMBER.sub(" ", h) for h in heads]
        hashes, text = words_in_order(plain, form=str)
        self.head_words = TextIndex(Shingles.of_hashes(hashes, text, rows.size))
        self.head_sequence = _as_letters(hashes, text, rows.size)
        n = np.array([max(len(s), len(t)) for s, t in zip(self.letters, self.leet, strict=True)])
        digits = np.array([sum(map(h.count, "0123456789")) for h in heads])
        self.spelled = (n >= MIN_LETTERS) & (n >= digits)
        for i in np.flatnonzero(self.spelled & (digits >= MIN_DIFFERENT)).tolist():
            self.spelled[i] = not _codes(heads[i])
        self.heads = heads


def _codes(head: str) -> bool:
    """Whether few of the words stay different without the digits inside them."""
    if len(_DIGIT_INSIDE.findall(head)) < MIN_DIFFERENT:
        return False
    bare = len(set(_TOKEN.findall(head.translate(_NO_DIGITS))))
    return bare < MIN_KEPT * len(set(_TOKEN.findall(_FIGURE.sub(" ", head))))


@dataclass(frozen=True, slots=True)
class _Figures:
    """The numbers of a text's head that stand alone. stated : they may be what the text says."""

    counts: Counter[str]
    stated: bool

    @classmethod
    def of(cls, head: str) -> _Figures:
        counts = Counter(_FIGURE.findall(head))
        n = counts.total()
        if n < MIN_NUMBERS:
            return cls(counts, False)
        n_words = len(_TOKEN.findall(_FIGURE.sub(" ", head)))
        few = len(_BETWEEN.findall(head)) <= NUMBERS_BETWEEN * (n_words - 1)
        return cls(counts, n >= NUMBERS_SHARE * n_words and few)

    def differ(self, other: _Figures) -> bool:
        """Both are stated, and of the fewer less than half are the other's too."""
        if not (self.stated and other.stated):
            return False
        fewer = min(self.counts.total(), other.counts.total())
        return (self.counts & other.counts).total() < 0.5 * fewer


def _letters(head: str) -> str:
    if head.isascii():
        return head.translate(_ASCII_LETTERS)[:MAX_LETTERS]
    return "".join(filter(str.isalpha, head))[:MAX_LETTERS]


def _read_as_letters(head: str) -> str:
    """Digits and signs read as letters, in words that hold a letter as well."""
    return " ".join(w.translate(_LEET) if _LETTER.search(w) else w for w in head.split())


def _leet_letters(head: str, letters: str) -> str:
    """The letters with digits inside words read as some; ``letters`` where there are few."""
    # The simple search spares most texts the one that looks around each sign.
    if _LEET_SIGN.search(head) is None or len(_LEET_INSIDE.findall(head)) < _MIN_LEET:
        return letters
    return _letters(_read_as_letters(head))


def _as_letters(hashes: UInt64Array, text: IntArray, n: int) -> list[str]:
    """Each text's words in order, a character a word (of a million: two seldom meet)."""
    codes = (hashes % np.uint64(0xF0000)).astype("<u4") + np.uint32(0x10000)
    ends = np.searchsorted(text, np.arange(n + 1))
    spans = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    return [codes[a : min(b, a + MAX_WORDS)].tobytes().decode("utf-32-le") for a, b in spans]


def measured(
    seen: Sequence[str], shingles: Shingles, first: IntArray, second: IntArray
) -> tuple[FloatArray, IntArray]:
    """The smallest distance by the first four measures, float64 (k,), and which gave it.

    seen : texts in ``folded`` form; shingles : their sets. inf where no measure says anything.
    """
    if first.size == 0:
        return np.empty(0), np.empty(0, np.int64)
    rows = np.unique(np.concatenate([first, second]))
    made = _Texts(seen, shingles, rows)
    a, b = np.searchsorted(rows, first), np.searchsorted(rows, second)
    all_of = (_by_letters, _by_order, _by_sequence, _by_part)
    distances = np.full((len(all_of), a.size), np.inf)
    for lo in range(0, a.size, _VERIFIED_AT_ONCE):
        here = slice(lo, lo + _VERIFIED_AT_ONCE)
        same = 1.0 - made.words.distances(a[here], b[here])
        for row, measure in zip(distances, all_of, strict=True):
            row[here] = measure(made, a[here], b[here], same)
    comparable = made.index.comparable[a] & made.index.comparable[b]
    comparable |= made.spelled[a] & made.spelled[b]
    distances[:, ~comparable] = np.inf
    best = np.argmin(distances, axis=0)
    return distances[best, np.arange(a.size)], best


def _scaled(similarity: FloatArray, threshold: FloatArray | float) -> FloatArray:
    """NEAR at the threshold, CLOSEST where all agrees, inf below the threshold."""
    d = CLOSEST + (NEAR - CLOSEST) * (1.0 - similarity) / (1.0 - threshold)
    out: FloatArray = np.where(similarity >= threshold - 1e-12, d, np.inf)
    return out


def _ratio(
    one: list[str],
    two: list[str],
    a: IntArray,
    b: IntArray,
    least: float,
    scorer: Callable[..., float] = Indel.normalized_similarity,
) -> FloatArray:
    """Similarity of pairs of strings, 0 below ``least``."""
    if a.size == 0:
        return np.empty(0)
    out: FloatArray = cpdist(
        [one[i] for i in a.tolist()],
        [two[i] for i in b.tolist()],
        scorer=scorer,
        score_cutoff=least,
        dtype=np.float64,
        workers=1,
    )
    return out


def _agreement(letters: list[str], leet: list[str], a: IntArray, b: IntArray) -> FloatArray:
    """The share of letters in one order, 0 below ``LETTERS_FLOOR``; digits dropped, or read as
    letters: what agrees better."""
    r = _ratio(letters, letters, a, b, LETTERS_FLOOR)
    with_leet = np.array([x is not y and x != y for x, y in zip(letters, leet, strict=True)])
    at = np.flatnonzero(with_leet[a] | with_leet[b])
    if at.size:
        r[at] = np.maximum(r[at], _ratio(leet, leet, a[at], b[at], LETTERS_FLOOR))
    return r


def _by_letters(t: _Texts, a: IntArray, b: IntArray, same: FloatArray) -> FloatArray:
    r = _agreement(t.letters, t.leet, a, b)
    out = np.full(a.size, np.inf)
    at = np.flatnonzero((r >= LETTERS_FLOOR) & t.spelled[a] & t.spelled[b])
    a, b, r = a[at], b[at], r[at]
    in_order = _ratio(t.head_sequence, t.head_sequence, a, b, 0.0)
    alike = np.maximum(1.0 - t.head_words.distances(a, b), in_order)
    least = np.clip(LETTERS_BASE + LETTERS_SLOPE * alike, LETTERS_FLOOR, LETTERS_ENOUGH)
    out[at] = np.where(r >= least, _scaled(r, least), np.inf)
    figures: dict[int, _Figures] = {}
    for k in np.flatnonzero((r >= least) & (alike >= SAME_BUT_NUMBERS)).tolist():
        for i in (int(a[k]), int(b[k])):
            if i not in figures:
                figures[i] = _Figures.of(t.heads[i])
        if figures[int(a[k])].differ(figures[int(b[k])]):
            out[at[k]] = np.inf
    return out


def _by_order(t: _Texts, a: IntArray, b: IntArray, same: FloatArray) -> FloatArray:
    out = _scaled(same, SAME_WORDS)
    out[np.minimum(t.words.sizes[a], t.words.sizes[b]) < MIN_DIFFERENT] = np.inf
    return out


def _by_sequence(t: _Texts, a: IntArray, b: IntArray, same: FloatArray) -> FloatArray:
    out = np.full(a.size, np.inf)
    short = np.minimum(t.n_words[a], t.n_words[b])
    at = np.flatnonzero((short >= MIN_WORDS) & (same >= _LEAST_SAME))
    r = _ratio(t.sequence, t.sequence, a[at], b[at], SAME_SEQUENCE)
    out[at] = _scaled(r, SAME_SEQUENCE)
    return out


def _share_of_smaller(index: TextIndex, a: IntArray, b: IntArray) -> FloatArray:
    """|A n B| / min(|A|, |B|), 0 where the smaller is too small, or the larger too large."""
    size_a, size_b = index.sizes[a], index.sizes[b]
    small, large = np.minimum(size_a, size_b), np.maximum(size_a, size_b)
    j = 1.0 - index.distances(a, b)
    share: FloatArray = j * (size_a + size_b) / (1.0 + j) / np.maximum(small, 1)
    share[(small < MIN_PART) | (large > MAX_TIMES * small)] = 0.0
    return share


def _by_part(t: _Texts, a: IntArray, b: IntArray, same: FloatArray) -> FloatArray:
    share = _share_of_smaller(t.index, a, b)
    short, long = np.minimum(t.n_words[a], t.n_words[b]), np.maximum(t.n_words[a], t.n_words[b])
    kinds_a, kinds_b = t.words.sizes[a], t.words.sizes[b]
    in_both = same * (kinds_a + kinds_b) / (1.0 + same)
    at = np.flatnonzero(
        (short >= MIN_WORDS)
        & (long <= MAX_TIMES * short)
        & (in_both >= _LEAST_PART * np.minimum(kinds_a, kinds_b))
    )
    common = _ratio(t.sequence, t.sequence, a[at], b[at], 0.0, LCSseq.similarity)
    share[at] = np.maximum(share[at], common / short[at])
    return _scaled(share, PART)


def sketches(forms: Sequence[str]) -> tuple[Shingles, ...]:
    """Of folded texts: the ``_SKETCH`` smallest hashes of each text's triples of initials, of its
    pairs of words with the letters of each in any order, of such words alone, and of its runs of
    five letters; where digits stand inside words, of what they spell as letters too."""

    def work(part: slice) -> list[tuple[UInt64Array, IntArray]]:
        block = [form[:_SKETCHED] for form in forms[part]]
        codes = np.frombuffer("\n".join(block).encode("utf-32-le", "surrogatepass"), "<u4")
        lengths = np.fromiter((len(t) + 1 for t in block), np.int64, len(block))
        text = np.repeat(np.arange(len(block)), lengths)[: codes.size]
        kind = _CLASSES(codes)
        parts = [_features(*reading, text) for reading in _readings(codes, kind, text)]
        kept = []
        for runs in zip(*parts, strict=True):
            hashes = np.concatenate([h for h, _ in runs])
            whose = np.concatenate([t for _, t in runs])
            hashes, whose = _smallest(hashes, whose, len(block))
            kept.append((hashes, whose + part.start))
        return kept

    made = list(engine.map(work, block_spans(forms, _SKETCHED), local=True))
    found = list(zip(*made, strict=True)) or [()] * len(_SHARED)
    n, empty = len(forms), (np.empty(0, np.uint64), np.empty(0, np.int64))
    return tuple(
        Shingles.of_hashes(
            np.concatenate([h for h, _ in [*kept, empty]]),
            np.concatenate([t for _, t in [*kept, empty]]),
            n,
        )
        for kept in found
    )


def _readings(codes: Codes, kind: Kinds, text: IntArray) -> list[tuple[Codes, Kinds]]:
    """The characters as they stand; and, in texts with digits inside words, digits as letters."""
    letter = kind == _SPELLS
    inside = np.zeros(codes.size, bool)
    inside[1:-1] = letter[:-2] & letter[2:]
    digit = np.isin(codes, _LEET_CODES)
    n = np.bincount(text[inside & digit], minlength=int(text[-1]) + 1 if text.size else 1)
    readings = [(codes, kind)]
    if (n >= _MIN_LEET).any():
        order = np.argsort(_LEET_CODES)
        read = codes.copy()
        at = np.flatnonzero(digit)
        read[at] = _LEET_TO[order[np.searchsorted(_LEET_CODES[order], codes[at])]]
        kinds = np.where(n[text] >= _MIN_LEET, np.where(digit, _SPELLS, kind), _OTHER)
        readings.append((read, kinds))
    return readings


def _features(
    codes: Codes, kind: Kinds, text: IntArray
) -> tuple[tuple[UInt64Array, IntArray], ...]:
    at = np.flatnonzero(kind == _SPELLS)
    chars, text = codes[at].astype(np.uint64) + np.uint64(1), text[at]
    spaces = np.cumsum(kind == _GAP)[at]
    starts = np.ones(at.size, bool)
    starts[1:] = (spaces[1:] != spaces[:-1]) | (text[1:] != text[:-1])
    begins = np.flatnonzero(starts)
    bags = np.add.reduceat(mixed(chars.copy()), begins) if begins.size else chars
    return (
        _runs(chars[begins], text[begins], _INITIALS),
        _runs(bags, text[begins], 2),
        _runs(bags, text[begins], 1),
        _runs(chars, text, _GRAM),
    )


def _runs(chars: UInt64Array, text: IntArray, length: int) -> tuple[UInt64Array, IntArray]:
    """Hash of every run of so many of these within a text."""
    if chars.size < length:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    n = chars.size - length + 1
    value = np.zeros(n, np.uint64)
    for k in range(length):
        value += chars[k : k + n] * _MULTIPLIERS[k]
    whole = text[:n] == text[length - 1 :]
    return mixed(value[whole]), text[:n][whole]


def _smallest(hashes: UInt64Array, text: IntArray, n: int) -> tuple[UInt64Array, IntArray]:
    """Of each of n texts the ``_SKETCH`` smallest different hashes."""
    # Of a text with many only the lower part is sorted, three times what is kept.
    part = np.minimum(3.0 * _SKETCH / np.maximum(np.bincount(text, minlength=n), 1), 1.0)
    low = hashes <= (part * (2.0**64 - 2.0**12)).astype(np.uint64)[text]
    hashes, text = hashes[low], text[low]
    entries = (text.astype(np.uint64) << np.uint64(40)) | (hashes >> np.uint64(24))
    entries.sort()
    entries = entries[np.append(True, entries[1:] != entries[:-1])[: entries.size]]
    text = (entries >> np.uint64(40)).astype(np.int64)
    rank = np.arange(text.size) - np.searchsorted(text, np.arange(n))[text]
    kept = rank < _SKETCH
    return mixed(entries[kept] & np.uint64(2**40 - 1)), text[kept]


def _sharing(sets: Shingles, share: float) -> tuple[IntArray, IntArray]:
    """Pairs first < second that share so much of the smaller sketch."""
    index = sets.matrix()
    frequency = np.bincount(index.indices, minlength=index.shape[1]).astype(np.float64)
    order = np.argsort(frequency, kind="stable")
    over = np.cumsum(frequency[order] ** 2) > MAX_WORK
    if over.any():
        # All of one frequency stay or go together, so that no order among them matters.
        limit = frequency[order[np.argmax(over)]]
        index.data[(frequency >= limit)[index.indices]] = 0.0
        index.eliminate_zeros()
        frequency[frequency >= limit] = 0.0
    columns = index.T.tocsr()
    work = np.concatenate([[0], np.cumsum(index @ frequency)])
    n, lo = index.shape[0], 0
    found: list[tuple[IntArray, IntArray]] = []
    least = np.maximum(_MIN_SHARED, np.ceil(share * sets.sizes))
    while lo < n:
        hi = int(np.searchsorted(work, work[lo] + _BLOCK_CANDIDATES, side="right")) - 1
        hi = min(max(hi, lo + 1), n)
        shared = (index[lo:hi] @ columns).tocoo()
        a, b = shared.coords[0].astype(np.int64) + lo, shared.coords[1].astype(np.int64)
        keep = (a < b) & (shared.data >= np.minimum(least[a], least[b]))
        found.append((a[keep], b[keep]))
        lo = hi
    empty = np.empty(0, np.int64)
    return (
        np.concatenate([f[0] for f in found] or [empty]),
        np.concatenate([f[1] for f in found] or [empty]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """Distinct canonical texts and how they are compared. folded : as a reader sees them, without
    case; shingles : their sets; hidden : float64 (n,), see ``rendered.hidden_share``."""

    texts: Sequence[str]
    folded: list[str]
    shingles: Shingles
    hidden: FloatArray

    @classmethod
    def of(cls, texts: Sequence[str], shingles: Shingles | None = None) -> Forms:
        """shingles : where they are known already."""
        seen, hidden = rendered_with_hidden_share(texts)
        forms = [t.casefold() for t in seen]
        return cls(texts, forms, shingles or Shingles.of(forms, form=str), hidden)

    def with_sets(self, shingles: Shingles) -> Forms:
        """The same texts with other numbers for their shingles."""
        return Forms(self.texts, self.folded, shingles, self.hidden)


def noise_pairs(
    forms: Forms,
    text: IntArray,
    group: IntArray,
    active: BoolArray,
    index: TextIndex | None = None,
) -> NoisePairs:
    """Pairs of units of one group that one of the measures calls near.

    text, group : int64 (units,), of each unit (a distinct text in a group). active : bool (units,),
    which are searched. index : of all texts, where there is one. Memory is linear in the sketches
    and in the candidates. Distances are at most NEAR.
    """
    size = np.append(np.bincount(group[active] + 1, minlength=1), 0)
    size = size[np.minimum(group + 1, size.size - 1)]
    units = np.flatnonzero(active & (size > 1))
    text, salt, n = text[units], group[units] + 1, units.size
    few = size[units] <= ALL_PAIRS
    keys = [
        _all_of_small_groups(forms, text, salt, few, index),
        _sharing_a_sketch(forms, text, salt, few),
    ]
    key = np.sort(np.concatenate(keys))  # a pair is in one group, so in one of them
    first, second = key // max(n, 1), key % max(n, 1)
    used, place = np.unique(text[np.concatenate([first, second])], return_inverse=True)
    seen = [forms.folded[i] for i in used.tolist()]
    distance, measure = measured(
        seen, forms.shingles.some(used), place[: first.size], place[first.size :]
    )
    for name, by in (("look", _by_look), ("written", _by_writing)):
        a, b, d = by(forms, text, salt)
        first, second = np.concatenate([first, a]), np.concatenate([second, b])
        distance = np.concatenate([distance, d])
        measure = np.concatenate([measure, np.full(d.size, MEASURES.index(name))])
    near = distance <= NEAR + ROUNDING
    return _nearest(units, first[near], second[near], distance[near], measure[near])


def _sharing_a_sketch(
    forms: Forms, text: IntArray, salt: IntArray, left_out: BoolArray
) -> IntArray:
    """Keys first * n + second of the pairs of large groups that share enough of a sketch."""
    at = np.flatnonzero(~left_out)
    if not at.size:
        return np.empty(0, np.int64)
    used, place = np.unique(text[at], return_inverse=True)
    keys: list[IntArray] = []
    for sets, share in zip(
        sketches([forms.folded[i] for i in used.tolist()]), _SHARED, strict=True
    ):
        a, b = _sharing(sets.within(place, salt[at]), share)
        keys.append(at[a] * text.size + at[b])
    return np.unique(np.concatenate(keys))


def _all_of_small_groups(
    forms: Forms, text: IntArray, salt: IntArray, few: BoolArray, index: TextIndex | None
) -> IntArray:
    """Keys of those pairs of small groups that a measure might call near: each of them needs so
    many letters in order, or so many of the words or shingles, at least."""
    at = np.flatnonzero(few)
    a, b = pairs_of_one_group(salt[at])
    if not a.size:
        return np.empty(0, np.int64)
    used, place = np.unique(text[at], return_inverse=True)
    heads = [forms.folded[i][: 2 * MAX_LETTERS] for i in used.tolist()]
    sets = forms.shingles.some(used)
    words = TextIndex(sets.words())
    own, mine = (TextIndex(sets), place) if index is None else (index, text[at])
    del sets
    letters = [_letters(h) for h in heads]
    leet = [_leet_letters(h, t) for h, t in zip(heads, letters, strict=True)]
    keys: list[IntArray] = []
    for lo in range(0, a.size, _VERIFIED_AT_ONCE):
        one, two = a[lo : lo + _VERIFIED_AT_ONCE], b[lo : lo + _VERIFIED_AT_ONCE]
        x, y = place[one], place[two]
        same = 1.0 - words.distances(x, y)
        in_both = same * (words.sizes[x] + words.sizes[y]) / (1.0 + same)
        may = same >= min(_LEAST_SAME, SAME_WORDS)
        may |= in_both >= _LEAST_PART * np.minimum(words.sizes[x], words.sizes[y])
        may |= _share_of_smaller(own, mine[one], mine[two]) >= PART
        rest = np.flatnonzero(~may)
        x, y = x[rest], y[rest]
        r = _agreement(letters, leet, x, y)
        may[rest] = r >= LETTERS_FLOOR
        keys.append(at[one[may]] * text.size + at[two[may]])
    return np.concatenate(keys)


def _nearest(
    units: IntArray, first: IntArray, second: IntArray, distance: FloatArray, measure: IntArray
) -> NoisePairs:
    """Each pair once, with its smallest distance; numbered as ``units`` are."""
    order = np.lexsort((measure, distance, second, first))
    key = (first * units.size + second)[order]
    once = np.ones(key.size, bool)
    once[1:] = key[1:] != key[:-1]
    order = order[once]
    return NoisePairs(units[first[order]], units[second[order]], distance[order], measure[order])


def _by_look(
    forms: Forms, text: IntArray, group: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs of texts too short to be compared by words, that look the same."""
    short = np.flatnonzero(forms.shingles.sizes[text] < MIN_SHINGLES)
    used, place = np.unique(text[short], return_inverse=True)
    a, b = alike([forms.texts[i] for i in used.tolist()], place, group[short])
    return short[a], short[b], np.full(a.size, CLOSEST)


def _by_writing(
    forms: Forms, text: IntArray, group: IntArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs that are near as they are written, in groups where a text hides something."""
    hides = forms.hidden[text] >= MIN_HIDDEN
    some = np.flatnonzero(np.isin(group, np.unique(group[hides])))
    if not some.size:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    used, place = np.unique(text[some], return_inverse=True)
    written = Shingles.of([forms.texts[i] for i in used.tolist()], form=as_written)
    pairs = text_pairs(TextIndex(written.within(place, group[some])), NEAR)
    a, b = some[pairs.first], some[pairs.second]
    keep = hides[a] | hides[b]
    return a[keep], b[keep], np.maximum(pairs.distance[keep], CLOSEST)


def letters_agree(texts: Sequence[str], first: IntArray, second: IntArray) -> FloatArray:
    """The share r of letters in one order, float64 (k,), as the first measure counts it."""
    rows = np.unique(np.concatenate([first, second]))
    letters = [_letters(folded(t)[: 2 * MAX_LETTERS]) for t in some_of(texts, rows)]
    a, b = np.searchsorted(rows, first), np.searchsorted(rows, second)
    return _ratio(letters, letters, a, b, 0.0)


def pair_distances(texts: Sequence[str], first: IntArray, second: IntArray) -> FloatArray:
    """The distance of each pair by which the clone test goes, hubs aside: of words, or of a noise
    measure that calls near what words do not. float64 (k,); 1 for texts too short to compare."""
    forms = Forms.of(texts)
    out = _by_sets(forms.shingles, first, second)
    noise, _ = measured(forms.folded, forms.shingles, first, second)
    hides = forms.hidden >= MIN_HIDDEN
    at = np.flatnonzero(hides[first] | hides[second])
    written = Shingles.of(texts, form=as_written)
    noise[at] = np.minimum(noise[at], _by_sets(written, first[at], second[at]))
    short = forms.shingles.sizes < MIN_SHINGLES
    for k in np.flatnonzero(short[first] & short[second]).tolist():
        if look(texts[first[k]]) == look(texts[second[k]]):
            noise[k] = CLOSEST
    take = (out > NEAR + ROUNDING) & (noise <= NEAR + ROUNDING)
    out[take] = noise[take]
    return out


def _by_sets(sets: Shingles, first: IntArray, second: IntArray) -> FloatArray:
    index = TextIndex(sets)
    d = index.distances(first, second)
    d[~(index.comparable[first] & index.comparable[second])] = 1.0
    return d
