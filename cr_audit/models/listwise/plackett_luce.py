"""Plackett–Luce: a ranking is a chain of logit choices from those not yet placed.

    log L(r) = Σ_lists mass Σ_stages [ r(i) − log Σ_{j not yet placed} exp(r(j)) ]

Two members per list is Bradley–Terry. With a penalty λ the objective is that of the pairs
(``rewards.objective``, docs/methods): c · (−log L) + (λ/2) Σ w(x) r(x)², where
c = (1 − Σ w²) / (2 Σ mass · stages), which is the count-weighted objective of pairs exactly where
every list has two members. Without a penalty a maximum exists only where each component of the
graph of wins is strongly connected; anything else is refused.

Per list of k members one value, gradient or product with the Hessian costs O(k): sums over those
not yet placed are suffix sums, sums over earlier stages are prefix sums.

Source: Plackett (1975), Luce (1959), Hunter (2004); pseudo-rankings and quasi-standard errors:
Turner, van Etten, Firth and Kosmidis (2020); Firth and de Menezes (2004).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.errors import ComputeError
from cr_audit.models.listwise.logit import by_unit
from cr_audit.models.listwise.rankings import (
    RankingBlock,
    Rankings,
    appearing,
    collapsed,
    ranking_components,
    stage_starts,
)

TOLERANCE = 1e-10
MAX_ITERATIONS = 100
MAX_HALVINGS = 40
MAX_CONJUGATE = 400
# Items up to which the information matrix is built: memory 8 m² bytes, 8 MB here.
DENSE_LIMIT = 1000
# Log-odds that one step may change one reward by.
REACH = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class RankingFit:
    """Rewards of items from rankings.

    rewards : float64 (m,), NaN for items in no list; Σ w r = 0 in each component. components :
    int64 (m,), -1 without data. covariance : float64 (m, m) of the rewards so centred, or why not.
    log_likelihood : without the penalty. gradient_norm : largest entry of the gradient of the mean
    log-likelihood per stage. n_stages : Σ over lists. iterations, converged.
    """

    rewards: FloatArray
    components: IntArray
    n_components: int
    covariance: FloatArray | NotApplicable
    log_likelihood: float
    gradient_norm: float
    n_lists: int
    n_stages: float
    penalty: float
    weights: FloatArray
    iterations: int
    converged: bool

    @property
    def deviance(self) -> float:
        """−2 log L at the fit."""
        return -2.0 * self.log_likelihood


def fit_rankings(
    rankings: Rankings,
    *,
    penalty: float = 0.0,
    weights: FloatArray | None = None,
    pseudo: float = 0.0,
    start: FloatArray | None = None,
    with_covariance: bool = True,
) -> RankingFit:
    """Maximum (penalised) likelihood; ties must be at most of the last, unranked place.

    penalty : λ >= 0; weights : float64 (m,), sum 1, of the penalty (uniform by default).
    pseudo : each item wins and loses this often against a ghost of reward 0 (R PlackettLuce's
    ``npseudo``), which is another way to make every maximum exist; the ghost is not returned, and
    the covariance is that of the data alone at the estimate, as R's is.

    Raises ComputeError ``no-unpenalised-fit`` where there is neither a penalty nor a ghost and some
    component has no finite maximum. ValueError for ties (see ``ties``) and for bad arrays.
    """
    m = rankings.n_items
    w = np.full(m, 1.0 / max(m, 1)) if weights is None else weights
    if w.shape != (m,) or np.any(w < 0) or abs(float(w.sum()) - 1.0) > 1e-8:
        raise ValueError(f"weights must be {m} numbers >= 0 with sum 1")
    if penalty < 0 or pseudo < 0:
        raise ValueError("penalty and pseudo must not be negative")
    if rankings.largest_tie > 1:
        raise ValueError("rankings with ties need ties.fit_tied_rankings")
    whole = with_ghost(rankings, pseudo) if pseudo > 0 else rankings
    whole = collapsed(whole)
    weak, strong = ranking_components(whole)
    seen = appearing(whole)
    n_parts = int(weak.max(initial=-1)) + 1
    if penalty == 0 and int(strong.max(initial=-1)) + 1 > n_parts:
        raise refused(weak, strong)
    stages = float((whole.mass * whole.n_stages).sum())
    if stages == 0:
        raise ComputeError(
            "no-stages",
            "no list tells two of its members apart",
            next_step="give lists with a choice or a ranking",
        )
    c = 0.5 * (1.0 - float((w * w).sum())) / stages
    ridge = np.zeros(whole.n_items)
    ridge[:m] = penalty * w / c if penalty > 0 else 0.0
    problem = RankingProblem(whole, ridge, weak)
    r = np.zeros(whole.n_items)
    if start is not None:
        r[:m] = np.nan_to_num(start)
    r, iterations, norm, converged = problem.solve(r, stages)
    covariance: FloatArray | NotApplicable = NotApplicable("not asked for")
    centre = _centring(w, weak, whole.n_items)
    if with_covariance and pseudo > 0:
        # What the data alone says at this estimate; pseudo-rankings are no evidence.
        parts = ranking_components(rankings)[0]
        own = RankingProblem(collapsed(rankings), np.zeros(m), parts)
        covariance = own.covariance(r[:m], _centring(w, parts, m))
    elif with_covariance:
        covariance = problem.covariance(r, centre)
    r = centre(r)
    r[~seen] = np.nan
    return RankingFit(
        rewards=r[:m],
        components=weak[:m],
        n_components=n_parts,
        covariance=covariance,
        log_likelihood=log_likelihood(rankings, np.nan_to_num(r[:m])),
        gradient_norm=norm,
        n_lists=rankings.n,
        n_stages=stages,
        penalty=penalty,
        weights=w,
        iterations=iterations,
        converged=converged,
    )


def log_likelihood(rankings: Rankings, rewards: FloatArray) -> float:
    """Σ mass log P(ranking); without ties, rewards float64 (m,)."""
    return float((rankings.mass * list_log_likelihoods(rankings, rewards)).sum())


def list_log_likelihoods(rankings: Rankings, rewards: FloatArray) -> FloatArray:
    """log P of each list, float64 (n,), without its mass."""
    out = np.zeros(rankings.n)
    for b in rankings.blocks:
        u = rewards[b.items] + b.offset
        at = stage_starts(b)
        out[b.rows] = np.where(at, u - _log_suffix(u), 0.0).sum(axis=1)
    return out


def contrast_errors(fit: RankingFit, reference: int) -> FloatArray:
    """Standard errors of r(x) − r(reference), float64 (m,); NaN in other components."""
    if isinstance(fit.covariance, NotApplicable):
        return np.full(fit.rewards.shape, np.nan)
    v = fit.covariance
    variance = np.diagonal(v) + v[reference, reference] - 2 * v[:, reference]
    same = fit.components == fit.components[reference]
    out: FloatArray = np.where(same, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    return out


def quasi_errors(fit: RankingFit) -> FloatArray | NotApplicable:
    """Quasi-standard errors q: r(x) − r(y) has an error of about √(q(x)² + q(y)²), whoever x and y.

    Minimises Σ_{x<y} (log(q²(x) + q²(y)) − log var(r(x) − r(y)))² (Firth and de Menezes). Needs one
    component of three items or more.
    """
    v = fit.covariance
    if isinstance(v, NotApplicable):
        return v
    known = np.flatnonzero(fit.components == 0)
    if fit.n_components != 1 or known.size < 3:
        return NotApplicable("quasi-standard errors need one component of three items or more")
    v = v[np.ix_(known, known)]
    i, j = np.triu_indices(known.size, 1)
    d = np.diagonal(v)
    target = np.log(d[i] + d[j] - 2 * v[i, j])

    def residual(s: FloatArray) -> FloatArray:
        return np.logaddexp(s[i], s[j]) - target

    def jacobian(s: FloatArray) -> FloatArray:
        out = np.zeros((i.size, s.size))
        total = np.logaddexp(s[i], s[j])
        out[np.arange(i.size), i] = np.exp(s[i] - total)
        out[np.arange(i.size), j] = np.exp(s[j] - total)
        return out

    first = np.log(np.maximum(d - v.mean(), 1e-3 * d.mean()))
    from scipy.optimize import least_squares

    found = least_squares(residual, first, jac=jacobian, xtol=1e-12, ftol=1e-12, gtol=1e-12)
    out = np.full(fit.rewards.shape, np.nan)
    out[known] = np.exp(found.x / 2)
    return out


def bootstrap_rankings(
    rankings: Rankings,
    fit: RankingFit,
    *,
    n_replicates: int,
    refit: bool,
    rng: np.random.Generator,
) -> FloatArray | NotApplicable:
    """Rewards on resampled units, float64 (n_replicates, m), centred as the fit is.

    refit : solve each replicate (warm-started); otherwise one Newton step from the fit per
    replicate, r + V Σ_u (count_u − 1) s_u, whose error is of the order of the units' number to the
    power −1: for thousands of lists it cannot be seen, and it costs one product.
    """
    _, code = np.unique(rankings.unit, return_inverse=True)
    n_units = int(code.max(initial=-1)) + 1
    if n_units < 2:
        return NotApplicable("fewer than two independent units: nothing can be drawn again")
    out = np.empty((n_replicates, rankings.n_items))
    if refit:
        for b in range(n_replicates):
            count = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)
            again = replace(rankings, mass=rankings.mass * count[code])
            out[b] = _again(again, fit)
        return out
    if isinstance(fit.covariance, NotApplicable):
        return fit.covariance
    scores = by_unit(list_scores(rankings, fit.rewards), rankings.unit)
    influence: FloatArray = np.einsum("um,mk->uk", scores, np.nan_to_num(fit.covariance))
    for b in range(n_replicates):
        drawn = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units) - 1.0
        used = np.flatnonzero(drawn)
        out[b] = fit.rewards + np.einsum("u,um->m", drawn[used], influence[used])
    return out


def normal_draws(
    rankings: Rankings, fit: RankingFit, *, n_draws: int, rng: np.random.Generator
) -> FloatArray | NotApplicable:
    """Rewards as they scatter over units, float64 (n_draws, m): normal, with the sandwich of the
    units' scores as covariance. What the bootstrap in one step tends to, for thousands of units."""
    if isinstance(fit.covariance, NotApplicable):
        return fit.covariance
    known = fit.components >= 0
    scores = by_unit(list_scores(rankings, fit.rewards)[:, known], rankings.unit)
    meat = np.einsum("ui,uj->ij", scores, scores)
    bread = fit.covariance[np.ix_(known, known)]
    variance = np.einsum("ij,jk,kl->il", bread, meat, bread)
    values, vectors = np.linalg.eigh((variance + variance.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    out = np.full((n_draws, rankings.n_items), np.nan)
    normal = rng.normal(size=(n_draws, root.shape[1]))
    out[:, known] = fit.rewards[known] + np.einsum("ij,dj->di", root, normal)
    return out


def _again(rankings: Rankings, fit: RankingFit) -> FloatArray:
    """A refit of a resample; NaN where it has no finite maximum."""
    kept = _with_mass(rankings)
    try:
        return fit_rankings(
            kept,
            penalty=fit.penalty,
            weights=fit.weights,
            start=fit.rewards,
            with_covariance=False,
        ).rewards
    except ComputeError:
        return np.full(rankings.n_items, np.nan)


def _with_mass(rankings: Rankings) -> Rankings:
    """Only the lists that count: one of mass 0 must not connect items."""
    keep = rankings.mass > 0
    number = np.cumsum(keep) - 1
    blocks = []
    for b in rankings.blocks:
        k = keep[b.rows]
        blocks.append(
            RankingBlock(b.items[k], b.tier[k], b.ranked[k], b.offset[k], number[b.rows[k]])
        )
    return Rankings(rankings.n_items, tuple(blocks), rankings.mass[keep], rankings.unit[keep])


def list_scores(rankings: Rankings, rewards: FloatArray) -> FloatArray:
    """Gradient of each list's log-likelihood times its mass, float64 (n, m)."""
    r = np.nan_to_num(rewards)
    out = np.zeros((rankings.n, rankings.n_items))
    for b in rankings.blocks:
        gradient = _block_gradient(b, r, rankings.mass[b.rows])[0]
        out[b.rows[:, None], b.items] = gradient
    return out


def with_ghost(rankings: Rankings, pseudo: float) -> Rankings:
    """One more item, last, that every other beats and loses to with mass ``pseudo``."""
    m, n = rankings.n_items, rankings.n
    item = np.flatnonzero(appearing(rankings))
    ghost = np.full(item.size, m)
    pairs = np.concatenate([np.stack([item, ghost], 1), np.stack([ghost, item], 1)])
    extra = RankingBlock(
        items=pairs.astype(np.int64),
        tier=np.tile(np.array([0, 1], np.int64), (pairs.shape[0], 1)),
        ranked=np.ones(pairs.shape, np.bool_),
        offset=np.zeros(pairs.shape),
        rows=np.arange(n, n + pairs.shape[0], dtype=np.int64),
    )
    unit = int(rankings.unit.max(initial=-1)) + 1 + np.arange(pairs.shape[0])
    return Rankings(
        n_items=m + 1,
        blocks=(*rankings.blocks, extra),
        mass=np.concatenate([rankings.mass, np.full(pairs.shape[0], pseudo)]),
        unit=np.concatenate([rankings.unit, unit]).astype(np.int64),
    )


def refused(weak: IntArray, strong: IntArray) -> ComputeError:
    """The error of a fit that does not exist: how many items are cut off from the largest part."""
    seen = strong >= 0
    sizes = np.sort(np.bincount(strong[seen]))[::-1]
    shown = ", ".join(str(s) for s in sizes[:8]) + (", …" if sizes.size > 8 else "")
    return ComputeError(
        "no-unpenalised-fit",
        "without a penalty these rankings have no finite rewards: some items are never ranked"
        " above (or never below) the others",
        found=f"{sizes.size} strongly connected parts of sizes {shown},"
        f" in {int(weak.max(initial=-1)) + 1} connected",
        next_step="fit with a penalty",
    )


def _centring(
    weights: FloatArray, components: IntArray, n_items: int
) -> Callable[[FloatArray], FloatArray]:
    """Takes Σ w r / Σ w off each component; works on vectors and on the columns of a matrix."""
    w = np.zeros(n_items)
    w[: weights.size] = weights
    known = components >= 0
    n_parts = int(components.max(initial=-1)) + 1
    mass = np.bincount(components[known], weights=w[known], minlength=n_parts)
    size = np.bincount(components[known], minlength=n_parts)
    # A component whose weights are all 0 is centred by its plain mean.
    share = np.zeros(n_items)
    of = components[known]
    share[known] = np.where(mass[of] > 0, w[known] / np.where(mass > 0, mass, 1)[of], 1 / size[of])

    def centre(r: FloatArray) -> FloatArray:
        out = np.array(r, dtype=np.float64)
        for part in range(n_parts):
            at = components == part
            out[at] -= np.einsum("i,i...->...", share[at], out[at])
        return out

    return centre


def _log_suffix(u: FloatArray) -> FloatArray:
    """log Σ_{j >= i} exp(u_j) along rows, float64 (n, k)."""
    top = u.max(axis=1, keepdims=True)
    if u.size and float((top - u.min(axis=1, keepdims=True)).max()) > 600.0:
        return np.asarray(np.logaddexp.accumulate(u[:, ::-1], axis=1)[:, ::-1], dtype=np.float64)
    out: FloatArray = np.log(np.cumsum(np.exp(u - top)[:, ::-1], axis=1)[:, ::-1]) + top
    return out


def _block_gradient(
    b: RankingBlock, r: FloatArray, mass: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Per position: gradient of log L, Σ_{stages so far} P, and log of the suffix sums."""
    u = r[b.items] + b.offset
    at = stage_starts(b)
    log_suffix = _log_suffix(u)
    # exp(u_j) Σ_{s <= j} mass / S_s; divided through by exp(u_j) inside, for range.
    top = u.max(axis=1, keepdims=True)
    inverse = np.where(at, mass[:, None] * np.exp(top - log_suffix), 0.0)
    taken = np.exp(u - top) * np.cumsum(inverse, axis=1)
    return at * mass[:, None] - taken, taken, log_suffix


class RankingProblem:
    """Value, gradient, information and Newton's method for log L − ½ Σ ridge r²."""

    def __init__(self, rankings: Rankings, ridge: FloatArray, components: IntArray) -> None:
        self.rankings, self.ridge, self.components = rankings, ridge, components
        self.m = rankings.n_items

    def value(self, r: FloatArray) -> float:
        """log L(r) − ½ Σ_i ridge_i r_i², to be maximised."""
        return log_likelihood(self.rankings, r) - 0.5 * float((self.ridge * r * r).sum())

    def gradient(self, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """float64 (m,), and the diagonal bound Σ P of the information (for preconditioning)."""
        out, diagonal = np.zeros(self.m), np.zeros(self.m)
        for b in self.rankings.blocks:
            g, taken, _ = _block_gradient(b, r, self.rankings.mass[b.rows])
            out += np.bincount(b.items.ravel(), g.ravel(), minlength=self.m)
            diagonal += np.bincount(b.items.ravel(), taken.ravel(), minlength=self.m)
        return out - self.ridge * r, diagonal + self.ridge

    def information(self, r: FloatArray) -> FloatArray:
        """Negative Hessian, dense float64 (m, m): Σ_stages diag(P) − P P', plus the ridge.

        Of two members of one list the stages before the earlier one hold both: the entry is
        −e_i e_j Σ_{s <= min(i, j)} mass / S².
        """
        m = self.m
        out = np.zeros(m * m)
        for b in self.rankings.blocks:
            mass = self.rankings.mass[b.rows]
            _, taken, log_suffix = _block_gradient(b, r, mass)
            u = r[b.items] + b.offset
            at = stage_starts(b)
            top = u.max(axis=1, keepdims=True)
            e = np.exp(u - top)
            square = np.where(at, mass[:, None] * np.exp(2 * (top - log_suffix)), 0.0)
            so_far = np.cumsum(square, axis=1)
            out += 0.5 * np.bincount(b.items.ravel() * (m + 1), taken.ravel(), minlength=m * m)
            for j in range(b.items.shape[1]):
                # Pairs (j, i) with i >= j: both are there at the stages up to j. Every pair is
                # put down once, and (j, j) as half of what it is.
                left = e[:, j] * so_far[:, j]
                part = left[:, None] * e[:, j:]
                part[:, 0] /= 2
                key = b.items[:, j : j + 1] * m + b.items[:, j:]
                out -= np.bincount(key.ravel(), part.ravel(), minlength=m * m)
        half = out.reshape(m, m)
        full = half + half.T
        full[np.arange(m), np.arange(m)] += self.ridge
        return full

    def image(self, r: FloatArray, v: FloatArray) -> FloatArray:
        """Information times v, O(members) and without the matrix."""
        out = self.ridge * v
        for b in self.rankings.blocks:
            mass = self.rankings.mass[b.rows]
            u = r[b.items] + b.offset
            top = u.max(axis=1, keepdims=True)
            e, at = np.exp(u - top), stage_starts(b)
            log_suffix = _log_suffix(u)
            inverse = np.where(at, np.exp(top - log_suffix), 0.0)
            x = v[b.items]
            mean = np.cumsum((e * x)[:, ::-1], axis=1)[:, ::-1] * inverse
            first = np.cumsum(inverse * mass[:, None], axis=1)
            second = np.cumsum(mean * inverse * mass[:, None], axis=1)
            part = e * (x * first - second)
            out = out + np.bincount(b.items.ravel(), part.ravel(), minlength=self.m)
        return out

    def solve(self, r: FloatArray, stages: float) -> tuple[FloatArray, int, float, bool]:
        """Newton's method, halving while the value falls; (r, iterations, norm, converged)."""
        value = self.value(r)
        gradient, diagonal = self.gradient(r)
        norm = float(np.abs(gradient).max(initial=0.0)) / stages
        iterations = 0
        while norm > TOLERANCE and iterations < MAX_ITERATIONS:
            step = self._step(r, gradient, diagonal)
            step = step * min(1.0, REACH / max(float(np.abs(step).max(initial=0.0)), 1e-300))
            length = 1.0
            for _ in range(MAX_HALVINGS):
                trial = self.value(r + length * step)
                if trial >= value - 1e-12 * abs(value):
                    break
                length /= 2
            r = r + length * step
            value = self.value(r)
            gradient, diagonal = self.gradient(r)
            new = float(np.abs(gradient).max(initial=0.0)) / stages
            iterations += 1
            if new >= norm and new <= 1e3 * TOLERANCE:  # rounding decides from here on
                norm = new
                break
            norm = new
        return r, iterations, norm, norm <= 1e3 * TOLERANCE

    def _step(self, r: FloatArray, gradient: FloatArray, diagonal: FloatArray) -> FloatArray:
        if self.m <= DENSE_LIMIT:
            matrix = self.information(r) + self._fixed(diagonal)
            return np.asarray(np.linalg.solve(matrix, gradient), dtype=np.float64)
        return self._conjugate(r, gradient, diagonal)

    def _fixed(self, diagonal: FloatArray) -> FloatArray:
        """What makes the information regular without changing the step: each component's constant,
        and the items in no list."""
        m = self.m
        out = np.diag(np.where(self.components < 0, 1.0, 0.0))
        if np.any(self.ridge > 0):
            return out
        level = float(diagonal.sum()) / m
        same = self.components[:, None] == self.components[None]
        size = np.bincount(self.components[self.components >= 0], minlength=1)
        known = self.components >= 0
        out += np.where(same & known[:, None], level / size[self.components][:, None], 0.0)
        return out

    def _conjugate(self, r: FloatArray, gradient: FloatArray, diagonal: FloatArray) -> FloatArray:
        inverse = 1.0 / np.where(diagonal > 0, diagonal, 1.0)
        step, residual = np.zeros(self.m), gradient.copy()
        direction = inverse * residual
        rho = float((residual * direction).sum())
        goal = 1e-3 * float(np.abs(gradient).max(initial=0.0))
        for _ in range(MAX_CONJUGATE):
            if float(np.abs(residual).max(initial=0.0)) <= goal:
                break
            image = self.image(r, direction)
            curvature = float((direction * image).sum())
            if curvature <= 0:
                break
            step += rho / curvature * direction
            residual = residual - rho / curvature * image
            rest = inverse * residual
            new = float((residual * rest).sum())
            direction = rest + new / rho * direction
            rho = new
        return step

    def covariance(
        self, r: FloatArray, centre: Callable[[FloatArray], FloatArray]
    ) -> FloatArray | NotApplicable:
        """Inverse information of the rewards centred as they are reported; float64 (m, m)."""
        if self.m > DENSE_LIMIT:
            return NotApplicable(
                f"errors need a matrix of all items, which stops at {DENSE_LIMIT} items"
            )
        matrix = self.information(r)
        diagonal = np.diagonal(matrix).copy()
        inverse = np.asarray(np.linalg.inv(matrix + self._fixed(diagonal)), dtype=np.float64)
        out = centre(centre((inverse + inverse.T) / 2).T)
        lost = self.components < 0
        out[lost] = np.nan
        out[:, lost] = np.nan
        return out


def known_items(fit: RankingFit) -> BoolArray:
    """bool (m,): the item stands in some list."""
    return fit.components >= 0
