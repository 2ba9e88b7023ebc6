"""[CR] Figures 1 and 2: three points in the unit square, and what a near-clone does to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray
from cr_audit.simulate.planar import planar_cells, planar_weights
from cr_audit.weights.voronoi import voronoi_weights

POINTS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
CLONED = 2
CLONE_DISTANCES = (0.1, 0.01, 0.001, 1e-4)
N_SAMPLES = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """points float64 (m, 2); cells : corners of each cell; exact, sampled, standard_error :
    float64 (m,), the weight of each point from its cell's area and from ``n_samples`` draws.
    """

    title: str
    points: FloatArray
    cells: tuple[FloatArray, ...]
    exact: FloatArray
    sampled: FloatArray
    standard_error: FloatArray
    n_samples: int


@dataclass(frozen=True, slots=True)
class CloneStep:
    """The clone at ``distance``: exact weight of the cloned point, of its clone, and of both."""

    distance: float
    original: float
    clone: float
    both: float


@dataclass(frozen=True, slots=True, eq=False)
class VoronoiFigures:
    """The two figures, and the pair's weights as the clone of Figure 2 comes nearer. without_clone
    : the exact weight of the cloned point in Figure 1, to which ``both`` tends."""

    figures: tuple[Figure, ...]
    steps: tuple[CloneStep, ...]
    without_clone: float


def voronoi_figures(*, n_samples: int = N_SAMPLES, rng: np.random.Generator) -> VoronoiFigures:
    """Exact areas beside the Monte-Carlo estimate of the paper's size (Appendix I.4: 100,000).

    Source: [CR] Figures 1 and 2, Definition 4.1, S = [0, 1]².
    """
    clone = _with_clone(CLONE_DISTANCES[0])
    first, second = rng.spawn(2)
    steps = []
    for distance in CLONE_DISTANCES:
        w = planar_weights(_with_clone(distance))
        pair = float(w[CLONED]), float(w[-1])
        steps.append(CloneStep(distance, pair[0], pair[1], sum(pair)))
    return VoronoiFigures(
        figures=(
            _figure("Figure 1", np.array(POINTS), n_samples, first),
            _figure("Figure 2", clone, n_samples, second),
        ),
        steps=tuple(steps),
        without_clone=float(planar_weights(POINTS)[CLONED]),
    )


def _with_clone(distance: float) -> FloatArray:
    moved = np.array(POINTS[CLONED]) - np.array([distance, 0.0])
    return np.vstack([POINTS, moved])


def _figure(title: str, points: FloatArray, n: int, rng: np.random.Generator) -> Figure:
    found = voronoi_weights(points, space="unit-cube", precision=1.0, min_samples=n, rng=rng)
    return Figure(
        title=title,
        points=points,
        cells=tuple(planar_cells(points)),
        exact=planar_weights(points),
        sampled=found.weights,
        standard_error=found.standard_error,
        n_samples=found.n_samples,
    )
