"""Against whom an alternative is weighed: all others of the data set, or those of its own prompt.

Two responses per prompt weighed prompt by prompt have 1/2 and 1/2: weighted equals standard, and
the audit is empty; so the scope is the data set unless prompts have many alternatives. With many,
opponents always share the prompt, only the weights within a prompt enter a win rate, and weighing
there is far more precise: sqrt(m_q / N) instead of sqrt(m / N).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.weights.distinct import distinct_items
from cr_audit.weights.estimates import Weights, voronoi_weights
from cr_audit.weights.schemes.sharing import sharing_weights_within

MANY_ALTERNATIVES = 5
"""From this median number of compared alternatives per prompt on, the scope is the prompt."""
MIN_SAMPLES_PER_PROMPT = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class WeightsByPrompt(Weights):
    """Weights estimated within each prompt, every prompt's items together weighing m_q / m.

    The method and the space are those of the parts.
    members : the items of each prompt; parts : their own weights, in the same order. The error
    fields describe the worst prompt; n_samples is the number per prompt of the largest one.
    """

    members: tuple[IntArray, ...] = ()
    parts: tuple[Weights, ...] = ()

    def resample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """As ``Weights.resample``, each prompt drawn on its own."""
        out = np.empty((n, self.m))
        for items, part in zip(self.members, self.parts, strict=True):
            out[:, items] = part.resample(n, rng) * (items.size / self.m)
        return out


def median_compared_per_prompt(prompt_of: IntArray, compared: IntArray) -> float:
    """Median over prompts of how many of their alternatives stand in a comparison.

    prompt_of : int64 (m,); compared : the indices of alternatives with a comparison.
    """
    counts = np.bincount(prompt_of[np.unique(compared)])
    counts = counts[counts > 0]
    return float(np.median(counts)) if counts.size else 0.0


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
    members = _members(prompt_of)
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
    parts = []
    # One BLAS thread: the last bits of the rotation must not depend on the number of cores.
    with threadpool_limits(1, user_api="blas"):
        for i, items in enumerate(members):
            if known and is_old[items].all():
                parts.append(known[place[i]])
                continue
            vectors = response_vectors[items].astype(np.float64)
            if space == "sphere" and items.size < vectors.shape[1]:
                vectors = np.linalg.qr(vectors.T)[1].T
            parts.append(
                voronoi_weights(
                    vectors,
                    space=space,
                    precision=precision,
                    min_samples=MIN_SAMPLES_PER_PROMPT,
                    duplicates=None if duplicates is None else duplicates[items],
                    workers=1,
                    rng=streams[i],
                )
            )
    return _assembled(members, tuple(parts), prompt_of.shape[0])


def sharing_weights_by_prompt(
    response_vectors: Float32Array,
    prompt_of: IntArray,
    *,
    duplicates: IntArray | None,
    clusters: IntArray | None,
    rng: np.random.Generator,
) -> WeightsByPrompt:
    """``sharing_weights`` of the responses of each prompt among themselves, at one common width.

    The width and its strength are found over all prompts together (``sharing_weights_within``): a
    prompt alone has too few responses to show them. Arguments as for ``voronoi_weights_by_prompt``;
    clusters : int64 (m,), clones have equal labels. Clones under two prompts are weighed under
    each.
    """
    members = _members(prompt_of)

    def of(labels: IntArray | None, items: IntArray) -> IntArray | None:
        return None if labels is None else labels[items]

    sets = [
        distinct_items(response_vectors[items], of(duplicates, items), of(clusters, items))
        for items in members
    ]
    parts = tuple(sharing_weights_within(sets, rng=rng))
    return _assembled(members, parts, prompt_of.shape[0])


def _members(prompt_of: IntArray) -> tuple[IntArray, ...]:
    """The items of each prompt, prompts in ascending order."""
    order = np.argsort(prompt_of, kind="stable")
    return tuple(np.split(order, np.flatnonzero(np.diff(prompt_of[order])) + 1))


def _assembled(
    members: tuple[IntArray, ...], parts: tuple[Weights, ...], m: int
) -> WeightsByPrompt:
    """One set of weights of all items."""
    weights, error = np.zeros(m), np.zeros(m)
    cells = np.zeros(m, np.int64)
    offset = 0
    for items, part in zip(members, parts, strict=True):
        share = items.size / m
        weights[items], error[items] = part.weights * share, part.standard_error * share
        cells[items] = part.cells + offset
        offset += part.n_cells
    several = [p for p in parts if p.n_cells > 1]
    cautions = set().union(*(p.cautions for p in several)) if several else {"equals-uniform"}
    if several and not all("equals-uniform" in p.cautions for p in several):
        cautions.discard("equals-uniform")
    corrected = 1.0 / sum(
        (i.size / m) ** 2 / p.effective_number_corrected
        for i, p in zip(members, parts, strict=True)
    )
    cautions.discard("collapsed")
    if corrected < 0.1 * m:
        cautions.add("collapsed")
    worst = max(parts, key=lambda p: p.max_relative_error)
    return WeightsByPrompt(
        method=worst.method,
        space=worst.space,
        weights=weights,
        standard_error=error,
        cells=cells,
        hits=None,
        n_samples=worst.n_samples,
        precision=worst.precision,
        max_relative_error=worst.max_relative_error,
        reached=all(p.reached for p in parts),
        effective_number=1.0 / float(np.sum(weights**2)),
        effective_number_corrected=corrected,
        zero_share=float(np.mean(weights == 0)),
        zero_upper_bound=max(
            p.zero_upper_bound * i.size / m for i, p in zip(members, parts, strict=True)
        ),
        n_cells=offset,
        n_merged=m - offset,
        outside_share=float(sum(p.outside_share * p.m for p in parts)) / m,
        cautions=tuple(sorted(cautions)),
        settings={**worst.settings, "scope": "prompt"},
        members=members,
        parts=parts,
    )
