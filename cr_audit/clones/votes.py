"""Do annotators treat the members of a clone cluster alike? The second half of what a clone is.

[CR] calls alternatives clones that are near in context *and* alike to annotators. Here: against
each common opponent the members should win equally often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.engine.tails import chi2

MIN_EXPECTED = 5.0
_BLOCK_ENTRIES = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Homogeneity:
    """Result of :func:`homogeneity`.

    statistic, degrees_of_freedom : of the stratified chi-square. p_value in (0, 1]. method :
    "chi-square", or "permutation" where an expected count is below 5. members, win_rates,
    n_per_member : the members that were compared, how often each won against common opponents
    (ties half), over how many comparisons. n_opponents : strata that carry information.
    n_permutations : as set, 0 where none were drawn.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    method: Literal["chi-square", "permutation"]
    members: IntArray
    win_rates: FloatArray
    n_per_member: IntArray
    n_opponents: int
    n_comparisons: int
    n_permutations: int


class Judged:
    """Which comparisons each item is in."""

    def __init__(self, comparisons: Comparisons) -> None:
        item = np.concatenate([comparisons.winner, comparisons.loser])
        self._order = np.argsort(item, kind="stable")
        self._start = np.searchsorted(item[self._order], np.arange(comparisons.n_items + 1))
        self._n = comparisons.n

    def of(self, items: IntArray) -> IntArray:
        """The comparisons of any of these, ascending, each once."""
        held = [self._order[self._start[i] : self._start[i + 1]] for i in items.tolist()]
        return np.unique(np.concatenate(held) % max(self._n, 1))


def homogeneity(
    comparisons: Comparisons,
    members: IntArray,
    *,
    n_permutations: int = 1999,
    rng: np.random.Generator,
    judged: Judged | None = None,
) -> Homogeneity | NotApplicable:
    """Test that the members win equally often against each opponent they have in common.

    For opponent o let the comparisons of members with o have scores s (1 won, 1/2 tie, 0 lost from
    the member's side), N_o in all, n_io of member i, means s_o and s_io, and
    S_o^2 = sum (s - s_o)^2 / (N_o - 1). The statistic is

        Q = sum_o sum_i n_io (s_io - s_o)^2 / S_o^2,    df = sum_o (members seen by o - 1),

    over the opponents that two or more members met and whose scores are not all equal. Without
    ties this is Pearson's 2 x k statistic times (N_o - 1)/N_o, summed over strata; the variance of
    the scores themselves makes it valid with ties (as in Kruskal and Wallis's test on ranks).

    If every expected number of wins and of losses, n_io s_o and n_io (1 - s_o), is at least 5, the
    p-value is the upper tail of chi-square with df degrees of freedom. Otherwise scores are
    permuted among the comparisons with the same opponent, which is exact under exchangeability:
    p = (1 + #{Q* >= Q}) / (1 + n_permutations).

    Deviations: 1. Masses are not used; one row is one judgement. 2. Rows are taken as independent;
    one annotator who sees the same pair often makes p too small.

    ``members`` : int64 (k,), items of ``comparisons``. judged : which comparisons each item is in,
    where many sets of members are asked for. Not applicable without a common opponent, or
    where all comparisons with each common opponent ended alike.
    """
    rows = (judged or Judged(comparisons)).of(members)
    # Items are numbered anew, in their order: a cluster's own are few, whatever the data holds.
    both = np.concatenate([comparisons.winner[rows], comparisons.loser[rows]])
    items, place = np.unique(both, return_inverse=True)
    winner, loser = place[: rows.size], place[rows.size :]
    inside = np.isin(items, members)
    split = inside[winner] != inside[loser]
    rows, winner, loser = rows[split], winner[split], loser[split]
    by_winner = inside[winner]
    member = np.where(by_winner, winner, loser)
    opponent = np.where(by_winner, loser, winner)
    outcome = comparisons.outcome[rows]
    score = np.where(by_winner, outcome, 1.0 - outcome)

    _, cell = np.unique(opponent * items.size + member, return_inverse=True)
    stratum_of_cell = np.zeros(cell.max(initial=-1) + 1, np.int64)
    stratum_of_cell[cell] = opponent
    common = np.bincount(stratum_of_cell, minlength=items.size) >= 2
    if not common.any():
        return NotApplicable("no two members were compared with the same opponent")
    low = np.full(items.size, np.inf)
    high = np.full(items.size, -np.inf)
    np.minimum.at(low, opponent, score)
    np.maximum.at(high, opponent, score)
    keep = common[opponent] & (low < high)[opponent]
    if not keep.any():
        return NotApplicable("every comparison with a common opponent ended alike")
    member, opponent, score = member[keep], opponent[keep], score[keep]
    # Sorted by what was observed, so that the draws do not depend on the order of the rows.
    order = np.lexsort((score, member, opponent))
    member, opponent, score = member[order], opponent[order], score[order]
    q = _Statistic(member, opponent, score)
    observed = float(q(score[None, :])[0])
    chi_square = q.smallest_expected(score) >= MIN_EXPECTED
    if chi_square:
        p = float(chi2.sf(observed, q.degrees_of_freedom))
    else:
        exceed, step = 0, max(1, _BLOCK_ENTRIES // score.size)
        for lo in range(0, n_permutations, step):
            drawn = rng.random((min(step, n_permutations - lo), score.size))
            shuffled = np.argsort(drawn + q.stratum, axis=1)
            exceed += int((q(score[shuffled]) >= observed - 1e-9).sum())
        p = (1 + exceed) / (1 + n_permutations)
    who, index, n_per_member = np.unique(member, return_inverse=True, return_counts=True)
    return Homogeneity(
        statistic=observed,
        degrees_of_freedom=q.degrees_of_freedom,
        p_value=max(p, float(np.finfo(float).tiny)),
        method="chi-square" if chi_square else "permutation",
        members=items[who],
        win_rates=np.bincount(index, weights=score) / n_per_member,
        n_per_member=n_per_member.astype(np.int64),
        n_opponents=int(q.stratum[-1]) + 1,
        n_comparisons=int(score.size),
        n_permutations=0 if chi_square else n_permutations,
    )


class _Statistic:
    """Q for many assignments of scores at once; everything that permuting leaves alone is kept."""

    def __init__(self, member: IntArray, opponent: IntArray, score: FloatArray) -> None:
        _, stratum = np.unique(opponent, return_inverse=True)
        self.stratum = stratum.astype(np.int64)
        pair = self.stratum * (int(member.max()) + 1) + member
        _, first, cell, n = np.unique(
            pair, return_index=True, return_inverse=True, return_counts=True
        )
        self.n_cell = n.astype(np.float64)
        self.stratum_of_cell = self.stratum[first]
        n_stratum = np.bincount(self.stratum)
        mean = np.bincount(self.stratum, weights=score) / n_stratum
        deviation = (score - mean[self.stratum]) ** 2
        variance = np.bincount(self.stratum, weights=deviation) / (n_stratum - 1)
        self.mean = mean[self.stratum_of_cell]
        self.variance = variance[self.stratum_of_cell]
        self.degrees_of_freedom = int(n.size - n_stratum.size)
        shape = (score.size, n.size)
        self.cells = sp.csr_array((np.ones(score.size), (np.arange(score.size), cell)), shape=shape)

    def __call__(self, scores: FloatArray) -> FloatArray:
        """float64 (b,) for scores float64 (b, n)."""
        means = (scores @ self.cells) / self.n_cell
        out: FloatArray = (self.n_cell * (means - self.mean) ** 2 / self.variance).sum(axis=1)
        return out

    def smallest_expected(self, score: FloatArray) -> float:
        return float((self.n_cell * np.minimum(self.mean, 1.0 - self.mean)).min())


def noise_floor(comparisons: Comparisons, labels: IntArray) -> tuple[int, int]:
    """(comparisons between two items of one label, how many of them were not ties).

    labels : int64 (n_items,), -1 = none; with labels of equal texts the second over the first is
    the share of identical answers that annotators told apart, the floor under every other rate.
    """
    a, b = labels[comparisons.winner], labels[comparisons.loser]
    same = (a == b) & (a >= 0)
    return int(same.sum()), int((same & (comparisons.outcome != 0.5)).sum())
