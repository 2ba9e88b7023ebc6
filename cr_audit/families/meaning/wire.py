"""``meaning`` of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cr_audit.arrays import NotApplicable
from cr_audit.clones.health import MeaningHealth
from cr_audit.families.meaning.facts import MeaningFacts
from cr_audit.wire import ContentId, Count, MadeGraph, NotNegative, Share, Texts, made_graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A response that is among the nearest of many: in_degree others."""

    response: ContentId
    in_degree: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Of the ``links`` nearest of each. n_components: parts that no link joins; largest_share: of
    the responses, in the largest; mutual_share: links that go both ways. in_degree_*: of the number
    of others whose nearest a response is among; n_hubs: those with five times the average;
    in_none_share: those among nobody's. nearest, furthest: median distance to the first and the
    last of the links, between unit vectors with the data's mean taken away."""

    links: Count
    n_components: Count
    largest_share: Share
    mutual_share: Share
    in_degree_max: Count
    in_degree_skewness: float
    n_hubs: Count
    in_none_share: Share
    hubs: list[Hub]
    nearest: NotNegative
    furthest: NotNegative


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning(MadeGraph):
    """The graph of meaning: n of n_distinct different responses joined to their k nearest. asked:
    the index of the settings; index: the one used, with its parameters; recall: share of the true
    neighbours of n_recall_sample of them that were found."""

    health: Health | NotApplicable


PARTS = {"meaning": Meaning | NotApplicable}
REQUIRED = ()


def parts(facts: MeaningFacts, texts: Texts) -> dict[str, Any]:
    """The records of this family."""
    r = facts.record
    if isinstance(r, NotApplicable):
        return {"meaning": r}
    return {"meaning": Meaning(**made_graph(r), health=_health(facts, facts.health, texts))}


def _health(
    facts: MeaningFacts, h: MeaningHealth | NotApplicable, texts: Texts
) -> Health | NotApplicable:
    if isinstance(h, NotApplicable):
        return h
    return Health(
        links=h.links,
        n_components=h.n_components,
        largest_share=h.largest,
        mutual_share=h.mutual,
        in_degree_max=h.in_degree_max,
        in_degree_skewness=h.in_degree_skewness,
        n_hubs=h.n_hubs,
        in_none_share=h.in_none,
        hubs=[
            Hub(response=texts.ids[row], in_degree=int(d))
            for row, d in zip(facts.hubs, h.hub_degrees.tolist(), strict=True)
        ],
        nearest=h.nearest,
        furthest=h.furthest,
    )
