"""Every error that a user can meet: what, where, what stood there, and what to do next.

Exit codes (the same for every output format): 0 pass, 1 gate failed or ``--fail-on`` met,
2 usage, 3 input unreadable, 4 could not compute, 70 a bug in cr-audit.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_COMPUTE = 4
EXIT_BUG = 70


class CrAuditError(Exception):
    """Base of all errors that are not bugs.

    ``message`` says what went wrong in one sentence; ``where`` names the file, line and field as
    ``prefs.jsonl:12 (chosen)``; ``found`` quotes what stood there (it may be hostile text and is
    escaped by whoever prints it); ``next_step`` says what to do; ``details`` are further lines,
    such as the first reasons of a long list. ``slug`` is stable and can be searched for.
    """

    exit_code: ClassVar[int] = EXIT_BUG

    def __init__(
        self,
        slug: str,
        message: str,
        *,
        where: str | None = None,
        found: str | None = None,
        next_step: str | None = None,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.where = where
        self.found = found
        self.next_step = next_step
        self.details = details

    def lines(self) -> list[str]:
        """The message as plain, unescaped lines, the most important first."""
        head = f"{self.where}: {self.message}" if self.where else self.message
        out = [head]
        if self.found is not None:
            out.append(f"found: {self.found}")
        out.extend(self.details)
        if self.next_step:
            out.append(f"next: {self.next_step}")
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())


class UsageError(CrAuditError):
    """Options that contradict each other or do not exist (exit 2)."""

    exit_code = EXIT_USAGE


class InputError(CrAuditError):
    """A file that cannot be read, is empty, or is not recognised (exit 3)."""

    exit_code = EXIT_INPUT


class ComputeError(CrAuditError):
    """The input was read, but the result cannot be computed: no model, a refused fit (exit 4)."""

    exit_code = EXIT_COMPUTE
