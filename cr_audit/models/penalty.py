"""The penalty that the data choose, the penalties that they cannot tell from it, and who leads
under each of these.

Any fit that takes a penalty can be asked: ``FitAtPenalty`` is all that is needed. A leader, an
order or a flag that changes inside the range of penalties that the data cannot tell apart is a
choice of the analyst's, not a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray
from cr_audit.engine.tails import norm, t
from cr_audit.errors import ComputeError
from cr_audit.labels import cluster_labels
from cr_audit.models.places import competition_ranks

FitAtPenalty = Callable[[Comparisons, float, FloatArray | None], tuple[FloatArray, FloatArray]]
"""(comparisons, penalty, warm start) -> rewards float64 (m,), NaN without data, next warm start."""

PENALTIES: tuple[float, ...] = tuple(float(x) for x in 10.0 ** np.arange(-6.0, 0.51, 0.25))
"""Four per decade, from where 10^6 comparisons per item are hardly penalised to where 2 are all
penalty (rewards are at most 1/(2 λ))."""
N_FOLDS = 10
LEVEL = 0.9
SAME = 0.01
"""Nats, of all held-out comparisons together: penalties closer than this to the highest likelihood
predict the same. A fit whose likelihood is that much below its best is at most √(2 SAME) = 0.14
standard errors from it in any direction, and in each comparison the difference vanishes as 1/n."""
FACTOR = 2.0
"""The range always holds the chosen penalty halved and doubled: nobody knows it better."""


@dataclass(frozen=True, slots=True, eq=False)
class PenaltyChoice:
    """Cross-validated log-likelihoods and what they leave open.

    penalties : float64 (g,), rising. log_likelihood : float64 (g,), mean per held-out comparison;
    ln ½ = -0.693 knows nothing. loss, error : float64 (g,), mean difference to the best one and its
    standard error over units, 0 at the best. best : the strongest penalty within SAME of the
    highest sum: below it, towards λ = 0, the curve is level and says nothing.
    open : bool (g,), penalties that the data cannot tell from the best: their loss is below the
    one-sided ``level`` quantile times its error, or SAME in all. low, high : the range around the
    best that is open without a gap, at least best/2 and 2 best. n_units : what the errors are
    counted over.
    """

    penalties: FloatArray
    log_likelihood: FloatArray
    loss: FloatArray
    error: FloatArray
    best: float
    open: BoolArray
    low: float
    high: float
    n_folds: int
    n_units: int
    level: float

    @property
    def at_edge(self) -> bool:
        """True where the range reaches the first or last penalty tried: it may go on."""
        return bool(self.low <= self.penalties[0] or self.high >= self.penalties[-1])


def choose_penalty(
    comparisons: Comparisons,
    fit: FitAtPenalty,
    *,
    penalties: tuple[float, ...] = PENALTIES,
    n_folds: int = N_FOLDS,
    clusters: IntArray | None = None,
    level: float = LEVEL,
    rng: np.random.Generator,
) -> PenaltyChoice:
    """The penalty of the best held-out log-likelihood, and the range that is as good.

    clusters : int64 (n,), what stays together in a fold (annotators, prompts); a negative label is
    alone. The loss of each other penalty is a mean of *paired* differences, comparison by
    comparison, so that what all penalties find hard cancels: its error is far smaller than that of
    the curve itself, whose "one standard error" would leave nearly everything open.
    ComputeError ``selection-too-few`` below two units; folds are at most as many as units.
    """
    grid = np.sort(np.asarray(penalties, dtype=np.float64))
    if n_folds < 2 or grid.size == 0 or not grid[0] > 0 or not 0 < level < 1:
        raise ValueError("n_folds >= 2, positive penalties and a level in (0, 1) are needed")
    n = comparisons.n
    unit = cluster_labels(clusters, n)
    n_units = int(unit.max(initial=-1)) + 1
    if n_units < 2:
        raise ComputeError(
            "selection-too-few",
            f"choosing a penalty needs two comparisons or clusters, there are {n_units}",
            next_step="collect more data" + (", or use --resample comparisons" if n > 1 else ""),
        )
    n_folds = min(n_folds, n_units)
    fold = (rng.permutation(n_units) % n_folds)[unit]
    scores = np.empty((grid.size, n))
    for f in range(n_folds):
        test = np.flatnonzero(fold == f)
        training = comparisons.take(np.flatnonzero(fold != f))
        warm: FloatArray | None = None
        for g in range(grid.size - 1, -1, -1):
            rewards, warm = fit(training, float(grid[g]), warm)
            scores[g, test] = row_log_likelihood(comparisons, rewards, test)
    mass = comparisons.mass
    mean = scores @ mass / mass.sum()
    best = int(np.flatnonzero(mean >= mean.max() - SAME / mass.sum())[-1])
    loss, error = np.zeros(grid.size), np.zeros(grid.size)
    for g in range(grid.size):
        difference = scores[best] - scores[g]
        loss[g] = mean[best] - mean[g]
        moved = np.bincount(unit, weights=mass * (difference - loss[g]), minlength=n_units)
        error[g] = np.sqrt((moved**2).sum() * n_units / (n_units - 1)) / mass.sum()
    sure = float(t.ppf(level, n_units - 1)) if n_units < 1000 else float(norm.ppf(level))
    free = loss <= sure * error + SAME / mass.sum()
    first, last = best, best
    while first > 0 and free[first - 1]:
        first -= 1
    while last + 1 < grid.size and free[last + 1]:
        last += 1
    return PenaltyChoice(
        penalties=grid,
        log_likelihood=mean,
        loss=loss,
        error=error,
        best=float(grid[best]),
        open=free,
        low=min(float(grid[first]), float(grid[best]) / FACTOR),
        high=max(float(grid[last]), float(grid[best]) * FACTOR),
        n_folds=n_folds,
        n_units=n_units,
        level=level,
    )


def row_log_likelihood(comparisons: Comparisons, rewards: FloatArray, rows: IntArray) -> FloatArray:
    """v log σ(Δ) + (1 - v) log σ(-Δ) of each row, a tie has v = ½; no reward is read as 0."""
    r = np.nan_to_num(rewards, nan=0.0)
    delta = r[comparisons.winner[rows]] - r[comparisons.loser[rows]]
    v = comparisons.outcome[rows]
    out: FloatArray = -v * np.logaddexp(0.0, -delta) - (1.0 - v) * np.logaddexp(0.0, delta)
    return out


def vanishing_penalty(n_comparisons: float, n_items: int, prior_sd: float = 1.0) -> float:
    """λ_n = m/(2 n s²): one over the comparisons per item, for rewards of about ± s.

    A rule without a search. Consistent: with w = 1/m and equal numbers of comparisons, the
    objective times m κ n̄ (n̄ comparisons a pair) is the negative log-likelihood of all comparisons
    plus Σ r²/(2 s²), a normal prior that does not grow while the likelihood does; then
    ‖r̂ - r*‖ = O(n^-½) + O(1/n) (the strong convexity argument of ``ties.fit``). Any fixed λ > 0
    tends to the minimiser of the penalised population objective instead, which is not r*.
    """
    return n_items / (2.0 * n_comparisons * prior_sd**2)


@dataclass(frozen=True, slots=True, eq=False)
class PenaltyPath:
    """The fit at every penalty of a range.

    penalties : float64 (g,), rising. rewards : float64 (g, m). rank : int64 (g, m), within
    components, 0 without data. leaders : per penalty the items at rank 1 of component 0.
    """

    penalties: FloatArray
    rewards: FloatArray
    rank: IntArray
    component: IntArray
    leaders: tuple[tuple[int, ...], ...]

    @property
    def undecided(self) -> tuple[int, ...]:
        """Everybody who leads somewhere on the path; a single item leads whatever the penalty."""
        return tuple(sorted({x for group in self.leaders for x in group}))

    @property
    def decided(self) -> bool:
        """Whether the same items lead at every penalty."""
        return len(set(self.leaders)) <= 1

    def joined(self, other: PenaltyPath) -> PenaltyPath:
        """This path with the penalties of another, which are none of its own."""
        penalties = np.concatenate([self.penalties, other.penalties])
        order = np.argsort(penalties)
        leaders = self.leaders + other.leaders
        return PenaltyPath(
            penalties[order],
            np.concatenate([self.rewards, other.rewards])[order],
            np.concatenate([self.rank, other.rank])[order],
            self.component,
            tuple(leaders[k] for k in order.tolist()),
        )

    def turns(self) -> tuple[tuple[float, tuple[int, ...]], ...]:
        """Where the leader changes: each first penalty with its leaders, rising."""
        out: list[tuple[float, tuple[int, ...]]] = []
        for penalty, group in zip(self.penalties.tolist(), self.leaders, strict=True):
            if not out or out[-1][1] != group:
                out.append((penalty, group))
        return tuple(out)

    def holds(self, above: IntArray, below: IntArray) -> BoolArray:
        """Per pair: is ``above`` strictly above ``below`` at every penalty? bool (k,)."""
        gap = self.rewards[:, above] - self.rewards[:, below]
        with np.errstate(invalid="ignore"):
            above_all = gap > 1e-9
        return np.asarray(above_all.all(axis=0), dtype=np.bool_)


def penalty_path(
    comparisons: Comparisons,
    fit: FitAtPenalty,
    component: IntArray,
    penalties: FloatArray,
    *,
    tie: float = 1e-7,
) -> PenaltyPath:
    """Fit at each penalty, the strongest first; rewards closer than ``tie`` are a tie."""
    grid = np.sort(np.asarray(penalties, dtype=np.float64))
    rewards = np.empty((grid.size, component.shape[0]))
    warm: FloatArray | None = None
    for g in range(grid.size - 1, -1, -1):
        rewards[g], warm = fit(comparisons, float(grid[g]), warm)
    rank = competition_ranks(rewards, component, tie=tie)
    groups = tuple(tuple(np.flatnonzero((row == 1) & (component == 0)).tolist()) for row in rank)
    return PenaltyPath(grid, rewards, rank, component, groups)


def path_of(choice: PenaltyChoice, *, per_decade: int = 8) -> FloatArray:
    """Penalties that fill the open range, with the best, its half and its double among them."""
    decades = float(np.log10(choice.high / choice.low))
    steps = max(2, int(np.ceil(per_decade * decades)) + 1)
    fill = np.geomspace(choice.low, choice.high, steps)
    own = [choice.best / FACTOR, choice.best, choice.best * FACTOR]
    inside = choice.penalties[(choice.penalties >= choice.low) & (choice.penalties <= choice.high)]
    return np.unique(np.concatenate([fill, own, inside]))
