"""Kinds of answer of a data set: found in meaning, named by their words, with stable ids."""

from __future__ import annotations

from collections.abc import Callable

from cr_audit.analysis.facts import Embedding, NamedKinds
from cr_audit.analysis.kept import Kept
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import NotApplicable
from cr_audit.clones.meaning import MeaningGraph
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.identity import digest
from cr_audit.models.kinds.find import Kinds, find_kinds
from cr_audit.models.kinds.words import distinguishing_words
from cr_audit.streams import stream
from cr_audit.texts import Texts


def kinds_of(
    dataset: PreferenceDataset,
    settings: Settings,
    embedding: Embedding | NotApplicable,
    graph: Callable[[], MeaningGraph | NotApplicable],
    kept: Kept | None = None,
) -> NamedKinds | NotApplicable:
    """The kinds among the responses, or why there are none to look for. graph : of the responses'
    meaning."""
    if isinstance(embedding, NotApplicable):
        return embedding
    vectors = embedding.response_vectors
    most = None if settings.kinds == "auto" else int(settings.kinds)

    def find() -> Kinds | NotApplicable:
        joined = graph()
        if isinstance(joined, NotApplicable):
            return joined
        return find_kinds(vectors, most=most, joined=joined, rng=stream(settings.seed, "kinds"))

    found = (
        find()
        if kept is None
        else kept.call("kinds of answer", (vectors, most, settings.index, settings.seed), find)
    )
    if isinstance(found, NotApplicable):
        return found
    ids = dataset.alternatives["id"].to_list()
    texts = Texts(dataset.alternatives["text"])
    words = distinguishing_words(
        [t or "" for t in texts.take(found.seen)], found.labels[found.seen], len(found.kinds)
    )
    names = tuple(
        ", ".join(w) if w else texts[k.medoid] or ids[k.medoid]
        for k, w in zip(found.kinds, words, strict=True)
    )
    made = tuple(
        f"kind:{digest('kind', *sorted(ids[i] for i in k.members.tolist()))}" for k in found.kinds
    )
    return NamedKinds(found, words, names, made)
