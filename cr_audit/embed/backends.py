"""Encoders behind one protocol. Heavy imports happen inside the functions that need them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from cr_audit.arrays import Float32Array

Progress = Callable[[int, int], None]
"""Called with (done, total) from time to time; the unit is texts."""

Notice = Callable[[str], None]
"""Called with one plain sentence: something slow or unusual is about to happen, or happened."""

Precision = Literal["float32", "bfloat16"]


class Backend(Protocol):
    """Turns texts into unit vectors.

    name : what the user typed or would type to get it; dimension : d;
    fingerprint : changes whenever any output could change (weights, windows, pooling, versions).

    A vector depends on its text and the backend alone: not on the other texts of the call, their
    order, or the number of threads. :func:`cr_audit.embed.embed_texts` and the cache rely on that.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Float32Array:
        """float32 (len(texts), d), every row of unit length (an empty text: the zero vector)."""
        ...
