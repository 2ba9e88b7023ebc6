"""What a Parquet file will take in memory, before and after it is decoded.

A dictionary, a run length or a repeated level lets a few bytes stand for 10^9 values, so the size
of the file bounds nothing. Before decoding, the headers of all pages are walked: they say how many
values each page holds and how many bytes it unpacks to, and a decoder allocates by them. After
decoding, texts are views that share a dictionary's bytes; what they take as Python values is summed
without making them, and rows are given in slices of bounded size.

Format: https://parquet.apache.org/docs/file-format/ (Thrift compact protocol, read here as far as
sizes need it).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from cr_audit.errors import InputError
from cr_audit.readers.bounds import CELL_BYTES, MAX_FIELDS, Bounds

SLICE_ROWS = 4096
SLICE_BYTES = 1 << 26
"""Rows are made into Python values in slices of at most so many rows and, by estimate, bytes."""
_DELTA_BYTE_ARRAY = 7
_DEEPEST = 64
_BOOLEANS = (1, 2)


class _Malformed(Exception):
    """The bytes are no Thrift."""


class _Thrift:
    """Reads the compact protocol: a struct as {field number: value}."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data, self.at, self._end = data, at, end

    def _byte(self) -> int:
        if self.at >= self._end:
            raise _Malformed
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise _Malformed

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, n: int) -> None:
        if n > self._end - self.at:
            raise _Malformed
        self.at += n

    def struct(self, depth: int = 0) -> dict[int, Any]:
        out: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            kind, delta = head & 0x0F, head >> 4
            field = field + delta if delta else self._zigzag()
            out[field] = kind == 1 if kind in _BOOLEANS else self._value(kind, depth + 1)
        return out

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise _Malformed
        match kind:
            case 1 | 2 | 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                self._skip(8)
            case 8:
                self._skip(self._varint())
            case 9 | 10:
                head = self._byte()
                n = head >> 4 if head >> 4 < 15 else self._varint()
                if n > self._end - self.at:  # every element takes a byte at least
                    raise _Malformed
                return [self._value(head & 0x0F, depth + 1) for _ in range(n)]
            case 11:
                n = self._varint()
                if n > self._end - self.at:
                    raise _Malformed
                kinds = self._byte() if n else 0
                for _ in range(n):
                    self._value(kinds >> 4, depth + 1)
                    self._value(kinds & 0x0F, depth + 1)
            case 12:
                return self.struct(depth)
            case _:
                raise _Malformed
        return None


def check_parquet(data: bytes, path: str, bounds: Bounds) -> None:
    """Raise InputError where the pages of a file hold more than the bounds allow, or where its
    headers are no headers."""
    try:
        n_bytes, n_columns = _sizes(data)
    except (_Malformed, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            "damaged",
            "the headers of the Parquet file cannot be read",
            where=path,
            next_step="copy or download the file again",
        ) from error
    if n_columns > MAX_FIELDS:
        raise bounds.many_fields(path, 1, n_columns)
    bounds.check_size(path, n_bytes, 0, "Parquet")


def _sizes(data: bytes) -> tuple[int, int]:
    """(bytes that decoding takes at least, columns)."""
    end = len(data) - 8
    size = int.from_bytes(data[end : end + 4], "little")
    if size > end - 4:
        raise _Malformed
    footer = _Thrift(data, end - size, end).struct()
    total, n_columns = CELL_BYTES * max(footer[3], 0), 0
    for group in footer.get(4) or []:
        columns = group[1]
        n_columns = max(n_columns, len(columns))
        for column in columns:
            if 1 in column:  # the data stand in another file, which is not opened
                raise _Malformed
            total += _column_bytes(data, column[3], end)
    return total, n_columns


def _column_bytes(data: bytes, column: dict[int, Any], end: int) -> int:
    """What the pages of one column chunk unpack to, by the headers that a decoder goes by."""
    starts = [column[k] for k in (9, 11) if column.get(k, 0) > 0]
    at = min(starts)
    stop = at + column[7]
    if at < 4 or column[7] < 0 or stop > end:
        raise _Malformed
    total: int = CELL_BYTES * max(column[5], 0)
    while at < stop:
        reader = _Thrift(data, at, stop)
        page = reader.struct()
        unpacked, packed = page[2], page[3]
        if unpacked < 0 or packed < 0:
            raise _Malformed
        header = page.get(5) or page.get(8) or {}
        n_values = max(header.get(1, 0), 0)
        total += max(unpacked, CELL_BYTES * n_values)
        encoding = header.get(2) if 5 in page else header.get(4)
        if encoding == _DELTA_BYTE_ARRAY:  # each value may begin like the one before it
            total += n_values * unpacked
        at = reader.at + packed
    return total


def slices(frame: pl.DataFrame, path: str, bounds: Bounds) -> Iterator[tuple[pl.DataFrame, int]]:
    """The rows of a table in pieces, with what each takes as Python values.

    Raises InputError, before the first piece, where all rows or one row take too much.
    """
    if not bounds.on:
        for part in frame.iter_slices(SLICE_ROWS):
            yield part, 0
        return
    total = 0
    pieces: list[tuple[int, int, int]] = []
    waiting = [
        (at, min(SLICE_ROWS, frame.height - at)) for at in range(0, frame.height, SLICE_ROWS)
    ]
    waiting.reverse()
    while waiting:
        at, n = waiting.pop()
        size = sum(_leaf_bytes(column) for column in frame.slice(at, n).get_columns())
        if size > SLICE_BYTES and n > 1:
            waiting += [(at + n // 2, n - n // 2), (at, n // 2)]
            continue
        if size > bounds.row and n == 1:
            raise bounds.long_row(path, at + 1)
        total += size
        bounds.check_size(path, total, 0, "Parquet")
        pieces.append((at, n, size))
    for at, n, size in pieces:
        yield frame.slice(at, n), size


def _leaf_bytes(column: pl.Series) -> int:
    """What the values of a column take: the bytes of texts, ``CELL_BYTES`` of anything else."""
    kind = column.dtype
    own = CELL_BYTES * len(column)
    if kind == pl.String:
        return own + int(column.str.len_bytes().sum() or 0)
    if kind == pl.Binary:
        return own + int(column.bin.size().sum() or 0)
    if isinstance(kind, pl.Categorical | pl.Enum):
        return own + int(column.cast(pl.String).str.len_bytes().sum() or 0)
    if isinstance(kind, pl.List | pl.Array):
        return own + _leaf_bytes(column.explode())
    if isinstance(kind, pl.Struct):
        return own + sum(_leaf_bytes(column.struct.field(f.name)) for f in kind.fields)
    return own
