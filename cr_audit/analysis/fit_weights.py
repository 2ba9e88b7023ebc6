"""Weights by other schemes than that of the analysis, for what stands beside its results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cr_audit.analysis.choice import Unit
from cr_audit.analysis.compose import alternative_weights, stream, text_codes_of
from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.kept import Kept
from cr_audit.analysis.units import weighed_items
from cr_audit.arrays import FloatArray, NotApplicable
from cr_audit.weights.estimates import Weights
from cr_audit.weights.schemes import SCHEMES


def other_weights(analysis: Analysis, fitted: Unit) -> Iterator[tuple[str, FloatArray]]:
    """The weights of the fitted items by the other schemes that correct something, each with the
    scheme in words. Of responses and clusters only where that takes no vectors."""
    for scheme in SCHEMES.all():
        if scheme.name == analysis.settings.weights or not scheme.corrects:
            continue
        if fitted != "model" and scheme.needs_vectors:
            continue
        weights = _item_weights(analysis, scheme.name, fitted)
        if not isinstance(weights, NotApplicable):
            yield scheme.in_words(analysis.settings.space, {}), weights


def weights_by(
    analysis: Analysis, scheme: str, kept: Kept | None = None
) -> Weights | NotApplicable:
    """The weights of all alternatives by another scheme, all else being as in the analysis.
    kept : where they are found again."""
    return alternative_weights(
        analysis.dataset,
        replace(analysis.settings, weights=scheme),
        analysis.embedding,
        analysis.clones,
        analysis.scope,
        text_codes_of(analysis.dataset),
        kept,
    )


def _item_weights(analysis: Analysis, scheme: str, unit: Unit) -> FloatArray | NotApplicable:
    """Of a unit's items by another scheme; models are weighed by their answers, so that those of
    the alternatives, which cost (alternatives)² distances, are not asked for."""
    settings = replace(analysis.settings, weights=scheme)
    none = NotApplicable("models are weighed by their answers")
    items, _ = weighed_items(
        unit,
        analysis.dataset,
        settings,
        analysis.embedding,
        analysis.clones,
        none if unit == "model" else weights_by(analysis, scheme),
        analysis.kinds,
        stream(settings, 12),
    )
    return items.weights
