"""The weights of a weighted fit, where they are not those that the win rates are reported by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cr_audit.analysis.choice import Choice, Unit
from cr_audit.analysis.compose import alternative_weights, stream, text_codes_of
from cr_audit.analysis.facts import Analysis
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
        settings = replace(analysis.settings, weights=scheme.name)
        if fitted == "model":
            items, _ = weighed_items(
                "model",
                analysis.dataset,
                settings,
                analysis.embedding,
                analysis.clones,
                analysis.weights,
                analysis.kinds,
                stream(settings, 12),
            )
            if not isinstance(items.weights, NotApplicable):
                yield scheme.in_words(settings.space, {}), items.weights
        elif not scheme.needs_vectors:
            known = alternative_weights(
                analysis.dataset,
                settings,
                analysis.embedding,
                analysis.clones,
                analysis.scope,
                text_codes_of(analysis.dataset),
            )
            if not isinstance(known, NotApplicable):
                items, _ = weighed_items(
                    fitted,
                    analysis.dataset,
                    settings,
                    analysis.embedding,
                    analysis.clones,
                    known,
                    analysis.kinds,
                    stream(settings, 12),
                )
                if not isinstance(items.weights, NotApplicable):
                    yield scheme.in_words(settings.space, {}), items.weights


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
        analysis.kinds,
        stream(settings, 12),
    )
    units = (replace(unit, items=items), *analysis.units[1:])
    fitted = replace(analysis, settings=settings, weights=weights, units=units)
    return fitted, Choice(
        scheme,
        f"{scheme}, recommended for fits (win rates are by {analysis.settings.weights}):"
        f" {SCHEMES.get(scheme).deed(items.scheme)}",
    )
