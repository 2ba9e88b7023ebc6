"""The graph of meaning of a data set: made when it is first asked for, once for all who read it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

from cr_audit.analysis.facts import Embedding
from cr_audit.analysis.kept import Kept
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import NotApplicable
from cr_audit.clones.meaning import NEIGHBOURS, MeaningGraph, meaning_graph
from cr_audit.clones.neighbours import Index
from cr_audit.streams import stream


def graph_of(
    settings: Settings, embedding: Embedding | NotApplicable, kept: Kept | None
) -> Callable[[], MeaningGraph | NotApplicable]:
    """What gives the graph of the responses, or why there is none. kept : where it is kept between
    runs, by the vectors, the index and the seed."""

    @cache
    def graph() -> MeaningGraph | NotApplicable:
        if isinstance(embedding, NotApplicable):
            return embedding
        vectors, index = embedding.response_vectors, cast(Index, settings.index)

        def make() -> MeaningGraph:
            return meaning_graph(vectors, index=index, rng=stream(settings.seed, "meaning"))

        if kept is None:
            return make()
        return kept.call("graph of meaning", (vectors, index, NEIGHBOURS, settings.seed), make)

    return graph
