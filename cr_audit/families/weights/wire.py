"""``embedding``, ``weights`` and ``voronoi`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.families.weights.facts import WeightFacts
from cr_audit.weights.estimates import Weights as Estimated
from cr_audit.wire import (
    ABSENT,
    ContentId,
    Count,
    Missing,
    NotNegative,
    Resolved,
    Share,
    Texts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """What the texts were turned into. fingerprint: of the encoder."""

    model: str
    dimension: Count
    fingerprint: str
    n_texts: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The weight of one response; the error is Monte-Carlo only."""

    id: ContentId
    weight: Share
    standard_error: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much each response counts; weights sum to 1. effective_number: 1 / sum(w^2);
    zero_upper_bound: what a weight of 0 may still be (95 %); n_competitors, left_out: as of
    ``voronoi``."""

    method: str
    space: str | None
    scope: Resolved
    n_samples: Count
    precision: float
    max_relative_error: NotNegative
    precision_reached: bool
    effective_number: NotNegative
    effective_number_corrected: NotNegative
    zero_share: Share
    zero_upper_bound: NotNegative
    n_merged: Count
    cautions: list[str]
    values: list[Weight]
    n_competitors: Count | Missing = ABSENT
    left_out: Share | Missing = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class VoronoiCell:
    """The Voronoi weight of one response; the error is Monte-Carlo only."""

    id: ContentId
    weight: Share
    standard_error: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class CloneMass:
    """What a group of clones keeps of the weights that are used and of Voronoi weights."""

    members: list[ContentId]
    item_share: Share
    weight_mass: Share
    voronoi_mass: Share
    voronoi_error: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Voronoi:
    """The paper's weights, whichever are used (``used``: these are). clone_groups: all groups of
    clones of responses, the largest first; values: null where ``weights`` holds the same.
    n_competitors, left_out: where draws were worth a conditional probability, the items that
    compete and the mass of the others; the absolute biases sum to at most twice that."""

    space: str | None
    used: bool
    n_samples: Count
    precision: float
    max_relative_error: NotNegative
    precision_reached: bool
    effective_number: NotNegative
    effective_number_corrected: NotNegative
    zero_share: Share
    cautions: list[str]
    clone_groups: list[CloneMass]
    values: list[VoronoiCell] | None
    n_competitors: Count | Missing = ABSENT
    left_out: Share | Missing = ABSENT


PARTS = {
    "embedding": Embedding | NotApplicable,
    "weights": Weights | NotApplicable,
    "voronoi": Voronoi | NotApplicable,
}
REQUIRED = ("embedding", "weights")


def parts(facts: WeightFacts, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    analysis, e = facts.analysis, facts.analysis.embedding
    return {
        "embedding": e
        if isinstance(e, NotApplicable)
        else Embedding(
            model=e.model, dimension=e.dimension, fingerprint=e.fingerprint, n_texts=e.n_texts
        ),
        "weights": _weights(analysis, texts),
        "voronoi": _voronoi(facts, texts),
    }


def _estimate(w: Estimated) -> dict[str, Any]:
    """What both records say of how the weights are known."""
    return {
        "space": w.space,
        "n_samples": w.n_samples,
        "precision": w.precision,
        "max_relative_error": w.max_relative_error,
        "precision_reached": w.reached,
        "effective_number": w.effective_number,
        "effective_number_corrected": w.effective_number_corrected,
        "zero_share": w.zero_share,
        "cautions": list(w.cautions),
    } | {k: w.settings[k] for k in ("n_competitors", "left_out") if k in w.settings}


def _voronoi(facts: WeightFacts, texts: Texts) -> Voronoi | NotApplicable:
    w = facts.voronoi
    if isinstance(w, NotApplicable):
        return w
    listed = zip(texts.ids, w.weights.tolist(), w.standard_error.tolist(), strict=True)
    return Voronoi(
        used=facts.voronoi_is_used,
        **_estimate(w),
        clone_groups=[
            CloneMass(
                members=[texts.ids[i] for i in mass.members.tolist()],
                item_share=mass.item_share,
                weight_mass=mass.used,
                voronoi_mass=mass.voronoi,
                voronoi_error=mass.error,
            )
            for mass in facts.masses
        ],
        values=None
        if facts.voronoi_is_used
        else [VoronoiCell(id=i, weight=x, standard_error=s) for i, x, s in listed],
    )


def _weights(analysis: Analysis, texts: Texts) -> Weights | NotApplicable:
    w = analysis.weights
    if isinstance(w, NotApplicable):
        return w
    return Weights(
        method=w.method,
        scope=Resolved(value=analysis.scope.value, reason=analysis.scope.reason),
        **_estimate(w),
        zero_upper_bound=w.zero_upper_bound,
        n_merged=w.n_merged,
        values=[
            Weight(id=i, weight=x, standard_error=s)
            for i, x, s in zip(
                texts.ids, w.weights.tolist(), w.standard_error.tolist(), strict=True
            )
        ],
    )
