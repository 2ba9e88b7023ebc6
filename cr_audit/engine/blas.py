"""BLAS and LAPACK on one thread: several would change the last bits with the number of cores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_lock = threading.Lock()
_held: list[Any] = []  # one entry for each open context; the first one set the limit


@cache
def _libraries() -> Any:
    # Looking for the libraries takes longer than a fit of ten alternatives: once is enough, if
    # they are all there. numpy and scipy bring one each; scipy's is loaded with scipy.linalg.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While any such context is open, in whatever thread, BLAS uses one thread.

    The number is a state of the process, so the first context sets it and the last one to close
    puts back what it found, in whatever order they close.
    """
    with _lock:
        _held.append(_held[0] if _held else _libraries().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            limiter = _held.pop()
            if not _held:
                limiter.restore_original_limits()
