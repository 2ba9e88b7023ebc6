"""How far a long stage is, for whoever draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from cr_audit.engine.threads import inside_a_worker

R = TypeVar("R")
Report = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

_reports: list[Report] = []  # the innermost one is told


@contextmanager
def telling(report: Report) -> Iterator[None]:
    """While the block runs, stages tell ``report`` how far they are. For the process, as ``using``
    is; it changes no result."""
    _reports.append(report)
    try:
        yield
    finally:
        _reports.remove(report)


def told(stage: str, results: Iterable[R], sizes: Sequence[int]) -> Iterator[R]:
    """The results of blocks as they come; sizes : how much work each of them is, in any unit."""
    if not _reports or inside_a_worker():
        yield from results
        return
    report, total, done = _reports[-1], sum(sizes), 0
    report(stage, 0, total)
    for size, result in zip(sizes, results, strict=True):
        yield result
        done += size
        report(stage, done, total)


def counted(stage: str, total: int) -> Callable[[], None]:
    """What to call after each of ``total`` steps of a stage."""
    if not _reports or inside_a_worker():
        return lambda: None
    report, done = _reports[-1], 0
    report(stage, 0, total)

    def one_more() -> None:
        nonlocal done
        done += 1
        report(stage, done, total)

    return one_more
