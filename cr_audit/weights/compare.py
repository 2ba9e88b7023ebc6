"""The schemes of weights beside each other on one data set (docs/methods.md, "Weights")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.labels import alone_apart
from cr_audit.weights.estimates import Weights, checked_blocks, merge_duplicates
from cr_audit.weights.scheme import Options, Scheme, Variant, Weighed, variants
from cr_audit.weights.schemes import SCHEMES

EPSILON = 0.01
"""How far the continuity check moves one item, as a share of its length."""
MAX_ITEMS = 2000
"""Items that the comparison works on; more are thinned to a seeded sample."""

MIN_SAMPLES = 20_000
"""Samples per estimate where the budget allows; sums over groups need far fewer than items."""


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """What one scheme does to this data set; shifts are L1 distances of masses, in [0, 2].

    effective_share : effective number (corrected) / items; zero_share; cautions.
    exact_clone : one item is added again, word for word: the shift of the masses of all distinct
        items (0 = invariant).
    continuity : one item is moved by ``EPSILON`` of its length: the shift of the masses of the
        groups (or of the item against the rest where there are no groups).
    near_clone : every item of the largest group is added again, moved by ``EPSILON`` of its length:
        the shift of the groups' masses. topic_clone : half of the items of the largest group are
        taken away: the shift of the groups' masses.
    noise : the shift between two estimates of the same weights with other random numbers; no
        smaller shift says anything.
    seconds : time of one estimate; not part of any reproducible output.
    """

    scheme: str
    space: str | None
    effective_share: float
    zero_share: float
    exact_clone: float
    continuity: float
    near_clone: float
    topic_clone: float
    noise: float
    cautions: tuple[str, ...]
    seconds: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class SchemeTable:
    """One row per scheme and space, those that correct nothing first. found : per scheme, the
    settings that were found once on the data as they are."""

    rows: tuple[SchemeRow, ...]
    n_items: int
    n_used: int
    n_groups: int
    found: Mapping[str, Mapping[str, float]]

    @property
    def sharing_width(self) -> float:
        """The width that ``sharing`` found, 0 where clones alone share."""
        return self.found["sharing"]["width"]

    @property
    def sharing_strength(self) -> float:
        """How much neighbours within it count, in [0, 1]."""
        return self.found["sharing"]["strength"]


@dataclass(frozen=True, slots=True, eq=False)
class _Changed:
    """The data set after a change: contexts, duplicate labels, clusters and groups to sum over."""

    contexts: FloatArray
    same: IntArray
    clusters: IntArray
    groups: IntArray


def compare_weights(
    contexts: Any,
    groups: IntArray,
    *,
    clusters: IntArray | None = None,
    duplicates: IntArray | None = None,
    max_products: float = 4e9,
    workers: int | None = None,
    rng: np.random.Generator,
) -> SchemeTable:
    """Every scheme under the same four changes of the user's own data.

    contexts : (m, d) or ``Contexts``; groups : int64 (m,), whose masses are compared (topics,
    prompts, models, clone clusters; -1 = a group of its own); clusters : int64 (m,), what
    ``cluster_weights`` divides by and ``sharing`` merges; where None the former divides by
    ``groups`` and the latter merges nothing; duplicates : as for ``voronoi_weights``.
    More than ``MAX_ITEMS`` items are thinned to a random sample. ``max_products`` is the sampling
    budget of each of the six estimates per space.

    What a scheme looks for in the data (the width of ``sharing``) is found once, on the data as
    they are, so that its row shows the scheme and not the search. Added near-clones keep their
    source's cluster label.
    """
    blocks = checked_blocks(contexts)
    points = np.hstack([b.rows if b.of is None else b.rows[b.of] for b in blocks])
    m = points.shape[0]
    kept = np.sort(rng.choice(m, min(m, MAX_ITEMS), replace=False))
    same = merge_duplicates(blocks, duplicates)[0][kept]
    x = points[kept].astype(np.float64)
    label = alone_apart(np.asarray(groups, dtype=np.int64))[kept]
    owner = label if clusters is None else alone_apart(np.asarray(clusters, dtype=np.int64))[kept]
    label = np.unique(label, return_inverse=True)[1].astype(np.int64)
    changed = _changes(_Changed(x, same, owner, label), rng)
    knows = clusters is not None
    options = Options(
        min_samples=MIN_SAMPLES, max_products=max_products, sampler="plain", workers=workers
    )
    found = {
        scheme.name: dict(scheme.found(_weighed(changed["data"], scheme, knows), options, rng))
        for scheme in SCHEMES.all()
    }
    seeds = [int(s) for s in rng.integers(0, 1 << 62, size=2)]
    rows = tuple(
        _row(v, v.options(replace(options, found=found[v.method])), changed, seeds, knows)
        for v in variants()
    )
    return SchemeTable(rows, m, int(kept.size), int(label.max()) + 1, found)


def _weighed(data: _Changed, scheme: Scheme, knows: bool) -> Weighed:
    """knows : whether the clusters are clones, or stand in where clones are needed."""
    clones = data.clusters if knows or scheme.needs_clones else None
    return Weighed(data.contexts.shape[0], data.contexts, data.same, clones)


def _moved(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Each row moved by ``EPSILON`` of its length in a random direction."""
    step = rng.standard_normal(x.shape)
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    out: FloatArray = x + EPSILON * np.linalg.norm(x, axis=1, keepdims=True) * step
    return out


def _changes(data: _Changed, rng: np.random.Generator) -> dict[str, _Changed]:
    largest = np.flatnonzero(data.groups == np.bincount(data.groups).argmax())
    one = int(rng.choice(largest))
    fresh = data.same.max() + 1

    def added(items: IntArray, contexts: FloatArray, same: IntArray) -> _Changed:
        return _Changed(
            np.vstack([data.contexts, contexts]),
            np.concatenate([data.same, same]),
            np.concatenate([data.clusters, data.clusters[items]]),
            np.concatenate([data.groups, data.groups[items]]),
        )

    again = np.array([one])
    shifted, its_label = data.contexts.copy(), data.same.copy()
    shifted[one], its_label[one] = _moved(data.contexts[again], rng)[0], fresh
    gone = rng.choice(largest, largest.size // 2, replace=False)
    stay = np.setdiff1d(np.arange(data.groups.size), gone)
    return {
        "data": data,
        "exact": added(again, data.contexts[again], data.same[again]),
        "moved": _Changed(shifted, its_label, data.clusters, data.groups),
        "near": added(
            largest, _moved(data.contexts[largest], rng), fresh + np.arange(largest.size)
        ),
        "half": _Changed(
            data.contexts[stay], data.same[stay], data.clusters[stay], data.groups[stay]
        ),
    }


def _row(
    variant: Variant,
    options: Options,
    changed: dict[str, _Changed],
    seeds: list[int],
    knows: bool,
) -> SchemeRow:
    data, scheme = changed["data"], variant.scheme
    n_groups, n_same = int(data.groups.max()) + 1, int(data.same.max()) + 1

    def weights(name: str, seed: int) -> Weights:
        items = _weighed(changed[name], scheme, knows)
        return scheme.weigh(items, options, np.random.default_rng(seed))

    started = perf_counter()
    before = weights("data", seeds[0])
    seconds = perf_counter() - started
    mass = before.masses(data.groups, n_groups)

    def shift(name: str, seed: int) -> float:
        after = weights(name, seed).masses(changed[name].groups, n_groups)
        return float(np.abs(after - mass).sum())

    exact = weights("exact", seeds[0]).masses(changed["exact"].same, n_same)
    return SchemeRow(
        scheme=variant.method,
        space=variant.space,
        effective_share=before.effective_number_corrected / before.m,
        zero_share=before.zero_share,
        exact_clone=float(np.abs(exact - before.masses(data.same, n_same)).sum()),
        continuity=shift("moved", seeds[0]),
        near_clone=shift("near", seeds[0]),
        topic_clone=shift("half", seeds[0]),
        noise=shift("data", seeds[1]),
        cautions=before.cautions,
        seconds=seconds,
    )
