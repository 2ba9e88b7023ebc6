"""Sensitivity on a page: fragile predictions as a picture."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Number, Section, Tone
from cr_audit.families.sensitivity.facts import SensitivityFacts
from cr_audit.families.sensitivity.rules import few, leader_flips
from cr_audit.families.sensitivity.show import pictures
from cr_audit.models.sensitivity.votes import Change
from cr_audit.wording import plural


def numbers(facts: SensitivityFacts) -> list[Number]:
    """How few comparisons decide the lead, and how many predictions hang on strong ones."""
    out = []
    if not isinstance(facts.flips, NotApplicable):
        leads = [
            f for f in leader_flips(facts, "comparison") if f.interval.change is Change.REMOVAL
        ]
        ends = [
            (f.interval.upper, f) for f in leads if not isinstance(f.interval.upper, NotApplicable)
        ]
        if ends:
            upper, first = min(ends, key=lambda end: end[0])
            label = f"of {plural(first.n_comparisons, 'comparison')} decide who leads"
            tone: Tone = "warning" if upper <= few(first) else "plain"
            out.append(Number(f"{upper:,}", label, "without them another leads", tone))
    n = facts.n_sensitive
    label = "fragile predictions"
    note = f"uncompared pairs with M > {facts.threshold:g}"
    return [*out, Number(f"{n:,}", label, note, "warning" if n else "good")]


def blocks(facts: SensitivityFacts) -> list[Block]:
    """What is sensitive against what is merely unknown."""
    drawn = pictures(facts)
    if isinstance(drawn, NotApplicable):
        return []
    return [Section("Fragile predictions", "", tuple(drawn))]
