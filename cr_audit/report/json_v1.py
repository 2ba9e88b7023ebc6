"""The JSON contract, version 1. Additions are allowed, renames are not.

Nothing in it depends on the terminal, the time or the machine: floats are rounded to ten
significant digits (the last bits of a sum may depend on the number of cores), lists stand in an
order that the data fixes, texts are cut to 200 characters unless asked for in full.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np

from cr_audit import __version__
from cr_audit.analysis.facts import Analysis, UnitResult
from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding
from cr_audit.graph import Dominance, Spread
from cr_audit.report.indented import indented
from cr_audit.report.json_rewards import rewards_part

SCHEMA = "cr-audit/v1"
TEXT_LENGTH = 200
DIGITS = 10
_ROUNDED = f".{DIGITS}g"
MAX_ROWS = 20


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document, as it ships with the package."""
    text = resources.files("cr_audit.report").joinpath("schema_v1.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def render_json(
    analysis: Analysis,
    findings: tuple[Finding, ...],
    command: str,
    sources: Mapping[str, str],
    *,
    reading: Mapping[str, Any] | None = None,
    full_text: bool = False,
) -> str:
    """One JSON object of printable ASCII, with a final newline; lone surrogates become "?"."""
    document = to_document(
        analysis, findings, command, sources, reading=reading, full_text=full_text
    )
    return indented(document)


def to_document(
    analysis: Analysis,
    findings: tuple[Finding, ...],
    command: str,
    sources: Mapping[str, str],
    *,
    reading: Mapping[str, Any] | None = None,
    full_text: bool = False,
) -> dict[str, Any]:
    """The object of the contract, of plain Python values only.

    reading : the settings of the read, name -> value, that stand beside those of the analysis.
    """
    texts = _Texts(analysis, full_text)
    document = {
        "schema": SCHEMA,
        "command": command,
        "version": __version__,
        "settings": _settings(analysis, reading or {}, sources),
        "dataset": _dataset(analysis),
        "alternatives": _alternatives(analysis, texts),
        "embedding": _embedding(analysis),
        "neighbours": _neighbours(analysis),
        "clones": _clones(analysis, texts),
        "weights": _weights(analysis),
        "win_rates": [row for unit in analysis.units for row in _win_rates(unit, texts)],
        "units": [_unit(unit) for unit in analysis.units],
        "choice_sets": _choice_sets(analysis),
        "rewards": rewards_part(analysis, texts.cut),
        "findings": [_finding(f) for f in findings],
    }
    cleaned = clean(document)
    assert isinstance(cleaned, dict)
    return cleaned


def clean(value: Any) -> Any:
    """Plain JSON values: floats rounded, NaN and infinity as null, numpy scalars unwrapped."""
    kind = type(value)
    # By far the most frequent ones first: a report holds a million values.
    if kind is str:
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if kind is float:
        return float(format(value, _ROUNDED)) + 0.0 if math.isfinite(value) else None
    if kind is int or kind is bool or value is None:
        return value
    if isinstance(value, Mapping):
        return {
            (k if type(k) is str and k.isascii() else str(clean(k))): clean(v)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if isinstance(value, NotApplicable):
        return {"not_applicable": value.reason}
    if isinstance(value, np.generic):
        return clean(value.item())
    if isinstance(value, str):  # from here on subclasses: an enumeration, say
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return clean(float(value))
    raise TypeError(f"{type(value).__name__} has no place in the report")


class _Texts:
    def __init__(self, analysis: Analysis, full: bool) -> None:
        self.full = full
        self.texts = analysis.dataset.alternatives["text"].to_list()
        self.ids = analysis.dataset.alternatives["id"].to_list()
        self.prompt_ids = analysis.dataset.prompts["id"].to_list()
        self.prompt_texts = analysis.dataset.prompts["text"].to_list()
        self.prompt_of = analysis.dataset.alternatives["prompt"].to_list()

    def cut(self, text: str | None) -> str | None:
        return text if text is None or self.full else text[:TEXT_LENGTH]


def _settings(
    analysis: Analysis, reading: Mapping[str, Any], sources: Mapping[str, str]
) -> dict[str, Any]:
    """``files`` is left out: they stand under dataset, as they were given."""
    values = {name: value for name, value in reading.items() if name != "files"}
    values |= {name: getattr(analysis.settings, name) for name in type(analysis.settings).__slots__}
    return {
        name: {"value": value, "source": sources.get(name, "default")}
        for name, value in values.items()
    }


def _dataset(analysis: Analysis) -> dict[str, Any]:
    data, report = analysis.dataset, analysis.dataset.report
    return {
        "files": [
            {
                "path": f.path,
                "container": f.container,
                "compression": f.compression,
                "n_rows": f.n_rows,
                "n_bytes": f.n_bytes,
                "sha256": f.sha256,
            }
            for f in report.files
        ],
        "rows_read": report.rows_read,
        "rows_skipped": report.rows_skipped,
        "skipped_by_reason": dict(sorted(report.skipped_by_reason.items())),
        "noted": dict(sorted(report.noted.items())),
        "examples": [
            {
                "reason": e.reason,
                "file": e.file,
                "line": e.line,
                "field": e.field,
                "found": e.found,
            }
            for e in report.examples
        ],
        "schema": [
            {"name": s.name, "how": s.how, "confidence": s.confidence, "fields": dict(s.fields)}
            for s in report.schemas
        ],
        "n_prompts": data.n_prompts,
        "n_alternatives": data.n_alternatives,
        "n_comparisons": data.comparisons.height,
        "n_choice_sets": data.choice_sets.height,
        "n_ratings": data.ratings.height,
        "n_ties": data.n_ties,
        "n_annotators": len(data.annotators),
    }


def _alternatives(analysis: Analysis, texts: _Texts) -> list[dict[str, Any]]:
    data = analysis.dataset
    compared = np.bincount(
        np.concatenate([data.comparisons["winner"], data.comparisons["loser"]]),
        minlength=data.n_alternatives,
    )
    return [
        {
            "id": i,
            "prompt_id": texts.prompt_ids[p],
            "model": m,
            "key": k,
            "text": texts.cut(t),
            "n_comparisons": n,
        }
        for i, p, m, k, t, n in zip(
            texts.ids,
            texts.prompt_of,
            data.alternatives["model"],
            data.alternatives["key"],
            texts.texts,
            compared.tolist(),
            strict=True,
        )
    ]


def _embedding(analysis: Analysis) -> Any:
    e = analysis.embedding
    if isinstance(e, NotApplicable):
        return e
    return {
        "model": e.model,
        "dimension": e.dimension,
        "fingerprint": e.fingerprint,
        "n_texts": e.n_texts,
    }


def _neighbours(analysis: Analysis) -> Any:
    c = analysis.clones
    if isinstance(c, NotApplicable):
        return c
    n = c.neighbours
    return {
        "index": n.index,
        "recall_estimate": n.recall_estimate,
        "n_recall_sample": n.n_recall_sample,
        "n_candidates": n.n_candidates,
        "n_edges": n.n_edges,
    }


def _clones(analysis: Analysis, texts: _Texts) -> Any:
    c = analysis.clones
    if isinstance(c, NotApplicable):
        return c
    in_any = sorted({i for c_ in c.clusters if c_.scope != "prompt" for i in c_.members.tolist()})
    rows = dict(zip(in_any, analysis.dataset.provenance(in_any, MAX_ROWS), strict=True))
    known = None if isinstance(analysis.weights, NotApplicable) else analysis.weights.weights
    clusters = []
    in_clusters: set[int] = set()
    for cluster in c.clusters:
        members = cluster.members.tolist()
        if cluster.scope == "prompt":
            listed = [
                {
                    "id": texts.prompt_ids[i],
                    "prompt_id": texts.prompt_ids[i],
                    "text": texts.cut(texts.prompt_texts[i]),
                    "rows": [],
                }
                for i in members
            ]
            mass = share = None
        else:
            listed = [
                {
                    "id": texts.ids[i],
                    "prompt_id": texts.prompt_ids[texts.prompt_of[i]],
                    "text": texts.cut(texts.texts[i]),
                    "rows": rows[i],
                }
                for i in members
            ]
            mass = None if known is None else float(known[members].sum())
            share = len(members) / analysis.dataset.n_alternatives
            if cluster.scope == "response" and cluster.kind != "loose":
                in_clusters.update(members)
        clusters.append(
            {
                "id": cluster_id([m["id"] for m in listed]),
                "scope": cluster.scope,
                "kind": cluster.kind,
                "members": listed,
                "size": len(members),
                "n_texts": cluster.n_texts,
                "n_prompts": cluster.n_prompts,
                "medoid": listed[members.index(cluster.medoid)]["id"],
                "diameter": cluster.diameter,
                "weakest_link": cluster.weakest_link,
                "furthest": [listed[members.index(i)]["id"] for i in cluster.furthest],
                "weight_mass": mass,
                "item_share": share,
            }
        )
    return {
        "radius": c.radius,
        "loose_radius": c.loose_radius,
        "boilerplate_prompts": c.boilerplate_prompts,
        "metric": c.metric,
        "n_clusters": len(clusters),
        "n_alternatives_in_clusters": len(in_clusters),
        "clusters": clusters,
        "votes": [_votes(analysis, v.cluster, v.result, clusters) for v in analysis.votes],
        "noise_floor": analysis.noise_floor
        if isinstance(analysis.noise_floor, NotApplicable)
        else {
            "n_comparisons": analysis.noise_floor.n_comparisons,
            "n_decided": analysis.noise_floor.n_decided,
        },
    }


def _votes(analysis: Analysis, index: int, result: Any, clusters: list[dict[str, Any]]) -> Any:
    out: dict[str, Any] = {"cluster": clusters[index]["id"]}
    if isinstance(result, NotApplicable):
        return out | {"not_applicable": result.reason}
    return out | {
        "statistic": result.statistic,
        "degrees_of_freedom": result.degrees_of_freedom,
        "p_value": result.p_value,
        "method": result.method,
        "n_opponents": result.n_opponents,
        "n_comparisons": result.n_comparisons,
    }


def _weights(analysis: Analysis) -> Any:
    w = analysis.weights
    if isinstance(w, NotApplicable):
        return w
    return {
        "method": w.method,
        "space": w.space,
        "scope": {"value": analysis.scope.value, "reason": analysis.scope.reason},
        "n_samples": w.n_samples,
        "precision": w.precision,
        "max_relative_error": w.max_relative_error,
        "precision_reached": w.reached,
        "effective_number": w.effective_number,
        "effective_number_corrected": w.effective_number_corrected,
        "zero_share": w.zero_share,
        "zero_upper_bound": w.zero_upper_bound,
        "n_merged": w.n_merged,
        "cautions": list(w.cautions),
        "values": [
            {"id": i, "weight": x, "standard_error": s}
            for i, x, s in zip(
                analysis.dataset.alternatives["id"],
                w.weights.tolist(),
                w.standard_error.tolist(),
                strict=True,
            )
        ],
    }


def _win_rates(unit: UnitResult, texts: _Texts) -> list[dict[str, Any]]:
    r = unit.win_rates
    known = unit.items.weights
    weights = None if isinstance(known, NotApplicable) else known
    weighted = weights is not None
    shift = None if isinstance(unit.shift, NotApplicable) else unit.shift
    rows = []
    for i in range(unit.items.n):
        if r.n_opponents[i] == 0:
            continue
        row = {
            "id": unit.items.ids[i],
            "unit": unit.unit,
            "label": texts.cut(unit.items.names[i]),
            "average": r.average[i],
            "borda": r.borda[i],
            "weighted": r.weighted[i] if weighted else None,
            "rank_average": r.rank_average[i],
            "rank_weighted": r.rank_weighted[i] if weighted else None,
            "n_opponents": r.n_opponents[i],
            "n_comparisons": r.n_comparisons[i],
            "component": r.component[i],
            "weight": None if weights is None else weights[i],
        }
        if shift is not None:
            row |= {
                "rank_average_interval": [shift.rank_average_low[i], shift.rank_average_high[i]],
                "thin": shift.thin[i],
            }
            if weighted:
                row |= {
                    "rank_weighted_interval": [
                        shift.rank_weighted_low[i],
                        shift.rank_weighted_high[i],
                    ],
                    "shift": shift.shift[i],
                    "shift_interval": [shift.shift_low[i], shift.shift_high[i]],
                    "standard_error": shift.standard_error[i],
                    "sampling_error": shift.sampling_error[i],
                    "monte_carlo_error": shift.monte_carlo_error[i],
                    "within_noise": shift.within_noise[i],
                    "probability": shift.probability_differs[i],
                    "flagged": shift.flagged[i],
                }
        rows.append(row)
    return rows


def _unit(unit: UnitResult) -> dict[str, Any]:
    g = unit.graph
    closest = unit.closest
    return {
        "unit": unit.unit,
        "reason": unit.reason,
        "n_items": unit.items.n,
        "n_comparisons": unit.comparisons.n,
        "n_within": unit.n_within,
        "resampled": {"value": unit.resampled.value, "reason": unit.resampled.reason},
        "graph": {
            "n_pairs": g.n_pairs,
            "n_components": g.n_components,
            "largest_component": g.component_sizes[0] if g.n_components else 0,
            "unpenalised_fit_exists": g.unpenalised_fit_exists,
            "n_components_with_unpenalised_fit": int(g.fit_exists.sum()),
            "n_undefeated": g.undefeated.size,
            "n_winless": g.winless.size,
            "n_never_compared": g.never_compared.size,
            "comparisons_per_item": _spread(g.comparisons_per_item),
            "opponents_per_item": _spread(g.opponents_per_item),
            "n_repeated_pairs": g.n_repeated_pairs,
            "n_contradictory_pairs": g.n_contradictory_pairs,
            "n_self_contradictory_pairs": g.n_self_contradictory_pairs,
            "density": g.density,
            "triads": g.triads
            if isinstance(g.triads, NotApplicable)
            else {
                "n": g.triads.n,
                "n_cyclic": g.triads.n_cyclic,
                "share": g.triads.share,
                "standard_error": g.triads.standard_error,
                "n_sampled": g.triads.n_sampled,
            },
            "largest_annotator_share": _share(g.largest_annotator),
            "largest_prompt_share": _share(g.largest_prompt),
        },
        "leaders": unit.shift
        if isinstance(unit.shift, NotApplicable)
        else {
            "n_replicates": unit.shift.n_replicates,
            "confidence_level": unit.shift.confidence_level,
            "leader_average": unit.items.ids[unit.shift.leader_average],
            "leader_weighted": unit.items.ids[unit.shift.leader_weighted],
            "probability_leaders_differ": unit.shift.probability_leaders_differ,
        },
        "closest": closest
        if isinstance(closest, NotApplicable)
        else {
            "first": closest.first,
            "second": closest.second,
            "distance": closest.distance,
            "median_distance": closest.median_distance,
            "n_shared_prompts": closest.n_shared_prompts,
        },
    }


def _spread(spread: Spread) -> dict[str, float]:
    return {"min": spread.minimum, "median": spread.median, "max": spread.maximum}


def _share(dominance: Dominance | NotApplicable) -> Any:
    return dominance if isinstance(dominance, NotApplicable) else dominance.share


def _choice_sets(analysis: Analysis) -> Any:
    c = analysis.choice_sets
    if isinstance(c, NotApplicable):
        return c
    return {
        "n": c.n,
        "sizes": [{"size": s, "count": n} for s, n in c.sizes],
        "n_single_choice": c.n_single_choice,
        "n_full_rankings": c.n_full_rankings,
        "n_partial_rankings": c.n_partial_rankings,
        "n_with_ties": c.n_with_ties,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "subject": finding.subject,
        "message": finding.message,
        "rows": list(finding.rows),
        "evidence": dict(finding.evidence),
        "advice": finding.advice,
        "fingerprint": finding.fingerprint,
    }
