"""The JSON contract, version 1. Additions are allowed, renames are not.

Nothing in it depends on the terminal, the time or the machine: floats are rounded to ten
significant digits (the last bits of a sum may depend on the number of cores), lists stand in an
order that the data fixes, texts are cut to 200 characters unless asked for in full.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np

from cr_audit import __version__
from cr_audit.analysis.facts import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.findings import Finding
from cr_audit.report.indented import indented
from cr_audit.report.json_clones import clones_part, neighbours_part
from cr_audit.report.json_rankings import unit_part, win_rate_rows
from cr_audit.report.json_rewards import rewards_part
from cr_audit.report.json_values import Texts, clean

SCHEMA = "cr-audit/v1"


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
    texts = Texts(analysis, full_text)
    document = {
        "schema": SCHEMA,
        "command": command,
        "version": __version__,
        "settings": _settings(analysis, reading or {}, sources),
        "dataset": _dataset(analysis),
        "alternatives": _alternatives(analysis, texts),
        "embedding": _embedding(analysis),
        "neighbours": neighbours_part(analysis),
        "clones": clones_part(analysis, texts),
        "weights": _weights(analysis),
        "win_rates": [row for unit in analysis.units for row in win_rate_rows(unit, texts)],
        "units": [unit_part(unit) for unit in analysis.units],
        "choice_sets": _choice_sets(analysis),
        "rewards": rewards_part(analysis, texts.cut),
        "findings": [_finding(f) for f in findings],
    }
    cleaned = clean(document)
    assert isinstance(cleaned, dict)
    return cleaned


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


def _alternatives(analysis: Analysis, texts: Texts) -> list[dict[str, Any]]:
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
