"""Rows of a batch that weigh more than rows of the baseline do."""

from __future__ import annotations

from collections.abc import Iterator

from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding, Severity
from cr_audit.gate.boundaries import exceeds
from cr_audit.gate.masses import masses
from cr_audit.gate.rule import GateRule, Question
from cr_audit.wording import percent


def _outweighs(q: Question) -> Iterator[Finding]:
    data, limit = q.effect.after.dataset, q.policy.thresholds.row_weight
    n_files = len(q.effect.before.dataset.report.files)
    found = masses(data, n_files)
    if isinstance(found, NotApplicable):
        return
    heaviest = found.heaviest / found.heaviest_before
    mean = found.mean / found.mean_before
    if not exceeds(max(heaviest, mean), limit):
        return
    message = f"the batch's rows weigh {mean:.3g} times the baseline's on average"
    if heaviest >= mean:
        message = (
            f"a row of the batch weighs {found.heaviest:.4g}, {heaviest:.3g} times the heaviest of"
            f" the baseline, and holds {percent(found.share)} of all weight"
        )
    files = data.report.files
    yield OUTWEIGHS.finding(
        message,
        "rows:weights",
        {
            "heaviest": found.heaviest,
            "heaviest_before": found.heaviest_before,
            "mean": found.mean,
            "mean_before": found.mean_before,
            "largest_share": found.share,
        },
        (f"{files[found.file].path}:{found.line}",),
    )


OUTWEIGHS = GateRule(
    id="CR620",
    name="batch-outweighs-baseline",
    severity=Severity.ERROR,
    lenient=Severity.WARNING,
    summary="Rows of the batch weigh far more than the baseline's rows.",
    means="A few heavy rows decide what many light ones said.",
    computed=(
        "The heaviest row of the batch over the heaviest of the baseline, and the mean weight of"
        " the batch's rows over the baseline's: the larger, above thresholds.row-weight. Weights"
        " are read where --row-weights names them."
    ),
    advice="Give the batch weights on the baseline's scale, or leave --row-weights out.",
    source="the gate's own rule; docs/gate.md",
    thresholds=("row_weight",),
    judge=_outweighs,
)

RULES = (OUTWEIGHS,)
