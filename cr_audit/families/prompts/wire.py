"""``prompt_kinds`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from cr_audit.arrays import NotApplicable
from cr_audit.families.prompts.facts import Judged, PromptFacts
from cr_audit.models.kinds.within import Within
from cr_audit.wire import (
    ContentId,
    Count,
    MadeGraph,
    NotNegative,
    Pattern,
    Share,
    Texts,
    made_graph,
)

PromptKindId = Annotated[str, Pattern("^prompt-kind:[0-9a-f]{16}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WonWithin:
    """Share of n comparisons within a kind of prompt that one sort of answer won (the longer, or
    the one shown first), a tie counting one half, with its interval. n_effective: independent
    ones. elsewhere: the share in all other prompts; q_value: false-discovery rate at which the two
    differ."""

    n: Count
    n_effective: NotNegative
    rate: Share
    low: Share
    high: Share
    elsewhere: Share | NotApplicable
    q_value: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderWithin:
    """The model that won the largest share of its n comparisons with other models within a kind of
    prompt, of n_compared models with enough of them; the interval is widened for their number."""

    model: str
    n: Count
    rate: Share
    low: Share
    high: Share
    n_compared: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementWithin:
    """How often two judgements of one pair of answers agree: the mean over n_pairs pairs that were
    judged twice or more."""

    n_pairs: Count
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptKind:
    """A group of prompts in meaning; fields as those of ``Kind``. prompt_share: of the prompts;
    n_judged, judged_share: of the rows; weight_share: of the weight of the responses, what those to
    these prompts hold; copy_share: of the kind's prompts, those that are copies of another."""

    id: PromptKindId
    words: list[str]
    medoid: ContentId
    text: str | None
    n_prompts: Count
    prompt_share: Share
    n_judged: Count
    judged_share: Share
    weight_share: Share | NotApplicable
    copy_share: Share | NotApplicable
    stability: Share
    tightness: float
    resolution: float
    longer_wins: WonWithin | NotApplicable
    first_wins: WonWithin | NotApplicable
    leader: LeaderWithin | NotApplicable
    agreement: AgreementWithin | NotApplicable
    members: list[ContentId]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptGraph(MadeGraph):
    """Each different prompt joined to its nearest: n of n_distinct to k others. asked: the index of
    the settings; index: the one used; recall: share of the true neighbours of n_recall_sample
    prompts that were found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptKinds:
    """Kinds of prompt, the largest first; a prompt may be of none. judged: what a row is. Other
    fields as those of ``Kinds``."""

    judged: Literal["comparison", "list", "rating"]
    n_distinct: Count
    n_seen: Count
    n_candidates: Count
    n_unstable: Count
    agreement: float | NotApplicable
    graph: PromptGraph
    values: list[PromptKind]


PARTS = {"prompt_kinds": PromptKinds | NotApplicable}
REQUIRED = ()


def parts(facts: PromptFacts, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    kinds = facts.kinds
    if isinstance(kinds, NotApplicable):
        return {"prompt_kinds": kinds}
    found, mass, copies = kinds.found, facts.weight_share, facts.copy_share
    judged = facts.judgements
    values = [
        PromptKind(
            id=kinds.ids[g],
            words=list(kinds.words[g]),
            medoid=texts.prompt_ids[kind.medoid],
            text=texts.cut(texts.prompt_texts[kind.medoid]),
            n_prompts=int(kind.members.size),
            prompt_share=float(facts.prompt_share[g]),
            n_judged=int(facts.n_judged[g]),
            judged_share=float(facts.judged_share[g]),
            weight_share=mass if isinstance(mass, NotApplicable) else min(float(mass[g]), 1.0),
            copy_share=copies if isinstance(copies, NotApplicable) else float(copies[g]),
            stability=kind.stability,
            tightness=kind.tightness,
            resolution=kind.resolution,
            **(_judged(judged, g) if isinstance(judged, Judged) else _none(judged)),
            members=[texts.prompt_ids[i] for i in kind.members.tolist()],
        )
        for g, kind in enumerate(found.kinds)
    ]
    return {
        "prompt_kinds": PromptKinds(
            judged=facts.judged,  # type: ignore[arg-type]
            n_distinct=found.n_distinct,
            n_seen=found.n_seen,
            n_candidates=found.n_candidates,
            n_unstable=found.n_unstable,
            agreement=found.agreement,
            graph=PromptGraph(**made_graph(found.graph)),
            values=values,
        )
    }


def _none(reason: NotApplicable) -> dict[str, Any]:
    return dict.fromkeys(("longer_wins", "first_wins", "leader", "agreement"), reason)


def _judged(j: Judged, g: int) -> dict[str, Any]:
    return {
        "longer_wins": _won(j.longer, g),
        "first_wins": _won(j.first, g),
        "leader": _leader(j, g),
        "agreement": AgreementWithin(n_pairs=int(j.n_repeated[g]), share=float(j.agreement[g]))
        if j.n_repeated[g]
        else NotApplicable("no pair of answers was judged twice"),
    }


def _leader(j: Judged, g: int) -> LeaderWithin | NotApplicable:
    best = j.leaders[g]
    if isinstance(best, NotApplicable):
        return best
    return LeaderWithin(
        model=j.models[best.item],
        n=best.n,
        rate=best.rate,
        low=best.low,
        high=best.high,
        n_compared=best.n_compared,
    )


def _won(r: Within | NotApplicable, g: int) -> WonWithin | NotApplicable:
    if isinstance(r, NotApplicable):
        return r
    if not r.n[g]:
        return NotApplicable("no comparison of this kind of prompt says so")
    rest = float(r.elsewhere[g])
    return WonWithin(
        n=int(r.n[g]),
        n_effective=float(r.n_effective[g]),
        rate=float(r.rate[g]),
        low=float(r.low[g]),
        high=float(r.high[g]),
        elsewhere=NotApplicable("all comparisons are of this kind") if np.isnan(rest) else rest,
        q_value=float(r.q_value[g]),
    )
