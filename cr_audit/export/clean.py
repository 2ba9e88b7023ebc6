"""The rows without copies, repeats and contradictions; every reason counted with file and line.

What stays is written as it stood; only where a copy stood for its medoid in a pair that the medoid
itself never met is the copy's text replaced by the medoid's, and that row is written anew. Where
the text cannot be replaced without changing who said it (another author or identifier, another
prompt, a layout without the text by itself), the row goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.clones.find import DEFAULT_RADIUS, CloneReport, find_clones
from cr_audit.errors import ComputeError
from cr_audit.export.outcome import Exported, Reason
from cr_audit.export.plan import FindClones, Plan, Planner, Wanted
from cr_audit.export.replace import NOT_RESPONSES, replaced
from cr_audit.export.rows import SUFFIXES
from cr_audit.export.source import (
    check_target,
    fields_of,
    metadata_path,
    place,
    placed,
    table_of,
    types_of,
    write_metadata,
)
from cr_audit.export.tables import OutRow, as_it_was, format_of, write_rows
from cr_audit.readers.raw import RawRow

if TYPE_CHECKING:
    from cr_audit.run import Run


def export(run: Run, path: Path) -> Exported:
    """The clean set, and what was dropped where ``--dropped`` names a file."""
    suffix = format_of(path, SUFFIXES)
    dropped: Path | None = run.options["dropped"]
    check_target(run, path, metadata_path(path), dropped)
    dropped_suffix = None if dropped is None else format_of(dropped, SUFFIXES)
    cleaning = _Cleaning(run)
    cleaning.plan_rows()
    n = write_rows(
        cleaning.kept(), path, suffix, fields=fields_of(run, suffix), types=types_of(run, suffix)
    )
    if n == 0:
        path.unlink(missing_ok=True)
        raise ComputeError(
            "nothing-left",
            "no row is left of these",
            next_step="keep contradictory pairs (--contradictions keep), or a smaller --radius",
        )
    files = [str(path), str(metadata_path(path))]
    if dropped is not None and dropped_suffix is not None:
        write_rows(
            cleaning.gone(run.options["prefix"]),
            dropped,
            dropped_suffix,
            fields=fields_of(run, dropped_suffix),
            types=types_of(run, dropped_suffix),
            option="--dropped",
        )
        files.append(str(dropped))
    done = Exported(
        exit="clean",
        files=tuple(files),
        n_read=cleaning.n_read,
        n_written=n,
        left_out=cleaning.left_out,
        n_rewritten=cleaning.n_rewritten,
    )
    write_metadata(run, done, path)
    return done


class _Cleaning:
    """One clean set: the plan, and the rows by it."""

    def __init__(self, run: Run) -> None:
        self.run, self.table = run, table_of(run)
        self.left_out: dict[str, Reason] = {}
        self.n_read = self.n_rewritten = 0
        data = run.dataset
        self._texts = data.alternatives["text"].to_list()
        m = data.mentions
        at = self.table.at((m["file"].to_numpy().astype(np.int64) << 44) | m["line"].to_numpy())
        order = np.argsort(at, kind="stable")
        self._who = m["alternative"].to_numpy().astype(np.int64)[order]
        self._start = np.searchsorted(at[order], np.arange(self.table.n + 1))
        self._skipped = {
            file << 44 | line: reason for reason, file, line in data.report.skipped_rows
        }
        self._outside = [
            {name for role, name in s.fields.items() if role in NOT_RESPONSES}
            | set(s.prompt_fields)
            | set(s.unused)
            for s in data.report.schemas
        ]
        wanted = Wanted(run.options["contradictions"], run.options["drop_boilerplate"])
        self._planner = Planner(data, self.table, wanted, finder(run))
        self._plan: Plan | None = None

    @property
    def plan(self) -> Plan:
        assert self._plan is not None
        return self._plan

    def plan_rows(self) -> None:
        """Plan until every text that is to be replaced can be."""
        while True:
            self._plan = self._planner.plan()
            replacing = self.plan.stands_for != np.arange(self.plan.stands_for.size)
            if not replacing.any():
                return
            refused = {
                who
                for row, at in placed(self.run, self.table)
                if at >= 0 and not self.plan.reason[at]
                for who in self._not_replaceable(row, at)
            }
            if not refused - self._planner.refused:
                return
            self._planner.refused |= refused

    def _copies_in(self, at: int) -> list[int]:
        """Alternatives of a row that stand for another one."""
        who = self._who[self._start[at] : self._start[at + 1]]
        copies: list[int] = who[self.plan.stands_for[who] != who].tolist()
        return copies

    def _not_replaceable(self, row: RawRow, at: int) -> list[int]:
        return [
            who
            for who in self._copies_in(at)
            if row.value is None or row.repaired or self._with(row.file, row.value, who) is None
        ]

    def _with(self, file: int, value: dict[str, Any], who: int) -> dict[str, Any] | None:
        old, new = self._texts[who], self._texts[self.plan.stands_for[who]]
        if old is None or new is None:
            return None
        return replaced(value, old, new, self._outside[file])

    def _why(self, row: RawRow, at: int) -> str:
        """Why a row goes; "" where it stays."""
        if row.value is None:
            return self._skipped.get(row.file << 44 | row.line, "not_an_object")
        if at >= 0:
            return self.plan.reason[at]
        reason = self._skipped.get(row.file << 44 | row.line, "")
        wanted: bool = self.run.options["drop_identical"]
        return reason if reason == "identical_pair" and wanted else ""

    def kept(self) -> Iterator[OutRow]:
        """The rows that stay, counting the others."""
        self.left_out, self.n_read, self.n_rewritten = {}, 0, 0
        for row, at in placed(self.run, self.table):
            self.n_read += 1
            why = self._why(row, at)
            if why:
                self.left_out.setdefault(why, Reason()).add(place(self.run, row))
                continue
            copies = self._copies_in(at) if at >= 0 else []
            if not copies:
                yield as_it_was(row, place(self.run, row), {})
                continue
            value: dict[str, Any] = row.value or {}
            if row.raw is not None:
                value = json.loads(row.raw)
            for who in copies:
                changed = self._with(row.file, value, who)
                assert changed is not None, "the plan checked that the text can be replaced"
                value = changed
            self.n_rewritten += 1
            yield OutRow(place(self.run, row), value, None, {})

    def gone(self, prefix: str) -> Iterator[OutRow]:
        """The rows that go, with the reason, file and line."""
        for row, at in placed(self.run, self.table):
            why = self._why(row, at)
            if why and row.value is not None:
                added = {
                    f"{prefix}reason": why,
                    f"{prefix}file": self.run.files[row.file],
                    f"{prefix}line": row.line,
                }
                yield as_it_was(row, place(self.run, row), added)


def finder(run: Run) -> FindClones:
    """Clones of a part of the run's alternatives, as a scan of that part alone finds them."""
    data = run.dataset
    every = np.arange(data.n_alternatives, dtype=np.int64)
    if not data.has_text:
        # Vectors alone have no text that a second reading could find anew: they are asked once.
        return lambda alive: (
            run.analysis.clones if alive.size == every.size else NotApplicable("asked once"),
            every,
        )
    texts = data.alternatives["text"].to_list()
    prompts, prompt_of = data.prompts["text"].to_list(), data.prompt_of
    radius = run.settings.radius

    def find(alive: IntArray) -> tuple[CloneReport | NotApplicable, IntArray]:
        asked = np.unique(prompt_of[alive])
        run.progress("finding clones", 0, 0)
        found = find_clones(
            response_texts=[texts[i] for i in alive.tolist()],
            prompt_of=np.searchsorted(asked, prompt_of[alive]).astype(np.int64),
            prompt_texts=[prompts[i] for i in asked.tolist()],
            radius=DEFAULT_RADIUS if radius is None else radius,
            rng=run.stream("clones of a clean set"),
        )
        return found, alive

    return find
