"""The least number of changed comparisons by trying all, with a solver of its own.

Nothing here uses the code that it judges: a batched Newton iteration on the moment system as
METHODS section 2 writes it, every set of changed rows up to a size, components by matrix powers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray, IntArray

TIE = 1e-7


@dataclass(frozen=True)
class Small:
    """A problem that can be searched in full. units : int64 (n,). rank : who is to overtake the
    leader, by rank in the fit; 0 for anyone."""

    rows: Comparisons
    weights: FloatArray
    penalty: float
    counted: bool
    reversal: bool
    units: IntArray
    rank: int


def random_problem(seed: int, *, grouped: bool = False) -> Small:
    """Up to 8 alternatives and 40 comparisons, ties, weights, penalties from 1e-4 to 1."""
    rng = np.random.default_rng(seed)
    m = int(rng.integers(3, 9))
    n = int(rng.integers(m, 41))
    truth = rng.normal(size=m) * rng.choice([0.3, 1.0, 2.5])
    # Some designs compare few pairs often, some many pairs once.
    if rng.random() < 0.5:
        pool = rng.integers(m, size=(int(rng.integers(m - 1, 2 * m)), 2))
        pool = np.vstack([pool, np.stack([np.arange(m - 1), np.arange(1, m)], axis=1)])
        pool = pool[pool[:, 0] != pool[:, 1]]
        a, b = pool[rng.integers(len(pool), size=n)].T
    else:
        a = rng.integers(m, size=n)
        b = (a + rng.integers(1, m, size=n)) % m
    first = rng.random(n) < 1 / (1 + np.exp(truth[b] - truth[a]))
    outcome = np.where(rng.random(n) < rng.choice([0.0, 0.2, 0.5]), 0.5, 1.0)
    weights = np.full(m, 1 / m)
    if rng.random() < 0.5:
        weights = rng.dirichlet(np.full(m, 0.7))
        if rng.random() < 0.1:
            weights[rng.integers(m)] = 0.0
            weights /= weights.sum()
    mass = np.ones(n) if rng.random() < 0.7 else rng.choice([0.5, 1.0, 2.0], size=n)
    rows = Comparisons.of(m, np.where(first, a, b), np.where(first, b, a), outcome, mass)
    units = rng.integers(max(2, n // 4), size=n) if grouped else np.arange(n)
    return Small(
        rows=rows,
        weights=weights,
        penalty=float(10 ** rng.uniform(-4, 0)),
        counted=bool(rng.random() < 0.5),
        reversal=bool(rng.random() < 0.5),
        units=np.unique(units, return_inverse=True)[1],
        rank=int(rng.choice([0, m // 2, m - 1])),
    )


def matrices(problem: Small) -> tuple[FloatArray, FloatArray]:
    """Per unit: mass of x against y, and what x won of it; float64 (units, m, m) each."""
    r, u = problem.rows, problem.units
    shape = (int(u.max()) + 1, r.n_items, r.n_items)
    mass, won = np.zeros(shape), np.zeros(shape)
    np.add.at(mass, (u, r.winner, r.loser), r.mass)
    np.add.at(mass, (u, r.loser, r.winner), r.mass)
    np.add.at(won, (u, r.winner, r.loser), r.mass * r.outcome)
    np.add.at(won, (u, r.loser, r.winner), r.mass * (1 - r.outcome))
    return mass, won


def refit_many(problem: Small, mass: FloatArray, won: FloatArray) -> FloatArray:
    """Rewards float64 (b, m) for stacks of mass and won (b, m, m)."""
    w, lam = problem.weights, problem.penalty
    here = mass > 1e-9
    p = np.divide(won, mass, out=np.full_like(won, 0.5), where=here)
    strength = np.where(here, mass if problem.counted else 1.0, 0.0)
    kappa = np.einsum("bxy,x,y->b", strength, w, w) / (1 - (w**2).sum())
    ok = kappa > 1e-300
    strength = strength / np.where(ok, kappa, 1.0)[:, None, None]
    r = np.zeros((mass.shape[0], w.shape[0]))

    def residual(r: FloatArray) -> FloatArray:
        q = 1 / (1 + np.exp(np.clip(r[:, None, :] - r[:, :, None], -700, 700)))
        return lam * r - ((strength * (p - q)) @ w)

    f = residual(r)
    for _ in range(200):
        size = np.abs(f).max(axis=1)
        if np.all(size < 1e-14 * np.maximum(1.0, (strength @ w).max(axis=1))):
            break
        q = 1 / (1 + np.exp(np.clip(r[:, None, :] - r[:, :, None], -700, 700)))
        slope = strength * q * (1 - q)
        jacobian = -slope * w[None, None, :]
        span = np.arange(w.shape[0])
        jacobian[:, span, span] = lam + slope @ w
        step = -np.linalg.solve(jacobian, f[:, :, None])[:, :, 0]
        step *= np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(axis=1), 1e-300))[:, None]
        r = r + step
        f = residual(r)
    return np.where(ok[:, None], r, np.nan)


def linked(mass: FloatArray, item: int) -> np.ndarray:
    """bool (b, m): what is connected with ``item``."""
    m = mass.shape[1]
    reach = (mass > 1e-9) | np.eye(m, dtype=bool)
    for _ in range(3):
        reach = np.einsum("bxy,byz->bxz", reach.astype(float), reach.astype(float)) > 0
    return reach[:, item]


def choices(kinds: IntArray, k: int) -> Iterator[IntArray]:
    """Counts per kind with sum k, none above how many there are."""

    def extend(start: int, left: int, counts: list[int]) -> Iterator[list[int]]:
        if left == 0:
            yield counts + [0] * (kinds.shape[0] - start)
            return
        if start == kinds.shape[0]:
            return
        for c in range(min(left, int(kinds[start])) + 1):
            yield from extend(start + 1, left - c, [*counts, c])

    yield from (np.array(c) for c in extend(0, k, []))


def least(
    problem: Small, largest: int, budget: int = 60_000
) -> tuple[int, int, list[tuple[int, int]]]:
    """The smallest number of units that changes the leader (0: none up to the second number), the
    largest size that was searched in full, and the (leader, other) pairs of the least sets."""
    mass, won = matrices(problem)
    change = (mass, won) if not problem.reversal else (0 * mass, 2 * won - mass)
    flat = np.concatenate([c.reshape(c.shape[0], -1) for c in change], axis=1)
    _, at, sizes = np.unique(np.round(flat, 9), axis=0, return_index=True, return_counts=True)
    base_mass, base_won = mass.sum(axis=0)[None], won.sum(axis=0)[None]
    rewards = refit_many(problem, base_mass, base_won)[0]
    leader = int(np.argmax(rewards))
    rivals = np.ones(rewards.shape[0], dtype=bool)
    if problem.rank:
        rivals[:] = False
        rivals[np.argsort(-rewards, kind="stable")[problem.rank]] = True
    done = 0
    for k in range(1, min(largest, mass.shape[0]) + 1):
        counts = []
        for c in choices(sizes, k):
            counts.append(c)
            if len(counts) > budget:
                return 0, done, []
        stack = np.array(counts, dtype=float)
        pairs: list[tuple[int, int]] = []
        for s in range(0, stack.shape[0], 4096):
            part = stack[s : s + 4096]
            new_mass = base_mass - np.einsum("bu,uxy->bxy", part, change[0][at])
            new_won = base_won - np.einsum("bu,uxy->bxy", part, change[1][at])
            r = refit_many(problem, new_mass, np.clip(new_won, 0, None))
            together = linked(new_mass, leader)
            over = np.where(together & rivals, r, -np.inf) - r[:, [leader]]
            some = over[(over > TIE).any(axis=1)]
            if some.size:
                pairs.extend((leader, int(y)) for y in np.nanargmax(some, axis=1))
        if pairs:
            return k, k, pairs
        done = k
    return 0, done, []
