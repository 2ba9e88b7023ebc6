"""What an audit says: a rule, how bad, about what, on which evidence, and what to do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


Evidence = Mapping[str, float | int | str | bool | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that cr-audit can find.

    id : "CR001" style; name : kebab-case; the texts are what ``cr-audit explain`` prints.
    """

    id: str
    name: str
    severity: Severity
    summary: str
    means: str
    computed: str
    advice: str
    source: str = ""

    def finding(
        self,
        message: str,
        subject: str,
        evidence: Evidence,
        rows: tuple[str, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """One result of this rule, with its advice; ``severity`` where a policy has its own."""
        of = self.severity if severity is None else severity
        return Finding(self.id, of, message, subject, rows, evidence, self.advice)


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of one rule.

    subject : what it is about, by content id ("cluster:…", "model:…", "dataset").
    rows : up to a few "file:line" strings. evidence : name -> number or short text, in the order
    to be shown. advice : the next step for this very finding.
    """

    rule: str
    severity: Severity
    message: str
    subject: str
    rows: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=dict)
    advice: str = ""

    @property
    def fingerprint(self) -> str:
        """Stable under reordered rows and shifted lines: rule and subject only."""
        # An annotator's name may hold a lone surrogate.
        named = f"{self.rule}\x00{self.subject}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(named, digest_size=8).hexdigest()
