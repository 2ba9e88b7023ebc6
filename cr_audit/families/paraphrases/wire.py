"""``paraphrases`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.analysis.units import cluster_id
from cr_audit.arrays import NotApplicable
from cr_audit.families.paraphrases.facts import ParaphraseFacts
from cr_audit.wire import ClusterId, ContentId, Count, Share, Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Independent pairs above the threshold that the other half of the prompts gave."""

    n_pairs: Count
    n_above: Count
    rate: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class ParaphraseCluster:
    """Responses that say the same in other words. least_score: of the two least alike."""

    id: ClusterId
    members: list[ContentId]
    size: Count
    medoid: ContentId
    least_score: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Paraphrases:
    """kind "paraphrase" of clone clusters, larger ones first. threshold: of the score;
    n_independent, n_above: pairs of answers of different models, and those above it; n_pairs,
    n_found: pairs looked at that words do not call copies; n_other, n_other_found: the same of
    pairs that are not known to be independent, p_value: of as many of them by chance."""

    false_positive_rate: Share
    threshold: Share
    n_independent: Count
    n_above: Count
    held_out: HeldOut | NotApplicable
    n_pairs: Count
    n_found: Count
    n_other: Count
    n_other_found: Count
    p_value: Share
    with_vectors: bool
    clusters: list[ParaphraseCluster]


PARTS = {"paraphrases": Paraphrases | NotApplicable}
REQUIRED = ()


def parts(facts: ParaphraseFacts, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    found = facts.found
    if isinstance(found, NotApplicable):
        return {"paraphrases": found}
    held = found.held_out
    clusters = []
    for c in found.clusters:
        ids = [texts.ids[i] for i in c.members.tolist()]
        clusters.append(
            ParaphraseCluster(
                id=cluster_id(ids),
                members=ids,
                size=len(ids),
                medoid=texts.ids[c.medoid],
                least_score=max(1.0 - c.diameter, 0.0),
            )
        )
    return {
        "paraphrases": Paraphrases(
            false_positive_rate=found.fpr,
            threshold=found.threshold,
            n_independent=found.n_independent,
            n_above=found.n_above,
            held_out=held
            if isinstance(held, NotApplicable)
            else HeldOut(n_pairs=held.n, n_above=held.n_above, rate=held.rate),
            n_pairs=found.n_pairs,
            n_found=found.n_found,
            n_other=found.n_other,
            n_other_found=found.n_other_found,
            p_value=facts.p_value,
            with_vectors=found.with_vectors,
            clusters=clusters,
        )
    }
