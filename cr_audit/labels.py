"""Labels of items: numbering them, joining them, cutting items by them.

A label is an int64; -1 is none. What several rooms do with labels they do here.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cr_audit.arrays import IntArray
from cr_audit.errors import ComputeError


def alone_apart(labels: IntArray) -> IntArray:
    """int64 (n,): items without a label get one of their own, above all others; the rest stay."""
    alone = labels < 0
    out: IntArray = np.where(alone, labels.max(initial=-1) + np.cumsum(alone), labels)
    return out


def contiguous(labels: IntArray) -> IntArray:
    """0, 1, ... in the order of first appearance; -1 stays."""
    out = np.full(labels.shape[0], -1, np.int64)
    known = np.flatnonzero(labels >= 0)
    if known.size:
        _, first, inverse = np.unique(labels[known], return_index=True, return_inverse=True)
        position = np.empty(first.size, np.int64)
        position[np.argsort(first, kind="stable")] = np.arange(first.size)
        out[known] = position[inverse]
    return out


def cluster_labels(clusters: IntArray | None, n: int) -> IntArray:
    """Labels 0, 1, ... without gaps, in the order of the given ones; int64 (n,).

    A row without a label is a cluster of its own, and every row where ``clusters`` is None.
    """
    if clusters is None:
        return np.arange(n, dtype=np.int64)
    given = np.asarray(clusters, dtype=np.int64)
    if given.shape != (n,):
        raise ValueError(f"clusters has shape {given.shape}, expected ({n},)")
    return np.unique(alone_apart(given), return_inverse=True)[1].astype(np.int64)


def connected(n: int, first: IntArray, second: IntArray, *, both_ways: bool = False) -> IntArray:
    """Connected component of each of ``n`` items under the links first - second: int64 (n,).

    Components are numbered 0, 1, ... by their smallest items; an item without a link is one alone.
    both_ways : links are arrows, and items are together that reach each other along them.
    """
    links = coo_array((np.ones(first.shape[0], np.int8), (first, second)), shape=(n, n))
    raw = connected_components(links, both_ways, "strong" if both_ways else "weak")[1]
    return contiguous(raw.astype(np.int64))


def too_few_to_draw(what: str, *, clustered: bool) -> ComputeError:
    """A bootstrap of fewer than two units: ``bootstrap-one-cluster``, and what would give more."""
    more = "collect more data"
    return ComputeError(
        "bootstrap-one-cluster",
        f"a bootstrap needs at least two {what} or clusters to draw from",
        next_step=f"use --resample comparisons, or {more}" if clustered else more,
    )
