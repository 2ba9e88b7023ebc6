"""``cr-audit sensitivity``: which predictions and answers hang on a few votes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from cr_audit.blocks import Block
    from cr_audit.families.sensitivity.facts import SensitivityFacts
    from cr_audit.findings import Finding
    from cr_audit.reports import Report
    from cr_audit.run import Run

GROUP = "Sensitivity"
FILE = "next.jsonl"
N_NEXT = 50
"""Comparisons that a report proposes to collect: half an hour for one person."""


def report(run: Run) -> Report:
    """Header, answer, flips, fragile pairs, strong preferences, advice, findings."""
    from cr_audit.analysis.facts import Stage
    from cr_audit.arrays import NotApplicable
    from cr_audit.families.reporting import command_on, finding_section, next_steps, verdict
    from cr_audit.families.reporting import report as made
    from cr_audit.families.sensitivity.show import (
        answer,
        answer_block,
        pictures,
        sections,
        worth_asking,
    )
    from cr_audit.heads import header

    run.left_out = [Stage.VOTES, Stage.RESAMPLING]
    facts = run.facts("sensitivity")
    if run.options["next"] is not None:
        _write_tasks(run, facts)

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        why, steps = "", []
        votes = facts.next_votes
        asked = run.options["next"] is not None
        if not isinstance(votes, NotApplicable) and worth_asking(votes) and not asked:
            why = "collect what says most"
            command = command_on(run, "sensitivity", f"--next {N_NEXT}", by_unit=True)
            steps.append((command, f"writes {FILE}, a comparison a line"))
        elif not isinstance(votes, NotApplicable) and not asked:
            why = "more votes would not change who leads; see how sure the other places are"
            steps.append((command_on(run, "refit", by_unit=True), "every place with its interval"))
        return [
            header(run.dataset, run.command),
            answer_block(facts, findings),
            *sections(facts, top=run.options["top"]),
            finding_section(findings),
            *next_steps(why, steps),
            verdict(findings, answer(facts)[0]),
        ]

    return made(run, blocks, also=("sensitivity",), pictures=lambda: pictures(facts))


def _write_tasks(run: Run, facts: SensitivityFacts) -> None:
    """One JSON object a line. Raises ComputeError where there is no advice."""
    from pathlib import Path

    import orjson

    from cr_audit.arrays import NotApplicable
    from cr_audit.errors import ComputeError
    from cr_audit.families.sensitivity.compute import tasks
    from cr_audit.files import write_whole
    from cr_audit.wording import plural

    votes = facts.next_votes
    if isinstance(votes, NotApplicable):
        raise ComputeError(
            "nothing-to-collect",
            f"there is no comparison to advise: {votes.reason}",
            next_step="leave out --next",
        )
    path = Path(run.options["next_file"] or FILE)
    lines = [orjson.dumps(task) for task in tasks(run, facts, votes)]
    write_whole(b"".join(line + b"\n" for line in lines), path, option="--next-file")
    run.say(f"{plural(len(lines), 'comparison')} to collect: {path}")


COMMANDS = (
    Command(
        "sensitivity",
        "Which predictions and answers hang on a few votes, and what to collect to settle them.",
        report,
        details="The number of votes that changes an answer is an interval: its lower end is"
        " proved, its upper end is a set of rows that was refitted.",
        examples=(
            "cr-audit sensitivity prefs.jsonl --unit model",
            "cr-audit sensitivity prefs.jsonl --pair gpt-4 --pair llama-2",
            "cr-audit sensitivity prefs.jsonl --next 50 --next-file tasks.jsonl",
        ),
        options=(
            Option(
                "flip",
                "switch",
                False,
                "Also the first 3, 5 and 10, the weighted fit, prompts and clone clusters.",
                GROUP,
            ),
            Option(
                "pair",
                "texts",
                None,
                "Also the order of two items; give it twice.",
                GROUP,
                metavar="ITEM",
            ),
            Option(
                "threshold",
                "number",
                2.0,
                "M above which a prediction is listed.",
                GROUP,
                low=1.001,
                high=1e6,
            ),
            Option("top", "whole", 10, "How many pairs to show.", GROUP, low=1),
            Option(
                "next",
                "whole",
                None,
                "Write so many comparisons to collect as JSONL.",
                GROUP,
                low=1,
                high=1000,
                metavar="N",
            ),
            Option("next_file", "path", None, "Where --next writes. [default: next.jsonl]", GROUP),
            Option(
                "width",
                "number",
                1.0,
                "Width, in log-odds, that the interval of the closest gap should get to.",
                GROUP,
                low=1e-3,
                high=100.0,
            ),
        ),
        files="last",
        fits=True,
        judged=True,
        plots="M against the error of each fragile prediction",
    ),
)
