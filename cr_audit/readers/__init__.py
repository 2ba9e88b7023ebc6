"""Files in, one PreferenceDataset out: a container table times a schema table."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

import numpy as np

from cr_audit.data.dataset import FileRead, PreferenceDataset, SchemaMatch
from cr_audit.data.joining import join_texts
from cr_audit.errors import InputError, UsageError
from cr_audit.readers.advice import pairing_step, reading_mismatch, skipped_step
from cr_audit.readers.batches import are_batches, rows_of
from cr_audit.readers.bounds import MAX_FIELDS, MAX_LATE, SAMPLE_BYTES, UNBOUNDED, Bounds
from cr_audit.readers.build import LEGITIMATE, Builder
from cr_audit.readers.containers import CONTAINERS, Container, Row, Unparsed
from cr_audit.readers.detect import (
    ELSEWHERE,
    SAMPLE,
    Found,
    ambiguous_ranking,
    checked_mapping,
    find_schema,
    no_field,
    schema_named,
    unknown_labels,
)
from cr_audit.readers.fields import Notes
from cr_audit.readers.masses import WeightCheck, check_range, unused_weights, with_row_weights
from cr_audit.readers.parsing import quote
from cr_audit.readers.records import BadRow
from cr_audit.readers.schemas import PROMPTS, SCHEMAS
from cr_audit.readers.selection import Picked
from cr_audit.readers.streams import STDIN, open_raw
from cr_audit.readers.threads import gathered, is_flat_tree
from cr_audit.wording import percent, plural, verb

__all__ = [
    "CONTAINERS",
    "SCHEMAS",
    "Bounds",
    "each_row",
    "pairing_step",
    "read",
    "reading_mismatch",
]


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without looks for circles of objects: a row is a tree, and of the many that reading makes
    the collector would look at each again and again (5 to 9 % of the time)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_uncollected()
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
    container: str | None = None,
    bounds: Bounds | None = None,
    row_weights: str | None = None,
    limit: int | None = None,
    sample: int | None = None,
    rng: np.random.Generator | None = None,
) -> PreferenceDataset:
    """Read files (``-``: ``stdin``) into one data set.

    schema, mapping : force a schema by name, say which field plays which role; both apply to
    every file. Without them each file's schema is detected from its first rows, and from rows of
    its middle and end where these can be reached.
    max_skipped : share in [0, 1] of rows that may be unusable. Rows whose label is explicitly
    missing (null winner, score -1 where the source says so) are skipped and counted as
    "missing_label", but are data and not damage: they never stop a read. limit_name : what the
    message calls that share.
    expand_choices : add the strict pairs that choice sets imply (this assumes IIA).
    ratings_to_pairs : add pairs of ratings of one prompt, aspect and annotator.
    progress : called with (bytes read, bytes in total, 0 if unknown).
    container : one of ``CONTAINERS`` for every file, instead of what suffix and content say.
    bounds : how much is read at most; None for the defaults.
    row_weights : the field of the rows' weights; without it, and without the role in ``mapping``,
    every row weighs 1.
    limit : the first so many rows of all files together are used. sample : so many rows of all
    files together, drawn by ``rng`` without replacement; their order stays. Files are then read
    twice, so standard input is refused. All rows are used where there are no more than asked for.

    Raises InputError (exit 3) for what cannot be read or recognised, or if more than
    ``max_skipped`` of the rows are unusable; UsageError (exit 2) for options that do not exist.
    """
    if not paths:
        raise UsageError("no_files", "no file was given", next_step="name a file, or - for stdin")
    if not 0 <= max_skipped <= 1:
        raise UsageError("bad_share", f"max_skipped is {max_skipped}; it must lie in [0, 1]")
    if schema is not None:
        schema_named(schema)
    mapping = with_row_weights(mapping, row_weights)
    asked = checked_mapping(mapping or {})
    if container is not None and container not in CONTAINERS:
        raise UsageError(
            "unknown_container",
            f"there is no container {quote(container)}",
            next_step=f"choose one of {', '.join(CONTAINERS)}",
        )
    bounds = bounds or Bounds()
    picked = _picked(paths, limit, sample, rng, container, bounds)
    opened = _open_all(paths, stdin, progress, container, bounds)
    builder = Builder(bounds)
    files: list[FileRead] = []
    matches: list[SchemaMatch] = []
    try:
        for file in opened:
            builder.begin_file(file.path)
            before = builder.rows_read
            matches.append(_read_file(file, builder, schema, mapping, max_skipped, picked))
            builder.say_control(file.may_hold_control)
            if picked is not None:
                picked.end_file(file)
            files.append(
                FileRead(
                    path=file.path,
                    container=file.container,
                    compression=file.compression,
                    n_rows=file.n_rows if picked is None else builder.rows_read - before,
                    n_bytes=file.hashing.n_bytes,
                    sha256=file.hashing.sha256,
                )
            )
    finally:
        for file in opened:
            file.close()
    _check_skipped(builder, max_skipped, limit_name, files)
    if picked is not None:
        builder.selection = picked.selection
    data = builder.dataset(
        tuple(files),
        tuple(matches),
        expand_choices=expand_choices,
        ratings_to_pairs=ratings_to_pairs,
    )
    if "mass" in asked:
        check_range(data)
    return join_texts(data)


def each_row(
    paths: Sequence[str],
    builder: Any,
    *,
    schema: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> None:
    """Every row of the files as ``read`` understands it, given to ``builder``, which has the
    methods of ``build.Builder`` and need build nothing. Nothing is refused for rows of no use."""
    for path in paths:
        raw, _ = open_raw(path, None)
        file = Container(path, raw, bounds=UNBOUNDED)
        try:
            builder.begin_file(path)
            _read_file(file, builder, schema, mapping, 1.0)
        finally:
            file.close()


def _open_all(
    paths: Sequence[str],
    stdin: BinaryIO | None,
    progress: Callable[[int, int], None] | None,
    container: str | None,
    bounds: Bounds,
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

    return [Container(path, raw, on_bytes, container, bounds=bounds) for path, raw, _ in raws]


def _read_file(
    container: Container,
    builder: Builder,
    schema: str | None,
    mapping: Mapping[str, str] | None,
    max_skipped: float,
    picked: Picked | None = None,
) -> SchemaMatch:
    head, sample, complete, rows = _begun(container, builder)
    found = find_schema(
        sample,
        container.path,
        schema=schema,
        mapping=mapping,
        complete=complete,
        lines=[row.line for row in head if isinstance(row.value, dict)],
    )
    del sample
    rows = chain(_emptied(head), rows)
    first_bad = _parse_rows(
        rows if picked is None else picked.of(rows),
        found,
        builder,
        container.path,
        container.bounds,
    )
    known, path = found.known, container.path
    for role, name in checked_mapping(mapping or {}).items():
        if found.fields.get(role) == name and not {name, name.partition(".")[0]} & known:
            raise no_field(role, name, [dict.fromkeys(sorted(known))], path)
    _check_labels(found, container, builder, first_bad, max_skipped)
    unused = unused_weights(found.unused)
    if unused is not None and "mass" not in found.fields:
        builder.say_unused_weights(unused, container.n_rows)
    return found.match()


def _begun(
    container: Container, builder: Builder
) -> tuple[list[Row], list[dict[str, Any]], bool, Iterator[Row]]:
    """The first rows, the objects in them and elsewhere by which a schema is found, whether the
    first rows are all, and the rows after them. Messages of a tree are gathered into rows."""
    rows: Iterator[Row] = container.rows()
    head, complete = _head(container, rows)
    sample = [row.value for row in head if isinstance(row.value, dict)]
    if not sample:
        raise _no_objects(container, head)
    if is_flat_tree(sample):
        messages = chain(_emptied(head), rows)
        rows = (Row(line, row) for line, row in gathered(_messages(messages, builder)))
        head, _ = _head(container, rows)
        sample = [row.value for row in head if isinstance(row.value, dict)] or sample
    elif are_batches(sample, PROMPTS["prompt"]):
        rows = rows_of(chain(_emptied(head), rows))
        head, complete = _head(container, rows)
        sample = [row.value for row in head if isinstance(row.value, dict)]
    elif not complete:
        sample += container.more_rows(ELSEWHERE)
    return head, sample, complete, rows


def _picked(
    paths: Sequence[str],
    limit: int | None,
    sample: int | None,
    rng: np.random.Generator | None,
    container: str | None,
    bounds: Bounds,
) -> Picked | None:
    if limit is not None and sample is not None:
        raise UsageError(
            "limit-and-sample",
            "the first rows and a sample of all rows are two things",
            next_step="give --limit or --sample, not both",
        )
    if limit is not None:
        return Picked(limit)
    if sample is None:
        return None
    if rng is None:
        raise ValueError("a sample needs a random generator")
    if STDIN in paths:
        raise UsageError(
            "sample-of-stdin",
            "a sample needs the number of rows first, and standard input can be read once",
            next_step="save it to a file, or take the first rows with --limit",
        )
    counts, digests = [], []
    for path in paths:
        raw, _ = open_raw(path, None)
        file = Container(path, raw, None, container, bounds=bounds)
        try:
            head, _, _, rows = _begun(file, Builder(bounds))
            counts.append(len(head) + sum(1 for _ in rows))
            file.hashing.drain()
            digests.append(file.hashing.sha256)
        finally:
            file.close()
    total = sum(counts)
    keep = np.zeros(total, dtype=np.bool_)
    keep[rng.choice(total, min(sample, total), replace=False)] = True
    return Picked(sample, np.split(keep, np.cumsum(counts)[:-1]), digests)


def _head(container: Container, rows: Iterator[Row]) -> tuple[list[Row], bool]:
    """The rows that are looked at before the first is used, and whether they are all."""
    head: list[Row] = []
    start = container.n_given
    for row in islice(rows, SAMPLE):
        head.append(row)
        if container.n_given - start > SAMPLE_BYTES:
            return head, False
    return head, len(head) < SAMPLE


def _parse_rows(
    rows: Iterator[Row], found: Found, builder: Builder, path: str, bounds: Bounds
) -> dict[str, BadRow]:
    """Every row to the builder. Returns the first bad row of each reason."""
    shapes: set[tuple[str, ...]] = set()
    first_bad: dict[str, BadRow] = {}
    late = 0
    parse, suspects = found.parse, found.suspects
    weigh = found.fields.get("mass")
    check = None if weigh is None else WeightCheck(path, weigh, found.head)
    builder.say_without_prompt(_without_prompt(found))
    for line, value, repaired, remark in rows:
        if isinstance(value, Unparsed):
            builder.skip(line, value.reason, "row", value.found)
            continue
        notes: Notes = [("lone_surrogate", "row", "replaced by U+FFFD")] if repaired else []
        if remark is not None:
            notes.append(remark)
        shape = tuple(value)
        if shape not in shapes:
            if len(shapes) > _SHAPES:
                shapes.clear()
            shapes.add(shape)
            n_known = len(found.known)
            found.extend(value)
            late += len(found.known) > n_known
            if late > MAX_LATE or len(found.known) > MAX_FIELDS:
                raise bounds.many_fields(path, line, len(found.known))
            parse, suspects = found.parse, found.suspects
            builder.say_without_prompt(_without_prompt(found))
        try:
            records = parse(value, notes)
            if check is not None:
                check(line, value)
            builder.add(line, records, notes)
        except BadRow as bad:
            first_bad.setdefault(bad.reason, bad)
            builder.skip(line, bad.reason, bad.field, quote(bad.found))
            continue
        if suspects:
            builder.check_context(line, value, suspects)
    return first_bad


_SHAPES = 10_000
"""Sets of fields that are remembered; rows of more kinds are looked at anew."""


def _without_prompt(found: Found) -> str:
    """What the remark no_prompt shows; empty where rows of names are under one prompt by nature."""
    texts = [f for f in found.unused_texts if found.has_words(f)]
    if found.schema.by_name and not texts:
        return ""
    names = texts + [f for f in found.unused_texts if f not in texts]
    if not names:
        return "no other text in the row"
    return quote(f"unused texts: {', '.join(names)}", 78)[1:-1]


def _check_labels(
    found: Found,
    container: Container,
    builder: Builder,
    first_bad: Mapping[str, BadRow],
    max_skipped: float,
) -> None:
    """Refuse a file whose labels were not understood: no share of skipped rows makes that right."""
    labels = found.labels
    if labels is not None and labels.unknown:
        many = sum(labels.unknown.values()) > max_skipped * container.n_rows
        if many or labels.doubtful:
            shown = tuple(map(str, builder.examples.get("unknown_label", ())))
            raise unknown_labels(container.path, found.fields, labels, shown)
    if "ambiguous_ranking" in first_bad:
        raise ambiguous_ranking(container.path, found.fields, first_bad["ambiguous_ranking"])


def _messages(rows: Iterator[Row], builder: Builder) -> Iterator[tuple[int, dict[str, Any]]]:
    """The messages of a flat tree; what is none is skipped with its reason."""
    for row in rows:
        if isinstance(row.value, Unparsed):
            builder.skip(row.line, row.value.reason, "row", row.value.found)
        elif is_flat_tree([{**row.value, "parent_id": "any"}]):
            yield row.line, row.value
        else:
            builder.skip(row.line, "not_a_message", "row", quote(row.value))


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
        next_step="write each row as one JSON object: json.dumps(row)"
        if container.container in ("jsonl", "json")
        else f"say which container it is: --container {'|'.join(CONTAINERS)}",
    )


def _check_skipped(
    builder: Builder, max_skipped: float, limit_name: str, files: Sequence[FileRead]
) -> None:
    bad = sum(n for reason, n in builder.skipped.items() if reason not in LEGITIMATE)
    first = tuple(str(issue) for issue in builder.first_skipped)
    if bad > max_skipped * builder.rows_read:
        reasons = {r: n for r, n in builder.skipped.items() if r not in LEGITIMATE}
        counts = ", ".join(f"{n:,} {r}" for r, n in reasons.items())
        are = verb(bad, "is", "are")
        raise InputError(
            "too_many_skipped",
            f"{bad:,} of {plural(builder.rows_read, 'row')} {are} unusable,"
            f" {percent(bad / builder.rows_read)} where {limit_name} allows"
            f" {percent(max_skipped)} ({counts})",
            where=files[0].path if len(files) == 1 else None,
            details=first,
            next_step=skipped_step(reasons, bad / builder.rows_read, limit_name),
        )
    if builder.rows_read == sum(builder.skipped.values()):
        raise InputError(
            "no_usable_rows",
            f"all {builder.rows_read} rows lack a label",
            where=files[0].path if len(files) == 1 else None,
            next_step="give rows with a label, or name the label's field with --map label=FIELD",
        )
