"""Battles added up: one cell per pair and set of covariates, with its wins, ties and losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from cr_audit.arrays import Comparisons, FloatArray, IntArray
from cr_audit.labels import cluster_labels
from cr_audit.models.ties.links import LOSS, TIE, WIN


@dataclass(frozen=True, slots=True, eq=False)
class Battles:
    """``k`` cells over ``n_items`` items and ``q`` covariates.

    first, second : int64 (k,), first < second. covariates : float64 (k, q), what stands beside the
    difference of rewards, seen from ``first``: it changes its sign with the order of the two.
    counts : float64 (3, k), mass of wins of ``first``, ties, and losses.
    cell, outcome : int64 (n,), where row i of the comparisons went. mass : float64 (n,).
    """

    n_items: int
    first: IntArray
    second: IntArray
    covariates: FloatArray
    counts: FloatArray
    cell: IntArray
    outcome: IntArray
    mass: FloatArray

    @property
    def n_cells(self) -> int:
        """Pairs with their covariates that are distinct."""
        return int(self.first.shape[0])

    @property
    def n_covariates(self) -> int:
        """Columns beside the two sides."""
        return int(self.covariates.shape[1])

    @property
    def total(self) -> float:
        """Mass of all battles."""
        return float(self.counts.sum())

    @property
    def tie_share(self) -> float:
        """Share of that mass in ties, in [0, 1]."""
        return float(self.counts[TIE].sum()) / max(self.total, 1e-300)

    def design(self) -> sp.csr_array:
        """X with δ = X (θ, β): +1 at first, -1 at second, then the covariates; (k, m + q)."""
        k, m = self.n_cells, self.n_items
        span = np.arange(k)
        sides = sp.csr_array(
            (
                np.concatenate([np.ones(k), -np.ones(k)]),
                (np.concatenate([span, span]), np.concatenate([self.first, self.second])),
            ),
            shape=(k, m),
        )
        if self.n_covariates == 0:
            return sides
        out: sp.csr_array = sp.csr_array(sp.hstack([sides, sp.csr_array(self.covariates)]))
        return out

    def membership(self, clusters: IntArray) -> sp.csr_array:
        """Mass of every (outcome, cell), flattened as ``counts.ravel()``, in each cluster."""
        labels = cluster_labels(clusters, self.cell.shape[0])
        at = self.outcome * self.n_cells + self.cell
        shape = (3 * self.n_cells, int(labels.max(initial=-1)) + 1)
        return sp.csr_array((self.mass, (at, labels)), shape=shape)


def battles(comparisons: Comparisons, covariates: FloatArray | None = None) -> Battles:
    """Add up the comparisons. covariates : float64 (n, q), seen from each row's ``winner``.

    Memory: about 60 bytes per comparison and 8 q. ValueError for covariates of the wrong shape or
    not finite, or for outcomes other than 0, 1/2 and 1.
    """
    c = comparisons
    z = np.zeros((c.n, 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    if z.ndim != 2 or z.shape[0] != c.n or not np.isfinite(z).all():
        raise ValueError(f"covariates must be finite and of shape ({c.n}, q), got {z.shape}")
    if not np.isin(c.outcome, (0.0, 0.5, 1.0)).all():
        raise ValueError("outcomes must be 0, 1/2 or 1")
    swap = c.winner > c.loser
    first, second = np.where(swap, c.loser, c.winner), np.where(swap, c.winner, c.loser)
    z = np.where(swap[:, None], -z, z)
    outcome = np.where(c.outcome == 0.5, TIE, np.where(swap == (c.outcome == 1.0), LOSS, WIN))
    key = first * np.int64(c.n_items) + second
    if z.shape[1] == 0:
        if c.n_items**2 <= 4 * c.n:  # adding up beats sorting where pairs are few
            seen = np.bincount(key, minlength=c.n_items**2) > 0
            unique, cell = np.flatnonzero(seen), (np.cumsum(seen) - 1)[key]
        else:
            unique, cell = np.unique(key, return_inverse=True)
        at, z = (unique // c.n_items, unique % c.n_items), np.zeros((unique.shape[0], 0))
    else:
        table = np.column_stack([key.astype(np.float64), z + 0.0])  # + 0.0: -0 is 0
        rows, cell = np.unique(table, axis=0, return_inverse=True)
        keys, z = rows[:, 0].astype(np.int64), np.ascontiguousarray(rows[:, 1:])
        at = keys // c.n_items, keys % c.n_items
    k = at[0].shape[0]
    cell = cell.astype(np.int64).ravel()
    flat = np.bincount(outcome * k + cell, weights=c.mass, minlength=3 * k)
    return Battles(
        n_items=c.n_items,
        first=at[0].astype(np.int64),
        second=at[1].astype(np.int64),
        covariates=z,
        counts=flat.astype(np.float64).reshape(3, k),
        cell=cell,
        outcome=outcome.astype(np.int64),
        mass=c.mass,
    )
