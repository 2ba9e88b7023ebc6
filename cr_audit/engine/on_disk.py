"""Large arrays in files without a name, so that they need not stay in memory between stages."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

LEAST_BYTES = 64 * 2**20
"""Smaller arrays are kept in memory."""

_open: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def zeros_on_disk(
    shape: tuple[int, ...], dtype: type[np.generic], folder: Path | None
) -> np.ndarray[Any, Any]:
    """An array of zeros; of at least ``LEAST_BYTES`` in a file in ``folder`` that nobody else sees
    and that goes with the array. In memory where there is no folder, or the file cannot be had.

    Its space is reserved before it is used: a disk that fills up later would end the process.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if folder is None or size < LEAST_BYTES or not hasattr(os, "posix_fallocate"):
        return np.zeros(shape, dtype)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, prefix="array-") as file:
            os.posix_fallocate(file.fileno(), 0, size)
            held = mmap.mmap(file.fileno(), size)
    except (OSError, ValueError):
        return np.zeros(shape, dtype)
    _open.add(held)
    return np.frombuffer(held, dtype).reshape(shape)


def forget() -> None:
    """Pages of such arrays leave memory; the next use reads them again."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for held in list(_open):
            held.madvise(mmap.MADV_DONTNEED)
