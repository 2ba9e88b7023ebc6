"""What an answer looks like, and how much of a win that explains.

Each covariate is a difference of the two answers' features, scaled to standard deviation 1 over the
data, so that β is the log-odds of one standard deviation more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Covariates:
    """values : float64 (n, q), seen from each row's winner. names : (q,). scale : float64 (q,),
    what one unit of a column is in the feature's own units."""

    values: FloatArray
    names: tuple[str, ...]
    scale: FloatArray

    def joined(self, other: Covariates) -> Covariates:
        """Both sets of columns, these first; rows must be the same battles."""
        return Covariates(
            np.hstack([self.values, other.values]),
            self.names + other.names,
            np.concatenate([self.scale, other.scale]),
        )


def none(n: int) -> Covariates:
    """No columns, for ``n`` battles."""
    return Covariates(np.zeros((n, 0)), (), np.zeros(0))


def length_difference(length: FloatArray, winner: IntArray, loser: IntArray) -> FloatArray:
    """(a - b)/(a + b) of the two lengths, in [-1, 1]; 0 where both are 0."""
    a, b = length[winner], length[loser]
    total = a + b
    out: FloatArray = np.divide(a - b, total, out=np.zeros_like(total), where=total > 0)
    return out


def density_difference(
    count: FloatArray, length: FloatArray, winner: IntArray, loser: IntArray
) -> FloatArray:
    """Normalised difference of counts per length, as ``length_difference``."""
    density = np.divide(count, length, out=np.zeros_like(length), where=length > 0)
    return length_difference(density, winner, loser)


def scaled(columns: dict[str, FloatArray]) -> Covariates:
    """Columns divided by their root mean square; a column without variation is left out."""
    n = next(iter(columns.values())).shape[0] if columns else 0
    kept = {k: v for k, v in columns.items() if float((v**2).sum()) > 0.0}
    if not kept:
        return none(n)
    scale = np.array([np.sqrt(np.mean(v**2)) for v in kept.values()])
    values = np.stack(list(kept.values()), axis=1) / scale
    return Covariates(values, tuple(kept), scale)


def position_covariates(
    rows: Comparisons, *, by_judge: bool = False, min_rows: int = 30
) -> Covariates:
    """+1 where the winner stood first, -1 second, 0 unknown: β is the advantage of standing first.

    by_judge : one column per annotator with at least ``min_rows`` rows of known position (named by
    the annotator's index), and one named "others". Antisymmetric, as a covariate must be.
    """
    sign = np.where(rows.winner_first == 1, 1.0, np.where(rows.winner_first == 0, -1.0, 0.0))
    if not by_judge:
        return Covariates(sign[:, None], ("first",), np.ones(1)) if sign.any() else none(rows.n)
    known = (sign != 0) & (rows.annotator >= 0)
    judges, count = np.unique(rows.annotator[known], return_counts=True)
    chosen = judges[count >= min_rows]
    columns = [np.where(rows.annotator == j, sign, 0.0) for j in chosen]
    names = [str(int(j)) for j in chosen]
    rest = np.where(np.isin(rows.annotator, chosen), 0.0, sign)
    if rest.any():
        columns.append(rest)
        names.append("others")
    if not columns:
        return none(rows.n)
    return Covariates(np.stack(columns, axis=1), tuple(names), np.ones(len(names)))
