"""The weights of a weighted fit, where they are not those that the win rates are reported by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cr_audit.analysis.choice import Choice, Unit
from cr_audit.analysis.compose import alternative_weights, stream, text_codes_of
from cr_audit.analysis.facts import Analysis, Items
from cr_audit.analysis.settings import Settings
from cr_audit.analysis.units import weighed_items
from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.weights.estimates import Weights
from cr_audit.weights.scheme import RECOMMENDED
from cr_audit.weights.schemes import SCHEMES

__all__ = ["RECOMMENDED", "other_weights", "weighed_by"]


def other_weights(analysis: Analysis, fitted: Unit) -> Iterator[tuple[str, FloatArray]]:
    """The weights of the fitted items by the other schemes that correct something, each with the
    scheme in words. Of responses and clusters only where that takes no vectors."""
    for scheme in SCHEMES.all():
        if scheme.name == analysis.settings.weights or not scheme.corrects:
            continue
        if fitted != "model" and scheme.needs_vectors:
            continue
        settings, _, items = _items_by(analysis, scheme.name, fitted, alternatives=False)
        if not isinstance(items.weights, NotApplicable):
            yield scheme.in_words(settings.space, {}), items.weights


def _items_by(
    analysis: Analysis, scheme: str, unit: Unit, *, alternatives: bool
) -> tuple[Settings, Weights | NotApplicable, Items]:
    """The settings with another scheme, and by it the weights of the alternatives (of models only
    on request: they have weights of their own) and the items of a unit."""
    settings, data = replace(analysis.settings, weights=scheme), analysis.dataset
    weights: Weights | NotApplicable = NotApplicable("models are weighed by their answers")
    if alternatives or unit != "model":
        weights = alternative_weights(
            data, settings, analysis.embedding, analysis.clones, analysis.scope, text_codes_of(data)
        )
    items, _ = weighed_items(
        unit,
        data,
        settings,
        analysis.embedding,
        analysis.clones,
        weights,
        analysis.kinds,
        stream(settings, 12),
    )
    return settings, weights, items


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
    unit = analysis.units[0]
    settings, weights, items = _items_by(analysis, scheme, unit.unit, alternatives=alternatives)
    units = (replace(unit, items=items), *analysis.units[1:])
    fitted = replace(analysis, settings=settings, weights=weights, units=units)
    return fitted, Choice(
        scheme,
        f"{scheme}, recommended for fits (win rates are by {analysis.settings.weights}):"
        f" {SCHEMES.get(scheme).deed(items.scheme)}",
    )
