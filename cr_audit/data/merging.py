"""Two data sets as one, in an order that only their content decides, and the way back.

Row order, file order and line numbers leave no trace in the positions: prompts, alternatives and
annotators are sorted by identifier or name, rows by what they say and by which of the two data sets
they come from. Two reads of the same rows in another order therefore give the same arrays, and with
them the same random draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from cr_audit.arrays import IntArray
from cr_audit.data.dataset import PreferenceDataset, ReadReport
from cr_audit.data.joining import join_texts

_CONTENT = {
    "comparisons": ("winner", "loser", "outcome", "annotator", "winner_first", "mass"),
    "ratings": ("alternative", "aspect", "annotator", "score"),
    "mentions": ("alternative",),
}


def merged(left: PreferenceDataset, right: PreferenceDataset) -> PreferenceDataset:
    """All rows of both; those of ``right`` keep their files, numbered after those of ``left``.

    Alternatives and prompts with one identifier become one. Alternatives of either that only name
    their author find their text in the other (``data.joining``).
    """
    prompts = _by_id(left.prompts, right.prompts)
    ids = _by_id(left.alternatives, right.alternatives)
    names = sorted({*left.annotators, *right.annotators})
    n_left = len(left.report.files)
    index = {name: i for i, name in enumerate(names)}
    first = _Moved(left, prompts, ids, index, 0)
    second = _Moved(right, prompts, ids, index, n_left)
    alternatives = _by_id(first.alternatives, second.alternatives)
    sets, members = _ordered_sets(*_joined_sets(first, second), n_left)
    report = _reports(left.report, right.report)
    return join_texts(
        PreferenceDataset(
            prompts=prompts,
            alternatives=alternatives,
            comparisons=_ordered(
                "comparisons",
                _plain_ties(pl.concat([first.comparisons, second.comparisons])),
                n_left,
            ),
            choice_sets=sets,
            choice_members=members,
            ratings=_ordered("ratings", pl.concat([first.ratings, second.ratings]), n_left),
            annotators=tuple(names),
            mentions=_ordered("mentions", pl.concat([first.mentions, second.mentions]), n_left),
            report=report,
        )
    )


def restricted(
    data: PreferenceDataset, n_files: int, report: ReadReport
) -> tuple[PreferenceDataset, IntArray, IntArray]:
    """The rows of the first ``n_files`` files, and which of the alternatives and of the prompts of
    ``data`` they use: int64, ascending. ``report`` becomes the result's report."""

    def of_files(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(pl.col("file") < n_files)

    mentions = of_files(data.mentions)
    kept = np.unique(mentions["alternative"].to_numpy()).astype(np.int64)
    prompts = np.unique(data.alternatives["prompt"].to_numpy()[kept]).astype(np.int64)
    to_alternative = _numbers(kept, data.n_alternatives)
    to_prompt = _numbers(prompts, data.n_prompts)
    held = data.choice_sets.with_row_index("set").filter(pl.col("file") < n_files)
    members = data.choice_members.filter(pl.col("set").is_in(held["set"].implode()))
    renumbered = _numbers(held["set"].to_numpy().astype(np.int64), data.choice_sets.height)
    result = replace(
        data,
        prompts=data.prompts[prompts],
        alternatives=_mapped(data.alternatives[kept], {"prompt": to_prompt}),
        comparisons=_mapped(
            of_files(data.comparisons),
            {"winner": to_alternative, "loser": to_alternative, "prompt": to_prompt},
        ),
        choice_sets=_mapped(held.drop("set"), {"prompt": to_prompt}),
        choice_members=_mapped(members, {"set": renumbered, "alternative": to_alternative}),
        ratings=_mapped(of_files(data.ratings), {"alternative": to_alternative}),
        mentions=_mapped(mentions, {"alternative": to_alternative}),
        report=report,
    )
    return result, kept, prompts


class _Moved:
    """One data set with every index replaced by that of the common tables."""

    def __init__(
        self,
        data: PreferenceDataset,
        prompts: pl.DataFrame,
        alternatives: pl.DataFrame,
        annotators: Mapping[str, int],
        shift: int,
    ) -> None:
        prompt = _places(data.prompts["id"], prompts["id"])
        alternative = _places(data.alternatives["id"], alternatives["id"])
        who = np.array([*(annotators[name] for name in data.annotators), -1], np.int64)
        self.alternatives = _mapped(data.alternatives, {"prompt": prompt})
        comparisons = _mapped(
            data.comparisons,
            {"winner": alternative, "loser": alternative, "prompt": prompt, "annotator": who},
        )
        self.comparisons = _shifted(comparisons, shift)
        sets = _mapped(data.choice_sets, {"prompt": prompt, "annotator": who})
        self.sets = _shifted(sets, shift)
        self.members = _mapped(data.choice_members, {"alternative": alternative})
        ratings = _mapped(data.ratings, {"alternative": alternative, "annotator": who})
        self.ratings = _shifted(ratings, shift)
        self.mentions = _shifted(_mapped(data.mentions, {"alternative": alternative}), shift)


def _shifted(frame: pl.DataFrame, by: int) -> pl.DataFrame:
    return frame.with_columns((pl.col("file") + by).cast(frame.schema["file"]))


def _mapped(frame: pl.DataFrame, to: Mapping[str, IntArray]) -> pl.DataFrame:
    """Index columns replaced by what stands at their place; -1 finds the last entry."""
    return frame.with_columns(
        pl.Series(name, new[frame[name].to_numpy()], dtype=frame.schema[name])
        for name, new in to.items()
    )


def _numbers(kept: IntArray, n: int) -> IntArray:
    out = np.full(n + 1, -1, np.int64)
    out[kept] = np.arange(kept.size)
    return out


def _by_id(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    both = pl.concat([left, right])
    return both.unique("id", keep="first", maintain_order=True).sort("id")


def _places(ids: pl.Series, table: pl.Series) -> IntArray:
    """Where each identifier stands in the sorted table; one more entry, -1, for "none"."""
    at = np.searchsorted(table.to_numpy().astype("U"), ids.to_numpy().astype("U"))
    return np.append(at, -1).astype(np.int64)


def _plain_ties(frame: pl.DataFrame) -> pl.DataFrame:
    """The two sides of a tie in ascending order: which of them a row names first says nothing."""
    turn = (pl.col("outcome") == 0.5) & (pl.col("winner") > pl.col("loser"))
    first = pl.col("winner_first")
    return frame.with_columns(
        winner=pl.when(turn).then("loser").otherwise("winner"),
        loser=pl.when(turn).then("winner").otherwise("loser"),
        winner_first=pl.when(turn & (first >= 0)).then(1 - first).otherwise(first).cast(pl.Int8),
    )


def _ordered(name: str, frame: pl.DataFrame, n_left: int) -> pl.DataFrame:
    side = pl.col("file") >= n_left
    return frame.sort([*_CONTENT[name], side, "file", "line"], maintain_order=True)


def _joined_sets(first: _Moved, second: _Moved) -> tuple[pl.DataFrame, pl.DataFrame]:
    later = second.members.with_columns((pl.col("set") + first.sets.height).cast(pl.UInt32))
    return pl.concat([first.sets, second.sets]), pl.concat([first.members, later])


def _ordered_sets(
    sets: pl.DataFrame, members: pl.DataFrame, n_left: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Members by alternative, sets by prompt, annotator and members."""
    if sets.is_empty():
        return sets, members
    members = members.sort("set", "alternative", "rank", maintain_order=True)
    words = pl.concat_str(
        pl.col("alternative").cast(pl.String), pl.col("rank").cast(pl.String), separator=":"
    )
    said = members.group_by("set", maintain_order=True).agg(said=words.str.join(","))
    numbered = sets.with_row_index("set").with_columns(pl.col("set").cast(pl.UInt32))
    order = numbered.join(said, on="set", how="left", maintain_order="left").sort(
        ["prompt", "annotator", "said", "mass", pl.col("file") >= n_left, "file", "line"]
    )
    old = order["set"].to_numpy()
    number = np.empty(old.size, np.int64)
    number[old] = np.arange(old.size)
    moved = _mapped(members, {"set": number}).sort("set", maintain_order=True)
    return order.drop("set", "said").select(sets.columns), moved


def _reports(left: ReadReport, right: ReadReport) -> ReadReport:
    def added(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
        return {k: a.get(k, 0) + b.get(k, 0) for k in sorted({*a, *b})}

    return ReadReport(
        files=left.files + right.files,
        schemas=left.schemas + right.schemas,
        rows_read=left.rows_read + right.rows_read,
        rows_skipped=left.rows_skipped + right.rows_skipped,
        skipped_by_reason=added(left.skipped_by_reason, right.skipped_by_reason),
        noted=added(left.noted, right.noted),
        examples=left.examples + right.examples,
    )
