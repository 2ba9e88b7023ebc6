"""A rule of the gate: what every rule has, and how it stands to the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cr_audit.findings import Rule, Severity

if TYPE_CHECKING:
    from cr_audit.gate.compare import BatchEffect
    from cr_audit.gate.policy import Policy
    from cr_audit.gate.waivers import WaiverUse

Evidence = dict[str, float | int | str | bool | None]

PAPER = "Clone-Robust AI Alignment, arXiv 2501.09254"


@dataclass(frozen=True, slots=True)
class GateRule(Rule):
    """``severity`` is that of the default profile; a policy may set another one.

    judge : a ``Question`` -> findings, the most important first. lenient, strict : severities in
    these profiles where they differ. about : "waivers" for rules about the policy's own waivers,
    which nothing waives. thresholds : those of the policy that it goes by. telling : place among
    the rules that say most in one sentence, 1 first, 0 behind all that have one. tells : rules
    that are not told again about the subject of a finding of this one. copies : which new copies
    the findings are about, "cluster" those of the cluster that is the subject, "all" all of them,
    "" none; the rows that hold them are what to drop. sums : it is also asked of past batches and
    this one together (``gate.ledger``).
    """

    lenient: Severity | None = None
    strict: Severity | None = None
    about: Literal["batch", "waivers"] = "batch"
    thresholds: tuple[str, ...] = ()
    telling: int = 0
    tells: tuple[str, ...] = ()
    copies: Literal["", "cluster", "all"] = ""
    sums: bool = False

    def in_profile(self, profile: str) -> Severity:
        """The severity in a shipped profile."""
        return {"lenient": self.lenient, "strict": self.strict}.get(profile) or self.severity


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What a rule is asked about: a batch, by a policy."""

    effect: BatchEffect
    policy: Policy


@dataclass(frozen=True, slots=True)
class WaiverQuestion:
    """What a rule about waivers is asked about."""

    uses: tuple[WaiverUse, ...]
