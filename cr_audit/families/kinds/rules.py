"""CR901-CR903: kinds of answer that decide comparisons, crowd the data, or that weights move."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.families.kinds.facts import KindFacts
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.heads import short
from cr_audit.wording import percent

DECIDES = 0.75
"""A kind whose interval lies above this share of its comparisons, or below 1 minus it."""
FEWEST_COMPARISONS = 30
CROWDED, CROWDED_SHARE = 2.0, 0.05
"""Times its share of the weight, and the least share of the responses."""


def _decides(facts: KindFacts) -> Iterator[Finding]:
    kinds, r = facts.kinds, facts.rates
    if isinstance(kinds, NotApplicable):
        return
    sure = (r.q_value <= 1 - facts.level) & (r.n >= FEWEST_COMPARISONS)
    far = sure & ((r.low > DECIDES) | (r.high < 1 - DECIDES))
    strength = np.where(far, np.abs(r.rate - 0.5), -1.0)
    for g in np.lexsort((np.arange(kinds.n), -np.round(strength, 12))).tolist():
        if not far[g]:
            return
        verb = "wins" if r.rate[g] > 0.5 else "loses"
        share = r.rate[g] if r.rate[g] > 0.5 else 1 - r.rate[g]
        yield RULES[0].finding(
            message=f"the kind “{short(kinds.names[g], 60)}” {verb} {percent(share)} of"
            f" {r.n[g]:,} comparisons with other answers",
            subject=kinds.ids[g],
            evidence={
                "win_rate": float(r.rate[g]),
                "low": float(r.low[g]),
                "high": float(r.high[g]),
                "n_comparisons": int(r.n[g]),
                "item_share": float(facts.item_share[g]),
            },
        )


def _crowded(facts: KindFacts) -> Iterator[Finding]:
    kinds, mass = facts.kinds, facts.weight_share
    if isinstance(kinds, NotApplicable) or isinstance(mass, NotApplicable):
        return
    for g in range(kinds.n):
        share = float(facts.item_share[g])
        if share >= CROWDED_SHARE and share >= CROWDED * float(mass[g]):
            yield RULES[1].finding(
                message=f"the kind “{short(kinds.names[g], 60)}” holds {percent(share)} of the"
                f" responses and {percent(float(mass[g]))} of their weight",
                subject=kinds.ids[g],
                evidence={"item_share": share, "weight_share": float(mass[g])},
            )


def _moved(facts: KindFacts) -> Iterator[Finding]:
    kinds, r = facts.kinds, facts.rates
    if isinstance(kinds, NotApplicable):
        return
    for g in np.flatnonzero(r.moved(facts.level)).tolist():
        yield RULES[2].finding(
            message=f"weights move the win rate of the kind “{short(kinds.names[g], 60)}” from"
            f" {r.rate[g]:.3f} to {r.weighted[g]:.3f}",
            subject=kinds.ids[g],
            evidence={
                "win_rate": float(r.rate[g]),
                "weighted": float(r.weighted[g]),
                "shift": float(r.shift[g]),
                "standard_error": float(r.error[g]),
                "q_value": float(r.shift_q_value[g]),
            },
        )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR901",
        name="kind-decides",
        severity=Severity.NOTE,
        summary="One kind of answer wins or loses nearly always.",
        means=(
            "What is learned from these comparisons is the kind (a refusal, a recipe, a style), not"
            " which of two such answers is better. That may be what you want to teach; if not, it"
            " is a shortcut."
        ),
        computed=(
            f"Kinds with {FEWEST_COMPARISONS} comparisons or more against everything else, whose"
            f" interval lies beyond {percent(DECIDES)}, at a false-discovery rate of"
            " 1 - confidence-level."
        ),
        advice="Read the kind's answers (cr-audit kinds), and add pairs within the kind.",
        judge=_decides,
    ),
    Rule(
        id="CR902",
        name="kind-crowds",
        severity=Severity.NOTE,
        summary="A kind of answer holds far more of the responses than of their weight.",
        means="Answers of this kind are near each other and over-represented in the data.",
        computed=(
            f"At least {percent(CROWDED_SHARE)} of the responses, and {CROWDED:g} times the"
            " kind's share of the clone-robust weight."
        ),
        advice="Fit with weights, or thin the kind out (cr-audit export --as clean).",
        judge=_crowded,
    ),
    Rule(
        id="CR903",
        name="kind-moves",
        severity=Severity.WARNING,
        summary="Clone-robust weights change how a kind of answer fares.",
        means="Its win rate rests on answers that stand in the data many times over.",
        computed=(
            "Win rate against everything else, each comparison counted once and by the product of"
            " the two weights; the shift against its error by prompts, Benjamini-Hochberg at"
            " 1 - confidence-level."
        ),
        advice="Compare the rewards of the kinds: cr-audit refit --unit kind.",
        judge=_moved,
    ),
)
