"""Populations in which no weighting changes the order of two items, and planted changes.

On complete data with p(x≻y) = ½ + θ(x) - θ(y) both win rates are θ(x) plus a constant, whatever the
weights are: every mark is false. A planted change of Δ adds Δ (w(y) - 1/m)/Σ(w - 1/m)² to p(x≻y) of
some x: its average win rate stays, its weighted one moves by Δ. Where pairs are missing the true
order may change by itself; truth is always taken from the exact p of the pairs that were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Design:
    """votes : per pair, on average. share : effective number of the weights over m. spread : of θ,
    the range; 0.02 are near-ties. ties : share of ties. graph : "complete", "sparse" (each pair
    with probability 10/m, and a ring), "skewed" (votes a pair lognormal with log-sd 1.5). heavy :
    how the weights are uneven, "few" (k items share all but 1 %) or "lognormal". annotators : 0, or
    how many there are, with a taste of standard deviation ``taste`` for each item. planted : Δ of a
    tenth of the items (at least one)."""

    name: str
    m: int
    votes: float
    share: float
    spread: float = 0.4
    ties: float = 0.0
    graph: str = "complete"
    heavy: str = "lognormal"
    annotators: int = 0
    taste: float = 0.1
    planted: float = 0.0


NULLS = (
    Design("3 items, 30 votes a pair, share .5", 3, 30, 0.5),
    Design("3 items, 1,000 votes a pair, share .5", 3, 1000, 0.5),
    Design("10 items, 1 vote a pair, share .15", 10, 1, 0.15),
    Design("10 items, 10 votes a pair, share .15, near-ties", 10, 10, 0.15, spread=0.02),
    Design("10 items, 100 votes a pair, share .15, few heavy", 10, 100, 0.15, heavy="few"),
    Design("10 items, 30 votes a pair, share 1", 10, 30, 1.0),
    Design("30 items, 1 vote a pair, share .05", 30, 1, 0.05),
    Design("30 items, 1 vote a pair, share .05, few heavy", 30, 1, 0.05, heavy="few"),
    Design("30 items, 10 votes a pair, share .15", 30, 10, 0.15),
    Design("30 items, 10 votes a pair, share .15, near-ties", 30, 10, 0.15, spread=0.02),
    Design("30 items, 10 votes a pair, share .5", 30, 10, 0.5),
    Design("30 items, 10 votes a pair, share .15, 40 % ties", 30, 10, 0.15, ties=0.4),
    Design("30 items, skewed votes, share .15", 30, 10, 0.15, graph="skewed"),
    Design("30 items, 20 annotators, share .15", 30, 10, 0.15, annotators=20),
    Design("30 items, 40 annotators, share .15, near-ties", 30, 10, 0.15, spread=0.02,
           annotators=40),
    Design("10 items, 10 annotators, share .15", 10, 30, 0.15, annotators=10),
    Design("30 items, level under standard weights, a tenth moved by .2", 30, 30, 0.5,
           spread=0.0, planted=0.2),
    Design("60 items, sparse, 3 votes a pair, share .15", 60, 3, 0.15, graph="sparse"),
    Design("100 items, 1 vote a pair, share .15", 100, 1, 0.15),
    Design("100 items, 3 votes a pair, share .05, near-ties", 100, 3, 0.05, spread=0.02),
    Design("100 items, 1 vote a pair, share .05, few heavy", 100, 1, 0.05, heavy="few"),
    Design("300 items, 1 vote a pair, share .15", 300, 1, 0.15),
    Design("300 items, sparse, 1 vote a pair, share .5", 300, 1, 0.5, graph="sparse"),
)  # fmt: skip
PLANTED = tuple(
    Design(f"{m} items, {votes} votes a pair, share .5, planted {d}", m, votes, 0.5, planted=d)
    for m, votes in ((10, 300), (30, 30), (100, 10))
    for d in (0.05, 0.1, 0.2)
)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """true : bool (m,), some pair of the item truly changes sides on the pairs that were drawn."""

    rows: Comparisons
    weights: FloatArray
    clusters: IntArray | None
    true: BoolArray


def uneven(m: int, share: float, heavy: str, rng: np.random.Generator) -> FloatArray:
    """Weights of effective number share · m, within what m items allow."""
    if share >= 1.0:
        return np.full(m, 1.0 / m)
    target = max(share * m, 1.2)
    if heavy == "few":
        k = max(1, round(target))
        w = np.full(m, 0.01 / m)
        w[rng.permutation(m)[:k]] += 0.99 / k
        return w / w.sum()
    z = rng.normal(size=m)
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        w = np.exp(middle * (z - z.max()))
        w /= w.sum()
        low, high = (middle, high) if 1.0 / (w**2).sum() > target else (low, middle)
    return np.asarray(w)


def draw(design: Design, rng: np.random.Generator) -> Drawn:
    d, m = design, design.m
    w = uneven(m, d.share, d.heavy, rng)
    theta = d.spread * rng.random(m)
    p = 0.5 + theta[:, None] - theta[None, :]
    if d.planted:
        lean = (w - 1.0 / m) / ((w - 1.0 / m) ** 2).sum()
        for x in rng.permutation(m)[: max(1, m // 10)]:
            p[x] += d.planted * lean
            p[:, x] -= d.planted * lean
    p = np.clip(p, 0.0, 1.0)
    np.fill_diagonal(p, 0.5)
    first, second = np.triu_indices(m, 1)
    if d.graph == "sparse":
        ring = (second - first == 1) | ((first == 0) & (second == m - 1))
        kept = ring | (rng.random(first.size) < 10.0 / m)
        first, second = first[kept], second[kept]
    k = first.size
    rate = np.full(k, 1.0)
    if d.graph == "skewed":
        rate = np.exp(1.5 * rng.normal(size=k))
        rate /= rate.mean()
    if d.votes <= 1:
        pair = np.arange(k)
    else:
        pair = np.repeat(np.arange(k), 1 + rng.poisson((d.votes - 1) * rate))
    x, y = first[pair], second[pair]
    chance = p[x, y]
    clusters = None
    if d.annotators:
        clusters = rng.integers(d.annotators, size=pair.size)
        taste = d.taste * rng.normal(size=(d.annotators, m))
        chance = np.clip(chance + taste[clusters, x] - taste[clusters, y], 0.0, 1.0)
    won = rng.random(pair.size) < chance
    outcome = np.where(rng.random(pair.size) < d.ties, 0.5, 1.0)
    rows = Comparisons.of(m, np.where(won, x, y), np.where(won, y, x), outcome)
    exact = 0.5 + (p - 0.5) * (1.0 - d.ties)
    return Drawn(rows, w, clusters, _truth(exact, w, first, second))


def _truth(p: FloatArray, w: FloatArray, first: IntArray, second: IntArray) -> BoolArray:
    seen = np.eye(p.shape[0], dtype=np.bool_)
    seen[first, second] = seen[second, first] = True
    average = np.where(seen, p, 0.0).sum(axis=1) / seen.sum(axis=1)
    weighted = np.where(seen, p * w, 0.0).sum(axis=1) / np.where(seen, w, 0.0).sum(axis=1)
    one = average[:, None] - average
    two = weighted[:, None] - weighted
    changes: BoolArray = ((one > 1e-9) & (two < -1e-9)) | ((one < -1e-9) & (two > 1e-9))
    return np.asarray(changes.any(axis=1))
