"""How few votes change an answer: a certified interval [lower, upper].

An answer is a list of orders r(above) > r(below); it changes as soon as one of them is turned. No
change of fewer than ``lower`` units can do that (``certificate``), the named ``upper`` units do
(``search``), which a fit from scratch on the changed comparisons confirms.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.models.marks import TIE
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.sensitivity.certificate import Certificate
from cr_audit.models.sensitivity.search import Found, Search
from cr_audit.models.sensitivity.solves import DENSE_LIMIT
from cr_audit.models.sensitivity.votes import TOLERANCE, Change, Refits, Votes


@dataclass(frozen=True, slots=True)
class Orders:
    """above, below : int64 (q,); the answer is that each ``above`` has the higher reward."""

    above: IntArray
    below: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class FlipInterval:
    """lower : changing fewer units cannot turn any of the orders. upper : size of the set found.

    units, rows : int64, the set and its comparisons; empty where none was found. above, below : the
    order that the set turns, or the one of the smallest gap. gap : its r(above) - r(below).
    predicted : the size that one-step influence foretells for that order, 0 for never.
    curvature_share : share of the bound that fails at ``lower`` which stands for curvature: where
    it is large, ``lower`` is what can be proved rather than what is true. n_units : of all.
    """

    change: Change
    lower: int
    upper: int | NotApplicable
    units: IntArray
    rows: IntArray
    above: int
    below: int
    gap: float
    predicted: int
    curvature_share: float
    n_units: int

    @property
    def exact(self) -> bool:
        """Whether both ends are one number."""
        return self.lower == self.upper


class FlipAudit:
    """Intervals for many answers about one fit; factorisations and proved regions are shared."""

    def __init__(
        self,
        rows: Comparisons,
        weights: FloatArray,
        penalty: float,
        *,
        count_weighted: bool = False,
        units: IntArray | None = None,
    ) -> None:
        """units : int64 (n,), see ``Votes.of``. ComputeError ``fit-no-weight`` as the fit."""
        self.comparisons = rows
        self.votes = Votes.of(rows, weights, penalty, count_weighted=count_weighted, units=units)
        self.refits = Refits(self.votes)
        self._searches: dict[Change, Search] = {}
        self._certificates: dict[Change, Certificate] = {}

    def by(self, units: IntArray | None) -> FlipAudit:
        """The same comparisons and fit with other units, see ``Votes.of``."""
        other = copy(self)
        other.refits = self.refits.by(units)
        other.votes = other.refits.votes
        other._searches, other._certificates = {}, {}
        return other

    @property
    def rewards(self) -> FloatArray:
        """Of the fit to all votes: float64 (m,)."""
        return self.refits.base.rewards

    def search(self, change: Change) -> Search:
        """The search for small sets under one kind of change, made once."""
        if change not in self._searches:
            self._searches[change] = Search(self.refits, change)
        return self._searches[change]

    def certificate(self, change: Change) -> Certificate:
        """The proof of lower ends under one kind of change, made once."""
        if change not in self._certificates:
            self._certificates[change] = Certificate(self.refits, change)
        return self._certificates[change]

    # Answers ------------------------------------------------------------------------------------

    def leader(self, component_of: int | None = None) -> Orders | NotApplicable:
        """That the first item is first among those connected with it."""
        return self.top(1, component_of)

    def top(self, k: int, component_of: int | None = None) -> Orders | NotApplicable:
        """Which items are the first k of a component (of the best item's, or of the one named)."""
        r = self.rewards
        item = int(np.argmax(r)) if component_of is None else component_of
        members = np.flatnonzero(self.refits.linked(self.refits.base, item))
        if members.shape[0] <= k:
            return NotApplicable(f"there are {members.shape[0]} connected items, no more than {k}")
        # Rewards within TIE are one rank, in which the first item stands first.
        order = members[np.argsort(-np.round(r[members] / TIE), kind="stable")]
        above, below = np.meshgrid(order[:k], order[k:], indexing="ij")
        return Orders(above.ravel(), below.ravel())

    def pair(self, a: int, b: int) -> Orders | NotApplicable:
        """Which of two items is ahead."""
        if not self.refits.linked(self.refits.base, a)[b]:
            return NotApplicable("no path of comparisons connects the two")
        x, y = (a, b) if self.rewards[a] >= self.rewards[b] else (b, a)
        return Orders(np.array([x]), np.array([y]))

    # The interval -------------------------------------------------------------------------------

    def interval(self, orders: Orders, change: Change) -> FlipInterval:
        """[lower, upper] of the number of units whose change turns one of ``orders``."""
        certificate = self.certificate(change)
        above, below = orders.above, orders.below

        def excluded(k: int) -> bool:
            return certificate.holds(k, above, below)

        found = self.search(change).flip(above, below, excluded=excluded)
        if found is not None and not self.confirmed(found, change):
            found = None
        limit = self.votes.n_units if found is None else found.units.size - 1
        lower = certificate.lower(above, below, limit)
        gap = self.rewards[above] - self.rewards[below]
        if found is None:
            q = int(np.argmin(gap))
            a, b = int(above[q]), int(below[q])
        else:
            a, b = found.above, found.below
        nothing = np.zeros(0, np.int64)
        units = nothing if found is None else found.units
        exact = found is not None and lower == units.size
        reason = "every unit may change and the answer stands"
        if lower <= self.votes.n_units:
            reason = "no set was found that changes the answer"
        return FlipInterval(
            change=change,
            lower=lower,
            upper=units.size if found is not None else NotApplicable(reason),
            units=units,
            rows=self.votes.rows_of(units) if units.size else nothing,
            above=a,
            below=b,
            gap=float(self.rewards[a] - self.rewards[b]),
            predicted=found.predicted if found is not None else 0,
            curvature_share=0.0 if exact else certificate.curvature_share(lower, a, b),
            n_units=self.votes.n_units,
        )

    def turned_by(self, orders: Orders, change: Change, most: int) -> Found | None:
        """A confirmed set of at most ``most`` units that turns one of ``orders``; None where none
        was found, and at once where it is proved that there is none."""
        if self.certificate(change).holds(most, orders.above, orders.below):
            return None
        found = self.search(change).flip(orders.above, orders.below, limit=most)
        return found if found is not None and self.confirmed(found, change) else None

    def confirmed(self, found: Found, change: Change) -> bool:
        """Whether a fit of the changed comparisons has the two the other way round.

        From scratch; above DENSE_LIMIT items the iteration starts at the search's rewards. It ends
        at the same root, since F is taken from the comparisons anew and must vanish.
        """
        v = self.votes
        changed = changed_rows(self.comparisons, v.rows_of(found.units), change)
        fit = fit_tabular(
            changed.proportions(),
            v.weights,
            penalty=v.penalty,
            count_weighted=v.counted,
            tolerance=TOLERANCE,
            warm_start=found.state.rewards if v.n_items > DENSE_LIMIT else None,
        )
        a, b = found.above, found.below
        together = fit.components[a] == fit.components[b] and fit.components[a] >= 0
        return bool(together and fit.rewards[b] - fit.rewards[a] > TIE)


def changed_rows(rows: Comparisons, which: IntArray, change: Change) -> Comparisons:
    """The comparisons with some of them left out, or with winner and loser exchanged."""
    chosen = np.zeros(rows.n, np.bool_)
    chosen[which] = True
    if change is Change.REMOVAL:
        return rows.take(np.flatnonzero(~chosen))
    turned = chosen & (rows.outcome == 1.0)
    return replace(
        rows,
        winner=np.where(turned, rows.loser, rows.winner),
        loser=np.where(turned, rows.winner, rows.loser),
        winner_first=np.where(
            turned & (rows.winner_first >= 0), 1 - rows.winner_first, rows.winner_first
        ),
    )
