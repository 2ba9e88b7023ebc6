"""How many workers there are, of which kind, and how much memory, said once for a whole run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

MOST = 4
"""Workers where nobody says how many: a fit holds about 20 arrays of its pairs for each."""
ALL_CORES = 1 << 16
"""``most`` of work whose blocks are small: every core."""

LEAST_MEMORY = 64 * 2**20
_ASSUMED_FREE = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Setting:
    """workers : None = the cores, up to what the work allows. memory : bytes that searches which
    can do with less may take, None = half of what is free. folder : where arrays are put that are
    to leave memory, None = they stay."""

    workers: int | None = None
    kind: str = "threads"
    memory: int | None = None
    folder: Path | None = None


_setting = Setting()


def setting() -> Setting:
    """What holds now."""
    return _setting


@contextmanager
def using(
    *,
    workers: int | None = None,
    kind: str | None = None,
    memory: int | None = None,
    folder: Path | None = None,
) -> Iterator[None]:
    """Say how many workers of which kind every ``map`` in the block uses, how much memory a search
    may take and where large arrays may stand; None leaves it as it is.

    It holds for the process, not for one thread. None of them changes a result.
    """
    global _setting
    if workers is not None and workers < 1:
        raise ValueError(f"there must be at least one worker, not {workers}")
    before = _setting
    _setting = replace(
        before,
        workers=workers or before.workers,
        kind=kind or before.kind,
        memory=memory or before.memory,
        folder=folder or before.folder,
    )
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


def memory_limit() -> int:
    """Bytes that a search may take which can do with less: those set with ``using``, else half of
    what the machine has free; at least ``LEAST_MEMORY``. They decide what goes through files, and
    in how many parts; no result depends on them."""
    return max(_setting.memory or _free() // 2, LEAST_MEMORY)


def scratch_folder() -> Path | None:
    """Where arrays may stand that are to leave memory; None: nowhere."""
    return _setting.folder


def _free() -> int:
    """Bytes that new processes could use, where the system says so (Linux); else 4 GiB."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return _ASSUMED_FREE
    held = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines)}
    return int(held["MemAvailable"]) * 1024 if "MemAvailable" in held else _ASSUMED_FREE
