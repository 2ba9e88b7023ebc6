"""A proved lower bound on the number of units whose change can move an order of two rewards.

Proof and notation: docs/sensitivity_proof.md. In short: let r̂ be the fit, r' the fit after a
change, d = r' - r̂, and Jᵀz = e at r̂. Then, exactly,

    e·d = Σ_c g_c [Δ(u p)_c - Δu_c σ(δ_c + d_c)] + penalty's share - Σ_c u_c g_c ρ_c(d_c) - z·F(r̂)

with g_c = (w_j z_i - w_i z_j)/κ and ρ_c(t) = σ(δ_c + t) - σ(δ_c) - σ'(δ_c) t. The first sum is at
most the sum of the k largest unit gains, each of which holds for *every* set of at most k units;
the last is bounded once |d_c| is. Two bounds of |d_c| are proved side by side, each by continuity
from the unchanged fit, and the smaller is used:

- by norm: ‖d‖_H <= T/φ, T the k largest norms of the units' gradients in H⁻¹, φ the
  self-concordance factor of the logistic loss; |d_c| <= √R_c ‖d‖_H, R_c the pair's resistance;
- by item: the identity itself for e = ±e_x, every item x.

Nothing here is a first-order approximation: what first order leaves out is in ρ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.models.sensitivity.solves import differences
from cr_audit.models.sensitivity.votes import Change, Refits, Votes

# Numbers of items times pairs up to which the bound by item is affordable.
BY_ITEM_LIMIT = 400_000
MAX_ROUNDS = 40
# A bound that is used as its own premise must hold with room to spare.
ROOM = 1.0 + 1e-6
# Differences of rewards beyond this say nothing any more: σ' is below 1e-13 there.
MAX_REACH = 30.0
# Gains evaluated at once: functionals times units.
BLOCK = 8_000_000
# What the arithmetic itself may be off by: relative, and in log-odds.
ROUNDING = 1e-10
TURN = float(np.log(2.0 + np.sqrt(3.0)))  # where |σ''| is largest


def curvature_range(delta: FloatArray, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smallest (<= 0) and largest (>= 0) ρ(t) over |t| <= reach; float64 (k,) each.

    ρ'(t) = σ'(δ + t) - σ'(δ) is 0 at t = 0 and t = -2δ only, so the ends and these are enough.
    """
    q = expit(delta)
    slope = q * (1.0 - q)

    def rho(t: FloatArray) -> FloatArray:
        out: FloatArray = expit(delta + t) - q - slope * t
        return out

    inner = np.clip(-2.0 * delta, -reach, reach)
    values = np.stack([rho(-reach), rho(reach), rho(inner), np.zeros_like(delta)])
    return values.min(axis=0), values.max(axis=0)


def bend_range(delta: FloatArray, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smallest (<= 0) and largest (>= 0) value of 2ρ(t)/t² over |t| <= reach.

    It is a mean of σ'' over [δ - reach, δ + reach], so the extremes of σ'' there bound it.
    """
    low, high = delta - reach, delta + reach

    def second(x: FloatArray) -> FloatArray:
        s = expit(x)
        out: FloatArray = s * (1.0 - s) * (1.0 - 2.0 * s)
        return out

    peaks = (np.clip(TURN, low, high), np.clip(-TURN, low, high))
    values = np.stack([second(x) for x in (low, high, *peaks)])
    zero = np.zeros_like(delta)
    return np.minimum(values.min(axis=0), zero), np.maximum(values.max(axis=0), zero)


def top_sums(values: FloatArray, k: int) -> FloatArray:
    """Sum of the k largest positive entries of each row."""
    positive = np.maximum(values, 0.0)
    n = positive.shape[1]
    if k < n:
        positive = np.partition(positive, n - k, axis=1)[:, n - k :]
    # Sorted, so that the sum does not depend on how the partition left its upper part.
    out: FloatArray = np.sort(positive, axis=1).sum(axis=1)
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """A proved region: |d_c| <= by_pair, |d_x| <= by_item (inf where not bounded), ‖d‖_H <= norm
    (inf where not bounded)."""

    by_pair: FloatArray
    by_item: FloatArray
    norm: float


class Certificate:
    """Bounds for one set of votes and one kind of change; cheap to ask for many k.

    Memory: dense J⁻¹ up to ``solves.DENSE_LIMIT`` items, items x pairs numbers
    where BY_ITEM_LIMIT allows.
    """

    def __init__(self, refits: Refits, change: Change) -> None:
        votes = refits.votes
        self.votes, self.change, self.refits = votes, change, refits
        self.state = refits.base
        self.at = refits.at
        m, k = votes.n_items, votes.first.shape[0]
        self.solver = refits.solver
        self.dense = self.solver.method == "dense"
        self.kappa = self.state.kappa
        self._share = votes.kappa_share / self.kappa
        self._units = _by_unit(votes)
        self._inverse = refits.inverse
        self.by_item = self.dense and m * k <= BY_ITEM_LIMIT
        if self.by_item:
            assert self._inverse is not None
            self._item_push = self.solver.push(self._inverse) / self.kappa
        self._resistance = self._resistances()
        self._known: dict[int, Reach] = {}
        self._menus: dict[int, tuple[FloatArray, FloatArray, BoolArray]] = {}
        self._size, self._offset = self._effects()
        self._unit_norm = self._unit_norms()

    # What one unit does -------------------------------------------------------------------------

    def _effects(self) -> tuple[sp.csr_array, sp.csr_array]:
        """Units x pairs: Σ of the rows' f = m_s/M_c (proportions) or m_s (counted), and Σ of
        f (q_c - o_s), the gain at the centre q: p_c, or σ(δ_c) where counted. A turned row gains
        f (1 - 2 o_s)."""
        v = self.votes
        f = v.mass if v.counted else v.mass / v.total[v.pair]
        shape = (v.n_units, v.first.shape[0])
        size = sp.csr_array((f, (v.unit, v.pair)), shape=shape)
        if self.change is Change.REVERSAL:
            value = f * (1.0 - 2.0 * v.won)
        else:
            centre = self.at.q if v.counted else v.p
            value = f * (centre[v.pair] - v.won)
        return size, sp.csr_array((value, (v.unit, v.pair)), shape=shape)

    def _ends(self, k: int) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Smallest and largest share p' that removing k units can leave, and where the whole pair
        can go; proportions only."""
        if k in self._menus:
            return self._menus[k]
        v = self.votes
        removable = self._units.removable(k)
        rest = v.total - removable
        gone = rest <= 1e-9 * v.total
        safe = np.where(gone, 1.0, rest)
        top = np.where(gone, self._units.highest, v.total_won / safe)
        low = np.where(gone, self._units.lowest, 1.0 - (v.total - v.total_won) / safe)
        out = (
            np.maximum(low, self._units.lowest) - 1e-14,
            np.minimum(top, self._units.highest) + 1e-14,
            gone,
        )
        self._menus[k] = out
        return out

    def _slack(self, k: int, reach: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """How far the value that replaces a removed row can be below and above the centre q, and
        the pairs that take a share of the penalty along."""
        v, at = self.votes, self.at
        below, above = expit(at.delta - reach), expit(at.delta + reach)
        if v.counted:
            return at.q - below, above - at.q, np.ones(at.q.shape[0], np.bool_)
        low, top, gone = self._ends(k)
        p = v.p
        low = np.where(gone, np.minimum(low, below), low)
        top = np.where(gone, np.maximum(top, above), top)
        return np.maximum(p - low, 0.0), np.maximum(top - p, 0.0), gone

    def _resistances(self) -> FloatArray:
        """R_c >= (e_i - e_j)ᵀ H⁻¹ (e_i - e_j): exact where J⁻¹ is dense, else of the pair alone.

        inf where a weight is 0: H is singular there.
        """
        v, at = self.votes, self.at
        i, j, w = v.first, v.second, v.weights
        alive = (w[i] > 0.0) & (w[j] > 0.0)
        out = np.full(i.shape[0], np.inf)
        edge = at.strength * w[i] * w[j] * at.slope
        positive = alive & (edge > 0.0)
        out[positive] = 1.0 / edge[positive]
        if self._inverse is not None:
            x = self._inverse
            a, b = i[alive], j[alive]
            exact = x[a, a] / w[a] + x[b, b] / w[b] - x[a, b] / w[b] - x[b, a] / w[a]
            # Rounding may take a little off; 1e-9 of the terms covers it.
            exact = exact + 1e-9 * (x[a, a] / w[a] + x[b, b] / w[b])
            out[alive] = np.minimum(out[alive], exact)
        return out

    def _unit_norms(self) -> FloatArray:
        """‖Σ of a unit's gradients‖ in H⁻¹ at the centre; float64 (units,)."""
        v = self.votes
        both = v.weights[v.first] * v.weights[v.second] / self.kappa
        root = np.sqrt(self._resistance)
        alone = np.where(both > 0.0, both * np.where(np.isfinite(root), root, 0.0), 0.0)
        out: FloatArray = np.asarray(abs(self._offset) @ alone)
        if self._inverse is None or v.n_units == v.n_rows or v.n_units * v.n_items > 20_000_000:
            return out
        if not np.all(v.weights > 0.0):
            return out
        m, k = v.n_items, v.first.shape[0]
        span = np.arange(k)
        incidence = sp.csr_array(
            (
                np.concatenate([both, -both]),
                (np.concatenate([span, span]), np.concatenate([v.first, v.second])),
            ),
            shape=(k, m),
        )
        gradients = np.asarray((self._offset @ incidence).toarray())
        images = gradients @ (self._inverse / v.weights[None, :])
        square = np.einsum("um,um->u", gradients, images)
        exact = np.sqrt(np.maximum(square, 0.0)) * (1.0 + 1e-9)
        least: FloatArray = np.minimum(out, exact)
        return least

    # Where the fit can go -----------------------------------------------------------------------

    def reach(self, k: int) -> Reach | None:
        """A proved region for every fit with at most k units changed; None where there is none."""
        if k not in self._known:
            self._known[k] = self._find(k)
        found = self._known[k]
        return found if np.all(np.isfinite(found.by_pair)) else None

    def _find(self, k: int) -> Reach:
        norm = self._norm(k)
        by_pair = np.sqrt(self._resistance) * norm if np.isfinite(norm) else None
        if by_pair is None and not self.by_item:
            nothing = np.full(self.votes.first.shape[0], np.inf)
            return Reach(nothing, np.full(self.votes.n_items, np.inf), np.inf)
        by_item = np.full(self.votes.n_items, np.inf)
        if self.by_item:
            by_item = self._items(k, by_pair, norm)
        joint = by_item[self.votes.first] + by_item[self.votes.second]
        by_pair = joint if by_pair is None else np.minimum(by_pair, joint)
        return Reach(by_pair, by_item, norm)

    def _norm(self, k: int) -> float:
        """The least N that is proved: N = -ln(1 - T(N) √R)/√R, R the largest resistance."""
        v = self.votes
        if not np.all(np.isfinite(self._resistance)):
            return float("inf")
        root = np.sqrt(self._resistance)
        widest = float(root.max(initial=0.0))
        both = v.weights[v.first] * v.weights[v.second] / self.kappa
        norm: float = 0.0
        for _ in range(MAX_ROUNDS):
            new: float = self._norm_bound(k, norm, root, widest, both)
            if not np.isfinite(new):
                return new
            if new <= norm:
                return norm
            norm = new * ROOM if new > norm * (1.0 + 1e-3) else new * 1.01
        return float("inf")

    def _norm_bound(
        self, k: int, norm: float, root: FloatArray, widest: float, both: FloatArray
    ) -> float:
        weight = self._unit_norm
        if self.change is Change.REMOVAL:
            low, top, gone = self._slack(k, root * norm)
            weight = weight + np.asarray(self._size @ (np.maximum(low, top) * both * root))
            level = float((self.votes.weights * self.state.rewards**2).sum())
            along = self.votes.penalty**0.5 * level**0.5 + norm
            share = np.asarray(self._size @ np.where(gone, self._share, 0.0))
            weight = weight + share * along
        total = float(top_sums(weight[None, :], k)[0]) + self._noise()
        used: float = total * widest
        if used >= 1.0 - 1e-9:
            return float("inf")
        if widest == 0.0:
            return total
        out: float = -float(np.log1p(-used)) / widest
        return out

    def _noise(self) -> float:
        """‖F(r̂)‖ in the norm of H⁻¹ (H >= λ diag(w)): what the fit itself may be off by."""
        off: float = self.state.residual * self._scale() / self.votes.penalty**0.5
        return off

    def _items(self, k: int, by_pair: FloatArray | None, norm: float) -> FloatArray:
        """|d_x| for every item: downwards from a proved region, or upwards to one."""
        v = self.votes
        if by_pair is not None:
            # Any region that holds may be its own premise: each round can only tighten it.
            out = np.full(v.n_items, np.inf)
            for _ in range(3):
                new = np.minimum(out, self._item_bounds(k, by_pair, out, norm))
                by_pair = np.minimum(by_pair, new[v.first] + new[v.second])
                done = np.all(new >= 0.98 * out)
                out = new
                if done:
                    break
            return out
        reach = np.zeros(v.n_items)
        for _ in range(MAX_ROUNDS):
            new = self._item_bounds(k, reach[v.first] + reach[v.second], reach, norm)
            if new.max(initial=0.0) > MAX_REACH:
                break
            if np.all(new <= reach):
                return reach
            reach = np.where(new > reach * (1.0 + 1e-3), new * ROOM, new * 1.01)
        return np.full(v.n_items, np.inf)

    def _item_bounds(
        self, k: int, by_pair: FloatArray, by_item: FloatArray, norm: float
    ) -> FloatArray:
        assert self._inverse is not None
        g, z = self._item_push, self._inverse
        region = Reach(by_pair, by_item, norm)
        out = np.empty(self.votes.n_items)
        step = max(1, BLOCK // max(1, self.votes.n_units))
        for a in range(0, out.shape[0], step):
            s = slice(a, a + step)
            up = self._bounds(k, g[s], z[s], region)
            down = self._bounds(k, -g[s], -z[s], region)
            out[s] = np.maximum(up, down)
        return out

    # The identity -------------------------------------------------------------------------------

    def _bounds(self, k: int, g: FloatArray, z: FloatArray, region: Reach) -> FloatArray:
        """Upper bounds of e·d over all changes of at most k units; g : float64 (f, k), z (f, m)."""
        first, bent, noise = self._parts(k, g, z, region)
        out: FloatArray = (first + bent) * (1.0 + ROUNDING) + noise + ROUNDING
        return out

    def _parts(
        self, k: int, g: FloatArray, z: FloatArray, region: Reach
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The units' gains, the curvature's part, and what the arithmetic may be off by."""
        v, at = self.votes, self.at
        reach = region.by_pair
        up, down = np.maximum(g, 0.0), np.maximum(-g, 0.0)
        gains = np.asarray(self._offset @ g.T).T
        if self.change is Change.REMOVAL:
            low, top, gone = self._slack(k, reach)
            gains = gains + np.asarray(self._size @ (up * top + down * low).T).T
            share = np.asarray(self._size @ np.where(gone, self._share, 0.0))
            if share.any():
                level = self._level(z, region)
                if not v.counted:
                    level = np.maximum(level, 0.0)
                gains = gains + v.penalty * level[:, None] * share[None, :]
        first = top_sums(gains, k)
        lowest, highest = curvature_range(at.delta, reach)
        bent = up @ (v.strength * -lowest) + down @ (v.strength * highest)
        if np.isfinite(region.norm):
            bent = np.minimum(bent, self._bent_by_norm(up, down, region))
        noise = np.abs(z).sum(axis=1) * self.state.residual * self._scale()
        return first, bent, noise

    def _bent_by_norm(self, up: FloatArray, down: FloatArray, region: Reach) -> FloatArray:
        """½ ‖d‖² max_c (|g_c| M_c)/(b_c σ'_c/κ): the same error through the norm."""
        v, at = self.votes, self.at
        lowest, highest = bend_range(at.delta, region.by_pair)
        both = v.weights[v.first] * v.weights[v.second] * at.slope / self.kappa
        ratio = (up * -lowest + down * highest) / np.maximum(both, 1e-300)
        out: FloatArray = 0.5 * region.norm**2 * ratio.max(axis=1, initial=0.0)
        return out

    def _scale(self) -> float:
        """The solver's residual is divided by max(1, Σ w u/κ) per row; undo it by the largest."""
        v, s = self.votes, self.at.strength
        row = np.bincount(v.first, weights=s * v.weights[v.second], minlength=v.n_items)
        row += np.bincount(v.second, weights=s * v.weights[v.first], minlength=v.n_items)
        return max(1.0, float(row.max(initial=0.0)))

    def _level(self, z: FloatArray, region: Reach) -> FloatArray:
        """Upper bound of z·r'; float64 (f,)."""
        v = self.votes
        here = z @ self.state.rewards
        with np.errstate(invalid="ignore"):
            away = np.where(z != 0.0, np.abs(z) * region.by_item[None, :], 0.0).sum(axis=1)
        if np.isfinite(region.norm) and np.all(v.weights > 0.0):
            size = np.sqrt((z**2 / v.weights).sum(axis=1) / v.penalty)
            away = np.minimum(away, size * region.norm)
        out: FloatArray = here + away
        return out

    # Orders -------------------------------------------------------------------------------------

    def holds(self, k: int, above: IntArray, below: IntArray) -> bool:
        """Whether no change of at most k units can put any ``below`` over its ``above``."""
        if k == 0:
            return True
        region = self.reach(k)
        if region is None:
            return False
        r = self.state.rewards
        gap = r[above] - r[below]
        far = region.by_item[above] + region.by_item[below]
        if np.isfinite(region.norm) and self._inverse is not None:
            far = np.minimum(far, np.sqrt(self._distance(above, below)) * region.norm)
        near = np.flatnonzero(~(far < gap))
        step = max(1, BLOCK // max(1, self.votes.n_units))
        for a in range(0, near.shape[0], step):
            s = near[a : a + step]
            e = differences(self.votes.n_items, below[s], above[s])
            z = self._adjoints(e, below[s], above[s])
            g = self.solver.push(z) / self.kappa
            bounds = self._bounds(k, g, z, region) + self._inexact(z, e, region)
            if not np.all(bounds < gap[s]):
                return False
        return True

    def _adjoints(self, e: FloatArray, plus: IntArray, minus: IntArray) -> FloatArray:
        if self._inverse is not None:
            out: FloatArray = self._inverse[plus] - self._inverse[minus]
            return out
        return self.solver.of(e)

    def _inexact(self, z: FloatArray, e: FloatArray, region: Reach) -> FloatArray:
        """What Jᵀz - e adds where z was iterated for: at most ‖.‖ in diag(1/w) times ‖d‖/√λ."""
        if self.solver.method != "iterative":
            return np.zeros(e.shape[0])
        off, w = self.solver.residual(z, e), self.votes.weights
        if not np.all(w > 0.0):
            return np.full(e.shape[0], np.inf)
        size = np.sqrt((off**2 / w).sum(axis=1) / self.votes.penalty)
        out: FloatArray = size * region.norm
        return out

    def _distance(self, a: IntArray, b: IntArray) -> FloatArray:
        x, w = self._inverse, self.votes.weights
        assert x is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            out = x[a, a] / w[a] + x[b, b] / w[b] - x[a, b] / w[b] - x[b, a] / w[a]
            out = out + 1e-9 * (x[a, a] / w[a] + x[b, b] / w[b])
        return np.where((w[a] > 0.0) & (w[b] > 0.0), out, np.inf)

    def curvature_share(self, k: int, above: int, below: int) -> float:
        """Which share of the bound at k is curvature; 1 where there is no bound at all."""
        region = self.reach(k)
        if region is None:
            return 1.0
        a, b = np.array([above]), np.array([below])
        z = self._adjoints(differences(self.votes.n_items, b, a), b, a)
        first, bent, _ = self._parts(k, self.solver.push(z) / self.kappa, z, region)
        total = float(first[0] + bent[0])
        return float(bent[0]) / total if total > 0.0 else 0.0

    def lower(self, above: IntArray, below: IntArray, limit: int) -> int:
        """The smallest k <= limit that could not be excluded, or limit + 1."""
        good, bad = 0, limit + 1
        step = 1
        while good + step < bad:
            k = good + step
            if self.holds(k, above, below):
                good, step = k, 2 * step
            else:
                bad = k
                break
        while bad - good > 1:
            k = (good + bad) // 2
            if self.holds(k, above, below):
                good = k
            else:
                bad = k
        return good + 1


@dataclass(frozen=True, slots=True, eq=False)
class _ByUnit:
    """Per (pair, unit) masses, sorted by pair and then by falling mass."""

    pair: IntArray
    place: IntArray
    mass: FloatArray
    n_pairs: int
    lowest: FloatArray
    highest: FloatArray

    def removable(self, k: int) -> FloatArray:
        """The largest mass that k units can take from each pair."""
        some = self.place < k
        out: FloatArray = np.bincount(
            self.pair[some], weights=self.mass[some], minlength=self.n_pairs
        ).astype(np.float64)
        return out


def _by_unit(votes: Votes) -> _ByUnit:
    k = votes.first.shape[0]
    cells = sp.csr_array((votes.mass, (votes.pair, votes.unit)), shape=(k, votes.n_units)).tocoo()
    pair, mass = cells.coords[0].astype(np.int64), np.asarray(cells.data)
    order = np.lexsort((-mass, pair))
    pair, mass = pair[order], mass[order]
    start = np.searchsorted(pair, np.arange(k))
    place = np.arange(pair.shape[0]) - start[pair]
    low, high = np.full(k, np.inf), np.full(k, -np.inf)
    np.minimum.at(low, votes.pair, votes.won)
    np.maximum.at(high, votes.pair, votes.won)
    return _ByUnit(pair, place, mass, k, low, high)
