"""Texts as a sequence over one buffer: a ``str`` is made when it is asked for, and not kept.

A list of the 2,000,000 answers of a million pairs is a second copy of them, of 1.9 GB and 57 bytes
an answer; a frame holds them once, of which this is a view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from cr_audit.arrays import IntArray

if TYPE_CHECKING:
    import polars as pl

_AT_ONCE = 4096


class Texts(Sequence[Any]):
    """Some rows of a column of texts, in any order. rows : int64 (n,), None = all of them.

    Memory: 8 bytes a text beside the column, where rows are given. A slice is a list.
    """

    __slots__ = ("_digest", "_rows", "_series")

    def __init__(self, series: pl.Series, rows: IntArray | None = None) -> None:
        self._series, self._rows = series, rows
        self._digest: bytes | None = None

    def __len__(self) -> int:
        return self._series.len() if self._rows is None else int(self._rows.size)

    @overload
    def __getitem__(self, at: int) -> str | None: ...
    @overload
    def __getitem__(self, at: slice) -> list[str | None]: ...
    def __getitem__(self, at: int | slice) -> str | list[str | None] | None:
        if isinstance(at, slice):
            if self._rows is None:
                return self._series[at].to_list()
            return self._series.gather(self._rows[at]).to_list()
        text: str | None = self._series[int(at if self._rows is None else self._rows[at])]
        return text

    def __iter__(self) -> Iterator[str | None]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self[start : start + _AT_ONCE]

    def take(self, rows: IntArray) -> list[Any]:
        """The texts of some rows."""
        held = rows if self._rows is None else self._rows[rows]
        return self._series.gather(held).to_list()

    def n_bytes(self) -> IntArray:
        """How long each is in UTF-8, int64 (n,); 0 where there is none."""
        length = self._series.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
        return length if self._rows is None else length[self._rows]

    def digest(self) -> bytes:
        """32 bytes that depend on every text, on their order and on which of them are absent."""
        if self._digest is None:
            h = hashlib.blake2b(digest_size=32, person=b"cr-audit texts")
            h.update(len(self).to_bytes(8, "little"))
            for start in range(0, len(self), _AT_ONCE):
                some = self[start : start + _AT_ONCE]
                raw = [b"" if t is None else t.encode() for t in some]
                size = [-1 if t is None else len(r) for t, r in zip(some, raw, strict=True)]
                h.update(np.array(size, "<i8").tobytes())
                h.update(b"".join(raw))
            self._digest = h.digest()
        return self._digest

    def _held(self) -> pl.Series:
        return self._series if self._rows is None else self._series.gather(self._rows)

    def n_distinct(self) -> int:
        """Different texts that are not empty."""
        held = self._held()
        return int(held.filter(held != "").n_unique())

    def ranked(self) -> tuple[Texts, IntArray]:
        """Distinct texts in the order of their characters, and which of them each row has, int64
        (n,), -1 where there is none."""
        held = self._held()
        order = held.arg_sort(nulls_last=True).to_numpy().astype(np.int64)
        order = order[: held.len() - held.null_count()]
        new = np.ones(order.size, bool)
        for start in range(1, order.size, _AT_ONCE * 16):
            stop = min(start + _AT_ONCE * 16, order.size)
            some = held.gather(order[start - 1 : stop])
            new[start:stop] = (some[1:] != some[:-1]).to_numpy()
        rank = np.full(held.len(), -1, np.int64)
        rank[order] = np.cumsum(new) - 1
        first = order[new]
        return Texts(self._series, first if self._rows is None else self._rows[first]), rank


def ranked(texts: Sequence[str | None]) -> tuple[Sequence[str], IntArray]:
    """Distinct texts in sorted order, and which of them each row has (-1 where None)."""
    if isinstance(texts, Texts):
        return texts.ranked()
    unique = sorted({t for t in texts if t is not None})
    rank = {t: i for i, t in enumerate(unique)}
    return unique, np.fromiter(
        (-1 if t is None else rank[t] for t in texts), np.int64, count=len(texts)
    )


def some_of(texts: Sequence[str], rows: IntArray) -> list[str]:
    """The texts of some rows, int64 (k,), in their order."""
    if isinstance(texts, Texts):
        return texts.take(rows)
    return [texts[i] for i in rows.tolist()]
