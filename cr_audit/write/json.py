"""The report as JSON: the whole document of the contract (``cr_audit.wire``)."""

from __future__ import annotations

from cr_audit.reports import Report
from cr_audit.write import Target
from cr_audit.write.indented import indented
from cr_audit.write.values import clean


def write(report: Report, target: Target) -> str:
    """One JSON object of printable ASCII, with a final newline; lone surrogates become "?"."""
    document = clean(report.document(target.full_text))
    assert isinstance(document, dict)
    return indented(document)
