"""CR201-CR202: which ranking changes are real."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.facts import UnitResult
from cr_audit.arrays import IntArray, NotApplicable
from cr_audit.audits.rules import BY_ID
from cr_audit.findings import Finding


def audit(analysis: Analysis) -> list[Finding]:
    """Only the main unit is judged; a change inside its noise is no finding."""
    if not analysis.units:
        return []
    unit = analysis.units[0]
    shift = unit.shift
    if isinstance(shift, NotApplicable) or isinstance(unit.items.weights, NotApplicable):
        return []
    out = _leaders(unit)
    flagged = np.flatnonzero(shift.flagged & (unit.win_rates.rank_average > 0))
    if flagged.size:
        rule = BY_ID["CR202"]
        out.append(
            rule.finding(
                message=f"{flagged.size:,} of {unit.items.n:,} {unit.unit}s change rank",
                subject=f"unit:{unit.unit}",
                evidence={"n_flagged": int(flagged.size), "n_items": unit.items.n},
            )
        )
    return out


def new_leaders(unit: UnitResult) -> IntArray:
    """Items that lead their component when weighted, did not before, and moved beyond noise."""
    shift, rates = unit.shift, unit.win_rates
    if isinstance(shift, NotApplicable):
        return np.zeros(0, np.int64)
    first = (rates.rank_weighted == 1) & (rates.rank_average > 1) & shift.flagged
    return np.flatnonzero(first)


def _name(unit: UnitResult, item: int) -> str:
    """Short enough for a sentence; renderers escape it like every text from the data."""
    name = unit.items.names[item]
    return name if len(name) <= 40 else name[:39] + "…"


def _leaders(unit: UnitResult) -> list[Finding]:
    shift, rates = unit.shift, unit.win_rates
    if isinstance(shift, NotApplicable):
        return []
    rule = BY_ID["CR201"]
    out = []
    for new in new_leaders(unit).tolist():
        same = rates.component == rates.component[new]
        old = int(np.flatnonzero(same & (rates.rank_average == 1))[0])
        evidence: dict[str, float | int | str | bool | None] = {
            "leader_average": unit.items.ids[old],
            "leader_weighted": unit.items.ids[new],
            "shift": float(shift.shift[new]),
            "probability": float(shift.probability_better[new]),
        }
        out.append(
            rule.finding(
                message=f"weighted, {_name(unit, new)} leads instead of {_name(unit, old)}"
                f" ({shift.probability_better[new]:.2f} of resamples)",
                subject=unit.items.ids[new],
                evidence=evidence,
            )
        )
    return out
