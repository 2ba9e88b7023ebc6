"""The index of many texts, built in parts so that its memory is set and not hoped for.

A text of 150 words has about 250 entries (hash, text) of 8 bytes; those of 2,000,000 texts are 4
GB, and sorting them, counting them and ordering them by frequency holds them three times. Entries
with one hash are all that has to be looked at together. They are therefore split by their hash as
they come, into parts that each fit, in files where all of them together do not; each part is
sorted and counted; and the shared shingles of all parts are numbered, and put into their rows, part
by part. The result is the one that ``TextIndex`` makes of all entries at once, to the last bit.

Memory: the index (5 bytes for each entry of a shingle that several texts share, 8 for each text),
and ``_PART_BYTES`` for the part that is worked on. With less than twice that allowed
(``engine.memory_limit``) the entries wait in files, and so does the index itself where there is a
folder for it (``engine.scratch_folder``).
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import scipy.sparse as sp

from cr_audit import engine
from cr_audit.arrays import IntArray
from cr_audit.clones.pairs import TextIndex, counted
from cr_audit.clones.shingles import UInt64Array, rows_of, text_bits
from cr_audit.errors import ComputeError

_PART_BYTES = 192 * 2**20
"""What sorting and numbering one part takes: about three times its entries."""
_BYTES_PER_ENTRY = 4.0
"""Of text, for each entry of its set: few texts have more entries."""
_MOST_PARTS = 256
_ROWS_AT_ONCE = 1 << 22


class _PartsFile:
    """Arrays by name and part, each in pieces as they come, in a file without a name: of a killed
    process nothing stays behind."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._where = folder or Path(tempfile.gettempdir())
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by who holds it)
        self._pieces: dict[tuple[str, int], list[tuple[int, int]]] = {}
        self._end = 0

    def put(self, name: str, part: int, values: np.ndarray[Any, np.dtype[Any]]) -> None:
        """One more piece. Raises ComputeError where it finds no room."""
        try:
            self._file.seek(self._end)
            self._file.write(np.ascontiguousarray(values).view(np.uint8).data)
            self._file.flush()
        except OSError as error:
            raise ComputeError(
                "no-space",
                f"the search for copies cannot write to {self._where}: {error.strerror or error}",
                next_step="free some space there, name another folder in CR_AUDIT_CACHE, or let the"
                " search hold more with --memory",
            ) from error
        self._pieces.setdefault((name, part), []).append((self._end, values.nbytes))
        self._end += values.nbytes

    def take(self, name: str, part: int, dtype: Any) -> np.ndarray[Any, np.dtype[Any]]:
        """All pieces of a part, in their order; they are asked for once."""
        pieces = self._pieces.pop((name, part), [])
        out = np.empty(sum(n for _, n in pieces), np.uint8)
        at = 0
        for start, size in pieces:
            self._file.seek(start)
            self._file.readinto(out[at : at + size].data)
            at += size
        return out.view(dtype)

    def close(self) -> None:
        """The file goes."""
        self._file.close()


class IndexParts:
    """Takes the sets of ``n`` texts as packed entries, in any order of the texts, each text once;
    ``index`` ends it. A context: its files go when it is left. n_bytes : of all texts together."""

    def __init__(self, n: int, n_bytes: int) -> None:
        self.n, self.bits = n, text_bits(n)
        expected = 8.0 * n_bytes / _BYTES_PER_ENTRY
        parts = 1 << max(0, int(np.ceil(np.log2(max(3.0 * expected / _PART_BYTES, 1.0)))))
        self._n_parts = min(parts, _MOST_PARTS, 1 << (64 - int(self.bits)))
        self._shift = np.uint64(64 - (self._n_parts.bit_length() - 1))
        limit = engine.memory_limit()
        self._file: _PartsFile | None = None
        if expected > limit / 4 and self._n_parts > 1:
            # Where nothing can be written it stays in memory, as large arrays do.
            with contextlib.suppress(OSError):
                self._file = _PartsFile(engine.scratch_folder())
        self._on_disk = expected > limit / 4
        self._held: list[list[np.ndarray[tuple[int, ...], np.dtype[np.uint64]]]] = [
            [] for _ in range(self._n_parts)
        ]

    def __enter__(self) -> IndexParts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held = []
        if self._file is not None:
            self._file.close()

    def add(self, entries: UInt64Array) -> None:
        """Entries of some texts, uint64 ascending: the shortened hash, then the text."""
        cuts = np.arange(1, self._n_parts, dtype=np.uint64) << self._shift
        ends = np.append(np.searchsorted(entries, cuts), entries.size).tolist()
        start = 0
        for part, end in enumerate(ends):
            if end > start:
                if self._file is None:
                    self._held[part].append(entries[start:end].copy())
                else:
                    self._file.put("entries", part, entries[start:end])
            start = end

    def _entries(self, part: int) -> UInt64Array:
        if self._file is not None:
            return self._file.take("entries", part, np.uint64)
        held, self._held[part] = self._held[part], []
        return np.concatenate(held) if held else np.empty(0, np.uint64)

    def index(self) -> TextIndex:
        """Rows of the shared shingles, the rarest first, and the sizes of the sets."""
        sizes, shared = np.zeros(self.n, np.int64), np.zeros(self.n, np.int64)
        keys_of = np.zeros(1, np.int64)  # how many shingles stand in so many texts
        parts: list[tuple[IntArray, np.ndarray[tuple[int, ...], np.dtype[np.int32]]] | None] = []
        for part in range(self._n_parts):
            entries = self._entries(part)
            entries.sort()
            texts = rows_of(entries, self.bits)
            sizes += np.bincount(texts, minlength=self.n)
            entries >>= self.bits
            begins = np.ones(entries.size, bool)
            np.not_equal(entries[1:], entries[:-1], out=begins[1:])
            del entries
            frequency = np.diff(np.flatnonzero(begins), append=texts.size)
            texts = texts[np.repeat(frequency > 1, frequency)]
            frequency = frequency[frequency > 1]
            shared += np.bincount(texts, minlength=self.n)
            here = np.bincount(frequency)
            if here.size > keys_of.size:
                keys_of = np.append(keys_of, np.zeros(here.size - keys_of.size, np.int64))
            keys_of[: here.size] += here
            parts.append(self._put_away(part, frequency, texts))
        ends = np.concatenate([[0], np.cumsum(shared)])
        rows = self._filled(ends, np.cumsum(keys_of) - keys_of, int(keys_of.sum()), parts)
        return TextIndex.of_rows(rows, sizes)

    def _put_away(
        self, part: int, frequency: IntArray, texts: np.ndarray[tuple[int, ...], np.dtype[np.int32]]
    ) -> tuple[IntArray, np.ndarray[tuple[int, ...], np.dtype[np.int32]]] | None:
        if self._file is None:
            return frequency, texts
        self._file.put("frequency", part, frequency)
        self._file.put("texts", part, texts)
        return None

    def _filled(
        self,
        ends: IntArray,
        following: IntArray,
        n_columns: int,
        parts: list[tuple[IntArray, np.ndarray[tuple[int, ...], np.dtype[np.int32]]] | None],
    ) -> sp.csr_array:
        """following : the next column for a shingle of each frequency."""
        n_entries = int(ends[-1])
        where = engine.scratch_folder() if self._on_disk else None
        columns = engine.zeros_on_disk((n_entries,), np.int32, where)
        fill = ends[:-1].copy()
        for part in range(self._n_parts):
            held, parts[part] = parts[part], None
            if held is None:
                assert self._file is not None
                frequency = self._file.take("frequency", part, np.int64)
                texts = self._file.take("texts", part, np.int32)
            else:
                frequency, texts = held
            del held
            order = np.argsort(frequency, kind="stable")
            value, count = counted(frequency)
            start = np.cumsum(count) - count
            column = np.empty(order.size, np.int64)
            column[order] = np.arange(order.size) + np.repeat(following[value] - start, count)
            following[value] += count
            entries = texts.astype(np.uint64) << np.uint64(32)
            entries |= np.repeat(column, frequency).astype(np.uint64)
            entries.sort()
            here = np.bincount(texts, minlength=self.n)
            del texts
            text = (entries >> np.uint64(32)).astype(np.int64)
            at = np.arange(text.size) + (fill - (np.cumsum(here) - here))[text]
            columns[at] = entries.astype(np.uint32).astype(np.int32)
            fill += here
            engine.give_back()
        if self._n_parts > 1:
            _sort_rows(columns, ends)
        # scipy looks at whether columns ascend only where it is not told so.
        kind = np.int32 if n_entries < 2**31 else np.int64
        rows = sp.csr_array((self.n, n_columns), dtype=np.bool_)
        rows.indptr, rows.indices = ends.astype(kind), columns.astype(kind, copy=False)
        rows.data = np.ones(n_entries, np.bool_)
        rows.has_sorted_indices = True
        return rows


def _sort_rows(columns: np.ndarray[tuple[int, ...], np.dtype[np.int32]], ends: IntArray) -> None:
    """The columns of every row ascending, in place, some rows at a time."""
    cuts = np.searchsorted(ends, np.arange(0, int(ends[-1]) + 1, _ROWS_AT_ONCE))
    for lo, hi in zip(cuts.tolist(), [*cuts[1:].tolist(), ends.size - 1], strict=True):
        if hi > lo:
            length = np.diff(ends[lo : hi + 1])
            here = slice(int(ends[lo]), int(ends[hi]))
            entries = np.repeat(np.arange(hi - lo, dtype=np.uint64) << np.uint64(32), length)
            entries |= columns[here].astype(np.uint64)
            entries.sort()
            columns[here] = entries.astype(np.uint32).astype(np.int32)
