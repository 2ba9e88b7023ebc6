"""``analyse``: embed, find clones, weigh, rank, look at the comparison graph."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, cast

import numpy as np

from cr_audit import engine
from cr_audit.analysis.choice import Choice
from cr_audit.analysis.embedding import NO_TEXT, Progress, embed
from cr_audit.analysis.facts import (
    NO_KINDS,
    Analysis,
    ChoiceSetFacts,
    ClusterVotes,
    Embedding,
    NamedKinds,
    NoiseFloor,
    Stage,
)
from cr_audit.analysis.growing import Growing
from cr_audit.analysis.kept import Kept
from cr_audit.analysis.kinds import kinds_of
from cr_audit.analysis.meaning import graph_of, prompt_graph_of
from cr_audit.analysis.settings import Settings
from cr_audit.analysis.units import options_of, rank_units
from cr_audit.arrays import BoolArray, Comparisons, IntArray, NotApplicable
from cr_audit.clones.find import DEFAULT_RADIUS, CloneReport, find_clones
from cr_audit.clones.growing import find_growing_clones
from cr_audit.clones.neighbours import Index
from cr_audit.clones.searches import AllPairs
from cr_audit.clones.vectors import DEFAULT_VECTOR_RADIUS, find_vector_clones
from cr_audit.clones.votes import Homogeneity, Judged, homogeneity, noise_floor
from cr_audit.data.content import PLAIN, has_content
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.embed import PrecomputedVectors, VectorCache
from cr_audit.embed.backends import Backend
from cr_audit.labels import contiguous
from cr_audit.texts import Texts
from cr_audit.weights.contexts import paired_contexts
from cr_audit.weights.estimates import Weights
from cr_audit.weights.scheme import Growth, Weighed
from cr_audit.weights.schemes import SCHEMES
from cr_audit.weights.scope import MANY_ALTERNATIVES, median_compared_per_prompt

MAX_PERMUTATIONS = 100_000
PARTS_KEPT = 20_000
"""Responses from which a scan keeps what each of its long stages finds: of fewer, all of it is
found again in seconds."""


def analyse(
    dataset: PreferenceDataset,
    settings: Settings,
    *,
    backend: Backend | PrecomputedVectors | None,
    cache: VectorCache | None = None,
    kept: Kept | None = None,
    embedding: Embedding | NotApplicable | None = None,
    growing: Growing | None = None,
    left_out: Collection[Stage] = (),
    shelf: engine.Shelf | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Compute all facts about ``dataset``.

    backend : turns texts into vectors, or holds the user's own; None skips everything that needs
    vectors (``--model none``).
    cache : where vectors are kept between runs; None computes them anew. kept : the same for
    clones and weights. embedding : what ``embed`` gives for this data, where it is known already.
    growing : which part of the data was there before; what is found about all of it is then built
    on what is found about that part. left_out : stages that are not computed; their facts say so.
    shelf : where parts of the work are found that were made elsewhere.

    The random stream of each stage depends on ``settings.seed`` and the stage alone, so a stage
    gives the same numbers whether or not another one ran.
    """
    report = progress or (lambda stage, done, total: None)
    comparisons = dataset.comparison_arrays()
    text_codes = text_codes_of(dataset)
    if Stage.VECTORS in left_out:
        embedding = _not_asked(Stage.VECTORS)
    elif embedding is None:
        with engine.shelved(shelf):
            embedding = embed(dataset, backend, cache=cache, progress=report)
    engine.give_back()
    clones: CloneReport | NotApplicable = _not_asked(Stage.CLONES)
    if Stage.CLONES not in left_out:
        report("finding clones", 0, 0)
        with engine.shelved(shelf):
            clones = clones_of(dataset, settings, embedding, kept, growing)
    votes: tuple[ClusterVotes, ...] = ()
    if Stage.VOTES not in left_out:
        votes = _votes(comparisons, clones, stream(settings, 2))
    engine.give_back()
    scope = choose_scope(dataset, comparisons, settings)
    weights: Weights | NotApplicable = _not_asked(Stage.WEIGHTS)
    if Stage.WEIGHTS not in left_out:
        report("weighing", 0, 0)
        with engine.shelved(shelf):
            weights = alternative_weights(
                dataset, settings, embedding, clones, scope, text_codes, kept, growing
            )
    graph = graph_of(settings, embedding, kept)
    kinds: NamedKinds | NotApplicable = NO_KINDS
    if settings.unit == "kind":
        report("finding kinds", 0, 0)
        kinds = kinds_of(dataset, settings, embedding, graph, kept)
    resampling = Stage.RESAMPLING not in left_out
    if resampling:
        report("resampling win rates", 0, 0)
    units = rank_units(
        dataset,
        settings,
        comparisons,
        embedding,
        clones,
        weights,
        kinds,
        earlier=() if growing is None or growing.earlier is None else growing.earlier.units,
        rngs=[stream(settings, 10), stream(settings, 11)],
        no_shift=None if resampling else _not_asked(Stage.RESAMPLING),
    )
    report("done", 1, 1)
    return Analysis(
        dataset=dataset,
        settings=settings,
        embedding=embedding,
        clones=clones,
        votes=votes,
        noise_floor=_noise_floor(comparisons, text_codes),
        scope=scope,
        weights=weights,
        units=units,
        choice_sets=_choice_set_facts(dataset),
        kinds=kinds,
        graph=graph,
        prompt_graph=prompt_graph_of(dataset, settings, embedding, kept),
    )


def _not_asked(stage: Stage) -> NotApplicable:
    return NotApplicable(f"this command looks at no {stage}; cr-audit scan does")


def stream(settings: Settings, stage: int) -> np.random.Generator:
    """The random stream of one stage."""
    return np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(stage,)))


def without_content(dataset: PreferenceDataset) -> BoolArray:
    """bool (n_alternatives,): texts that are known and say nothing (``data.content``)."""
    text = dataset.alternatives["text"]
    out = np.zeros(text.len(), dtype=np.bool_)
    # Most texts hold a line that says something, which is quickly seen.
    unclear = np.flatnonzero((text.is_not_null() & ~text.str.contains(PLAIN)).to_numpy())
    out[unclear] = [not has_content(t) for t in Texts(text).take(unclear)]
    return out


def text_codes_of(dataset: PreferenceDataset) -> IntArray:
    """One code per distinct non-empty text, in order of appearance; -1 where the text is unknown or
    empty."""
    texts, rank = Texts(dataset.alternatives["text"]).ranked()
    if len(texts) and not texts[0]:  # the empty text is the first in order
        rank = np.where(rank == 0, -1, rank)
    return contiguous(rank)


def clones_of(
    dataset: PreferenceDataset,
    settings: Settings,
    embedding: Embedding | NotApplicable,
    kept: Kept | None = None,
    growing: Growing | None = None,
) -> CloneReport | NotApplicable:
    """Which answers, and which prompts, are copies of each other."""
    if not dataset.has_text and not isinstance(embedding, NotApplicable):
        return find_vector_clones(
            embedding.response_vectors,
            embedding.prompt_vectors,
            dataset.prompt_of,
            radius=DEFAULT_VECTOR_RADIUS if settings.radius is None else settings.radius,
            index=cast(Index, settings.index),
            rng=stream(settings, 1),
        )
    if not dataset.has_text:
        return NotApplicable(NO_TEXT)
    vectors = None if isinstance(embedding, NotApplicable) else embedding.response_vectors
    responses = Texts(dataset.alternatives["text"])
    prompts = Texts(dataset.prompts["text"])
    prompt_of = dataset.prompt_of
    radius = DEFAULT_RADIUS if settings.radius is None else settings.radius

    def find() -> CloneReport:
        given: dict[str, Any] = {
            "response_texts": responses,
            "prompt_of": prompt_of,
            "prompt_texts": prompts,
            "response_vectors": vectors,
            "radius": radius,
            "rng": stream(settings, 1),
        }
        if growing is None:
            large = len(responses) >= PARTS_KEPT
            searches = AllPairs(kept.call) if kept is not None and large else None
            return find_clones(**given, searches=searches)
        return find_growing_clones(growing.alternatives, keep=growing.memory.call, **given)

    if kept is None:
        return find()
    old = None if growing is None else growing.alternatives
    return kept.call(
        "clones", (responses, prompt_of, prompts, vectors, radius, settings.seed, old), find
    )


def _votes(
    comparisons: Comparisons, clones: CloneReport | NotApplicable, rng: np.random.Generator
) -> tuple[ClusterVotes, ...]:
    if isinstance(clones, NotApplicable) or comparisons.n == 0:
        return ()
    tested = [
        i for i, c in enumerate(clones.clusters) if c.scope == "response" and c.kind != "loose"
    ]
    members = [clones.clusters[i].members for i in tested]
    judged = Judged(comparisons)
    found = [homogeneity(comparisons, m, rng=rng, judged=judged) for m in members]
    # A permutation p-value cannot fall below 1 / (n + 1): where a cluster comes near that floor,
    # ask again with enough permutations for a correction over all clusters.
    needed = 400 * len(tested)
    for k, result in enumerate(found):
        if (
            isinstance(result, Homogeneity)
            and result.method == "permutation"
            and result.p_value <= 0.01
            and needed > result.n_permutations
        ):
            n = min(needed, MAX_PERMUTATIONS)
            found[k] = homogeneity(
                comparisons, members[k], n_permutations=n, rng=rng, judged=judged
            )
    return tuple(ClusterVotes(i, r) for i, r in zip(tested, found, strict=True))


def _noise_floor(comparisons: Comparisons, codes: IntArray) -> NoiseFloor | NotApplicable:
    """Between two alternatives with one text a tie is the right answer."""
    n, n_decided = noise_floor(comparisons, codes)
    if n == 0:
        return NotApplicable("no two identical texts were compared with each other")
    return NoiseFloor(n, n_decided)


def choose_scope(
    dataset: PreferenceDataset, comparisons: Comparisons, settings: Settings
) -> Choice:
    """Weigh within prompts where most compared prompts have many alternatives."""
    if settings.scope != "auto":
        return Choice(settings.scope, "asked for with --scope")
    if dataset.n_prompts <= 1:
        return Choice("dataset", "there is one prompt")
    prompt_of = dataset.prompt_of
    compared = (
        np.concatenate([comparisons.winner, comparisons.loser])
        if comparisons.n
        else np.arange(dataset.n_alternatives, dtype=np.int64)
    )
    median = median_compared_per_prompt(prompt_of, compared)
    if median >= MANY_ALTERNATIVES:
        return Choice("prompt", f"prompts have many alternatives (median {median:g})")
    return Choice("dataset", f"prompts have few alternatives (median {median:g})")


def alternative_weights(
    dataset: PreferenceDataset,
    settings: Settings,
    embedding: Embedding | NotApplicable,
    clones: CloneReport | NotApplicable,
    scope: Choice,
    text_codes: IntArray,
    kept: Kept | None = None,
    growing: Growing | None = None,
) -> Weights | NotApplicable:
    """Weights of all alternatives by ``settings.weights``, or why there are none."""
    scheme = SCHEMES.get(settings.weights)
    if scheme.needs_clones and isinstance(clones, NotApplicable):
        return clones
    labels: IntArray | None = None
    if scheme.uses_clones and not isinstance(clones, NotApplicable):
        labels = clones.labels.labels
    duplicates = duplicate_labels(dataset.prompt_of, text_codes)
    empty = without_content(dataset)
    items = Weighed(dataset.n_alternatives, duplicates=duplicates, clones=labels, empty=empty)
    before = _earlier_weights(growing)
    if before is not None and before.m == dataset.n_alternatives:
        return before  # nothing was added, so nothing can have changed
    options = options_of(settings, None if before is None else before.settings)
    if not scheme.needs_vectors:
        return scheme.weigh(items, options, stream(settings, 3))
    if isinstance(embedding, NotApplicable):
        return embedding
    prompt_of = dataset.prompt_of

    def weigh() -> Weights:
        within = scope.value == "prompt"
        contexts = (
            embedding.response_vectors
            if within
            else paired_contexts(embedding.prompt_vectors, embedding.response_vectors, prompt_of)
        )
        grown = None
        if growing is not None:
            grown = Growth(growing.alternatives, growing.memory.call, before)
        return scheme.weigh(
            replace(
                items, contexts=contexts, prompt_of=prompt_of if within else None, growth=grown
            ),
            options,
            stream(settings, 3),
        )

    if kept is None:
        return weigh()
    asked = (settings.weights, settings.space, settings.precision, settings.seed, scope.value)
    vectors = (embedding.response_vectors, embedding.prompt_vectors)
    old = None if growing is None else growing.alternatives
    return kept.call(
        "weights",
        (*asked, *vectors, prompt_of, duplicates, labels, empty, old, options.found),
        weigh,
    )


def _earlier_weights(growing: Growing | None) -> Weights | None:
    if growing is None or growing.earlier is None:
        return None
    weights = growing.earlier.weights
    return None if isinstance(weights, NotApplicable) else weights


def duplicate_labels(prompt_of: IntArray, text_codes: IntArray) -> IntArray:
    """One label per (prompt, text), -1 without a text: elsewhere equal texts differ in context."""
    pair = prompt_of * (int(text_codes.max(initial=0)) + 2) + text_codes
    return np.where(text_codes < 0, -1, np.unique(pair, return_inverse=True)[1]).astype(np.int64)


def _choice_set_facts(dataset: PreferenceDataset) -> ChoiceSetFacts | NotApplicable:
    sets = dataset.choice_set_arrays()
    if sets.n == 0:
        return NotApplicable("the data holds no lists")
    sizes = np.diff(sets.offsets)
    ranked = np.add.reduceat(sets.rank >= 0, sets.offsets[:-1])
    owner = np.repeat(np.arange(sets.n), sizes)
    known = sets.rank >= 0
    seen = np.unique(np.stack([owner[known], sets.rank[known]]), axis=1)[0]
    distinct = np.bincount(seen, minlength=sets.n)
    values, counts = np.unique(sizes, return_counts=True)
    return ChoiceSetFacts(
        n=sets.n,
        sizes=tuple((int(v), int(c)) for v, c in zip(values, counts, strict=True)),
        n_single_choice=int((ranked == 1).sum()),
        n_full_rankings=int(((ranked == sizes) & (ranked > 1)).sum()),
        n_partial_rankings=int(((ranked < sizes) & (ranked > 1)).sum()),
        n_with_ties=int((distinct < ranked).sum()),
    )
