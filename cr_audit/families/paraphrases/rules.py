"""CR107: answers that are paraphrases of each other more often than independent ones are."""

from __future__ import annotations

from collections.abc import Iterator

from cr_audit.arrays import NotApplicable
from cr_audit.families.paraphrases.facts import ParaphraseFacts
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.wording import percent

LEVEL = 0.01
MAX_ROWS = 10


def _more_than_chance(facts: ParaphraseFacts) -> Iterator[Finding]:
    found, p = facts.found, facts.p_value
    if isinstance(found, NotApplicable) or p >= LEVEL:
        return
    firsts = found.clusters[0].members[:MAX_ROWS].tolist() if found.clusters else []
    rows = facts.analysis.dataset.provenance(firsts, 1)
    yield RULES[0].finding(
        message=f"{found.n_other_found:,} of {found.n_other:,} pairs of answers that are not of"
        f" different models ({percent(found.n_other_found / found.n_other)}) are as alike in"
        f" meaning as {percent(facts.asked)} of the independent ones",
        subject="dataset",
        evidence={
            "n_found": found.n_other_found,
            "n_pairs": found.n_other,
            "false_positive_rate": facts.asked,
            "threshold": found.threshold,
            "p_value": p,
        },
        rows=tuple(row for first in rows for row in first),
    )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR107",
        name="paraphrases",
        severity=Severity.NOTE,
        summary="Answers to one prompt repeat each other in other words.",
        means=(
            "The same claims in the same order under two identifiers: like copies, they count an"
            " opponent once more each, and words do not show it."
        ),
        computed=(
            "Sentences aligned in order, by content words, numbers and vectors; the threshold is"
            " the one that a share paraphrase-fpr of answers of different models exceed. Pairs of"
            " one model, or of unknown ones, above it against that share (binomial, 1 %). Looked"
            " for where --paraphrase-fpr asks (docs/clones.md)."
        ),
        advice="Read the pairs side by side; keep one of each, or give them one identifier.",
        source="docs/clones.md, Paraphrases",
        judge=_more_than_chance,
    ),
)
