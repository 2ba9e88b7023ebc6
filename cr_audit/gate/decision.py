"""Everything that one run of the gate came to: what its reports and its document show."""

from __future__ import annotations

from dataclasses import dataclass

from cr_audit.arrays import NotApplicable
from cr_audit.findings import Absent, Outcome, Told
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.growth import ClusterGain
from cr_audit.gate.own_policy import PolicyChange
from cr_audit.gate.policy import Policy
from cr_audit.gate.rules import gate_rules
from cr_audit.gate.verdict import Judged, Verdict
from cr_audit.gate.waivers import Waiver
from cr_audit.run import Judging
from cr_audit.wording import plural

MAX_CHANGES = 20
_OWN = NotApplicable("the policy of the checkout itself judged")


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """effect : facts about the batch. radius_chosen : whether somebody chose the radius, so that
    commands which look at the copies must name it. judging : where the policy came from, if not
    from the checkout; own_changes : what the checkout's own settings would have changed."""

    effect: BatchEffect
    policy: Policy
    verdict: Verdict
    radius_chosen: bool = False
    judging: Judging | None = None
    own_changes: tuple[PolicyChange, ...] | NotApplicable = _OWN

    @property
    def baseline_files(self) -> tuple[str, ...]:
        """As named, in order."""
        return tuple(f.path for f in self.effect.before.dataset.report.files)

    @property
    def batch_files(self) -> tuple[str, ...]:
        """As named, in order."""
        return tuple(f.path for f in self.effect.batch.files)

    @property
    def changed_baseline(self) -> tuple[str, ...] | NotApplicable:
        """The files of the baseline that are not as the commit of the policy holds them."""
        if self.judging is None or not self.judging.commit:
            return NotApplicable("the policy was read from a file")
        return self.judging.altered

    @property
    def gains(self) -> tuple[ClusterGain, ...]:
        """The clusters with new members; none where no clones were looked for."""
        growth = self.effect.growth
        return () if isinstance(growth, NotApplicable) else growth.gains

    def not_judged(self) -> tuple[str, ...]:
        """What could not be judged, each with its reason; empty if everything could."""
        e = self.effect
        parts = (
            ("clones", e.growth),
            ("ranking", e.ranking),
            ("contradictions", e.contradictions),
            ("repeated judgements", e.repeats),
        )
        return tuple(f"{n}: {v.reason}" for n, v in parts if isinstance(v, NotApplicable))

    def policy_lines(self) -> tuple[str, ...]:
        """What the policy leaves out, and what the checkout's own would have changed."""
        policy, out = self.policy, list[str]()
        off = [f"{r.id} {r.name}" for r in gate_rules() if policy.severity(r) is None]
        if off:
            out.append(f"off: {', '.join(off)}")
        if policy.fail_on == "never":
            out.append("nothing fails: fail-on is never")
        out += [
            f"waived through {u.waiver.expires.isoformat()}: {u.waiver.pattern}"
            f" ({plural(u.n_matched, 'finding')}; {u.waiver.reason}; owner {u.waiver.owner})"
            for u in self.verdict.waivers
            if not u.expired
        ]
        if self.judging is None:
            return tuple(out)
        out += [
            f"the baseline {name} is not as the policy's commit holds it: this branch changed it"
            for name in self.judging.altered
        ]
        changes = self.own_changes
        if isinstance(changes, NotApplicable):
            return (*out, changes.reason)
        if not changes:
            return (*out, "the checkout's own settings say the same")
        out.append(
            f"the checkout's own settings, not used, differ in {plural(len(changes), 'key')}:"
        )
        out += [f"{c.key}: {c.own}, not {c.judged}" for c in changes[:MAX_CHANGES]]
        if len(changes) > MAX_CHANGES:
            out.append(f"… and {len(changes) - MAX_CHANGES:,} more")
        return tuple(out)

    def outcome(self) -> Outcome:
        """The findings as every writer of findings takes them."""
        verdict = self.verdict
        return Outcome(
            told=tuple(_told(j, verdict.has_known) for j in verdict.judged),
            passed=verdict.passed,
            reason=verdict.reason,
            rules=gate_rules(),
            place=self.batch_files[0],
            absent=tuple(Absent(k.rule, k.fingerprint, k.message) for k in verdict.vanished),
            not_judged=self.not_judged(),
            policy=self.policy_lines(),
            waivers_in=(f"{self.policy.table}.waivers", self.policy.file),
        )


def _told(judged: Judged, has_known: bool) -> Told:
    known = judged.known if has_known else None
    waived_by = "" if judged.waiver is None else _reason(judged.waiver)
    return Told(judged.finding, judged.bin, known, waived_by)


def _reason(waiver: Waiver) -> str:
    return f"{waiver.reason} (owner {waiver.owner}, through {waiver.expires.isoformat()})"
