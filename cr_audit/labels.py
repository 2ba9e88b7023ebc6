"""Labels of items: numbering them, joining them, cutting items by them.

A label is an int64; -1 is none. What several rooms do with labels they do here.
"""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import IntArray


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
