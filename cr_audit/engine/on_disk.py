"""Large arrays in files without a name, so that they need not stay in memory between stages."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cr_audit.engine.settings import memory_limit, scratch_folder

T = TypeVar("T")

LEAST_BYTES = 64 * 2**20
"""Smaller arrays are kept in memory."""
_BLOCK_BYTES, _BLOCKS_HELD = 1 << 24, 16
SHARE = 1 / 16
"""Of the memory that is allowed, for one array: a stage holds several."""

_open: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def zeros_on_disk(shape: tuple[int, ...], dtype: Any, folder: Path | None) -> np.ndarray[Any, Any]:
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


def is_large(n_bytes: int) -> bool:
    """Whether an array takes more than a share of the memory that is allowed
    (``settings.memory_limit``)."""
    return n_bytes >= LEAST_BYTES and n_bytes > memory_limit() * SHARE


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """An array to be written to; what stands in it at first is not said. In a file as
    ``zeros_on_disk`` has it, where it ``is_large``."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if not is_large(size):
        return np.empty(shape, dtype)
    return zeros_on_disk(shape, dtype, scratch_folder())


def blocks_of_rows(rows: np.ndarray[Any, Any]) -> Iterator[slice]:
    """Consecutive rows of ``_BLOCK_BYTES`` together; what was looked at of arrays in files leaves
    memory from time to time."""
    step = max(1, _BLOCK_BYTES // max(rows[:1].nbytes, 1))
    starts = range(0, rows.shape[0], step)
    return forgetting(slice(s, min(s + step, rows.shape[0])) for s in starts)


def forgetting(parts: Iterable[T], every: int = _BLOCKS_HELD) -> Iterator[T]:
    """The parts, one after another; ``forget`` once so many of them were used."""
    for number, part in enumerate(parts, 1):
        yield part
        if number % every == 0:
            forget()


def forget() -> None:
    """Pages of such arrays leave memory; the next use reads them again."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for held in list(_open):
            held.madvise(mmap.MADV_DONTNEED)
