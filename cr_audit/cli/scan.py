"""``cr-audit scan``: every family that looks at a data set, in one pass."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from cr_audit.commands import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cr_audit.blocks import Block
    from cr_audit.findings import Finding
    from cr_audit.reports import Report
    from cr_audit.run import Run


def report(run: Run) -> Report:
    """Header, answer, what each family shows, findings, next steps."""
    from cr_audit.families.reporting import finding_section, in_scan
    from cr_audit.families.reporting import report as made
    from cr_audit.heads import header

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        out: list[Block] = [header(run.dataset, run.command), _answer(run, findings)]
        for family in in_scan():
            show = family.part("show")
            if show is not None:
                out += show.brief(run.facts(family.name))
        return [*out, finding_section(findings), _next(run)]

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


def _next(run: Run) -> Block:
    """What to do now; the commands can be copied as they are."""
    from cr_audit.arrays import NotApplicable
    from cr_audit.blocks import Section, Steps
    from cr_audit.write.escape import visible

    analysis = run.analysis
    files = " ".join(shlex.quote(visible(f.path)) for f in run.dataset.report.files[:3])
    steps = []
    if not isinstance(analysis.clones, NotApplicable) and analysis.clones.clusters:
        steps.append((f"cr-audit clones {files}", "every cluster with its members"))
    if not isinstance(analysis.weights, NotApplicable):
        steps.append((f"cr-audit weights {files} --compare", "other schemes and spaces"))
    ranked = analysis.units and not isinstance(analysis.units[0].shift, NotApplicable)
    if ranked:
        steps.append((f"cr-audit winrates {files}", "all items with intervals"))
    kinds = run.facts("kinds").kinds
    if not isinstance(kinds, NotApplicable) and kinds.n:
        steps.append((f"cr-audit kinds {files}", "kinds of answer, and how each fares"))
        if kinds.n > 1 and analysis.units and analysis.units[0].comparisons.n and not ranked:
            steps.append((f"cr-audit refit {files} --unit kind", "rewards of the kinds"))
    steps.append(("cr-audit explain RULE", "what a finding means"))
    return Section("Next", "", (Steps(tuple(steps)),))


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
    judged=True,
)
