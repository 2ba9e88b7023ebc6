"""The volume that is nearer to an item than to any other ([CR] Definition 4.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, IntArray
from cr_audit.weights.estimates import Weights
from cr_audit.weights.growing import growing_weights
from cr_audit.weights.scheme import Options, Weighed
from cr_audit.weights.scope import WeightsByPrompt, assembled, members_of
from cr_audit.weights.spaces import SPACES
from cr_audit.weights.voronoi import voronoi_weights

MIN_SAMPLES_PER_PROMPT = 10_000
_PIECES = 64
"""Runs of prompts that may be weighed apart (``engine.pieces``)."""


def voronoi_weights_by_prompt(
    response_vectors: Float32Array,
    prompt_of: IntArray,
    *,
    space: str,
    precision: float,
    duplicates: IntArray | None,
    old: IntArray | None = None,
    earlier: Weights | None = None,
    rng: np.random.Generator,
) -> WeightsByPrompt:
    """Voronoi weights of the responses of each prompt among themselves.

    response_vectors : float32 (m, d); prompt_of : int64 (m,), >= 0; duplicates : int64 (m,), equal
    label = equal text, or None. On the sphere the weights depend on the Gram matrix alone, so the
    m_q vectors of a prompt are first rotated into their own span (QR): m_q^2 products per sample
    instead of m_q d. Memory: one prompt at a time.

    old : int64, items that were there before the others (None: all). Prompts of old items get the
    random streams that they get without the others. earlier : what this function gave for the old
    items alone; where nothing joined a prompt its part is taken from there.
    """
    members = members_of(prompt_of)
    is_old = np.ones(prompt_of.shape[0], np.bool_)
    if old is not None:
        is_old[:] = False
        is_old[old] = True
    before = [bool(is_old[items].any()) for items in members]
    order = sorted(range(len(members)), key=lambda i: not before[i])
    streams = dict(zip(order, rng.spawn(len(members)), strict=True))
    place = dict(zip(order, range(len(members)), strict=True))
    known = earlier.parts if isinstance(earlier, WeightsByPrompt) else ()
    if known and len(known) != sum(before):
        raise ValueError(f"{len(known)} prompts were weighed earlier, {sum(before)} have old items")

    def of_prompt(i: int) -> Weights:
        items = members[i]
        if known and is_old[items].all():
            return known[place[i]]
        vectors = response_vectors[items].astype(np.float64)
        if space == "sphere" and items.size < vectors.shape[1]:
            vectors = np.linalg.qr(vectors.T)[1].T
        return voronoi_weights(
            vectors,
            space=space,
            precision=precision,
            min_samples=MIN_SAMPLES_PER_PROMPT,
            sampler="plain",
            duplicates=None if duplicates is None else duplicates[items],
            workers=1,
            rng=streams[i],
        )

    def inputs() -> dict[str, Any]:
        chosen = {"space": space, "precision": precision, "seed": engine.origin(rng)}
        return {"vectors": response_vectors, "prompts": prompt_of, "copies": duplicates, **chosen}

    groups = engine.spans(len(members), max(1, -(-len(members) // _PIECES)))

    def compute(which: Sequence[int]) -> Iterator[tuple[Weights, ...]]:
        # One BLAS thread: the last bits of the rotation must not depend on the number of cores.
        with engine.one_blas_thread():
            for k in which:
                yield tuple(of_prompt(i) for i in range(groups[k].start, groups[k].stop))

    found = engine.gathered("cells", inputs, len(groups), compute)
    parts = tuple(weights for group in found for weights in group)
    return assembled(members, parts, prompt_of.shape[0])


class Voronoi:
    """``voronoi_weights``, prompt by prompt where asked, and grown where items were added."""

    name = "voronoi"
    summary = "the share of the space that is nearer to an item than to any other"
    needs_vectors = True
    needs_clones = False
    uses_clones = False
    corrects = True
    spaces = SPACES
    gram_spaces: tuple[str, ...] = ("sphere",)

    def weigh(self, items: Weighed, options: Options, rng: np.random.Generator) -> Weights:
        growth = items.growth
        if items.prompt_of is not None:
            return voronoi_weights_by_prompt(
                np.asarray(items.contexts, dtype=np.float32),
                items.prompt_of,
                space=options.space,
                precision=options.precision,
                duplicates=items.duplicates,
                old=None if growth is None else growth.old,
                earlier=None if growth is None else growth.earlier,
                rng=rng,
            )
        if growth is not None and options.space == "sphere":
            return growing_weights(
                items.contexts,
                growth.old,
                precision=options.precision,
                min_samples=options.min_samples,
                max_products=options.max_products,
                duplicates=items.duplicates,
                keep=growth.keep,
                workers=options.workers,
                rng=rng,
            )
        return voronoi_weights(
            items.contexts,
            space=options.space,
            precision=options.precision,
            min_samples=options.min_samples,
            max_products=options.max_products,
            sampler=options.sampler,
            duplicates=items.duplicates,
            workers=options.workers,
            rng=rng,
        )

    def found(
        self, items: Weighed, options: Options, rng: np.random.Generator
    ) -> Mapping[str, float]:
        return {}

    def in_words(self, space: str, settings: Mapping[str, Any]) -> str:
        return f"{self.name} on the {space}"

    def deed(self, settings: Mapping[str, Any]) -> str:
        return "items share the space with their neighbours"


VORONOI = Voronoi()
