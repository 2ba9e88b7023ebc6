"""New texts to vectors, where the encoder reads texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cr_audit.arrays import Float32Array
from cr_audit.embed.backends import Backend
from cr_audit.embed.cache import VectorCache
from cr_audit.embed.precomputed import PrecomputedVectors
from cr_audit.embed.texts import embed_texts


def sentence_encoder(
    backend: Backend | PrecomputedVectors | None, cache: VectorCache | None = None
) -> Callable[[Sequence[str]], Float32Array] | None:
    """Texts -> unit rows, float32 (n, d); None where there is no encoder, or only vectors that the
    user brings for whole responses."""
    if backend is None or isinstance(backend, PrecomputedVectors):
        return None
    encoder = backend
    return lambda texts: embed_texts(encoder, texts, cache=cache)
