"""Does the batch agree with the baseline, and does it repeat it? Facts only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln
from scipy.stats import norm

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable

_SHAPES = np.geomspace(0.02, 50.0, 33)
"""Shapes of the prior of a pair's share of wins, Beta(shape, shape): from pairs that are never
judged two ways to pairs that are coin tosses. Equally likely on their logarithm before the baseline
is seen."""
_POSSIBLE = 1e-6
"""Shapes that are less likely than this once the baseline is seen are left out."""
_EXACT = 20_000
"""Rows judged up to which the distribution of their sum is exact; above it is normal."""


@dataclass(frozen=True, slots=True, eq=False)
class Contradictions:
    """n : decided rows of the batch whose pair has a strict majority in the baseline (clones count
    as one item); n_against : those that go against it; rows : int64, their positions among the
    comparisons. expected : share of them that would go against it by what the baseline says about
    the same pairs; n_expected : rows of the baseline, of pairs that it judged twice or more, which
    say how often pairs are judged two ways. p_value : of a share as large as this or larger.
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

    The share of wins of a pair is Beta(s, s) distributed over pairs. Where the baseline judged a
    pair w times one way and l < w times the other way, the next judgement goes against it with
    probability (s + l) / (2 s + w + l), and of c judgements of the batch a beta-binomial number
    does; the sum over pairs is exact (a product of characteristic functions) up to ``_EXACT``
    judgements and normal above. s is not known: the likelihood of the baseline's own pairs
    prod B(s + w, s + l) / B(s, s) weighs a grid of shapes, and ``expected`` and ``p_value`` are
    means over it, so a baseline that never judges a pair twice leaves both wide open.
    Given the counts this is no fit to a selected majority, as the share of the baseline's rows
    that go against the others of their pair would be.
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
    for_it, against_it = (n_old + np.abs(old_sum)) // 2, (n_old - np.abs(old_sum)) // 2
    repeated = n_old >= 2
    shapes, likely = _shapes(for_it[repeated], against_it[repeated])
    asked = np.bincount(index[judged], minlength=pair.size)
    seen = asked > 0
    counts, times = np.unique(
        np.column_stack([for_it, against_it, asked])[seen], axis=0, return_counts=True
    )
    won, lost, here = counts.T
    q = (shapes[:, None] + lost) / (2.0 * shapes[:, None] + won + lost)
    expected = float(likely @ (q @ (times * here)))
    tails = [_tail(s, counts, times, n_against) for s in shapes.tolist()]
    p_value = float(likely @ tails)
    n_own = int(n_old[repeated].sum())
    return Contradictions(n, n_against, used[against], expected / n, n_own, min(p_value, 1.0))


def _shapes(for_it: IntArray, against_it: IntArray) -> tuple[FloatArray, FloatArray]:
    """Shapes that the pairs of the baseline leave possible, and how likely each is (sum 1)."""
    counts, times = np.unique(np.column_stack([for_it, against_it]), axis=0, return_counts=True)
    s = _SHAPES[:, None]
    gain = betaln(s + counts[:, 0], s + counts[:, 1]) - betaln(s, s)
    log = gain @ times
    likely = np.exp(log - log.max())
    likely /= likely.sum()
    kept = likely > _POSSIBLE
    return _SHAPES[kept], likely[kept] / likely[kept].sum()


def _tail(shape: float, counts: IntArray, times: IntArray, at_least: int) -> float:
    """P(sum >= at_least) of independent beta-binomials; counts : (k, 3) won, lost and asked."""
    won, lost, asked = counts.T
    n = int((asked * times).sum())
    if n > _EXACT:
        total, rows = 2.0 * shape + won + lost, asked * times
        q = (shape + lost) / total
        variance = rows @ (q * (1.0 - q) * (1.0 + (asked - 1) / (total + 1.0)))
        return float(norm.sf((at_least - 0.5 - rows @ q) / np.sqrt(variance)))
    product = np.ones((n + 1) // 2 + 1, dtype=np.complex128)
    for size in np.unique(asked).tolist():
        some = asked == size
        j = np.arange(size + 1)
        log = gammaln(size + 1) - gammaln(j + 1) - gammaln(size - j + 1)
        a, b = shape + lost[some, None], shape + won[some, None]
        chances = np.exp(log + betaln(a + j, b + size - j) - betaln(a, b))
        for chance, k in zip(chances, times[some], strict=True):
            product *= np.fft.rfft(chance, n + 1) ** k
    chance_of = np.fft.irfft(product, n + 1)
    return float(np.clip(chance_of[at_least:].sum(), 0.0, 1.0))


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
