"""How far linear rewards move when comparisons and Monte-Carlo weights are drawn again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from cr_audit import engine
from cr_audit.arrays import Comparisons, FloatArray, IntArray, Proportions
from cr_audit.engine import one_blas_thread
from cr_audit.errors import ComputeError
from cr_audit.labels import cluster_labels, too_few_to_draw
from cr_audit.models.rewards.bootstrap import WeightDraw, rows_of_pairs
from cr_audit.models.rewards.linear import (
    LinearFit,
    Matrix,
    Rows,
    SharedContexts,
    factor,
    linear_hessian,
)

# Rows per BLAS call, and numbers of replicates times alternatives held at once. Both fixed, so that
# sums have one order whatever the number of workers.
BLOCK_ROWS = 2048
HELD = 32_000_000
KNOWN_AT_ONCE = 100
"""Replicates at once, at least, where no weights are redrawn: they hold 2 bytes a comparison each,
and every block of them looks at all differences of the pairs twice."""
N_STEPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class LinearBootstrap:
    """theta, centre : float64 (fits, replicates, d); rewards are (contexts - centre) @ theta.

    weights_drawn : per fit, whether its replicates hold the Monte-Carlo error of its weights.
    """

    theta: FloatArray
    centre: FloatArray
    weights_drawn: tuple[bool, ...]

    def predict(self, contexts: FloatArray) -> FloatArray:
        """Rewards float64 (fits, replicates, k) of contexts (k, d)."""
        # Not BLAS: its threads would change the last bits with the number of cores.
        level = np.einsum("fbd,fbd->fb", self.centre, self.theta)
        out: FloatArray = np.einsum("fbd,kd->fbk", self.theta, contexts) - level[..., None]
        return out


def bootstrap_linear(
    comparisons: Comparisons,
    contexts: Matrix | SharedContexts,
    fits: Sequence[LinearFit],
    *,
    n_replicates: int = 1000,
    clusters: IntArray | None = None,
    draw_weights: Sequence[WeightDraw | None] | None = None,
    n_steps: int = N_STEPS,
    workers: int | None = None,
    rng: np.random.Generator,
) -> LinearBootstrap:
    """Replicates of linear fits, all on the same resampled comparisons.

    ``n_steps`` Newton steps per replicate from the fit, all with the fit's Hessian H:

        θ ← θ + H⁻¹ [(1/κ*) Σ_c n_c w*(x) w*(y) s_c (v_c - σ(Δ(θ))) (c(x) - c(y)) - λ V* θ - ρ θ]

    over comparisons c of x and y that x won to the share v_c, drawn n_c times (s_c its share of its
    pair's mass, or its mass where counted), V* = Σ w* (c - c̄*)(c - c̄*)ᵀ, ρ the ridge. What redrawn
    weights w* act through:

    - the products w*(x) w*(y): of first order, and the largest part;
    - κ*, one number per replicate: of first order. It scales all of the data against the penalty;
      κ of the data is kept against the resampled comparisons, as in ``bootstrap_tabular``;
    - V*: of first order in w*. Of second order only through the centre, because Σ w (c - c̄) = 0;
    - c̄* in the rewards: of first order, the same for all alternatives: it moves rewards, not ranks.

    All four are in, exactly; what is left out is the change of H, which n steps leave an error of
    order n + 1 of. Measured against full refits in tests/unit/rewards/test_linear_bootstrap.py.

    draw_weights : per fit, what redraws its weights; None takes them as known. The result does not
    depend on ``workers``. Memory: 2 bytes per replicate and comparison, and 16 per replicate and
    alternative, in blocks of HELD.
    """
    data = _Data.of(comparisons, clusters)
    draws = tuple(draw_weights) if draw_weights is not None else (None,) * len(fits)
    if len(draws) != len(fits) or n_steps < 1:
        raise ValueError("draw_weights needs one entry per fit, and n_steps must be positive")
    shared = contexts if isinstance(contexts, SharedContexts) else SharedContexts(contexts)
    m, d = shared.values.shape
    shape = (len(fits), n_replicates, d)
    theta, centre = np.empty(shape), np.empty(shape)
    least = KNOWN_AT_ONCE if all(d is None for d in draws) else 1
    size = min(n_replicates, max(HELD // m, least))
    with one_blas_thread():
        fitted = [
            _Steps.of(data, shared, fit, draw, stream, workers)
            for fit, draw, stream in zip(fits, draws, rng.spawn(len(fits)), strict=True)
        ]
        for a in range(0, n_replicates, size):
            part = slice(a, min(a + size, n_replicates))
            counts = _counted(data.n_units, part.stop - a, rng)
            for f, steps in enumerate(fitted):
                theta[f, part], centre[f, part] = steps.take(counts, n_steps)
    return LinearBootstrap(theta, centre, tuple(d is not None for d in draws))


def _counted(n_units: int, n: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """How often each unit is drawn in each of n replicates, (units, n); 16 bits hold any count that
    a bootstrap of this size can produce."""
    counts = np.empty((n_units, n), np.uint16)
    for b in range(n):
        counts[:, b] = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)
    return counts


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Comparisons as the steps read them: ``low`` won to the share ``won``, drawn as ``unit``."""

    rows: Comparisons
    proportions: Proportions
    low: IntArray
    high: IntArray
    won: FloatArray
    pair: IntArray
    unit: IntArray
    n_units: int

    @classmethod
    def of(cls, rows: Comparisons, clusters: IntArray | None) -> _Data:
        proportions = rows.proportions()
        _, _, pair, won = rows_of_pairs(rows)
        unit = cluster_labels(clusters, rows.n)
        n_units = int(unit.max(initial=-1)) + 1
        if n_units < 2:
            raise too_few_to_draw("comparisons", clustered=clusters is not None)
        return cls(
            rows=rows,
            proportions=proportions,
            low=proportions.first[pair],
            high=proportions.second[pair],
            won=won,
            pair=pair,
            unit=unit,
            n_units=n_units,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """The steps of one fit's replicates, which stand in columns."""

    data: _Data
    shared: SharedContexts
    rows: Rows
    gram: FloatArray
    """Σ w (c - c̄)(c - c̄)ᵀ by the fit's weights."""
    fit: LinearFit
    solve: Callable[[FloatArray], FloatArray]
    draw: WeightDraw | None
    rng: np.random.Generator
    """Of the draws of weights."""

    @classmethod
    def of(
        cls,
        data: _Data,
        shared: SharedContexts,
        fit: LinearFit,
        draw: WeightDraw | None,
        rng: np.random.Generator,
        workers: int | None,
    ) -> _Steps:
        """Of a fit."""
        rows, gram = shared.centred(fit.weights, workers)
        solve = factor(linear_hessian(shared, data.proportions, fit, workers))
        return cls(data, shared, rows, gram, fit, solve, draw, rng)

    def take(self, counts: NDArray[np.uint16], n_steps: int) -> tuple[FloatArray, FloatArray]:
        """θ and centre, float64 (replicates, d) each; counts (units, replicates)."""
        fit, n, draw, rng = self.fit, counts.shape[1], self.draw, self.rng
        theta = np.repeat(fit.theta[:, None], n, axis=1)
        if draw is None:
            weights, rewards = fit.weights[:, None], fit.rewards[:, None]
            for step in range(n_steps):
                pull = self._pull(counts, weights, None if step else rewards, theta)
                gradient = fit.penalty * (self.gram @ theta) + fit.ridge * theta
                theta = theta + self.solve(pull - gradient)
            return theta.T, np.repeat(fit.centre[None], n, axis=0)
        weights = np.empty((fit.weights.shape[0], n))
        for b in range(n):
            weights[:, b] = draw(rng)
        # Contexts are centred at the fit's own mean, so this is how far the mean moves.
        moved = self.rows.transposed(weights)
        for step in range(n_steps):
            held = self.rows.times(theta) if step else fit.rewards[:, None]
            level = np.einsum("mb,mb->b", *np.broadcast_arrays(weights, held))
            size = self.rows.transposed(weights * held) - moved * level
            gradient = fit.penalty * size + fit.ridge * theta
            theta = theta + self.solve(self._pull(counts, weights, held, theta) - gradient)
        return theta.T, (fit.centre[:, None] + moved).T

    def _pull(
        self,
        counts: NDArray[np.uint16],
        weights: FloatArray,
        rewards: FloatArray | None,
        theta: FloatArray,
    ) -> FloatArray:
        """The data's part of the step, float64 (d, replicates). rewards : those of ``theta``, where
        they are known."""
        data, values = self.data, self.shared.values
        share = data.rows.mass.copy()
        if not self.fit.count_weighted:
            share /= data.proportions.mass[data.pair]
        pairs = data.proportions
        apart = self.shared.differences(pairs.first, pairs.second, self.rows.workers)
        used = np.arange(values.shape[1]) if apart is None else apart.used

        def part(span: slice) -> tuple[FloatArray, FloatArray]:
            low, high = data.low[span], data.high[span]
            if apart is None:
                x = np.subtract(values[low], values[high], dtype=np.float64)
            else:
                x = apart.values[data.pair[span]]
            delta = x @ theta[used] if rewards is None else rewards[low] - rewards[high]
            both = weights[low] * weights[high] * share[span, None]
            drawn = counts[data.unit[span]] * (both * (data.won[span, None] - expit(delta)))
            return x.T @ drawn, both.sum(axis=0)

        total, observed = np.zeros((used.size, counts.shape[1])), np.zeros(weights.shape[1])
        spans = engine.spans(data.rows.n, BLOCK_ROWS)
        found = engine.map(part, spans, workers=self.rows.workers, local=True)
        for block, mass in engine.forgetting(found):
            total += block
            observed += mass
        out = np.zeros_like(theta)
        if weights.shape[1] == 1:
            out[used] = total / self.fit.kappa
            return out
        if not np.all(observed > 0):
            raise ComputeError(
                "fit-no-weight",
                "redrawn weights are zero on every compared pair, so there is nothing to fit",
                next_step="use other weights: --weights sharing or --weights uniform",
            )
        possible = 1.0 - np.einsum("mb,mb->b", weights, weights)
        out[used] = total * (possible / (2.0 * observed))
        return out
