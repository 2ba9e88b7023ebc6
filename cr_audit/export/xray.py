"""The trainer X-ray: what a trainer's loader makes of the user's own rows, without writing any.

Of every row: the pair that the loader would train on (``loaders``), beside the pair that the audit
read. Outcomes

    same              the same two responses the same way round
    reversed          the loader prefers what the row does not prefer
    prompt_differs    the same pair, without a part of the prompt (a system's text, a context)
    other_pair        the loader's two texts are not the two of the row
    worst_two         of a list, the two that rank lowest
    tie               the row says that neither is preferred
    several, no_pair  rows that are no single pair or list: nothing to compare with
    and the slugs of ``loaders.Fails``: the row is skipped, or the run ends there
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cr_audit.arrays import IntArray
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.identity import canonical
from cr_audit.export.annotate import RowTable, keys
from cr_audit.export.loaders import LOADERS, Fails, Loaded, Route
from cr_audit.export.outcome import Reason
from cr_audit.export.source import place, placed, table_of

if TYPE_CHECKING:
    from cr_audit.run import Run


@dataclass(slots=True)
class Column:
    """A field of the rows. n_rows : that have a value there. role : as the audit reads it, "" for
    none. fate : a slug of ``loaders.FATES``."""

    n_rows: int = 0
    role: str = ""
    fate: str = "dropped"


@dataclass(frozen=True, slots=True)
class XRay:
    """What a trainer makes of the rows. route : of the last file; files of several layouts are
    taken by several."""

    trainer: str
    version: str
    route: str
    where: str
    n_rows: int
    columns: Mapping[str, Column]
    outcomes: Mapping[str, Reason]
    notes: tuple[str, ...] = field(default=())

    def n_of(self, outcomes: Collection[str]) -> int:
        """Rows with one of these outcomes."""
        return sum(r.n_rows for k, r in self.outcomes.items() if k in outcomes)


PAIRS = (
    "same",
    "reversed",
    "prompt_differs",
    "other_pair",
    "worst_two",
    "tie",
    "several",
    "no_pair",
)
"""Outcomes of rows that the loader makes a pair of."""


def x_ray(run: Run, name: str) -> XRay:
    """The loader ``name`` on every row of the run."""
    loader = LOADERS[name]
    table, data = table_of(run), run.dataset
    truth = _Truth(data, table)
    columns: dict[str, Column] = {}
    outcomes: dict[str, Reason] = {}
    routes: dict[int, Route] = {}
    n = 0
    known = _columns_of(run)
    for row, at in placed(run, table):
        n += 1
        if row.value is None:
            outcomes.setdefault("not_an_object", Reason()).add(place(run, row))
            continue
        if row.file not in routes:
            routes[row.file] = loader.route(known[row.file])
        route, roles = routes[row.file], truth.roles[row.file]
        for column, value in row.value.items():
            held = columns.get(column)
            if held is None:
                fate = route.reads.get(column, "dropped")
                held = columns[column] = Column(0, roles.get(column, ""), fate)
            held.n_rows += value is not None
        try:
            outcome = truth.outcome(at, route.load(row.value))
        except Fails as why:
            outcome = str(why)
        outcomes.setdefault(outcome, Reason()).add(place(run, row))
    last = routes[max(routes)] if routes else loader.routes[-1]
    return XRay(loader.name, loader.version, last.name, last.where, n, columns, outcomes)


def _columns_of(run: Run) -> list[set[str]]:
    """The columns of each file: a table has those of all its rows."""
    out: list[set[str]] = [set() for _ in run.files]
    for row, _ in placed(run, table_of(run)):
        if row.value is not None:
            out[row.file].update(row.value)
    return out


class _Truth:
    """What the audit read in each row."""

    def __init__(self, data: PreferenceDataset, table: RowTable) -> None:
        self._texts = data.alternatives["text"].to_list()
        self._prompts, self._prompt_of = data.prompts["text"].to_list(), data.prompt_of
        c = data.comparisons
        at = table.at(keys(c["file"], c["line"]))
        n = np.bincount(at, minlength=table.n)
        first = np.full(table.n, -1, dtype=np.int64)
        first[at[::-1]] = np.arange(at.size)[::-1]
        self._pair = np.where(n == 1, first, -1)
        self._n_pairs: IntArray = n.astype(np.int64)
        self._tied = (c["outcome"] == 0.5).to_list()
        self._sides = (c["winner"].to_list(), c["loser"].to_list())
        s, k = data.choice_sets, data.choice_members
        of = table.at(keys(s["file"], s["line"]))
        sets = np.bincount(of, minlength=table.n)
        one = np.full(table.n, -1, dtype=np.int64)
        one[of] = np.arange(of.size)
        self._list = np.where((sets == 1) & (n == 0), one, -1)
        self._start = np.searchsorted(k["set"].to_numpy(), np.arange(s.height + 1))
        self._members, self._ranks = k["alternative"].to_list(), k["rank"].to_list()
        self.roles = [
            {name: role for role, name in m.fields.items()}
            | {name: "prompt" for name in m.prompt_fields if name not in m.fields.values()}
            for m in data.report.schemas
        ]

    def outcome(self, at: int, loaded: Loaded) -> str:
        """A slug of the module's list."""
        if at < 0:
            return "no_pair"
        won, lost = canonical(loaded.chosen), canonical(loaded.rejected)
        k = int(self._pair[at])
        if k >= 0:
            winner, loser = (side[k] for side in self._sides)
            pair = (self._texts[winner], self._texts[loser])
            if self._tied[k] and {won, lost} == set(pair):
                return "tie"
            if (won, lost) == pair:
                return "same" if self._asks(winner, loaded.prompt) else "prompt_differs"
            return "reversed" if (lost, won) == pair else "other_pair"
        which = int(self._list[at])
        if which >= 0:
            return self._of_list(which, won, lost)
        return "several" if self._n_pairs[at] > 1 else "no_pair"

    def _of_list(self, which: int, won: str, lost: str) -> str:
        here = range(int(self._start[which]), int(self._start[which + 1]))
        ranks = {self._texts[self._members[i]]: self._ranks[i] for i in here}
        a, b = ranks.get(won, -1), ranks.get(lost, -1)
        if a < 0 or b < 0:
            return "other_pair"
        above = sum(r >= 0 for r in ranks.values()) - sum(r >= min(a, b) for r in ranks.values())
        if len(ranks) > 2 and above == len(ranks) - 2:
            return "worst_two"
        return "same" if a < b else "reversed"

    def _asks(self, alternative: int, prompt: str) -> bool:
        """Whether a prompt says all that the audit read, roles and white space aside."""
        asked = self._prompts[int(self._prompt_of[alternative])]
        return asked is None or set(_words(asked)) <= set(_words(prompt))


_ROLE = re.compile(r"^(?:system|user|assistant|tool): ", re.MULTILINE)


def _words(text: str) -> list[str]:
    return _ROLE.sub("", text).split()
