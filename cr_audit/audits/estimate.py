"""CR501-CR504: how far the weights themselves can be trusted."""

from __future__ import annotations

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.audits.rules import BY_ID
from cr_audit.findings import Finding

_RULES = {
    "collapsed": "CR501",
    "space-excludes-data": "CR502",
    "equals-uniform": "CR503",
    "precision-not-reached": "CR504",
}


def audit(analysis: Analysis) -> list[Finding]:
    weights = analysis.weights
    if isinstance(weights, NotApplicable) or weights.method == "uniform":
        return []
    messages = {
        "collapsed": f"the effective number is {weights.effective_number_corrected:,.0f}"
        f" of {weights.m:,} items",
        "space-excludes-data": f"{weights.outside_share:.0%} of the embeddings lie outside"
        f" the space {weights.space}",
        "equals-uniform": "the weights cannot be told from uniform ones",
        "precision-not-reached": f"single weights have a relative error of"
        f" {weights.max_relative_error:.0%}, asked for {weights.precision:.0%}",
    }
    out = []
    for caution in weights.cautions:
        rule = BY_ID[_RULES[caution]]
        out.append(
            rule.finding(
                message=messages[caution],
                subject="weights",
                evidence={
                    "effective_number": weights.effective_number_corrected,
                    "max_relative_error": weights.max_relative_error,
                    "n_samples": weights.n_samples,
                },
            )
        )
    return out
