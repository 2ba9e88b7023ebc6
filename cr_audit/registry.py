"""Named parts that can be added from outside: weighting schemes, reward models, encoders, engines.

A registry knows its entries by name before it loads them, so that ``--help`` can list them without
importing anything that computes.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Generic, TypeVar, cast

from cr_audit.errors import UsageError

T = TypeVar("T")


class Registry(Generic[T]):
    """Entries by name, in the order in which they were registered."""

    def __init__(self, what: str) -> None:
        """what : one entry, in words: "weighting scheme"."""
        self._what = what
        self._entries: dict[str, T | str] = {}

    def register(self, name: str, entry: T | str) -> None:
        """``entry`` itself, or where it stands: "package.module:NAME", imported on first use.

        ValueError where the name is taken: what one name stands for must not depend on who came
        last.
        """
        if name in self._entries:
            raise ValueError(f"there is already a {self._what} called {name!r}")
        self._entries[name] = entry

    def unregister(self, name: str) -> None:
        """Take an entry out again (a test that registered it, a program that reloads)."""
        del self._entries[name]

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of registration; nothing is loaded."""
        return tuple(self._entries)

    def get(self, name: str) -> T:
        """The entry; UsageError ``unknown-name`` lists those that exist."""
        if name not in self._entries:
            raise UsageError(
                "unknown-name",
                f"there is no {self._what} called {name!r}",
                next_step=f"use one of {', '.join(self._entries)}",
            )
        entry: Any = self._entries[name]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = getattr(import_module(module), attribute)
            self._entries[name] = entry
        return cast(T, entry)

    def all(self) -> tuple[T, ...]:
        """Every entry, loaded."""
        return tuple(self.get(name) for name in self._entries)
