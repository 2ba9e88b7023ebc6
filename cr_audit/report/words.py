"""The answer in words: what a person who reads one paragraph should know."""

from __future__ import annotations

import numpy as np

from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.audits.rankings import new_leaders
from cr_audit.findings import Finding
from cr_audit.report.escape import shorten, visible
from cr_audit.wording import percent, plural


def name_of(unit: UnitResult, item: int, width: int = 40) -> str:
    """A harmless short name of an item."""
    text = shorten(visible(unit.items.names[item]), width)
    return text if unit.unit == "model" else f"“{text}”"


def what_was_read(analysis: Analysis) -> str:
    """One sentence: rows, schema, and what they hold."""
    data, report = analysis.dataset, analysis.dataset.report
    schemas = ", ".join(
        f"{s.name} ({s.how}" + (f", {percent(s.confidence)} sure)" if s.how == "detected" else ")")
        for s in report.schemas
    )
    parts = []
    if data.comparisons.height:
        ties = f" ({plural(data.n_ties, 'tie')})" if data.n_ties else ""
        parts.append(plural(data.comparisons.height, "comparison") + ties)
    if data.choice_sets.height:
        parts.append(plural(data.choice_sets.height, "list"))
    if data.ratings.height:
        parts.append(plural(data.ratings.height, "rating"))
    of = f" of {plural(data.n_alternatives, 'response')}"
    if data.n_prompts > 1:
        of += f" to {plural(data.n_prompts, 'prompt')}"
    models = data.models()[1]
    if models:
        of += f" by {plural(len(models), 'model')}"
    if data.annotators:
        of += f", judged by {plural(len(data.annotators), 'annotator')}"
    skipped = f"; {plural(report.rows_skipped, 'row')} skipped" if report.rows_skipped else ""
    held = " and ".join(parts) if parts else "no comparisons"
    return f"{plural(report.rows_read, 'row')} read as {schemas}: {held}{of}{skipped}."


def answer(analysis: Analysis, findings: tuple[Finding, ...]) -> list[str]:
    """The paragraph, sentence by sentence."""
    out = _clone_sentences(analysis)
    if analysis.units:
        out += _ranking_sentences(analysis.units[0])
    errors = sum(f.severity == "error" for f in findings)
    warnings = sum(f.severity == "warning" for f in findings)
    if not errors and not warnings:
        out.append("Nothing to warn about.")
    return out


def clone_totals(analysis: Analysis) -> tuple[int, int, float | None]:
    """Clusters of response clones, alternatives in them, and the weight these keep."""
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return 0, 0, None
    sizes = np.bincount(clones.labels.labels, minlength=clones.labels.n_groups)
    inside = sizes[clones.labels.labels] > 1
    mass = None
    if not isinstance(analysis.weights, NotApplicable) and inside.any():
        mass = float(analysis.weights.weights[inside].sum())
    return int((sizes > 1).sum()), int(inside.sum()), mass


def _clone_sentences(analysis: Analysis) -> list[str]:
    clones = analysis.clones
    if isinstance(clones, NotApplicable):
        return [f"Clones and weights were not computed: {clones.reason}."]
    n_clusters, n_inside, mass = clone_totals(analysis)
    if n_clusters == 0:
        out = ["No two responses to one prompt are near-clones."]
    else:
        share = n_inside / analysis.dataset.n_alternatives
        verb = "holds" if n_clusters == 1 else "hold"
        sentence = f"{plural(n_clusters, 'clone cluster')} {verb} {percent(share)} of the responses"
        if mass is not None and analysis.settings.weights != "uniform":
            sentence += f" and {percent(mass)} of the clone-robust weight"
        out = [sentence + "."]
    boilerplate = [c for c in clones.clusters if c.scope == "boilerplate"]
    if boilerplate:
        largest = max(boilerplate, key=lambda c: c.n_prompts)
        out.append(
            f"{plural(len(boilerplate), 'answer')} {'is' if len(boilerplate) == 1 else 'are'}"
            f" repeated across prompts, the most frequent under {largest.n_prompts:,}."
        )
    return out


def _ranking_sentences(unit: UnitResult) -> list[str]:
    shift = unit.shift
    if unit.comparisons.n == 0:
        return ["There are no comparisons to rank by."]
    if isinstance(shift, NotApplicable):
        return [f"No ranking by {unit.unit}: {shift.reason}."]
    if isinstance(unit.items.weights, NotApplicable):
        return [_leader_alone(unit)]
    n_flagged = int(shift.flagged.sum())
    changed = new_leaders(unit)
    n = unit.graph.n_components
    if changed.size and n == 1:
        new, old = name_of(unit, shift.leader_weighted), name_of(unit, shift.leader_average)
        share = shift.probability_leaders_differ
        return [f"Weighted, {new} leads instead of {old} ({share:.2f} of resamples)."]
    if changed.size:
        return [f"Weighted, the leader changes in {changed.size:,} of {n:,} separate rankings."]
    if n_flagged:
        return [
            f"The weights change the rank of {plural(n_flagged, unit.unit)} beyond noise,"
            " but no leader."
        ]
    return [f"No {unit.unit} changes rank beyond its noise under clone-robust weights."]


def _leader_alone(unit: UnitResult) -> str:
    if unit.graph.n_components != 1:
        return f"{unit.graph.n_components:,} separate rankings, without weights."
    best = int(np.flatnonzero(unit.win_rates.rank_average == 1)[0])
    rate = unit.win_rates.average[best]
    return f"{name_of(unit, best)} leads with an average win rate of {rate:.3f} (unweighted)."
