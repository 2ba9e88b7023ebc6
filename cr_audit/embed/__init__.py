"""Texts in, unit vectors out: encoder backends behind one protocol, and a crash-safe cache.

Importing this package loads numpy and the standard library only. torch and sentence-transformers
are imported when a transformer has to compute something: not for a warm cache, not for static
vectors whose table is on disk, not for the lexical encoder.
"""

from __future__ import annotations

from cr_audit.embed.backends import Backend, Notice, Progress
from cr_audit.embed.cache import CacheSize, VectorCache, cache_size, default_cache_dir
from cr_audit.embed.encoders import ENCODERS
from cr_audit.embed.opening import open_backend, open_vectors
from cr_audit.embed.precomputed import PrecomputedVectors, open_precomputed
from cr_audit.embed.texts import embed_texts

__all__ = [
    "ENCODERS",
    "Backend",
    "CacheSize",
    "Notice",
    "PrecomputedVectors",
    "Progress",
    "VectorCache",
    "cache_size",
    "default_cache_dir",
    "embed_texts",
    "open_backend",
    "open_precomputed",
    "open_vectors",
]
