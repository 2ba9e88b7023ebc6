"""Findings and a policy in, one verdict out. Every finding lands in exactly one bin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cr_audit.findings import BINS, Bin, Finding, reaches
from cr_audit.gate.judge import judge_waivers
from cr_audit.gate.known import KnownFinding
from cr_audit.gate.policy import Policy
from cr_audit.gate.rules import ordered
from cr_audit.gate.waivers import Waiver, WaiverUse, use_of
from cr_audit.wording import plural, verb


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding, its bin, whether it is known, and the waiver that took it."""

    finding: Finding
    bin: Bin
    known: bool
    waiver: Waiver | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """judged : all findings in report order. vanished : known findings that this run did not find.
    has_known : a file of known findings was given. waivers : what each did."""

    judged: tuple[Judged, ...]
    vanished: tuple[KnownFinding, ...]
    has_known: bool
    waivers: tuple[WaiverUse, ...]
    fail_on: str
    profile: str

    @property
    def passed(self) -> bool:
        """No finding fails."""
        return not any(j.bin == "failing" for j in self.judged)

    def of(self, bin_: Bin) -> tuple[Judged, ...]:
        """The findings in one bin."""
        return tuple(j for j in self.judged if j.bin == bin_)

    @property
    def reason(self) -> str:
        """The verdict in one sentence: what matters most, and how many findings fail."""
        counts = {b: len(self.of(b)) for b in BINS}
        words = ("known", "waived", f"less severe than {self.fail_on}")
        if self.fail_on == "never":
            words = ("known", "waived", "let pass: fail-on is never")
        rest = [f"{counts[b]:,} {w}" for b, w in zip(BINS[1:], words, strict=True) if counts[b]]
        also = f" ({', '.join(rest)})" if rest else ""
        if self.passed:
            none = "nothing was found" if not self.judged else "no finding fails"
            return f"pass: {none}{also}"
        n = counts["failing"]
        lead = self.of("failing")[0].finding.message
        return f"fail: {lead}; {plural(n, 'finding')} {verb(n, 'fails', 'fail')}{also}"


def decide(
    findings: tuple[Finding, ...],
    policy: Policy,
    *,
    known: tuple[KnownFinding, ...] | None = None,
    today: date,
) -> Verdict:
    """Sort findings into bins: waived (a waiver in force matches), baselined (the fingerprint is
    known), failing (as severe as ``fail-on`` or more), below_threshold.

    What the rules about waivers find (one that has run out, say) can fail as any other finding but
    cannot be waived.
    """
    uses = use_of(policy.waivers, findings, today)
    everything = ordered((*findings, *judge_waivers(uses, policy)))
    names = {k.fingerprint for k in known or ()}
    judged = []
    for f in everything:
        waiver = next((u.waiver for u in uses if not u.expired and u.waiver.matches(f)), None)
        is_known = f.fingerprint in names
        bin_: Bin = "below_threshold"
        if waiver is not None:
            bin_ = "waived"
        elif is_known:
            bin_ = "baselined"
        elif reaches(f.severity, policy.fail_on):
            bin_ = "failing"
        judged.append(Judged(f, bin_, is_known, waiver))
    found = {f.fingerprint for f in everything}
    return Verdict(
        judged=tuple(judged),
        vanished=tuple(k for k in known or () if k.fingerprint not in found),
        has_known=known is not None,
        waivers=uses,
        fail_on=policy.fail_on,
        profile=policy.profile,
    )
