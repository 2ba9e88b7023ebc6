"""Encoders behind one protocol. Heavy imports happen inside the functions that need them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from cr_audit.arrays import Float32Array

Progress = Callable[[int, int], None]
"""Called with (done, total) from time to time."""


class Backend(Protocol):
    """Turns texts into unit vectors.

    name : what the user typed or would type to get it; dimension : d;
    fingerprint : changes whenever any output could change (weights, windows, pooling, versions).
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
