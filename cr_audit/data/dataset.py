"""PreferenceDataset: everything that was read, with file and line for each row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from cr_audit.arrays import ChoiceSets, Comparisons, Groups, IntArray, NotApplicable


@dataclass(frozen=True, slots=True)
class RowIssue:
    """One row that could not be used, or was used with a remark: why, where, what stood there."""

    reason: str
    file: str
    line: int
    field: str
    found: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} ({self.field}): {self.reason}; found {self.found}"


class Remark(NamedTuple):
    """A reason, how many rows it concerns, and the first few of them."""

    reason: str
    n_rows: int
    examples: list[RowIssue]


@dataclass(frozen=True, slots=True)
class FileRead:
    """One file as it was given: its path as typed, container, compression, rows, bytes, sha256."""

    path: str
    container: str
    compression: str
    n_rows: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SchemaMatch:
    """Which schema was used, how it was found, how sure that is, and from which fields.

    how : "detected", "named" (``--schema``) or "mapped" (``--map``).
    confidence : share of the sampled rows that the schema can read, in [0, 1]; a row whose label
    is explicitly missing counts as read.
    fields : role -> field of the data, e.g. {"prompt": "question", "left": "answer_a"}.
    alternatives : the runner-up schemas with their confidence, best first.
    unused : fields of the rows that play no role. prompt_fields : the fields that make the prompt,
    in the order of their parts; empty if the rows give none (an implicit prompt, or no prompt).
    """

    name: str
    how: str
    confidence: float
    fields: dict[str, str]
    alternatives: tuple[tuple[str, float], ...] = ()
    unused: tuple[str, ...] = ()
    prompt_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows were used where not all were. how : "limit" (the first ones) or "sample" (drawn
    without replacement from all rows). asked : how many. n_all : rows there are, where they were
    counted."""

    how: str
    asked: int
    n_all: int | NotApplicable


ALL_ROWS = NotApplicable("all rows were read")


@dataclass(frozen=True, slots=True)
class ReadReport:
    """The bookkeeping of a read. rows_read counts all rows, rows_skipped those without any use.

    skipped_by_reason : slug -> count; a skipped row has exactly one reason.
    noted : slug -> count of rows that were kept with a remark (ties, duplicated rows, contradictory
    rows, empty answers, same text under two authors ...).
    examples : the first few issues per reason, in file order. skipped_rows : (reason, file, line)
    of every skipped row, file as a position in ``files``; not known of merged data.
    selection : where --limit or --sample left rows out; a file's n_rows are those that were used.
    """

    files: tuple[FileRead, ...]
    schemas: tuple[SchemaMatch, ...]
    rows_read: int
    rows_skipped: int
    skipped_by_reason: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)
    examples: tuple[RowIssue, ...] = ()
    skipped_rows: tuple[tuple[str, int, int], ...] = ()
    selection: Selection | NotApplicable = ALL_ROWS


@dataclass(frozen=True, slots=True, eq=False)
class PreferenceDataset:
    """Polars frames; a row's position is its index everywhere else. Order: first appearance.

    prompts       id str, key str|null, text str|null
    alternatives  id str, prompt u32, model str|null, key str|null, text str|null (canonical)
    comparisons   winner u32, loser u32, outcome f64 (1 or 0.5), mass f64, annotator i32 (-1),
                  prompt u32, winner_first i8 (1, 0, -1), file u16, line i64
    choice_sets   prompt u32, n_members u32, annotator i32 (-1), mass f64, file u16, line i64
    choice_members  set u32, alternative u32, rank i32 (0 best, equal = tie, -1 not ranked)
    ratings       alternative u32, score f64, aspect str, annotator i32 (-1), file u16, line i64
    annotators    names, in order of first appearance
    mentions      alternative u32, file u16, line i64: every row in which an alternative stands
                  (for data without comparisons this is the only provenance)
    """

    prompts: pl.DataFrame
    alternatives: pl.DataFrame
    comparisons: pl.DataFrame
    choice_sets: pl.DataFrame
    choice_members: pl.DataFrame
    ratings: pl.DataFrame
    annotators: tuple[str, ...]
    mentions: pl.DataFrame
    report: ReadReport

    @property
    def n_alternatives(self) -> int:
        """Distinct alternatives."""
        return self.alternatives.height

    @property
    def n_prompts(self) -> int:
        """Distinct prompts."""
        return self.prompts.height

    @property
    def prompt_of(self) -> IntArray:
        """The prompt of each alternative: int64 (n_alternatives,)."""
        return self.alternatives["prompt"].to_numpy().astype(np.int64)

    @property
    def n_ties(self) -> int:
        """Comparisons that are ties."""
        return int((self.comparisons["outcome"] == 0.5).sum())

    @property
    def has_text(self) -> bool:
        """True if at least one alternative has a non-empty text."""
        text = self.alternatives["text"]
        return bool((text.is_not_null() & (text != "")).any())

    def comparison_arrays(self) -> Comparisons:
        """All comparisons over response alternatives, as the numerics want them."""
        c = self.comparisons
        return Comparisons.of(
            self.n_alternatives,
            c["winner"].to_numpy(),
            c["loser"].to_numpy(),
            c["outcome"].to_numpy(),
            c["mass"].to_numpy(),
            annotator=c["annotator"].to_numpy(),
            prompt=c["prompt"].to_numpy(),
            winner_first=c["winner_first"].to_numpy(),
        )

    def choice_set_arrays(self) -> ChoiceSets:
        """All choice sets, members of one set standing together in the order of the row."""
        s, k = self.choice_sets, self.choice_members
        counts = s["n_members"].to_numpy().astype(np.int64)
        return ChoiceSets(
            n_items=self.n_alternatives,
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            members=k["alternative"].to_numpy().astype(np.int64),
            rank=k["rank"].to_numpy().astype(np.int64),
            mass=s["mass"].to_numpy().astype(np.float64),
            annotator=s["annotator"].to_numpy().astype(np.int64),
            prompt=s["prompt"].to_numpy().astype(np.int64),
        )

    def provenance(self, alternatives: Iterable[int], limit: int = 20) -> list[tuple[str, ...]]:
        """The first rows of each alternative as ``file:line``, in file order, at most ``limit``."""
        who = self.mentions["alternative"].to_numpy()
        order = np.argsort(who, kind="stable")
        starts = np.searchsorted(who[order], np.arange(self.n_alternatives + 1))
        files = [f.path for f in self.report.files]
        file_of, line_of = self.mentions["file"].to_numpy(), self.mentions["line"].to_numpy()
        return [
            tuple(
                f"{files[file_of[k]]}:{line_of[k]}"
                for k in order[starts[i] : starts[i + 1]][:limit]
            )
            for i in alternatives
        ]

    def models(self) -> tuple[Groups, tuple[str, ...]]:
        """Which model wrote each alternative (-1 where unknown), and the models' names, sorted."""
        names = self.alternatives["model"].drop_nulls().unique().sort().to_list()
        index = {name: i for i, name in enumerate(names)}
        labels: IntArray = np.array(
            [-1 if m is None else index[m] for m in self.alternatives["model"].to_list()],
            dtype=np.int64,
        )
        return Groups(labels=labels, n_groups=len(names)), tuple(names)
