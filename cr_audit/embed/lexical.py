"""Hashed character n-grams: vectors from the letters alone, for machines that have no model."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from cr_audit.arrays import Float32Array, FloatArray
from cr_audit.embed.backends import Precision, Progress

if TYPE_CHECKING:
    from cr_audit.embed.encoders import Opening

_U64 = NDArray[np.uint64]
_EDGE: Final = "\x03"
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_CHARS_PER_BLOCK: Final = 1 << 20
_ROW_BITS: Final = 11
_HASH_BITS: Final = 64 - _ROW_BITS
# Sublinear counts are rounded to this grid: sums of grid points are exact in float64, whatever
# the order of summation, the processor or the number of threads.
_GRID: Final = 1024.0


class LexicalBackend:
    """Signed feature hashing of character n-grams, n in ``orders``, into d dimensions.

    v_b = Σ_g sign(g) · (1 + ln tf(g)) over the distinct n-grams g with bucket(g) = b, then divided
    by its Euclidean norm; tf(g) is how often g stands in the text. bucket and sign are taken from
    one 64-bit hash of the code points (Weinberger et al. 2009, Feature Hashing for Large Scale
    Multitask Learning, Eq. 1). Case is folded and runs of white space count as one space;
    the ends of the text are marked, so that a text of one letter has n-grams too.

    Deviations: (1) 1 + ln tf is rounded to multiples of 1/1024, which makes all sums exact and the
    vectors equal bit for bit on every platform; (2) no idf: a vector depends on its text alone;
    (3) a text whose n-grams cancel each other exactly gets the unit vector of its own hash.

    Memory: about 60 bytes per character, in blocks of at most 2,048 texts and about a million
    characters (a longer text is one block).
    """

    def __init__(self, dimension: int = 512, orders: tuple[int, ...] = (4,)) -> None:
        if dimension < 1 or not orders or min(orders) < 1:
            raise ValueError("dimension and orders must be positive")
        self._dimension = dimension
        self._orders = tuple(sorted(set(orders)))

    @property
    def name(self) -> str:
        return "lexical"

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def fingerprint(self) -> str:
        parts = ("lexical-1", self._dimension, self._orders, unicodedata.unidata_version)
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Float32Array:
        """float32 (len(texts), d), unit rows; the zero vector for an empty or blank text."""
        out = np.zeros((len(texts), self._dimension), dtype=np.float32)
        plain = [" ".join(text.casefold().split()) for text in texts]
        start = 0
        while start < len(plain):
            stop, size = start + 1, len(plain[start])
            last = min(len(plain), start + (1 << _ROW_BITS))
            while stop < last and size + len(plain[stop]) <= _CHARS_PER_BLOCK:
                size += len(plain[stop])
                stop += 1
            out[start:stop] = self._block(plain[start:stop])
            start = stop
            if progress is not None:
                progress(stop, len(plain))
        return out

    def _block(self, plain: list[str]) -> Float32Array:
        pad = _EDGE * (self._orders[-1] - 1)
        padded = [f"{pad}{t}{pad}" if t else "" for t in plain]
        lengths = np.array([len(t) for t in padded], dtype=np.int64)
        raw = "".join(padded).encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(raw, dtype="<u4").astype(np.uint64)
        row = np.repeat(np.arange(len(plain), dtype=np.int64), lengths)
        total: FloatArray = np.zeros((len(plain), self._dimension))
        for order in self._orders:
            self._add(codes, row, order, total)
        present = np.flatnonzero(lengths)
        cancelled = present[~total[present].any(axis=1)]
        total[cancelled, [_whole_hash(plain[i]) % self._dimension for i in cancelled.tolist()]] = 1
        norm = np.sqrt(np.add.reduce(total * total, axis=1))
        unit: FloatArray = total / np.where(norm > 0, norm, 1.0)[:, None]
        return unit.astype(np.float32)

    def _add(self, codes: _U64, row: NDArray[np.int64], order: int, total: FloatArray) -> None:
        n = codes.shape[0] - order + 1
        if n < 1:
            return
        inside = row[:n] == row[order - 1 :]
        value = np.full(n, order, dtype=np.uint64)
        for k in range(order):
            value *= _MULTIPLIER
            value += codes[k : k + n]
        mixed = _mix(value[inside])
        # The row in the high bits, the hash in the low: one sort counts the n-grams of all texts.
        owner = row[:n][inside].astype(np.uint64)
        keys = (owner << np.uint64(_HASH_BITS)) | (mixed >> np.uint64(_ROW_BITS))
        keys.sort()
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        counts = np.diff(first, append=keys.shape[0])
        distinct = keys[first]
        weight = _sublinear(counts)
        weight[(distinct & np.uint64(1)) == 1] *= -1.0
        bucket = (distinct >> np.uint64(1)) & np.uint64((1 << (_HASH_BITS - 1)) - 1)
        column = (bucket % np.uint64(self._dimension)).astype(np.int64)
        flat = (distinct >> np.uint64(_HASH_BITS)).astype(np.int64) * self._dimension + column
        total += np.bincount(flat, weights=weight, minlength=total.size).reshape(total.shape)


class Lexical:
    """``LexicalBackend`` as it comes."""

    name = "lexical"
    summary = "hashed character n-grams, without a model"
    precisions: tuple[Precision, ...] = ("float32",)

    def claims(self, model: str) -> bool:
        return model == self.name

    def open(self, model: str, how: Opening) -> LexicalBackend:
        return LexicalBackend()


LEXICAL = Lexical()


def _sublinear(counts: NDArray[np.intp]) -> FloatArray:
    """round((1 + ln tf) · 1024) / 1024 for each count."""
    values, inverse = np.unique(counts, return_inverse=True)
    table = [round((1.0 + math.log(k)) * _GRID) / _GRID for k in values.tolist()]
    return np.array(table, dtype=np.float64)[inverse]


def _mix(x: _U64) -> _U64:
    """The finaliser of SplitMix64: every bit of the input moves every bit of the output."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _whole_hash(text: str) -> int:
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")
