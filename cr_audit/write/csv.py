"""The main table of a report as CSV: every row, every value as a number where it is one.

A main table that people see in parts, tables of one name, is one file.

A cell that a spreadsheet would take for a formula (``=``, ``+``, ``-``, ``@``, a tab or a carriage
return before a text from the data) gets an apostrophe before it, as OWASP recommends against
injected formulas; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from cr_audit.blocks import Cell, Column, Table, Value, plain_text, tables_of
from cr_audit.errors import UsageError
from cr_audit.reports import Report
from cr_audit.write import Target
from cr_audit.write.escape import plain
from cr_audit.write.values import clean

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(report: Report, target: Target) -> str:
    """Raises UsageError for a report without a table."""
    tables = tables_of(report.blocks())
    if not tables and report.outcome.rules:  # findings were looked for, and there are none
        return "rule,severity,finding,first row\n"
    if not tables:
        raise UsageError(
            "no-table",
            "this report holds no table that CSV could hold",
            found=report.command,
            next_step="use --format json for everything that was found",
        )
    first = next((t for t in tables if t.main), tables[0])
    parts = [t for t in tables if t.main and t.name == first.name]
    return write_tables(parts or [first])


def write_tables(parts: Sequence[Table]) -> str:
    """Tables of the same columns under one header row; fields of the columns, or their titles."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow([_safe(name) for c in parts[0].columns for name in _names(c)])
    for table in parts:
        for i in range(table.n):
            cells = zip(table.columns, table.row(i), strict=True)
            rows.writerow([v for c, cell in cells for v in _values(c, cell)])
    return out.getvalue()


def _names(column: Column) -> tuple[str, ...]:
    return column.fields or (column.title.strip() or "value",)


def _values(column: Column, cell: Cell) -> list[Value]:
    values: tuple[Value, ...] = cell.values or (plain_text(cell.text),)
    width = len(_names(column))
    padded = (*values, *(None,) * (width - len(values)))[:width]
    return [_safe(v) for v in padded]


def _safe(value: Value) -> Value:
    if isinstance(value, str):
        text = plain(value)
        return f"'{text}" if text.startswith(_FORMULA) else text
    cleaned: Value = clean(value)
    return "" if cleaned is None else cleaned
