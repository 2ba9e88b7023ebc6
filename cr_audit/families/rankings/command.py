"""``cr-audit winrates``: all items with errors and intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from cr_audit.reports import Report
    from cr_audit.run import Run


def report(run: Run) -> Report:
    """The win rates of every unit of the report."""
    from cr_audit.families.rankings.show import section
    from cr_audit.families.reporting import report as made
    from cr_audit.heads import header

    return made(
        run,
        lambda findings: [
            header(run.dataset, run.command),
            *(section(u, limit=run.options["top"]) for u in run.facts("rankings").units),
        ],
    )


COMMANDS = (
    Command(
        "winrates",
        "Win rates before and after weighting, with ranks, errors and intervals.",
        report,
        examples=("cr-audit winrates prefs.jsonl --unit model --top 100",),
        options=(Option("top", "whole", 50, "How many items to show.", low=1),),
    ),
)
