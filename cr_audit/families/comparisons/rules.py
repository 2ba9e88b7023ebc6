"""CR301-CR304: what the comparison graph can carry, who dominates it, and the order of showing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding, Rule, Severity

DOMINANT_SHARE = 0.5
POSITION_Z = 3.29
"""Two-sided 99.9 % of the normal distribution."""
POSITION_SMALLEST = 0.02


def _main_unit(analysis: Analysis) -> UnitResult | None:
    """The unit of the report, where anything was compared."""
    return analysis.units[0] if analysis.units and analysis.units[0].comparisons.n else None


def _no_fit(analysis: Analysis) -> Iterator[Finding]:
    unit = _main_unit(analysis)
    if unit is None or unit.graph.unpenalised_fit_exists:
        return
    graph = unit.graph
    yield RULES[0].finding(
        message=f"a fit by {unit.unit} without a penalty would not exist"
        f" ({graph.undefeated.size:,} undefeated, {graph.winless.size:,} winless)",
        subject=f"unit:{unit.unit}",
        evidence={
            "n_components_without_fit": int((~graph.fit_exists).sum()),
            "n_components": graph.n_components,
            "n_undefeated": int(graph.undefeated.size),
            "n_winless": int(graph.winless.size),
        },
    )


def _components(analysis: Analysis) -> Iterator[Finding]:
    unit = _main_unit(analysis)
    if unit is None or unit.graph.n_components <= 1:
        return
    yield RULES[1].finding(
        message=f"the comparisons by {unit.unit} fall into {unit.graph.n_components:,}"
        " components that cannot be ranked against each other",
        subject=f"unit:{unit.unit}",
        evidence={
            "n_components": unit.graph.n_components,
            "largest_component": int(unit.graph.component_sizes[0]),
        },
    )


def _annotator(analysis: Analysis) -> Iterator[Finding]:
    unit = _main_unit(analysis)
    largest = NotApplicable("no unit") if unit is None else unit.graph.largest_annotator
    if isinstance(largest, NotApplicable):
        return
    if largest.n_distinct < 2 or largest.share < DOMINANT_SHARE:
        return
    yield RULES[2].finding(
        message=f"one of {largest.n_distinct:,} annotators gave {largest.share:.0%}"
        " of the judgements",
        subject=f"annotator:{analysis.dataset.annotators[largest.index]}",
        evidence={"share": largest.share, "n_comparisons": largest.n_comparisons},
    )


def _position(analysis: Analysis) -> Iterator[Finding]:
    frame = analysis.dataset.comparisons
    known = (frame["winner_first"] >= 0) & (frame["outcome"] == 1.0)
    n = int(known.sum())
    if n == 0 or _main_unit(analysis) is None:
        return
    first = int((frame["winner_first"].filter(known) == 1).sum())
    share, error = first / n, math.sqrt(0.25 / n)
    if abs(share - 0.5) < max(POSITION_Z * error, POSITION_SMALLEST):
        return
    yield RULES[3].finding(
        message=f"what is shown first wins {share:.1%} of {n:,} decided comparisons",
        subject="dataset",
        evidence={"share_first": share, "standard_error": error, "n_decided": n},
    )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR301",
        name="no-unpenalised-fit",
        severity=Severity.NOTE,
        summary="A Bradley-Terry fit without a penalty would not exist.",
        means=(
            "Some items never lost or never won against the rest: their reward would be infinite,"
            " and what a regularised fit reports for them is set by the penalty."
        ),
        computed=(
            "Ford's condition: within a connected component of the comparison graph, the graph of"
            " wins (ties both ways) must be strongly connected."
        ),
        advice="Do not read reward differences of undefeated or winless items as sizes.",
        source="Ford (1957)",
        judge=_no_fit,
    ),
    Rule(
        id="CR302",
        name="disconnected",
        severity=Severity.NOTE,
        summary="The comparison graph falls into several components.",
        means="Rewards and ranks are comparable only within a component.",
        computed="Connected components of the graph of comparisons, for the unit of the report.",
        advice="Rank models or clusters instead, or collect comparisons that bridge components.",
        judge=_components,
    ),
    Rule(
        id="CR303",
        name="one-annotator-dominates",
        severity=Severity.NOTE,
        summary="One annotator gave a large share of the judgements.",
        means="The ranking is largely one person's (or one judge model's) taste.",
        computed="Share of comparisons by the most frequent annotator; reported from 50 % on.",
        advice="Report results with and without this annotator.",
        judge=_annotator,
    ),
    Rule(
        id="CR304",
        name="position-bias",
        severity=Severity.WARNING,
        summary="What is shown first wins more (or less) often than half of the time.",
        means="If presentation order is not balanced, the bias enters the ranking.",
        computed=(
            "Decided comparisons with a known order: share won by the first, with a normal"
            " 99.9 % interval that excludes 1/2 by at least 0.02."
        ),
        advice="Balance the presentation orders or judge both orders.",
        judge=_position,
    ),
)
