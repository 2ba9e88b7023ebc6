"""Memory that a worker keeps from block to block."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class PerWorker(Generic[T]):
    """``make()``, made once by each worker that asks; what is in it goes to no other worker.

    A block must not depend on what an earlier one left there: blocks meet workers by chance. Sent
    to another process it arrives empty, so ``make`` must pickle where processes are used.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._own = threading.local()

    def get(self) -> T:
        """This worker's own."""
        if not hasattr(self._own, "value"):
            self._own.value = self._make()
        return cast(T, self._own.value)

    def __reduce__(self) -> tuple[Any, ...]:
        return PerWorker, (self._make,)
