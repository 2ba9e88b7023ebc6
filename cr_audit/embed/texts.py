"""Embedding many texts: each distinct text once, from the cache where it is there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, IntArray
from cr_audit.data.identity import canonical
from cr_audit.embed.backends import Backend, Progress
from cr_audit.embed.cache import VectorCache, text_key

# Texts of similar length stay together in runs of this many (little padding in a transformer);
# the runs are then visited in a scattered order, so that the rate seen so far predicts the rest.
_RUN = 32
# How long the work between two commits to the cache should take: what a killed process loses.
_SECONDS_PER_COMMIT = 2.0
_LARGEST_CHUNK = 8192


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

    Memory: the result and one copy of the distinct vectors, both in files beside the cache where
    there is one and they are large, and the distinct texts.
    """
    keys: list[bytes] = []
    position: dict[bytes, int] = {}
    distinct: list[str] = []
    index = np.empty(len(texts), dtype=np.int64)
    for i, text in enumerate(texts):
        plain = canonical(text)
        key = text_key(plain)
        at = position.setdefault(key, len(distinct))
        if at == len(distinct):
            keys.append(key)
            distinct.append(plain)
        index[i] = at
    folder = None if cache is None else cache.path.parent
    vectors = engine.zeros_on_disk((len(distinct), backend.dimension), np.float32, folder)
    missing = [i for i, text in enumerate(distinct) if text]
    if cache is not None and missing:
        found = cache.load(backend, [keys[i] for i in missing], vectors, np.array(missing))
        missing = [i for i, hit in zip(missing, found.tolist(), strict=True) if not hit]
    _compute(backend, distinct, keys, missing, vectors, cache, progress)
    if len(distinct) == len(texts):
        return vectors
    out = engine.zeros_on_disk((len(texts), backend.dimension), np.float32, folder)
    for s in engine.spans(len(texts), _LARGEST_CHUNK):
        out[s] = vectors[index[s]]
    return out


def _compute(
    backend: Backend,
    texts: list[str],
    keys: list[bytes],
    missing: list[int],
    vectors: Float32Array,
    cache: VectorCache | None,
    progress: Progress | None,
) -> None:
    done, total = len(texts) - len(missing), len(texts)
    report = progress or (lambda done, total: None)
    report(done, total)
    chunks = _Chunks(_scattered(np.array([len(texts[i]) for i in missing], dtype=np.int64)))

    def within(n: int, _: int) -> None:
        report(done + n, total)

    for chunk in chunks:
        rows = [missing[i] for i in chunk]
        vectors[rows] = backend.encode([texts[i] for i in rows], within)
        if cache is not None:
            cache.store(backend, [keys[i] for i in rows], vectors[rows])
        done += len(rows)
        report(done, total)


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

    def __iter__(self) -> Iterator[list[int]]:
        at, size = 0, _RUN
        while at < self._order.shape[0]:
            start = time.monotonic()
            yield self._order[at : at + size].tolist()
            at += size
            taken = max(time.monotonic() - start, 1e-3)
            wanted = size * _SECONDS_PER_COMMIT / taken
            runs = int(min(wanted, 4 * size, _LARGEST_CHUNK)) // _RUN
            size = _RUN * max(runs, 1)
