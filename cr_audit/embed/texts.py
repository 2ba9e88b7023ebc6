"""Embedding many texts: each distinct text once, from the cache where it is there."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, IntArray
from cr_audit.data.identity import canonical
from cr_audit.embed.backends import Backend, Progress
from cr_audit.embed.cache import VectorCache, text_key
from cr_audit.texts import some_of

# Texts of similar length stay together in runs of this many (little padding in a transformer);
# the runs are then visited in a scattered order, so that the rate seen so far predicts the rest.
_RUN = 32
# How long the work between two commits to the cache should take: what a killed process loses.
_SECONDS_PER_COMMIT = 2.0
_LARGEST_CHUNK = 32_768
_PIECES = 64
"""Shares of the texts that may be embedded apart (``engine.pieces``)."""
_LARGE = 512 * 2**20
"""Bytes of vectors in a file from which those that were written leave memory after each chunk."""


def embed_texts(
    backend: Backend,
    texts: Sequence[str],
    *,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> Float32Array:
    """float32 (len(texts), d): one unit vector per text, the zero vector for an empty one.

    Texts are compared and encoded in canonical form (NFC, outer white space trimmed), each distinct
    one once. Vectors found in ``cache`` are not computed; what is computed is committed to it about
    every two seconds, so that a killed run loses no more than that.
    ``progress`` counts distinct texts, those from the cache included.

    Memory: about 200 bytes for each distinct text, and the result, in a file beside the cache where
    there is one and it is large.
    """
    keys: list[bytes] = []
    position: dict[bytes, int] = {}
    index, length = np.empty(len(texts), np.int64), array("q")
    for i, text in enumerate(texts):
        plain = canonical(text)
        key = text_key(plain)
        at = position.setdefault(key, len(keys))
        if at == len(keys):
            keys.append(key)
            length.append(len(plain))
        index[i] = at
    del position
    # The vector of a text stands at its first row; the rows of the same text are copied from there.
    first = np.empty(len(keys), np.int64)
    first[index[::-1]] = np.arange(len(texts))[::-1]
    folder = None if cache is None else cache.path.parent
    vectors = engine.zeros_on_disk((len(texts), backend.dimension), np.float32, folder)
    lengths = np.array(length, np.int64)
    wanted = np.flatnonzero(lengths)

    def fill(wanted: IntArray) -> None:
        missing = wanted
        if cache is not None and missing.size:
            found = np.zeros(missing.size, bool)
            for s in engine.spans(missing.size, _LARGEST_CHUNK):
                some = missing[s]
                known = [keys[i] for i in some.tolist()]
                found[s] = cache.load(backend, known, vectors, first[some])
                if vectors.nbytes > _LARGE:
                    engine.forget()
            missing = missing[~found]
        order = _scattered(lengths[missing])
        _compute(backend, texts, keys, first, missing[order], vectors, cache, progress)

    if engine.has_shelf() and wanted.size:
        _gather(backend, keys, wanted, first, vectors, fill)
    else:
        fill(wanted)
    again = np.flatnonzero(first[index] != np.arange(len(texts)))
    for s in engine.spans(again.size, _LARGEST_CHUNK):
        vectors[again[s]] = vectors[first[index[again[s]]]]
    engine.forget()
    return vectors


def _gather(
    backend: Backend,
    keys: list[bytes],
    wanted: IntArray,
    first: IntArray,
    vectors: Float32Array,
    fill: Callable[[IntArray], None],
) -> None:
    """Vectors that were made elsewhere, by the digests of their texts, and ``fill`` for the rest.
    wanted : the distinct texts that have one."""
    share = np.frombuffer(b"".join(k[:1] for k in keys), np.uint8)[wanted] % _PIECES
    pieces = [wanted[share == p] for p in range(_PIECES)]

    def inputs() -> dict[str, Any]:
        return {"texts": np.frombuffer(b"".join(keys), np.uint8), "encoder": backend.fingerprint}

    def compute(which: Sequence[int]) -> Iterator[Float32Array]:
        fill(np.sort(np.concatenate([pieces[p] for p in which])))
        for p in which:
            yield vectors[first[pieces[p]]]

    found = engine.gathered("vectors", inputs, _PIECES, compute)
    for piece, made in zip(pieces, found, strict=True):
        vectors[first[piece]] = made


def _compute(
    backend: Backend,
    texts: Sequence[str],
    keys: list[bytes],
    first: IntArray,
    missing: IntArray,
    vectors: Float32Array,
    cache: VectorCache | None,
    progress: Progress | None,
) -> None:
    """missing : which distinct texts to encode, in this order."""
    done, total = len(keys) - missing.size, len(keys)
    report = progress or (lambda done, total: None)
    report(done, total)

    def within(n: int, _: int) -> None:
        report(done + n, total)

    for chunk in _Chunks(missing):
        rows = first[chunk]
        made = backend.encode([canonical(t) for t in some_of(texts, rows)], within)
        vectors[rows] = made
        if cache is not None:
            cache.store(backend, [keys[i] for i in chunk.tolist()], made)
        done += len(rows)
        report(done, total)
        if vectors.nbytes > _LARGE:
            engine.give_back()


def _scattered(lengths: IntArray) -> IntArray:
    """A fixed order of visit: runs of similar length, the runs by the golden section."""
    order = np.argsort(lengths, kind="stable")
    n_runs = -(-order.shape[0] // _RUN)
    golden = (np.arange(n_runs) * 0.6180339887498949) % 1.0
    visit = np.argsort(golden, kind="stable")
    runs = [order[r * _RUN : (r + 1) * _RUN] for r in visit.tolist()]
    return np.concatenate(runs) if runs else order


class _Chunks:
    """Consecutive pieces of ``order``; their size follows the speed seen in the last piece."""

    def __init__(self, order: IntArray) -> None:
        self._order = order

    def __iter__(self) -> Iterator[IntArray]:
        at, size = 0, _RUN
        while at < self._order.shape[0]:
            start = time.monotonic()
            yield self._order[at : at + size]
            at += size
            taken = max(time.monotonic() - start, 1e-3)
            wanted = size * _SECONDS_PER_COMMIT / taken
            runs = int(min(wanted, 4 * size, _LARGEST_CHUNK)) // _RUN
            size = _RUN * max(runs, 1)
