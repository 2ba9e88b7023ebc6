"""Davidson–Luce: Plackett–Luce where a stage may take several members at once.

    P(C chosen from A) = δ_|C| g(C) / Σ_{S ⊂ A, |S| in D} δ_|S| g(S)

with g(S) = (Π_{i in S} α_i)^{1/|S|}, α = exp(r), δ_1 = 1 and D the sizes of tie that occur. Sums
over subsets are elementary symmetric polynomials of α^{1/d}, grown member by member from the last
place; O(k² d²) per list.

Large ties ("all of these are good") say less about the chance of a tie than about who is above
whom; ``between_tiers`` keeps exactly that: each member of a tier is chosen against the tiers below.

Source: Davidson (1970); Firth, Kosmidis and Turner (2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.models.listwise.plackett_luce import refused, with_ghost
from cr_audit.models.listwise.rankings import (
    RankingBlock,
    Rankings,
    appearing,
    collapsed,
    ranking_components,
    tier_sizes,
)

# Ties of more members are not modelled: the polynomials cost k² d² and say little.
LARGEST_TIE = 4
# Items up to which the information is built by differences of the gradient.
DENSE_LIMIT = 200
DIFFERENCE = 1e-5
MAX_POLISH = 10


@dataclass(frozen=True, slots=True, eq=False)
class TiedFit:
    """rewards : float64 (m,), NaN for items in no list; mean 0 in each component.
    tie_sizes, log_delta : the sizes of tie that occur and log δ of each. covariance : float64
    (m + t, m + t) of (rewards so centred, log δ), or why not. n_choices : mass of the stages."""

    rewards: FloatArray
    components: IntArray
    tie_sizes: tuple[int, ...]
    log_delta: FloatArray
    covariance: FloatArray | NotApplicable
    log_likelihood: float
    gradient_norm: float
    n_choices: float
    converged: bool

    @property
    def deviance(self) -> float:
        """−2 log L at the fit."""
        return -2.0 * self.log_likelihood


def fit_tied_rankings(
    rankings: Rankings, *, penalty: float = 0.0, pseudo: float = 0.0
) -> TiedFit | NotApplicable:
    """Maximum likelihood of rewards and log δ; penalty and pseudo as in ``fit_rankings``.

    NotApplicable where a tie has more than ``LARGEST_TIE`` members. Raises ComputeError
    ``no-unpenalised-fit`` where there is no maximum; a tie connects its members both ways.
    """
    largest = max((int(_tie_sizes(b).max(initial=1)) for b in rankings.blocks), default=1)
    if largest > LARGEST_TIE:
        return NotApplicable(
            f"a tie of {largest} members: ties of more than {LARGEST_TIE} are not modelled"
        )
    m = rankings.n_items
    whole = collapsed(with_ghost(rankings, pseudo) if pseudo > 0 else rankings)
    weak, strong = ranking_components(whole)
    n_parts = int(weak.max(initial=-1)) + 1
    if penalty == 0 and int(strong.max(initial=-1)) + 1 > n_parts:
        raise refused(weak, strong)
    problem = _Problem(whole, penalty, m)
    theta, norm, information, ok = _climb(problem, weak)
    r, log_delta = theta[: problem.m], theta[problem.m :]
    centre = _means(weak)
    covariance: FloatArray | NotApplicable = NotApplicable(
        f"errors need a matrix of all items, which stops at {DENSE_LIMIT}"
    )
    plain = _Problem(rankings, 0.0, m, sizes=problem.sizes)
    if information is not None:
        own = weak[:m]
        if pseudo > 0:
            # What the data alone says at this estimate; pseudo-rankings are no evidence.
            own = ranking_components(rankings)[0]
            information = _information(plain, np.concatenate([r[:m], log_delta]))
        covariance = _covariance(information, own, _means(own), m)
    seen = appearing(whole)
    r = centre(r)
    r[~seen] = np.nan
    return TiedFit(
        rewards=r[:m],
        components=weak[:m],
        tie_sizes=problem.sizes[1:],
        log_delta=log_delta,
        covariance=covariance,
        log_likelihood=plain.value(np.concatenate([np.nan_to_num(r[:m]), log_delta]))[0],
        gradient_norm=norm,
        n_choices=problem.choices,
        converged=ok,
    )


def between_tiers(rankings: Rankings) -> Rankings:
    """Ties taken apart: each member of a tied tier against all members of the tiers below, with
    mass 1/t, so that a tier of t counts as one choice; ties among themselves say nothing.

    A list without ties comes back as it was.
    """
    blocks: list[RankingBlock] = []
    masses: list[FloatArray] = []
    units: list[IntArray] = []
    pieces: dict[int, list[tuple[IntArray, FloatArray, FloatArray, IntArray]]] = {}
    n = 0
    for b in rankings.blocks:
        size = _tie_sizes(b)
        plain = size.max(axis=1) <= 1
        if plain.any():
            count = int(plain.sum())
            blocks.append(
                RankingBlock(
                    b.items[plain],
                    b.tier[plain],
                    b.ranked[plain],
                    b.offset[plain],
                    np.arange(n, n + count, dtype=np.int64),
                )
            )
            masses.append(rankings.mass[b.rows[plain]])
            units.append(rankings.unit[b.rows[plain]])
            n += count
        _take_apart(b, ~plain, rankings, pieces)
    for k, found in sorted(pieces.items()):
        items = np.concatenate([f[0] for f in found])
        count = items.shape[0]
        tier = np.ones((count, k), np.int64)
        tier[:, 0] = 0
        blocks.append(
            RankingBlock(
                items=items,
                tier=tier,
                ranked=tier == 0,
                offset=np.concatenate([f[1] for f in found]),
                rows=np.arange(n, n + count, dtype=np.int64),
            )
        )
        masses.append(np.concatenate([f[2] for f in found]))
        units.append(np.concatenate([f[3] for f in found]))
        n += count
    return Rankings(
        n_items=rankings.n_items,
        blocks=tuple(blocks),
        mass=np.concatenate(masses) if masses else np.zeros(0),
        unit=np.concatenate(units) if units else np.zeros(0, np.int64),
    )


def _take_apart(
    b: RankingBlock,
    tied: BoolArray,
    rankings: Rankings,
    pieces: dict[int, list[tuple[IntArray, FloatArray, FloatArray, IntArray]]],
) -> None:
    """For every ranked position of tied rows: itself, then everything in lower tiers."""
    rows = np.flatnonzero(tied)
    if rows.size == 0:
        return
    k = b.items.shape[1]
    size = tier_sizes(b)[rows]
    position = np.arange(k)
    tier = b.tier[rows]
    lower = (tier[:, :, None] < tier[:, None, :]).sum(axis=2)  # members below each position
    for left in np.unique(lower[b.ranked[rows] & (lower > 0)]):
        at, j = np.nonzero(b.ranked[rows] & (lower == left))
        below = (k - left) + position[:left]  # the last `left` positions are the lower tiers
        columns = np.concatenate([j[:, None], np.broadcast_to(below, (j.size, left))], axis=1)
        of = rows[at]
        pieces.setdefault(int(left) + 1, []).append(
            (
                b.items[of[:, None], columns],
                b.offset[of[:, None], columns],
                rankings.mass[b.rows[of]] / size[at, j],
                rankings.unit[b.rows[of]],
            )
        )


def _starts(b: RankingBlock) -> BoolArray:
    """bool (n, k): a ranked tier opens here and at least two members are left to choose from."""
    opens = np.ones(b.tier.shape, np.bool_)
    opens[:, 1:] = np.diff(b.tier, axis=1) > 0
    out: BoolArray = opens & b.ranked
    out[:, -1] = False
    return out


def _tie_sizes(b: RankingBlock) -> IntArray:
    """int64 (n, k): size of the ranked tier of each position, 1 for the unranked."""
    return np.where(b.ranked, tier_sizes(b), 1)


class _Problem:
    """log L over (rewards of the items, log δ of the sizes of tie that occur), and its gradient."""

    def __init__(
        self, rankings: Rankings, penalty: float, n_real: int, sizes: tuple[int, ...] = ()
    ) -> None:
        self.rankings, self.m = rankings, rankings.n_items
        found = {1, *sizes}
        self.choices = 0.0
        for b in rankings.blocks:
            at = _starts(b)
            found |= {int(t) for t in np.unique(_tie_sizes(b)[at])}
            self.choices += float((rankings.mass[b.rows][:, None] * at).sum())
        self.sizes = tuple(sorted(found))
        self.ridge = np.zeros(self.m)
        if penalty > 0:
            # The same normaliser as without ties, uniform weights: see ``plackett_luce``.
            self.ridge[:n_real] = 2 * penalty * self.choices / (n_real * (1 - 1 / n_real))

    def value(self, theta: FloatArray) -> tuple[float, FloatArray]:
        r, log_delta = theta[: self.m], np.concatenate([[0.0], theta[self.m :]])
        value = -0.5 * float((self.ridge * r * r).sum())
        gradient, slope = -self.ridge * r, np.zeros(len(self.sizes))
        for b in self.rankings.blocks:
            v, g, s = self._block(b, r, log_delta)
            value += v
            gradient = gradient + np.bincount(b.items.ravel(), g.ravel(), minlength=self.m)
            slope += s
        return value, np.concatenate([gradient, slope[1:]])

    def _block(
        self, b: RankingBlock, r: FloatArray, log_delta: FloatArray
    ) -> tuple[float, FloatArray, FloatArray]:
        u = r[b.items] + b.offset
        top = u.max(axis=1, keepdims=True)
        at, size = _starts(b), _tie_sizes(b)
        mass = self.rankings.mass[b.rows][:, None]
        polynomials = [_suffix_polynomials(np.exp((u - top) / d), d) for d in self.sizes]
        with np.errstate(divide="ignore"):
            terms = np.stack(
                [
                    np.log(e[..., d]) + q
                    for e, d, q in zip(polynomials, self.sizes, log_delta, strict=True)
                ]
            )
        log_z = logsumexp(terms, axis=0)
        which = np.searchsorted(self.sizes, size)
        tier_mean = _tier_means(u - top, b, size)
        value = float((mass * np.where(at, log_delta[which] + tier_mean - log_z, 0.0)).sum())
        # The chosen: 1/t for each member of a tier that was a stage.
        gradient = mass * _staged(b, at) / size
        for i, d in enumerate(self.sizes):
            x = np.exp((u - top) / d)
            gradient = gradient - mass * _removed(
                x, polynomials[i], d, np.where(at, np.exp(log_delta[i] - log_z), 0.0)
            )
        slope = np.array(
            [
                float((mass * at * ((which == i) - np.exp(terms[i] - log_z))).sum())
                for i in range(len(self.sizes))
            ]
        )
        return value, gradient, slope


def _suffix_polynomials(x: FloatArray, d: int) -> FloatArray:
    """Elementary symmetric polynomials e_0..e_d of x[:, j:], float64 (n, k, d + 1)."""
    n, k = x.shape
    out = np.zeros((n, k + 1, d + 1))
    out[:, :, 0] = 1.0
    for j in range(k - 1, -1, -1):
        for q in range(1, d + 1):
            out[:, j, q] = out[:, j + 1, q] + x[:, j] * out[:, j + 1, q - 1]
    return out[:, :k]


def _removed(x: FloatArray, e: FloatArray, d: int, scale: FloatArray) -> FloatArray:
    """Σ over stages j <= i of scale_j · (x_i / d) · e_{d−1}(members from j on, without i)."""
    out = np.zeros(x.shape)
    for j in range(x.shape[1]):
        if not scale[:, j].any():
            continue
        rest = x[:, j:]
        without = np.ones(rest.shape)
        for q in range(1, d):
            without = e[:, j, q][:, None] - rest * without
        out[:, j:] += scale[:, j : j + 1] * rest / d * np.maximum(without, 0.0)
    return out


def _tier_means(u: FloatArray, b: RankingBlock, size: IntArray) -> FloatArray:
    n, k = u.shape
    key = b.tier + np.arange(n)[:, None] * k
    total = np.bincount(key.ravel(), u.ravel(), minlength=n * k)[key]
    return np.asarray(total / size, dtype=np.float64)


def _staged(b: RankingBlock, at: BoolArray) -> FloatArray:
    """1 for every member whose tier was a stage."""
    n, k = at.shape
    key = b.tier + np.arange(n)[:, None] * k
    opened = np.bincount(key.ravel(), at.ravel(), minlength=n * k)
    return np.asarray(opened[key], dtype=np.float64)


def _climb(
    problem: _Problem, components: IntArray
) -> tuple[FloatArray, float, FloatArray | None, bool]:
    scale = max(problem.choices, 1e-300)
    p = problem.m + len(problem.sizes) - 1
    from scipy.optimize import minimize

    found = minimize(  # type: ignore[call-overload]
        lambda t: tuple(-v / scale for v in problem.value(t)),
        np.zeros(p),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9},
    )
    theta = np.asarray(found.x, dtype=np.float64)
    gradient = problem.value(theta)[1]
    information = None
    if p <= DENSE_LIMIT:
        information = _information(problem, theta)
        fixed = _fixed(information, components, problem)
        for _ in range(MAX_POLISH):
            if np.abs(gradient).max(initial=0.0) <= 1e-11 * scale:
                break
            trial = theta + np.linalg.solve(information + fixed, gradient)
            new = problem.value(trial)[1]
            if np.abs(new).max(initial=0.0) >= np.abs(gradient).max(initial=0.0):
                break
            theta, gradient = trial, new
            information = _information(problem, theta)
    norm = float(np.abs(gradient).max(initial=0.0)) / scale
    return theta, norm, information, norm < 1e-6


def _information(problem: _Problem, theta: FloatArray) -> FloatArray:
    out = np.empty((theta.size, theta.size))
    for j in range(theta.size):
        step = np.zeros(theta.size)
        step[j] = DIFFERENCE
        change = problem.value(theta - step)[1] - problem.value(theta + step)[1]
        out[:, j] = change / (2 * DIFFERENCE)
    return np.asarray((out + out.T) / 2, dtype=np.float64)


def _fixed(information: FloatArray, components: IntArray, problem: _Problem) -> FloatArray:
    """Each component's constant and the items in no list, which the likelihood leaves free."""
    p, m = information.shape[0], problem.m
    out = np.zeros((p, p))
    if np.any(problem.ridge > 0):
        return out
    level = float(np.trace(information[:m, :m])) / m
    for part in range(int(components.max(initial=-1)) + 1):
        at = np.flatnonzero(components == part)
        out[np.ix_(at, at)] += level / at.size
    lost = np.flatnonzero(components < 0)
    out[lost, lost] = level
    return out


def _means(components: IntArray) -> Callable[[FloatArray], FloatArray]:
    def centre(r: FloatArray) -> FloatArray:
        out = np.array(r, dtype=np.float64)
        for part in range(int(components.max(initial=-1)) + 1):
            at = components == part
            out[at] -= out[at].mean(axis=0)
        return out

    return centre


def _covariance(
    information: FloatArray,
    components: IntArray,
    centre: Callable[[FloatArray], FloatArray],
    m: int,
) -> FloatArray:
    p = information.shape[0]
    level = float(np.trace(information[:m, :m])) / m
    fixed = np.zeros((p, p))
    for part in range(int(components.max(initial=-1)) + 1):
        at = np.flatnonzero(components == part)
        fixed[np.ix_(at, at)] += level / at.size
    lost = np.flatnonzero(components < 0)
    fixed[lost, lost] = level
    inverse = np.asarray(np.linalg.inv(information + fixed), dtype=np.float64)
    inverse[:m] = centre(inverse[:m])
    inverse[:, :m] = centre(inverse[:, :m].T).T
    return inverse
