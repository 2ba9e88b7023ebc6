"""How much is read: bounds that hold whatever a file claims about itself.

Memory grows with the bytes that a file unpacks to and with the longest text, never with what its
header promises. What exceeds a bound is an InputError that names the bound and how to raise it.

Defaults and what decided them; most are estimates, not measurements:

- ``MAX_BYTES``: a data set of a million pairs is 1.9 GB of JSONL; twice that may come.
- ``MAX_TEXT``: about 105 bytes of work per character of one text, so about 1 GB at the bound; the
  longest line of the real files that the readers are tested on has 23,000 characters.
- ``MAX_RATIO``: those files unpack to at most 59 times their gzip size. Gzip cannot exceed 1032,
  zstd can exceed 10,000. Looked at from ``RATIO_FROM`` bytes on, since less than that harms nobody.
- ``TEXTS_PER_ROW``: a row is held whole, as bytes and as values, before its texts are known.
- ``MAX_FIELDS``: the search for a schema looks at every one of them.
- ``MAX_LATE``: rows, after the first, that bring fields not met before. Each has the roles bound
  anew over all such rows, so their cost is quadratic.
- ``MAX_DOCUMENT``: a JSON document is held whole, as bytes and as values: 4 to 9 bytes each.
- ``MAX_VALUES``: an empty list is 2 bytes of JSON and 64 in memory, so 3 GB at the bound; the texts
  of a data set have one comma in about 100 bytes.
- ``CELL_BYTES``: a decoded Parquet value takes at least so many bytes of memory, whatever it took
  in the file.
- ``MAX_ROWS``: ten times the largest data set that cr-audit is timed on; a row takes up to 1 kB of
  work beside its texts.
- ``MAX_UNUSABLE``: an unusable row is kept with its place and reason, 150 bytes.
- ``SAMPLE_BYTES``: rows that are looked at before the first is used are held as values.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from cr_audit.errors import InputError

MAX_BYTES = 4_000_000_000
MAX_TEXT = 10_000_000
MAX_RATIO = 250
RATIO_FROM = 1 << 27
TEXTS_PER_ROW = 8
MAX_FIELDS = 10_000
MAX_LATE = 500
MAX_DOCUMENT = 1_000_000_000
MAX_VALUES = 50_000_000
CELL_BYTES = 8
MAX_ROWS = 10_000_000
MAX_UNUSABLE = 5_000_000
SAMPLE_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Bounds:
    """max_bytes : of one file, unpacked; None is ``MAX_BYTES`` and no more than ``MAX_RATIO`` times
    what is packed (who names a number of bytes has said how much may come). max_text : characters
    of one text. on : False for files that were read within their bounds before."""

    max_bytes: int | None = None
    max_text: int = MAX_TEXT
    on: bool = True

    @property
    def bytes(self) -> int:
        """The number of bytes that may come."""
        return MAX_BYTES if self.max_bytes is None else self.max_bytes

    @property
    def row(self) -> int:
        """Bytes of one row."""
        return max(self.max_text * TEXTS_PER_ROW, _SMALLEST_ROW)

    @property
    def document(self) -> int:
        """Bytes of one JSON document."""
        return min(self.bytes, max(MAX_DOCUMENT, self.max_bytes or 0))

    def check_size(self, path: str, n: int, packed: int, kind: str) -> None:
        """Raise InputError where ``n`` unpacked bytes of ``packed`` ones are too many.

        kind : the compression, "none" for a plain file. packed : 0 where there is no such number.
        """
        if not self.on:
            return
        if n > self.bytes:
            raise InputError(
                "too_many_bytes",
                f"the file holds more than {_size(self.bytes)}"
                + ("" if kind == "none" else f" once its {kind} data is unpacked"),
                where=path,
                next_step="split it, or raise the limit with --max-bytes (all of it is held in"
                " memory)",
            )
        if self.max_bytes is None and packed and n > max(RATIO_FROM, MAX_RATIO * packed):
            raise InputError(
                "unpacks_too_far",
                f"{_size(packed)} of {kind} data unpack to more than {_size(n - 1)},"
                f" over {MAX_RATIO} times as much",
                where=path,
                next_step="if the file is to be trusted, say how much may come with --max-bytes",
            )

    def long_row(self, path: str, line: int, hint: str = "") -> InputError:
        """The refusal of a row of too many bytes. hint : what may have made it so."""
        return InputError(
            "row_too_long",
            f"one row has more than {_size(self.row)}{hint}",
            where=f"{path}:{line}",
            next_step=f"take it out, or raise --max-text (a row may have {TEXTS_PER_ROW} times"
            " that)",
        )

    def long_text(self, path: str, line: int, n: int) -> InputError:
        """The refusal of a text of ``n`` characters."""
        return InputError(
            "text_too_long",
            f"one text has {n:,} characters; at most {self.max_text:,} are read",
            where=f"{path}:{line}",
            next_step="cut it or take it out, or raise the limit with --max-text (about 100 bytes"
            " of memory per character)",
        )

    def many_rows(self, path: str, line: int, n: int, what: str) -> InputError:
        """The refusal of the row at which ``n`` of ``what`` is exceeded."""
        return InputError(
            "too_many_rows",
            f"there are more than {n:,} {what}",
            where=f"{path}:{line}",
            next_step="split the data set, or audit a random sample of its prompts",
        )

    def many_fields(self, path: str, line: int, n: int) -> InputError:
        """The refusal of the row that brings the ``n``-th field."""
        return InputError(
            "too_many_fields",
            f"there are {n:,} fields, in this row or up to it; at most {MAX_FIELDS:,} are read, and"
            f" at most {MAX_LATE} rows may bring new ones",
            where=f"{path}:{line}",
            next_step="take them out, or put what is not needed into one field",
        )


_SMALLEST_ROW = 1 << 20


def _size(n: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if n >= unit:
            return f"{n / unit:.3g} {name}"
    return f"{n} bytes"


UNBOUNDED = Bounds(on=False)
"""For files that are read a second time, by their digest or by line."""


class BoundedRaw(io.RawIOBase):
    """Passes unpacked bytes through and stops where they exceed the bounds.

    packed : the stream whose ``n_bytes`` counts what was unpacked so far. n : bytes passed on.
    escapes_control : whether JSON of these bytes may hold a control character that is no white
    space: such a one is written as an escape, but for DEL. Sought in whole blocks, at a fifth of
    what it costs in every text."""

    def __init__(self, inner: BinaryIO, bounds: Bounds, path: str, packed: Any, kind: str) -> None:
        self._inner, self._bounds, self._path = inner, bounds, path
        self._packed, self._kind = packed, kind
        self.n = 0
        self.escapes_control, self._tail = False, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # One call of the layer below: it never inflates more than it is asked for.
        n: int = self._inner.readinto(buffer)  # type: ignore[attr-defined]
        self.n += n
        if not self.escapes_control:
            block = b"".join((self._tail, memoryview(buffer)[:n]))
            self.escapes_control, self._tail = _escapes_control(block), block[-_ESCAPE:]
        self._bounds.check_size(
            self._path,
            self.n,
            0 if self._kind == "none" else self._packed.n_bytes,
            self._kind,
        )
        return n


_ESCAPE = 5  # of six characters all but the last


def _escapes_control(block: bytes) -> bool:
    """Whether JSON holds DEL, or an escape of a control character that is no white space. An
    escaped backslash before a letter may pass for one."""
    if b"\x7f" in block:
        return True
    if b"\\" not in block:
        return False
    codes = np.frombuffer(block, np.uint8)
    at = np.flatnonzero(codes == ord("\\"))
    at = at[at < codes.size - 1]
    kind = codes[at + 1]
    if (kind == ord("b")).any():
        return True
    at = at[(kind == ord("u")) & (at < codes.size - _ESCAPE)]
    low = (codes[at + 2] == ord("0")) & (codes[at + 3] == ord("0"))
    return bool((low & np.isin(codes[at + 4], np.frombuffer(b"017", np.uint8))).any())
