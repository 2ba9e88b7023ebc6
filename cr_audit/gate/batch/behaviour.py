"""What results say where words find no copies: new answers that win and lose alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding, Severity
from cr_audit.gate.boundaries import at_least, beyond_chance
from cr_audit.gate.naming import response, to_prompt
from cr_audit.gate.rule import GateRule, Question
from cr_audit.gate.subjects import new_rows, subject_of
from cr_audit.wording import percent


def _fare_alike(q: Question) -> Iterator[Finding]:
    effect, found = q.effect, q.effect.behaviour
    if isinstance(found, NotApplicable):
        return
    ids = effect.after.dataset.alternatives["id"]
    for group in found.groups:
        if not at_least(group.new.size, q.policy.thresholds.new_copies):
            continue
        if not beyond_chance(group.p_value, q.policy.confidence_level):
            continue
        first = int(group.new[0])
        yield FARE_ALIKE.finding(
            f"{group.new.size:,} new responses{to_prompt(effect, first)} win and lose alike, on at"
            f" least {percent(group.agreement)} of up to {group.n_opponents:,} common opponents:"
            f" {response(effect, first)}",
            subject_of("alike", (ids[i] for i in np.concatenate([group.new, group.old]).tolist())),
            {
                "n_new": int(group.new.size),
                "n_old": int(group.old.size),
                "n_opponents": group.n_opponents,
                "agreement": group.agreement,
                "p_value": group.p_value,
                "n_asked": found.n_new,
                "n_baseline": found.n_baseline,
            },
            new_rows(effect, group.new),
        )


FARE_ALIKE = GateRule(
    id="CR618",
    name="new-responses-fare-alike",
    severity=Severity.ERROR,
    summary="New responses win and lose alike against the same opponents.",
    means=(
        "Copies whose words hide it still come with the votes of what they copy, and count whoever"
        " beat it once more per copy."
    ),
    computed=(
        "Agreement of results against common opponents, beyond what strength explains, held against"
        " how different responses of the baseline agree (docs/gate.md); the confidence level"
        " decides."
    ),
    advice="Look at the responses side by side; drop all but one, or collect votes of their own.",
    source="the gate's own rule; docs/disguises.md",
    thresholds=("new_copies",),
    sums=True,
    judge=_fare_alike,
)

RULES = (FARE_ALIKE,)
