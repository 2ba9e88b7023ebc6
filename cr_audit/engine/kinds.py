"""The kinds of workers, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from cr_audit.registry import Registry

Task = tuple[Any, ...]
"""The arguments of one call of the work."""


class Kind(Protocol):
    """Where work runs.

    here : whether it runs in this process, sharing its memory; "local" maps use no other kind.
    """

    here: bool

    def run(self, work: Callable[..., Any], tasks: Iterable[Task], workers: int) -> Iterator[Any]:
        """``work(*task)`` of every task, in the order of the tasks; the first error is raised."""
        ...


KINDS: Registry[Kind] = Registry("kind of workers")
KINDS.register("serial", "cr_audit.engine.serial:SERIAL")
KINDS.register("threads", "cr_audit.engine.threads:THREADS")
KINDS.register("processes", "cr_audit.engine.processes:PROCESSES")
