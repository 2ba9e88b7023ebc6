"""One block after the other, in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cr_audit.engine.kinds import Task


class Serial:
    """No worker but the caller."""

    here = True

    def run(self, work: Callable[..., Any], tasks: Iterable[Task], workers: int) -> Iterator[Any]:
        """As ``engine.mapping.map`` says, one task after the other, in this thread."""
        return (work(*task) for task in tasks)


SERIAL = Serial()
