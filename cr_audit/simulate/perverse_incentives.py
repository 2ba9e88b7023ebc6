"""[IIA] Figures 2 and 3 and the thought experiments: two kinds of messages, four ways to train.

Lists of k members, each of the liked kind M₁ with chance ζ; a share p* of the annotators wants M₁
and picks one of it where the list has one. From how many mixed lists of each make-up chose M₁
follow the rewards and policies; nothing else of the data matters, so nothing else is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.models.listwise.policies import (
    Setting,
    dpo,
    inclusive,
    inclusive_limit,
    rlpo,
    slic,
    slic_limit,
)
from cr_audit.models.listwise.theory import (
    fixed_reward,
    mixed_reward,
    population_reward,
    threshold,
)

LIKED, BASE = 0.6, 0.8
SIZES = (2, 3, 4, 5)
DATA = (10, 30, 100, 300, 1000, 3000)
MESSAGES = (10, 30, 100, 1000)
N_SETS = 100
# Make-ups of k₁ and k₂ members that the paper reasons about, with p*.
EXPERIMENTS = ((2, 1, 0.6), (1, 1, 0.6), (3, 1, 0.7))


@dataclass(frozen=True, slots=True)
class Point:
    """One mean over simulated data sets.

    curve : the list size of Figure 2, |M₂| of Figure 3. n_data : lists per data set. mean, error :
    of P(M₁). closed : what the exact reward (or endless data) would give, NaN where there is no
    one value. below_half : share of data sets with P(M₁) < ½. no_minimiser : share without one.
    """

    curve: int
    n_data: int
    mean: float
    error: float
    closed: float
    below_half: float
    no_minimiser: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """F(ζ, k), the reward difference ψ of endless data, and the limit of P(M₁), NaN on the
    boundary."""

    size: int
    f: float
    psi: float
    limit: float


@dataclass(frozen=True, slots=True)
class Experiment:
    """k₁ and k₂ members, p* for M₁: the reward difference, and the pairwise chance it implies."""

    k_first: int
    k_second: int
    liked: float
    psi: float
    pairwise_second: float


@dataclass(frozen=True, slots=True)
class Curves:
    """Facts of one reproduction. algorithm : "rlpo", "dpo", "il" or "slic"."""

    algorithm: str
    setting: Setting
    liked: float
    n_sets: int
    points: tuple[Point, ...]
    thresholds: tuple[Threshold, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    delta: float = 1.0


def drawn_counts(
    n_sets: int, n_data: int, k: int, base: float, liked: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Mixed lists by make-up, float64 (n_sets, k − 1), and how many of them chose M₁ ([IIA]
    Assumption 1)."""
    first = rng.binomial(k, base, (n_sets, n_data))
    wants = rng.random((n_sets, n_data)) < liked
    counts = np.stack([(first == j).sum(axis=1) for j in range(1, k)], axis=1)
    mixed = (first > 0) & (first < k)
    return counts.astype(np.float64), (mixed & wants).sum(axis=1).astype(np.float64)


def makeups(k: int) -> tuple[IntArray, IntArray]:
    """Lists of k members of two kinds, both present: how many of each. Two (k − 1,) int64."""
    made = np.arange(1, k, dtype=np.int64)
    return made, k - made


def reward_curves(
    algorithm: str,
    *,
    n_sets: int = N_SETS,
    sizes: Sequence[int] = SIZES,
    data_sizes: Sequence[int] = DATA,
    liked: float = LIKED,
    setting: Setting | None = None,
    rng: np.random.Generator,
) -> Curves:
    """[IIA] Figure 2: P(M₁) of RLPO or DPO by the number of lists, one curve per list size.

    The closed form beside a point is the policy of the exact reward ψ(ζ, k, p*). ValueError for
    another algorithm.
    """
    policy: dict[str, Callable[[FloatArray, int, Setting], FloatArray]]
    policy = {"rlpo": rlpo, "dpo": dpo}
    if algorithm not in policy:
        raise ValueError(f"no reward curves for {algorithm!r}")
    s = Setting() if setting is None else setting
    points = []
    for k in sizes:
        exact = population_reward(s.base, k, liked)
        # Bisection ends within rounding of the boundary's exact 0.
        boundary = abs(exact) < 1e-12
        for n in data_sizes:
            counts, won = drawn_counts(n_sets, n, k, s.base, liked, rng)
            psi = mixed_reward(*makeups(k), counts, won)
            p = expit(policy[algorithm](psi, n, s))
            closed = np.nan if boundary else float(expit(rlpo(np.array([exact]), n, s))[0])
            points.append(_point(k, n, p, closed, 1 - float(np.isfinite(psi).mean())))
    return Curves(
        algorithm=algorithm,
        setting=s,
        liked=liked,
        n_sets=n_sets,
        points=tuple(points),
        thresholds=tuple(_threshold(k, liked, s) for k in sizes),
        experiments=tuple(
            Experiment(a, b, p, fixed_reward(a, b, p), float(expit(fixed_reward(a, b, p))))
            for a, b, p in EXPERIMENTS
        ),
    )


def message_curves(
    algorithm: str,
    *,
    n_sets: int = N_SETS,
    messages: Sequence[int] = MESSAGES,
    data_sizes: Sequence[int] = (10, 100, 1000, 10_000),
    liked: float = LIKED,
    delta: float = 1.0,
    setting: Setting | None = None,
    rng: np.random.Generator,
) -> Curves:
    """[IIA] Figure 3 (inclusive learning), and the same for SLiC: P(M₁) on pairs as |M₂| grows.

    The closed form is that of endless data. ValueError for another algorithm.
    """
    if algorithm not in ("il", "slic"):
        raise ValueError(f"no message curves for {algorithm!r}")
    base = Setting() if setting is None else setting
    points = []
    for m in messages:
        s = Setting(base.n_first, m, base.base, base.beta)
        for n in data_sizes:
            counts, won = drawn_counts(n_sets, n, 2, s.base, liked, rng)
            if algorithm == "il":
                t = inclusive(*makeups(2), counts, won, s)
                closed = inclusive_limit(liked, s)
            else:
                t = slic(won, counts[:, 0] - won, s, delta=delta)
                closed = slic_limit(liked, s, delta=delta)
            points.append(_point(m, n, expit(t), closed, 0.0))
    return Curves(algorithm, base, liked, n_sets, tuple(points), delta=delta)


def _point(curve: int, n: int, p: FloatArray, closed: float, none: float) -> Point:
    return Point(
        curve=curve,
        n_data=n,
        mean=float(p.mean()),
        error=float(p.std(ddof=1) / np.sqrt(p.size)) if p.size > 1 else float("nan"),
        closed=closed,
        below_half=float((p < 0.5).mean()),
        no_minimiser=none,
    )


def _threshold(k: int, liked: float, s: Setting) -> Threshold:
    psi = population_reward(s.base, k, liked)
    limit = np.nan if abs(psi) < 1e-12 else float(psi < 0)
    return Threshold(k, threshold(s.base, k), psi, limit)
