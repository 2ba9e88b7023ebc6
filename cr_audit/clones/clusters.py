"""From pairs to clusters whose diameter is bounded: no chains, whatever the order of the rows.

Within each connected component of the pair graph all distances are computed exactly and the
component is cut by complete linkage: a cluster at radius r is a set in which *every* two members
are within r, not a chain of neighbours. Ties between merges are broken by the order of the rows,
which the caller makes canonical (sorted texts), so the result does not depend on the order of the
input. Clusters at a smaller radius are subsets of those at a larger one (one dendrogram, two cuts).

A component of more than ``MAX_COMPONENT`` members is first taken apart by dropping its longest
edges (those above 0.8, 0.6, 0.4, 0.2, 0 times the radius, until its parts are small enough), so
memory stays below 8 * MAX_COMPONENT^2 bytes; what is left at 0 has equal sets and is one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.clones.pairs import ROUNDING, TextPairs
from cr_audit.labels import connected

MAX_COMPONENT = 2048
_SMALL, _BLOCK_PAIRS = 64, 200_000
_SHRINK = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)


class DistanceIndex(Protocol):
    """Exact distances between rows: of texts (``TextIndex``) or of vectors (``VectorIndex``)."""

    def distances(self, first: IntArray, second: IntArray) -> FloatArray:
        """Of each pair of rows, float64 (k,)."""
        ...

    def among(self, rows: IntArray) -> FloatArray:
        """Between these rows, float64 (rows, rows), 0 on the diagonal."""
        ...

    def to_all(self, rows: IntArray) -> FloatArray:
        """From a few rows to all, float64 (rows, n)."""
        ...


class SetIndex(DistanceIndex, Protocol):
    """Sets whose distances can be asked for; sizes int64 (n,), comparable bool (n,)."""

    sizes: IntArray
    comparable: BoolArray

    def within(self, rows: IntArray, radius: float) -> tuple[IntArray, IntArray]:
        """Pairs (a place in ``rows``, a row) of comparable sets at distance <= radius < 1, as
        ``to_all`` has it; whether rows are near themselves is not said."""
        ...

    @property
    def n(self) -> int:
        """Sets."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RowCluster:
    """Two or more rows, ascending. All distances exact.

    medoid : the member with the smallest sum of distances to the others (the first of equals).
    diameter : the largest distance of two members, and ``furthest`` the two. In a cluster of more
    than MAX_COMPONENT members both come from two sweeps (the furthest from the medoid, then the
    furthest from that one), a lower bound; ``diameter_exact`` is then False, and the medoid is the
    pivot around which it was gathered. The radius bounds the diameter in any case.
    weakest_link : the longest edge of the minimum spanning tree: the smallest radius at which the
    cluster still hangs together as a chain.
    """

    members: IntArray
    medoid: int
    diameter: float
    weakest_link: float
    furthest: tuple[int, int]
    diameter_exact: bool = True


def _described(members: IntArray, d: FloatArray) -> RowCluster:
    """From the full matrix of distances."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    i, j = divmod(int(np.argmax(d)), members.size)
    if d[i, j] == 0.0:
        i, j = 0, 1
    tree = linkage(squareform(d, checks=False), "single")
    return RowCluster(
        members=members,
        medoid=int(members[np.argmin(d.sum(axis=1).round(12))]),
        diameter=float(d[i, j]),
        weakest_link=float(tree[-1, 2]),
        furthest=(int(members[min(i, j)]), int(members[max(i, j)])),
    )


def described_ball(index: DistanceIndex, members: IntArray) -> RowCluster:
    """A cluster too large for a matrix; ``members[0]`` is its pivot."""
    if members.size <= MAX_COMPONENT:
        rows = np.sort(members)
        return _described(rows, index.among(rows))
    pivot = members[:1]
    from_pivot = index.to_all(pivot)[0, members]
    a = members[int(np.argmax(from_pivot))]
    from_a = index.to_all(np.array([a]))[0, members]
    b = members[int(np.argmax(from_a))]
    return RowCluster(
        members=np.sort(members),
        medoid=int(pivot[0]),
        diameter=float(from_a.max()),
        weakest_link=float(from_pivot.max()),
        furthest=(int(min(a, b)), int(max(a, b))),
        diameter_exact=False,
    )


def _components(n: int, first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    """Label of each row's component, and the size of each component."""
    labels = connected(n, first, second)
    return labels, np.bincount(labels).astype(np.int64)


def _parts(pairs: TextPairs) -> Iterator[IntArray]:
    """Connected sets of three or more rows, ascending, at most MAX_COMPONENT rows each, or more
    where all rows are at distance 0; and pairs that are left when a large one is taken apart."""
    todo: BoolArray = np.ones(pairs.n, bool)
    for shrink in _SHRINK:
        use = (pairs.distance <= shrink * pairs.radius) & todo[pairs.first] & todo[pairs.second]
        labels, sizes = _components(pairs.n, pairs.first[use], pairs.second[use])
        done = todo & (sizes[labels] >= (3 if shrink == 1.0 else 2))
        if shrink:
            done &= sizes[labels] <= MAX_COMPONENT
        rows = np.flatnonzero(done)
        order = rows[np.argsort(labels[rows], kind="stable")]
        yield from np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if rows.size else ()
        todo &= ~done & (sizes[labels] > MAX_COMPONENT)
        if not todo.any():
            return


def _lone_pairs(pairs: TextPairs) -> tuple[IntArray, IntArray, FloatArray]:
    """Edges whose two ends have no other edge: most components, and their own description."""
    degree = np.bincount(pairs.first, minlength=pairs.n)
    degree += np.bincount(pairs.second, minlength=pairs.n)
    lone = (degree[pairs.first] == 1) & (degree[pairs.second] == 1)
    return pairs.first[lone], pairs.second[lone], pairs.distance[lone]


def _distances_among(index: DistanceIndex, parts: list[IntArray]) -> Iterator[FloatArray]:
    """Exact distance matrices; the small ones computed together, a few million pairs at a time."""
    from scipy.spatial.distance import squareform

    lo = 0
    while lo < len(parts):
        if parts[lo].size > _SMALL:
            yield index.among(parts[lo])
            lo += 1
            continue
        hi, n_pairs = lo, 0
        while hi < len(parts) and parts[hi].size <= _SMALL and n_pairs < _BLOCK_PAIRS:
            n_pairs += parts[hi].size ** 2 // 2
            hi += 1
        sides = [np.triu_indices(p.size, 1) for p in parts[lo:hi]]
        first = np.concatenate([p[i] for p, (i, _) in zip(parts[lo:hi], sides, strict=True)])
        second = np.concatenate([p[j] for p, (_, j) in zip(parts[lo:hi], sides, strict=True)])
        d = index.distances(first, second)
        ends = np.cumsum([i.size for i, _ in sides])[:-1]
        yield from (squareform(x, checks=False) for x in np.split(d, ends))
        lo = hi


def bounded_clusters(
    index: DistanceIndex, pairs: TextPairs, radii: tuple[float, ...]
) -> tuple[list[RowCluster], ...]:
    """Per radius (each <= pairs.radius) the clusters of two or more rows, by their first member."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    out: tuple[list[RowCluster], ...] = tuple([] for _ in radii)
    for i, j, d in zip(*(x.tolist() for x in _lone_pairs(pairs)), strict=True):
        two = RowCluster(np.array([i, j]), i, d, d, (i, j))
        for found, radius in zip(out, radii, strict=True):
            if d <= radius + ROUNDING:
                found.append(two)
    parts = list(_parts(pairs))
    whole = [*pairs.balls, *(p for p in parts if p.size > MAX_COMPONENT)]
    parts = [p for p in parts if p.size <= MAX_COMPONENT]
    for rows, d in zip(parts, _distances_among(index, parts), strict=True):
        tree = linkage(squareform(d, checks=False), "complete")
        for found, radius in zip(out, radii, strict=True):
            labels = fcluster(tree, radius + ROUNDING, "distance")
            for label in np.flatnonzero(np.bincount(labels) >= 2):
                at = np.flatnonzero(labels == label)
                found.append(_described(rows[at], d[np.ix_(at, at)]))
    for rows in whole:
        for found in out:
            found.append(described_ball(index, rows))
    for found in out:
        found.sort(key=lambda c: int(c.members[0]))
    return out
