"""CR201-CR202: which changes of win rate and rank are real."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import UnitResult
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.heads import short
from cr_audit.models.rankings import RankShift

_CR = "Clone-Robust AI Alignment, arXiv 2501.09254"


def _judged(analysis: Analysis) -> tuple[UnitResult, RankShift] | None:
    """Only the main unit is judged, where it has weights and a ranking."""
    if not analysis.units:
        return None
    unit = analysis.units[0]
    if isinstance(unit.shift, NotApplicable) or isinstance(unit.items.weights, NotApplicable):
        return None
    return unit, unit.shift


def new_leaders(unit: UnitResult) -> IntArray:
    """Items that lead their component when weighted, did not before, and moved beyond noise."""
    shift, rates = unit.shift, unit.win_rates
    if isinstance(shift, NotApplicable):
        return np.zeros(0, np.int64)
    first = (rates.rank_weighted == 1) & (rates.rank_average > 1) & shift.flagged
    return np.flatnonzero(first)


def _leaders(analysis: Analysis) -> Iterator[Finding]:
    judged = _judged(analysis)
    if judged is None:
        return
    unit, shift = judged
    rates, names = unit.win_rates, unit.items.names
    for new in new_leaders(unit).tolist():
        same = rates.component == rates.component[new]
        old = int(np.flatnonzero(same & (rates.rank_average == 1))[0])
        yield RULES[0].finding(
            message=f"weighted, {short(names[new])} leads instead of {short(names[old])}"
            f" (sure {shift.sure[new]:.2f})",
            subject=unit.items.ids[new],
            evidence={
                "leader_average": unit.items.ids[old],
                "leader_weighted": unit.items.ids[new],
                "shift": float(shift.shift[new]),
                "probability": float(shift.sure[new]),
            },
        )


def _ranks(analysis: Analysis) -> Iterator[Finding]:
    judged = _judged(analysis)
    if judged is None:
        return
    unit, shift = judged
    n = int((shift.flagged & (unit.win_rates.rank_average > 0)).sum())
    if n:
        yield RULES[1].finding(
            message=f"{n:,} of {unit.items.n:,} {unit.unit}s change rank",
            subject=f"unit:{unit.unit}",
            evidence={"n_flagged": n, "n_items": unit.items.n},
        )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR201",
        name="leader-changes",
        severity=Severity.ERROR,
        summary="Clone-robust weights put another item first.",
        means=(
            "The item that leads by the average win rate (and so by the regularised Bradley-Terry"
            " fit) leads because of how many near-copies the data holds, not because of how often"
            " it is preferred."
        ),
        computed=(
            "Rank by average win rate against rank by weighted average win rate; reported where the"
            " new leader is on the list of CR202."
        ),
        advice="Do not publish or train on the standard ranking before the clones are dealt with.",
        source=f"{_CR}, Definition 4.2, Corollary 4.5",
        judge=_leaders,
    ),
    Rule(
        id="CR202",
        name="ranks-change",
        severity=Severity.WARNING,
        summary="Clone-robust weights change the order of two or more items.",
        means="As CR201, below the first place.",
        computed=(
            "For every two items that change sides, the smaller of their two gaps in standard"
            " errors, the Monte-Carlo error of the weights included, gives the p-value of the"
            " intersection-union test; Benjamini and Hochberg's list of pairs at one minus the"
            " confidence level: of the changes on it, at most that share is expected to be chance."
        ),
        advice="Look at which cluster moves them (cr-audit winrates).",
        source=f"{_CR}, Definition 4.2",
        judge=_ranks,
    ),
)
