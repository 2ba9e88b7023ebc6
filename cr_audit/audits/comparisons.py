"""CR301-CR304: what the comparison graph can carry, who dominates it, and the order of showing."""

from __future__ import annotations

import math

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.audits.rules import BY_ID
from cr_audit.findings import Finding

DOMINANT_SHARE = 0.5
POSITION_Z = 3.29
"""Two-sided 99.9 % of the normal distribution."""
POSITION_SMALLEST = 0.02


def audit(analysis: Analysis) -> list[Finding]:
    if not analysis.units or analysis.units[0].comparisons.n == 0:
        return []
    return _graph(analysis) + _annotator(analysis) + _position(analysis)


def _graph(analysis: Analysis) -> list[Finding]:
    unit = analysis.units[0]
    graph, out = unit.graph, []
    if not graph.unpenalised_fit_exists:
        rule = BY_ID["CR301"]
        n_bad = int((~graph.fit_exists).sum())
        out.append(
            rule.finding(
                message=f"a fit by {unit.unit} without a penalty would not exist"
                f" ({graph.undefeated.size:,} undefeated, {graph.winless.size:,} winless)",
                subject=f"unit:{unit.unit}",
                evidence={
                    "n_components_without_fit": n_bad,
                    "n_components": graph.n_components,
                    "n_undefeated": int(graph.undefeated.size),
                    "n_winless": int(graph.winless.size),
                },
            )
        )
    if graph.n_components > 1:
        rule = BY_ID["CR302"]
        out.append(
            rule.finding(
                message=f"the comparisons by {unit.unit} fall into {graph.n_components:,}"
                " components that cannot be ranked against each other",
                subject=f"unit:{unit.unit}",
                evidence={
                    "n_components": graph.n_components,
                    "largest_component": int(graph.component_sizes[0]),
                },
            )
        )
    return out


def _annotator(analysis: Analysis) -> list[Finding]:
    largest = analysis.units[0].graph.largest_annotator
    several = not isinstance(largest, NotApplicable) and largest.n_distinct > 1
    if isinstance(largest, NotApplicable) or not several or largest.share < DOMINANT_SHARE:
        return []
    rule = BY_ID["CR303"]
    return [
        rule.finding(
            message=f"one of {largest.n_distinct:,} annotators gave {largest.share:.0%}"
            " of the judgements",
            subject=f"annotator:{analysis.dataset.annotators[largest.index]}",
            evidence={"share": largest.share, "n_comparisons": largest.n_comparisons},
        )
    ]


def _position(analysis: Analysis) -> list[Finding]:
    frame = analysis.dataset.comparisons
    known = (frame["winner_first"] >= 0) & (frame["outcome"] == 1.0)
    n = int(known.sum())
    if n == 0:
        return []
    first = int((frame["winner_first"].filter(known) == 1).sum())
    share = first / n
    error = math.sqrt(0.25 / n)
    if abs(share - 0.5) < max(POSITION_Z * error, POSITION_SMALLEST):
        return []
    rule = BY_ID["CR304"]
    return [
        rule.finding(
            message=f"what is shown first wins {share:.1%} of {n:,} decided comparisons",
            subject="dataset",
            evidence={"share_first": share, "standard_error": error, "n_decided": n},
        )
    ]
