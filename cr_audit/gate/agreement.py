"""Does the batch agree with the baseline, and does it repeat it? Facts only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.engine.tails import binom
from cr_audit.gate.beta_binomial import Groups

_SHAPES = np.geomspace(0.02, 50.0, 33)
"""Of the symmetric distribution of a pair's share of wins: from pairs that are never judged two
ways to pairs that are coin tosses."""


@dataclass(frozen=True, slots=True)
class MassAgainst:
    """share : of the weight of the judged rows that goes against the baseline; expected : of it, by
    what the baseline says of each pair. n_effective : (sum m)^2 / sum m^2, as many rows of one
    weight say as much. p_value : binomial, of a share as large among so many."""

    share: float
    expected: float
    n_effective: float
    p_value: float


@dataclass(frozen=True, slots=True, eq=False)
class Contradictions:
    """n : decided rows of the batch whose pair has a strict majority in the baseline (clones count
    as one item); n_against : those that go against it; rows : int64, their positions among the
    comparisons. expected : share of them that would go against it by what the baseline says about
    the same pairs; n_expected : rows of the baseline, of pairs that it judged twice or more, which
    say how often pairs are judged two ways. p_value : of a share as large as this or larger.
    by_mass : the same by the weights of the rows; not applicable where all of them are equal.
    """

    n: int
    n_against: int
    rows: IntArray
    expected: float
    n_expected: int
    p_value: float
    by_mass: MassAgainst | NotApplicable

    @property
    def share(self) -> float:
        """Share of the judgements that stand against the others."""
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

    Where the baseline judged a pair w times one way and l < w times the other way, the batch's next
    judgement goes against it with probability (s + l) / (2 s + w + l): the share of wins of a pair
    is Beta(s, s) distributed over pairs (``beta_binomial``), s found from the pairs that the
    baseline judged more than once.
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
    against_it = ((n_old - np.abs(old_sum)) // 2).astype(np.int64)
    repeated = n_old >= 2
    pairs = Groups.of(against_it[repeated], n_old[repeated], _SHAPES, _SHAPES)
    asked = np.bincount(index[judged], minlength=pair.size)
    rows = index[judged]
    chance = pairs.means(against_it[rows], n_old[rows])
    mass = comparisons.mass[used][judged]
    seen = asked > 0
    known = against_it[seen], n_old[seen], asked[seen]
    return Contradictions(
        n,
        n_against,
        used[against],
        pairs.expected(*known) / n,
        int(n_old[repeated].sum()),
        pairs.p_value(*known, n_against),
        _by_mass(mass, against[judged], chance),
    )


def _by_mass(
    mass: FloatArray, against: BoolArray, chance: FloatArray
) -> MassAgainst | NotApplicable:
    """mass, chance : float64 (n,), weight of each judged row and its chance to go against the
    baseline; against : bool (n,)."""
    if mass.max() == mass.min():
        return NotApplicable("all rows have one weight")
    weight = mass / mass.sum()
    share, expected = float(weight[against].sum()), float(weight @ chance)
    n = 1.0 / float(weight @ weight)
    # Rounded against a finding: fewer rows against it, of more.
    p_value = float(binom.sf(np.floor(share * n + 1e-9) - 1.0, np.ceil(n - 1e-9), expected))
    return MassAgainst(share, expected, n, p_value)


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
