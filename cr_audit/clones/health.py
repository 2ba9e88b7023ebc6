"""The shape of a graph of nearest neighbours: whether it hangs together, and whom it hangs on.

In many dimensions some points are near to very many others and some to nobody (Radovanović,
Nanopoulos and Ivanović 2010): the number of lists that a node stands in, its in-degree, is skewed.
Hubs there are mostly texts without a subject of their own (greetings, refusals, near-empty
answers); who stands in no list is like nothing else in the data. All of it is of the ``LINKS``
nearest, as kinds are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from cr_audit.arrays import IntArray
from cr_audit.clones.nearest import NearestGraph

LINKS = 15
FEWEST = 3
HUBS = 5
OFTEN = 5
"""Times the average in-degree from which a node is a hub."""


@dataclass(frozen=True, slots=True, eq=False)
class MeaningHealth:
    """links : neighbours of each that were looked at. n_components : parts that no link joins;
    largest : share of the nodes in the largest. mutual : share of the links that go both ways.
    in_degree_max, in_degree_skewness : of the number of lists that a node stands in, whose mean is
    ``links``; n_hubs : nodes in ``OFTEN`` times as many; in_none : share in no list. hubs : the
    nodes with the most, int64, at most ``HUBS``, and their in-degrees. nearest, furthest : median
    distance to the first and the last of the ``links``, between unit vectors."""

    links: int
    n_components: int
    largest: float
    mutual: float
    in_degree_max: int
    in_degree_skewness: float
    n_hubs: int
    in_none: float
    hubs: IntArray
    hub_degrees: IntArray
    nearest: float
    furthest: float


def health(graph: NearestGraph) -> MeaningHealth:
    """The shape of a graph of at least ``FEWEST`` nodes. O(n links) time and memory."""
    n, links = graph.n, min(LINKS, graph.k)
    near = graph.neighbours[:, :links]
    begin = np.arange(0, n * links + 1, links)
    out = sp.csr_array((np.ones(n * links, np.int8), near.ravel(), begin), shape=(n, n))
    n_components, part = connected_components(out, directed=True, connection="weak")
    both = int(out.multiply(out.T).nnz)
    degree = np.bincount(near.ravel(), minlength=n).astype(np.int64)
    away = degree - float(links)  # the mean is the number of links
    spread = float(np.sqrt(np.mean(away**2)))
    order = np.lexsort((np.arange(n), -degree))[:HUBS]
    order = order[degree[order] >= OFTEN * links]
    return MeaningHealth(
        links=links,
        n_components=int(n_components),
        largest=float(np.bincount(part).max() / n),
        mutual=both / near.size,
        in_degree_max=int(degree.max()),
        in_degree_skewness=float(np.mean(away**3)) / spread**3 if spread > 0 else 0.0,
        n_hubs=int((degree >= OFTEN * links).sum()),
        in_none=float((degree == 0).mean()),
        hubs=order.astype(np.int64),
        hub_degrees=degree[order],
        nearest=float(np.median(graph.distance[:, 0])),
        furthest=float(np.median(graph.distance[:, links - 1])),
    )
