"""A family: how long the answers are, and whether the longer one wins.

In the package this would be a folder with a module per role; with ``one_file`` it is one module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cr_audit.arrays import NotApplicable
from cr_audit.blocks import Block, Cell, Column, Section, Table
from cr_audit.commands import Command, Option
from cr_audit.families import Family, register
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.wire import Count, Share, Texts

if TYPE_CHECKING:
    from cr_audit.reports import Report
    from cr_audit.run import Run


# facts.py: numbers and reasons, no prose.
@dataclass(frozen=True, slots=True)
class Lengths:
    """longer_wins : share of the decided comparisons that the longer answer won."""

    n_decided: int
    longer_wins: float
    threshold: float


# compute.py: a run in, facts out.
def compute(run: Run) -> Lengths | NotApplicable:
    """Lengths in characters; comparisons of equally long answers say nothing."""
    data = run.dataset
    if not data.has_text:
        return NotApplicable("there are no texts")
    size = data.alternatives["text"].fill_null("").str.len_chars().to_numpy().astype(int)
    rows = data.comparison_arrays()
    decided = (rows.outcome == 1) & (size[rows.winner] != size[rows.loser])
    n = int(decided.sum())
    if n == 0:
        return NotApplicable("no two answers of different length were compared")
    won = float((size[rows.winner] > size[rows.loser])[decided].mean())
    return Lengths(n, won, run.options.get("threshold", 0.6))


# rules.py: texts and judgement in one place.
def _longer(facts: Lengths | NotApplicable) -> Iterator[Finding]:
    if isinstance(facts, NotApplicable) or facts.longer_wins < facts.threshold:
        return
    yield RULES[0].finding(
        message=f"the longer answer wins {facts.longer_wins:.0%} of {facts.n_decided:,} times",
        subject="dataset",
        evidence={"longer_wins": facts.longer_wins, "n_decided": facts.n_decided},
    )


RULES = (
    Rule(
        id="CR901",
        name="longer-wins",
        severity=Severity.WARNING,
        summary="The longer answer wins more often than not.",
        means="A reward model may learn length instead of quality.",
        computed="Share of the decided comparisons of answers of different length.",
        advice="Look at the shortest winners.",
        judge=_longer,
    ),
)


# show.py: facts to blocks.
def section(facts: Lengths | NotApplicable) -> Section:
    """One line."""
    if isinstance(facts, NotApplicable):
        return Section("Lengths", f"not computed: {facts.reason}")
    table = Table.of(
        (
            Column("longer wins", "number", ("longer_wins",)),
            Column("comparisons", "count", ("n_decided",)),
        ),
        [
            (
                Cell(f"{facts.longer_wins:.3f}", (facts.longer_wins,)),
                Cell(f"{facts.n_decided:,}", (facts.n_decided,)),
            )
        ],
        name="lengths",
        main=True,
    )
    return Section("Lengths", "does the longer answer win?", (table,))


# wire.py: the records of the JSON contract.
@dataclass(frozen=True, slots=True, kw_only=True)
class LengthsRecord:
    """Whether the longer answer wins."""

    n_decided: Count
    longer_wins: Share


PARTS = {"lengths": LengthsRecord | NotApplicable}


def parts(facts: Lengths | NotApplicable, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    if isinstance(facts, NotApplicable):
        return {"lengths": facts}
    return {"lengths": LengthsRecord(n_decided=facts.n_decided, longer_wins=facts.longer_wins)}


# command.py: name, options, and the report.
def report(run: Run) -> Report:
    """Header and section; findings of the whole scan and of this family."""
    from cr_audit.families.reporting import finding_section
    from cr_audit.families.reporting import report as made
    from cr_audit.heads import header

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        mine = [f for f in findings if f.rule == "CR901"]
        return [
            header(run.dataset, run.command),
            section(run.facts("lengths")),
            finding_section(mine),
        ]

    return made(run, blocks, also=("lengths",))


COMMANDS = (
    Command(
        "lengths",
        "Does the longer answer win?",
        report,
        examples=("cr-audit lengths prefs.jsonl",),
        options=(
            Option("threshold", "number", 0.6, "Share from which it is a finding.", low=0, high=1),
        ),
        judged=True,
    ),
)


# The one line.
def add() -> None:
    """Register the family."""
    roles = ("compute", "rules", "show", "wire", "command")
    register(Family("lengths", __name__, roles, one_file=True))
