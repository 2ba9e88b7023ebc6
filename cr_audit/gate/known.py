"""Findings that are known: written once, marked from then on. Never a silent pass.

The file is JSON: what it was made by, and one entry per finding. It is valid only for the same
format, the same minor version of cr-audit, the same embedder and the same radius: another one
would see other clusters, and its fingerprints would say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cr_audit import __version__
from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.errors import InputError
from cr_audit.files import write_whole
from cr_audit.findings import Finding
from cr_audit.gate.documents import read_document

FORMAT = "cr-audit/known-findings/v1"
MAX_BYTES = 100_000_000
_TEXT = 200


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """One entry of the file; rule and message are there for its readers."""

    fingerprint: str
    rule: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What fingerprints depend on besides the data."""

    version: str
    embedding: str
    radius: float | None

    @classmethod
    def of(cls, analysis: Analysis) -> MadeBy:
        """The maker of this analysis."""
        e, c = analysis.embedding, analysis.clones
        return cls(
            version=".".join(__version__.split(".")[:2]),
            embedding="none" if isinstance(e, NotApplicable) else e.fingerprint,
            radius=None if isinstance(c, NotApplicable) else c.radius,
        )


def write_known(path: Path, findings: tuple[Finding, ...], made_by: MadeBy) -> None:
    """Write the file, whole or not at all. Raises ComputeError if it cannot be written."""
    entries = {
        f.fingerprint: {
            "fingerprint": f.fingerprint,
            "rule": f.rule,
            "subject": f.subject[:_TEXT],
            "message": f.message[:_TEXT],
        }
        for f in findings
    }
    document = {
        "format": FORMAT,
        "version": made_by.version,
        "embedding": made_by.embedding,
        "radius": made_by.radius,
        "findings": [entries[k] for k in sorted(entries)],
    }
    text = json.dumps(document, ensure_ascii=True, indent=1) + "\n"
    write_whole(text.encode("ascii"), path, option="--write-baseline")


def read_known(
    path: Path, made_by: MadeBy, content: bytes | None = None
) -> tuple[KnownFinding, ...]:
    """The entries, by fingerprint. Raises InputError (exit 3) for a file that is missing, not of
    this format, too large, or made by another version, embedder or radius."""
    document = read_document(path, FORMAT, MAX_BYTES, _refused, content)
    for key, wanted in (
        ("version", made_by.version),
        ("embedding", made_by.embedding),
        ("radius", made_by.radius),
    ):
        if document.get(key) != wanted:
            raise _refused(
                path, f"was made with another {key}", f"{document.get(key)!r}, this run: {wanted!r}"
            )
    entries = document.get("findings")
    if not isinstance(entries, list):
        raise _refused(path, "has no list of findings")
    return tuple(sorted((_entry(e, path) for e in entries), key=lambda k: k.fingerprint))


def _entry(entry: Any, path: Path) -> KnownFinding:
    names = ("fingerprint", "rule", "subject", "message")
    if not isinstance(entry, Mapping) or not all(isinstance(entry.get(n), str) for n in names):
        raise _refused(path, "holds an entry that is not a finding", repr(entry)[:200])
    return KnownFinding(*(entry[n] for n in names))


def _refused(path: Path, why: str, found: str | None = None) -> InputError:
    return InputError(
        "bad-known-findings",
        f"the file of known findings {why}",
        where=str(path),
        found=found,
        next_step="write it anew with --write-baseline, after looking at what it hides",
    )
