"""Clones where there are vectors and no texts: the user's own embeddings of data known by id.

Two responses to one prompt are near if the Euclidean distance of their unit vectors is at most the
radius. Prompts enter through their own vectors, so that responses to different prompts are never
within reach. Edges come from ``neighbours.radius_graph`` (exact search, cells of the space for
large sets or an HNSW graph, every edge verified), clusters from complete linkage as for texts.

A cosine means different things to different encoders. The default, cosine 0.96, is what separated
copies from other answers best for the static vectors of this package (docs/clones.md); for vectors
of another encoder set the radius yourself.
"""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.clones.clusters import RowCluster, bounded_clusters
from cr_audit.clones.find import (
    CloneReport,
    Cluster,
    Neighbours,
    UnitRows,
    described,
    partition,
)
from cr_audit.clones.neighbours import Index, cosine_to_distance, pair_distances, radius_graph
from cr_audit.clones.pairs import TextPairs
from cr_audit.weights.contexts import response_contexts

DEFAULT_VECTOR_RADIUS = cosine_to_distance(0.96)
METRIC = "euclidean-unit-vectors"


class VectorIndex:
    """Exact distances between rows, as ``clusters.bounded_clusters`` asks for them."""

    def __init__(self, rows: Float32Array) -> None:
        self.rows = rows

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.rows.shape[0])

    def distances(self, first: IntArray, second: IntArray) -> FloatArray:
        """Of each pair, float64 (k,)."""
        return pair_distances(self.rows, first, second)

    def among(self, rows: IntArray) -> FloatArray:
        """Between these rows, float64 (rows, rows), 0 on the diagonal."""
        some = self.rows[rows].astype(np.float64)
        from scipy.spatial.distance import cdist

        out: FloatArray = cdist(some, some)
        return out

    def to_all(self, rows: IntArray) -> FloatArray:
        """From a few rows to all, float64 (rows, n)."""
        from scipy.spatial.distance import cdist

        out: FloatArray = cdist(self.rows[rows].astype(np.float64), self.rows.astype(np.float64))
        return out


def find_vector_clones(
    vectors: Float32Array,
    prompt_vectors: Float32Array,
    prompt_of: IntArray,
    *,
    radius: float = DEFAULT_VECTOR_RADIUS,
    index: Index = "auto",
    rng: np.random.Generator,
) -> CloneReport:
    """Clusters of near vectors under one prompt.

    vectors : float32 (m, d), unit rows; prompt_vectors : float32 (n_prompts, d_q), unit rows, two
    prompts at least sqrt(2) * radius apart being different ones; prompt_of : int64 (m,).
    radius : in [0, 1), Euclidean between the responses' vectors (2 - 2 cos = radius^2). kind
    "exact" means equal vectors. index : of the search (``neighbours.radius_graph``). There is no
    boilerplate and no looser radius without texts.
    """
    if not 0.0 <= radius < 1.0:
        raise ValueError(f"expected 0 <= radius < 1, got {radius}")
    contexts = response_contexts(prompt_vectors, vectors, prompt_of)
    if contexts.shape[1] != vectors.shape[1]:
        # sqrt(2) c(x): responses to one prompt are then as far apart as their own vectors are.
        contexts = (contexts * np.float32(np.sqrt(2.0))).astype(np.float32)
    graph = radius_graph(contexts, radius, index=index, rng=rng)
    units, unit = np.unique(graph.representative, return_inverse=True)
    place = np.full(vectors.shape[0], -1, np.int64)
    place[units] = np.arange(units.size)
    pairs = TextPairs(
        n=int(units.size),
        radius=radius,
        first=place[graph.first],
        second=place[graph.second],
        distance=graph.distance,
        balls=(),
        n_candidates=graph.n_candidates,
        complete=True,
    )
    items = UnitRows(unit.astype(np.int64), int(units.size))
    held = VectorIndex(contexts[units])
    near: list[RowCluster] = [items.lifted(c) for c in bounded_clusters(held, pairs, (radius,))[0]]
    exact = list(items.exact())
    clusters: list[Cluster] = [described("response", "exact", c, unit, prompt_of) for c in exact]
    clusters += [described("response", "near", c, unit, prompt_of) for c in near]
    clusters.sort(key=lambda c: (c.kind, -c.size, int(c.members[0])))
    n_prompts = int(prompt_of.max(initial=-1)) + 1
    return CloneReport(
        clusters=tuple(clusters),
        labels=partition(vectors.shape[0], [*exact, *near]),
        prompt_labels=partition(n_prompts, []),
        neighbours=Neighbours(
            index=graph.index,
            recall_estimate=graph.recall_estimate,
            n_recall_sample=graph.n_recall_sample,
            n_candidates=graph.n_candidates,
            n_edges=int(graph.first.size),
        ),
        encoder=NotApplicable("there are no texts to calibrate the encoder on"),
        radius=radius,
        loose_radius=radius,
        boilerplate_prompts=0,
        metric=METRIC,
    )
