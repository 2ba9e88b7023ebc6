"""``cr-audit weights``: how much each alternative counts; ``cr-audit embed``: its slow part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cr_audit.commands import Command, Option

if TYPE_CHECKING:
    from cr_audit.blocks import Block
    from cr_audit.findings import Finding
    from cr_audit.reports import Report
    from cr_audit.run import Run


def report(run: Run) -> Report:
    """Weights in short, the heaviest, and the table of schemes where it was asked for."""
    from cr_audit.arrays import NotApplicable
    from cr_audit.families.reporting import report as made
    from cr_audit.families.weights.show import comparison, heaviest, section, voronoi
    from cr_audit.heads import header

    def blocks(findings: tuple[Finding, ...]) -> list[Block]:
        facts = run.facts("weights")
        analysis = facts.analysis
        out: list[Block] = [header(run.dataset, run.command), section(analysis)]
        if not (isinstance(analysis.weights, NotApplicable) or facts.voronoi_is_used):
            out.append(voronoi(facts))
        out += heaviest(facts, limit=run.options["top"])
        if run.options["compare"]:
            from cr_audit.analysis.compare import compare_schemes

            out.append(comparison(*run.once("schemes", lambda: compare_schemes(analysis))))
        return out

    return made(run, blocks)


COMMANDS = (
    Command(
        "weights",
        "How much each alternative weighs, and how the schemes compare on your own data.",
        report,
        examples=("cr-audit weights prefs.jsonl --compare",),
        options=(
            Option("compare", "switch", False, "Measure all schemes and spaces on this data."),
            Option("top", "whole", 20, "How many alternatives to show.", low=1),
        ),
    ),
)
