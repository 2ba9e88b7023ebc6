"""Choice sets on a page: what was chosen against what was offered."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Section
from cr_audit.families.choices.facts import ChoicesFacts
from cr_audit.families.choices.show import pictures


def blocks(facts: ChoicesFacts) -> list[Block]:
    """Margins of all pairs of kinds."""
    drawn = pictures(facts)
    if isinstance(drawn, NotApplicable):
        return []
    return [Section("Chosen minus offered", "", tuple(drawn))]
