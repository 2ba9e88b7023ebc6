"""Choice sets on a page: what was chosen against what was offered."""

from __future__ import annotations

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Number, Section, Tone
from cr_audit.families.choices.facts import ChoicesFacts, Verdict
from cr_audit.families.choices.show import METHODS, pictures
from cr_audit.wording import percent, plural


def numbers(facts: ChoicesFacts) -> list[Number]:
    """Lists that can tell, what they tell, and how well the recommended way to train agrees."""
    n, long = facts.lists.n, facts.lists.n_long
    note = "of three or more; pairs cannot show whether IIA holds"
    out = [
        Number(
            f"{long:,}", f"of {plural(n, 'list')} can tell", note, "plain" if long else "warning"
        )
    ]
    tests = facts.tests()
    if tests:
        least = facts.smallest_adjusted
        tone: Tone = "warning" if facts.verdict is Verdict.VIOLATED else "plain"
        of = f"Holm-adjusted, of {plural(len(tests), 'test')} of IIA"
        shown = "< 0.0001" if least < 1e-4 else f"{least:.2g}"
        out.append(Number(shown, "smallest p-value", of, tone))
    if not isinstance(facts.remedies, NotApplicable):
        chosen = next(
            (m for m in facts.remedies.methods if m.method is facts.remedies.recommended), None
        )
        if chosen is not None and not chosen.reason:
            way = METHODS[chosen.method][0]
            out.append(Number(percent(chosen.agreement), "agreement on held-out lists", way))
    return out


def blocks(facts: ChoicesFacts) -> list[Block]:
    """Margins of all pairs of kinds."""
    drawn = pictures(facts)
    if isinstance(drawn, NotApplicable):
        return []
    return [Section("Chosen minus offered", "", tuple(drawn))]
