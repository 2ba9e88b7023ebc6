"""What an export did: counts and reasons as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_PLACES = 20


@dataclass(slots=True)
class Reason:
    """Why rows were left out. places : the first of them as file:line."""

    n_rows: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        """Count one more row, and keep its place while there is room."""
        self.n_rows += 1
        if len(self.places) < MAX_PLACES:
            self.places.append(place)


@dataclass(frozen=True, slots=True)
class Weighting:
    """How rows were weighed. formula : of a row's weight before it is scaled to mean 1.

    effective_size : (sum w)^2 / sum w^2 of the rows with a judgement, of ``n_rows``.
    """

    scheme: str
    reason: str
    formula: str
    source: str
    n_rows: int
    effective_size: float


@dataclass(frozen=True, slots=True)
class Exported:
    """One export. files : all that was written, the main one first. rewritten : rows in which a
    copy's text was replaced by that of the medoid. kinds : id -> words of each kind of answer that
    a column names; prompt_kinds : of prompt. notes : what a reader of the files must know.
    """

    exit: str
    files: tuple[str, ...]
    n_read: int
    n_written: int
    left_out: Mapping[str, Reason] = field(default_factory=dict)
    n_rewritten: int = 0
    columns: tuple[str, ...] = ()
    weighting: Weighting | None = None
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prompt_kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
