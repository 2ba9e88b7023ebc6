"""How well each judge sees: battles weighed by the competence of who judged them.

    P(x beats y | judge k) = σ(a_k δ),  δ = r(x) - r(y),  a_k ~ N(1, s²),

a tie counting as half a win and half a loss. a_k = 1 is the average judge, 0 tosses coins, below 0
votes against the others. r and a are found in turns, each a concave problem; s by maximising the
marginal likelihood in Laplace's approximation (an EM step: s² = mean of (a_k - 1)² + variance of
a_k), so that judges with few votes stay near the average. Σ_k n_k a_k = Σ_k n_k fixes the scale.

Source: Birnbaum's (1968) discrimination, carried to pairs as Chen et al. (2013) do with a mixture;
the scale instead of the mixture keeps both steps concave and knows judges that err near ties only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable, Proportions
from cr_audit.engine import one_blas_thread
from cr_audit.models.graph import components
from cr_audit.models.ties.fit import MAX_ITEMS, solve_positive

MAX_ROUNDS = 200
TOLERANCE = 1e-6
MIN_SPREAD = 1e-3
"""Judges whose competences spread less than this are all alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Competence:
    """rewards : float64 (m,), log-odds for the average judge, NaN without a battle.

    judges : int64 (j,), their labels in the comparisons. competence, error : float64 (j,), a_k and
    its standard error given the rewards. n_battles : int64 (j,). agreement : float64 (j,), share of
    the judge's decided battles that the rewards *fitted with everybody's votes* predict, NaN
    without one. spread : s. gain : log-likelihood above that of equal judges, per battle.
    """

    rewards: FloatArray
    component: IntArray
    judges: IntArray
    competence: FloatArray
    error: FloatArray
    n_battles: IntArray
    agreement: FloatArray
    spread: float
    gain: float
    n_rounds: int
    converged: bool


def fit_competence(
    comparisons: Comparisons, *, prior_precision: float, spread: float | None = None
) -> Competence | NotApplicable:
    """Rewards and competences together. spread : s, estimated where None.

    Rows without an annotator are left out. NotApplicable with fewer than two judges, or above
    MAX_ITEMS items. Memory: m² numbers and about 10 per distinct (pair, judge).
    """
    c = comparisons
    known = c.annotator >= 0
    judges, judge = np.unique(c.annotator[known], return_inverse=True)
    if judges.size < 2:
        return NotApplicable("fewer than two judges are named")
    if c.n_items > MAX_ITEMS:
        return NotApplicable(f"more than {MAX_ITEMS:,} items")
    votes = _votes(c, known, judge.astype(np.int64), judges.size)
    model = _Alternating(votes, prior_precision)
    with one_blas_thread():
        a = np.ones(judges.size)
        r = model.rewards(np.zeros(c.n_items), a)
        equal = model.log_likelihood(r, a)
        s = 0.3 if spread is None else spread
        rounds, moved = 0, np.inf
        while rounds < MAX_ROUNDS and moved > TOLERANCE:
            rounds += 1
            before = r
            a, variance = model.competences(r, a, s)
            if spread is None:
                s = float(np.sqrt(np.mean((a - 1.0) ** 2 + variance)))
                if s < MIN_SPREAD:
                    a, s = np.ones_like(a), 0.0
            scale = float((votes.n_by_judge * a).sum() / votes.n_by_judge.sum())
            a = a / scale
            r = model.rewards(r * scale, a)
            moved = float(np.abs(r - before).max())
            if s == 0.0:
                break
        variance = model.competences(r, a, max(s, MIN_SPREAD))[1] if s > 0 else np.zeros_like(a)
    return Competence(
        rewards=np.where(model.component >= 0, r, np.nan),
        component=model.component,
        judges=judges,
        competence=a,
        error=np.sqrt(variance),
        n_battles=np.bincount(judge, minlength=judges.size),
        agreement=votes.agreement(r),
        spread=s,
        gain=(model.log_likelihood(r, a) - equal) / float(votes.n.sum()),
        n_rounds=rounds,
        converged=moved <= TOLERANCE or s == 0.0,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Votes:
    """Cells of one pair and one judge: mass n, mass won by first (ties half), decided wins."""

    n_items: int
    first: IntArray
    second: IntArray
    judge: IntArray
    n: FloatArray
    won: FloatArray
    clear: FloatArray  # (2, k): decided for first, for second
    n_by_judge: FloatArray

    def agreement(self, rewards: FloatArray) -> FloatArray:
        sign = np.sign(np.round(rewards[self.first] - rewards[self.second], 9))
        right = np.where(sign > 0, self.clear[0], np.where(sign < 0, self.clear[1], 0.0))
        right = np.where(sign == 0, 0.5 * self.clear.sum(axis=0), right)
        j = self.n_by_judge.shape[0]
        total = np.bincount(self.judge, weights=self.clear.sum(axis=0), minlength=j)
        agree = np.bincount(self.judge, weights=right, minlength=j)
        out: FloatArray = np.divide(agree, total, out=np.full(j, np.nan), where=total > 0)
        return out


def _votes(c: Comparisons, known: BoolArray, judge: IntArray, j: int) -> _Votes:
    w, l, o, mass = c.winner[known], c.loser[known], c.outcome[known], c.mass[known]
    swap = w > l
    first, second = np.where(swap, l, w), np.where(swap, w, l)
    key = (first * np.int64(c.n_items) + second) * np.int64(j) + judge
    unique, cell = np.unique(key, return_inverse=True)
    k = unique.shape[0]

    def total(x: FloatArray) -> FloatArray:
        return np.bincount(cell, weights=x, minlength=k).astype(np.float64)

    clear = mass * (o == 1.0)
    pair = unique // j
    return _Votes(
        n_items=c.n_items,
        first=pair // c.n_items,
        second=pair % c.n_items,
        judge=unique % j,
        n=total(mass),
        won=total(mass * np.where(swap, 1.0 - o, o)),
        clear=np.stack([total(clear * ~swap), total(clear * swap)]),
        n_by_judge=np.bincount(judge, weights=mass, minlength=j).astype(np.float64),
    )


class _Alternating:
    def __init__(self, votes: _Votes, rho: float) -> None:
        self.v, self.rho = votes, rho
        m = votes.n_items
        # Both ends of each cell in turn, so that sums run over the cells in their order.
        self._ends = np.stack([votes.first, votes.second], axis=1).ravel()
        self._cross = votes.first * np.int64(m) + votes.second
        low, index = np.unique(votes.first * np.int64(m) + votes.second, return_index=True)
        ones = np.ones(low.shape[0])
        pairs = Proportions(m, votes.first[index], votes.second[index], ones, ones)
        self.component, _ = components(pairs)
        inside = self.component >= 0
        same = self.component[:, None] == self.component[None, :]
        self.gauge: FloatArray = np.where(same & inside[:, None], 1.0, 0.0)
        self.gauge[~inside, ~inside] = 1.0
        self.inside = inside

    def gaps(self, r: FloatArray) -> FloatArray:
        """δ of every cell."""
        out: FloatArray = r[self.v.first] - r[self.v.second]
        return out

    def _pulled(self, x: FloatArray) -> FloatArray:
        """Σ of x over the cells in which an item is first, less that over those in which it is
        second: float64 (m,)."""
        both = np.stack([x, -x], axis=1).ravel()
        return np.bincount(self._ends, weights=both, minlength=self.v.n_items).astype(np.float64)

    def _curvature(self, weight: FloatArray) -> FloatArray:
        """Σ weight (e_first - e_second)(e_first - e_second)': float64 (m, m)."""
        m = self.v.n_items
        upper = np.bincount(self._cross, weights=weight, minlength=m * m).reshape(m, m)
        each = np.bincount(self._ends, weights=np.repeat(weight, 2), minlength=m)
        return np.asarray(np.diag(each) - upper - upper.T, dtype=np.float64)

    def log_likelihood(self, r: FloatArray, a: FloatArray) -> float:
        x = a[self.v.judge] * self.gaps(r)
        return float((self.v.won * log_expit(x) + (self.v.n - self.v.won) * log_expit(-x)).sum())

    def rewards(self, r: FloatArray, a: FloatArray) -> FloatArray:
        """Newton's method with backtracking on the penalised log-likelihood in r."""
        scale = a[self.v.judge]

        def value(x: FloatArray) -> float:
            return self.log_likelihood(x, a) - 0.5 * self.rho * float((x[self.inside] ** 2).sum())

        current = value(r)
        for _ in range(50):
            q = expit(scale * self.gaps(r))
            gradient = self._pulled(scale * (self.v.won - self.v.n * q))
            gradient -= self.rho * np.where(self.inside, r, 0.0)
            weight = self.v.n * q * (1.0 - q) * scale**2
            hessian = self._curvature(weight)
            hessian += self.gauge + np.diag(self.rho * self.inside)
            step = solve_positive(hessian, gradient)
            t = 1.0
            while (reached := value(r + t * step)) < current and t > 1e-6:
                t *= 0.5
            r, current = r + t * step, reached
            if np.abs(t * step).max() < 0.01 * TOLERANCE:
                break
        for c in range(int(self.component.max(initial=-1)) + 1):
            members = self.component == c
            r = np.where(members, r - r[members].mean(), r)
        return r

    def competences(self, r: FloatArray, a: FloatArray, s: float) -> tuple[FloatArray, FloatArray]:
        """All judges at once, one Newton step after another, each damped on its own."""
        delta = self.gaps(r)
        j, who = a.shape[0], self.v.judge
        won, lost = self.v.won, self.v.n - self.v.won
        prior = 1.0 / s**2

        def values(x: FloatArray, of: BoolArray) -> FloatArray:
            """Of some judges, summed over their cells in order; the other entries mean nothing."""
            cells = slice(None) if of.all() else np.flatnonzero(of[who])
            judge = who[cells]
            z = x[judge] * delta[cells]
            each = won[cells] * log_expit(z) + lost[cells] * log_expit(-z)
            total = np.bincount(judge, weights=each, minlength=j)
            return np.asarray(total - 0.5 * prior * (x - 1.0) ** 2)

        every = np.ones(j, np.bool_)
        before = values(a, every)
        curve = np.full(j, prior)
        for _ in range(50):
            q = expit(a[who] * delta)
            pull = (self.v.won - self.v.n * q) * delta
            gradient = np.bincount(who, weights=pull, minlength=j) - prior * (a - 1.0)
            curve = prior + np.bincount(
                who, weights=self.v.n * q * (1.0 - q) * delta**2, minlength=j
            )
            step = gradient / curve
            # Most judges have come to rest long before the last one: only who got worse is tried
            # again.
            reached, worse = values(a + step, every), every
            for _ in range(30):
                worse = worse & (reached < before)
                if not worse.any():
                    break
                step = np.where(worse, 0.5 * step, step)
                # After the thirtieth the step is taken, whatever it comes to.
                tried = values(a + step, worse)
                reached = np.where(worse, tried, reached)
            a, before = a + step, reached
            if np.abs(step).max() < 0.01 * TOLERANCE:
                break
        return a, 1.0 / curve
