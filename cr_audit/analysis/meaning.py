"""The graphs of meaning of a data set, of its responses and of its prompts: each is made when it is
first asked for, once for all who read it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

from cr_audit.analysis.facts import Embedding
from cr_audit.analysis.kept import Kept
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import Float32Array, NotApplicable
from cr_audit.clones.meaning import NEIGHBOURS, MeaningGraph, meaning_graph
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
        return meaning_graph(vectors, index=index, rng=stream(settings.seed, name))

    if kept is None:
        return make()
    return kept.call(f"graph of {name}", (vectors, index, NEIGHBOURS, settings.seed), make)
