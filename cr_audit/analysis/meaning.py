"""The graphs of meaning of a data set, of its responses and of its prompts: each is made when it is
first asked for, once for all who read it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

import numpy as np

from cr_audit.analysis.facts import Embedding
from cr_audit.analysis.kept import Kept, entry_name
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import Float32Array, NotApplicable
from cr_audit.clones import meaning
from cr_audit.clones.meaning import LISTED, NEIGHBOURS, MeaningGraph, meaning_graph
from cr_audit.clones.meaning_growing import KnownGraph, Named, digests, grown, made_anew, signs
from cr_audit.clones.neighbours import Index
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.streams import stream

Graph = Callable[[], MeaningGraph | NotApplicable]
"""Gives a graph, or why there is none."""


def graph_of(settings: Settings, embedding: Embedding | NotApplicable, kept: Kept | None) -> Graph:
    """Of the responses. kept : where it is kept between runs, by the vectors, the index and the
    seed."""

    @cache
    def graph() -> MeaningGraph | NotApplicable:
        if isinstance(embedding, NotApplicable):
            return embedding
        return _joined(settings, embedding.response_vectors, "meaning", kept)

    return graph


def prompt_graph_of(
    dataset: PreferenceDataset,
    settings: Settings,
    embedding: Embedding | NotApplicable,
    kept: Kept | None,
) -> Graph:
    """Of the prompts; otherwise as ``graph_of``."""

    @cache
    def graph() -> MeaningGraph | NotApplicable:
        vectors = vectors_of_prompts(dataset, embedding)
        if isinstance(vectors, NotApplicable):
            return vectors
        return _joined(settings, vectors, "meaning of prompts", kept)

    return graph


def vectors_of_prompts(
    dataset: PreferenceDataset, embedding: Embedding | NotApplicable
) -> Float32Array | NotApplicable:
    """float32 (n_prompts, d), of what prompts say: zeros where that is not known (the vectors of an
    ``Embedding`` then only keep prompts apart)."""
    if isinstance(embedding, NotApplicable):
        return embedding
    if embedding.given:
        return NotApplicable("the vectors that were given are those of responses")
    unknown = dataset.prompts["text"].is_null().to_numpy()
    if unknown.all():
        return NotApplicable("the data holds no texts of its prompts")
    if not unknown.any():
        return embedding.prompt_vectors
    vectors = embedding.prompt_vectors.copy()
    vectors[unknown] = 0.0
    return vectors


def _joined(
    settings: Settings, vectors: Float32Array, name: str, kept: Kept | None
) -> MeaningGraph:
    index = cast(Index, settings.index)

    def make() -> MeaningGraph:
        rng = stream(settings.seed, name)
        space = None
        if kept is not None and index == "exact" and vectors.shape[0] > meaning.JOINED:
            space = meaning.centred(vectors)
            if space.n > meaning.JOINED:
                return _grown(vectors, index, kept, (space, digests(vectors, space.first)), rng)
        return meaning_graph(vectors, index=index, space=space, rng=rng)

    if kept is None:
        return make()
    return kept.call(f"graph of {name}", (vectors, index, NEIGHBOURS, settings.seed), make)


def _grown(
    vectors: Float32Array,
    index: Index,
    kept: Kept,
    known_as: Named,
    rng: np.random.Generator,
) -> MeaningGraph:
    """From the graph of an earlier state of the data, where one is kept; the same either way."""
    of = enumerate(signs(known_as[1]))
    asked = [entry_name("a graph that may grow", (i, s, LISTED)) for i, s in of]
    found = (kept.find(place) for name in asked if isinstance(place := kept.find(name), str))
    known = next((g for g in found if isinstance(g, KnownGraph)), None)
    graph, then = (
        made_anew(vectors, index, rng, known_as)
        if known is None
        else grown(known, vectors, index, rng, known_as)
    )
    place = entry_name("known graph", (then.digest, LISTED))
    kept.put(place, then)
    for name in asked:
        kept.put(name, place)
    return graph
