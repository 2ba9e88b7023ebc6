"""Simulated populations whose rewards are known, and how comparisons are drawn from them.

A vote of annotator t on x against y is a tie with probability ``ties``, else x wins with
probability σ(r(x) - r(y) + u_t(x) - u_t(y)), u_t ~ N(0, ``noise``² I). The truth is the fit to the
exact proportions E_t of the pairs that were drawn, with the exact weights: what infinitely many
votes on those pairs would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from cr_audit.arrays import Comparisons, FloatArray, IntArray, Proportions
from cr_audit.models.rewards.bootstrap import WeightDraw, multinomial_weights

Graph = Literal["complete", "star", "sparse", "once"]
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(40)


@dataclass(frozen=True, slots=True)
class Design:
    """``graph``: "sparse" is a ring plus random chords (3 m pairs, or all), drawn per data set;
    "once" compares every pair exactly once. ``annotators`` 0: every vote by itself. ``hits``:
    samples behind the Monte-Carlo weights, 0 for exact ones. ``spread``: sd of the true rewards.
    """

    name: str
    m: int
    n: int
    graph: Graph = "complete"
    spread: float = 1.0
    ties: float = 0.0
    annotators: int = 0
    noise: float = 0.0
    hits: int = 0
    last: bool = False  # looked at only when the method was settled


DESIGNS = (
    Design("3 items, complete", 3, 400),
    Design("3 items, complete, 20 % ties", 3, 20_000, ties=0.2),
    Design("10 items, complete", 10, 400),
    Design("10 items, complete, wide rewards", 10, 4_000, spread=2.0),
    Design("10 items, star", 10, 1_000, "star"),
    Design("10 items, Monte-Carlo weights", 10, 4_000, hits=1_000),
    Design("10 items, 40 annotators", 10, 4_000, annotators=40, noise=0.5),
    Design("10 items, 10 annotators", 10, 4_000, annotators=10, noise=0.5),
    Design("50 items, sparse", 50, 3_000, "sparse"),
    Design("50 items, every pair once", 50, 1_225, "once"),
    Design("10 items, sparse, ties, wide rewards", 10, 800, "sparse",
           spread=1.5, ties=0.3, last=True),
    Design("30 items, sparse, 15 annotators, Monte-Carlo weights", 30, 6_000, "sparse",
           annotators=15, noise=0.7, hits=3_000, last=True),
    Design("50 items, star, 20,000", 50, 20_000, "star", last=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    rows: Comparisons
    clusters: IntArray | None
    weights: FloatArray  # as estimated
    exact_weights: FloatArray
    draw: WeightDraw | None
    population: Proportions  # exact proportions of the pairs that were drawn

    @property
    def uniform(self) -> FloatArray:
        return np.full(self.rows.n_items, 1.0 / self.rows.n_items)


def clone_weights(m: int) -> FloatArray:
    """The last third are clones of one item and share its weight."""
    k = max(2, m // 3)
    w = np.ones(m)
    w[m - k :] = 1.0 / k
    out: FloatArray = w / w.sum()
    return out


def pairs_of(design: Design, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    m = design.m
    if design.graph == "star":
        return np.zeros(m - 1, np.int64), np.arange(1, m)
    if design.graph == "sparse":
        ring = np.stack([np.arange(m), (np.arange(m) + 1) % m])
        a, b = rng.integers(m, size=(2, 2 * m))
        both = np.concatenate([ring, np.stack([a, b])[:, a != b]], axis=1)
        low, high = both.min(axis=0), both.max(axis=0)
        key = np.unique(low * m + high)
        return key // m, key % m
    first, second = np.triu_indices(m, 1)
    return first.astype(np.int64), second.astype(np.int64)


def expected(design: Design, gap: FloatArray) -> FloatArray:
    """Exact p of a pair: ties count half, annotators' tastes are integrated out."""
    scale = np.sqrt(2.0) * design.noise if design.annotators else 0.0
    won = expit(gap[:, None] + scale * _NODES) @ (_NODE_WEIGHTS / _NODE_WEIGHTS.sum())
    p: FloatArray = design.ties / 2 + (1 - design.ties) * won
    return p


def sample(design: Design, rng: np.random.Generator) -> Sample:
    m = design.m
    reward = design.spread * rng.normal(size=m)
    first, second = pairs_of(design, rng)
    k = first.shape[0]
    pair = np.arange(k) if design.graph == "once" else rng.integers(k, size=design.n)
    x, y = first[pair], second[pair]
    gap = (reward[x] - reward[y]).astype(np.float64)
    who = np.full(pair.size, -1)
    if design.annotators:
        who = rng.integers(design.annotators, size=pair.size)
        taste = design.noise * rng.normal(size=(design.annotators, m))
        gap += taste[who, x] - taste[who, y]
    outcome = (rng.random(pair.size) < expit(gap)).astype(np.float64)
    outcome[rng.random(pair.size) < design.ties] = 0.5
    rows = Comparisons.of(m, x, y, outcome, annotator=who)
    seen = rows.proportions()
    p = expected(design, reward[seen.first] - reward[seen.second])
    exact = clone_weights(m)
    weights, draw = exact, None
    if design.hits:
        weights = rng.multinomial(design.hits, exact) / design.hits
        draw = multinomial_weights(weights, design.hits)
    return Sample(
        rows=rows,
        clusters=rows.annotator if design.annotators else None,
        weights=weights,
        exact_weights=exact,
        draw=draw,
        population=Proportions(m, seen.first, seen.second, p, seen.mass),
    )
