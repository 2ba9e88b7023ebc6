"""Files in, one PreferenceDataset out: a container table times a schema table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import BinaryIO

from cr_audit.data.dataset import FileRead, PreferenceDataset, SchemaMatch
from cr_audit.data.joining import join_texts
from cr_audit.errors import InputError, UsageError
from cr_audit.readers.build import LEGITIMATE, Builder
from cr_audit.readers.containers import Container, Row, Unparsed
from cr_audit.readers.detect import SAMPLE, checked_mapping, find_schema, schema_named
from cr_audit.readers.fields import Notes
from cr_audit.readers.parsing import quote
from cr_audit.readers.records import BadRow
from cr_audit.readers.schemas import SCHEMAS
from cr_audit.readers.streams import STDIN, open_raw
from cr_audit.wording import percent, plural, verb

__all__ = ["SCHEMAS", "read"]


def read(
    paths: Sequence[str],
    *,
    schema: str | None = None,
    mapping: Mapping[str, str] | None = None,
    max_skipped: float = 0.01,
    limit_name: str = "--max-skipped",
    expand_choices: bool = False,
    ratings_to_pairs: bool = False,
    progress: Callable[[int, int], None] | None = None,
    stdin: BinaryIO | None = None,
) -> PreferenceDataset:
    """Read files (``-``: ``stdin``) into one data set.

    schema, mapping : force a schema by name, say which field plays which role; both apply to
    every file. Without them each file's schema is detected from its first rows.
    max_skipped : share in [0, 1] of rows that may be unusable. Rows whose label is explicitly
    missing (null winner, score -1 where the source says so) are skipped and counted as
    "missing_label", but are data and not damage: they never stop a read. limit_name : what the
    message calls that share.
    expand_choices : add the strict pairs that choice sets imply (this assumes IIA).
    ratings_to_pairs : add pairs of ratings of one prompt, aspect and annotator.
    progress : called with (bytes read, bytes in total, 0 if unknown).

    Raises InputError (exit 3) for what cannot be read or recognised, or if more than
    ``max_skipped`` of the rows are unusable; UsageError (exit 2) for options that do not exist.
    """
    if not paths:
        raise UsageError("no_files", "no file was given", next_step="name a file, or - for stdin")
    if not 0 <= max_skipped <= 1:
        raise UsageError("bad_share", f"max_skipped is {max_skipped}; it must lie in [0, 1]")
    if schema is not None:
        schema_named(schema)
    checked_mapping(mapping or {})
    opened = _open_all(paths, stdin, progress)
    builder = Builder()
    files: list[FileRead] = []
    matches: list[SchemaMatch] = []
    try:
        for container in opened:
            builder.begin_file(container.path)
            match = _read_file(container, builder, schema, mapping)
            matches.append(match)
            files.append(
                FileRead(
                    path=container.path,
                    container=container.container,
                    compression=container.compression,
                    n_rows=container.n_rows,
                    n_bytes=container.hashing.n_bytes,
                    sha256=container.hashing.sha256,
                )
            )
    finally:
        for container in opened:
            container.close()
    _check_skipped(builder, max_skipped, limit_name, files)
    return join_texts(
        builder.dataset(
            tuple(files),
            tuple(matches),
            expand_choices=expand_choices,
            ratings_to_pairs=ratings_to_pairs,
        )
    )


def _open_all(
    paths: Sequence[str], stdin: BinaryIO | None, progress: Callable[[int, int], None] | None
) -> list[Container]:
    """Open every file before the first is read, so that a wrong path is told at once."""
    if list(paths).count(STDIN) > 1:
        raise UsageError("stdin_twice", "- was given twice", next_step="give - once")
    raws = []
    try:
        for path in paths:
            raws.append((path, *open_raw(path, stdin)))  # noqa: PERF401 - closed if one fails
    except InputError:
        for path, raw, _ in raws:
            if path != STDIN:
                raw.close()
        raise
    sizes = [size for _, _, size in raws]
    total = sum(sizes) if all(sizes) else 0
    done = 0

    def on_bytes(n: int) -> None:
        nonlocal done
        done += n
        if progress is not None:
            progress(done, total)

    return [Container(path, raw, on_bytes) for path, raw, _ in raws]


def _read_file(
    container: Container,
    builder: Builder,
    schema: str | None,
    mapping: Mapping[str, str] | None,
) -> SchemaMatch:
    rows: Iterator[Row] = container.rows()
    head = list(islice(rows, SAMPLE))
    sample = [row.value for row in head if isinstance(row.value, dict)]
    if not sample:
        raise _no_objects(container, head)
    match, parser = find_schema(sample, container.path, schema=schema, mapping=mapping)
    del sample
    for line, value, repaired in chain(_emptied(head), rows):
        if isinstance(value, Unparsed):
            builder.skip(line, value.reason, "row", value.found)
            continue
        notes: Notes = [("lone_surrogate", "row", "replaced by U+FFFD")] if repaired else []
        try:
            builder.add(line, parser(value, notes), notes)
        except BadRow as bad:
            builder.skip(line, bad.reason, bad.field, quote(bad.found))
    return match


def _emptied(rows: list[Row]) -> Iterator[Row]:
    rows.reverse()
    while rows:
        yield rows.pop()


def _no_objects(container: Container, head: Sequence[Row]) -> InputError:
    if not head:
        return InputError(
            "empty", "the file holds no rows", where=container.path, next_step="give rows"
        )
    issues = [
        f"{container.path}:{row.line}: {row.value.reason}; found {row.value.found}"
        for row in head[:5]
        if isinstance(row.value, Unparsed)
    ]
    return InputError(
        "no_rows",
        f"none of the first {len(head)} rows is an object with fields",
        where=container.path,
        details=tuple(issues),
        next_step="give one JSON object per row",
    )


def _check_skipped(
    builder: Builder, max_skipped: float, limit_name: str, files: Sequence[FileRead]
) -> None:
    bad = sum(n for reason, n in builder.skipped.items() if reason not in LEGITIMATE)
    first = tuple(str(issue) for issue in builder.first_skipped)
    if bad > max_skipped * builder.rows_read:
        counts = ", ".join(f"{n:,} {r}" for r, n in builder.skipped.items() if r not in LEGITIMATE)
        are = verb(bad, "is", "are")
        raise InputError(
            "too_many_skipped",
            f"{bad:,} of {plural(builder.rows_read, 'row')} {are} unusable,"
            f" {percent(bad / builder.rows_read)} where {limit_name} allows"
            f" {percent(max_skipped)} ({counts})",
            where=files[0].path if len(files) == 1 else None,
            details=first,
            next_step=f"repair the rows, name another --schema or --map, or raise {limit_name}",
        )
    if builder.rows_read == sum(builder.skipped.values()):
        raise InputError(
            "no_usable_rows",
            f"all {builder.rows_read} rows lack a label",
            where=files[0].path if len(files) == 1 else None,
            next_step="give rows with a label, or name the label's field with --map label=FIELD",
        )
