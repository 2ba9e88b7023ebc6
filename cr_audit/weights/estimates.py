"""What every weighting scheme returns: weights that sum to one and say how far they can be trusted.

Beside it what several schemes need: checked coordinates, and which items are one point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.clones.neighbours import distinct_rows
from cr_audit.errors import ComputeError
from cr_audit.labels import connected, contiguous
from cr_audit.weights.contexts import Contexts
from cr_audit.weights.per_draw import PerDraw
from cr_audit.weights.spaces import Block, Blocks, Vectors

DEFAULT_PRECISION = 0.1
DEFAULT_MIN_SAMPLES = 100_000
DEFAULT_MAX_PRODUCTS = 2.5e11

CAUTIONS: Mapping[str, str] = {
    "collapsed": "the effective number of items is below 10 % of the items: a few carry the rest",
    "space-excludes-data": "some items lie outside the space, so their cells say little about them",
    "equals-uniform": "the weights cannot be told from uniform ones: nothing was corrected",
    "precision-not-reached": "the sampling budget ended before the stated precision was reached",
}
COLLAPSED_BELOW = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Weights of ``m`` items and what is known about their error.

    method : the name of the scheme; space : the space that was sampled, None where none was.
    weights : float64 (m,), >= 0, sum 1.
    standard_error : float64 (m,), Monte-Carlo only: sqrt(W (1 - W) / N) / s for an item in a cell
        of mass W shared by s equal items; 0 where nothing was sampled. On the sphere, where a draw
        also counts for its mirror image, this is an upper bound (the exact one has 1 - 2W).
    cells : int64 (m,), which merged cell an item belongs to; hits : int64 (n_cells,), and
        per_draw : what each draw said of each cell, for samplers that give more than hits, whose
        errors are measured over their draws (``PerDraw.masses``); each None where there is none;
        n_samples : N, 0 where nothing was sampled.
    precision : the relative error that was asked for; max_relative_error : the one achieved, both
        for a cell of the average mass 1/n_cells: sqrt((n_cells - 1) / N) of hits, measured
        otherwise (``per_draw.relative_error``). Smaller cells are known less well.
        reached : whether the second is no larger than the first.
    effective_number : 1 / sum(w^2) of these weights. effective_number_corrected : the same with
        the Monte-Carlo error taken out of sum(w^2), which sampling makes too large.
    zero_share : share of the items with weight 0; zero_upper_bound : what the mass of a cell
        without a hit may still be (95 %): 3 / N, 0 where nothing was sampled.
    n_cells : distinct items; n_merged : m - n_cells, items merged into an equal earlier one.
    outside_share : share of the items that lie outside the space.
    cautions : slugs, the keys of ``CAUTIONS``; settings : what the caller chose.
    """

    method: str
    space: str | None
    weights: FloatArray
    standard_error: FloatArray
    cells: IntArray
    hits: IntArray | None
    n_samples: int
    precision: float
    max_relative_error: float
    reached: bool
    effective_number: float
    effective_number_corrected: float
    zero_share: float
    zero_upper_bound: float
    n_cells: int
    n_merged: int
    outside_share: float
    cautions: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    per_draw: PerDraw | None = None

    @property
    def m(self) -> int:
        """Items."""
        return int(self.weights.shape[0])

    def resample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """``n`` draws that carry the Monte-Carlo error: float64 (n, m), every row summing to 1.

        The hits are drawn anew from a multinomial with the estimated cell masses, so that a draw
        has mean ``weights`` and standard deviation ``standard_error``; a cell without a hit stays
        at 0. Where draws gave more than hits they are drawn anew themselves, with replacement.
        Without sampling error every row is ``weights``.
        """
        if self.per_draw is not None:
            masses = self.per_draw.resampled(n, rng) / np.bincount(self.cells)
            again: FloatArray = masses[:, self.cells]
            return again
        if self.hits is None:
            return np.tile(self.weights, (n, 1))
        share = self.hits / self.n_samples
        drawn = rng.multinomial(self.n_samples, share, size=n) / self.n_samples
        size = np.bincount(self.cells, minlength=self.n_cells)
        out: FloatArray = (drawn / size)[:, self.cells]
        return out

    def heaviest(self) -> IntArray:
        """Items by weight, the heaviest first, of equal ones the earlier: int64 (m,)."""
        return np.lexsort((np.arange(self.m), -np.round(self.weights, 15)))

    def masses(self, labels: IntArray, n_groups: int) -> FloatArray:
        """Weight of each group: float64 (n_groups,); items with label -1 belong to none."""
        known = labels >= 0
        return np.bincount(labels[known], weights=self.weights[known], minlength=n_groups).astype(
            np.float64
        )


def checked_blocks(contexts: Any) -> Blocks:
    """The coordinates of an (m, d) array or of ``Contexts``, with -0 turned into 0.

    float32 stays float32, anything else becomes float64. Refuses what is empty or not finite.
    """
    if isinstance(contexts, Contexts) and contexts.prompts is not None:
        half = math.sqrt(0.5)
        used, of = np.unique(np.asarray(contexts.prompt_of), return_inverse=True)
        return (
            Block(_checked(contexts.responses, None, half)),
            Block(_checked(contexts.prompts, used, half), of.astype(np.int64)),
        )
    given = contexts.responses if isinstance(contexts, Contexts) else np.asarray(contexts)
    if given.dtype != np.float32:
        given = given.astype(np.float64)
    return (Block(_checked(given, None, 1.0)),)


def _checked(given: Vectors, used: IntArray | None, factor: float) -> Vectors:
    """A copy of the rows (of those ``used``) times a factor, in blocks: of a million, neither they
    nor what is looked at on the way is held in memory whole."""
    if given.ndim != 2 or given.shape[0] == 0 or given.shape[1] == 0:
        raise ComputeError(
            "no-contexts",
            f"weights need a matrix of at least one context, not one of shape {given.shape}",
        )
    n = given.shape[0] if used is None else used.size
    out: Vectors = engine.empty((n, given.shape[1]), given.dtype)
    bad: list[IntArray] = []
    for here in engine.blocks_of_rows(out):
        np.multiply(
            given[here] if used is None else given[used[here]],
            given.dtype.type(factor),
            out=out[here],
        )
        out[here] += given.dtype.type(0.0)
        bad.append(np.flatnonzero(~np.isfinite(out[here]).all(axis=1)) + here.start)
    odd = np.concatenate(bad)
    if odd.size:
        raise ComputeError(
            "contexts-not-finite",
            f"{odd.size} of {n} vectors hold NaN or infinity, first row {odd[0]}",
            next_step="check the embedding file or clear the embedding cache",
        )
    return out


def merge_duplicates(
    contexts: Blocks | Any, duplicates: IntArray | None
) -> tuple[IntArray, IntArray]:
    """Items that are one point: cells int64 (m,) and the first item of each cell int64 (n_cells,).

    Two items are one if their float32 vectors are equal byte for byte or ``duplicates`` (int64
    (m,), equal label = equal prompt and text; -1 = no label) says so; both relations are closed
    transitively. Cells are numbered in the order of their first items.
    """
    blocks = contexts if isinstance(contexts, tuple) else checked_blocks(contexts)
    joined = blocks[0].spread(_equal_rows(blocks[0].rows))
    for b in blocks[1:]:
        other = b.spread(_equal_rows(b.rows))
        joined = np.unique(joined * (other.max() + 1) + other, return_inverse=True)[1]
    return joined_cells(joined, duplicates)


def joined_cells(cells: IntArray, *labels: IntArray | None) -> tuple[IntArray, IntArray]:
    """``cells`` (int64 (m,)) coarsened: items of one cell, or with an equal label >= 0 of one of
    the ``labels``, are in one cell, transitively. Returned as by ``merge_duplicates``.
    """
    for given in labels:
        if given is None:
            continue
        known = np.asarray(given, dtype=np.int64)
        if known.shape != cells.shape:
            raise ValueError(f"labels have shape {known.shape}, expected {cells.shape}")
        cells = _join(cells, known)
    cells = contiguous(cells)
    return cells, np.unique(cells, return_index=True)[1].astype(np.int64)


def _equal_rows(rows: Vectors) -> IntArray:
    """Labels of rows that are equal byte for byte in float32."""
    return distinct_rows(rows.astype(np.float32, copy=False))[1]


def _join(a: IntArray, b: IntArray) -> IntArray:
    """Components of the bipartite graph of the labels a and b (b = -1 is no label)."""
    known = b >= 0
    _, b_index = np.unique(b[known], return_inverse=True)
    n_a, n_b = int(a.max()) + 1, int(b_index.max(initial=-1)) + 1
    out: IntArray = connected(n_a + n_b, a[known], n_a + b_index)[a]
    return out


def capped(share: FloatArray, empty: BoolArray | None) -> FloatArray:
    """Items without content get at most the mean share of those that have some, and so at most
    the average weight: an outlier in space that says nothing is no more than any other answer."""
    if empty is None or empty.all() or not empty.any():
        return share
    return np.where(empty, np.minimum(share, share[~empty].mean()), share)


def known_weights(
    method: str, values: FloatArray, cells: IntArray, settings: Mapping[str, Any]
) -> Weights:
    """Weights without sampling error, from unnormalised ``values`` >= 0 (m,)."""
    weights = values / values.sum()
    m = weights.shape[0]
    n_cells = int(cells.max()) + 1
    effective = 1.0 / float(np.sum(weights**2))
    uniform = m > 1 and float(np.abs(weights - 1.0 / m).max()) <= 1e-9 / m
    cautions = {"collapsed": effective < COLLAPSED_BELOW * m, "equals-uniform": uniform}
    return Weights(
        method=method,
        space=None,
        weights=weights,
        standard_error=np.zeros(m),
        cells=cells,
        hits=None,
        n_samples=0,
        precision=0.0,
        max_relative_error=0.0,
        reached=True,
        effective_number=effective,
        effective_number_corrected=effective,
        zero_share=float(np.mean(weights == 0)),
        zero_upper_bound=0.0,
        n_cells=n_cells,
        n_merged=m - n_cells,
        outside_share=0.0,
        cautions=tuple(slug for slug, holds in cautions.items() if holds),
        settings=settings,
    )
