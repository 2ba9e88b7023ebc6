"""How many workers there are and of which kind, said once for a whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

MOST = 4
"""Workers where nobody says how many: a fit holds about 20 arrays of its pairs for each."""
ALL_CORES = 1 << 16
"""``most`` of work whose blocks are small: every core."""


@dataclass(frozen=True, slots=True)
class Setting:
    """workers : None = the cores, up to what the work allows."""

    workers: int | None = None
    kind: str = "threads"


_setting = Setting()


def setting() -> Setting:
    """What holds now."""
    return _setting


@contextmanager
def using(*, workers: int | None = None, kind: str | None = None) -> Iterator[None]:
    """Say how many workers of which kind every ``map`` in the block uses; None leaves it as it is.

    It holds for the process, not for one thread. Neither changes a result.
    """
    global _setting
    if workers is not None and workers < 1:
        raise ValueError(f"there must be at least one worker, not {workers}")
    before = _setting
    _setting = replace(before, workers=workers or before.workers, kind=kind or before.kind)
    try:
        yield
    finally:
        _setting = before


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def worker_count(asked: int | None = None, *, most: int = MOST) -> int:
    """``asked``, else the number set with ``using``, else the cores, at most ``most``."""
    return asked or _setting.workers or min(cores(), most)
