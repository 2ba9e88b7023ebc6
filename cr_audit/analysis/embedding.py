"""The vectors of a data set's texts, and those of a part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from cr_audit.analysis.facts import Embedding
from cr_audit.arrays import Float32Array, IntArray, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.embed import PrecomputedVectors, VectorCache, embed_texts
from cr_audit.embed.backends import Backend
from cr_audit.texts import Texts
from cr_audit.weights.contexts import pseudo_prompt_vectors

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) from time to time; total 0 means unknown."""

NO_TEXT = "the data names its alternatives but holds no texts"


def embed(
    dataset: PreferenceDataset,
    backend: Backend | PrecomputedVectors | None,
    *,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> Embedding | NotApplicable:
    """The vectors of all texts; backend and cache as in ``analyse``."""
    report = progress or (lambda stage, done, total: None)
    report("embedding", 0, 0)
    if isinstance(backend, PrecomputedVectors):
        return _given(dataset, backend)
    if not dataset.has_text:
        return NotApplicable(NO_TEXT)
    if backend is None:
        return NotApplicable("switched off with --model none")
    columns = [dataset.alternatives["text"], dataset.prompts["text"]]
    texts = Texts(pl.concat([c.fill_null("") for c in columns], rechunk=False))
    n = dataset.n_alternatives
    vectors = embed_texts(
        backend,
        texts,
        cache=cache,
        progress=lambda done, total: report("embedding", done, total),
    )
    return Embedding(
        model=backend.name,
        dimension=int(vectors.shape[1]),
        fingerprint=backend.fingerprint,
        n_texts=texts.n_distinct(),
        response_vectors=vectors[:n],
        prompt_vectors=_prompt_vectors(dataset, vectors[n:], any_text=True),
    )


def embedding_of_part(
    part: PreferenceDataset, alternatives: IntArray, prompts: IntArray, whole: Embedding
) -> Embedding | NotApplicable:
    """What ``embed`` gives for a part of the data, from the vectors of the whole.

    alternatives, prompts : int64, where those of the part stand in the whole.
    """
    if whole.given:
        n_texts = part.n_alternatives
    elif not part.has_text:
        return NotApplicable(NO_TEXT)
    else:
        texts = [*part.alternatives["text"], *part.prompts["text"]]
        n_texts = len({t for t in texts if t})
    vectors = whole.prompt_vectors[prompts]
    unknown = part.prompts["text"].is_null().to_numpy() | whole.given
    if part.n_prompts == 1 and unknown[0]:
        vectors = np.zeros_like(vectors)
    return replace(
        whole,
        n_texts=n_texts,
        response_vectors=whole.response_vectors[alternatives],
        prompt_vectors=vectors,
    )


def _given(dataset: PreferenceDataset, given: PrecomputedVectors) -> Embedding:
    """The user's vectors of the alternatives; prompts then count as equally far from each other."""
    vectors = given.vectors(dataset.alternatives["id"].to_list())
    empty = np.zeros((dataset.n_prompts, vectors.shape[1]), np.float32)
    return Embedding(
        model=given.name,
        dimension=given.dimension,
        fingerprint=given.fingerprint,
        n_texts=dataset.n_alternatives,
        response_vectors=vectors,
        prompt_vectors=_prompt_vectors(dataset, empty, any_text=False),
        given=True,
    )


def _prompt_vectors(
    dataset: PreferenceDataset, vectors: Float32Array, *, any_text: bool
) -> Float32Array:
    """A prompt known only by its key gets a unit vector from its id, far from all others."""
    unknown = dataset.prompts["text"].is_null().to_numpy() | (not any_text)
    if unknown.any() and dataset.n_prompts > 1:
        ids = dataset.prompts["id"].to_list()
        digests = np.array([int(i, 16) for i, u in zip(ids, unknown, strict=True) if u], np.uint64)
        vectors = vectors.copy()
        vectors[unknown] = pseudo_prompt_vectors(digests, vectors.shape[1])
    return vectors
