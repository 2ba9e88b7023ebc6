"""Competition ranks ("1224") of anything that orders items, within connected components."""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import FloatArray, IntArray


def ranks(values: FloatArray, components: IntArray, *, tie: float, missing: int = -1) -> IntArray:
    """1 = highest in its component; ``missing`` where the value is not finite or the component -1.

    Neighbours in the order that are no further apart than ``tie`` share the better rank, and the
    ranks after them are skipped. values : float64 (m,) or (b, m), one ranking per row; components :
    int64 (m,).
    """
    rows = np.atleast_2d(values)
    out = np.full(rows.shape, missing, dtype=np.int64)
    for b, row in enumerate(rows):
        known = np.flatnonzero(np.isfinite(row) & (components >= 0))
        if known.size == 0:
            continue
        order = known[np.lexsort((-row[known], components[known]))]
        part, value = components[order], row[order]
        new_part = np.concatenate([[True], part[1:] != part[:-1]])
        new_rank = new_part | np.concatenate([[True], value[:-1] - value[1:] > tie])
        span = np.arange(order.size)
        start = np.maximum.accumulate(np.where(new_part, span, 0))
        out[b, order] = np.maximum.accumulate(np.where(new_rank, span, 0)) - start + 1
    return out.reshape(np.shape(values))
