"""Populations of annotators with known tastes: what share of them prefers one thing to another."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from cr_audit.arrays import FloatArray


def preference_matrix(utilities: Any, shares: Any) -> FloatArray:
    """p(x ≻ y) = Σ_t share_t σ(u_t(x) - u_t(y)), float64 (m, m); p(x ≻ x) = 1/2 exactly.

    utilities : (types, m), log-odds; shares : (types,), >= 0, sum 1. Each type is a Bradley-Terry
    population; their mixture is not one, and win rates can run in a circle ([CR] Table 2).
    """
    u = np.asarray(utilities, dtype=np.float64)
    share = np.asarray(shares, dtype=np.float64)
    if u.ndim != 2 or share.shape != (u.shape[0],):
        raise ValueError(f"utilities {u.shape} and shares {share.shape} disagree")
    if (share < 0).any() or abs(float(share.sum()) - 1.0) > 1e-9:
        raise ValueError("shares must be at least 0 and sum to 1")
    p = np.zeros((u.shape[1], u.shape[1]))
    for row, weight in zip(u, share, strict=True):
        p += weight * expit(row[:, None] - row)
    out: FloatArray = np.triu(p, 1) + np.tril(1.0 - p.T, -1)
    np.fill_diagonal(out, 0.5)
    return out
