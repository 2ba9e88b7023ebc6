"""The report as JSON: the whole document of the contract (``cr_audit.wire``)."""

from __future__ import annotations

from collections.abc import Iterator

from cr_audit.reports import Report
from cr_audit.write import Target
from cr_audit.write.indented import indented_parts


def write(report: Report, target: Target) -> str:
    """One JSON object of printable ASCII, with a final newline; lone surrogates become "?"."""
    return "".join(parts(report, target))


def parts(report: Report, target: Target) -> Iterator[str]:
    """The same in pieces, which are made as they are asked for; the document is made at once."""
    return indented_parts(report.document(target.full_text))
