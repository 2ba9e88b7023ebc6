"""Two kinds at a time: what is offered and chosen, what a reward makes of it, and of a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from cr_audit.arrays import FloatArray, IntArray, NotApplicable
from cr_audit.families.choices.compute.kinds import Kinds
from cr_audit.families.choices.compute.lists import Lists
from cr_audit.families.choices.facts import CategoryPair, Interval, PlannedPair
from cr_audit.models.listwise.designs import ChoiceDesign
from cr_audit.models.listwise.logit import LogitFit, fit_logit
from cr_audit.models.listwise.slope import Slope
from cr_audit.models.listwise.theory import mixed_reward, threshold, wrong_sign

MAX_SIZE = 16
N_PLAN_DRAWS = 1000
DICHOTOMY, MEASURED = "dichotomy", "measured"


@dataclass(frozen=True, slots=True, eq=False)
class PairLists:
    """Lists that offer kinds a and b and of which one of the two was chosen.

    at : int64 (n,), which lists; k_first, k_second : numbers offered; chosen : float64 (n,), part
    of the choice that fell to the first; mass, unit. n_first, n_second : members of each kind in
    all lists, whatever was chosen.
    """

    first: int
    second: int
    at: IntArray
    k_first: IntArray
    k_second: IntArray
    chosen: FloatArray
    mass: FloatArray
    unit: IntArray
    n_first: int
    n_second: int

    @property
    def n(self) -> int:
        """Lists that hold both kinds."""
        return int(self.at.size)

    @property
    def zeta(self) -> float:
        """Share of the first kind among those offered, in [0, 1]."""
        return self.n_first / max(self.n_first + self.n_second, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Numbers offered and parts chosen by list and kind: int64 and float64 (n, kinds)."""

    offered: IntArray
    chosen: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Makeups:
    """Lists that offer and chose the same numbers of each kind, as one.

    design : one row per offered kind, offset ln(members of it), no columns; kind : of each row.
    of : int64 (n,), the make-up of each list. A logit with constants of kinds is the same on these.
    """

    design: ChoiceDesign
    kind: IntArray
    of: IntArray
    n_kinds: int

    def fit(self, mass: FloatArray, *, shared: bool) -> LogitFit:
        """Constants of the kinds but the first. mass : float64 (n,), of lists, 0 leaves one out.
        shared : the members of a kind share one weight in their list."""
        total = np.bincount(self.of, mass, minlength=self.design.n).astype(np.float64)
        d = self.design
        columns = (self.kind[:, None] == np.arange(1, self.n_kinds)).astype(np.float64)
        whole = ChoiceDesign(
            offsets=d.offsets,
            columns=columns,
            share=d.share,
            mass=total,
            unit=d.unit,
            offset=np.zeros(d.offset.size) if shared else d.offset,
        )
        return fit_logit(whole.lists(total > 0))


def makeups_of(lists: Lists, tables: Tables) -> Makeups:
    """The make-ups of lists whose members all have a kind."""
    told = np.ascontiguousarray(np.concatenate([tables.offered, tables.chosen], axis=1))
    raw = told.view(np.dtype((np.void, 8 * told.shape[1]))).ravel()
    _, first, of = np.unique(raw, return_index=True, return_inverse=True)
    offered, chosen = tables.offered[first], tables.chosen[first]
    which, kind = np.nonzero(offered)
    n = first.size
    share = chosen[which, kind]
    counts = np.bincount(which, minlength=n)
    design = ChoiceDesign(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        columns=np.zeros((which.size, 0)),
        share=share,
        mass=np.bincount(of, lists.sets.mass, minlength=n).astype(np.float64),
        unit=np.arange(n, dtype=np.int64),
        offset=np.log(offered[which, kind]),
    )
    return Makeups(design, kind.astype(np.int64), of.astype(np.int64), tables.offered.shape[1])


def tables_of(lists: Lists, kinds: Kinds) -> Tables:
    """Members and choices of each kind in each list: int64 and float64 (n, kinds)."""
    known = kinds.labels >= 0
    key = (lists.owner * kinds.n + np.maximum(kinds.labels, 0))[known]
    shape = (lists.n, kinds.n)
    size = lists.n * kinds.n
    return Tables(
        offered=np.bincount(key, minlength=size).reshape(shape).astype(np.int64),
        chosen=np.bincount(key, lists.share[known], minlength=size)
        .reshape(shape)
        .astype(np.float64),
    )


def pair_lists(lists: Lists, tables: Tables, first: int, second: int) -> PairLists:
    """The lists in which both kinds stand and one of them was chosen."""
    k1, k2 = tables.offered[:, first], tables.offered[:, second]
    won, lost = tables.chosen[:, first], tables.chosen[:, second]
    at = np.flatnonzero((k1 > 0) & (k2 > 0) & (won + lost > 0))
    total = (won + lost)[at]
    return PairLists(
        first=first,
        second=second,
        at=at,
        k_first=k1[at],
        k_second=k2[at],
        chosen=won[at] / total,
        mass=lists.sets.mass[at] * total,
        unit=lists.unit[at],
        n_first=int(k1.sum()),
        n_second=int(k2.sum()),
    )


def category_pair(
    names: tuple[str, ...],
    p: PairLists,
    *,
    level: float,
    n_replicates: int,
    rng: np.random.Generator,
) -> CategoryPair:
    """Shares offered and chosen, the wrong-sign rule with its interval over units, F(ζ, k)."""
    sign = wrong_sign(p.k_first, p.k_second, p.chosen, p.mass)
    rho_data, rho_chosen = _resampled(p, n_replicates, rng)
    margin = rho_chosen - rho_data
    fires = (rho_chosen - 0.5) * margin < 0
    psi = _reward(p)
    sizes, n_of = np.unique(p.k_first + p.k_second, return_counts=True)
    return CategoryPair(
        first=names[p.first],
        second=names[p.second],
        n_lists=p.n,
        rho_data=sign.rho_data,
        rho_chosen=_interval(sign.rho_chosen, rho_chosen, level),
        margin=_interval(sign.margin, margin, level),
        fires=sign.fires,
        p_fires=float(fires.mean()),
        sure=sign.fires and float(fires.mean()) >= level,
        zeta=p.zeta,
        thresholds=tuple(
            (int(k), int(n), threshold(p.zeta, int(k))) for k, n in zip(sizes, n_of, strict=True)
        ),
        psi=psi,
    )


def _reward(p: PairLists) -> float:
    """ψ of the logit on these lists."""
    made, inverse = np.unique(np.stack([p.k_first, p.k_second]), axis=1, return_inverse=True)
    n = np.bincount(inverse.ravel(), p.mass, minlength=made.shape[1]).astype(np.float64)
    psi = mixed_reward(made[0], made[1], n, np.array([float((p.mass * p.chosen).sum())]))
    return float(psi[0])


def _resampled(
    p: PairLists, n_replicates: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """ρ_data and ρ_chosen over resampled units, float64 (n_replicates,)."""
    _, code = np.unique(p.unit, return_inverse=True)
    offered = p.k_first / (p.k_first + p.k_second)
    sums = np.stack([np.bincount(code, w) for w in (p.mass, p.mass * offered, p.mass * p.chosen)])
    # Units that say the same are one cell of a multinomial: the same bootstrap in fewer draws.
    cells, n_of = np.unique(np.round(sums, 12), axis=1, return_counts=True)
    n_units = int(n_of.sum())
    counts = rng.multinomial(n_units, n_of / n_units, size=n_replicates).astype(np.float64)
    out = np.einsum("bc,jc->bj", counts, cells)
    return out[:, 1] / out[:, 0], out[:, 2] / out[:, 0]


def _interval(value: float, draws: FloatArray, level: float) -> Interval:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def planned_pair(
    kinds: Kinds,
    p: PairLists,
    slope: Slope | NotApplicable,
    size: int,
    *,
    level: float,
    rng: np.random.Generator,
) -> PlannedPair:
    """What lists of ``size`` drawn as today would teach about two kinds.

    Each member is of the first kind with chance ζ, today's share of it. Where the slope was
    measured, P(first | k₁, k₂) = σ(a + τ ln(k₁/k₂)) with (a, τ) drawn from its errors. Where it was
    not (pairs say nothing of it), the dichotomy τ = 0: the worst case that pairs cannot exclude.
    """
    if isinstance(slope, Slope):
        root = np.linalg.cholesky(slope.robust + 1e-15 * np.eye(2))
        normal = rng.normal(size=(N_PLAN_DRAWS, 2))
        draws = np.array([slope.intercept, slope.tau]) + np.einsum("ij,dj->di", root, normal)
        point = np.array([[slope.intercept, slope.tau]])
        assumed = MEASURED
    else:
        share = float((p.mass * p.chosen).sum() / p.mass.sum())
        _, drawn = _resampled(p, N_PLAN_DRAWS, rng)
        # Half a choice on each side keeps the log-odds of a one-sided pair finite.
        room = 0.5 / (p.mass.sum() + 1.0)
        logits = np.log(drawn + room) - np.log1p(room - drawn)
        draws = np.stack([logits, np.zeros_like(logits)], axis=1)
        point = np.array([[np.log(share + room) - np.log1p(room - share), 0.0]])
        assumed = DICHOTOMY
    psi = reward_of_plan(draws, p.zeta, size)
    at = float(reward_of_plan(point, p.zeta, size)[0])
    in_pairs = float(-point[0, 0])
    wrong = float((np.sign(psi) * np.sign(-draws[:, 0]) < 0).mean())
    return PlannedPair(
        scheme=kinds.scheme,
        first=kinds.names[p.first],
        second=kinds.names[p.second],
        size=size,
        zeta=p.zeta,
        liked=_interval(float(expit(point[0, 0])), expit(draws[:, 0]), level),
        psi=_interval(at, psi, level),
        psi_pairs=in_pairs,
        p_wrong=wrong,
        turns=at * in_pairs < 0 and wrong >= level,
        largest_safe=_largest_safe(draws, point, p.zeta, level),
        limit=MAX_SIZE,
        assumed=assumed,
    )


def _chances(draws: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """Make-ups of a mixed list and P(first chosen | make-up), float64 (draws, size − 1)."""
    made = np.arange(1, size)
    ratio = np.log(made / (size - made))
    return made, expit(draws[:, :1] + draws[:, 1:] * ratio)


def reward_of_plan(draws: FloatArray, zeta: float, size: int) -> FloatArray:
    """ψ that mixed lists of ``size`` teach; draws float64 (d, 2) of (a, τ) -> float64 (d,)."""
    from scipy.stats import binom

    made, chance = _chances(draws, size)
    weight = binom.pmf(made, size, zeta)
    if weight.sum() <= 0:
        return np.full(draws.shape[0], np.nan)
    counts = np.broadcast_to(weight, (draws.shape[0], made.size))
    won = np.einsum("dj,j->d", chance, weight)
    return mixed_reward(made, size - made, counts, won)


def _largest_safe(draws: FloatArray, point: FloatArray, zeta: float, level: float) -> int:
    """The largest size up to ``MAX_SIZE`` whose order is that of pairs in ``level`` of the draws.

    1 where not even the pairs' own order is that sure. The sign of ψ is that of
    Σ weight (k₁/k − P) (Lemma 9), so nothing is fitted.
    """
    from scipy.stats import binom

    order = np.sign(point[0, 0])
    if order == 0 or float((np.sign(draws[:, 0]) == order).mean()) < level:
        return 1
    safe = 1
    for size in range(2, MAX_SIZE + 1):
        made, chance = _chances(draws, size)
        weight = binom.pmf(made, size, zeta)
        gap = np.einsum("dj,j->d", chance - made / size, weight)
        if float((np.sign(gap) == order).mean()) < level:
            break
        safe = size
    return safe
