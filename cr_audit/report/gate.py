"""What the reports of a gate share: everything they show, and the facts worth a line in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.gate.compare import BatchEffect
from cr_audit.gate.growth import ClusterGain
from cr_audit.gate.policy import Policy
from cr_audit.gate.verdict import Bin, Verdict
from cr_audit.wording import percent, plural, verb

SHARES = (
    "baseline, batch: share of the baseline's responses and of the batch's new ones to the prompt"
    " (of all, for an answer under many prompts); weight: before and after the batch"
)
BIN_WORDS: dict[Bin, str] = {
    "failing": "fails",
    "baselined": "known",
    "waived": "waived",
    "below_threshold": "",
}


@dataclass(frozen=True, slots=True, eq=False)
class GateReport:
    """Everything a renderer may need. sources : name of a setting -> where it came from;
    reading : the settings of the read."""

    effect: BatchEffect
    policy: Policy
    verdict: Verdict
    sources: Mapping[str, str]
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def baseline_files(self) -> list[str]:
        return [f.path for f in self.effect.before.dataset.report.files]

    @property
    def batch_files(self) -> list[str]:
        return [f.path for f in self.effect.batch.files]


def what_was_judged(report: GateReport) -> str:
    """One sentence: the batch, and the baseline it is held against."""
    effect = report.effect
    batch, before = effect.batch, effect.before.dataset
    skipped = f" ({plural(batch.rows_skipped, 'row')} skipped)" if batch.rows_skipped else ""
    n_new = int(effect.is_new.sum())
    of = f"{plural(n_new, 'new response')}" if n_new else "no new response"
    return (
        f"{plural(batch.rows_read, 'row')}{skipped} with"
        f" {plural(int(effect.added.sum()), 'comparison')} and {of}, against a baseline of"
        f" {plural(before.comparisons.height, 'comparison')} and"
        f" {plural(before.n_alternatives, 'response')}."
    )


def what_applied(report: GateReport) -> list[str]:
    """What could not be judged, each with its reason; an empty list if everything could."""
    e = report.effect
    out = []
    for name, value in (
        ("clones", e.growth),
        ("ranking", e.ranking),
        ("contradictions", e.contradictions),
        ("repeated judgements", e.repeats),
    ):
        if isinstance(value, NotApplicable):
            out.append(f"{name}: {value.reason}")
    return out


def agreement_line(report: GateReport) -> str:
    """Contradictions beside the baseline's own, or nothing."""
    c = report.effect.contradictions
    if isinstance(c, NotApplicable):
        return ""
    return (
        f"{c.n_against:,} of {plural(c.n, 'judgement')} of known pairs"
        f" {verb(c.n_against, 'goes', 'go')} against the baseline ({percent(c.share)});"
        f" {percent(c.expected)} would be expected by how the baseline's own"
        f" {plural(c.n_expected, 'judgement')} of such pairs differ"
        f" (p = {c.p_value:.2g})."
    )


def shown_gains(report: GateReport, limit: int) -> list[ClusterGain]:
    """The clusters that gain most, most new members first."""
    growth = report.effect.growth
    return [] if isinstance(growth, NotApplicable) else list(growth.gains[:limit])


def where(report: GateReport, gain: ClusterGain) -> str:
    """The prompt of a cluster's first new member, or how many prompts the cluster is under."""
    if gain.scope == "boilerplate":
        return plural(gain.n_prompts, "prompt")
    data = report.effect.after.dataset
    return data.prompts["text"][data.alternatives["prompt"][int(gain.new[0])]] or "(none)"


def typical(report: GateReport, gain: ClusterGain) -> str:
    """The text of a cluster's first new member."""
    text = report.effect.after.dataset.alternatives["text"][int(gain.new[0])]
    return text or "(empty)"


@dataclass(frozen=True, slots=True)
class RateRow:
    """One item's line: everything a table shows of it. weighted_* are NaN without weights."""

    item: int
    rank_before: int
    rank_after: int
    before: float
    after: float
    change: float
    error: float
    weighted_change: float
    weighted_error: float
    beyond_noise: bool


def rate_rows(report: GateReport, limit: int) -> list[RateRow]:
    """The items whose average win rate moves most, in units of its error."""
    ranking = report.effect.ranking
    if isinstance(ranking, NotApplicable):
        return []
    a, w = ranking.effect.average, ranking.effect.weighted
    at = np.flatnonzero(ranking.effect.touched)
    size = np.abs(a.change[at]) / np.maximum(a.error[at], 1e-9)
    order = at[np.lexsort((at, -np.round(size, 6)))][:limit]
    return [
        RateRow(
            item=i,
            rank_before=int(a.rank_before[i]),
            rank_after=int(a.rank_after[i]),
            before=float(a.before[i]),
            after=float(a.after[i]),
            change=float(a.change[i]),
            error=float(a.error[i]),
            weighted_change=float("nan") if w is None else float(w.change[i]),
            weighted_error=float("nan") if w is None else float(w.error[i]),
            beyond_noise=bool(a.beyond_noise[i]),
        )
        for i in order.tolist()
    ]


def graph_line(report: GateReport) -> str:
    """The comparison graph before and after."""
    before, after = report.effect.before.units[0].graph, report.effect.unit.graph
    unit = report.effect.unit.unit
    if report.effect.after.units[0].comparisons.n == 0:
        return ""
    fit = {
        (True, True): "exists as before",
        (True, False): "no longer exists",
        (False, True): "exists now",
        (False, False): "does not exist, as before",
    }
    return (
        f"graph by {unit}: {before.n_components:,} → {plural(after.n_components, 'component')},"
        f" {before.comparisons_per_item.median:g} → {after.comparisons_per_item.median:g}"
        f" comparisons per {unit} (median); a fit without a penalty"
        f" {fit[before.unpenalised_fit_exists, after.unpenalised_fit_exists]}"
    )
