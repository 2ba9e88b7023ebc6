"""Findings that somebody accepted: by rule or fingerprint, with a reason, an owner and an end."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from cr_audit.errors import InputError
from cr_audit.findings import Finding
from cr_audit.gate.boundaries import expired
from cr_audit.gate.rules import BY_ID


@dataclass(frozen=True, slots=True)
class Waiver:
    """rule, fingerprint : globs, at least one of them; both must match where both are given."""

    rule: str
    fingerprint: str
    reason: str
    owner: str
    expires: date

    def matches(self, finding: Finding) -> bool:
        """Whether the globs name this finding; the rule by its id or name. A waiver cannot waive
        what is said about waivers."""
        rule = BY_ID.get(finding.rule)
        if rule is not None and rule.about == "waivers":
            return False
        names = (finding.rule, finding.rule if rule is None else rule.name)
        return any(fnmatchcase(n.lower(), self.rule.lower()) for n in names) and fnmatchcase(
            finding.fingerprint, self.fingerprint
        )

    @property
    def pattern(self) -> str:
        """The two globs in one line."""
        if self.fingerprint == "*":
            return self.rule
        return self.fingerprint if self.rule == "*" else f"{self.rule} {self.fingerprint}"


@dataclass(frozen=True, slots=True)
class WaiverUse:
    """What one waiver did: how many findings it matched, and whether it has run out."""

    waiver: Waiver
    n_matched: int
    expired: bool


def parse_waivers(value: Any, where: str) -> tuple[Waiver, ...]:
    """``[[gate.waivers]]`` tables. Raises InputError for what is missing, unknown or mistyped."""
    if not isinstance(value, list):
        raise _bad("waivers must be a list of tables", value, where, "write [[gate.waivers]]")
    return tuple(
        _waiver(entry, f"{where} [[gate.waivers]] number {n}") for n, entry in enumerate(value, 1)
    )


def _waiver(entry: Any, where: str) -> Waiver:
    if not isinstance(entry, Mapping):
        raise _bad("a waiver must be a table", entry, where, "write [[gate.waivers]]")
    known = ("rule", "fingerprint", "reason", "owner", "expires")
    for key in entry:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise _bad(f"unknown key {key!r}", entry[key], where, hint)
    for key in ("rule", "fingerprint", "reason", "owner"):
        if key in entry and (not isinstance(entry[key], str) or not entry[key].strip()):
            raise _bad(f"{key} must be a text", entry[key], where, "mend the file")
    for key in ("reason", "owner", "expires"):
        if key not in entry:
            raise _bad(f"{key} is missing", dict(entry), where, f"say {key} = …")
    if "rule" not in entry and "fingerprint" not in entry:
        raise _bad("rule or fingerprint is missing", dict(entry), where, "say what is waived")
    return Waiver(
        rule=entry.get("rule", "*"),
        fingerprint=entry.get("fingerprint", "*"),
        reason=entry["reason"],
        owner=entry["owner"],
        expires=_day(entry["expires"], where),
    )


def _day(value: Any, where: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise _bad("expires must be a day", value, where, "write it as 2027-06-30")


def _bad(message: str, found: Any, where: str, next_step: str) -> InputError:
    return InputError(
        "bad-waiver", message, where=where, found=repr(found)[:200], next_step=next_step
    )


def use_of(
    waivers: tuple[Waiver, ...], findings: tuple[Finding, ...], today: date
) -> tuple[WaiverUse, ...]:
    """How each waiver fares; one that has run out matches but waives nothing."""
    return tuple(
        WaiverUse(w, sum(w.matches(f) for f in findings), expired(w.expires, today))
        for w in waivers
    )
