"""Rows into a file: JSON lines byte for byte as they stood, CSV and Parquet by value."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import polars as pl

from cr_audit.errors import ComputeError, UsageError
from cr_audit.files import whole_file
from cr_audit.readers.raw import RawRow

_SLICE = 20_000


class OutRow(NamedTuple):
    """A row to be written: where it came from, its object, its own bytes (None: written anew from
    the object), and the columns that are added."""

    place: str
    value: dict[str, Any]
    raw: bytes | None
    added: Mapping[str, Any]
    repaired: bool = False


def as_it_was(row: RawRow, place: str, added: Mapping[str, Any]) -> OutRow:
    """A row of the input with further columns."""
    return OutRow(place, row.value or {}, row.raw, added, row.repaired)


def format_of(path: Path, suffixes: tuple[str, ...]) -> str:
    """The suffix that says how ``path`` is written. Raises UsageError for another."""
    suffix = {".ndjson": ".jsonl", ".jl": ".jsonl"}.get(path.suffix.lower(), path.suffix.lower())
    if suffix not in suffixes:
        raise UsageError(
            "unknown-suffix",
            "the suffix of -o says how rows are written",
            found=str(path),
            next_step=f"name a file that ends in {', '.join(suffixes)}",
        )
    return suffix


def write_rows(
    rows: Iterable[OutRow],
    path: Path,
    suffix: str,
    *,
    fields: Iterable[str] = (),
    types: Mapping[str, Any] | None = None,
    option: str = "-o",
) -> int:
    """Write the rows; how many. fields : the columns of a CSV file, in order, without those added.
    types : of columns of a Parquet file, where they are known.

    Raises UsageError where a row has a field of an added column's name, ComputeError where the
    format cannot hold a row.
    """
    with whole_file(path, option=option) as out:
        n = 0
        if suffix == ".jsonl":
            for row in rows:
                out.write(json_line(row))
                n += 1
            return n
        if suffix == ".csv":
            for piece in _csv_lines(rows, list(fields)):
                out.write(piece)
                n += 1
            return n - 1  # the header is no row
        return _write_parquet(rows, out, dict(types or {}))


def json_line(row: OutRow) -> bytes:
    """The row as one line: its own bytes up to the closing brace, then the added columns."""
    _no_clash(row)
    head = row.raw
    if head is None:
        text = json.dumps(row.value, ensure_ascii=False, separators=(", ", ": "))
        head = text.encode("utf-8", "surrogatepass")
    if not row.added:
        return head + b"\n"
    body = head[:-1].rstrip()
    comma = b"" if body.endswith(b"{") and not row.value else b", "
    return body + comma + orjson.dumps(dict(row.added))[1:] + b"\n"


def _no_clash(row: OutRow) -> None:
    for name in row.added:
        if name in row.value:
            raise UsageError(
                "column-exists",
                f"the rows have a field {name!r} already",
                found=row.place,
                next_step="choose another name with --weight-column, or other ones with --prefix",
            )


def _cell(value: Any) -> str:
    """A value in a cell: texts as they are, nothing for null, else JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _csv_lines(rows: Iterable[OutRow], fields: list[str]) -> Iterator[bytes]:
    """The header, then one piece per row."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)

    def line(cells: list[str]) -> bytes:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cells)
        return buffer.getvalue().encode("utf-8")

    started = False
    for row in rows:
        _no_clash(row)
        _no_surrogates(row, "CSV")
        if not started:
            yield line([*fields, *row.added])
            started = True
        added = [" ".join(v) if isinstance(v, list) else _cell(v) for v in row.added.values()]
        yield line([*(_cell(row.value.get(f)) for f in fields), *added])
    if not started:
        yield line(fields)


def _no_surrogates(row: OutRow, what: str) -> None:
    if row.repaired:
        raise ComputeError(
            "lone-surrogate",
            f"the row holds a lone surrogate, which {what} cannot hold",
            where=row.place,
            next_step="write .jsonl, which keeps the escape as it stands",
        )


def _write_parquet(rows: Iterable[OutRow], out: Any, types: dict[str, Any]) -> int:
    frames: list[pl.DataFrame] = []
    some: list[dict[str, Any]] = []

    def flush() -> None:
        try:
            held = {k: t for k, t in types.items() if any(k in row for row in some)}
            frame = pl.DataFrame(some, schema_overrides=held, infer_schema_length=None, strict=True)
            _nothing_lost(some, frame)
            frames.append(frame)
        except (pl.exceptions.PolarsError, TypeError, OverflowError) as error:
            raise _mixed(error) from error
        some.clear()

    for row in rows:
        _no_clash(row)
        _no_surrogates(row, "Parquet")
        some.append({**row.value, **row.added})
        if len(some) == _SLICE:
            flush()
    if some or not frames:
        flush()
    try:
        whole = pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise _mixed(error) from error
    whole.write_parquet(out)
    return whole.height


def _nothing_lost(rows: list[dict[str, Any]], frame: pl.DataFrame) -> None:
    """Raises TypeError for a column in which a value became null: where objects of one column
    disagree in the type of a field, polars leaves them out without a word."""
    for name, dtype in frame.schema.items():
        given = [row.get(name) for row in rows]
        if dtype.is_nested():
            lost = _without_nulls(frame[name].to_list()) != _without_nulls(given)
        else:
            lost = frame[name].null_count() != given.count(None)
        if lost:
            raise TypeError(f"column {name}")


def _without_nulls(value: Any) -> Any:
    """A table gives every object the fields of all, null where it has none."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


def _mixed(error: Exception) -> ComputeError:
    return ComputeError(
        "mixed-types",
        "a column holds values of several kinds, which Parquet cannot hold",
        found=str(error)[:200],
        next_step="write .jsonl",
    )
