"""``cr-audit scan``: every family that looks at a data set, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cr_audit.blocks import Block
    from cr_audit.findings import Finding
    from cr_audit.reports import Report
    from cr_audit.run import Run


def report(run: Run) -> Report:
    """Header, answer, what each family shows, findings, next steps."""
    from cr_audit.families.reporting import (
        MOST_IN_SCAN,
        finding_section,
        in_scan,
        next_steps,
        verdict,
    )
    from cr_audit.families.reporting import report as made
    from cr_audit.heads import header

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        out: list[Block] = [header(run.dataset, run.command), _answer(run, findings)]
        for family in in_scan():
            show = family.part("show")
            if show is not None:
                out += show.brief(run.facts(family.name))
        shown = finding_section(findings, most=MOST_IN_SCAN)
        return [*out, shown, *next_steps(*_next(run, findings)), verdict(findings)]

    return made(run, blocks)


def _answer(run: Run, findings: Sequence[Finding]) -> Block:
    from cr_audit.blocks import Answer, Tone
    from cr_audit.families.reporting import in_scan

    sentences: list[str] = []
    for family in sorted(in_scan(), key=lambda f: f.said):
        show = family.part("show")
        if show is not None and hasattr(show, "answer"):
            sentences += show.answer(run.facts(family.name))
    worst = next((f.severity for f in findings if f.severity != "note"), None)
    if worst is None:
        unchecked = _unchecked(run)
        left = f" in the rest; not looked at: {', '.join(unchecked)}" if unchecked else ""
        sentences.append(f"Nothing to warn about{left}.")
    tone: Tone = "good" if worst is None else worst.value
    return Answer(tuple(sentences), tone)


def _unchecked(run: Run) -> list[str]:
    """What no family could look at in this data."""
    from cr_audit.families.reporting import in_scan

    return [
        name
        for family in in_scan()
        if (show := family.part("show")) is not None and hasattr(show, "unchecked")
        for name in show.unchecked(run.facts(family.name))
    ]


def _next(run: Run, findings: Sequence[Finding]) -> tuple[str, list[tuple[str, str]]]:
    """One thing to do now and why, and what explains the worst; both can be copied as they are."""
    from cr_audit.heads import typed_files

    why, steps = _action(run, typed_files(run.dataset))
    if findings:
        steps.append((f"cr-audit explain {findings[0].rule}", "what that means and what mends it"))
    return why, steps


def _action(run: Run, files: str) -> tuple[str, list[tuple[str, str]]]:
    """Why, and the one command, none where nothing is left to do."""
    from cr_audit.arrays import NotApplicable

    analysis, noted = run.analysis, run.dataset.report.noted
    clones = None if isinstance(analysis.clones, NotApplicable) else analysis.clones
    scopes = () if clones is None else {c.scope for c in clones.clusters if c.kind != "loose"}
    clean = f"cr-audit export {files} --as clean"
    if "response" in scopes or noted.get("duplicate_row", 0) or noted.get("contradictory_row", 0):
        return "train and rank on one of each copy", [
            (f"{clean} -o clean.jsonl", "the data with one of each copy")
        ]
    if "boilerplate" in scopes:
        return "read the rows whose answer stands under many prompts, and decide", [
            (f"{clean} --drop-boilerplate --dropped dropped.jsonl -o clean.jsonl", "both parts")
        ]
    unit = analysis.units[0] if analysis.units else None
    if unit is not None and unit.unit == "model" and unit.comparisons.n:
        missing = (
            ""
            if clones is not None
            else "; copies need the texts: give the file of responses as well"
        )
        return f"see whether the first place is sure{missing}", [
            (f"cr-audit leaderboard {files}", "ranks with their ranges")
        ]
    kinds = run.facts("kinds").kinds
    n_kinds = 0 if isinstance(kinds, NotApplicable) else kinds.n
    ranked = unit is not None and not isinstance(unit.shift, NotApplicable)
    if n_kinds > 1 and unit is not None and unit.comparisons.n and not ranked:
        return "see which kinds of answer are preferred", [
            (f"cr-audit refit {files} --unit kind", "rewards of the kinds of answer")
        ]
    if ranked:
        return "see which places are sure", [
            (f"cr-audit winrates {files}", "all items with intervals")
        ]
    if n_kinds:
        return "see what kinds of answer there are", [
            (f"cr-audit kinds {files}", "kinds of answer, and how each fares")
        ]
    return "", []


COMMAND = Command(
    "scan",
    "Find clones in preference data, weigh every alternative, and show how win rates shift.",
    report,
    examples=(
        "cr-audit scan prefs.jsonl",
        "cr-audit scan train.jsonl.gz extra.csv --unit model",
        "cr-audit scan prefs.jsonl --map prompt=question,chosen=better,rejected=worse",
        "cr-audit scan prefs.jsonl -o report.json --fail-on error",
    ),
    options=(
        Option(
            "parts",
            "path",
            None,
            "Take what cr-audit part has put into this folder; what is missing is computed.",
            metavar="DIR",
            first=False,
        ),
    ),
    judged=True,
)
