"""Fields of list members that the data set does not keep: prices, styles, anything with a name.

The rows are read once more, and the entries of each list matched to its members by name, key or
text. What comes from the standard input cannot be read twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.identity import canonical
from cr_audit.families.choices.compute.lists import Lists
from cr_audit.readers.bounds import UNBOUNDED
from cr_audit.readers.containers import Container, Unparsed
from cr_audit.readers.fields import unpacked
from cr_audit.readers.streams import STDIN, open_raw


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """names : numeric fields that every member of every list has; values : float64 (k, c).
    words : other fields (or those asked for), name -> int64 (k,) labels and their names."""

    names: tuple[str, ...]
    values: FloatArray
    words: Mapping[str, tuple[IntArray, tuple[str, ...]]]


def read_attributes(
    data: PreferenceDataset,
    lists: Lists,
    *,
    fields: tuple[str, ...] = (),
    numeric: bool = True,
) -> Attributes | NotApplicable:
    """Numeric fields of all members (where ``numeric``), and the labels of ``fields``.

    A numeric field counts where every member of every list has it as a finite number and it
    differs within some list. NotApplicable where the rows cannot be read again.
    """
    if any(f.path == STDIN for f in data.report.files):
        return NotApplicable("the rows came from the standard input and cannot be read again")
    k = lists.sets.members.size
    entries: list[Mapping[str, Any] | None] = [None] * k
    wanted: dict[tuple[int, int], list[int]] = {}
    for s, at in enumerate(zip(lists.file.tolist(), lists.line.tolist(), strict=True)):
        wanted.setdefault(at, []).append(s)
    names = _names(data)
    for file, path in enumerate(f.path for f in data.report.files):
        for line, row in _rows(path):
            for s in wanted.get((file, line), ()):
                _match(row, lists, s, names, entries)
    values, found_names = _numbers(entries) if numeric else (np.zeros((k, 0)), ())
    words = {f: found for f in fields if (found := _labels(entries, f)) is not None}
    return Attributes(names=found_names, values=values, words=words)


def _rows(path: str) -> Iterator[tuple[int, Any]]:
    raw, _ = open_raw(path, None)
    container = Container(path, raw, bounds=UNBOUNDED)
    try:
        for line, value, *_ in container.rows():
            if not isinstance(value, Unparsed):
                yield line, value
    finally:
        container.close()


def _names(data: PreferenceDataset) -> list[tuple[str | None, str | None, str | None]]:
    frame = data.alternatives.select("model", "key", "text")
    return list(frame.iter_rows())


def _match(
    row: Any,
    lists: Lists,
    s: int,
    names: list[tuple[str | None, str | None, str | None]],
    entries: list[Mapping[str, Any] | None],
) -> None:
    """Give each member of list ``s`` the object of the row that carries its name, key or text."""
    start, end = int(lists.sets.offsets[s]), int(lists.sets.offsets[s + 1])
    by_name: dict[str, int] = {}
    for at in range(start, end):
        for name in names[int(lists.sets.members[at])]:
            if name is not None:
                by_name.setdefault(name, at)
    for value in row.values() if isinstance(row, dict) else ():
        items = unpacked(value)
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, dict):
                continue
            for found in item.values():
                text = str(found) if isinstance(found, int) else found
                if isinstance(text, str) and (at_ := by_name.get(canonical(text))) is not None:
                    entries[at_] = item
                    break


def _numbers(
    entries: list[Mapping[str, Any] | None],
) -> tuple[FloatArray, tuple[str, ...]]:
    k = len(entries)
    if k == 0 or any(e is None for e in entries):
        return np.zeros((k, 0)), ()
    known = [e for e in entries if e is not None]
    shared = [name for name in known[0] if all(_is_number(e.get(name)) for e in known)]
    columns = [np.array([float(e[name]) for e in known]) for name in shared]
    keep = [i for i, c in enumerate(columns) if np.ptp(c) > 0]
    if not keep:
        return np.zeros((k, 0)), ()
    return np.stack([columns[i] for i in keep], axis=1), tuple(shared[i] for i in keep)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
    )


def _labels(
    entries: list[Mapping[str, Any] | None], field: str
) -> tuple[IntArray, tuple[str, ...]] | None:
    found = [None if e is None or e.get(field) is None else str(e[field]) for e in entries]
    names = sorted({f for f in found if f is not None})
    if not names:
        return None
    index = {name: i for i, name in enumerate(names)}
    labels = np.array([-1 if f is None else index[f] for f in found], dtype=np.int64)
    return labels, tuple(names)
