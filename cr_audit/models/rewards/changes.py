"""Which ranking changes between the standard and the weighted fit are larger than their noise.

Everything is computed within components: rewards of two components cannot be compared. Two fits on
the same comparisons share their noise, so an item's rank can differ between them in almost every
replicate although no order of two items is known; what is *flagged* is decided by the one rule of
``models.marks``, from the replicates' errors of differences.

The two fits' rewards are centred by different weights (Σ w r = 0 under each), which moves all of
them together and means nothing: a shift is what is left once the mean shift of the component is
taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from cr_audit.arrays import BoolArray, FloatArray, IntArray
from cr_audit.engine import one_blas_thread
from cr_audit.models.marks import TIE, Holds, Marks, ReplicateGaps, mark_changes
from cr_audit.models.places import SMALLEST_FREEDOM, leading
from cr_audit.models.ranks import kendall_tau, ranks
from cr_audit.models.rewards.bootstrap import expanded_level, percentile_interval

MAX_CHANCE = 1000
"""Items up to which the chance of the first place is worked out: it needs their eigenvectors."""


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Per item; float64 (m,), int64 (m,) or float64 (m, 2), NaN or -1 without data.

    rank_* : 1 = highest reward in its component; ties share the better rank.
    shift : weighted - standard, less the mean of that over the component; centre : that mean.
    interval_* : percentile intervals of the rewards and of ``shift``.
    marks : which items change sides with another beyond noise (``models.marks``); ``flagged``,
    ``flip_with`` and ``sure`` are its answers.
    probability_first_* : the chance that the item truly leads (``places.leading``), where
    ``first_is_chance``; else the share of replicates in which it leads its component, a tied lead
    counting in equal parts.
    kendall_tau, top_overlap : τ-b of the two fits, and the share of the ``top_k`` items that both
    have, in the largest component; with intervals. n_discordant : pairs of one component in
    different order; n_tested of them were tested.
    """

    reward_standard: FloatArray
    reward_weighted: FloatArray
    rank_standard: IntArray
    rank_weighted: IntArray
    interval_standard: FloatArray
    interval_weighted: FloatArray
    interval_shift: FloatArray
    shift: FloatArray
    centre: FloatArray
    marks: Marks
    probability_first_standard: FloatArray
    probability_first_weighted: FloatArray
    first_is_chance: bool
    kendall_tau: float
    kendall_tau_interval: FloatArray
    top_k: int
    top_overlap: float
    top_overlap_interval: FloatArray
    confidence_level: float
    n_replicates: int

    @property
    def flagged(self) -> BoolArray:
        """An order of the item and some other is known to differ, bool (m,)."""
        return self.marks.marked

    @property
    def flip_with(self) -> IntArray:
        """Whom the item most surely changes sides with, int64 (m,), -1 for nobody."""
        return self.marks.partner

    @property
    def sure(self) -> FloatArray:
        """1 - q value, see ``Marks.sure``."""
        return self.marks.sure

    @property
    def n_discordant(self) -> int:
        """Pairs of one component that the two fits order differently."""
        return self.marks.n_pairs

    @property
    def n_tested(self) -> int:
        """Those of them that were tested."""
        return self.marks.n_tested


def ranking_changes(
    standard: FloatArray,
    weighted: FloatArray,
    components: IntArray,
    replicates: FloatArray,
    *,
    confidence_level: float = 0.9,
    top_k: int = 10,
    n_units: float | None = None,
    local_units: FloatArray | None = None,
    holds: Holds | None = None,
    around_truth: FloatArray | None = None,
    rng: np.random.Generator | None = None,
) -> Changes:
    """Compare two reward vectors on replicates of both.

    standard, weighted : float64 (m,), NaN without data. components : int64 (m,), -1 without data.
    replicates : float64 (2, b, m), [0] of the standard and [1] of the weighted fit on the same
    resamples (``bootstrap_tabular`` of both fits, or contexts times ``bootstrap_linear``).
    n_units : how many units were resampled (``Bootstrap.n_effective``); widens intervals and makes
    flags harder where there are few (``expanded_level``). None: many.
    local_units : float64 (m,), how many of them bear on each item (``units_by_component``), where
    these are fewer: what a component of three votes says of its own errors is known from three.
    holds : which changes hold under every penalty that the data leave open, see ``mark_changes``.
    around_truth : as ``replicates``, with what the penalty takes away: the intervals are of these,
    and with ``rng`` the chance of the first place in a single component of at most MAX_CHANCE
    items. A share of resamples is no such chance: of leaders with a share of .87 .72 were truly the
    best, of those with a chance of .88 .88 (benchmarks/README.md, "Calibration").
    Memory: 4 arrays of b x m, and what ``ReplicateGaps`` holds.
    """
    m = standard.shape[0]
    if weighted.shape != (m,) or components.shape != (m,):
        raise ValueError("standard, weighted and components must have one entry per item")
    if replicates.ndim != 3 or replicates.shape[0] != 2 or replicates.shape[2] != m:
        raise ValueError(f"replicates have shape {replicates.shape}, expected (2, b, {m})")
    if not 0 < confidence_level < 1:
        raise ValueError("the confidence level must lie in (0, 1)")
    one, two = replicates
    rank_one, rank_two = ranks(one, components, tie=TIE), ranks(two, components, tie=TIE)
    known = components >= 0
    units: float | FloatArray = np.inf if n_units is None else n_units
    if local_units is not None:
        units = np.minimum(units, local_units)
    marks = mark_changes(
        standard,
        weighted,
        components,
        ReplicateGaps(replicates, units),
        level=confidence_level,
        holds=holds,
    )
    level = confidence_level if n_units is None else expanded_level(confidence_level, n_units)
    wide_one, wide_two = replicates if around_truth is None else around_truth
    centre = _centred(weighted - standard, components)
    top = _top(standard, components, top_k)
    tau = _tau(one, two, top[0])
    overlap = _overlap(one, two, top)
    chances = None
    if around_truth is not None and rng is not None:
        chances = _chances((standard, weighted), around_truth, components, n_units, rng)
    return Changes(
        reward_standard=standard,
        reward_weighted=weighted,
        rank_standard=ranks(standard, components, tie=TIE),
        rank_weighted=ranks(weighted, components, tie=TIE),
        interval_standard=percentile_interval(wide_one, level),
        interval_weighted=percentile_interval(wide_two, level),
        interval_shift=percentile_interval(
            wide_two - wide_one - _centred(wide_two - wide_one, components), level
        ),
        shift=weighted - standard - centre,
        centre=centre,
        marks=marks,
        probability_first_standard=np.where(
            known, _first(rank_one, components) if chances is None else chances[0], np.nan
        ),
        probability_first_weighted=np.where(
            known, _first(rank_two, components) if chances is None else chances[1], np.nan
        ),
        first_is_chance=chances is not None,
        kendall_tau=float(_tau(standard[None], weighted[None], top[0])[0]),
        kendall_tau_interval=percentile_interval(tau, level),
        top_k=top_k,
        top_overlap=float(_overlap(standard[None], weighted[None], top)[0]),
        top_overlap_interval=percentile_interval(overlap, level),
        confidence_level=confidence_level,
        n_replicates=int(one.shape[0]),
    )


def _centred(shift: FloatArray, components: IntArray) -> FloatArray:
    """Mean of ``shift`` over each component, spread to its items; float64 as ``shift``, (m,) or
    (b, m), NaN where there is no component. Items without a value do not count."""
    rows = np.atleast_2d(shift)
    known = np.isfinite(rows) & (components >= 0)
    n = int(components.max(initial=-1)) + 1
    member = csr_array(
        (
            np.ones(int((components >= 0).sum())),
            (np.flatnonzero(components >= 0), components[components >= 0]),
        ),
        shape=(components.shape[0], max(n, 1)),
    )
    total = np.asarray(np.where(known, rows, 0.0) @ member)
    count = np.asarray(known.astype(np.float64) @ member)
    mean = total / np.maximum(count, 1.0)
    out = np.where(components >= 0, mean[:, np.maximum(components, 0)], np.nan)
    return np.asarray(out.reshape(shift.shape))


def _chances(
    rewards: tuple[FloatArray, FloatArray],
    around_truth: FloatArray,
    components: IntArray,
    n_units: float | None,
    rng: np.random.Generator,
) -> list[FloatArray] | None:
    """Per fit the chance of truly leading, float64 (m,); None but in one component of at most
    MAX_CHANCE items. The same draws serve both fits. Of ``n_units`` resampled units the covariance
    lacks the factor n/(n - 1) and is known with n - 1 degrees of freedom, as for intervals."""
    member = np.flatnonzero(components == 0)
    if components.max(initial=-1) != 0 or not 2 <= member.size <= MAX_CHANCE:
        return None
    seed = int(rng.integers(2**63))
    n = np.inf if n_units is None else max(n_units, 1.0 + SMALLEST_FREEDOM)
    larger = 1.0 if np.isinf(n) else n / (n - 1.0)
    out = []
    for r, drawn in zip(rewards, around_truth, strict=True):
        mine = drawn[:, member]
        mine = mine[np.isfinite(mine).all(axis=1)]
        if mine.shape[0] < 2:
            return None
        covariance = np.zeros((r.shape[0], r.shape[0]))
        with one_blas_thread():
            covariance[np.ix_(member, member)] = larger * np.cov(mine.T)
        # Penalised rewards are shrunk already, and their covariance holds what that takes away.
        found = leading(
            r,
            covariance,
            components,
            spread=np.inf,
            freedom=n - 1.0,
            rng=np.random.default_rng(seed),
        )
        chance = found.probability.copy()
        # Items that tie for the first place share their chances: the draws' noise is no order.
        tied = member[r[member] >= r[member].max() - TIE]
        chance[tied] = chance[tied].mean()
        out.append(chance)
    return out


def _first(rank: IntArray, components: IntArray) -> FloatArray:
    """Share of the replicates in which each item leads its component, float64 (m,); k items that
    share a lead have 1/k each. Replicates in which an item has no data do not count for it."""
    lead = rank == 1
    n = int(components.max(initial=-1)) + 1
    total = np.zeros(rank.shape[1])
    part = np.maximum(components, 0)
    for row in lead:
        tied = np.bincount(part[row], minlength=max(n, 1))
        total += row / np.maximum(tied[part], 1)
    return np.asarray(total / np.maximum((rank > 0).sum(axis=0), 1))


def restore_weights(
    weights: FloatArray, members: IntArray, component: IntArray | None = None
) -> FloatArray:
    """Weights with one cluster put back to the average weight of its component; float64 (m,).

    component : int64 positions of the items that share their weight, all items where None. Their
    mass stays as it is, and those outside ``members`` keep their proportions. The weighted fit
    with these weights shows what the cluster's down-weighting alone explains.
    """
    out = weights.astype(np.float64, copy=True)
    among = np.arange(weights.shape[0]) if component is None else component
    total = float(weights[among].sum())
    each = total / among.size
    rest = np.setdiff1d(among, members, assume_unique=True)
    left = float(weights[rest].sum())
    out[members] = each
    room = total - each * members.size
    out[rest] = weights[rest] * (room / left) if left > 0 else room / max(rest.size, 1)
    return out


def _top(rewards: FloatArray, components: IntArray, k: int) -> tuple[IntArray, int]:
    """Members of the largest component, and k capped at its size."""
    if not np.any(components >= 0):
        return np.zeros(0, dtype=np.int64), 0
    largest = int(np.argmax(np.bincount(components[components >= 0])))
    members = np.flatnonzero((components == largest) & np.isfinite(rewards))
    return members, min(k, members.size)


def _overlap(a: FloatArray, b: FloatArray, top: tuple[IntArray, int]) -> FloatArray:
    """Share of the first k that each row of a and the same row of b both have: float64 (n,)."""
    members, k = top
    if k == 0:
        return np.full(a.shape[0], np.nan)

    def leads(r: FloatArray) -> BoolArray:
        value = -np.nan_to_num(r[:, members], nan=-np.inf)
        out = np.zeros(value.shape, np.bool_)
        np.put_along_axis(out, np.argsort(value, axis=1, kind="stable")[:, :k], True, axis=1)
        return out

    shared: FloatArray = (leads(a) & leads(b)).sum(axis=1) / k
    return shared


def _tau(a: FloatArray, b: FloatArray, members: IntArray) -> FloatArray:
    """Kendall's τ-b of each replicate, rewards within TIE being ties; NaN below two items."""
    return kendall_tau(np.round(a[:, members] / TIE), np.round(b[:, members] / TIE))
