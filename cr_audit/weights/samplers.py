"""How cells are measured: the samplers of ``voronoi_weights`` and which of them is taken.

Each has a file and a line below. "auto" takes the first, in the order of the lines, that reaches
the precision within its budget; where none does, the one that comes nearest to it. The choice
depends on the input alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from cr_audit.arrays import IntArray
from cr_audit.registry import Registry
from cr_audit.weights.conditioned import Conditioned, Design
from cr_audit.weights.per_draw import PerDraw
from cr_audit.weights.sampling import Plan, count_hits, plan
from cr_audit.weights.spaces import Scores

AUTO, PLAIN = "auto", "plain"
LONGER = 5.0
"""Times ``max_products`` that a sampler may cost which gives more than hits (reckoned in the time
that plain hits take for as many multiplications)."""

MOST_NUMBERS = 1 << 28
"""Coordinates of all items together up to which conditional probabilities are tried, which hold
them three times, the longest first: 1 GiB each. Of so many items (350,000 of 768 coordinates) more
compete than can be asked in any time unless a few hold nearly all the space."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """precision, min_samples, max_products : as ``voronoi_weights`` has them."""

    precision: float
    min_samples: int
    max_products: float
    workers: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What a sampler found of u cells: hits, int64 (u,), or what each draw said; n : samples;
    settings : its own."""

    hits: IntArray | None
    per_draw: PerDraw | None
    n: int
    settings: Mapping[str, Any] = field(default_factory=dict)


class Ready(Protocol):
    """A sampler that knows its input."""

    @property
    def error(self) -> float:
        """Expected relative error of a cell of average mass, within the budget."""
        ...

    def sample(self, rng: np.random.Generator) -> Sampled: ...


class Sampler(Protocol):
    """One way to measure cells. name : as settings echo it."""

    name: str

    def ready(self, scores: Scores, wanted: Wanted, rng: np.random.Generator) -> Ready:
        """rng : for a pilot run."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _PlainReady:
    scores: Scores
    schedule: Plan
    wanted: Wanted

    @property
    def error(self) -> float:
        return math.sqrt((self.scores.n_points - 1) / self.schedule.n_samples)

    def sample(self, rng: np.random.Generator) -> Sampled:
        hits = count_hits(self.scores, self.schedule, workers=self.wanted.workers, rng=rng)
        return Sampled(hits, None, int(hits.sum()))


class Plain:
    """Hits (``sampling``): exact enough, and fastest, where items are few."""

    name = PLAIN

    def ready(self, scores: Scores, wanted: Wanted, rng: np.random.Generator) -> Ready:
        n = max(wanted.min_samples, math.ceil(scores.n_points / wanted.precision**2))
        return _PlainReady(scores, plan(scores, n, wanted.max_products), wanted)


@dataclass(frozen=True, slots=True, eq=False)
class _Never:
    error = math.inf

    def sample(self, rng: np.random.Generator) -> Sampled:
        raise ValueError("this space, or so many items, are not for this sampler")


@dataclass(frozen=True, slots=True, eq=False)
class _ConditionedReady:
    cells: Conditioned
    design: Design

    @property
    def error(self) -> float:
        return self.design.error

    def sample(self, rng: np.random.Generator) -> Sampled:
        per_draw, left_out = self.cells.estimate(self.design, rng.spawn(1)[0])
        return Sampled(
            None,
            per_draw,
            2 * self.design.n_draws,
            {"n_competitors": self.design.n_competitors, "left_out": left_out},
        )


class ConditionedDraws:
    """Conditional probabilities (``conditioned``), on the sphere."""

    name = "conditioned"

    def ready(self, scores: Scores, wanted: Wanted, rng: np.random.Generator) -> Ready:
        if not scores.gaussian or scores.offsets is not None or scores.n_points < 2:
            return _Never()
        if scores.n_points * scores.n_coordinates > MOST_NUMBERS:
            return _Never()
        most = LONGER * wanted.max_products
        if Conditioned.least_cost(scores) > most:
            return _Never()
        cells = Conditioned.of(scores, wanted.workers)
        design = cells.design(wanted.precision, most, rng)
        return _ConditionedReady(cells, design) if design.cost <= most else _Never()


SAMPLERS: Registry[Sampler] = Registry("sampler of Voronoi cells")
SAMPLERS.register(PLAIN, Plain())
SAMPLERS.register("conditioned", ConditionedDraws())


def chosen(
    sampler: str, scores: Scores, wanted: Wanted, rng: np.random.Generator
) -> tuple[str, Ready]:
    """The sampler that was asked for, by its name, or for ``AUTO`` the one taken.

    Pilot runs draw from streams that are spawned off, so that ``rng`` gives what it would have.
    """
    names = SAMPLERS.names if sampler == AUTO else (sampler,)
    best: tuple[str, Ready] | None = None
    for name in names:
        ready = SAMPLERS.get(name).ready(scores, wanted, rng.spawn(1)[0])
        if best is None or ready.error < best[1].error:
            best = name, ready
        if ready.error <= wanted.precision:
            break
    assert best is not None
    return best
