"""A data set that grows: which part of it was there before, and what is known about that part.

What is computed for baseline and batch together is defined from the baseline on (``growing_cells``,
``growing_clones``), whatever is kept, so that keeping changes the time and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cr_audit.analysis.kept import Kept, entry_name
from cr_audit.arrays import IntArray

if TYPE_CHECKING:
    from cr_audit.analysis.facts import Analysis


class Memory:
    """Results kept while a run lasts, and between runs where ``kept`` is given."""

    def __init__(self, kept: Kept | None) -> None:
        self._kept = kept
        self._results: dict[str, Any] = {}

    def call(self, name: str, inputs: Sequence[Any], compute: Callable[[], Any]) -> Any:
        """As ``Kept.call``."""
        entry = entry_name(name, inputs)
        if entry not in self._results:
            self._results[entry] = (
                compute() if self._kept is None else self._kept.entry(entry, compute)
            )
        return self._results[entry]


@dataclass(frozen=True, slots=True, eq=False)
class Growing:
    """alternatives : int64, ascending, those of the part that was there before; all of them where
    that part itself is analysed. earlier : the analysis of that part, None while it is made.
    memory : where intermediate results are found again.
    """

    alternatives: IntArray
    memory: Memory = field(repr=False)
    earlier: Analysis | None = None
