"""Freed memory goes back to the system between stages, where the C library can be asked to, and
arrays that are on disk leave it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

from cr_audit.engine.on_disk import forget


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim``; other C libraries give freed memory back by themselves."""
    if not sys.platform.startswith("linux"):
        return None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return None if trim is None else trim


def give_back() -> None:
    """Arrays of some MB that were freed stay with the process, in one heap per thread; after a
    stage that made many they are half of what it holds. Takes milliseconds, changes no result."""
    forget()
    trim = _trim()
    if trim is not None:
        trim(0)
