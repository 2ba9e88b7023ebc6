"""Kinds of answer and of prompt of a data set: found in meaning, named by their words, with stable
ids."""

from __future__ import annotations

import polars as pl

from cr_audit.analysis.facts import Embedding, NamedKinds
from cr_audit.analysis.kept import Kept
from cr_audit.analysis.meaning import Graph, vectors_of_prompts
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import Float32Array, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.identity import digest
from cr_audit.models.kinds.find import FEWEST, Kinds, find_kinds
from cr_audit.models.kinds.words import distinguishing_words
from cr_audit.streams import stream
from cr_audit.texts import Texts


def kinds_of(
    dataset: PreferenceDataset,
    settings: Settings,
    embedding: Embedding | NotApplicable,
    graph: Graph,
    kept: Kept | None = None,
) -> NamedKinds | NotApplicable:
    """The kinds among the responses, or why there are none to look for. graph : of the responses'
    meaning."""
    if isinstance(embedding, NotApplicable):
        return embedding
    found = _found(settings, embedding.response_vectors, graph, "kinds", "kinds of answer", kept)
    return (
        found if isinstance(found, NotApplicable) else _named(found, dataset.alternatives, "kind")
    )


def prompt_kinds_of(
    dataset: PreferenceDataset,
    settings: Settings,
    embedding: Embedding | NotApplicable,
    graph: Graph,
    kept: Kept | None = None,
) -> NamedKinds | NotApplicable:
    """The kinds among the prompts, found in the same way. graph : of the prompts' meaning."""
    vectors = vectors_of_prompts(dataset, embedding)
    if isinstance(vectors, NotApplicable):
        return vectors
    found = _found(settings, vectors, graph, "kinds of prompt", "kinds of prompt", kept)
    if isinstance(found, NotApplicable):
        return NotApplicable(f"fewer than {FEWEST} different prompts")
    return _named(found, dataset.prompts, "prompt-kind")


def _found(
    settings: Settings,
    vectors: Float32Array,
    graph: Graph,
    of: str,
    name: str,
    kept: Kept | None,
) -> Kinds | NotApplicable:
    """of : the random stream; name : of the kept result."""
    most = None if settings.kinds == "auto" else int(settings.kinds)

    def find() -> Kinds | NotApplicable:
        joined = graph()
        if isinstance(joined, NotApplicable):
            return joined
        return find_kinds(vectors, most=most, joined=joined, rng=stream(settings.seed, of))

    if kept is None:
        return find()
    return kept.call(name, (vectors, most, settings.index, settings.seed), find)


def _named(found: Kinds, frame: pl.DataFrame, name: str) -> NamedKinds:
    """frame : the rows that the kinds are of, with id and text. name : begins the kinds' ids."""
    ids = frame["id"].to_list()
    texts = Texts(frame["text"])
    words = distinguishing_words(
        [t or "" for t in texts.take(found.seen)], found.labels[found.seen], len(found.kinds)
    )
    names = tuple(
        ", ".join(w) if w else texts[k.medoid] or ids[k.medoid]
        for k, w in zip(found.kinds, words, strict=True)
    )
    made = tuple(
        f"{name}:{digest(name, *sorted(ids[i] for i in k.members.tolist()))}" for k in found.kinds
    )
    return NamedKinds(found, words, names, made)
