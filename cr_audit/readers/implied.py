"""Vectorised looks at the whole: repeated and contradictory rows, and pairs implied by lists."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from cr_audit.data.dataset import Remark, RowIssue
from cr_audit.errors import UsageError

MAX_IMPLIED = 50_000_000
"""Pairs that lists or ratings may imply before the request is refused (about 2.5 GB)."""
_EXAMPLES = 5


def _remark(reason: str, rows: pl.DataFrame, found: str, paths: Sequence[str]) -> Remark:
    rows = rows.select("file", "line").unique(maintain_order=True)
    first = [
        RowIssue(reason, paths[file], line, "row", found)
        for file, line in rows.head(_EXAMPLES).iter_rows()
    ]
    return Remark(reason, rows.height, first)


def row_notes(
    comparisons: pl.DataFrame, ratings: pl.DataFrame, paths: Sequence[str]
) -> list[Remark]:
    """Rows that repeat an earlier one, rows that contradict another, pairs seen in both orders.

    duplicate_row : the same alternatives, outcome, annotator and order as in an earlier row.
    contradictory_row : the same annotator (or none is known) let each side win once or more.
    both_orders : the same annotator (or none) saw the pair in both orders.
    Counts are of rows; each remark is a hint, the rows are kept.
    """
    out: list[Remark] = []
    if comparisons.height:
        rows = several_times(comparisons)
        out.append(_remark("duplicate_row", repeated(rows), "the same judgement again", paths))
        out.append(_remark("contradictory_row", contradicting(rows), "each side won once", paths))
        seen = rows.filter(pl.col("first") >= 0)
        orders = seen.filter(pl.col("first").n_unique().over(_SOURCE) == 2)
        out.append(_remark("both_orders", orders, "the pair in both orders", paths))
    if ratings.height:
        key = ["alternative", "aspect", "annotator", "score"]
        again = ratings.filter(~pl.struct(*key).is_first_distinct())
        out.append(_remark("duplicate_rating", again, "the same score again", paths))
    return [r for r in out if r.n_rows]


_SOURCE = ["pair", "annotator"]


def judgements(comparisons: pl.DataFrame) -> pl.DataFrame:
    """Comparisons with ``pair`` u64 (both alternatives, in no order), ``side`` i8 (0: the one with
    the lower number won, 1: the other, 2: a tie), ``first`` i8 (1: the lower was shown first)."""
    low, high = pl.min_horizontal("winner", "loser"), pl.max_horizontal("winner", "loser")
    flipped = pl.col("winner") > pl.col("loser")
    side = pl.when(pl.col("outcome") == 0.5).then(pl.lit(2, pl.Int8)).otherwise(flipped)
    first = (
        pl.when(pl.col("winner_first") < 0)
        .then(pl.lit(-1, pl.Int8))
        .otherwise((pl.col("winner_first") == 1) ^ flipped)
    )
    return comparisons.select(
        "annotator",
        "file",
        "line",
        pair=low.cast(pl.UInt64) * (1 << 32) + high.cast(pl.UInt64),
        side=side.cast(pl.Int8),
        first=first.cast(pl.Int8),
    )


def several_times(comparisons: pl.DataFrame) -> pl.DataFrame:
    """``judgements`` of the pairs that one annotator (or nobody known) met more than once."""
    return judgements(comparisons).filter(pl.struct(_SOURCE).is_duplicated())


def repeated(rows: pl.DataFrame) -> pl.DataFrame:
    """Of ``several_times``: those that repeat an earlier one."""
    return rows.filter(~pl.struct(*_SOURCE, "side", "first").is_first_distinct())


def contradicting(rows: pl.DataFrame) -> pl.DataFrame:
    """Of ``several_times``: the decided ones of pairs of which each side won once or more."""
    decided = rows.filter(pl.col("side") < 2)
    return decided.filter(pl.col("side").n_unique().over(_SOURCE) == 2)


def expand_sets(sets: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """The strict pairs that choice sets imply, in the columns of the comparisons.

    A better rank beats a worse one. Where only the choice is known (one ranked member) it beats
    the others. Equal ranks and unranked members among themselves imply nothing.
    """
    numbered = sets.with_row_index("set").with_columns(pl.col("set").cast(pl.UInt32))
    n_pairs = int((sets["n_members"].cast(pl.Int64).pow(2)).sum() or 0)
    _refuse_beyond(n_pairs, "--expand-choices")
    ranked = (pl.col("rank") >= 0).sum().over("set")
    m = members.with_row_index("place").with_columns(only_choice=ranked == 1)
    joined = m.join(m.select("set", "alternative", "rank", "place"), on="set", suffix="_other")
    better = (pl.col("rank") >= 0) & (
        ((pl.col("rank_other") >= 0) & (pl.col("rank") < pl.col("rank_other")))
        | (pl.col("only_choice") & (pl.col("rank_other") < 0))
    )
    pairs = joined.filter(better).sort("place", "place_other").join(numbered, on="set", how="left")
    return pairs.select(
        winner=pl.col("alternative"),
        loser=pl.col("alternative_other"),
        outcome=pl.lit(1.0),
        mass=pl.col("mass"),
        annotator=pl.col("annotator"),
        prompt=pl.col("prompt"),
        winner_first=pl.lit(-1, pl.Int8),
        file=pl.col("file"),
        line=pl.col("line"),
    )


def pair_ratings(ratings: pl.DataFrame, alternatives: pl.DataFrame) -> pl.DataFrame:
    """Pairs of ratings of one prompt, aspect and annotator: the higher score wins, equal = tie.

    File and line are those of the later of the two rows.
    """
    key = ["prompt", "aspect", "annotator"]
    r = ratings.with_columns(
        prompt=alternatives["prompt"].gather(ratings["alternative"])
    ).with_row_index("place")
    sizes = r.group_by(key).len()["len"].cast(pl.Int64)
    _refuse_beyond(int((sizes * (sizes - 1) // 2).sum() or 0), "--ratings-to-pairs")
    joined = r.join(r, on=key, suffix="_other", nulls_equal=True).filter(
        (pl.col("place") < pl.col("place_other"))
        & (pl.col("alternative") != pl.col("alternative_other"))
    )
    joined = joined.sort("place", "place_other")
    won = pl.col("score") >= pl.col("score_other")
    return joined.select(
        winner=pl.when(won).then("alternative").otherwise("alternative_other"),
        loser=pl.when(won).then("alternative_other").otherwise("alternative"),
        outcome=pl.when(pl.col("score") == pl.col("score_other")).then(0.5).otherwise(1.0),
        mass=pl.lit(1.0),
        annotator=pl.col("annotator"),
        prompt=pl.col("prompt"),
        winner_first=pl.lit(-1, pl.Int8),
        file=pl.col("file_other"),
        line=pl.col("line_other"),
    )


def _refuse_beyond(n_pairs: int, option: str) -> None:
    if n_pairs > MAX_IMPLIED:
        raise UsageError(
            "too_many_pairs",
            f"{option} would make {n_pairs:,} pairs; the limit is {MAX_IMPLIED:,}",
            next_step="leave the option away, or read a part of the data",
        )
