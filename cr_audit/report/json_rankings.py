"""The ``win_rates`` and ``units`` of the JSON contract."""

from __future__ import annotations

from typing import Any

from cr_audit.analysis.facts import UnitResult
from cr_audit.arrays import NotApplicable
from cr_audit.models.graph import Dominance, Spread
from cr_audit.report.json_values import Texts


def win_rate_rows(unit: UnitResult, texts: Texts) -> list[dict[str, Any]]:
    """One entry per item that was compared."""
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


def unit_part(unit: UnitResult) -> dict[str, Any]:
    """The graph of a unit's comparisons, its leaders, and its closest models."""
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
