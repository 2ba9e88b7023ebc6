"""Does the place in the list decide? Chosen positions against uniform, per list size.

An effect of position imitates a violation of IIA wherever categories stand at certain places, and
hides one elsewhere; it is looked at before any verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.engine.tails import chi2


@dataclass(frozen=True, slots=True, eq=False)
class SizePositions:
    """Lists of one size: how often each place was chosen (mass), and Pearson's statistic."""

    size: int
    n_lists: int
    chosen: FloatArray
    statistic: float
    p_value: float

    @property
    def largest_excess(self) -> tuple[int, float]:
        """The place (0 first) whose share is farthest from 1/size, and share − 1/size."""
        excess = self.chosen / max(float(self.chosen.sum()), 1e-300) - 1.0 / self.size
        at = int(np.abs(excess).argmax())
        return at, float(excess[at])


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """All sizes together: statistic and degrees of freedom are sums over sizes."""

    sizes: tuple[SizePositions, ...]
    statistic: float
    degrees_of_freedom: int
    p_value: float


# Fewer expected choices per place than this make the chi-squared law a poor guide.
MIN_EXPECTED = 5.0


def position_test(
    offsets: IntArray, share: FloatArray, *, mass: FloatArray | None = None
) -> Positions | NotApplicable:
    """Pearson's test that the chosen place is uniform, for every size with enough lists.

    offsets, share : as in ``ChoiceDesign``, rows in the order in which they were shown. Lists with
    several chosen members are left out. Sizes with fewer than 5 expected choices per place are
    left out. mass weights what is counted; the statistic is scaled to the number of lists.
    """
    n = offsets.shape[0] - 1
    sizes = np.diff(offsets)
    owner = np.repeat(np.arange(n), sizes)
    place = np.arange(share.shape[0]) - np.repeat(offsets[:-1], sizes)
    chosen = np.flatnonzero(share >= 1.0 - 1e-12)
    weight = np.ones(n) if mass is None else mass
    found = []
    for size in np.unique(sizes[owner[chosen]]):
        rows = chosen[sizes[owner[chosen]] == size]
        if size < 2 or rows.size < MIN_EXPECTED * size:
            continue
        w = weight[owner[rows]]
        counts = np.bincount(place[rows], weights=w, minlength=int(size)).astype(np.float64)
        # Kish's effective number: repeated (weighted) lists are not more lists.
        effective = float(w.sum()) ** 2 / float((w * w).sum())
        expected = 1.0 / size
        deviation = counts / counts.sum() - expected
        statistic = effective * float((deviation**2).sum()) / expected
        p = float(chi2.sf(statistic, size - 1))
        found.append(SizePositions(int(size), int(rows.size), counts, statistic, p))
    if not found:
        return NotApplicable("no list size has five choices for every place")
    total = sum(f.statistic for f in found)
    df = sum(f.size - 1 for f in found)
    return Positions(tuple(found), total, df, float(chi2.sf(total, df)))
