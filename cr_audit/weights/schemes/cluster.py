"""One vote for each clone cluster, shared evenly by its members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cr_audit.arrays import IntArray
from cr_audit.errors import ComputeError
from cr_audit.labels import alone_apart
from cr_audit.weights.estimates import Weights, known_weights
from cr_audit.weights.scheme import Options, Weighed


def cluster_weights(labels: IntArray) -> Weights:
    """w(x) = 1 / (number of clusters * size of x's cluster); a label of -1 is a cluster of one.

    labels : int64 (m,). Source: the simplest of the alternatives that [CR] section 6 asks about.
    """
    given = np.asarray(labels, dtype=np.int64)
    if given.ndim != 1 or given.size == 0:
        raise ComputeError("no-contexts", "weights need at least one item")
    _, cells, size = np.unique(alone_apart(given), return_inverse=True, return_counts=True)
    return known_weights(
        "cluster", 1.0 / size[cells], np.arange(given.size), {"n_clusters": int(size.size)}
    )


class Cluster:
    """``cluster_weights``."""

    name = "cluster"
    summary = "clones share one vote evenly; everybody else has a vote of its own"
    needs_vectors = False
    needs_clones = True
    uses_clones = True
    corrects = True
    spaces: tuple[str, ...] = ()
    gram_spaces: tuple[str, ...] = ()

    def weigh(self, items: Weighed, options: Options, rng: np.random.Generator) -> Weights:
        if items.clones is None:
            raise ValueError("cluster weights need clone labels")
        return cluster_weights(items.clones)

    def found(
        self, items: Weighed, options: Options, rng: np.random.Generator
    ) -> Mapping[str, float]:
        return {}

    def in_words(self, space: str, settings: Mapping[str, Any]) -> str:
        return self.name

    def deed(self, settings: Mapping[str, Any]) -> str:
        return "clones share one vote"


CLUSTER = Cluster()
