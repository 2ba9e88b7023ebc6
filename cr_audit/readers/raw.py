"""The rows of files once more, as they stood: what an export copies.

A row of JSONL, or of a JSON array, comes with its own bytes, so that a copy changes nothing in
them: no number is written anew, no escape is undone. Rows of tables come as values.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO, NamedTuple

import polars as pl

from cr_audit.errors import InputError, UsageError
from cr_audit.readers.bounds import UNBOUNDED
from cr_audit.readers.containers import Container, Row, Unparsed, lines
from cr_audit.readers.streams import STDIN, open_raw
from cr_audit.readers.threads import is_flat_tree

_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")
_SAMPLE = 200


class RawRow(NamedTuple):
    """One row. file : which one, from 0. value : the object; None where the line holds none.
    raw : its JSON on one line, None where it came from a table. repaired : it holds lone
    surrogates, which ``value`` has replaced. message : it is one of a tree's messages, whose
    judgement was read from all replies together."""

    file: int
    line: int
    value: dict[str, Any] | None
    raw: bytes | None
    repaired: bool
    message: bool = False


class _Raw(Container):
    """A container that remembers the bytes of the row that it gave last."""

    raw: bytes | None = None

    def _jsonl(self, stream: BinaryIO, end: bytes) -> Iterator[Row]:
        for number, raw, ended in lines(stream, end):
            piece = io.BytesIO(raw + (end if ended else b""))
            rows = list(super()._jsonl(piece, end))
            alone = len(rows) == 1 and raw.strip()[:1] == b"{" and raw.strip()[-1:] == b"}"
            for row in rows:
                self.raw = raw.strip() if alone else None
                yield row._replace(line=number)

    def _json(self, data: bytes) -> Iterator[Row]:
        rows = list(super()._json(data))
        pieces = _elements(data)
        for k, row in enumerate(rows):
            self.raw = pieces[k] if len(pieces) == len(rows) else None
            yield row

    @property
    def frame(self) -> pl.DataFrame | None:
        """The table of a Parquet file, once its first row was given."""
        return self._all if isinstance(self._all, pl.DataFrame) else None


def _elements(data: bytes) -> list[bytes]:
    """The elements of a JSON array as they stand, line breaks between tokens made spaces (inside a
    string there are none). Empty for another document."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    at, end = len(text) - len(text.lstrip()), len(text)
    out: list[bytes] = []
    if text[at : at + 1] != "[":
        return []
    decoder = json.JSONDecoder()
    at += 1
    try:
        while True:
            while at < end and text[at] in " \t\r\n,":
                at += 1
            if at >= end or text[at] == "]":
                return out
            start = at
            value, at = decoder.raw_decode(text, at)
            if not isinstance(value, dict) or isinstance(value.get("row"), dict):
                return []  # wrapped rows: what is read of them is the object inside
            out.append(text[start:at].encode("utf-8").translate(_LINE_BREAKS))
    except (ValueError, RecursionError):
        return []


def reread(
    paths: Sequence[str],
    digests: Sequence[str],
    held: bytes | None = None,
    *,
    messages: bool = False,
) -> Iterator[RawRow]:
    """Every row of the files, in order.

    digests : SHA-256 of each when it was read first. held : what "-" stands for. messages : whether
    messages of a tree, which are no rows of their own, are taken. Raises UsageError where they are
    not, and for standard input, which can be read once only; InputError where a file has changed
    since.
    """
    for number, path in enumerate(paths):
        refuse_stdin(path, held)
        raw, _ = open_raw(path, None if held is None else io.BytesIO(held))
        container = _Raw(path, raw, bounds=UNBOUNDED)
        try:
            yield from _of(number, container, messages)
        finally:
            container.close()
        if container.hashing.sha256 != digests[number]:
            raise InputError(
                "changed",
                "the file changed while it was read",
                where=path,
                next_step="run again when nothing writes to it",
            )


def refuse_stdin(path: str, held: bytes | None = None) -> None:
    """Raise UsageError for standard input, unless what it gave is held."""
    if path == STDIN and held is None:
        raise UsageError(
            "export-of-stdin",
            "an export reads its rows twice, and standard input can be read once",
            next_step="save it to a file and name the file",
        )


def _of(number: int, container: _Raw, messages: bool) -> Iterator[RawRow]:
    def rows() -> Iterator[RawRow]:
        for row in container.rows():
            raw, container.raw = container.raw, None
            value = None if isinstance(row.value, Unparsed) else row.value
            yield RawRow(number, row.line, value, raw, row.repaired)

    every = rows()
    head = list(islice(every, _SAMPLE))
    tree = bool(head) and is_flat_tree([r.value for r in head if r.value is not None])
    if tree and not messages:
        raise UsageError(
            "export-of-messages",
            "the rows are messages of trees: a judgement is spread over several of them",
            found=container.path,
            next_step="write them with weights (--as rows), or gather each conversation into one"
            " row of chosen and rejected first",
        )
    for row in chain(head, every):
        yield row._replace(message=True) if tree else row


def read_table(path: str) -> pl.DataFrame | None:
    """The table of a Parquet file, with the types of its columns; None for another container."""
    raw, _ = open_raw(path, None)
    container = _Raw(path, raw, bounds=UNBOUNDED)
    try:
        next(iter(container.rows()), None)
        return container.frame
    finally:
        container.close()
