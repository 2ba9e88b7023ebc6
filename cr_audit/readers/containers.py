"""Containers: JSONL, JSON, CSV, TSV and Parquet, plain or compressed; rows with their line numbers.

The container is decided by content; the name only breaks ties (a ``.jsonl`` whose first line is
broken is still JSONL). JSONL and CSV are streamed in blocks; JSON and Parquet are read whole,
because a JSON array has no safe place to cut and Parquet keeps its index at the end. A row's
``line`` is the physical line in JSONL, the last physical line of the record in CSV, and the
1-based position in a JSON array or a Parquet table.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import orjson
import polars as pl
import zstandard

from cr_audit.errors import InputError
from cr_audit.readers.parsing import DEEP, parse_json, quote
from cr_audit.readers.streams import HEAD, STDIN, HashingRaw, decompress, head_of

_BLOCK = 1 << 22
_PARQUET_SLICE = 4096
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Unparsed(NamedTuple):
    """A row that is not an object: the reason, and what stood there, quoted."""

    reason: str
    found: str


class Row(NamedTuple):
    """``value``: the object, or why there is none. ``repaired``: lone surrogates were replaced."""

    line: int
    value: dict[str, Any] | Unparsed
    repaired: bool = False


def lines(stream: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """(line number from 1, bytes without the line feed, whether a line feed ended it)."""
    number, pending = 0, []
    while block := stream.read(_BLOCK):
        parts = block.split(b"\n")
        if len(parts) == 1:
            pending.append(block)
            continue
        parts[0] = b"".join((*pending, parts[0]))
        for part in parts[:-1]:
            number += 1
            yield number, part, True
        pending = [parts[-1]]
    last = b"".join(pending)
    if last:
        yield number + 1, last, False


def _as_row(line: int, value: Any, repaired: bool) -> Row:
    if isinstance(value, dict):
        return Row(line, value, repaired)
    return Row(line, Unparsed("not_an_object", quote(value)))


class Container:
    """One opened file: iterate :meth:`rows` once, then ask for what was learned."""

    def __init__(self, path: str, raw: BinaryIO, on_bytes: Any = None) -> None:
        self.path = path
        self._raw = raw
        self.hashing = HashingRaw(raw, on_bytes)
        self.container = ""
        self.compression = "none"
        self.n_rows = 0

    def close(self) -> None:
        """Close the file; standard input is left open."""
        if self.path != STDIN:
            self._raw.close()

    def _fail(self, slug: str, message: str, line: int = 0, **rest: Any) -> InputError:
        where = f"{self.path}:{line}" if line else self.path
        return InputError(slug, message, where=where, **rest)

    def rows(self) -> Iterator[Row]:
        """Every row, in order. Raises InputError for what makes the file unreadable as a whole."""
        try:
            stream, self.compression = decompress(io.BufferedReader(self.hashing, 1 << 20))
            for row in self._rows(stream):
                self.n_rows += 1
                yield row
            self.hashing.drain()
        except EOFError:
            raise self._fail(
                "truncated",
                f"the {self.compression} data is cut short after row {self.n_rows}",
                next_step="copy or download the file again",
            ) from None
        except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
            raise self._fail(
                "damaged",
                f"the {self.compression} data is damaged after row {self.n_rows}",
                found=quote(str(error)),
                next_step="copy or download the file again",
            ) from None
        except OSError as error:
            raise self._fail("unreadable", f"reading stopped: {error}") from None

    def _rows(self, stream: BinaryIO) -> Iterator[Row]:
        head, stream = head_of(stream)
        if head[:3] == _BOM:
            stream.read(3)
            head = head[3:]
        self.container = self._choose(head)
        if self.container == "jsonl":
            yield from self._jsonl(stream)
        elif self.container == "json":
            yield from self._json(stream.read())
        elif self.container == "parquet":
            yield from self._parquet(stream.read())
        else:
            yield from self._csv(stream, "\t" if self.container == "tsv" else ",")

    def _choose(self, head: bytes) -> str:
        if head[:4] == b"PAR1":
            return "parquet"
        if head[:2] in _UTF16_BOMS:
            raise self._fail(
                "not_utf8",
                "this is UTF-16 text; UTF-8 is needed",
                next_step="convert it: iconv -f UTF-16 -t UTF-8 IN > OUT",
            )
        if not head.strip():
            raise self._fail("empty", "the file holds no data", next_step="give a file with rows")
        if b"\x00" in head:
            raise self._fail(
                "binary",
                "this is a binary file of an unknown kind",
                found=quote(head[:16]),
                next_step="give JSONL, JSON, CSV, TSV or Parquet, plain, .gz or .zst",
            )
        suffix = self.path.lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
        start = head.lstrip()
        first, _, rest = start.partition(b"\n")
        if start[:1] == b"[":
            return "json"
        if start[:1] == b"{":
            return self._object(first, rest, whole=len(head) < HEAD)
        if suffix in ("jsonl", "ndjson", "json") or any(
            line.lstrip()[:1] == b"{" for line in rest.split(b"\n", 5)[:5]
        ):
            return "jsonl"
        if suffix in ("csv", "tsv"):
            return suffix
        if b"\t" in first and first.count(b"\t") >= first.count(b","):
            return "tsv"
        if b"," in first and rest.strip():
            return "csv"
        raise self._fail(
            "unknown_container",
            "neither JSONL, JSON, CSV, TSV nor Parquet",
            line=1,
            found=quote(first),
            next_step="give JSONL, JSON, CSV, TSV or Parquet, plain, .gz or .zst",
        )

    @staticmethod
    def _object(first: bytes, rest: bytes, *, whole: bool) -> str:
        """A file that begins with an object: one row per line, or one pretty-printed document."""
        try:
            value, _ = parse_json(first)
        except ValueError:
            # A first line that is only part of an object: pretty-printed unless lines look whole.
            tail = first.rstrip()
            broken_row = tail.endswith(b"}") or rest.lstrip(b"\r\n")[:1] == b"{"
            return "jsonl" if broken_row or (not rest and not whole) else "json"
        alone = whole and not rest.strip()
        return "json" if alone and _rows_of(value) is not None else "jsonl"

    def _not_utf8(self, line: int, error: UnicodeDecodeError) -> InputError:
        piece = error.object[error.start : error.start + 4]
        return self._fail(
            "not_utf8",
            f"not UTF-8 at byte {error.start + 1} of the line",
            line=line,
            found=repr(bytes(piece)),
            next_step="convert it, for example: iconv -f LATIN1 -t UTF-8 IN > OUT",
        )

    def _jsonl(self, stream: BinaryIO) -> Iterator[Row]:
        loads, line = orjson.loads, 0
        for line, raw, ended in lines(stream):
            try:
                value = loads(raw)
            except orjson.JSONDecodeError:
                if not raw.strip():
                    continue
                try:
                    value, repaired = parse_json(raw)
                except UnicodeDecodeError as error:
                    raise self._not_utf8(line, error) from None
                except ValueError as error:
                    if not ended and raw.lstrip()[:1] == b"{" and str(error) != DEEP:
                        raise self._fail(
                            "truncated",
                            "the last line breaks off in the middle of a row",
                            line=line,
                            found=quote(raw[-60:]),
                            next_step="copy or download the file again, or delete the last line",
                        ) from None
                    reason = "nested_too_deeply" if str(error) == DEEP else "invalid_json"
                    yield Row(line, Unparsed(reason, quote(raw)))
                    continue
                yield _as_row(line, value, repaired)
                continue
            if type(value) is dict:
                yield Row(line, value)
            else:
                yield _as_row(line, value, False)

    def _json(self, data: bytes) -> Iterator[Row]:
        try:
            value, repaired = parse_json(data.removeprefix(_BOM))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self._not_utf8(line, error) from None
        except ValueError as error:
            at = error.lineno if isinstance(error, json.JSONDecodeError) else 0
            cut = isinstance(error, json.JSONDecodeError) and (
                error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
            )
            raise self._fail(
                "truncated" if cut else "invalid_json",
                "the JSON document breaks off" if cut else f"not valid JSON: {error}",
                line=at,
                next_step="repair or download the file again; one object per line is safer",
            ) from None
        rows = _rows_of(value)
        if rows is None:
            rows = [value]
        if not rows:
            raise self._fail("empty", "the list of rows is empty", next_step="give rows")
        for number, row in enumerate(rows, start=1):
            yield _as_row(number, row, repaired)

    def _csv(self, stream: BinaryIO, separator: str) -> Iterator[Row]:
        csv.field_size_limit(sys.maxsize)
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        reader = csv.reader(text, delimiter=separator, strict=True)
        line = 0
        try:
            header = next(reader, [])
            if len(set(header)) < len(header):
                raise self._fail(
                    "bad_header", "two columns have the same name", line=1, found=quote(header)
                )
            for cells in reader:
                line = reader.line_num
                if not cells:
                    continue
                if len(cells) != len(header):
                    found = f"{len(cells)} cells for {len(header)} columns"
                    yield Row(line, Unparsed("wrong_number_of_cells", found))
                    continue
                yield Row(line, dict(zip(header, cells, strict=True)))
        except UnicodeDecodeError as error:
            raise self._not_utf8(line + 1, error) from None
        except csv.Error as error:
            cut = "unexpected end" in str(error)
            raise self._fail(
                "truncated" if cut else "invalid_csv",
                "the table breaks off inside a quoted cell" if cut else f"not valid CSV: {error}",
                line=reader.line_num,
                next_step="quote cells with separators, quotes or line breaks, doubling quotes",
            ) from None

    def _parquet(self, data: bytes) -> Iterator[Row]:
        if len(data) < 12 or data[-4:] != b"PAR1":
            raise self._fail(
                "truncated",
                "the Parquet file lacks its end marker: it is cut short",
                next_step="copy or download the file again",
            )
        try:
            frame = pl.read_parquet(io.BytesIO(data))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise self._fail(
                "damaged", "the Parquet file cannot be read", found=quote(str(error))
            ) from None
        number = 0
        for part in frame.iter_slices(_PARQUET_SLICE):
            for row in part.to_dicts():
                number += 1
                yield Row(number, row)


def _rows_of(value: Any) -> list[Any] | None:
    """The rows of a JSON document: an array, or the one array of objects inside an object.

    An object with plain text or a second structure beside the array, or whose array bears a name
    that rows use themselves (``answers``), is itself a row.
    """
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    names = [k for k, v in value.items() if isinstance(v, list)]
    if len(names) != 1 or names[0] in _FIELDS_OF_ROWS:
        return None
    others = [v for k, v in value.items() if k != names[0] and k not in _ENVELOPE]
    rows: list[Any] = value[names[0]]
    if any(isinstance(v, str | dict) for v in others) or (rows and not isinstance(rows[0], dict)):
        return None
    return rows


_ENVELOPE = frozenset({"version", "name", "description", "license", "licence", "split", "schema"})
_FIELDS_OF_ROWS = frozenset(
    {
        "alternatives",
        "answers",
        "chosen",
        "completions",
        "context",
        "conversation",
        "conversation_history",
        "conversations",
        "messages",
        "models",
        "prompt",
        "ranking",
        "rejected",
        "replies",
        "responses",
        "summaries",
    }
)
