"""A rule of a family that is there already: many ties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cr_audit.families import add_rule
from cr_audit.findings import Finding, Rule, Severity

if TYPE_CHECKING:
    from cr_audit.analysis import Analysis

SHARE = 0.1
"""Measured on nothing: a toy."""


def _many_ties(analysis: Analysis) -> Iterator[Finding]:
    data = analysis.dataset
    n = data.comparisons.height
    if n and data.n_ties / n >= SHARE:
        yield RULE.finding(
            message=f"{data.n_ties:,} of {n:,} comparisons are ties",
            subject="dataset",
            evidence={"share": data.n_ties / n},
        )


RULE = Rule(
    id="CR999",
    name="many-ties",
    severity=Severity.NOTE,
    summary="Many comparisons are ties.",
    means="Annotators could not tell the answers apart, or did not look.",
    computed="Share of the comparisons that nobody won.",
    advice="Look at a few of them (cr-audit winrates).",
    judge=_many_ties,
)


def add() -> None:
    """Register the rule with the family whose facts it judges."""
    add_rule("comparisons", RULE)
