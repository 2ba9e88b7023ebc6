"""``cr-audit clones``: every cluster in depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from cr_audit.reports import Report
    from cr_audit.run import Run


def report(run: Run) -> Report:
    """Clusters with their members, and word diffs."""
    from cr_audit.families.clones.show import section
    from cr_audit.families.reporting import report as made
    from cr_audit.families.reporting import shown_by
    from cr_audit.heads import header

    top, diffs = run.options["top"], run.options["diffs"]
    return made(
        run,
        lambda findings: [
            header(run.dataset, run.command),
            section(run.facts("clones"), limit=top, diffs=diffs, members=True),
            *shown_by("paraphrases").section(run.facts("paraphrases"), limit=top),
        ],
    )


COMMANDS = (
    Command(
        "clones",
        "Every clone cluster with its members, and word diffs of the furthest two.",
        report,
        examples=("cr-audit clones prefs.jsonl --top 100 --diffs 20",),
        options=(
            Option("top", "whole", 50, "How many clusters to show.", low=1),
            Option("diffs", "whole", 5, "How many word diffs.", low=0),
        ),
    ),
)
