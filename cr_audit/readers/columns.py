"""One field of the raw rows, by file and line: what a report is grouped by beside what it reads."""

from __future__ import annotations

from collections.abc import Sequence

from cr_audit.errors import InputError, UsageError
from cr_audit.readers.bounds import UNBOUNDED
from cr_audit.readers.containers import Container
from cr_audit.readers.parsing import quote
from cr_audit.readers.streams import STDIN, open_raw


def read_columns(
    paths: Sequence[str], fields: Sequence[str], *, option: str
) -> list[dict[int, tuple[str | None, ...]]]:
    """Per file: line -> the values of ``fields`` as texts, None where a row has none.

    A field of nested objects is written with dots (``meta.language``). Numbers and booleans are
    written as JSON writes them. Raises UsageError for a pipe, which cannot be read twice, and
    InputError where no row has a field; ``option`` is what asked for it.
    """
    out: list[dict[int, tuple[str | None, ...]]] = []
    seen: dict[str, None] = {}
    found = dict.fromkeys(fields, 0)
    for path in paths:
        if path == STDIN:
            raise UsageError(
                "field-of-a-pipe",
                f"{option} reads the rows a second time, and a pipe can be read only once",
                next_step="give a file instead of -",
            )
        raw, _ = open_raw(path, None)
        container = Container(path, raw, bounds=UNBOUNDED)
        values: dict[int, tuple[str | None, ...]] = {}
        try:
            for row in container.rows():
                if not isinstance(row.value, dict):
                    continue
                seen |= dict.fromkeys(row.value)
                cells = tuple(_text(_inside(row.value, f)) for f in fields)
                for field, cell in zip(fields, cells, strict=True):
                    found[field] += cell is not None
                values[row.line] = cells
        finally:
            container.close()
        out.append(values)
    for field, n in found.items():
        if n == 0:
            raise InputError(
                "no-such-field",
                f"no row has the field {quote(field)} that {option} names",
                where=paths[0] if len(paths) == 1 else None,
                found=f"the fields are {', '.join(quote(k) for k in list(seen)[:20])}",
                next_step=f"name a field of the rows with {option}",
            )
    return out


def _inside(row: dict[str, object], field: str) -> object:
    if field in row:
        return row[field]
    value: object = row
    for part in field.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _text(value: object) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip()
    return text or None
