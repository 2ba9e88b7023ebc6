"""Fits to resampled battles, many at a time.

A replicate is a multinomial draw of the counts of every (pair, outcome): the same as drawing n
battles with replacement, at the price of the cells instead of the battles. With clusters whole
clusters are drawn. Replicates are solved together by the chord method: Newton's step with the
curvature of the data's own fit, one dense product per step for a whole block, whose error shrinks
by a factor of order n^-1/2 a step. Where items have few battles that is not enough: what it does
not bring home is solved by Newton's method, a block at once, whose steps come from conjugate
gradients under that same curvature (Nocedal & Wright 2006, 7.1): m² a product, no matrix of its own
to make and to solve, which is m³. A replicate that neither brings home gets dense steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from cr_audit import engine
from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.labels import too_few_to_draw
from cr_audit.models.ties.battles import Battles
from cr_audit.models.ties.fit import Problem, TieFit, TieFitStatus
from cr_audit.models.ties.links import LINKS

BLOCK = 2_000_000
"""Cells times replicates worked on at once: about 10 arrays of 16 MB per thread."""
LARGEST_BLOCK = 50
TOLERANCE = 1e-6
"""On the largest step of a parameter, in log-odds: far below any standard error."""
MAX_CHORDS = 25
MANY_ITEMS = 500
"""Items up to which dense steps are as quick: 5 against 7 ms a replicate for 300, 98 against 19 for
800 (benchmarks/README.md, "HTML report", a board of many models)."""
MAX_NEWTONS, MAX_HALVINGS, MAX_PRODUCTS = 30, 20, 100
REST = 1e-3
"""Of a step by conjugate gradients, what may be left, in the norm of the data's own curvature."""
ROUNDING = 1e-12
"""Of a log-likelihood, what a sum may be wrong by."""


@dataclass(frozen=True, slots=True, eq=False)
class TieBootstrap:
    """rewards : float64 (b, m), Σ = 0 per component, NaN without a battle in the data.

    effects : float64 (b, q). eta : float64 (b,). n_units : battles or clusters drawn.
    n_newton : replicates that needed Newton's method. n_not_converged : kept as they stood.
    """

    rewards: FloatArray
    effects: FloatArray
    eta: FloatArray
    n_units: int
    clustered: bool
    n_newton: int
    n_not_converged: int

    @property
    def n_replicates(self) -> int:
        """Number of replicates."""
        return int(self.rewards.shape[0])


def bootstrap_ties(
    rows: Battles,
    fit: TieFit,
    *,
    n_replicates: int = 1000,
    clusters: IntArray | None = None,
    workers: int | None = None,
    rng: np.random.Generator,
) -> TieBootstrap:
    """``n_replicates`` fits like ``fit`` (its link and prior) to resampled ``rows``.

    clusters : int64 (n,), one per comparison that ``rows`` was made of. The result does not depend
    on ``workers``. Time for 10^6 battles over 200 items: benchmarks/README.md "Leaderboard".
    Raises ComputeError ``bootstrap-one-cluster`` below two units.
    """
    problem = Problem(rows, LINKS[fit.link], fit.prior_precision)
    member = None if clusters is None else rows.membership(clusters)
    n_units = round(rows.total) if member is None else int(member.shape[1])
    if n_units < 2:
        raise too_few_to_draw("battles", clustered=clusters is not None)
    share = rows.counts.ravel() / rows.total
    size = int(np.clip(BLOCK // max(rows.n_cells, 1), 1, LARGEST_BLOCK))
    blocks = engine.spans(n_replicates, size)
    out = np.empty((problem.n_parameters, n_replicates))
    n_newton = n_missed = 0
    inverse, info = lapack.dpotri(lapack.dpotrf(fit.hessian, lower=1)[0], lower=1)
    if info != 0:
        raise FloatingPointError("the curvature of the fit is singular")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T

    def drawn(b: int, child: np.random.Generator) -> FloatArray:
        if member is None:
            counts = child.multinomial(n_units, share, size=b).T.astype(np.float64)
            counts *= rows.total / n_units
        else:
            draw = child.multinomial(n_units, np.full(n_units, 1.0 / n_units), size=b).T
            counts = np.asarray(member @ draw.astype(np.float64))
        return np.ascontiguousarray(counts).reshape(3, rows.n_cells, b)

    def work(block: slice, child: np.random.Generator) -> tuple[slice, tuple[FloatArray, int, int]]:
        counts = drawn(block.stop - block.start, child)
        return block, _solve(problem, counts, fit.parameters, inverse)

    for block, (x, newton, missed) in engine.map(
        work, blocks, rng=rng, workers=workers, local=True
    ):
        out[:, block] = x
        n_newton += newton
        n_missed += missed
    m, q = problem.m, problem.q
    rewards = out[:m].T.copy()
    rewards[:, problem.component < 0] = np.nan
    return TieBootstrap(
        rewards=rewards,
        effects=out[m : m + q].T.copy(),
        eta=out[-1].copy() if problem.link.has_eta else np.zeros(n_replicates),
        n_units=n_units,
        clustered=clusters is not None,
        n_newton=n_newton,
        n_not_converged=n_missed,
    )


def _solve(
    problem: Problem, counts: FloatArray, start: FloatArray, inverse: FloatArray
) -> tuple[FloatArray, int, int]:
    """The maxima for counts (3, k, b); how many needed Newton, how many of these failed."""
    b = counts.shape[2]
    x = np.repeat(start[:, None], b, axis=1)
    moving = np.arange(b)
    last = np.full(b, np.inf)
    lost = []
    active = counts
    for _ in range(MAX_CHORDS):
        step = inverse @ problem.gradient(active, x[:, moving])
        size = np.abs(step).max(axis=0)
        # A chord that no longer shrinks, or that leaves the range of η, is not on its way home.
        bad = ~np.isfinite(size) | (size > 0.7 * last[moving]) | (size > 1.0)
        if problem.link.name == "rao-kupper":
            bad |= x[-1, moving] + step[-1] <= 0.0
        x[:, moving[~bad]] += step[:, ~bad]
        lost.append(moving[bad])
        last[moving] = size
        keep = ~bad & (size > TOLERANCE)
        if keep.all():
            continue
        moving = moving[keep]
        if moving.size == 0:
            break
        active = np.ascontiguousarray(active[:, :, keep])
    rest = np.sort(np.concatenate([*lost, moving]))
    found, n_missed = np.zeros(rest.size, dtype=np.bool_), 0
    if problem.m > MANY_ITEMS and rest.size:
        some = np.ascontiguousarray(counts[:, :, rest])
        x[:, rest], found = _newton_together(problem, some, start, inverse)
    for r in rest[~found].tolist():
        one = np.ascontiguousarray(counts[:, :, r])
        x[:, r], status, _ = problem.newton(one, start.copy(), tolerance=TOLERANCE)
        n_missed += status is not TieFitStatus.CONVERGED
    return problem.centred(x), int(rest.size), n_missed


def _newton_together(
    problem: Problem, counts: FloatArray, start: FloatArray, inverse: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """The maxima (p, b) for counts (3, k, b) from ``start``, and which of them were found."""
    b = counts.shape[2]
    x = np.repeat(start[:, None], b, axis=1)
    found, moving, active = np.zeros(b, dtype=np.bool_), np.arange(b), counts
    value = problem.values(active, x)
    for _ in range(MAX_NEWTONS):
        at = x[:, moving]
        gradient = problem.gradient(active, at)
        step = _conjugate(problem.products(active, at), gradient, inverse)
        size, gain = np.abs(step).max(axis=0), (gradient * step).sum(axis=0)
        home = size <= TOLERANCE
        t = np.ones(moving.size)
        for _ in range(MAX_HALVINGS):
            reached = problem.values(active, at + t * step)
            enough = value + 1e-4 * t * gain - ROUNDING * np.abs(value)
            short = ~(home | (reached >= enough))
            if not short.any():
                break
            t[short] *= 0.5
        x[:, moving[~short]] += (t * step)[:, ~short]
        found[moving[home]] = True
        keep = ~home & ~short
        moving = moving[keep]
        if moving.size == 0:
            break
        active, value = np.ascontiguousarray(active[:, :, keep]), reached[keep]
    return x, found


def _conjugate(
    product: Callable[[FloatArray], FloatArray], right: FloatArray, inverse: FloatArray
) -> FloatArray:
    """A⁻¹ right (p, b), ``product`` being A v of each column, by conjugate gradients under
    ``inverse``; what is left is ``REST`` of ``right`` in its norm."""
    out, left = np.zeros_like(right), right.copy()
    towards = inverse @ left
    along, size = towards.copy(), (left * towards).sum(axis=0)
    goal = REST**2 * size
    for _ in range(MAX_PRODUCTS):
        turned = product(along)
        bent = (along * turned).sum(axis=0)
        t = np.divide(size, bent, out=np.zeros_like(size), where=bent > 0)
        out += t * along
        left -= t * turned
        towards = inverse @ left
        now = (left * towards).sum(axis=0)
        if (now <= goal).all():
            break
        along = towards + np.divide(now, size, out=np.zeros_like(now), where=size > 0) * along
        size = now
    return out
