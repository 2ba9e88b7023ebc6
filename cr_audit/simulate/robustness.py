"""How fast the rewards settle as a clone comes nearer: [CR] Theorems 3.2 and 4.2 as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, Proportions
from cr_audit.models.rewards.objective import certificate
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.simulate.planar import planar_weights
from cr_audit.simulate.populations import preference_matrix

EPSILONS = (0.05, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
SLOPE_BELOW = 1e-3
"""The slope is taken over the distances up to this one, where the rate has set in."""


@dataclass(frozen=True, slots=True)
class Example:
    """Points in [0, 1]² with types of annotators whose rewards are linear in the coordinates; the
    clone of point ``cloned`` stands at ``direction`` times ε from it (a unit vector)."""

    name: str
    points: tuple[tuple[float, float], ...]
    cloned: int
    direction: tuple[float, float]
    shares: tuple[float, ...]
    slopes: tuple[tuple[float, float], ...]
    penalty: float

    @property
    def lipschitz(self) -> float:
        """K: the largest change of a type's reward per unit of distance."""
        return float(np.linalg.norm(self.slopes, axis=1).max())


_TWO_TYPES = ((4.0, 1.0), (-3.0, 2.0))
EXAMPLES = (
    Example(
        "three corners",
        ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),
        2,
        (-1.0, 0.0),
        (0.4, 0.3, 0.3),
        ((6.0, -2.0), (-5.0, 3.0), (1.0, 4.0)),
        0.1,
    ),
    Example(
        "inside the square",
        ((0.2, 0.3), (0.8, 0.2), (0.5, 0.8), (0.6, 0.6)),
        1,
        (0.6, 0.8),
        (0.55, 0.45),
        _TWO_TYPES,
        0.1,
    ),
    Example(
        "small penalty",
        ((0.2, 0.3), (0.8, 0.2), (0.5, 0.8)),
        0,
        (-1.0, 0.0),
        (0.55, 0.45),
        _TWO_TYPES,
        0.01,
    ),
)


@dataclass(frozen=True, slots=True)
class RateRow:
    """One clone at distance ``epsilon``. standard, weighted : the largest change of an old
    alternative's reward in either fit. certificate : (Kε/4 + ‖w₁ - w‖₁)/λ, w₁ the weights with the
    clone's added to the original's; it bounds ``weighted``.
    """

    epsilon: float
    standard: float
    weighted: float
    certificate: float
    weight_change: float


@dataclass(frozen=True, slots=True)
class ExampleRates:
    """slope_* : of log(shift) against log(ε) over ε <= 10⁻³. standard_limit : the standard shift
    of an exact clone, which the shifts of near ones tend to."""

    example: Example
    lipschitz: float
    rows: tuple[RateRow, ...]
    slope_standard: float
    slope_weighted: float
    standard_limit: float


@dataclass(frozen=True, slots=True)
class RobustnessRate:
    """How fast the rewards move as a clone moves away, in each example."""

    examples: tuple[ExampleRates, ...]


def robustness_rate() -> RobustnessRate:
    """Refit each example with a clone at each distance; exact preferences and exact weights.

    Source: [CR] Definition 3.1, Theorems 3.2 (3.1) and 4.2 (4.1). Deviation: the paper proves that
    the weighted shift is O(√ε); what is bounded and measured here is linear in ε.
    """
    return RobustnessRate(tuple(_rates(example) for example in EXAMPLES))


def _rates(example: Example) -> ExampleRates:
    rows = tuple(_row(example, e) for e in EPSILONS)
    small = [r for r in rows if r.epsilon <= SLOPE_BELOW]
    log_e = np.log([r.epsilon for r in small])

    def slope(values: list[float]) -> float:
        return float(np.polyfit(log_e, np.log(values), 1)[0])

    return ExampleRates(
        example=example,
        lipschitz=example.lipschitz,
        rows=rows,
        slope_standard=slope([r.standard for r in small]),
        slope_weighted=slope([r.weighted for r in small]),
        standard_limit=_row(example, 0.0).standard,
    )


def _rewards(example: Example, points: FloatArray, weights: FloatArray) -> FloatArray:
    p = preference_matrix(np.array(example.slopes) @ points.T, example.shares)
    pairs = Proportions.from_matrix(p)
    return fit_tabular(pairs, weights, penalty=example.penalty, tolerance=1e-13).rewards


def _row(example: Example, epsilon: float) -> RateRow:
    points = np.array(example.points)
    m, cloned = points.shape[0], example.cloned
    both = np.vstack([points, points[cloned] + epsilon * np.array(example.direction)])
    before, after = planar_weights(points), planar_weights(both)
    merged = after[:m].copy()
    merged[cloned] += after[m]
    change = float(np.abs(merged - before).sum())

    def moved(old: FloatArray, new: FloatArray) -> float:
        shift = _rewards(example, both, new)[:m] - _rewards(example, points, old)
        return float(np.abs(shift).max())

    return RateRow(
        epsilon=epsilon,
        standard=moved(np.full(m, 1 / m), np.full(m + 1, 1 / (m + 1))),
        weighted=moved(before, after),
        certificate=certificate(
            example.penalty,
            max_p_change=example.lipschitz * epsilon / 4,
            weight_change_l1=change,
        ),
        weight_change=change,
    )
