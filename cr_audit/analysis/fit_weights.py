"""Which weights a weighted fit uses where nobody chose: not the ones that a scan reports.

Voronoi weights (of [CR]) are reported by every command. As weights of a fit they have two faults on
real data (benchmarks/README.md, "Case study" and "Schemes on real data"): they differ between items
that are no clones of anything, so that the fit rests on fewer judgements and predicts worse; and
they keep less of a region's mass where its items are multiplied. ``sharing`` with clones merged
keeps more, and leaves data alone in which there is nothing to correct.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cr_audit.analysis.choice import Choice
from cr_audit.analysis.compose import alternative_weights, stream, text_codes_of
from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.units import weighed_items
from cr_audit.arrays import NotApplicable
from cr_audit.weights.estimates import Weights
from cr_audit.wording import percent

RECOMMENDED = "sharing"


def weighed_by(
    analysis: Analysis, scheme: str | None, *, alternatives: bool = True
) -> tuple[Analysis, Choice]:
    """The analysis as a fit by ``scheme`` sees it, and the choice in words.

    scheme : a value of ``Settings.weights``; None keeps the weights of the analysis. What changes
    are the settings, the weights of the alternatives and those of the main unit's items.
    alternatives : whether the fit needs weights of the alternatives. Models have weights of their
    own, and those of the alternatives cost (alternatives)² distances.
    """
    if scheme is None or scheme == analysis.settings.weights:
        return analysis, Choice(
            analysis.settings.weights, "those that the win rates are reported by"
        )
    settings = replace(analysis.settings, weights=scheme)
    data, unit = analysis.dataset, analysis.units[0]
    weights: Weights | NotApplicable = NotApplicable("models are weighed by their answers")
    if alternatives or unit.unit != "model":
        weights = alternative_weights(
            data, settings, analysis.embedding, analysis.clones, analysis.scope, text_codes_of(data)
        )
    items, _ = weighed_items(
        unit.unit,
        data,
        settings,
        analysis.embedding,
        analysis.clones,
        weights,
        stream(settings, 12),
    )
    units = (replace(unit, items=items), *analysis.units[1:])
    fitted = replace(analysis, settings=settings, weights=weights, units=units)
    return fitted, Choice(
        scheme,
        f"{scheme}, recommended for fits (win rates are by {analysis.settings.weights}):"
        f" {sharing_in_words(items.scheme)}",
    )


def sharing_in_words(settings: Mapping[str, Any]) -> str:
    """What sharing weights did: clones alone, or a neighbourhood as well, and why."""
    if "expected_shift" not in settings:
        return "clones share one vote"
    gain = max(0.0, 1 - settings["expected_shift"])
    saved = f"takes away {percent(gain)} of the effect of multiplied regions"
    cost = f"costs {percent(1 - settings['effective_share'])} of the effective number"
    width = f"{settings['width_searched']:.3g}"
    if settings["width"] == 0:
        return (
            f"clones share one vote; neighbours do not, since the best width found ({width})"
            f" {saved} and {cost}"
        )
    strength = settings["strength"]
    if strength < 1:
        return (
            f"clones share one vote, and neighbours within {width} count {percent(strength)}:"
            f" in full that {saved} and {cost}"
        )
    return f"clones share one vote, and neighbours within {width}: that {saved} and {cost}"
