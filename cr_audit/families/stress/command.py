"""``cr-audit stress``: how many clones it takes to bend the rankings of the user's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from cr_audit.reports import Report
    from cr_audit.run import Run

STRESS = "Stress"


def report(run: Run) -> Report:
    """The answer, the injections, and the flips where they were asked for; nothing is judged."""
    from cr_audit.families.reporting import report as made
    from cr_audit.families.stress.show import blocks

    run.facts("stress")  # now: what cannot be stressed is said before anything is written
    return made(
        run,
        lambda findings: blocks(run.facts("stress"), run.files),
        also=("stress",),
        judged=False,
    )


COMMANDS = (
    Command(
        "stress",
        "Add clones to your own data and see whether the standard or the weighted ranking gives"
        " way.",
        report,
        examples=(
            "cr-audit stress prefs.jsonl",
            "cr-audit stress prefs.jsonl --unit model --clones 5 --find-flip",
        ),
        options=(
            Option("clones", "whole", 20, "How many to add.", STRESS, low=1, high=1000),
            Option(
                "find_flip",
                "switch",
                False,
                "Also search the fewest clones, and the fewest comparisons taken away, that change"
                " the leader.",
                STRESS,
            ),
            Option(
                "max_clones",
                "whole",
                100,
                "Where --find-flip gives up.",
                STRESS,
                low=1,
                high=10_000,
            ),
        ),
        fits=True,
    ),
)
