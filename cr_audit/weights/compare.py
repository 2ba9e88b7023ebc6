"""The schemes of weights beside each other on one data set: METHODS section 3's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.weights.estimates import (
    Weights,
    checked_blocks,
    cluster_weights,
    merge_duplicates,
    uniform_weights,
    voronoi_weights,
)
from cr_audit.weights.sampling import available_workers
from cr_audit.weights.schemes.sharing import sharing_weights
from cr_audit.weights.spaces import SPACES

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
    """One row per scheme, in the order uniform, voronoi per space, cluster, sharing."""

    rows: tuple[SchemeRow, ...]
    n_items: int
    n_used: int
    n_groups: int
    sharing_width: float
    sharing_strength: float


Scheme = Callable[[FloatArray, IntArray, IntArray, int], Weights]


def _schemes(
    sharing: dict[str, Any], max_products: float, workers: int, merge: bool
) -> dict[tuple[str, str | None], Scheme]:
    """(method, space) -> weights of (contexts, duplicate labels, groups, seed).

    merge : whether the groups are clone clusters, which ``sharing`` counts as one item.
    """

    def voronoi(space: str) -> Scheme:
        return lambda x, same, groups, seed: voronoi_weights(
            x,
            space=space,
            min_samples=MIN_SAMPLES,
            max_products=max_products,
            duplicates=same,
            workers=workers,
            rng=np.random.default_rng(seed),
        )

    return {
        ("uniform", None): lambda x, same, groups, seed: uniform_weights(x.shape[0]),
        **{("voronoi", space): voronoi(space) for space in SPACES},
        ("cluster", None): lambda x, same, groups, seed: cluster_weights(groups),
        ("sharing", None): lambda x, same, groups, seed: sharing_weights(
            x, **sharing, duplicates=same, clusters=groups if merge else None, workers=workers
        ),
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Variant:
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

    Width and strength of ``sharing`` are found once, on the data as they are, so that its row shows
    the scheme and not the search. Added near-clones keep their source's cluster label.
    """
    blocks = checked_blocks(contexts)
    points = np.hstack([b.rows if b.of is None else b.rows[b.of] for b in blocks])
    m = points.shape[0]
    kept = np.sort(rng.choice(m, min(m, MAX_ITEMS), replace=False))
    same = merge_duplicates(blocks, duplicates)[0][kept]
    x = points[kept].astype(np.float64)
    label = _own_groups(np.asarray(groups, dtype=np.int64))[kept]
    owner = label if clusters is None else _own_groups(np.asarray(clusters, dtype=np.int64))[kept]
    label = np.unique(label, return_inverse=True)[1].astype(np.int64)
    variants = _variants(_Variant(x, same, owner, label), rng)
    merged = None if clusters is None else owner
    found = sharing_weights(x, duplicates=same, clusters=merged, workers=workers, rng=rng)
    sharing = {name: float(found.settings[name]) for name in ("width", "strength")}
    seeds = [int(s) for s in rng.integers(0, 1 << 62, size=2)]
    schemes = _schemes(sharing, max_products, workers or available_workers(), merged is not None)
    rows = tuple(
        _row(method, space, scheme, variants, seeds) for (method, space), scheme in schemes.items()
    )
    n_groups = int(label.max()) + 1
    return SchemeTable(rows, m, int(kept.size), n_groups, sharing["width"], sharing["strength"])


def _own_groups(labels: IntArray) -> IntArray:
    """Items without a label become groups of one."""
    alone = labels < 0
    out: IntArray = np.where(alone, labels.max(initial=-1) + np.cumsum(alone), labels)
    return out


def _moved(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Each row moved by ``EPSILON`` of its length in a random direction."""
    step = rng.standard_normal(x.shape)
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    out: FloatArray = x + EPSILON * np.linalg.norm(x, axis=1, keepdims=True) * step
    return out


def _variants(data: _Variant, rng: np.random.Generator) -> dict[str, _Variant]:
    largest = np.flatnonzero(data.groups == np.bincount(data.groups).argmax())
    one = int(rng.choice(largest))
    fresh = data.same.max() + 1

    def added(items: IntArray, contexts: FloatArray, same: IntArray) -> _Variant:
        return _Variant(
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
        "moved": _Variant(shifted, its_label, data.clusters, data.groups),
        "near": added(
            largest, _moved(data.contexts[largest], rng), fresh + np.arange(largest.size)
        ),
        "half": _Variant(
            data.contexts[stay], data.same[stay], data.clusters[stay], data.groups[stay]
        ),
    }


def _row(
    method: str,
    space: str | None,
    scheme: Scheme,
    variants: dict[str, _Variant],
    seeds: list[int],
) -> SchemeRow:
    data = variants["data"]
    n_groups, n_same = int(data.groups.max()) + 1, int(data.same.max()) + 1

    def weights(name: str, seed: int) -> Weights:
        v = variants[name]
        return scheme(v.contexts, v.same, v.clusters, seed)

    started = perf_counter()
    before = weights("data", seeds[0])
    seconds = perf_counter() - started
    mass = before.masses(data.groups, n_groups)

    def shift(name: str, seed: int) -> float:
        after = weights(name, seed).masses(variants[name].groups, n_groups)
        return float(np.abs(after - mass).sum())

    exact = weights("exact", seeds[0]).masses(variants["exact"].same, n_same)
    return SchemeRow(
        scheme=method,
        space=space,
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
