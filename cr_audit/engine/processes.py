"""Blocks in other processes, started afresh ("spawn"): the same on every system.

What the work holds is pickled once for a map and read once by each process; only a block and its
random stream travel with a task. A work that pickles is a function of a module, a ``partial`` of
one, or a method of a record; a lambda is refused by pickle, with its name.
"""

from __future__ import annotations

import atexit
import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import count
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from typing import Any

from cr_audit.engine.blas import one_blas_thread
from cr_audit.engine.kinds import Task
from cr_audit.engine.threads import in_order, mark_as_worker

_numbers = count()
_loaded: tuple[int, Any] = (-1, None)  # in a worker: the number of a map, and its work


_limit = one_blas_thread()  # in a worker: open as long as it lives


def _started() -> None:
    mark_as_worker()
    _limit.__enter__()


@cache
def _pool(workers: int) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_started)
    atexit.register(pool.shutdown, cancel_futures=True)
    return pool


def _call(number: int, place: str, size: int, task: Task) -> Any:
    global _loaded
    if _loaded[0] != number:
        memory = SharedMemory(place)
        try:
            assert memory.buf is not None
            work = pickle.loads(bytes(memory.buf[:size]))  # noqa: S301 (our own bytes)
        finally:
            memory.close()
        _loaded = (number, work)
    return _loaded[1](*task)


class Processes:
    """A pool of processes for each number of workers."""

    here = False

    def run(self, work: Callable[..., Any], tasks: Iterable[Task], workers: int) -> Iterator[Any]:
        """As ``engine.mapping.map`` says, in processes; the work is pickled once for all."""
        body = pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL)
        memory = SharedMemory(create=True, size=len(body))
        try:
            assert memory.buf is not None
            memory.buf[: len(body)] = body
            number = next(_numbers)
            jobs = ((number, memory.name, len(body), task) for task in tasks)
            yield from in_order(_pool(workers), _call, jobs, workers)
        finally:
            memory.close()
            memory.unlink()


PROCESSES = Processes()
