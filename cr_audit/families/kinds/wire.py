"""``kinds`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cr_audit.arrays import NotApplicable
from cr_audit.families.kinds.facts import KindFacts
from cr_audit.wire import ContentId, Count, NotNegative, Pattern, Share, Texts

KindId = Annotated[str, Pattern("^kind:[0-9a-f]{16}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRate:
    """A kind against everything else: share of its comparisons won with its interval, and the same
    under weights. q_value: false-discovery rate at which the share differs from one half;
    shift_q_value: at which the weights move it. n_effective: independent comparisons."""

    n_comparisons: Count
    n_within: Count
    n_effective: NotNegative
    rate: Share
    low: Share
    high: Share
    q_value: Share
    weighted: Share | NotApplicable
    shift: float | NotApplicable
    standard_error: NotNegative | NotApplicable
    shift_q_value: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A group of responses in meaning. words: those that tell it from all others; medoid: its most
    typical response; stability: mean Jaccard similarity to what halves of the data find;
    tightness: mean cosine to its centre, the data's mean taken away; members: ids, in order."""

    id: KindId
    words: list[str]
    medoid: ContentId
    text: str | None
    n_responses: Count
    item_share: Share
    weight_share: Share | NotApplicable
    stability: Share
    tightness: float
    resolution: float
    win_rate: KindRate | NotApplicable
    members: list[ContentId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Each different response joined to its nearest: n of them to k others. index: "exact", "cells"
    or "hnsw"; recall: share of the true neighbours found, of n_recall_sample responses."""

    n: Count
    k: Count
    index: Literal["exact", "cells", "hnsw"]
    recall: Share | NotApplicable
    n_recall_sample: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """Kinds of answer, the largest first; a response may be of none. n_distinct: different vectors;
    n_seen: those the kinds were looked for among; n_candidates, n_unstable: groups tried, and those
    that do not come back. agreement: adjusted Rand index between the kinds and what halves find."""

    n_distinct: Count
    n_seen: Count
    n_candidates: Count
    n_unstable: Count
    agreement: float | NotApplicable
    graph: Graph
    values: list[Kind]


PARTS = {"kinds": Kinds | NotApplicable}
REQUIRED = ()


def parts(facts: KindFacts, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    kinds = facts.kinds
    if isinstance(kinds, NotApplicable):
        return {"kinds": kinds}
    found, mass = kinds.found, facts.weight_share
    values = [
        Kind(
            id=kinds.ids[g],
            words=list(kinds.words[g]),
            medoid=texts.ids[kind.medoid],
            text=texts.cut(texts.texts[kind.medoid]),
            n_responses=int(kind.members.size),
            item_share=float(facts.item_share[g]),
            weight_share=mass if isinstance(mass, NotApplicable) else min(float(mass[g]), 1.0),
            stability=kind.stability,
            tightness=kind.tightness,
            resolution=kind.resolution,
            win_rate=_rate(facts, g),
            members=[texts.ids[i] for i in kind.members.tolist()],
        )
        for g, kind in enumerate(found.kinds)
    ]
    return {
        "kinds": Kinds(
            n_distinct=found.n_distinct,
            n_seen=found.n_seen,
            n_candidates=found.n_candidates,
            n_unstable=found.n_unstable,
            agreement=found.agreement,
            graph=Graph(
                n=found.graph.n,
                k=found.graph.k,
                index=found.graph.index,
                recall=found.graph.recall,
                n_recall_sample=found.graph.n_recall_sample,
            ),
            values=values,
        )
    }


def _rate(facts: KindFacts, g: int) -> KindRate | NotApplicable:
    r = facts.rates
    if not r.n[g]:
        return NotApplicable("no answer of this kind was compared with another one")
    none = NotApplicable("there are no weights")
    weighed = r.weighted[g] == r.weighted[g]
    error = float(r.error[g])
    return KindRate(
        n_comparisons=int(r.n[g]),
        n_within=int(r.n_within[g]),
        n_effective=float(r.n_effective[g]),
        rate=float(r.rate[g]),
        low=float(r.low[g]),
        high=float(r.high[g]),
        q_value=float(r.q_value[g]),
        weighted=min(max(float(r.weighted[g]), 0.0), 1.0) if weighed else none,
        shift=float(r.shift[g]) if weighed else none,
        standard_error=error
        if weighed and error < float("inf")
        else NotApplicable("there is one prompt alone")
        if weighed
        else none,
        shift_q_value=float(r.shift_q_value[g]),
    )
