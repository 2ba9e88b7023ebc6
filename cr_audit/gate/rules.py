"""Everything that ``cr-audit gate`` can say, by id.

A rule stands with its texts, its judgement and its relations to others in ``batch`` (what a batch
does) or in ``about_waivers``. This is the one place that knows of all of them; ``register`` adds
one more.
"""

from __future__ import annotations

from collections.abc import Iterable

from cr_audit.findings import Finding, ranked
from cr_audit.gate import about_waivers
from cr_audit.gate.batch import (
    behaviour,
    clones,
    hidden,
    lists,
    masses,
    paraphrases,
    rankings,
    rows,
    votes,
)
from cr_audit.gate.rule import GateRule

BY_ID: dict[str, GateRule] = {}


def register(rule: GateRule) -> None:
    """Add a rule. Raises ValueError for an id or a name that is taken."""
    for other in BY_ID.values():
        if rule.id == other.id or rule.name == other.name:
            raise ValueError(f"there is a rule {other.id} {other.name!r} already")
    BY_ID[rule.id] = rule


for _rule in (
    *rows.RULES,
    *clones.RULES,
    *rankings.RULES,
    *lists.RULES,
    *votes.RULES,
    *behaviour.RULES,
    *hidden.RULES,
    *paraphrases.RULES,
    *masses.RULES,
    *about_waivers.RULES,
):
    register(_rule)


def gate_rules() -> tuple[GateRule, ...]:
    """All rules of the gate, by id."""
    return tuple(sorted(BY_ID.values(), key=lambda r: r.id))


def by_name(name: str) -> GateRule | None:
    """A rule by its id or name, however it is capitalised; None for an unknown one."""
    of_name = (r for r in BY_ID.values() if r.name == name.lower())
    return BY_ID.get(name.upper()) or next(of_name, None)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most severe first, then what says most, then by rule; within a rule as given (the
    largest first)."""
    telling = sorted((r for r in BY_ID.values() if r.telling), key=lambda r: r.telling)
    return ranked(findings, [r.id for r in telling])
