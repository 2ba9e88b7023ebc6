"""``cr-audit refit``: standard against weighted rewards, and which changes are real."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cr_audit.blocks import Block
    from cr_audit.families.rewards.facts import RewardFacts
    from cr_audit.findings import Finding
    from cr_audit.reports import Report
    from cr_audit.run import Run

MAX_WIN_RATES = 8


def report(run: Run) -> Report:
    """Header, answer, win rates, rewards and what is known about them, findings.

    Raises UsageError where both fits are asked for alone.
    """
    from dataclasses import replace

    from cr_audit.arrays import NotApplicable
    from cr_audit.errors import UsageError
    from cr_audit.families.reporting import finding_section, next_steps, shown_by, verdict
    from cr_audit.families.reporting import report as made
    from cr_audit.families.rewards.show import answer_block, pictures, said, sections
    from cr_audit.heads import header

    if run.options["weighted"] and run.options["standard"]:
        raise UsageError(
            "both-fits",
            "--weighted and --standard exclude each other",
            next_step="leave out both for both fits, the standard one first",
        )

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        facts = run.facts("rewards")
        out: list[Block] = [header(run.dataset, run.command), answer_block(facts, findings)]
        unit = run.analysis.units[0]
        if not isinstance(unit.shift, NotApplicable):
            section = shown_by("rankings").section(unit, limit=MAX_WIN_RATES, main=False)
            out.append(replace(section, folded=True))  # rewards are what was asked for
        out += [
            *sections(facts),
            finding_section(findings),
            *next_steps(*_next(run, facts, findings)),
        ]
        return [*out, verdict(findings, said(facts))]

    return made(run, blocks, also=("rewards",), pictures=lambda: pictures(run.facts("rewards")))


def _next(
    run: Run, facts: RewardFacts, findings: Sequence[Finding]
) -> tuple[str, list[tuple[str, str]]]:
    """Why, and the one command, by what the ranking leaves open."""
    from cr_audit.arrays import NotApplicable
    from cr_audit.families.reporting import command_on
    from cr_audit.families.rewards.show import fits_of

    r = facts.rewards
    c, s = r.changes, r.subjects
    if not isinstance(c, NotApplicable) and bool(c.flagged.any()):
        return "train and rank on one of each copy", [
            (command_on(run, "export", "--as clean -o clean.jsonl"), "the data without the copies")
        ]
    if isinstance(c, NotApplicable) or isinstance(s, NotApplicable) or s.n_components > 1:
        kinds = run.facts("kinds").kinds
        if isinstance(kinds, NotApplicable) or kinds.n < 2 or run.settings.unit == "kind":
            return _apart(findings)
        command = command_on(run, "refit", "--unit kind")
        return "one ranking of everything needs a unit that rows share", [
            (command, "which kinds of answer are preferred")
        ]
    decided = all(r.decided(name) for name, _ in fits_of(r))
    return f"see {'what the first place hangs on' if decided else 'what would decide it'}", [
        (
            command_on(run, "sensitivity", by_unit=True),
            "how few votes turn it, and which to collect" if decided else "which votes to collect",
        )
    ]


def _apart(findings: Sequence[Finding]) -> tuple[str, list[tuple[str, str]]]:
    """What to read where no unit joins the rankings: why they are apart, else the worst finding."""
    rules = [f.rule for f in findings]
    if not rules:
        return "", []
    rule = "CR302" if "CR302" in rules else rules[0]
    return "see why there is no one ranking, and what would join them" if rule == "CR302" else (
        "see what that means"
    ), [(f"cr-audit explain {rule}", "what that means and what mends it")]


COMMANDS = (
    Command(
        "refit",
        "Fit rewards with uniform and with clone-robust weights, and flag the changes that are"
        " real.",
        report,
        details="Without FILE: the files of the settings file, else the last ones read.",
        examples=(
            "cr-audit refit prefs.jsonl",
            "cr-audit refit --weighted --fail-on error",
            "cr-audit refit prefs.jsonl --unit model --penalty auto --plot ranks.svg",
        ),
        options=(
            Option(
                "weighted",
                "switch",
                False,
                "The weighted fit first; it must be possible.",
            ),
            Option("standard", "switch", False, "The standard fit alone; needs no vectors."),
        ),
        files="last",
        fits=True,
        judged=True,
        plots="both rankings",
    ),
)
