"""A small set of units whose change moves an order of two rewards: the upper end of the interval.

Influence orders the units, refits decide. At fixed rewards the score equations are linear in the
counts, so the fewest units for a wanted order are a linear programme whose solution takes whole
units in falling order of gain; the gains are then taken anew half-way to the fit that this set
leads to, and so on, while the set shrinks. A second set is grown one unit at a time, with influence
taken anew after each. What is left is tried with one unit less: drop the least useful one, exchange
for more useful ones. Every set that is returned was refitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.engine.blas import one_blas_thread
from cr_audit.models.marks import TIE
from cr_audit.models.sensitivity.solves import Method, differences
from cr_audit.models.sensitivity.votes import (
    Change,
    Local,
    Refits,
    State,
    Votes,
    adjoints_at,
    local,
)

# Orders that are searched in full: those that influence says are the nearest to change.
MAX_ORDERS = 6
# An order whose foretold size is so many times the best found is left out.
FAR = 2.0
MAX_ROUNDS = 6
MAX_SWAPS = 12
# Sets grown one unit at a time; each unit costs a solve and a refit.
MAX_GREEDY = 60
# Kinds of units up to which every one is tried by a refit.
MAX_TRIED = 64
MAX_TRIED_UNITS = 12
# Items up to which the linear systems of the search are solved dense.
DENSE_SEARCH = 300


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """units : int64, the set, ascending. state : the fit after it, in which ``below`` is over
    ``above``. predicted : the size that one-step influence foretold, 0 where it foretold none."""

    units: IntArray
    above: int
    below: int
    state: State
    predicted: int


def smallest(holds: Callable[[int], bool], limit: int, guess: int = 1) -> int:
    """A k in 1..limit that holds while k - 1 does not, or 0; doubling from ``guess``, bisection."""
    if limit < 1:
        return 0
    low, high = 0, min(max(guess, 1), limit)
    while not holds(high):
        if high == limit:
            return 0
        low, high = high, min(2 * high, limit)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def adjoints(votes: Votes, at: Local, plus: IntArray, minus: IntArray) -> FloatArray:
    """z of r(plus) - r(minus), to about eight digits: enough to order units by."""
    method: Method | None = "dense" if votes.n_items <= DENSE_SEARCH else "iterative"
    solver = adjoints_at(votes, at, method=method, accuracy=1e-8)
    return solver.of(differences(votes.n_items, plus, minus))


def base_adjoints(refits: Refits, plus: IntArray, minus: IntArray) -> FloatArray:
    """``adjoints`` at the fit of all votes, each solved once whatever is changed later."""
    known: dict[tuple[int, int], FloatArray] = refits.known("adjoints", dict)
    keys = list(zip(plus.tolist(), minus.tolist(), strict=True))
    new = [i for i, key in enumerate(keys) if key not in known]
    if new:
        solved = adjoints(refits.votes, refits.at, plus[new], minus[new])
        known.update((keys[i], z) for i, z in zip(new, solved, strict=True))
    return np.stack([known[key] for key in keys])


class Search:
    """Looks for sets of units of one kind of change."""

    def __init__(self, refits: Refits, change: Change) -> None:
        self.refits, self.change, self.votes = refits, change, refits.votes
        v = self.votes
        k = v.first.shape[0]
        key, cell = np.unique(v.unit * np.int64(k) + v.pair, return_inverse=True)
        self._unit, self._pair = key // k, key % k
        self._mass: FloatArray = np.bincount(cell, weights=v.mass).astype(np.float64)
        self._won: FloatArray = np.bincount(cell, weights=v.mass * v.won).astype(np.float64)
        low, high = np.full(k, np.inf), np.full(k, -np.inf)
        np.minimum.at(low, v.pair, v.won)
        np.maximum.at(high, v.pair, v.won)
        self._low, self._high = low, high
        self._kind = self._kinds()
        self._few = int(self._kind.max(initial=-1)) < MAX_TRIED
        self.n_refits = 0

    def _kinds(self) -> IntArray:
        """A label per unit: units of one cell each that hold the same are interchangeable."""
        if self._unit.shape[0] != self.votes.n_units:
            return np.arange(self.votes.n_units)
        order = np.lexsort((self._won, self._mass, self._pair))
        cells = (self._pair[order], self._mass[order], self._won[order])
        new = np.zeros(order.shape[0], np.bool_)
        for column in cells:
            new[1:] |= column[1:] != column[:-1]
        out = np.empty(order.shape[0], np.int64)
        out[self._unit[order]] = np.cumsum(new)
        return out

    def flip(
        self,
        above: IntArray,
        below: IntArray,
        *,
        limit: int | None = None,
        excluded: Callable[[int], bool] = lambda k: k < 1,
    ) -> Found | None:
        """The smallest set found that puts one of ``below`` over its ``above``; None: none found.

        above, below : int64 (q,), r(above) >= r(below) in the fit. limit : of the set's size.
        excluded : whether it is proved that no set of up to so many units will do; the search ends
        where its best set is one larger.
        """
        best: Found | None = None
        ceiling = self.votes.n_units if limit is None else min(limit, self.votes.n_units)
        for a, b, predicted in self._nearest(above, below):
            if best is not None and (predicted or ceiling + 1) > FAR * best.units.size + 1:
                continue
            found = self._one(a, b, predicted, ceiling)
            if found is not None:
                best, ceiling = found, found.units.size - 1
            if ceiling < 1 or (found is not None and excluded(ceiling)):
                break
        return best

    def one_step(self, above: int, below: int) -> tuple[int, FloatArray]:
        """What influence alone foretells: the number of units (0: never) and the gain of each."""
        base = self.refits.base
        gains = self._gains(base, above, below)[0]
        return _enough(gains, base.rewards[above] - base.rewards[below]), gains

    def changes(self, units: IntArray, above: int, below: int, start: State) -> State | None:
        """The refit, where ``below`` is over ``above`` in it and still connected with it."""
        self.n_refits += 1
        state = self.refits.without(units, self.change, start.rewards)
        if state is None or state.rewards[below] - state.rewards[above] <= TIE:
            return None
        return state if self.refits.linked(state, above)[below] else None

    # Which orders -------------------------------------------------------------------------------

    def _nearest(self, above: IntArray, below: IntArray) -> list[tuple[int, int, int]]:
        """The orders nearest to change: above, below, and the size that influence foretells."""
        base = self.refits.base
        gap = base.rewards[above] - base.rewards[below]
        # By gap first, since each order costs a linear system; more of them where it is cheap.
        width = 4 * MAX_ORDERS if self.votes.n_items <= DENSE_SEARCH else MAX_ORDERS
        some = np.argsort(gap, kind="stable")[:width]
        z = base_adjoints(self.refits, below[some], above[some])
        gains = self._unit_gains(self.refits.at, base, z, base)[0]
        out = [
            (int(above[q]), int(below[q]), _enough(row, float(gap[q])))
            for q, row in zip(some.tolist(), gains, strict=True)
        ]
        never = self.votes.n_units + 1
        return sorted(out, key=lambda x: x[2] or never)[:MAX_ORDERS]

    # One order ----------------------------------------------------------------------------------

    def _one(self, a: int, b: int, predicted: int, ceiling: int) -> Found | None:
        best: Found | None = None
        base = middle = self.refits.base
        for _ in range(MAX_ROUNDS):
            before = ceiling
            for gains in self._gains(middle, a, b):
                found = self._prefix(gains, a, b, predicted, ceiling)
                if found is not None:
                    best, ceiling = found, found.units.size - 1
            if best is None or ceiling == before:
                break
            middle = replace(base, rewards=0.5 * (base.rewards + best.state.rewards))
        if best is None or ceiling <= 4 * MAX_GREEDY:
            if self._few and (best is None or ceiling <= MAX_TRIED_UNITS):
                best = self._tried(a, b, predicted, min(ceiling, MAX_TRIED_UNITS)) or best
            else:
                best = self._grown(a, b, predicted, min(ceiling, MAX_GREEDY)) or best
        while best is not None and 1 < best.units.size <= 4 * MAX_GREEDY:
            less = self._exchanged(best, a, b)
            if less is None:
                break
            best = less
        return best

    def _prefix(
        self, gains: FloatArray, a: int, b: int, predicted: int, ceiling: int
    ) -> Found | None:
        """The shortest prefix, by falling gain, that changes the order."""
        order = np.argsort(-gains, kind="stable")
        n = min(ceiling, int((gains > 0.0).sum()))
        last: dict[int, State] = {}

        def holds(k: int) -> bool:
            state = self.changes(order[:k], a, b, self.refits.base)
            if state is not None:
                last[k] = state
            return state is not None

        k = smallest(holds, n, guess=predicted)
        return Found(np.sort(order[:k]), a, b, last[k], predicted) if k else None

    def _grown(self, a: int, b: int, predicted: int, limit: int) -> Found | None:
        """One unit after the other, each the best at the fit so far."""
        chosen: list[int] = []
        state = self.refits.base
        while len(chosen) < limit:
            gains = self._marginal(state, a, b, np.array(chosen, np.int64))
            gains[chosen] = -np.inf
            unit = int(np.argmax(gains))
            if not gains[unit] > 0.0:
                return None
            chosen.append(unit)
            units = np.sort(np.array(chosen, np.int64))
            new = self.refits.without(units, self.change, state.rewards)
            self.n_refits += 1
            if new is None:
                return None
            state = new
            if state.rewards[b] - state.rewards[a] > TIE:
                fits = self.refits.linked(state, a)[b]
                return Found(units, a, b, state, predicted) if fits else None
        return None

    def _tried(self, a: int, b: int, predicted: int, limit: int) -> Found | None:
        """As ``_grown``, but each unit is chosen by refitting without it: for small data, in which
        one unit can be most of what ties two items together and influence is far off."""
        chosen: list[int] = []
        state = self.refits.base
        with one_blas_thread():  # once, not for each of the many small fits
            while len(chosen) < limit:
                best_gap, best_unit, best_state = -np.inf, -1, state
                for unit in self._representatives(chosen):
                    units = np.sort(np.array([*chosen, unit], np.int64))
                    new = self.refits.without(units, self.change, state.rewards)
                    self.n_refits += 1
                    if new is None:
                        continue
                    gap = float(new.rewards[b] - new.rewards[a])
                    # Looked at last, since it costs as much as the refit: still compared?
                    if gap > best_gap + TIE and self.refits.linked(new, a)[b]:
                        best_gap, best_unit, best_state = gap, unit, new
                if best_unit < 0 or best_gap <= state.rewards[b] - state.rewards[a]:
                    return None
                chosen.append(best_unit)
                state = best_state
                if best_gap > TIE:
                    return Found(np.sort(np.array(chosen, np.int64)), a, b, state, predicted)
        return None

    def _representatives(self, chosen: list[int]) -> list[int]:
        """One unit of each kind that is left."""
        free = np.ones(self.votes.n_units, np.bool_)
        free[chosen] = False
        index = np.flatnonzero(free)
        one_each = np.unique(self._kind[index], return_index=True)[1]
        return [int(u) for u in index[one_each]]

    def _exchanged(self, found: Found, a: int, b: int) -> Found | None:
        """A set of one unit less: the least useful left out, then exchanges that gain."""
        units = found.units
        loss = -self._marginal(found.state, a, b, units)[units]
        units = np.delete(units, int(np.argmin(loss)))
        seen: set[bytes] = set()
        start = found.state
        for _ in range(MAX_SWAPS):
            if units.tobytes() in seen:
                return None
            seen.add(units.tobytes())
            done = self.changes(units, a, b, start)
            if done is not None:
                return Found(units, a, b, done, found.predicted)
            state = self.refits.without(units, self.change, start.rewards)
            if state is None:
                return None
            gains = self._marginal(state, a, b, units)
            inside = np.zeros(self.votes.n_units, np.bool_)
            inside[units] = True
            add = int(np.argmax(np.where(inside, -np.inf, gains)))
            out = int(units[np.argmin(-gains[units])])
            if inside[add] or gains[add] + gains[out] <= 0.0:
                return None
            units = np.sort(np.append(units[units != out], add))
            start = state
        return None

    # Gains --------------------------------------------------------------------------------------

    def _gains(self, state: State, above: int, below: int) -> list[FloatArray]:
        """Two readings of how much each unit moves r(below) - r(above): what it does alone, and
        its part of what all that help in its pairs do together; float64 (units,) each."""
        a, b = np.array([above]), np.array([below])
        if state is self.refits.base:
            at, z = self.refits.at, base_adjoints(self.refits, b, a)
        else:
            at = local(self.votes, state)
            z = adjoints(self.votes, at, b, a)
        return [g[0] for g in self._unit_gains(at, state, z, self.refits.base)]

    def _unit_gains(
        self, at: Local, state: State, z: FloatArray, masses: State
    ) -> list[FloatArray]:
        g = self._push(z) / state.kappa
        level = self.votes.penalty * (z @ state.rewards) / state.kappa
        value, gone = self._values(at, masses.total, masses.total_won)
        alone = self._summed(g, value) + level[:, None] * self._shares(gone)[None, :]
        if self.votes.counted or self.change is Change.REVERSAL:
            return [alone]
        part = self._mass / self.votes.total[self._pair]
        won = self._won / self.votes.total[self._pair]
        # A pair whose rows all go counts for σ(δ), which may lie beyond all that were seen.
        up = part * np.maximum(self._high, at.q)[self._pair] - won
        down = part * np.minimum(self._low, at.q)[self._pair] - won
        joint = self._summed(np.maximum(g, 0.0), up) - self._summed(np.maximum(-g, 0.0), down)
        return [alone, joint]

    def _marginal(self, state: State, a: int, b: int, chosen: IntArray) -> FloatArray:
        """Gain of changing each unit at the fit of ``state``; for the ``chosen``, of undoing it."""
        at = local(self.votes, state)
        z = adjoints(self.votes, at, np.array([b]), np.array([a]))
        inside = np.zeros(self.votes.n_units, np.bool_)
        inside[chosen] = True
        value, gone = self._values(at, state.total, state.total_won, inside[self._unit])
        level = self.votes.penalty * float(z[0] @ state.rewards) / state.kappa
        out = self._summed(self._push(z) / state.kappa, value)[0]
        total: FloatArray = out + level * self._shares(gone)
        return total

    def _push(self, z: FloatArray) -> FloatArray:
        v = self.votes
        out: FloatArray = v.weights[v.second] * z[:, v.first] - v.weights[v.first] * z[:, v.second]
        return out

    def _summed(self, g: FloatArray, value: FloatArray) -> FloatArray:
        """Σ over a unit's cells of g value: float64 (f, units)."""
        v = self.votes
        cells = sp.csr_array((value, (self._unit, self._pair)), shape=(v.n_units, g.shape[1]))
        out: FloatArray = np.ascontiguousarray(np.asarray(cells @ g.T).T)
        return out

    def _shares(self, gone: FloatArray) -> FloatArray:
        """By how much κ falls with each unit: float64 (units,)."""
        out: FloatArray = np.bincount(
            self._unit,
            weights=gone * self.votes.kappa_share[self._pair],
            minlength=self.votes.n_units,
        ).astype(np.float64)
        return out

    def _values(
        self,
        at: Local,
        total: FloatArray,
        total_won: FloatArray,
        undone: BoolArray | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Per cell: the change of u(p - σ) that changing it alone makes, σ as at the fit, and the
        change of u (the part of κ that goes). undone : cells that are put back instead."""
        back = np.zeros(self._pair.shape[0], np.bool_) if undone is None else undone
        sign = np.where(back, -1.0, 1.0)
        pair, mass, won = self._pair, self._mass, self._won
        if self.change is Change.REVERSAL:
            turned = sign * (mass - 2.0 * won)
            scale = 1.0 if self.votes.counted else 1.0 / self.votes.total[pair]
            return turned * scale, np.zeros_like(mass)
        if self.votes.counted:
            return sign * (mass * at.q[pair] - won), sign * mass
        before, after = total[pair], total[pair] - sign * mass
        floor = 1e-9 * self.votes.total[pair]
        here, stays = before > floor, after > floor
        p = np.where(here, total_won[pair] / np.where(here, before, 1.0), at.q[pair])
        left = (total_won[pair] - sign * won) / np.where(stays, after, 1.0)
        new = np.where(stays, left, at.q[pair])
        return new - p, here.astype(np.float64) - stays.astype(np.float64)


def _enough(gains: FloatArray, gap: float) -> int:
    """How many of the largest gains are more than the gap; 0 where all are not."""
    sums = np.cumsum(-np.sort(-gains[gains > 0.0]))
    enough = np.flatnonzero(sums > gap)
    return int(enough[0]) + 1 if enough.size else 0
