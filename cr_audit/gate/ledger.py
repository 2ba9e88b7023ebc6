"""What past batches added: a file that the gate carries from batch to batch, and the sum it judges.

One copy a batch passes every test of a single batch. The ledger holds the content identifiers of
the responses that batches which passed have added. Those that are in the baseline by now are taken
out of it again, with the rows in which they stand, and judged together with the new batch: as one
batch against the baseline as it was before them. Where a batch passed and was not merged, its
identifiers are in no baseline and count for nothing.

The sum is looked at with every batch. The b-th look is given the share 1 / (b (b + 1)) of the
level, which add up to 1: all looks together call a false alarm as seldom as one.

Votes between responses that the first baseline held leave no trace here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cr_audit.arrays import BoolArray
from cr_audit.data.dataset import PreferenceDataset, ReadReport
from cr_audit.data.merging import merged, restricted
from cr_audit.errors import InputError
from cr_audit.files import write_whole
from cr_audit.gate.documents import read_document

FORMAT = "cr-audit/ledger/v1"
MAX_BYTES = 200_000_000
_ID = re.compile(r"[A-Za-z0-9:_-]{1,80}")
_SHA = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch that passed. files : sha256 of its files, sorted; added : content identifiers of
    the responses that it brought, sorted."""

    files: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Entries in the order in which the batches passed."""

    entries: tuple[Entry, ...] = ()

    @property
    def added(self) -> frozenset[str]:
        """All identifiers."""
        return frozenset(i for e in self.entries for i in e.added)

    def with_batch(self, report: ReadReport, added: Sequence[str]) -> Ledger:
        """The ledger after a batch passed; one that passed before is entered once."""
        files = tuple(sorted(f.sha256 for f in report.files))
        entry = Entry(files, tuple(sorted(added)))
        earlier = [e for e in self.entries if e.files == files]
        if earlier:
            entry = Entry(
                files, tuple(sorted({*entry.added, *(i for e in earlier for i in e.added)}))
            )
        return Ledger((*(e for e in self.entries if e.files != files), entry))


def read_ledger(path: Path, content: bytes | None = None) -> Ledger:
    """The ledger, an empty one where there is no file yet. Raises InputError (exit 3) for anything
    but a plain file of this format: what is not understood would be forgotten.

    content : the bytes, where the file itself is not to be read; empty for a ledger to be begun.
    """
    try:
        plain = path.is_file()
        missing = not plain and not path.is_symlink() and not path.exists()
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from error
    if not plain and not missing:
        raise _refused(path, "is no plain file")
    if content is None:
        return Ledger() if missing else _parsed(path, None)
    return _parsed(path, content) if content else Ledger()


def _parsed(path: Path, content: bytes | None) -> Ledger:
    document = read_document(path, FORMAT, MAX_BYTES, _refused, content)
    batches = document.get("batches")
    if not isinstance(batches, list):
        raise _refused(path, "has no list of batches")
    return Ledger(tuple(_entry(b, path) for b in batches))


def _entry(batch: Any, path: Path) -> Entry:
    if not isinstance(batch, Mapping):
        raise _refused(path, "holds a batch that is none", repr(batch)[:200])
    out = []
    for key, form in (("files", _SHA), ("added", _ID)):
        values = batch.get(key)
        if not isinstance(values, list):
            raise _refused(path, f"holds a batch without a list {key!r}", repr(batch)[:200])
        wrong = next((v for v in values if not isinstance(v, str) or not form.fullmatch(v)), None)
        if wrong is not None or len(set(values)) != len(values):
            raise _refused(
                path, f"holds a batch whose {key!r} are no identifiers", repr(wrong)[:200]
            )
        out.append(tuple(sorted(values)))
    return Entry(*out)


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Whole or not at all. Raises ComputeError (exit 4) where it cannot be written."""
    batches = [{"files": list(e.files), "added": list(e.added)} for e in ledger.entries]
    text = json.dumps({"format": FORMAT, "batches": batches}, ensure_ascii=True, indent=0) + "\n"
    write_whole(text.encode("ascii"), path, option="--ledger")


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """Past batches and this one as one batch. baseline : as it was before them. n_batches : with
    this one; n_past : responses of past batches that are in the baseline now."""

    baseline: PreferenceDataset
    batch: PreferenceDataset
    n_batches: int
    n_past: int

    def level(self, confidence_level: float) -> float:
        """The level at which this look is judged."""
        return 1.0 - (1.0 - confidence_level) / (self.n_batches * (self.n_batches + 1))


def sum_of(ledger: Ledger, baseline: PreferenceDataset, batch: PreferenceDataset) -> Sum | None:
    """None where no past batch has a response in the baseline, or nothing would be left of it."""
    ids = baseline.alternatives["id"].to_list()
    known = ledger.added
    past = np.array([i in known for i in ids], dtype=np.bool_)
    if not past.any() or past.all():
        return None
    in_baseline = {i for i, is_past in zip(ids, past.tolist(), strict=True) if is_past}
    n = sum(not in_baseline.isdisjoint(e.added) for e in ledger.entries)
    before, later = _parted(baseline, past)
    return Sum(before, merged(later, batch), n + 1, int(past.sum()))


def _parted(
    data: PreferenceDataset, past: BoolArray
) -> tuple[PreferenceDataset, PreferenceDataset]:
    """The rows in which no past alternative stands, and the others. A row is a file and a line."""
    m = data.mentions
    rows = m.select("file", "line").filter(pl.Series(past[m["alternative"].to_numpy()])).unique()
    rows = rows.with_columns(is_past=pl.lit(True))

    def part(late: bool) -> PreferenceDataset:
        """Rows of the other part are moved to a file behind all others, and left out with it."""
        n_files = len(data.report.files)

        def marked(frame: pl.DataFrame) -> pl.DataFrame:
            found = frame.join(rows, on=["file", "line"], how="left", maintain_order="left")
            is_past = pl.col("is_past").fill_null(value=False)
            out = pl.when(is_past != late).then(pl.lit(n_files)).otherwise(pl.col("file"))
            return found.with_columns(file=out.cast(frame.schema["file"])).drop("is_past")

        moved = replace(
            data,
            comparisons=marked(data.comparisons),
            choice_sets=marked(data.choice_sets),
            ratings=marked(data.ratings),
            mentions=marked(data.mentions),
        )
        return restricted(moved, n_files, data.report)[0]

    return part(late=False), part(late=True)


def _refused(path: Path, why: str, found: str | None = None) -> InputError:
    return InputError(
        "bad-ledger",
        f"the ledger {why}",
        where=str(path),
        found=found,
        next_step="take the ledger that the last merged batch wrote; without it what past batches"
        " added is not judged",
    )
