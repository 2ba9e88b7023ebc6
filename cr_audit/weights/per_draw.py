"""What each draw said about each cell, for estimates whose draws say more than one hit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cr_audit.arrays import Float32Array, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PerDraw:
    """A sparse matrix of u cells and n draws, whose means over the draws are the cells' masses.

    start : int64 (u + 1,), where the entries of each cell begin; draw : int32 and value : float32
    (start[-1],), the draws of each cell in ascending order and what they say; n : draws.
    """

    start: IntArray
    draw: NDArray[np.int32]
    value: Float32Array
    n: int

    @classmethod
    def of(cls, cell: IntArray, draw: IntArray, value: FloatArray, u: int, n: int) -> PerDraw:
        """From entries in any order; those of one cell and draw are added."""
        key, place = np.unique(cell.astype(np.int64) * n + draw, return_inverse=True)
        total = np.bincount(place, weights=value, minlength=key.size)
        start = np.searchsorted(key, np.arange(u + 1, dtype=np.int64) * n)
        return cls(start.astype(np.int64), (key % n).astype(np.int32), total.astype(np.float32), n)

    @property
    def u(self) -> int:
        """Cells."""
        return self.start.size - 1

    def cell(self) -> IntArray:
        """The cell of each entry: int64, ascending."""
        return np.repeat(np.arange(self.u), np.diff(self.start))

    def raw(self) -> tuple[FloatArray, FloatArray]:
        """Means over the draws and their standard errors, as they are: float64 (u,)."""
        cell, value = self.cell(), self.value.astype(np.float64)
        mean = np.bincount(cell, weights=value, minlength=self.u) / self.n
        square = np.bincount(cell, weights=value**2, minlength=self.u) / self.n
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0) / max(self.n - 1, 1))

    def masses(self) -> tuple[FloatArray, FloatArray]:
        """Shares of the cells in what all draws said, and their standard errors: float64 (u,).

        w_i = sum_k x_ik / sum_jk x_jk, a ratio of means over n independent draws, with the error of
        its linearisation: sqrt(sum_k (x_ik - w_i T_k)^2 / (n (n - 1))) / mean T, T_k = sum_j x_jk.
        The bias of a ratio is O(1 / n).
        """
        cell, value = self.cell(), self.value.astype(np.float64)
        per_draw = np.bincount(self.draw, weights=value, minlength=self.n)
        total = per_draw.mean()
        mass = np.bincount(cell, weights=value, minlength=self.u) / (self.n * total)
        square = np.bincount(cell, weights=value**2, minlength=self.u)
        cross = np.bincount(cell, weights=value * per_draw[self.draw], minlength=self.u)
        spread = square - 2.0 * mass * cross + mass**2 * float(np.sum(per_draw**2))
        error = np.sqrt(np.maximum(spread, 0.0) / (self.n * max(self.n - 1, 1))) / total
        return mass, error

    def resampled(self, times: int, rng: np.random.Generator) -> FloatArray:
        """Masses from draws drawn anew with replacement: float64 (times, u), rows sum to 1."""
        count = rng.multinomial(self.n, np.full(self.n, 1.0 / self.n), size=times)
        said = csr_array((self.value, self.draw, self.start), shape=(self.u, self.n))
        out: FloatArray = np.asarray((said @ count.T.astype(np.float64)).T)
        out /= out.sum(axis=1, keepdims=True)
        return out


def relative_error(mass: FloatArray, error: FloatArray) -> float:
    """That of a cell of average mass: the root mean square of the errors of the cells of half to
    twice the mass 1 / u, over their mean mass. Where there is no such cell, of all that have any.

    mass, error : float64 (u,). Of hits in n samples it is about sqrt(u / n).
    """
    u = mass.size
    some = (mass > 0.5 / u) & (mass < 2.0 / u)
    if not some.any():
        some = mass > 0
    return float(np.sqrt(np.mean(error[some] ** 2)) / mass[some].mean())
