"""Which rows a clean set keeps, in rounds, until nothing is left to remove.

A round: rows with boilerplate go (on request); every copy is mapped to the medoid of its cluster;
rows that then compare a response with itself go; pairs that one source decided both ways are
settled; of rows that say the same, one stays, the one that names the medoids itself before one in
which a copy's text must be replaced. Taking rows away can join what complete linkage had kept
apart (two clusters whose medoids are near, prompts whose common neighbour is gone), so the clones
of what is left are searched for anew, until there are none: what a second scan of the result sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from cr_audit.arrays import BoolArray, IntArray, NotApplicable
from cr_audit.clones.find import CloneReport
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.export.annotate import RowTable, keys
from cr_audit.readers.implied import judgements

FindClones = Callable[[IntArray], tuple[CloneReport | NotApplicable, IntArray]]
"""Alternatives (ascending) -> their clones, and the numbers of the alternatives in these."""


@dataclass(slots=True, eq=False)
class Plan:
    """reason : of each row of the table, "" where it stays. stands_for : int64 (n_alternatives,),
    whose text an alternative gets: its own or the medoid's."""

    reason: list[str]
    stands_for: IntArray
    n_rounds: int = 0

    @property
    def kept(self) -> BoolArray:
        """Which rows are written. (n,) bool."""
        return np.array([not r for r in self.reason], dtype=bool)


@dataclass(frozen=True, slots=True)
class Wanted:
    """contradictions : "majority", "drop" or "keep"."""

    contradictions: str
    boilerplate: bool


@dataclass(slots=True, eq=False)
class Planner:
    """Holds the arrays of one data set while rounds go on.

    refused : alternatives whose text could not be replaced in some row; rows with them go.
    """

    data: PreferenceDataset
    table: RowTable
    wanted: Wanted
    find: FindClones
    refused: set[int] = field(default_factory=set)
    _at: IntArray = field(init=False)
    _who: IntArray = field(init=False)
    _author: IntArray = field(init=False)

    def __post_init__(self) -> None:
        m = self.data.mentions
        self._at = self.table.at(keys(m["file"], m["line"]))
        self._who = m["alternative"].to_numpy().astype(np.int64)
        a = self.data.alternatives
        names = a.select("prompt", "model", "key").with_row_index("i")
        self._author = (
            names.select(pl.struct("prompt", "model", "key").rank("dense").cast(pl.Int64))
            .to_series()
            .to_numpy()
        )

    def plan(self) -> Plan:
        """Rounds until a search finds no clones of responses, and no boilerplate if asked."""
        plan = Plan([""] * self.table.n, np.arange(self.data.n_alternatives, dtype=np.int64))
        while True:
            plan.n_rounds += 1
            clones, numbers = self.find(self._alive(plan))
            removed = False
            if not isinstance(clones, NotApplicable):
                removed = self._boilerplate(plan, clones, numbers)
                removed |= self._copies(plan, clones, numbers)
            self._self_compared(plan)
            removed |= self._settle(plan)
            removed |= self._repeats(plan)
            if not removed:
                return plan

    def _alive(self, plan: Plan) -> IntArray:
        """Alternatives that the kept rows name, after copies were replaced."""
        kept = plan.kept
        return np.unique(plan.stands_for[self._who[kept[self._at]]])

    def _drop(self, plan: Plan, rows: IntArray, reason: str) -> bool:
        changed = False
        for i in rows.tolist():
            if not plan.reason[i]:
                plan.reason[i] = reason
                changed = True
        return changed

    def _rows_with(self, plan: Plan, marked: BoolArray) -> IntArray:
        """Rows in which an alternative stands that is marked, after replacement."""
        return np.unique(self._at[marked[plan.stands_for[self._who]]])

    def _boilerplate(self, plan: Plan, clones: CloneReport, numbers: IntArray) -> bool:
        if not self.wanted.boilerplate:
            return False
        marked = np.zeros(self.data.n_alternatives, dtype=bool)
        for c in clones.clusters:
            if c.scope == "boilerplate":
                marked[numbers[c.members]] = True
        return self._drop(plan, self._rows_with(plan, marked), "boilerplate")

    def _copies(self, plan: Plan, clones: CloneReport, numbers: IntArray) -> bool:
        """Copies of the medoid's own author under its prompt get its text; rows with others go."""
        medoid = np.arange(self.data.n_alternatives, dtype=np.int64)
        for kind in ("exact", "near"):
            for c in clones.clusters:
                if c.scope == "response" and c.kind == kind:
                    medoid[numbers[c.members]] = numbers[c.medoid]
        copy = medoid != np.arange(medoid.size)
        same = self._author == self._author[medoid]
        refused = np.zeros(medoid.size, dtype=bool)
        refused[list(self.refused)] = True
        # Earlier copies stand for this one too, so all of them must be replaceable.
        gone = copy & (~same | refused)
        changed = self._drop(plan, self._rows_with(plan, gone), "copy")
        if refused.any():
            replaced = plan.stands_for != np.arange(medoid.size)
            replaced |= copy[plan.stands_for]
            which = refused & replaced
            changed |= self._drop(plan, np.unique(self._at[which[self._who]]), "copy")
        moved = medoid[plan.stands_for]
        moved = np.where(gone[plan.stands_for], plan.stands_for, moved)
        changed |= bool((moved != plan.stands_for).any())
        plan.stands_for = moved
        return changed

    def _self_compared(self, plan: Plan) -> None:
        """Rows in which a copy met its own medoid: nothing is left to compare."""
        c, to = self.data.comparisons, plan.stands_for
        a, b = to[c["winner"].to_numpy()], to[c["loser"].to_numpy()]
        rows = self.table.at(keys(c["file"], c["line"]))[a == b]
        self._drop(plan, np.unique(rows), "copies_compared")
        k, s = self.data.choice_members, self.data.choice_sets
        if s.height:
            at = self.table.at(keys(s["file"], s["line"]))[k["set"].to_numpy()]
            both = pl.DataFrame({"row": at, "who": to[k["alternative"].to_numpy()]})
            lists = both.filter(pl.struct("row", "who").is_duplicated())["row"].unique()
            known = self._lists_with_repeats()
            self._drop(plan, np.setdiff1d(lists.to_numpy(), known), "copies_compared")

    def _lists_with_repeats(self) -> IntArray:
        """Rows with several lists name an alternative more than once without any copy."""
        k, s = self.data.choice_members, self.data.choice_sets
        at = self.table.at(keys(s["file"], s["line"]))[k["set"].to_numpy()]
        both = pl.DataFrame({"row": at, "who": k["alternative"]})
        again = both.filter(pl.struct("row", "who").is_duplicated())["row"].unique()
        return again.to_numpy()

    def _single(self, plan: Plan) -> pl.DataFrame:
        """The judgements of kept rows with one comparison alone, after replacement: ``judgements``
        with row, n_replaced, mass."""
        c, to = self.data.comparisons, plan.stands_for
        at = self.table.at(keys(c["file"], c["line"]))
        once = (np.bincount(at, minlength=self.table.n) == 1) & (self.table.winner >= 0)
        use = once[at] & plan.kept[at]
        a, b = c["winner"].to_numpy().astype(np.int64), c["loser"].to_numpy().astype(np.int64)
        mapped = c.with_columns(
            winner=pl.Series(to[a]).cast(pl.UInt32), loser=pl.Series(to[b]).cast(pl.UInt32)
        )
        out = judgements(mapped).with_columns(
            row=pl.Series(at),
            n_replaced=pl.Series((to[a] != a).astype(np.int8) + (to[b] != b)),
            mass=c["mass"],
        )
        return out.filter(pl.Series(use))

    def _settle(self, plan: Plan) -> bool:
        """Pairs that one source decided both ways: the side with more mass stays, or neither."""
        if self.wanted.contradictions == "keep":
            return False
        source = ["pair", "annotator"]
        decided = self._single(plan).filter(pl.col("side") < 2)
        both = decided.filter(pl.col("side").n_unique().over(source) == 2)
        if both.is_empty():
            return False
        if self.wanted.contradictions == "drop":
            return self._drop(plan, both["row"].to_numpy(), "contradiction")
        sums = both.with_columns(
            (pl.col("mass") * (1 - 2 * pl.col("side").cast(pl.Float64)))
            .sum()
            .over(source)
            .alias("lead")
        )
        even = sums.filter(pl.col("lead") == 0)
        lost = sums.filter((pl.col("lead") != 0) & ((pl.col("lead") < 0) == (pl.col("side") == 0)))
        changed = self._drop(plan, even["row"].to_numpy(), "contradiction_undecided")
        return self._drop(plan, lost["row"].to_numpy(), "contradiction") or changed

    def _repeats(self, plan: Plan) -> bool:
        """Of rows that say the same, the first in which least is replaced stays."""
        key = ["pair", "annotator", "side", "first"]
        rows = self._single(plan).sort("n_replaced", "row")
        again = rows.filter(~pl.struct(key).is_first_distinct())
        own = again.filter(pl.col("n_replaced") == 0)["row"].to_numpy()
        copied = again.filter(pl.col("n_replaced") > 0)["row"].to_numpy()
        changed = self._drop(plan, own, "repeat")
        changed |= self._drop(plan, copied, "copy")
        return self._drop(plan, self._repeated_lists(plan), "repeat") or changed

    def _repeated_lists(self, plan: Plan) -> IntArray:
        """Kept rows that hold one list and repeat an earlier one."""
        k, s = self.data.choice_members, self.data.choice_sets
        if not s.height:
            return np.empty(0, dtype=np.int64)
        at = self.table.at(keys(s["file"], s["line"]))
        pairs = self.data.comparisons
        other = np.bincount(
            self.table.at(keys(pairs["file"], pairs["line"])), minlength=self.table.n
        )
        alone = (np.bincount(at, minlength=self.table.n) == 1) & (other == 0) & plan.kept
        said = (
            k.with_columns(who=pl.Series(plan.stands_for[k["alternative"].to_numpy()]))
            .group_by("set")
            .agg(pl.struct("who", "rank").alias("members"))
            .sort("set")
        )
        lists = s.select("prompt", "annotator").with_columns(
            members=said["members"], row=pl.Series(at)
        )
        lists = lists.filter(pl.Series(alone[at]))
        seen: set[str] = set()
        again = []
        for prompt, who, members, row in lists.iter_rows():
            text = repr((prompt, who, members))
            if text in seen:
                again.append(row)
            seen.add(text)
        return np.array(again, dtype=np.int64)
