"""``embedding`` and ``weights`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.analysis import Analysis
from cr_audit.arrays import NotApplicable
from cr_audit.wire import ContentId, Count, NotNegative, Resolved, Share, Texts


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
    zero_upper_bound: what a weight of 0 may still be (95 %)."""

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


PARTS = {"embedding": Embedding | NotApplicable, "weights": Weights | NotApplicable}
REQUIRED = ("embedding", "weights")


def parts(analysis: Analysis, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    e = analysis.embedding
    return {
        "embedding": e
        if isinstance(e, NotApplicable)
        else Embedding(
            model=e.model, dimension=e.dimension, fingerprint=e.fingerprint, n_texts=e.n_texts
        ),
        "weights": _weights(analysis, texts),
    }


def _weights(analysis: Analysis, texts: Texts) -> Weights | NotApplicable:
    w = analysis.weights
    if isinstance(w, NotApplicable):
        return w
    return Weights(
        method=w.method,
        space=w.space,
        scope=Resolved(value=analysis.scope.value, reason=analysis.scope.reason),
        n_samples=w.n_samples,
        precision=w.precision,
        max_relative_error=w.max_relative_error,
        precision_reached=w.reached,
        effective_number=w.effective_number,
        effective_number_corrected=w.effective_number_corrected,
        zero_share=w.zero_share,
        zero_upper_bound=w.zero_upper_bound,
        n_merged=w.n_merged,
        cautions=list(w.cautions),
        values=[
            Weight(id=i, weight=x, standard_error=s)
            for i, x, s in zip(
                texts.ids, w.weights.tolist(), w.standard_error.tolist(), strict=True
            )
        ],
    )
