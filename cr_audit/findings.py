"""What an audit says: a rule, how bad, about what, on which evidence, and what to do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class Severity(StrEnum):
    """How much a finding matters; ``--fail-on`` names the least that fails."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


SEVERITIES: tuple[Severity, ...] = (Severity.NOTE, Severity.WARNING, Severity.ERROR)
"""From the least to the most severe."""
FAIL_ON: tuple[str, ...] = ("never", *SEVERITIES)
"""What may fail a run: a severity, which counts itself and all above it, or nothing."""

Evidence = Mapping[str, float | int | str | bool | None]


def reaches(severity: Severity, threshold: str) -> bool:
    """Whether a finding of ``severity`` fails under ``--fail-on threshold``; the boundary does."""
    return threshold != "never" and SEVERITIES.index(severity) >= FAIL_ON.index(threshold) - 1


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that cr-audit can find: its texts, and its judgement beside them.

    id : "CR001" style; name : kebab-case; the texts are what ``cr-audit explain`` prints.
    judge : facts of the rule's family -> its findings, the most important first; None where
    another rule's judge makes them.
    """

    id: str
    name: str
    severity: Severity
    summary: str
    means: str
    computed: str
    advice: str
    source: str = ""
    judge: Callable[[Any], Iterable[Finding]] | None = field(default=None, compare=False)

    def finding(
        self,
        message: str,
        subject: str,
        evidence: Evidence,
        rows: tuple[str, ...] = (),
        severity: Severity | None = None,
        quoted: str = "",
    ) -> Finding:
        """One result of this rule, with its advice; ``severity`` where a policy has its own.

        quoted : goes behind the message: what shows a text of the data, such as ': “Yes.”'.
        """
        of = self.severity if severity is None else severity
        return Finding(
            self.id, of, message + quoted, subject, rows, evidence, self.advice, len(quoted)
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of one rule.

    subject : what it is about, by content id ("cluster:…", "model:…", "dataset").
    rows : up to a few "file:line" strings. evidence : name -> number or short text, in the order
    to be shown. advice : the next step for this very finding. n_quoted : characters at the end of
    the message that show a text of the data; no report holds the number.
    """

    rule: str
    severity: Severity
    message: str
    subject: str
    rows: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=dict)
    advice: str = ""
    n_quoted: int = field(default=0, repr=False, compare=False)

    @property
    def brief(self) -> str:
        """The message without the text that it shows at its end, which fills a line of its own."""
        return self.message[: len(self.message) - self.n_quoted]

    @property
    def fingerprint(self) -> str:
        """Stable under reordered rows and shifted lines: rule and subject only."""
        # An annotator's name may hold a lone surrogate.
        named = f"{self.rule}\x00{self.subject}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(named, digest_size=8).hexdigest()


def ranked(findings: Iterable[Finding], telling: Sequence[str] = ()) -> tuple[Finding, ...]:
    """The most severe first, then the rules of ``telling`` in their order, then by rule; findings
    of one rule as given."""
    first = {rule: k for k, rule in enumerate(telling)}
    return tuple(
        sorted(
            findings,
            key=lambda f: (-SEVERITIES.index(f.severity), first.get(f.rule, len(first)), f.rule),
        )
    )


Bin = Literal["failing", "baselined", "waived", "below_threshold"]
BINS: tuple[Bin, ...] = ("failing", "baselined", "waived", "below_threshold")


@dataclass(frozen=True, slots=True)
class Told:
    """A finding as a host of code reviews sees it. known : whether an earlier run told it, None
    where nobody said what is known. waived_by : owner and reason, "" where it is not waived."""

    finding: Finding
    bin: Bin
    known: bool | None = None
    waived_by: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """A known finding that this run did not find."""

    rule: str
    fingerprint: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """All findings of a run and what they come to.

    rules : all that were looked for, found or not. reason : the outcome in one sentence. place :
    the file that a finding without rows belongs to. not_judged : what could not be looked at, each
    with its reason. told : in the order of the report. waivers_in : the table and the file that can
    waive a finding, where the command knows waivers. policy : in sentences, what the policy that
    judged leaves out, and what the checkout's own or a changed baseline would have changed.
    """

    told: tuple[Told, ...]
    passed: bool
    reason: str
    rules: tuple[Rule, ...]
    place: str
    absent: tuple[Absent, ...] = ()
    not_judged: tuple[str, ...] = ()
    waivers_in: tuple[str, str] | None = None
    policy: tuple[str, ...] = ()

    def of(self, bin_: Bin) -> tuple[Told, ...]:
        """The findings in one bin."""
        return tuple(t for t in self.told if t.bin == bin_)


def outcome_of(
    findings: Sequence[Finding], rules: Sequence[Rule], fail_on: str, place: str
) -> Outcome:
    """The outcome of a command that has findings and no policy: ``--fail-on`` decides."""
    told = tuple(
        Told(f, "failing" if reaches(f.severity, fail_on) else "below_threshold") for f in findings
    )
    n = sum(t.bin == "failing" for t in told)
    counts = ", ".join(
        f"{k:,} {s}{'s' if k != 1 else ''}"
        for s in reversed(SEVERITIES)
        if (k := sum(f.severity == s for f in findings))
    )
    said = counts or "nothing was found"
    reason = f"fail: {n:,} of {len(told):,} findings reach --fail-on {fail_on} ({said})"
    return Outcome(told, n == 0, reason if n else f"pass: {said}", tuple(rules), place)
