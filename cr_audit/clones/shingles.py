"""Texts as sets of words and word pairs, and the Jaccard distance between such sets.

    d(a, b) = 1 - |A n B| / |A u B|,    A, B = the sets of words and of adjacent word pairs

It lies in [0, 1], it is a metric (Jaccard distance of finite sets), and it depends on the two texts
alone: adding rows to a data set changes no distance. d = 0 means the same words in the same
neighbourhoods: texts that differ only in case, punctuation, white space or markdown marks.

Texts are compared as a reader sees them (``clones.rendered``), case-folded. A maximal run
of letters, digits and combining marks is a word. Characters of scripts written without spaces (Han,
kana, Thai, Lao, Khmer, Burmese, Tibetan) and symbols that carry meaning (mathematical, currency,
emoji; not the marks ``| ~ < >`` of markdown and HTML) are words of one character. Everything else
separates. A text without any word (``"?!"``) is taken as the set of its visible characters.

Sets are kept as 64-bit hashes shortened to 64 - ceil(log2 n) bits for n texts, of which one tells
words from pairs; among 10^8 distinct shingles of 10^6 texts about 600 collide, each adding at most
one false shared shingle to a pair.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cr_audit import engine
from cr_audit.arrays import FloatArray, IntArray
from cr_audit.clones.rendered import rendered

UInt64Array = NDArray[np.uint64]
Int32Array = NDArray[np.int32]

_SEPARATOR, _WORD, _SINGLE, _VISIBLE = 0, 1, 2, 3
_BLOCK_CHARS = 1 << 17  # its arrays fit into a processor's cache: twice as fast as 2^20
_BLOCK_ENTRIES = 1 << 21
_PERIOD = 1 << 10
_IS_PAIR = np.uint64(1 << 63)
_MULTIPLIERS: UInt64Array = np.random.default_rng(0x5EED).integers(
    1, 2**63, _PERIOD, dtype=np.uint64
) | np.uint64(1)
# Scripts without spaces between words: one character is one word.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x0F00, 0x0FFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_MARKUP = frozenset("|~<>")


def mixed(x: UInt64Array) -> UInt64Array:
    """A bijection of 64-bit words that spreads every bit (finaliser of SplitMix64, in place)."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def _class_of(code: int) -> int:
    char = chr(code)
    category = unicodedata.category(char)
    if any(low <= code <= high for low, high in _UNSPACED) and category[0] in "LNM":
        return _SINGLE
    if category[0] in "LNM":
        return _WORD
    if category in ("Sm", "Sc", "So") and char not in _MARKUP:
        return _SINGLE
    return _SEPARATOR if category[0] in "ZC" else _VISIBLE


class CharClasses:
    """Code point -> class (below 255), filled in as code points are met."""

    def __init__(self, class_of: Callable[[int], int] = _class_of) -> None:
        self.table = np.full(0x110000, 255, np.uint8)
        self._class_of = class_of

    def __call__(self, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
        out: NDArray[np.uint8] = self.table[codes]
        unknown = np.unique(codes[out == 255])
        if unknown.size:
            self.table[unknown] = [self._class_of(int(c)) for c in unknown]
            out = self.table[codes]
        return out


_CLASSES = CharClasses()


def folded(text: str) -> str:
    """What is compared: the text as a reader sees it, without case."""
    return rendered(text).casefold()


def as_written(text: str) -> str:
    """The text with all that a page does not show, in NFKC, without case."""
    return text.casefold() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def block_spans(texts: Sequence[str], most: int | None = None) -> list[slice]:
    """Consecutive texts of about ``_BLOCK_CHARS`` characters together. most : of a text at most so
    many count."""
    out, first, size = list[slice](), 0, 0
    for i, text in enumerate(texts):
        size += len(text) if most is None else min(len(text), most)
        if size >= _BLOCK_CHARS:
            out.append(slice(first, i + 1))
            first, size = i + 1, 0
    if first < len(texts):
        out.append(slice(first, len(texts)))
    return out


def _words(
    block: list[str], classes: CharClasses, *, visible: bool = False
) -> tuple[UInt64Array, IntArray]:
    """Hash of every word in order, and which text of the block it stands in.

    A word's hash is a sum of its code points times fixed random odd numbers, one per position
    (multilinear hashing), then mixed. ``visible``: every visible character is a word.
    """
    joined = "\n".join(block).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(joined, "<u4")
    kind = classes(codes)
    run = kind == _WORD
    single = kind == _SINGLE
    if visible:
        run, single = np.zeros_like(run), kind != _SEPARATOR
    start = run.copy()
    start[1:] &= ~run[:-1]
    start |= single
    begins = np.flatnonzero(start)
    if not begins.size:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    index = np.arange(codes.size, dtype=np.int32)
    position = index - np.maximum.accumulate(np.where(start, index, 0))
    value = codes.astype(np.uint64) + np.uint64(1)
    value *= _MULTIPLIERS[position & (_PERIOD - 1)]
    value[~(run | single)] = 0
    hashes: UInt64Array = mixed(np.add.reduceat(value, begins))
    lengths = np.fromiter((len(t) + 1 for t in block), np.int64, len(block))
    before = np.searchsorted(begins, np.cumsum(lengths))  # words up to the end of each text
    return hashes, np.repeat(np.arange(len(block)), np.diff(before, prepend=0))


def _with_pairs(hashes: UInt64Array, text: IntArray) -> tuple[UInt64Array, IntArray]:
    """Words, then pairs of adjacent ones; the first bit tells which."""
    together = text[1:] == text[:-1]
    pairs = hashes[:-1] * np.uint64(0x9E3779B97F4A7C15) + (
        hashes[1:] ^ np.uint64(0xD6E8FEB86659FD93)
    )
    return (
        np.concatenate([hashes & ~_IS_PAIR, mixed(pairs[together]) | _IS_PAIR]),
        np.concatenate([text, text[1:][together]]),
    )


def _alone(hashes: UInt64Array, text: IntArray) -> tuple[UInt64Array, IntArray]:
    return hashes, text


def words_in_order(
    texts: Sequence[str], form: Callable[[str], str] = folded
) -> tuple[UInt64Array, IntArray]:
    """Hash of every word of every text, and which text it stands in, ascending."""
    classes = _CLASSES
    found = [
        (part.start, *_words([form(t) for t in texts[part]], classes))
        for part in block_spans(texts)
    ]
    return (
        np.concatenate([h for _, h, _ in found] or [np.empty(0, np.uint64)]),
        np.concatenate([t + first for first, _, t in found] or [np.empty(0, np.int64)]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Shingles:
    """The sets of ``n`` texts, as sorted unique (hash, text) entries: an inverted index.

    keys : uint64 (k,), shortened hashes, ascending; texts : int32 (k,), ascending within a key.
    sizes : int64 (n,), |A| of each text (0 for an empty one). bits : by which the hashes were
    shortened; of some texts of a larger collection, by that one's number of texts.
    """

    keys: UInt64Array
    texts: Int32Array
    sizes: IntArray
    bits: int

    @property
    def n(self) -> int:
        """Texts."""
        return int(self.sizes.shape[0])

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        *,
        form: Callable[[str], str] = folded,
        pairs: bool = True,
    ) -> Shingles:
        """Time is linear in the characters (about 16 MB/s on one core), memory in the entries.

        form : what of a text is compared; pairs : adjacent word pairs beside the words.
        """
        n = len(texts)
        bits = text_bits(n)
        classes = _CLASSES
        packed: list[UInt64Array] = []
        wordless: list[int] = []
        join = _with_pairs if pairs else _alone

        def work(part: slice) -> tuple[UInt64Array, list[int]]:
            block = [form(t) for t in texts[part]]
            hashes, text = _words(block, classes)
            has_word = np.zeros(len(block), bool)
            has_word[text] = True
            bare = [part.start + int(i) for i in np.flatnonzero(~has_word) if block[i]]
            return _packed(*join(hashes, text), part.start, bits), bare

        blocks = block_spans(texts)
        made = engine.map(work, blocks, local=True)
        sizes = [part.stop - part.start for part in blocks]
        for entries, bare in engine.told("words of texts", made, sizes):
            packed.append(entries)
            wordless += bare
        if wordless:
            hashes, text = _words([form(texts[i]) for i in wordless], classes, visible=True)
            if hashes.size:
                hashes, text = join(hashes, text)
                packed.append(_packed(hashes, np.asarray(wordless)[text], 0, bits))
        entries = _emptied(packed)
        entries.sort()
        return cls._of_packed(entries, n)

    @classmethod
    def of_hashes(cls, hashes: UInt64Array, texts: IntArray, n: int) -> Shingles:
        """Sets of anything that has a well mixed hash: uint64 (k,), int64 (k,) in [0, n)."""
        return cls._of_packed(_packed(hashes, texts, 0, text_bits(n)), n)

    @classmethod
    def _of_packed(cls, entries: UInt64Array, n: int) -> Shingles:
        bits = text_bits(n)
        rows = rows_of(entries, bits)
        sizes = np.bincount(rows, minlength=n).astype(np.int64)
        entries >>= bits  # the caller's own array
        return cls(keys=entries, texts=rows, sizes=sizes, bits=int(bits))

    def within(self, texts: IntArray, groups: IntArray) -> Shingles:
        """The same sets for units (text, group), where units of two groups share nothing.

        texts : int64 (m,), which text each unit has; groups : int64 (m,) of the units.
        """
        order = np.argsort(texts, kind="stable")
        first = np.searchsorted(texts[order], np.arange(self.n + 1))
        carried = np.diff(first)
        salt = mixed((groups + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        bits = text_bits(texts.size)
        mask = (np.uint64(1) << bits) - np.uint64(1)
        entries = np.empty(int((carried * self.sizes).sum()), np.uint64)
        at = 0
        for lo in range(0, self.texts.size, _BLOCK_ENTRIES):
            text, keys = self.texts[lo : lo + _BLOCK_ENTRIES], self.keys[lo : lo + _BLOCK_ENTRIES]
            copies = carried[text]
            entry = np.repeat(np.arange(text.size), copies)
            offset = np.arange(entry.size) - np.repeat(np.cumsum(copies) - copies, copies)
            unit = order[first[text[entry]] + offset]
            here = mixed(keys[entry] + salt[unit])
            entries[at : at + unit.size] = (here & ~mask) | unit.astype(np.uint64)
            at += unit.size
        entries = _sorted_once(entries)
        rows = rows_of(entries, bits)
        entries >>= bits
        return Shingles(keys=entries, texts=rows, sizes=self.sizes[texts], bits=int(bits))

    def entries_among(self, places: IntArray, bits: np.uint64) -> UInt64Array:
        """Every entry as one of a larger collection packs it, ascending. places : int64 (n,),
        ascending, the texts' numbers there; bits : ``text_bits`` of that collection."""
        own = text_bits(self.n)
        entries = self.keys << own
        entries &= ~((np.uint64(1) << bits) - np.uint64(1))
        entries |= places.astype(np.uint64)[self.texts]
        return _sorted_once(entries)

    @classmethod
    def of_entries(cls, entries: UInt64Array, places: IntArray, bits: np.uint64) -> Shingles:
        """The sets that ``entries_among`` gave, as the larger collection shortens their hashes."""
        place = np.zeros(int(places.max(initial=-1)) + 1, np.int32)
        place[places] = np.arange(places.size)
        rows: Int32Array = place[rows_of(entries, bits)]
        sizes = np.bincount(rows, minlength=places.size).astype(np.int64)
        return cls(keys=entries >> bits, texts=rows, sizes=sizes, bits=int(bits))

    def packed(self) -> UInt64Array:
        """Every entry in one word, ascending: the shortened hash, then the text."""
        bits = text_bits(self.n)
        out: UInt64Array = (self.keys << bits) | self.texts.astype(np.uint64)
        return out

    @classmethod
    def grown(
        cls, packed: UInt64Array, places: IntArray, added: Shingles, at: IntArray
    ) -> Shingles:
        """What ``of`` gives for all texts, from the ``packed`` sets of some and the sets ``added``
        of the others. places, at : int64, ascending, where the ones and the others stand."""
        n = places.size + at.size
        bits = text_bits(n)
        parts = []
        for entries, here in ((packed, places), (added.packed(), at)):
            own = text_bits(here.size)
            whose = here[rows_of(entries, own)]
            parts.append((entries >> bits << bits) | whose.astype(np.uint64))
        entries = np.concatenate(parts)
        entries.sort(kind="stable")  # two sorted runs, where no text moved to another place
        keep = np.ones(entries.size, bool)
        keep[1:] = entries[1:] != entries[:-1]
        entries = entries[keep]
        rows = rows_of(entries, bits)
        entries >>= bits
        sizes = np.bincount(rows, minlength=n).astype(np.int64)
        return cls(keys=entries, texts=rows, sizes=sizes, bits=int(bits))

    def some(self, rows: IntArray) -> Shingles:
        """The sets of some texts (int64, ascending), numbered 0, 1, ..."""
        if rows.size == self.n:
            return self
        place: Int32Array = np.full(self.n, -1, np.int32)
        place[rows] = np.arange(rows.size)
        held = place[self.texts]
        keep = held >= 0
        return Shingles(self.keys[keep], held[keep], self.sizes[rows], self.bits)

    def words(self) -> Shingles:
        """The words alone, of what ``of`` made with pairs."""
        n = int(np.searchsorted(self.keys, _IS_PAIR >> np.uint64(self.bits)))
        sizes = np.bincount(self.texts[:n], minlength=self.n).astype(np.int64)
        return Shingles(keys=self.keys[:n], texts=self.texts[:n], sizes=sizes, bits=self.bits)

    def matrix(self, dtype: type[np.generic] = np.float32) -> sp.csr_array:
        """Sets as a sparse 0/1 matrix (n, shared shingles); a shingle of one text is left out (it
        can only count in ``sizes``). Columns go from the rarest to the most frequent, and so do the
        entries of a row. Beside the result, memory is 5 bytes an entry."""
        begins = np.ones(self.keys.size, bool)
        np.not_equal(self.keys[1:], self.keys[:-1], out=begins[1:])
        start = np.flatnonzero(begins)
        del begins
        frequency = np.diff(start, append=self.keys.size)
        shared = np.flatnonzero(frequency > 1)
        shared = shared[np.argsort(frequency[shared], kind="stable")]
        start, frequency = start[shared], frequency[shared]
        del shared
        ends = np.concatenate([[0], np.cumsum(frequency)])
        n_entries = int(ends[-1])
        texts = np.empty(n_entries, np.int32)
        cuts = np.searchsorted(ends, np.arange(0, n_entries + 1, _BLOCK_ENTRIES))
        for lo, hi in zip(cuts, np.append(cuts[1:], frequency.size), strict=True):
            at = np.arange(ends[lo], ends[hi])
            at += np.repeat(start[lo:hi] - ends[lo:hi], frequency[lo:hi])
            texts[ends[lo] : ends[hi]] = self.texts[at]
        if n_entries < 2**31:
            ends = ends.astype(np.int32)
        ones = np.ones(n_entries, dtype)
        return sp.csr_array(sp.csc_array((ones, texts, ends), shape=(self.n, frequency.size)))


def _emptied(blocks: list[UInt64Array]) -> UInt64Array:
    """All blocks in one array; each is freed when it is in, so that they are not held twice."""
    out = np.empty(sum(b.size for b in blocks), np.uint64)
    at = 0
    for k in range(len(blocks)):
        out[at : at + blocks[k].size] = blocks[k]
        at += blocks[k].size
        blocks[k] = blocks[k][:0].copy()
        if k % 64 == 63:
            engine.give_back()
    blocks.clear()
    return out


def text_bits(n: int) -> np.uint64:
    """Bits that the number of one of n texts takes."""
    return np.uint64(max(1, (max(n, 1) - 1).bit_length()))


def rows_of(entries: UInt64Array, bits: np.uint64) -> Int32Array:
    """The texts of packed entries, in blocks: no copy of 8 bytes an entry."""
    out = np.empty(entries.size, np.int32)
    mask = (np.uint64(1) << bits) - np.uint64(1)
    for lo in range(0, entries.size, _BLOCK_ENTRIES):
        here = slice(lo, lo + _BLOCK_ENTRIES)
        out[here] = entries[here] & mask
    return out


def _packed(hashes: UInt64Array, text: IntArray, first: int, bits: np.uint64) -> UInt64Array:
    """Unique (hash, text) entries in one word each: the hash's upper bits, then the text."""
    mask = (np.uint64(1) << bits) - np.uint64(1)
    entries = (hashes & ~mask) | (text + first).astype(np.uint64)
    return _sorted_once(entries)


def _sorted_once(entries: UInt64Array) -> UInt64Array:
    """Ascending (in place), each once."""
    entries.sort()
    keep = np.ones(entries.size, bool)
    np.not_equal(entries[1:], entries[:-1], out=keep[1:])
    return entries if keep.all() else entries[keep]


def jaccard_distance(overlap: FloatArray, size_a: IntArray, size_b: IntArray) -> FloatArray:
    """1 - overlap / (size_a + size_b - overlap); two empty sets are at distance 0."""
    union = size_a + size_b - overlap
    out: FloatArray = 1.0 - np.divide(overlap, union, out=np.ones_like(union), where=union > 0)
    return out


def text_distance(a: str, b: str) -> float:
    """The distance of two texts, as defined at the head of this module."""
    s = Shingles.of([a, b])
    overlap = np.array([np.count_nonzero(s.keys[1:] == s.keys[:-1])], np.float64)
    return float(jaccard_distance(overlap, s.sizes[:1], s.sizes[1:])[0])
