"""``cr-audit leaderboard``: what an arena's owner publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from cr_audit.blocks import Block
    from cr_audit.findings import Finding
    from cr_audit.reports import Report
    from cr_audit.run import Run


def report(run: Run) -> Report:
    """The board, what it depends on, and the findings of its own rules."""
    from cr_audit.families.leaderboard.rules import contenders
    from cr_audit.families.leaderboard.show import answer, blocks_of, chart
    from cr_audit.families.reporting import command_on, finding_section, next_steps, verdict
    from cr_audit.families.reporting import report as made
    from cr_audit.heads import header

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        facts = run.facts("leaderboard")
        own = [f for f in findings if f.rule.startswith("CR21")]
        sure = len(contenders(facts)) == 1
        command = command_on(run, "sensitivity", by_unit=True)
        first = answer(facts)[facts.board.fit.n_components > 1]
        return [
            header(run.dataset, run.command),
            *blocks_of(facts, limit=run.options["top"]),
            finding_section(own),
            *next_steps(
                "see what the first place hangs on" if sure else "see what would settle it",
                [(command, "how few votes turn it" if sure else "which battles to collect")],
            ),
            verdict(own, first),
        ]

    return made(
        run,
        blocks,
        also=("leaderboard",),
        pictures=lambda: (chart(run.facts("leaderboard")),),
    )


COMMANDS = (
    Command(
        "leaderboard",
        "Places that hold: ties, intervals, groups, style, clones, vendors, voting rules.",
        report,
        examples=(
            "cr-audit leaderboard battles.jsonl",
            "cr-audit leaderboard battles.jsonl responses.jsonl --control length,style",
            "cr-audit leaderboard battles.jsonl --by language --owner name -o board.html",
        ),
        options=(
            Option("level", "number", 0.95, "Level of intervals, ranges and groups.", low=0.5,
                   high=0.999),
            Option("top", "whole", 50, "How many items to show.", low=1),
            Option("by", "text", None, "A field of the rows: a board for each of its values.",
                   metavar="FIELD"),
            Option("control", "text", None, "Take out what answers look like: length, style or"
                   " both.", metavar="LIST"),
            Option("owner", "text", None, "Who owns which model: `name` (the first word of its"
                   " name), two FIELDs of the rows (left,right), or a FILE with the columns model"
                   " and owner.", metavar="HOW"),
        ),
        judged=True,
        plots="the intervals of all items",
    ),
)  # fmt: skip
