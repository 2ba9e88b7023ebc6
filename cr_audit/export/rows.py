"""The rows that were read, unchanged and in order, with what is known of each.

Columns (``--prefix``, ``cr_`` by default): ``weight`` (mean 1 over the rows with a judgement, 0
for the others), ``weight_chosen`` and ``weight_rejected`` (alternative weights times their number,
so 1 is an average response), ``cluster_chosen`` and ``cluster_rejected`` (the clone cluster, as
``cr-audit clones`` names it), ``kind_chosen`` and ``kind_rejected`` (the kind of answer, as
``cr-audit kinds`` names it; its words stand in the metadata), ``prompt_kind`` (the same of what was
asked), ``flags`` (rules by id). Chosen is
the winner of the row's comparison, of a tie the side that stands first; rows of several pairs have
null there. Messages of a tree, whose ranked replies are rows of their own, have the weight of
their set of replies, and stand as chosen themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cr_audit.arrays import NotApplicable
from cr_audit.export.annotate import (
    RowTable,
    RowWeights,
    clusters_of,
    flags_of,
    keys,
    kinds_of,
    row_weights,
    skipped_flags,
)
from cr_audit.export.outcome import Exported, Reason
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
    from cr_audit.analysis.facts import NamedKinds
    from cr_audit.run import Run

SUFFIXES = (".jsonl", ".csv", ".parquet")
DIGITS = 9
ADDED = {
    "weight_chosen": pl.Float64,
    "weight_rejected": pl.Float64,
    "cluster_chosen": pl.String,
    "cluster_rejected": pl.String,
    "kind_chosen": pl.String,
    "kind_rejected": pl.String,
    "prompt_kind": pl.String,
    "flags": pl.List(pl.String),
}
"""The columns beside the weight, and their types in a Parquet file."""


def weights_of(run: Run, table: RowTable) -> RowWeights:
    """The weights of the run's rows, once."""
    made: RowWeights = run.once(
        "weights of rows",
        lambda: row_weights(run.analysis, table),
    )
    return made


def export(run: Run, path: Path) -> Exported:
    """Every row that is an object, with the columns above. Errors as ``tables.write_rows``."""
    check_target(run, path, metadata_path(path))
    done = replace(written(run, path), files=(str(path), str(metadata_path(path))))
    write_metadata(run, done, path)
    return done


def written(run: Run, path: Path) -> Exported:
    """The rows in one file, without anything beside it."""
    suffix = format_of(path, SUFFIXES)
    table = table_of(run)
    weights = weights_of(run, table)
    prefix: str = run.options["prefix"]
    weight = run.options["weight_column"] or f"{prefix}weight"
    found: NamedKinds | NotApplicable = run.facts("kinds").kinds
    asked: NamedKinds | NotApplicable = run.facts("prompts").kinds
    left_out: dict[str, Reason] = {}
    counts = {"read": 0}

    def rows() -> Iterator[OutRow]:
        annotated = _annotations(run, table, weights, found, asked, prefix, weight)
        for row, at in placed(run, table, messages=True):
            counts["read"] += 1
            if row.value is None:
                left_out.setdefault("not_an_object", Reason()).add(place(run, row))
                continue
            yield as_it_was(row, place(run, row), annotated(row, at))

    types = dict(types_of(run, suffix))
    if suffix == ".parquet":  # a column of nulls alone has a type too
        types |= {weight: pl.Float64}
        types |= {prefix + name: kind for name, kind in ADDED.items()}
    n = write_rows(rows(), path, suffix, fields=fields_of(run, suffix), types=types)
    return Exported(
        exit="rows",
        files=(str(path),),
        n_read=counts["read"],
        n_written=n,
        left_out=left_out,
        columns=(weight, *(prefix + name for name in ADDED)),
        kinds=_told(found),
        prompt_kinds=_told(asked),
        notes=() if not isinstance(found, NotApplicable) else (f"no kinds: {found.reason}",),
        weighting=weights.weighting,
    )


def _told(kinds: NamedKinds | NotApplicable) -> Mapping[str, tuple[str, ...]]:
    return (
        {} if isinstance(kinds, NotApplicable) else dict(zip(kinds.ids, kinds.words, strict=True))
    )


def _annotations(
    run: Run,
    table: RowTable,
    weights: RowWeights,
    kinds: NamedKinds | NotApplicable,
    asked: NamedKinds | NotApplicable,
    prefix: str,
    weight: str,
) -> Any:
    """(row, position in the table) -> the added columns of a row."""
    cluster, flags = clusters_of(run.analysis), flags_of(run.analysis, table)
    kind = kinds_of(kinds, run.dataset.n_alternatives)
    of_prompt, prompt_of = kinds_of(asked, run.dataset.n_prompts), run.dataset.prompt_of.tolist()
    skipped = skipped_flags(run.dataset)
    of_row = weights.weight.round(DIGITS).tolist()
    of_side = weights.of.round(DIGITS).tolist()
    winner, loser = table.winner.tolist(), table.loser.tolist()
    replies: dict[str, tuple[int, int]] = {}

    def columns(row: RawRow, at: int) -> dict[str, Any]:
        a, b = (winner[at], loser[at]) if at >= 0 else (-1, -1)
        if row.message:
            if not replies:
                replies.update(_replies(run, table))
            said = str((row.value or {}).get("message_id"))
            (a, at), b = replies.get(f"{row.file} {said}", (-1, -1)), -1
        if at >= 0:
            told = list(flags[at])
        else:
            why = skipped.get(row.file << 44 | row.line)
            told = [] if row.message and why is None else [why or "CR401"]
        return {
            weight: of_row[at] if at >= 0 else 0.0,
            f"{prefix}weight_chosen": of_side[a] if a >= 0 else None,
            f"{prefix}weight_rejected": of_side[b] if b >= 0 else None,
            f"{prefix}cluster_chosen": cluster[a] if a >= 0 else None,
            f"{prefix}cluster_rejected": cluster[b] if b >= 0 else None,
            f"{prefix}kind_chosen": kind[a] if a >= 0 else None,
            f"{prefix}kind_rejected": kind[b] if b >= 0 else None,
            f"{prefix}prompt_kind": of_prompt[prompt_of[a]] if a >= 0 else None,
            f"{prefix}flags": told,
        }

    return columns


def _replies(run: Run, table: RowTable) -> dict[str, tuple[int, int]]:
    """Of data in trees: "file message" -> the reply's alternative, and its set in the table."""
    m = run.dataset.mentions
    at = table.at(keys(m["file"], m["line"])).tolist()
    names = run.dataset.alternatives["key"].to_list()
    return {
        f"{file} {names[who]}": (who, i)
        for file, who, i in zip(m["file"].to_list(), m["alternative"].to_list(), at, strict=True)
    }
