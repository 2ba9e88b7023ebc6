"""Containers: JSONL, JSON, CSV, TSV and Parquet, plain or compressed; rows with their line numbers.

The container is what the name's suffix says unless the content refutes it; without a suffix the
content decides. Columns of a table may be separated by comma, semicolon, tab or bar. JSONL and CSV
are streamed in blocks; JSON and Parquet are read whole, because a JSON array has no safe place to
cut and Parquet keeps its index at the end. A row's ``line`` is the physical line in JSONL, the last
physical line of the record in CSV, and the 1-based position in a JSON array or a Parquet table.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shlex
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import orjson
import polars as pl
import zstandard

from cr_audit.errors import InputError
from cr_audit.readers.bounds import MAX_FIELDS, MAX_VALUES, BoundedRaw, Bounds
from cr_audit.readers.names import spelled
from cr_audit.readers.parquet import check_parquet, slices
from cr_audit.readers.parsing import DEEP, DEEPEST, parse_json, quote, repaired, too_deep
from cr_audit.readers.streams import HEAD, STDIN, HashingRaw, decompress, head_of
from cr_audit.readers.transcripts import is_messages

_BLOCK = 1 << 18
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Unparsed(NamedTuple):
    """A row that is not an object: the reason, and what stood there, quoted."""

    reason: str
    found: str


class Row(NamedTuple):
    """``value``: the object, or why there is none. ``repaired``: lone surrogates were replaced.
    ``remark``: (reason, field, what stood there) of a row that is kept."""

    line: int
    value: dict[str, Any] | Unparsed
    repaired: bool = False
    remark: tuple[str, str, str] | None = None


CONTAINERS = ("jsonl", "json", "csv", "tsv", "parquet")
"""What ``--container`` may name."""


def lines(
    stream: BinaryIO,
    end: bytes = b"\n",
    *,
    most: int | None = None,
    too_long: Callable[[int], InputError] | None = None,
) -> Iterator[tuple[int, bytes, bool]]:
    """(line number from 1, bytes without the line's end, whether the line had one).

    most : bytes of a line that goes on over blocks; ``too_long(line)`` is raised beyond them."""
    for number, _, parts, ended in _blocks(stream, end, most, too_long):
        for line, part in enumerate(parts, number):
            yield line, part, ended


def _blocks(
    stream: BinaryIO,
    end: bytes,
    most: int | None,
    too_long: Callable[[int], InputError] | None,
) -> Iterator[tuple[int, bytes, list[bytes], bool]]:
    """Whole lines at a time: the number of the first one, their bytes with the ends between them,
    each line, and whether the last one had an end, a single byte."""
    number, pending, held = 1, list[bytes](), 0
    while block := stream.read(_BLOCK):
        at = block.rfind(end)
        if at < 0:
            pending.append(block)
            held += len(block)
            if most is not None and too_long is not None and held > most:
                raise too_long(number)
            continue
        whole = b"".join((*pending, block[:at]))
        parts = whole.split(end)
        yield number, whole, parts, True
        number += len(parts)
        pending, held = [block[at + 1 :]], len(block) - at - 1
    last = b"".join(pending)
    if last:
        yield number, last, [last], False


def _name_marks(whole: bytes, parts: list[bytes]) -> list[int]:
    """How often ``":`` stands in each line: as often as it gives a name, or more."""
    codes = np.frombuffer(whole, np.uint8)
    at = np.flatnonzero(codes[:-1] == ord('"'))
    at = at[codes[at + 1] == ord(":")]
    ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)) + 1)
    counts: list[int] = np.diff(np.searchsorted(at, ends), prepend=0).tolist()
    return counts


def _as_row(line: int, value: Any, repaired: bool) -> Row:
    if isinstance(value, dict):
        return Row(line, value, repaired)
    return Row(line, Unparsed("not_an_object", quote(value)))


class Container:
    """One opened file: iterate :meth:`rows` once, then ask for what was learned."""

    def __init__(
        self,
        path: str,
        raw: BinaryIO,
        on_bytes: Any = None,
        container: str | None = None,
        *,
        bounds: Bounds,
    ) -> None:
        """container : what the user says it is, one of ``CONTAINERS``."""
        self.path = path
        self.bounds = bounds
        self._bounded: BoundedRaw | None = None
        self._given = 0
        self._forced = container
        self._all: list[Any] | pl.DataFrame | None = None
        self._raw = raw
        self.hashing = HashingRaw(raw, on_bytes)
        self.container = ""
        self.compression = "none"
        self.n_rows = 0
        self._odd = False  # whether a line of JSONL was no JSON to the fast parser

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
            self._bounded = BoundedRaw(
                stream, self.bounds, self.path, self.hashing, self.compression
            )
            for row in self._rows(io.BufferedReader(self._bounded, 1 << 20)):
                self.n_rows += 1
                value = row[1]
                if type(value) is dict and len(value) > MAX_FIELDS:
                    raise self.bounds.many_fields(self.path, row.line, len(value))
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

    @property
    def may_hold_control(self) -> bool:
        """Whether a text may hold a control character that is no white space; asked at the end."""
        if self.container != "jsonl" or self._odd or self._bounded is None:
            return True
        return self._bounded.escapes_control

    @property
    def n_given(self) -> int:
        """Unpacked bytes of the rows given so far; 0 for JSON, whose rows are held anyway."""
        if self.container in ("json", "parquet") or self._bounded is None:
            return self._given
        return self._bounded.n

    def _whole(self, stream: BinaryIO, most: int) -> bytes:
        """All bytes. ``read()`` of a stream of unknown length, in blocks, up to a bound."""
        blocks, n = [], 0
        while block := stream.read(_BLOCK):
            blocks.append(block)
            n += len(block)
            if self.bounds.on and n > most:
                raise self._fail(
                    "document_too_long",
                    f"a JSON document is held in memory as a whole; this one has more than"
                    f" {most / 1e9:.3g} GB",
                    next_step="write one object per line (jq -c '.[]' IN > OUT.jsonl), which is"
                    " read row by row",
                )
        return b"".join(blocks)

    def _rows(self, stream: BinaryIO) -> Iterator[Row]:
        head, stream = head_of(stream)
        if head[:3] == _BOM:
            stream.read(3)
            head = head[3:]
        self.container = self._choose(head)
        bare_returns = b"\r" in head and b"\n" not in head
        if self.container == "jsonl":
            yield from self._jsonl(stream, b"\r" if bare_returns else b"\n")
        elif self.container == "json":
            yield from self._json(self._whole(stream, self.bounds.document))
        elif self.container == "parquet":
            yield from self._parquet(self._whole(stream, self.bounds.bytes))
        else:
            yield from self._csv(stream, head)

    def _choose(self, head: bytes) -> str:
        if head[:4] == b"PAR1":
            return "parquet"
        self._refuse_bytes(head)
        if self._forced is not None:
            return self._forced
        suffix = self.path.lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
        suffix = {"ndjson": "jsonl", "jl": "jsonl", "tab": "tsv"}.get(suffix, suffix)
        start = head.lstrip()
        first, _, rest = start.replace(b"\r", b"\n").partition(b"\n")
        if suffix in ("csv", "tsv") and not _is_object(first) and not start.startswith(b"[{"):
            return suffix
        if start[:1] == b"[" and (suffix == "json" or start[1:].lstrip()[:1] in (b"{", b"]")):
            return "json"
        if start[:1] == b"{":
            return self._object(first, rest, whole=len(head) < HEAD)
        if start[:1] == b"[" and b"\n" not in head.strip():
            return "json"
        following = rest.split(b"\n", 20)[:20]
        if any(line.lstrip()[:2] in (b'{"', b"{}") or _is_object(line) for line in following):
            return "jsonl"
        delimiter = _delimiter(head)
        if delimiter is not None:
            return "tsv" if delimiter == "\t" else "csv"
        if start[:1] == b"[":
            return "json"
        if suffix in ("jsonl", "json"):
            return "jsonl"
        raise self._fail(
            "unknown_container",
            "neither JSONL, JSON, CSV, TSV nor Parquet",
            line=1,
            found=quote(first),
            next_step="give JSONL, JSON, CSV, TSV or Parquet, plain, .gz or .zst; or say which it "
            f"is: --container {'|'.join(CONTAINERS)}",
        )

    def _refuse_bytes(self, head: bytes) -> None:
        """What is no text of any kind that can be read."""
        name = shlex.quote(self.path)
        if head[:2] in _UTF16_BOMS:
            raise self._fail(
                "not_utf8",
                "this is UTF-16 text; UTF-8 is needed",
                next_step=f"convert it: iconv -f UTF-16 -t UTF-8 {name} > OUT",
            )
        if not head.strip():
            raise self._fail("empty", "the file holds no data", next_step="give a file with rows")
        at = head.find(b"\x00")
        if at < 0:
            return
        before = head[:at]
        if before.lstrip()[:1] in (b"{", b"[") or (b"\n" in before and before.isascii()):
            raise self._fail(
                "nul_byte",
                "a text with a NUL byte",
                line=before.count(b"\n") + 1,
                found=quote(head[max(at - 20, 0) : at + 20]),
                next_step=f"take it out: tr -d '\\000' < {name} > OUT",
            )
        raise self._fail(
            "binary",
            "this is a binary file of an unknown kind",
            found=quote(head[:16]),
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

    def _jsonl(self, stream: BinaryIO, end: bytes) -> Iterator[Row]:
        loads, bounds = orjson.loads, self.bounds
        most = bounds.row if bounds.on else None

        def too_long(line: int) -> InputError:
            return bounds.long_row(self.path, line)

        for number, whole, parts, ended in _blocks(stream, end, most, too_long):
            marks = _name_marks(whole, parts)
            del whole
            for line, (raw, n_marks) in enumerate(zip(parts, marks, strict=True), number):
                if most is not None and len(raw) > most:
                    raise too_long(line)
                try:
                    value = loads(raw)
                except orjson.JSONDecodeError:
                    if raw.strip():
                        yield from self._odd_line(line, raw, ended)
                    continue
                if type(value) is not dict:
                    yield _as_row(line, value, False)
                    continue
                names = len(value)
                if not _NESTED.isdisjoint(map(type, value.values())):
                    inner, n_held = _inner(value)
                    names += inner
                    if n_held > DEEPEST and too_deep(value):
                        yield Row(line, Unparsed("nested_too_deeply", quote(raw)))
                        continue
                if n_marks != names and (again := _repeated(raw)):
                    yield Row(line, value, remark=("duplicate_key", again, "the last value counts"))
                else:
                    yield Row(line, value)

    def _odd_line(self, line: int, raw: bytes, ended: bool) -> Iterator[Row]:
        """A line that is not one JSON value to the fast parser."""
        self._odd = True
        try:
            value, fixed = parse_json(raw)
        except UnicodeDecodeError as error:
            raise self._not_utf8(line, error) from None
        except ValueError as error:
            deep = str(error) == DEEP
            objects, rest = ([], raw) if deep else _objects_in(raw)
            found = f"{len(objects)} objects on one line"
            for number, entry in enumerate(objects):
                several = ("shared_line", "row", found) if number else None
                yield Row(line, entry, remark=several)
            if not rest.strip():
                return
            if not ended and rest.lstrip()[:1] == b"{" and not deep:
                whole = line == 1 and not objects
                raise self._fail(
                    "truncated",
                    "the only row breaks off" if whole else "the last row breaks off",
                    line=line,
                    found=quote(rest[-60:]),
                    next_step="copy or download the file again"
                    + ("" if whole else ", or delete what stands after the last whole row"),
                ) from None
            yield Row(line, Unparsed("nested_too_deeply" if deep else "invalid_json", quote(rest)))
            return
        if isinstance(value, list | dict) and too_deep(value):
            yield Row(line, Unparsed("nested_too_deeply", quote(raw)))
            return
        yield _as_row(line, value, fixed)

    def _json(self, data: bytes) -> Iterator[Row]:
        if self.bounds.on and sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
            raise self._fail(
                "document_too_long",
                f"a JSON document is held in memory as a whole; this one has more than"
                f" {MAX_VALUES:,} values",
                next_step="write one object per line, which is read row by row",
            )
        try:
            value, fixed = parse_json(data.removeprefix(_BOM))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self._not_utf8(line, error) from None
        except ValueError as error:
            several = _values_in(data) if "Extra data" in str(error) else None
            if several is not None:
                yield from self._values(several, data, fixed=False)
                return
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
        yield from self._values([value] if rows is None else rows, data, fixed)

    def _values(self, rows: list[Any], data: bytes, fixed: bool) -> Iterator[Row]:
        """The rows of a JSON document."""
        if not rows:
            raise self._fail("empty", "the list of rows is empty", next_step="give rows")
        if data.count(b"[") + data.count(b"{") > DEEPEST and any(
            too_deep(row) for row in rows if isinstance(row, list | dict)
        ):
            raise self._fail(
                "nested_too_deeply",
                f"a row has more than {DEEPEST} levels of lists and objects",
                next_step="take it out; in JSONL it would be one unusable row",
            )
        self._all = rows
        for number, row in enumerate(rows, start=1):
            yield _as_row(number, row, fixed)

    def _csv(self, stream: BinaryIO, head: bytes) -> Iterator[Row]:
        most = self.bounds.row if self.bounds.on else UNBOUNDED_CELL
        # The limit is the process's; a cell cannot be longer than its record.
        csv.field_size_limit(most)
        separator = _delimiter(head) or ("\t" if self.container == "tsv" else ",")
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        pieces = _Pieces(text, most)
        reader = csv.reader(pieces, delimiter=separator, strict=True)
        line = 0
        try:
            header = next(reader, [])
            if header and len(header) <= 2 and header[0].lower()[:4] == "sep=":
                header = next(reader, [])
            while not any(cell.strip() for cell in header) and reader.line_num < 20:
                header = next(reader, [])
            header = [cell.strip() for cell in header]
            if len(header) > MAX_FIELDS:
                raise self.bounds.many_fields(self.path, reader.line_num, len(header))
            if len(set(header)) < len(header):
                again = next(h for i, h in enumerate(header) if h in header[:i])
                raise self._fail(
                    "bad_header",
                    "two columns have the same name",
                    line=reader.line_num,
                    found=quote(again),
                    next_step="rename one of them in the first line",
                )
            for cells in reader:
                line, pieces.held = reader.line_num, 0
                if not any(cells):
                    continue
                if len(cells) != len(header):
                    found = f"{len(cells)} cells for {len(header)} columns"
                    yield Row(line, Unparsed("wrong_number_of_cells", found))
                    continue
                yield Row(line, dict(zip(header, cells, strict=True)))
        except UnicodeDecodeError as error:
            raise self._not_utf8(line + 1, error) from None
        except (_TooLong, csv.Error) as error:
            if isinstance(error, _TooLong) or "field limit" in str(error):
                hint = "; a quote that is not closed makes one cell of many lines"
                raise self.bounds.long_row(self.path, line + 1, hint) from None
            cut = "unexpected end" in str(error)
            raise self._fail(
                "truncated" if cut else "invalid_csv",
                "the table breaks off inside a quoted cell" if cut else f"not valid CSV: {error}",
                line=reader.line_num,
                next_step="quote cells with separators, quotes or line breaks, doubling quotes",
            ) from None

    def more_rows(self, n: int) -> list[dict[str, Any]]:
        """Up to ``n`` further rows from the end and the middle, where the file can be reached
        there: JSON and Parquet, which are read whole, and JSONL that lies uncompressed on disk.
        Always the same ones for the same file."""
        if self._all is not None:
            held = self._all
            size = len(held) if isinstance(held, list) else held.height
            places = _spread(size, n)
            if isinstance(held, list):
                return [held[i] for i in places if isinstance(held[i], dict)]
            return held[places].to_dicts()
        if self.container != "jsonl" or self.compression != "none" or self.path == STDIN:
            return []
        return list(_lines_elsewhere(self.path, n))

    def _parquet(self, data: bytes) -> Iterator[Row]:
        if len(data) < 12 or data[-4:] != b"PAR1":
            raise self._fail(
                "truncated",
                "the Parquet file lacks its end marker: it is cut short",
                next_step="copy or download the file again",
            )
        try:
            if self.bounds.on:
                check_parquet(data, self.path, self.bounds)
            frame = pl.read_parquet(io.BytesIO(data))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise self._fail(
                "damaged", "the Parquet file cannot be read", found=quote(str(error))
            ) from None
        if any(str(kind).count("(") > DEEPEST for kind in frame.dtypes):
            raise self._fail("nested_too_deeply", f"a column has more than {DEEPEST} levels")
        number, self._all = 0, frame
        for part, n_bytes in slices(frame, self.path, self.bounds):
            self._given += n_bytes
            for row in part.to_dicts():
                number += 1
                yield Row(number, row)


class _TooLong(Exception):
    """A record of a table is longer than a row may be."""


UNBOUNDED_CELL = (1 << 31) - 1
"""The most that every platform's csv module takes."""


class _Pieces:
    """The lines of a text for csv.reader, which joins those of one record. held : characters since
    the last whole record; the reader of the records sets it to 0."""

    def __init__(self, text: io.TextIOWrapper, most: int) -> None:
        self._readline, self._most = text.readline, most
        self.held = 0

    def __iter__(self) -> _Pieces:
        return self

    def __next__(self) -> str:
        line = self._readline(self._most + 1)
        if not line:
            raise StopIteration
        self.held += len(line)
        if self.held > self._most:
            raise _TooLong
        return line


def _spread(size: int, n: int) -> list[int]:
    """At most ``n`` places: half at the end, half at random, ascending."""
    last = range(max(size - n // 2, 0), size)
    drawn = np.random.default_rng(size).integers(0, max(size, 1), n - n // 2)
    return sorted({*last, *(int(i) for i in drawn if i < size)})


def _lines_elsewhere(path: str, n: int) -> Iterator[dict[str, Any]]:
    """Whole rows of a JSONL file from its end and from random places."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return  # a pipe: opened a second time, it would wait for a second writer
        with open(path, "rb") as file:
            size = file.seek(0, io.SEEK_END)
            if size <= 2 * _PIECE:
                return
            draw = np.random.default_rng(size).integers(0, size - _PIECE, n // 2)
            for at, many in [(size - _PIECE, n - n // 2), *((int(i), 1) for i in draw)]:
                file.seek(at)
                for line in file.read(_PIECE).split(b"\n")[1:-1][-many:]:
                    try:
                        row = orjson.loads(line)
                    except orjson.JSONDecodeError:
                        continue  # a bad line is told when it is its turn
                    if isinstance(row, dict):
                        yield row
    except OSError:
        return  # a file that changed: its rows are looked at as they come


_PIECE = 1 << 17


def _is_object(line: bytes) -> bool:
    """Whether a line is one whole JSON object."""
    line = line.strip()
    if line[:1] != b"{" or line[-1:] != b"}":
        return False
    try:
        return isinstance(parse_json(line)[0], dict)
    except ValueError:
        return False


_DELIMITERS = (",", ";", "\t", "|")


def _delimiter(head: bytes) -> str | None:
    """What separates the columns: the mark that cuts the header into most names, if the records
    below have as many cells; None if nothing does. A first line ``sep=;`` says it."""
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    first = text.lstrip().splitlines()[0] if text.strip() else ""
    if first.lower().startswith("sep=") and len(first) == 5:
        return first[4]
    best: tuple[float, int, str] | None = None
    for mark in _DELIMITERS:
        records = []
        try:
            for record in csv.reader(io.StringIO(text, newline=""), delimiter=mark):
                if any(record):
                    records.append(record)
                if len(records) > 20:
                    break
        except csv.Error:
            continue
        if len(head) >= HEAD and len(records) > 1:
            records = records[:-1]  # the head may end inside a record
        if len(records) < 2 or len(records[0]) < 2:
            continue
        fit = sum(len(r) == len(records[0]) for r in records) / len(records)
        if fit > 0.5 or mark == ",":
            found = (fit, len(records[0]), mark)
            best = found if best is None or found[:2] > best[:2] else best
    return None if best is None else best[2]


def _objects_in(raw: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """The JSON objects that a line begins with, and what is left of it. Commas and returns between
    them are passed over."""
    decoder = json.JSONDecoder()
    text = raw.decode("utf-8", "surrogateescape")
    out: list[dict[str, Any]] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in " \t\r\n,;\x1e":
            at += 1
        if at >= end or text[at] != "{":
            break
        try:
            value, at = decoder.raw_decode(text, at)
            if too_deep(value):
                break
        except (ValueError, RecursionError):
            break
        out.append(repaired(value)[0])
    return out, text[at:].encode("utf-8", "surrogateescape")


def _values_in(data: bytes) -> list[Any] | None:
    """The rows of several JSON documents, one behind the other: objects, and lists of objects.
    None if they are anything else."""
    decoder = json.JSONDecoder()
    try:
        text = data.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        return None
    rows: list[Any] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in " \t\r\n,\x1e":
            at += 1
        if at >= end:
            return rows
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        if isinstance(value, dict):
            rows.append(value)
        elif _objects(value):
            rows += value
        else:
            return None


_NESTED = frozenset({list, dict})


def _inner(value: dict[str, Any]) -> tuple[int, int]:
    """How many names the objects inside an object have together, and how many lists and objects
    there are, itself included."""
    n, n_held = 0, 1
    held: list[Iterable[Any]] = [value.values()]
    for inner in held:  # grows
        for v in inner:
            kind = type(v)
            if kind is dict:
                n_held += 1
                n += len(v)
                if len(v) == 2:  # a message, as most are
                    one, other = v.values()
                    if type(one) is str and type(other) is str:
                        continue
                if not _NESTED.isdisjoint(map(type, v.values())):
                    held.append(v.values())
            elif kind is list:
                n_held += 1
                if not _NESTED.isdisjoint(map(type, v)):
                    held.append(v)
    return n, n_held


def _repeated(raw: bytes) -> str:
    """The names that an object gives twice, at any level, or an empty text. Slow: asked where the
    marks behind names are not as many as the names that were read, or where a text holds such a
    mark."""
    again: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        again.extend(k for k, _ in found if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        return dict(found)

    try:
        json.loads(raw, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return ""
    return ", ".join(dict.fromkeys(again))


def _rows_of(value: Any) -> list[Any] | None:
    """The rows of a JSON document: an array, or the one array of objects inside an object, or a
    table by columns (one list per column, or one object of row numbers per column).

    An object with plain text or a second structure beside the array, or whose array bears a name
    that rows use themselves (``answers``), is itself a row.
    """
    if isinstance(value, list):
        return _unwrapped(value)
    if not isinstance(value, dict):
        return None
    table = _by_columns(value)
    if table is not None:
        return table
    table = _by_splits(value)
    if table is not None:
        return table
    names = [k for k, v in value.items() if isinstance(v, list)]
    named = [k for k in names if k in _ROW_LISTS and _objects(value[k])]
    if isinstance(value.get("data"), dict):  # a task of an annotation tool, and what was said of it
        named = [k for k in named if k != "annotations"]
    if len(named) == 1 and "columns" not in value:
        names = named
    if len(names) != 1 or names[0] in _FIELDS_OF_ROWS:
        return None
    others = [v for k, v in value.items() if k != names[0] and k not in _ENVELOPE]
    rows: list[Any] = value[names[0]]
    if rows and not isinstance(rows[0], dict):
        return None
    if names != named and any(isinstance(v, str | dict) for v in others):
        return None
    return _unwrapped(rows)


def _objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _unwrapped(rows: list[Any]) -> list[Any]:
    """Rows as a data-set server wraps them: ``{"row_idx": 0, "row": {…}}``."""
    if rows and all(isinstance(r, dict) and isinstance(r.get("row"), dict) for r in rows):
        return [r["row"] for r in rows]
    return rows


def _by_splits(value: dict[str, Any]) -> list[Any] | None:
    """The rows of several splits (``{"train": […], "test": […]}``), or of rows that stand under
    their ids; None if an object is neither."""
    held = list(value.values())
    if len(held) < 2:
        return None
    if {spelled(k).split("_")[0] for k in value} <= _SPLITS and all(map(_objects, held)):
        return [row for rows in held for row in rows]
    if value.keys() & _FIELDS_OF_ROWS or not all(isinstance(v, dict) and len(v) > 1 for v in held):
        return None
    names = held[0].keys()
    if all(v.keys() == names for v in held) and names.isdisjoint(("role", "from", "text", "path")):
        return held if names & _FIELDS_OF_ROWS else None
    return None


_SPLITS = frozenset(str.split("train training test testing validation valid val dev eval"))


def _by_columns(value: dict[str, Any]) -> list[Any] | None:
    """A table by columns as rows; None if it is none. One row whose sides are messages, or lists
    of responses beside a single prompt, is no table."""
    columns, data = value.get("columns"), value.get("data")
    if (
        isinstance(columns, list)
        and isinstance(data, list)
        and data
        and len(columns) > 1
        and all(isinstance(r, list) and len(r) == len(columns) for r in data)
    ):
        return [dict(zip(map(str, columns), r, strict=True)) for r in data]
    held = list(value.values())
    if len(held) < 2:
        return None
    if all(isinstance(v, dict) and v for v in held):
        keys = held[0].keys()
        if all(v.keys() == keys for v in held) and all(str(k).isdigit() for k in keys):
            return [{name: v[k] for name, v in value.items()} for k in keys]
        return None
    if not all(isinstance(v, list) for v in held) or len({len(v) for v in held}) != 1:
        return None
    n = len(held[0])
    messages = [
        name
        for name, v in value.items()
        if n and all(isinstance(e, dict) and ("role" in e or "from" in e) for e in v)
    ]
    scalars = [v for v in held if all(e is None or isinstance(e, str | int | float) for e in v)]
    talks = [v for v in held if all(isinstance(e, list) and is_messages(e) for e in v)]
    if n < 1 or messages or not (scalars or len(talks) > 1):
        return None
    return [{name: v[i] for name, v in value.items()} for i in range(n)]


_ROW_LISTS = frozenset(
    str.split(
        "rows data train test validation examples items records results instances "
        "preferences comparisons annotations samples entries"
    )
)
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
