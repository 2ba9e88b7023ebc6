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
    known = np.isfinite(rows) & (components >= 0)
    last = np.iinfo(np.int64).max
    part = np.where(known, components, last)
    order = np.lexsort((-np.where(known, rows, -np.inf), part), axis=-1)
    part = np.take_along_axis(part, order, axis=1)
    value = np.take_along_axis(np.where(known, rows, 0.0), order, axis=1)
    new_part = np.ones(rows.shape, np.bool_)
    new_part[:, 1:] = part[:, 1:] != part[:, :-1]
    new_rank = new_part.copy()
    new_rank[:, 1:] |= value[:, :-1] - value[:, 1:] > tie
    span = np.arange(rows.shape[1])
    start = np.maximum.accumulate(np.where(new_part, span, 0), axis=1)
    rank = np.maximum.accumulate(np.where(new_rank, span, 0), axis=1) - start + 1
    out = np.full(rows.shape, missing, dtype=np.int64)
    np.put_along_axis(out, order, np.where(part == last, missing, rank), axis=1)
    return out.reshape(np.shape(values))
