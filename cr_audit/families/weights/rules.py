"""CR501-CR504: how far the weights themselves can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cr_audit.arrays import NotApplicable
from cr_audit.families.weights.facts import WeightFacts
from cr_audit.findings import Finding, Rule, Severity
from cr_audit.weights.estimates import Weights
from cr_audit.weights.schemes import SCHEMES

_CR = "Clone-Robust AI Alignment, arXiv 2501.09254"


def _collapsed(facts: WeightFacts) -> Iterator[Finding]:
    return _caution(
        facts,
        "collapsed",
        RULES[0],
        lambda w: f"the effective number is {w.effective_number_corrected:,.0f} of {w.m:,} items",
    )


def _outside(facts: WeightFacts) -> Iterator[Finding]:
    return _caution(
        facts,
        "space-excludes-data",
        RULES[1],
        lambda w: f"{w.outside_share:.0%} of the embeddings lie outside the space {w.space}",
    )


def _uniform(facts: WeightFacts) -> Iterator[Finding]:
    return _caution(
        facts,
        "equals-uniform",
        RULES[2],
        lambda w: "the weights cannot be told from uniform ones",
    )


def _imprecise(facts: WeightFacts) -> Iterator[Finding]:
    return _caution(
        facts,
        "precision-not-reached",
        RULES[3],
        lambda w: (
            f"single weights have a relative error of {w.max_relative_error:.0%}, asked for"
            f" {w.precision:.0%}"
        ),
    )


def _caution(
    facts: WeightFacts, slug: str, rule: Rule, message: Callable[[Weights], str]
) -> Iterator[Finding]:
    """A caution of the estimate, said as a finding."""
    weights = facts.analysis.weights
    if isinstance(weights, NotApplicable) or not SCHEMES.get(weights.method).corrects:
        return
    if slug == "equals-uniform" and not weights.n_samples:
        return  # no clones, so a scheme that looks for them leaves everything as it is
    if slug in weights.cautions:
        yield rule.finding(
            message=message(weights),
            subject="weights",
            evidence={
                "effective_number": weights.effective_number_corrected,
                "max_relative_error": weights.max_relative_error,
                "n_samples": weights.n_samples,
            },
        )


RULES: tuple[Rule, ...] = (
    Rule(
        id="CR501",
        name="weights-collapsed",
        severity=Severity.WARNING,
        summary="The weights rest on few alternatives.",
        means="The effective number 1/sum(w^2) is below 10 % of the items.",
        computed="Effective number of the estimated weights.",
        advice=(
            "Where clones share one vote (the default), most responses are copies: cr-audit clones"
            " lists them, cr-audit export --as clean keeps one of each. Of Voronoi weights: use"
            " --space sphere, or --weights sharing."
        ),
        judge=_collapsed,
    ),
    Rule(
        id="CR502",
        name="space-excludes-data",
        severity=Severity.WARNING,
        summary="The sampling space does not contain the embeddings.",
        means="Cells outside the space have volume 0; weights depend on signs and rotation.",
        computed="Share of alternatives outside the box.",
        advice="Use --space sphere.",
        source=f"{_CR}, section 5 uses the unit cube",
        judge=_outside,
    ),
    Rule(
        id="CR503",
        name="weights-equal-uniform",
        severity=Severity.NOTE,
        summary="The weights equal uniform weights: nothing is corrected.",
        means="Weighted and standard results are the same by construction.",
        computed=(
            "Largest deviation from 1/m within three standard errors; of weights that are sampled:"
            " the others leave data as it is in which they find nothing to correct."
        ),
        advice="Use --space sphere, or a scope with more than two alternatives.",
        judge=_uniform,
    ),
    Rule(
        id="CR504",
        name="precision-not-reached",
        severity=Severity.NOTE,
        summary="Single weights are less precise than asked for.",
        means="Sums over clusters and win rates are more precise than single weights.",
        computed="Relative standard error of a weight of 1/m, against --precision.",
        advice=(
            "Read cluster masses, not single weights, or take weights that need no sampling"
            " (--weights sharing)."
        ),
        judge=_imprecise,
    ),
)
