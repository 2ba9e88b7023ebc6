"""Votes by pair, the fit they make, and the same fit after some of them were taken away or turned.

A *unit* is what is changed as a whole: a comparison, or all comparisons of one annotator, prompt or
cluster of clones. Weights stay those of the full data; κ is that of the data that is left, as a
refit would have it.

With f of ``rewards.objective`` times κ, every row (``count_weighted``) or every pair (proportions)
carries its own share of the penalty, because κ is a sum over them:

    κ f(r) = Σ_c u_c b_c [p_c log(1 + e^-δ_c) + (1 - p_c) log(1 + e^δ_c) + λ/(1 - Σw²) Σ_x w r²]

c a pair (i, j), b_c = w_i w_j, δ_c = r_i - r_j, u_c its mass of comparisons if counted, else 1. So
a row that goes takes its share of the penalty along, and the refit's κ needs no separate treatment.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray
from cr_audit.engine.blas import one_blas_thread
from cr_audit.errors import ComputeError
from cr_audit.labels import cluster_labels
from cr_audit.models.rewards.bootstrap import rows_of_pairs
from cr_audit.models.rewards.moments import MomentSystem
from cr_audit.models.rewards.objective import check_penalty, check_weights
from cr_audit.models.sensitivity.solves import ACCURACY, Adjoints, Method

# On max |F|: far below the differences of rewards that are called a change (``TIE``).
TOLERANCE = 1e-13
MAX_ITERATIONS = 100
# Items up to which a table of who was compared with whom is searched faster than a sparse graph.
FEW_ITEMS = 100


class Change(StrEnum):
    """What is done to a unit: its comparisons are left out, or winner and loser exchanged.

    A tie has neither, so turning it changes nothing."""

    REMOVAL = "removal"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Comparisons grouped by pair and by unit, and how they are fitted.

    first, second : int64 (k,), first < second, sorted. pair : int64 (n,), the pair of each row.
    won : float64 (n,), the share that ``first`` won in the row (1, ½, 0). mass : float64 (n,).
    total, total_won : float64 (k,), mass of each pair and the part that ``first`` won.
    unit : int64 (n,), 0..n_units - 1. weights : float64 (m,). counted : pairs enter by their mass.
    """

    n_items: int
    first: IntArray
    second: IntArray
    pair: IntArray
    won: FloatArray
    mass: FloatArray
    total: FloatArray
    total_won: FloatArray
    unit: IntArray
    n_units: int
    weights: FloatArray
    penalty: float
    counted: bool

    @classmethod
    def of(
        cls,
        rows: Comparisons,
        weights: FloatArray,
        penalty: float,
        *,
        count_weighted: bool = False,
        units: IntArray | None = None,
    ) -> Votes:
        """units : int64 (n,), a negative label is a unit by itself; None: every row is."""
        first, second, pair, won = rows_of_pairs(rows)
        k = first.shape[0]
        unit = cluster_labels(units, rows.n)
        return cls(
            n_items=rows.n_items,
            first=first,
            second=second,
            pair=pair,
            won=won,
            mass=rows.mass,
            total=np.bincount(pair, weights=rows.mass, minlength=k).astype(np.float64),
            total_won=np.bincount(pair, weights=rows.mass * won, minlength=k).astype(np.float64),
            unit=unit,
            n_units=int(unit.max(initial=-1)) + 1,
            weights=check_weights(weights, rows.n_items),
            penalty=check_penalty(penalty),
            counted=count_weighted,
        )

    @property
    def n_rows(self) -> int:
        """Votes."""
        return int(self.pair.shape[0])

    @property
    def p(self) -> FloatArray:
        """Share won by the first of each pair: float64 (pairs,)."""
        out: FloatArray = self.total_won / self.total
        return out

    @property
    def strength(self) -> FloatArray:
        """u: what multiplies a pair's term, before 1/κ; float64 (k,)."""
        return self.total if self.counted else np.ones(self.total.shape[0])

    @property
    def kappa_share(self) -> FloatArray:
        """2 w_i w_j/(1 - Σw²): what each pair (times u) adds to κ; float64 (k,)."""
        w = self.weights
        possible = 1.0 - float((w * w).sum())
        both: FloatArray = 2.0 * w[self.first] * w[self.second]
        # Where one alternative has all the weight no pair has any, and the fit refuses.
        return both / possible if possible > 0.0 else np.zeros_like(both)

    def rows_of(self, units: IntArray) -> IntArray:
        """The rows of some units, ascending."""
        chosen = np.zeros(self.n_units, np.bool_)
        chosen[units] = True
        return np.flatnonzero(chosen[self.unit])


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A fit of some masses. rewards : float64 (m,); total, total_won : float64 (k,), total 0 where
    a pair is gone; kappa : of what is left; residual : max |F| at the rewards."""

    rewards: FloatArray
    total: FloatArray
    total_won: FloatArray
    kappa: float
    residual: float


class Refits:
    """Fits of ``votes`` after changes, sharing one system and warm-started.

    base : the fit of all of them. at : what is known there. solver, inverse : its adjoint systems
    and J⁻ᵀ where that is dense, each made when it is first asked for.
    """

    def __init__(self, votes: Votes) -> None:
        self.votes = votes
        self._system = MomentSystem(votes.n_items, votes.first, votes.second)
        self._share = votes.kappa_share
        start = np.zeros(votes.n_items)
        self.base = self.fit(votes.total, votes.total_won, start)
        self.at = local(votes, self.base)
        self._known: dict[str, Any] = {}

    def by(self, units: IntArray | None) -> Refits:
        """The same comparisons and fit with other units, as ``Votes.of`` takes them; what is solved
        for one is there for the other."""
        other = copy(self)
        unit = cluster_labels(units, self.votes.n_rows)
        other.votes = replace(self.votes, unit=unit, n_units=int(unit.max(initial=-1)) + 1)
        return other

    def known(self, name: str, make: Callable[[], Any]) -> Any:
        """What follows from the fit of all votes, made when it is first asked for."""
        if name not in self._known:
            self._known[name] = make()
        return self._known[name]

    @property
    def solver(self) -> Adjoints:
        """Solves with the Hessian of the fit, prepared once."""
        solver: Adjoints = self.known("solver", lambda: adjoints_at(self.votes, self.at))
        return solver

    @property
    def inverse(self) -> FloatArray | None:
        """float64 (m, m), rows z of Jᵀz = e_x; None where the systems are not dense."""
        if self.solver.method != "dense":
            return None
        every = np.eye(self.votes.n_items)
        inverse: FloatArray = self.known("inverse", lambda: self.solver.of(every))
        return inverse

    def fit(self, total: FloatArray, total_won: FloatArray, start: FloatArray) -> State:
        """ComputeError ``fit-no-weight`` where nothing of positive weight is left."""
        v = self.votes
        here = total > 1e-12
        strength = np.where(here, total if v.counted else 1.0, 0.0)
        kappa = float((strength * self._share).sum())
        if not kappa > 0.0:
            raise ComputeError("fit-no-weight", "no compared pair of positive weight is left")
        p = np.divide(total_won, total, out=np.full(total.shape[0], 0.5), where=here)
        p = np.clip(p, 0.0, 1.0)
        with one_blas_thread():
            solved = self._system.solve(
                p,
                strength / kappa,
                v.weights,
                v.penalty,
                start=start,
                tolerance=TOLERANCE,
                max_iterations=MAX_ITERATIONS,
            )
        return State(solved.rewards, total, total_won, kappa, solved.residual_norm)

    def without(
        self, units: IntArray, change: Change, start: FloatArray | None = None
    ) -> State | None:
        """The fit after ``units`` were changed; None where nothing is left to fit."""
        total, total_won = self.masses(units, change)
        try:
            return self.fit(total, total_won, self.base.rewards if start is None else start)
        except ComputeError:
            return None

    def masses(self, units: IntArray, change: Change) -> tuple[FloatArray, FloatArray]:
        """Mass and mass won of every pair after the change."""
        v = self.votes
        rows = v.rows_of(units)
        k = v.first.shape[0]
        mass, won = v.mass[rows], v.won[rows]
        if change is Change.REVERSAL:
            turned = np.bincount(v.pair[rows], weights=mass * (1.0 - 2.0 * won), minlength=k)
            return v.total, v.total_won + turned
        total = v.total - np.bincount(v.pair[rows], weights=mass, minlength=k)
        total_won = v.total_won - np.bincount(v.pair[rows], weights=mass * won, minlength=k)
        gone = total <= 1e-9 * v.total
        return np.where(gone, 0.0, total), np.where(gone, 0.0, np.maximum(total_won, 0.0))

    def linked(self, state: State, item: int) -> BoolArray:
        """Which items are still connected with ``item``."""
        v = self.votes
        here = state.total > 0.0
        m = v.n_items
        if m <= FEW_ITEMS:
            near = np.zeros((m, m), np.bool_)
            near[v.first[here], v.second[here]] = near[v.second[here], v.first[here]] = True
            reached = np.zeros(m, np.bool_)
            new = np.arange(m) == item
            while new.any():
                reached |= new
                new = near[new].any(axis=0) & ~reached
            return reached
        graph = sp.csr_array(
            (np.ones(int(here.sum()), np.int8), (v.first[here], v.second[here])), shape=(m, m)
        )
        label = connected_components(graph, directed=False)[1]
        out: BoolArray = label == label[item]
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """What is known at one fit about every pair: δ, σ(δ), σ'(δ), u/κ; float64 (k,) each."""

    delta: FloatArray
    q: FloatArray
    slope: FloatArray
    strength: FloatArray


def local(votes: Votes, state: State) -> Local:
    """δ and σ at a fit, and the pairs' strengths in it."""
    delta = state.rewards[votes.first] - state.rewards[votes.second]
    q = expit(delta)
    here = state.total > 0.0
    strength = np.where(here, state.total if votes.counted else 1.0, 0.0) / state.kappa
    return Local(delta, q, q * (1.0 - q), strength)


def adjoints_at(
    votes: Votes, at: Local, *, method: Method | None = None, accuracy: float = ACCURACY
) -> Adjoints:
    """The adjoint systems of a fit."""
    return Adjoints(
        votes.n_items,
        votes.first,
        votes.second,
        at.strength * at.slope,
        votes.weights,
        votes.penalty,
        method=method,
        accuracy=accuracy,
    )
