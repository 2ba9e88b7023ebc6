"""[CR] Tables 2 and 3: copies of the weakest alternative change who wins by Borda count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, Proportions
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.simulate.populations import preference_matrix

NAMES = ("a", "b", "c")
SHARES = (0.4, 0.3, 0.3)
# exp(reward) of a, b, c for each type of annotator: [CR] Table 2.
EXP_REWARDS = ((100.0, 10.0, 1.0), (10.0, 1.0, 100.0), (1.0, 100.0, 10.0))
MAX_COPIES = 100


@dataclass(frozen=True, slots=True, eq=False)
class CopiesRow:
    """a, b and c where c stands ``n_copies`` times; float64 (3,) each, the copies of c being alike.

    borda : Σ_y p(x ≻ y), x itself included; average : the same / m. weighted : Σ_y w(y) p(x ≻ y),
    the copies sharing c's weight of 1/3. standard, rewards_weighted : the two tabular fits.
    """

    n_copies: int
    borda: FloatArray
    average: FloatArray
    weighted: FloatArray
    standard: FloatArray
    rewards_weighted: FloatArray

    @property
    def winner_average(self) -> str:
        """Who leads by average win rate."""
        return NAMES[int(self.average.argmax())]

    @property
    def winner_weighted(self) -> str:
        """Who leads by weighted average win rate."""
        return NAMES[int(self.weighted.argmax())]


@dataclass(frozen=True, slots=True, eq=False)
class Table3:
    """preferences : float64 (3, 3), p(x ≻ y) without copies (Table 2). flip_mass : the weight of c
    at which a and b, weighing the same, have equal win rates; k copies carry k/(k + 2).
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    exp_rewards: tuple[tuple[float, ...], ...]
    preferences: FloatArray
    flip_mass: float
    penalty: float
    rows: tuple[CopiesRow, ...]


def table_3(*, max_copies: int = 4, penalty: float = 0.1) -> Table3:
    """Rates and rewards of a, b and c with 1 to ``max_copies`` copies of c; nothing is drawn.

    Source: [CR] Tables 2 and 3, Definitions 2.4 and 4.3, Theorem 3.2. ValueError where
    ``max_copies`` is not in 1..100. Deviation: the paper prints two digits and one copy.
    """
    if not 1 <= max_copies <= MAX_COPIES:
        raise ValueError(f"copies must lie in 1..{MAX_COPIES}, not {max_copies}")
    p = _matrix(1)
    gain, loss = (p[0, 1] - p[1, 0]) / 2, p[1, 2] - p[0, 2]
    return Table3(
        names=NAMES,
        shares=SHARES,
        exp_rewards=EXP_REWARDS,
        preferences=p,
        flip_mass=float(gain / (gain + loss)),
        penalty=penalty,
        rows=tuple(_row(k, penalty) for k in range(1, max_copies + 1)),
    )


def _matrix(copies: int) -> FloatArray:
    rows = [*EXP_REWARDS[:2], *[EXP_REWARDS[2]] * copies]
    return preference_matrix(np.log(np.array(rows).T), SHARES)


def _row(copies: int, penalty: float) -> CopiesRow:
    p = _matrix(copies)
    m = p.shape[0]
    shared = np.array([1 / 3, 1 / 3, *[1 / (3 * copies)] * copies])
    pairs = Proportions.from_matrix(p)
    uniform = np.full(m, 1 / m)
    return CopiesRow(
        n_copies=copies,
        borda=p.sum(axis=1)[:3],
        average=p.mean(axis=1)[:3],
        weighted=(p @ shared)[:3],
        standard=fit_tabular(pairs, uniform, penalty=penalty).rewards[:3],
        rewards_weighted=fit_tabular(pairs, shared, penalty=penalty).rewards[:3],
    )
