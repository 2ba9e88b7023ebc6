"""Blocks on threads: numpy, scipy and torch leave the interpreter's lock while they compute."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from cr_audit.engine.kinds import Task

AHEAD = 4
"""Blocks given out before the oldest result is taken, for each worker: results that wait for a
slow first one stay few."""

_inside = threading.local()


def inside_a_worker() -> bool:
    """Whether the caller is a block's work: a map in there has no workers left to wait for."""
    return getattr(_inside, "here", False)


def mark_as_worker() -> None:
    """From now on this thread is a worker."""
    _inside.here = True


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    # Kept for the whole process: a fit asks hundreds of times, and idle threads cost nothing.
    return ThreadPoolExecutor(workers, thread_name_prefix="block", initializer=mark_as_worker)


if hasattr(os, "register_at_fork"):  # a forked child has the pools, but not their threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def in_order(
    pool: Executor, work: Callable[..., Any], tasks: Iterable[Task], workers: int
) -> Iterator[Any]:
    """Results in the order of the tasks, at most ``AHEAD`` per worker given out before."""
    waiting: deque[Future[Any]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(work, *task))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # After an error, or where the caller stops early: nothing may go on behind its back.
        for future in waiting:
            future.cancel()
        for future in waiting:
            if not future.cancelled():
                future.exception()


class Threads:
    """A pool of threads for each number of workers."""

    here = True

    def run(self, work: Callable[..., Any], tasks: Iterable[Task], workers: int) -> Iterator[Any]:
        """As ``engine.mapping.map`` says, in threads, results in the order of the tasks."""
        return in_order(_pool(workers), work, tasks, workers)


THREADS = Threads()
