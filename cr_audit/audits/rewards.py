"""CR203-CR207: which changes of a reward ranking are real, and fits that are not to be trusted."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.reward_facts import Rewards, Subjects
from cr_audit.arrays import NotApplicable
from cr_audit.audits.rules import BY_ID
from cr_audit.findings import Finding
from cr_audit.models.rewards.changes import Changes

WORSE = 0.01
"""A loss of held-out agreement below a percentage point is no finding, however sure."""


def audit(analysis: Analysis) -> list[Finding]:
    """Nothing without a refit; a change inside its noise is no finding."""
    r = analysis.rewards
    if isinstance(r, NotApplicable):
        return []
    out = _not_converged(r) + _predicts_worse(r) + _unconstrained(r)
    if isinstance(r.changes, NotApplicable) or isinstance(r.subjects, NotApplicable):
        return out
    if isinstance(r.weighted, NotApplicable):
        return out
    out += _leaders(r, r.changes, r.subjects)
    n_flagged = int(r.changes.flagged.sum())
    if n_flagged:
        rule = BY_ID["CR204"]
        out.append(
            rule.finding(
                message=f"{n_flagged:,} of {r.subjects.n:,} {r.subjects.unit}s change sides with"
                " another in the weighted fit",
                subject=f"unit:{r.subjects.unit}",
                evidence={"n_flagged": n_flagged, "n_items": r.subjects.n, "penalty": r.penalty},
            )
        )
    return out


def _name(s: Subjects, item: int) -> str:
    """Short enough for a sentence; renderers escape it like every text from the data."""
    name = s.names[item]
    return name if len(name) <= 40 else name[:39] + "…"


def _leaders(r: Rewards, c: Changes, s: Subjects) -> list[Finding]:
    rule = BY_ID["CR203"]
    out = []
    first = (c.rank_weighted == 1) & (c.rank_standard > 1) & c.flagged
    for new in np.flatnonzero(first).tolist():
        same = s.components == s.components[new]
        old = int(np.flatnonzero(same & (c.rank_standard == 1))[0])
        cause = r.cause_of(new)
        group = (
            None if cause is None or isinstance(r.groups, NotApplicable) else r.groups[cause.group]
        )
        evidence: dict[str, float | int | str | bool | None] = {
            "leader_standard": s.ids[old],
            "leader_weighted": s.ids[new],
            "probability_first_standard": float(c.probability_first_standard[old]),
            "probability_first_weighted": float(c.probability_first_weighted[new]),
            "cluster": None if group is None else group.id,
            "explained": None if cause is None else cause.share,
        }
        out.append(
            rule.finding(
                message=f"rewards: weighted, {_name(s, new)} leads instead of {_name(s, old)}"
                f" ({float(c.probability_first_weighted[new]):.2f} of resamples)",
                subject=s.ids[new],
                evidence=evidence,
            )
        )
    return out


def _predicts_worse(r: Rewards) -> list[Finding]:
    """A loss of agreement that is neither small nor noise."""
    h = r.held_out
    if isinstance(h, NotApplicable) or h.n_decided == 0:
        return []
    gain = h.gain
    if not (gain.value <= -WORSE and gain.value + 2.0 * gain.standard_error < 0.0):
        return []
    rule = BY_ID["CR206"]
    return [
        rule.finding(
            message=f"held out, the weighted fit agrees with {h.agreement_weighted.value:.3f} of"
            f" the judgements, the standard fit with {h.agreement_standard.value:.3f}",
            subject="fit:weighted",
            evidence={"difference": gain.value, "standard_error": gain.standard_error},
        )
    ]


def _unconstrained(r: Rewards) -> list[Finding]:
    """The penalty is on rewards: what no compared response shares with others stays at zero."""
    n = r.values_standard.size
    if r.n_coordinates is None or r.n_coordinates < n:
        return []
    rule = BY_ID["CR207"]
    return [
        rule.finding(
            message=f"the vectors of the {n:,} responses have as many coordinates: linear rewards"
            " can take any value at each of them and say nothing about others",
            subject="fit:standard",
            evidence={"n_coordinates": r.n_coordinates, "n_responses": n},
        )
    ]


def _not_converged(r: Rewards) -> list[Finding]:
    rule = BY_ID["CR205"]
    fits = {"standard": r.standard}
    if not isinstance(r.weighted, NotApplicable):
        fits["weighted"] = r.weighted
    return [
        rule.finding(
            message=f"the {name} fit: {fit.status}",
            subject=f"fit:{name}",
            evidence={"iterations": fit.iterations, "gradient_norm": fit.gradient_norm},
        )
        for name, fit in fits.items()
        if not fit.converged
    ]
