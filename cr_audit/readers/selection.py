"""Which rows are used, where a limit or a sample was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat

from cr_audit.arrays import BoolArray, NotApplicable
from cr_audit.data.dataset import Selection
from cr_audit.errors import InputError
from cr_audit.readers.containers import Container, Row


class Picked:
    """Which rows of several files are used. keep : bool (n_rows,) for each file of a sample, in
    order; None for the first ``asked`` rows. digests : SHA-256 of the files of a sample."""

    def __init__(
        self,
        asked: int,
        keep: Sequence[BoolArray] | None = None,
        digests: Sequence[str] = (),
    ) -> None:
        self._asked, self._left, self._keep, self._digests = asked, asked, keep, digests
        self._file, self._cut = 0, False

    def of(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Those of the file whose turn it is."""
        if self._keep is not None:
            for row, wanted in zip(
                rows, chain(self._keep[self._file], repeat(False)), strict=False
            ):
                if wanted:
                    yield row
            return
        for row in rows:
            if self._left == 0:
                self._cut = True
                return
            self._left -= 1
            yield row

    def end_file(self, container: Container) -> None:
        """The digest covers the whole file, also where its last rows were not asked for. Raises
        InputError where a file is another one than when its rows were counted."""
        container.hashing.drain()
        if self._digests and container.hashing.sha256 != self._digests[self._file]:
            raise InputError(
                "changed",
                "the file changed while it was read",
                where=container.path,
                next_step="run again when nothing writes to it",
            )
        self._file += 1

    @property
    def selection(self) -> Selection | NotApplicable:
        """What the report says; it did not apply where every row was used."""
        if self._keep is None:
            if not self._cut:
                return NotApplicable("all rows were read: there are no more than --limit allows")
            return Selection(
                "limit", self._asked, NotApplicable("rows after the first ones are not counted")
            )
        n_all = sum(k.shape[0] for k in self._keep)
        if n_all <= self._asked:
            return NotApplicable("all rows were read: there are no more than --sample asks for")
        return Selection("sample", self._asked, n_all)
