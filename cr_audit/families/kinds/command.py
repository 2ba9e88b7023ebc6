"""``cr-audit kinds``: which kinds of answer and of prompt there are, and how they fare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from cr_audit.blocks import Block
    from cr_audit.findings import Finding
    from cr_audit.reports import Report
    from cr_audit.run import Run


def report(run: Run) -> Report:
    """The kinds, the largest effects first, those of prompts, and what the rules say."""
    from cr_audit.families.kinds.show import answer, section
    from cr_audit.families.reporting import finding_section, shown_by
    from cr_audit.families.reporting import report as made
    from cr_audit.heads import header

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        from cr_audit.arrays import NotApplicable
        from cr_audit.blocks import Answer

        facts = run.facts("kinds")
        out: list[Block] = [header(run.dataset, run.command)]
        said = answer(facts)
        if isinstance(facts.kinds, NotApplicable):
            said = [f"No kinds of answer were looked for: {facts.kinds.reason}."]
        prompts, of_prompts = shown_by("prompts"), run.facts("prompts")
        out.append(Answer((*said, *prompts.said(of_prompts))))
        out += section(facts, limit=run.options["top"])
        out += prompts.section(of_prompts, limit=run.options["top"])
        return [*out, finding_section([f for f in findings if f.rule.startswith("CR9")])]

    return made(run, blocks)


COMMANDS = (
    Command(
        "kinds",
        "Which kinds of answer and of prompt there are, in meaning, and how each fares.",
        report,
        examples=(
            "cr-audit kinds prefs.jsonl",
            "cr-audit refit prefs.jsonl --unit kind",
        ),
        options=(Option("top", "whole", 30, "How many kinds of each to show.", low=1),),
    ),
)
