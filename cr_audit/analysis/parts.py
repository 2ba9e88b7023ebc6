"""One part of one stage of a scan: what is computed on the way to it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from cr_audit import engine
from cr_audit.analysis.compose import alternative_weights, choose_scope, clones_of, text_codes_of
from cr_audit.analysis.embedding import Progress, embed
from cr_audit.analysis.facts import Embedding
from cr_audit.analysis.settings import Settings
from cr_audit.analysis.shelf import FolderOfParts, Made, NotCut, PartMade
from cr_audit.arrays import NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.embed import PrecomputedVectors, VectorCache
from cr_audit.embed.backends import Backend
from cr_audit.weights.schemes import PAPER

Encoder = Backend | PrecomputedVectors | None
NO_VECTORS = NotApplicable("copies of texts are found without vectors")


def make_part(
    stage: str,
    shelf: FolderOfParts,
    dataset: PreferenceDataset,
    settings: Settings,
    *,
    encoder: Callable[[], Encoder],
    cache: VectorCache | None,
    progress: Progress,
) -> Made | None:
    """The part that ``shelf`` is to make; None where this data has nothing of the stage to cut."""

    def vectors() -> Embedding | NotApplicable:
        return embed(dataset, encoder(), cache=cache, progress=progress)

    def copies() -> None:
        progress("finding clones", 0, 0)
        clones_of(dataset, settings, NO_VECTORS)

    def cells() -> None:
        embedding = vectors()
        progress("sampling Voronoi cells", 0, 0)
        scope = choose_scope(dataset, dataset.comparison_arrays(), settings)
        alternative_weights(
            dataset,
            replace(settings, weights=PAPER),
            embedding,
            NO_VECTORS,
            scope,
            text_codes_of(dataset),
        )

    ways: Mapping[str, Callable[[], object]] = {
        "vectors": vectors,
        "prompts": copies,
        "copies": copies,
        "across": copies,
        "cells": cells,
    }
    try:
        with engine.shelved(shelf):
            ways[stage]()
    except PartMade as end:
        return end.made
    except NotCut:
        return None
    return None
