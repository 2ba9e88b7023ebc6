"""Boards judged by few people: do intervals, rank ranges and the leader's chance hold?

    python -m benchmarks.leaderboard.few [--sets 60] [--seed 1] [--only 0 3]

Annotators number ``judges``, and cast lognormal(1) shares of the votes on random pairs; each has a
taste of its own, N(0, taste²) on every item. Where they are uneven a quarter each tosses coins,
sees half of every difference, all, or twice as much. True rewards are N(0, spread²); the truth of a
board is the fit to the votes of infinitely many annotators. Beside coverage of 95 % intervals (of
centred rewards) and of the simultaneous rank ranges: how often who has the highest chance of the
first place truly leads. Standard errors are over data sets.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from benchmarks.calibration.reliability import arguments, measured, print_reliability
from cr_audit.arrays import Comparisons, FloatArray, IntArray
from cr_audit.families.leaderboard.compute import measured_board
from cr_audit.models.ties.battles import battles

# judges, items, votes, spread of the true rewards, spread of tastes, uneven judges
Design = tuple[int, int, int, float, float, bool]
DESIGNS: tuple[Design, ...] = (
    (5, 6, 300, 0.5, 0.5, False),
    (10, 6, 600, 1.5, 0.5, False),
    (10, 20, 1_000, 0.5, 0.5, False),
    (20, 20, 2_000, 1.0, 1.0, False),
    (40, 20, 1_500, 0.5, 0.3, False),
    (10, 60, 3_000, 1.5, 0.5, False),
    (20, 60, 2_000, 0.5, 0.0, False),
    (40, 60, 6_000, 1.0, 0.7, False),
    # Tastes, or how well people judge, matter more than the number of votes.
    (5, 6, 5_000, 0.5, 0.7, False),
    (8, 12, 10_000, 1.0, 1.0, False),
    (6, 30, 20_000, 1.0, 0.7, False),
    (40, 40, 60_000, 1.0, 1.0, False),
    (10, 20, 4_000, 0.7, 0.0, True),
    (40, 20, 20_000, 0.5, 0.5, True),
    (120, 60, 6_000, 0.6, 0.3, True),
    # Looked at only when the method was settled.
    (7, 12, 500, 1.0, 0.7, False),
    (15, 40, 4_000, 0.7, 0.4, False),
    (30, 10, 900, 0.4, 0.6, False),
    (12, 25, 1_200, 2.0, 0.0, False),
    (25, 25, 40_000, 0.6, 0.8, False),
    (15, 8, 2_000, 1.0, 0.0, True),
    (25, 50, 10_000, 0.8, 0.4, True),
)
COMPETENCE = (0.0, 0.5, 1.0, 2.0)
LEVEL, REPLICATES = 0.95, 100
_NODES, _SHARES = np.polynomial.hermite_e.hermegauss(30)


def truth(theta: FloatArray, taste: float, uneven: bool) -> FloatArray:
    """Σ_y σ(r_x - r_y) = Σ_y E σ(c (θ_x - θ_y) + √2 taste z) for every x, Σ r = 0, by Newton's
    method; c one of COMPETENCE where judges are uneven, else 1."""
    m = theta.shape[0]
    gap = theta[:, None] - theta[None, :]
    share = np.zeros((m, m))
    seen = COMPETENCE if uneven else (1.0,)
    for c in seen:
        moved = c * gap[..., None] + np.sqrt(2.0) * taste * _NODES
        share += (expit(moved) * _SHARES).sum(axis=-1) / _SHARES.sum() / len(seen)
    np.fill_diagonal(share, 0.5)
    r = np.zeros(m)
    for _ in range(100):
        p = expit(r[:, None] - r[None, :])
        curvature = -p * (1.0 - p)
        np.fill_diagonal(curvature, 0.0)
        np.fill_diagonal(curvature, -curvature.sum(axis=1))
        step = np.linalg.solve(curvature + 1.0 / m, (share - p).sum(axis=1))
        r = r + np.clip(step - step.mean(), -1.0, 1.0)
        if np.abs(step).max() < 1e-12:
            break
    return r


def draw(design: Design, rng: np.random.Generator) -> tuple[Comparisons, IntArray, FloatArray]:
    """Votes, whose they are, and the truth."""
    judges, m, n, spread, taste, uneven = design
    theta = rng.normal(scale=spread, size=m)
    share = np.exp(rng.normal(size=judges))
    judge = np.sort(rng.choice(judges, size=n, p=share / share.sum()))
    able = rng.choice(COMPETENCE, size=judges) if uneven else np.ones(judges)
    own = able[:, None] * theta + taste * rng.normal(size=(judges, m))
    x = rng.integers(m, size=n)
    y = (x + rng.integers(1, m, size=n)) % m
    won = rng.random(n) < expit(own[judge, x] - own[judge, y])
    rows = Comparisons.of(m, np.where(won, x, y), np.where(won, y, x))
    return rows, judge.astype(np.int64), truth(theta, taste, uneven)


def one(design: Design, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """(rewards covered, all rank ranges hold, chance of who has the highest, truly leads)."""
    rows, judge, true = draw(design, rng)
    board = measured_board("", battles(rows), judge, LEVEL, REPLICATES, rng)
    held = (board.low <= true) & (true <= board.high)
    rank = 1 + (true[:, None] < true[None, :]).sum(axis=1)
    ranges = (board.places.low <= rank) & (rank <= board.places.high)
    best = int(np.argmax(board.leading.probability))
    return (
        float(held.mean()),
        float(ranges.all()),
        float(board.leading.probability[best]),
        float(rank[best] == 1),
    )


def main() -> None:
    given = arguments(__doc__ or "", n_designs=len(DESIGNS), sets=60, seed=1)
    print(
        "| judges | items | votes | spread | tastes | uneven | data sets | rewards | ± |"
        " rank ranges | ± | chance | is the best | ± | s |\n|" + "---|" * 15
    )
    every = []
    for design, got, seconds in measured(DESIGNS, one, given):
        every.append(got)
        mean, error = got.mean(axis=0), got.std(axis=0, ddof=1) / np.sqrt(given.sets)
        judges, m, n, spread, taste, uneven = design
        print(
            f"| {judges} | {m} | {n:,} | {spread} | {taste} | {'yes' if uneven else ''}"
            f" | {given.sets} | {mean[0]:.3f} |"
            f" {error[0]:.3f} | {mean[1]:.2f} | {error[1]:.2f} | {mean[2]:.2f} | {mean[3]:.2f} |"
            f" {error[3]:.2f} | {seconds:.0f} |",
            flush=True,
        )
    table = np.concatenate(every)
    print_reliability("stated chance", table[:, 2], table[:, 3])


if __name__ == "__main__":
    main()
