"""How far the rewards move when the comparisons are drawn again: bootstrap and sandwich.

Many replicates are solved as one system: b copies of the comparison graph side by side are a graph
of b components, and the solver of ``moments`` takes them in one pass, warm-started at the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from cr_audit import engine
from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable, Proportions
from cr_audit.engine import one_blas_thread
from cr_audit.engine.tails import norm, t
from cr_audit.labels import cluster_labels, too_few_to_draw
from cr_audit.models.rewards.moments import FitStatus, MomentSystem
from cr_audit.models.rewards.objective import kappa, moment_jacobian, pair_terms
from cr_audit.models.rewards.tabular import Fit

# On max |F|. Measured at λ = 0.01: rewards are off by 1e-5 (rms) where their spread is 0.3.
TOLERANCE = 1e-5
# Pairs (or items) solved in one pass; measured, benchmarks/README.md "Refit".
BLOCK = 100_000
# The sandwich needs a dense m x m covariance; above this it would not fit a laptop.
SANDWICH_LIMIT = 4000

WeightDraw = Callable[[np.random.Generator], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """Replicates of one or more fits on the same resampled comparisons.

    rewards : float64 (fits, replicates, m); NaN where an alternative lost all its comparisons.
    n_units : how many things were drawn with replacement (comparisons or clusters).
    n_effective : how many equal clusters these are worth, see ``effective_units``.
    n_not_converged : replicates above the tolerance, per fit; they are kept.
    """

    rewards: FloatArray
    n_units: int
    n_effective: float
    clustered: bool
    weights_drawn: tuple[bool, ...]
    n_not_converged: tuple[int, ...]
    tolerance: float

    @property
    def n_replicates(self) -> int:
        """Number of replicates."""
        return int(self.rewards.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class _Units:
    """What is drawn: pair x unit matrices of mass and of mass won by ``first``."""

    mass: sp.csr_array
    won: sp.csr_array
    multiplicity: IntArray  # comparisons behind a unit, where units are cells of equal rows
    total: int

    def draw(self, n_replicates: int, rng: np.random.Generator) -> FloatArray:
        """Counts float64 (units, replicates), each column summing to ``total``."""
        n = self.multiplicity.shape[0]
        out = np.empty((n, n_replicates))
        for b in range(n_replicates):
            if n == self.total:
                out[:, b] = np.bincount(rng.integers(n, size=n), minlength=n)
            else:
                out[:, b] = rng.multinomial(self.total, self.multiplicity / self.total)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class MultinomialWeights:
    """Redraws Monte-Carlo weights: float64 (m,) per call, see ``multinomial_weights``.

    cell : int64 (m,), the sampled cell of each item; mass : float64 (cells,), as it was estimated;
    share : float64 (m,), an item's part of its cell.
    """

    n_samples: int
    cell: IntArray
    mass: FloatArray
    share: FloatArray

    def __call__(self, rng: np.random.Generator) -> FloatArray:
        hits = rng.multinomial(self.n_samples, self.mass / self.mass.sum()) / self.n_samples
        out: FloatArray = hits[self.cell] * self.share
        return out


def multinomial_weights(
    weights: FloatArray, n_samples: int, *, groups: IntArray | None = None
) -> MultinomialWeights:
    """Redraws Monte-Carlo weights: cell counts of ``n_samples`` points are multinomial.

    groups : int64 (m,), items that share one sampled cell (merged duplicates), -1 for items alone;
    a group's mass is redrawn as one cell and split in the shares that ``weights`` has.
    """
    m = weights.shape[0]
    labels = np.full(m, -1, np.int64) if groups is None else groups
    cell = cluster_labels(labels, m)
    mass: FloatArray = np.bincount(cell, weights=weights).astype(np.float64, copy=False)
    members = np.bincount(cell)[cell]
    share = np.divide(weights, mass[cell], out=1.0 / members, where=mass[cell] > 0)
    return MultinomialWeights(n_samples, cell, mass, share)


def bootstrap_tabular(
    comparisons: Comparisons,
    fits: Sequence[Fit],
    *,
    n_replicates: int = 1000,
    clusters: IntArray | None = None,
    draw_weights: Sequence[WeightDraw | None] | None = None,
    tolerance: float = TOLERANCE,
    workers: int | None = None,
    rng: np.random.Generator,
) -> Bootstrap:
    """Refit ``fits`` (on the same rows) to ``n_replicates`` resamples of the comparisons.

    clusters : int64 (n,), the annotator or prompt of each comparison; whole clusters are drawn. A
    negative label is a cluster by itself. None draws single comparisons.
    draw_weights : per fit, what redraws its weights in each replicate (``multinomial_weights``).
    The result does not depend on ``workers``. Memory: fits x replicates x m numbers, and per
    worker about 20 arrays of max(BLOCK, pairs) numbers.

    A resampled pair has strength M*/M (its resampled over its own mass), and κ stays that of the
    data. Were strength 1 as soon as a pair is drawn, a pair that was compared once would count the
    same drawn once or three times, and on data whose pairs are rarely repeated the bootstrap
    variance would be 0.58 of the truth (Poisson counts: P(0)/(1 - P(0)) with P(0) = 1/e).

    Raises ComputeError ``bootstrap-one-cluster`` where fewer than two units can be drawn.
    """
    first, _, pair, won = rows_of_pairs(comparisons)
    units = _units(comparisons, pair, won, clusters, first.shape[0])
    if units.total < 2:
        raise too_few_to_draw("comparisons", clustered=clusters is not None)
    draws = tuple(draw_weights) if draw_weights is not None else (None,) * len(fits)
    if len(draws) != len(fits):
        raise ValueError("draw_weights needs one entry per fit")
    m = comparisons.n_items
    size = max(1, min(n_replicates, BLOCK // max(first.shape[0], m, 1)))
    blocks = engine.spans(n_replicates, size)
    out = np.empty((len(fits), n_replicates, m))
    missed = np.zeros((len(blocks), len(fits)), dtype=np.int64)
    problem = _Problem(comparisons.proportions(), units, tuple(fits), draws, tolerance, size)
    found = engine.map(problem.solve, blocks, rng=rng, workers=workers)
    for k, (block, solved) in enumerate(zip(blocks, found, strict=True)):
        for f, (rewards, n_missed) in enumerate(solved):
            out[f, block] = rewards
            missed[k, f] = n_missed
    return Bootstrap(
        rewards=out,
        n_units=units.total,
        n_effective=effective_units(comparisons, clusters),
        clustered=clusters is not None,
        weights_drawn=tuple(d is not None for d in draws),
        n_not_converged=tuple(int(x) for x in missed.sum(axis=0)),
        tolerance=tolerance,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    proportions: Proportions
    units: _Units
    fits: tuple[Fit, ...]
    draws: tuple[WeightDraw | None, ...]
    tolerance: float
    block: int
    whole: engine.PerWorker[MomentSystem] = field(init=False)

    def __post_init__(self) -> None:
        # A system has scratch space of its own: each worker keeps one, of the size of most blocks.
        object.__setattr__(self, "whole", engine.PerWorker(partial(self.system, self.block)))

    def system(self, size: int) -> MomentSystem:
        """``size`` copies of the comparison graph side by side."""
        m = self.proportions.n_items
        offset = m * np.arange(size)[:, None]
        first, second = self.proportions.first + offset, self.proportions.second + offset
        return MomentSystem(size * m, first.ravel(), second.ravel())

    def solve(self, block: slice, rng: np.random.Generator) -> list[tuple[FloatArray, int]]:
        """The block's replicates of every fit, and how many did not reach the tolerance."""
        size = block.stop - block.start
        system = self.whole.get() if size == self.block else self.system(size)
        proportions = self.proportions
        m, k = proportions.n_items, proportions.first.shape[0]
        counts = self.units.draw(size, rng)
        mass = np.ascontiguousarray(np.asarray(self.units.mass @ counts).T)
        won = np.ascontiguousarray(np.asarray(self.units.won @ counts).T)
        p = np.divide(won, mass, out=np.full((size, k), 0.5), where=mass > 0).ravel()
        seen = np.bincount(system.first, mass.ravel(), size * m)
        seen += np.bincount(system.second, mass.ravel(), size * m)
        out = []
        for fit, draw in zip(self.fits, self.draws, strict=True):
            weights = (
                np.tile(fit.weights, (size, 1))
                if draw is None
                else np.stack([draw(rng) for _ in range(size)])
            )
            norm = np.full(size, fit.kappa)
            if draw is not None:
                norm[:] = [
                    kappa(proportions, w, count_weighted=fit.count_weighted) for w in weights
                ]
            base = mass if fit.count_weighted else mass / proportions.mass
            solved = system.solve(
                p,
                (base / norm[:, None]).ravel(),
                weights.ravel(),
                fit.penalty,
                start=np.tile(np.nan_to_num(fit.rewards), size),
                tolerance=self.tolerance,
            )
            rewards = np.where(seen > 0, solved.rewards, np.nan).reshape(size, m)
            out.append((rewards, 0 if solved.status is FitStatus.CONVERGED else size))
        return out


def rows_of_pairs(rows: Comparisons) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Sorted unordered pairs, the pair of each row, and the share that ``first`` won."""
    swap = rows.winner > rows.loser
    low, high = np.where(swap, rows.loser, rows.winner), np.where(swap, rows.winner, rows.loser)
    unique, pair = np.unique(low * np.int64(rows.n_items) + high, return_inverse=True)
    won = np.where(swap, 1.0 - rows.outcome, rows.outcome)
    return unique // rows.n_items, unique % rows.n_items, pair, won


def _units(
    rows: Comparisons, pair: IntArray, won: FloatArray, clusters: IntArray | None, n_pairs: int
) -> _Units:
    if clusters is None:
        # Rows of one pair with equal outcome and mass are exchangeable: draw how many of each.
        cells, unit, size = np.unique(
            np.stack([pair.astype(np.float64), won, rows.mass]),
            axis=1,
            return_inverse=True,
            return_counts=True,
        )
        if 4 * cells.shape[1] < rows.n:
            at = cells[0].astype(np.int64)
            span = np.arange(at.shape[0])
            shape = (n_pairs, at.shape[0])
            return _Units(
                sp.csr_array((cells[2], (at, span)), shape=shape),
                sp.csr_array((cells[2] * cells[1], (at, span)), shape=shape),
                size.astype(np.int64),
                rows.n,
            )
        unit, n_units = np.arange(rows.n), rows.n
    else:
        labels = np.asarray(clusters, dtype=np.int64)
        if labels.shape != (rows.n,):
            raise ValueError(f"clusters have shape {labels.shape}, expected ({rows.n},)")
        unit = cluster_labels(labels, rows.n)
        n_units = int(unit.max(initial=-1)) + 1
    shape = (n_pairs, n_units)
    return _Units(
        sp.csr_array((rows.mass, (pair, unit)), shape=shape),
        sp.csr_array((rows.mass * won, (pair, unit)), shape=shape),
        np.ones(n_units, dtype=np.int64),
        n_units,
    )


def effective_units(comparisons: Comparisons, clusters: IntArray | None) -> float:
    """(Σ mass)²/Σ mass² over the clusters; the number of comparisons where ``clusters`` is None."""
    if clusters is None:
        return float(comparisons.n)
    alone = clusters < 0
    mass = np.bincount(clusters[~alone], weights=comparisons.mass[~alone])
    square = float((mass**2).sum() + (comparisons.mass[alone] ** 2).sum())
    return float(comparisons.mass.sum()) ** 2 / square


def units_by_component(
    comparisons: Comparisons, clusters: IntArray | None, components: IntArray
) -> FloatArray:
    """``effective_units`` of each item's component, float64 (m,); 0 where there is none.

    components : int64 (m,), -1 without data; both sides of a comparison share theirs.
    """
    of = components[comparisons.winner]
    unit = np.arange(comparisons.n) if clusters is None else cluster_labels(clusters, comparisons.n)
    span = int(unit.max(initial=-1)) + 1
    mass = np.ones(comparisons.n) if clusters is None else comparisons.mass
    cell, inverse = np.unique(of * np.int64(span) + unit, return_inverse=True)
    each = np.bincount(inverse, weights=mass)
    part, n = cell // max(span, 1), int(components.max(initial=-1)) + 1
    total = np.bincount(part, weights=each, minlength=n)
    square = np.bincount(part, weights=each**2, minlength=n)
    worth = np.append(total**2 / np.maximum(square, np.finfo(np.float64).tiny), 0.0)
    out: FloatArray = worth[components]
    return out


def expanded_level(level: float, n_units: float) -> float:
    """The level at which percentile intervals of few resampled units hold ``level``.

    1 - 2 Φ(-√(n/(n-1)) t), t the quantile 1 - (1 - level)/2 of Student's t with n - 1 degrees of
    freedom: resampling n units gives (n-1)/n of their variance, and n units know it only so well.
    0.947 for 0.9 and 10 units, 0.910 for 40, 0.9 in the limit. n_units > 1, else 1 is returned.

    Source: Hesterberg (2015), "expanded percentile interval". Deviation: n may be an effective
    number of unequal clusters.
    """
    if n_units <= 1.0:
        return 1.0
    half = float(t.ppf(0.5 + level / 2.0, n_units - 1.0))
    return 1.0 - 2.0 * float(norm.sf(np.sqrt(n_units / (n_units - 1.0)) * half))


def normal_interval(
    estimate: FloatArray, error: FloatArray, level: float, n_units: float
) -> FloatArray:
    """estimate ± √(n/(n-1)) t · error, float64 (..., 2); NaN where the error is, or n ≤ 1.

    t : the quantile 1 - (1 - level)/2 of Student's t with n - 1 degrees of freedom, as in
    ``expanded_level``: n clusters give (n-1)/n of their variance and know it only so well.
    """
    if not 0 < level < 1:
        raise ValueError(f"the confidence level must lie in (0, 1), got {level!r}")
    half = np.full(np.shape(error), np.nan)
    if n_units > 1.0:
        wide = float(t.ppf(0.5 + level / 2.0, n_units - 1.0)) / np.sqrt(1.0 - 1.0 / n_units)
        half = wide * np.asarray(error)
    out: FloatArray = np.stack([estimate - half, estimate + half], axis=-1)
    return out


def percentile_interval(replicates: FloatArray, level: float) -> FloatArray:
    """Equal-tailed percentile interval over axis 0, float64 (..., 2); NaN where all are NaN.

    level : in (0, 1]; at 1, where ``expanded_level`` ends for hardly more than one unit, the range.
    """
    if not 0 < level <= 1:
        raise ValueError(f"the confidence level must lie in (0, 1], got {level!r}")
    tail = 0.5 * (1.0 - level)
    if replicates.ndim == 1:
        single: FloatArray = percentile_interval(replicates[:, None], level)[0]
        return single
    out = np.full((*replicates.shape[1:], 2), np.nan)
    some = ~np.all(np.isnan(replicates), axis=0)
    holes = np.any(np.isnan(replicates), axis=0)  # nanquantile is a loop; keep it for these
    whole, part = ~holes, some & holes
    out[whole] = np.quantile(replicates[:, whole], [tail, 1.0 - tail], axis=0).T
    if part.any():
        out[part] = np.nanquantile(replicates[:, part], [tail, 1.0 - tail], axis=0).T
    return out


def pair_scores(
    comparisons: Comparisons,
    rewards: FloatArray,
    weights: FloatArray,
    *,
    count_weighted: bool,
    normaliser: float,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Of each comparison its pair x < y, int64 (n,), and g float64 (n,).

    g = s(x,y) (mass_c/M_xy) (v - σ(r(x) - r(y))), v the share that x won: w(y) g is what it adds
    to -F(x) of the moment system, and -w(x) g to -F(y).
    """
    first, second, pair, won = rows_of_pairs(comparisons)
    proportions = comparisons.proportions()
    terms = pair_terms(proportions, weights, count_weighted=count_weighted, normaliser=normaliser)
    excess = won - expit(rewards[first] - rewards[second])[pair]
    g = terms.strength[pair] * (comparisons.mass / proportions.mass[pair]) * excess
    return first[pair], second[pair], g


def score_rows(comparisons: Comparisons, fit: Fit, unit: IntArray, n_units: int) -> sp.csr_array:
    """Σ over the comparisons of each unit of what they add to -F at the fit: sparse (m, n_units).

    unit : int64 (n,). All columns together are λ r of the items with data, to the fit's tolerance.
    """
    r, w = np.nan_to_num(fit.rewards), fit.weights
    x, y, g = pair_scores(
        comparisons, r, w, count_weighted=fit.count_weighted, normaliser=fit.kappa
    )
    return sp.csr_array(
        (
            np.concatenate([w[y] * g, -w[x] * g]),
            (np.concatenate([x, y]), np.concatenate([unit, unit])),
        ),
        shape=(comparisons.n_items, n_units),
    )


def sandwich_covariance(
    comparisons: Comparisons, fit: Fit, *, clusters: IntArray | None = None
) -> FloatArray | NotApplicable:
    """Covariance of the rewards, float64 (m, m): J⁻¹ V J⁻ᵀ at the fit.

    V = Σ_c u_c u_cᵀ - (Σ u_c)(Σ u_c)ᵀ/G over the G comparisons (or clusters) c, where a comparison
    of x and y that x won to the share v has u(x) = w(y) g, u(y) = -w(x) g,
    g = s(x,y) (mass_c/M_xy) (v - σ(r(x) - r(y))). Rows and columns without data are NaN.
    Weights are taken as known: their Monte-Carlo error is in the bootstrap only.
    NotApplicable above 4,000 alternatives (a dense m x m matrix).
    """
    m = comparisons.n_items
    if m > SANDWICH_LIMIT:
        return NotApplicable(f"the sandwich needs {m} x {m} numbers; use the bootstrap")
    unit = cluster_labels(clusters, comparisons.n)
    n_units = int(unit.max(initial=-1)) + 1
    scores = score_rows(comparisons, fit, unit, n_units)
    terms = pair_terms(
        comparisons.proportions(),
        fit.weights,
        count_weighted=fit.count_weighted,
        normaliser=fit.kappa,
    )
    r, w = np.nan_to_num(fit.rewards), fit.weights
    total = np.asarray(scores.sum(axis=1))
    v = (scores @ scores.T).toarray() - np.outer(total, total) / n_units
    with one_blas_thread():
        jacobian = moment_jacobian(terms, w, r, fit.penalty).toarray()
        half = np.linalg.solve(jacobian, v)
        cov: FloatArray = np.linalg.solve(jacobian, half.T)
    cov = 0.5 * (cov + cov.T)
    cov[~fit.has_data] = np.nan
    cov[:, ~fit.has_data] = np.nan
    return cov
