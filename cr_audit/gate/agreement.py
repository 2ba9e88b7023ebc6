"""Does the batch agree with the baseline, and does it repeat it? Facts only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable

MIN_REPEATS = 20
"""Below this number of repeated judgements in the baseline its own rate is not an estimate."""
PRIOR = 400.0
"""A pair's own share counts b^2 / (b^2 + PRIOR), b being its rows. A pair with few rows has a
majority only because they agree, so its own share is too low (benchmarks/gate)."""
MANY = 5
"""From so many rows on, how many a majority rests on no longer matters."""


@dataclass(frozen=True, slots=True, eq=False)
class Contradictions:
    """n : decided rows of the batch whose pair has a strict majority in the baseline (clones count
    as one item); n_against : those that go against it; rows : int64, their positions among the
    comparisons. expected : share of them that would go against it by what the baseline says about
    the same pairs; n_expected : rows of the baseline behind that. p_value : of a share as large as
    this or larger (normal, continuity corrected).
    """

    n: int
    n_against: int
    rows: IntArray
    expected: float
    n_expected: int
    p_value: float

    @property
    def share(self) -> float:
        return self.n_against / self.n


@dataclass(frozen=True, slots=True, eq=False)
class Repeats:
    """Rows of the batch that stand in the baseline with the same pair, result, annotator and order.
    n : rows of the batch with a known annotator."""

    n: int
    n_repeated: int
    rows: IntArray


def contradictions(
    comparisons: Comparisons, added: BoolArray, labels: IntArray
) -> Contradictions | NotApplicable:
    """How often the batch goes against the baseline; labels : int64 (n_items,), clones alike.

    Expected of a row of a pair: q = (a + k e) / (b + k), a of b rows of the baseline going against
    the majority of the *other* rows of the pair, k = PRIOR / b, and e the same share over all pairs
    whose majority rests on as many rows (a majority of one vote is contradicted more often; counts
    from MANY on are one class; 1/2 where all of it rests on fewer than MIN_REPEATS rows). The
    variance of n_against - sum q adds the scatter of the batch's c rows of a pair, of the pair's
    own estimate, c q (1 - q) (1 + c / (b + k)), and of the common one.
    Rows between two clones say nothing here and are left out.
    """
    one, two = labels[comparisons.winner], labels[comparisons.loser]
    used = np.flatnonzero((comparisons.outcome == 1.0) & (one != two))
    low, high = np.minimum(one, two)[used], np.maximum(one, two)[used]
    side = np.where(one[used] == low, 1, -1)
    pair, index = np.unique(low * (int(labels.max(initial=0)) + 1) + high, return_inverse=True)
    new = added[used]
    old_sum = np.bincount(index[~new], weights=side[~new], minlength=pair.size)
    n_old = np.bincount(index[~new], minlength=pair.size)
    majority = np.sign(old_sum)
    judged = new & (majority[index] != 0)
    against = judged & (side != majority[index])
    n, n_against = int(judged.sum()), int(against.sum())
    if n == 0:
        return NotApplicable("no decided pair of the batch has a majority in the baseline")
    others = np.sign(old_sum[index] - side)
    own = ~new & (n_old[index] >= 2) & (others != 0)
    b = np.bincount(index[own], minlength=pair.size)
    a = np.bincount(index[own & (side != others)], minlength=pair.size)
    n_own = int(own.sum())
    typical = _typical(np.minimum(n_old[index[own]] - 1, MANY), (side != others)[own])
    e = typical[np.minimum(n_old, MANY)]
    k = PRIOR / np.maximum(b, 1)
    q = (a + k * e) / (b + k)
    c = np.bincount(index[judged], minlength=pair.size)
    expected = float(np.sum(c * q))
    variance = float(np.sum(c * q * (1.0 - q) * (1.0 + c / (b + k))))
    if n_own:
        leaning = float(np.sum(c * k / (b + k) * np.sqrt(e * (1.0 - e))))
        variance += leaning**2 / n_own
    z = (n_against - 0.5 - expected) / max(math.sqrt(variance), 1e-9)
    return Contradictions(n, n_against, used[against], expected / n, n_own, float(norm.sf(z)))


def _typical(n_others: IntArray, against: BoolArray) -> FloatArray:
    """Share of rows against the majority of the others, by the number of others: (MANY + 1,)."""
    if against.size < MIN_REPEATS:
        return np.full(MANY + 1, 0.5)
    n = np.bincount(n_others, minlength=MANY + 1)
    k = np.bincount(n_others, weights=against, minlength=MANY + 1)
    out: FloatArray = (k + MIN_REPEATS * against.mean()) / (n + MIN_REPEATS)
    return out


def repeats(comparisons: Comparisons, added: BoolArray) -> Repeats | NotApplicable:
    """Judgements of the batch that the baseline holds; only where the annotator is known."""
    c = comparisons
    known = c.annotator >= 0
    batch = np.flatnonzero(added & known)
    if batch.size == 0:
        return NotApplicable("no row of the batch names its annotator")
    said = np.stack([c.winner, c.loser, c.annotator, c.winner_first, (2 * c.outcome).astype(int)])
    _, code = np.unique(said, axis=1, return_inverse=True)
    code = code.reshape(-1)
    seen = np.unique(code[~added & known])
    rows = batch[np.isin(code[batch], seen)]
    return Repeats(int(batch.size), int(rows.size), rows)
