"""The JSON of a gate: the contract of ``json_v1`` for baseline and batch together, the batch's
findings instead of the scan's, and two more parts: ``gate`` (what changed) and ``verdict``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.gate.finding import cluster_subject
from cr_audit.gate.verdict import BINS
from cr_audit.models.graph import Dominance, GraphHealth
from cr_audit.models.rankings.added import RateChange
from cr_audit.report.gate import GateReport
from cr_audit.report.indented import indented
from cr_audit.report.json_v1 import to_document
from cr_audit.report.json_values import clean


def render_gate_json(report: GateReport, *, full_text: bool = False) -> str:
    """One JSON object of printable ASCII, with a final newline."""
    document = gate_document(report, full_text=full_text)
    return indented(document)


def gate_document(report: GateReport, *, full_text: bool = False) -> dict[str, Any]:
    """The object, of plain Python values only."""
    verdict = report.verdict
    findings = tuple(j.finding for j in verdict.judged)
    document = to_document(
        report.effect.after,
        findings,
        "gate",
        report.sources,
        reading=report.reading,
        full_text=full_text,
    )
    for entry, judged in zip(document["findings"], verdict.judged, strict=True):
        entry["bin"] = judged.bin
        entry["known"] = judged.known
    document["gate"] = clean(_gate(report))
    document["verdict"] = clean(
        {
            "pass": verdict.passed,
            "reason": verdict.reason,
            **{b: [j.finding.fingerprint for j in verdict.of(b)] for b in BINS},
            "vanished": [
                {"fingerprint": k.fingerprint, "rule": k.rule, "message": k.message}
                for k in verdict.vanished
            ],
        }
    )
    return document


def _gate(report: GateReport) -> dict[str, Any]:
    effect, policy = report.effect, report.policy
    before, batch = effect.before.dataset, effect.batch
    return {
        "policy": {
            "profile": policy.profile,
            "source": policy.source,
            "fail_on": policy.fail_on,
            "confidence_level": policy.confidence_level,
            "max_unreadable": policy.max_unreadable,
            "severities": {k: str(v) if v else "off" for k, v in policy.severities.items()},
            "thresholds": {
                name: getattr(policy.thresholds, name) for name in type(policy.thresholds).__slots__
            },
            "waivers": [
                {
                    "rule": u.waiver.rule,
                    "fingerprint": u.waiver.fingerprint,
                    "reason": u.waiver.reason,
                    "owner": u.waiver.owner,
                    "expires": u.waiver.expires.isoformat(),
                    "n_matched": u.n_matched,
                    "expired": u.expired,
                }
                for u in report.verdict.waivers
            ],
        },
        "baseline": {
            "files": report.baseline_files,
            "n_comparisons": before.comparisons.height,
            "n_alternatives": before.n_alternatives,
            "n_prompts": before.n_prompts,
        },
        "batch": {
            "files": report.batch_files,
            "rows_read": batch.rows_read,
            "rows_skipped": batch.rows_skipped,
            "skipped_by_reason": batch.skipped_by_reason,
            "n_comparisons": int(effect.added.sum()),
            "n_new_alternatives": int(effect.is_new.sum()),
        },
        "contradictions": _contradictions(report),
        "repeats": effect.repeats
        if isinstance(effect.repeats, NotApplicable)
        else {"n": effect.repeats.n, "n_repeated": effect.repeats.n_repeated},
        "clusters": _clusters(report),
        "clone_rate": _clone_rate(report),
        "ranking": _ranking(report),
        "graph": {
            "unit": effect.unit.unit,
            "before": _graph(effect.before.units[0].graph),
            "after": _graph(effect.unit.graph),
        },
        "largest_annotator": [_share(x) for x in effect.annotators],
        "largest_prompt": [_share(x) for x in effect.prompts],
    }


def _contradictions(report: GateReport) -> Any:
    c = report.effect.contradictions
    if isinstance(c, NotApplicable):
        return c
    return {
        "n": c.n,
        "n_against": c.n_against,
        "share": c.share,
        "expected": c.expected,
        "n_expected": c.n_expected,
        "p_value": c.p_value,
    }


def _clusters(report: GateReport) -> Any:
    growth = report.effect.growth
    if isinstance(growth, NotApplicable):
        return growth
    data = report.effect.after.dataset
    ids = data.alternatives["id"]
    new = sorted({i for g in growth.gains for i in g.new.tolist()})
    rows = dict(zip(new, data.provenance(new, data.mentions.height), strict=True))
    return [
        {
            "id": cluster_subject(report.effect, g),
            "scope": g.scope,
            "size": int(g.members.size),
            "new": [ids[i] for i in g.new.tolist()],
            "diameter": g.diameter,
            "item_share": [g.item_share_before, g.item_share_after],
            "scope_share": [g.scope_share_before, g.scope_share_after],
            "batch_share": g.batch_share,
            "weight_mass": [g.weight_before, g.weight_after],
            "weight_error": g.weight_error,
            "n_rows_new": g.n_rows_new,
            "rows_new": [rows[i] for i in g.new.tolist()],
            "chance": g.chance,
        }
        for g in growth.gains
    ]


def _clone_rate(report: GateReport) -> Any:
    growth = report.effect.growth
    if isinstance(growth, NotApplicable) or isinstance(growth.rate, NotApplicable):
        return growth if isinstance(growth, NotApplicable) else growth.rate
    r = growth.rate
    return {
        "n_old": r.n_old,
        "n_copied_old": r.n_copied_old,
        "n_new": r.n_new,
        "n_copied_new": r.n_copied_new,
        "expected": r.expected,
        "p_value": r.p_value,
    }


def _ranking(report: GateReport) -> Any:
    ranking = report.effect.ranking
    if isinstance(ranking, NotApplicable):
        return ranking
    effect, items = ranking.effect, report.effect.unit.items
    kinds: list[tuple[str, RateChange]] = [("average", effect.average)]
    if effect.weighted is not None:
        kinds.append(("weighted", effect.weighted))
    rows = []
    for i in np.flatnonzero(effect.touched).tolist():
        row: dict[str, Any] = {"id": items.ids[i]}
        for name, rates in kinds:
            row[name] = {
                "rate": [rates.before[i], rates.after[i]],
                "rank": [rates.rank_before[i], rates.rank_after[i]],
                "change": rates.change[i],
                "standard_error": rates.error[i],
                "beyond_noise": rates.beyond_noise[i],
            }
        rows.append(row)
    flips = effect.average.flips
    return {
        "unit": items.unit,
        "resampled": {"value": ranking.resampled.value, "reason": ranking.resampled.reason},
        "n_replicates": effect.n_replicates,
        "confidence_level": effect.confidence_level,
        "critical_value": effect.critical_value,
        "n_turned_pairs": flips.n,
        "n_turned_beyond_noise": int(flips.beyond_noise.sum()),
        "n_turned_by_clones": int(ranking.clone_pairs.sum()),
        "leaders": [
            {
                "component": c.component,
                "before": items.ids[c.old],
                "after": items.ids[c.new],
                "change": c.change,
                "standard_error": c.error,
                "beyond_noise": c.beyond_noise,
                "weighted_turns": c.weighted_turns,
                "turns_without_copies": not c.without_copies,
                "clones_explain": c.clones_explain,
            }
            for c in ranking.leaders
        ],
        "items": rows,
    }


def _graph(graph: GraphHealth) -> dict[str, Any]:
    return {
        "n_components": graph.n_components,
        "unpenalised_fit_exists": graph.unpenalised_fit_exists,
        "n_undefeated": graph.undefeated.size,
        "n_winless": graph.winless.size,
        "median_comparisons_per_item": graph.comparisons_per_item.median,
    }


def _share(dominance: Dominance | NotApplicable) -> Any:
    return dominance if isinstance(dominance, NotApplicable) else dominance.share
