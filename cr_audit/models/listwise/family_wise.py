"""Many tests, one level: Holm's step-down rule."""

from __future__ import annotations

import numpy as np

from cr_audit.arrays import FloatArray


def holm(p_values: FloatArray) -> FloatArray:
    """Adjusted p-values, float64 (n,); NaN (not applicable) stays NaN and is not counted.

    Rejecting where the adjusted value is at most α keeps the chance of any false rejection at
    most α, however the tests depend on each other. Source: Holm (1979).
    """
    p = np.asarray(p_values, dtype=np.float64)
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = np.minimum(p[order] * np.arange(order.size, 0, -1), 1.0)
    out[order] = np.maximum.accumulate(steps)
    return out
