"""The JSON of ``cr-audit stress``: the head of the contract and one part of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cr_audit.analysis.facts import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.report.json_v1 import to_document
from cr_audit.report.json_values import clean
from cr_audit.simulate.flips import CloneFlip, RemovalFlip
from cr_audit.simulate.stress import Stress, StressRow
from cr_audit.write.indented import indented

TEXT_LENGTH = 200


def render_stress_json(
    analysis: Analysis, facts: Stress, sources: Mapping[str, str], reading: Mapping[str, Any]
) -> str:
    """The object of every other command, with ``stress`` besides."""
    document = to_document(analysis, (), "stress", sources, reading=reading)
    document["stress"] = clean(_stress(facts))
    return indented(document)


def _stress(facts: Stress) -> dict[str, Any]:
    ranked = np.argsort(-facts.rewards_standard, kind="stable").tolist()
    return {
        "unit": facts.unit,
        "reason": facts.reason,
        "n_left_out": facts.n_left_out,
        "n_comparisons": facts.n_comparisons,
        "weighted_scheme": facts.main.name,
        "penalty": facts.penalty,
        "penalty_reason": facts.penalty_reason,
        "n_clones": facts.n_clones,
        "edited_copies": True if facts.edited is None else facts.edited,
        "items": [
            {
                "id": facts.ids[i],
                "label": facts.names[i][:TEXT_LENGTH],
                "standard": facts.rewards_standard[i],
                "weighted": facts.rewards_main[i],
            }
            for i in ranked
        ],
        "injections": [_row(facts, r) for r in facts.rows],
        "fewest_clones": facts.clone_flips
        if isinstance(facts.clone_flips, NotApplicable)
        else [_clone_flip(facts, f) for f in facts.clone_flips],
        "fewest_removals": facts.removal_flips
        if isinstance(facts.removal_flips, NotApplicable)
        else [
            _removal_flip(facts, f, rows)
            for f, rows in zip(facts.removal_flips, facts.removed, strict=True)
        ],
    }


def _row(facts: Stress, r: StressRow) -> dict[str, Any]:
    return {
        "scheme": r.scheme.name,
        "target": r.target,
        "id": facts.ids[r.item],
        "kind": r.kind,
        "n_clones": r.n_clones,
        "n_variants": r.n_variants,
        "reward_shift": r.reward_shift,
        "certificate": r.certificate,
        "rank_shift": r.rank_shift,
        "leader_before": facts.ids[r.before],
        "leader_after": facts.ids[r.after],
        "leader_changes": r.leader_changes,
        "mass_before": r.mass_before,
        "mass_after": r.mass_after,
    }


def _clone_flip(facts: Stress, f: CloneFlip) -> dict[str, Any]:
    return {
        "scheme": f.scheme.name,
        "kind": f.kind,
        "n_clones": f.n_clones or NotApplicable(f"none up to {f.max_clones} change the leader"),
        "id": facts.ids[f.item] if f.n_clones else None,
        "leader_before": facts.ids[f.before],
        "leader_after": facts.ids[f.after],
        "n_targets": f.n_targets,
        "max_clones": f.max_clones,
        "verified": f.verified,
    }


def _removal_flip(facts: Stress, f: RemovalFlip, rows: tuple[str, ...]) -> dict[str, Any]:
    none = NotApplicable("no set of up to half of the comparisons changes the leader")
    return {
        "scheme": f.scheme.name,
        "n_removed": f.n_removed or none,
        "predicted": f.predicted,
        "n_comparisons": f.n_comparisons,
        "leader_before": facts.ids[f.before],
        "leader_after": facts.ids[f.after],
        "rows": list(rows),
    }
