"""What a batch does to the ranking of old items: turned leaders, turned pairs, and their cause.

Facts only, as in ``compare``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cr_audit.analysis import Analysis
from cr_audit.analysis.choice import Choice
from cr_audit.analysis.units import choose_resampling
from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, NotApplicable
from cr_audit.gate.growth import Growth, new_copies
from cr_audit.models.rankings import win_rates
from cr_audit.models.rankings.added import AddedRows, Flips, effect_of_added_rows
from cr_audit.streams import stream

MAX_CAUSES = 20
"""So many clusters, those in most rows of the batch, are taken out to see what a turn hangs on."""


@dataclass(frozen=True, slots=True)
class LeaderChange:
    """The first place of one component. old, new : items; change, error : of the difference of
    their average win rates; beyond_noise : see ``rankings.added``. weighted_turns : the weighted
    rates turn the two as well, beyond noise. n_copies : new copies in the batch. without_copies :
    taking all of them out undoes the turn. cause : place among the gains of the one cluster whose
    new members, taken out alone, undo most of the change (and at least half of it), -1 if there
    is none.
    """

    component: int
    old: int
    new: int
    change: float
    error: float
    beyond_noise: bool
    weighted_turns: bool
    n_copies: int
    without_copies: bool
    cause: int

    @property
    def clones_explain(self) -> bool:
        """Copies were added, and without them, or weighted, nobody else leads."""
        return self.n_copies > 0 and (self.without_copies or not self.weighted_turns)


@dataclass(frozen=True, slots=True, eq=False)
class RankingChange:
    """Effect of the batch on the items of the main unit. items are those of ``after``'s unit.

    clone_pairs : bool per turned pair of ``effect.average.flips``: beyond noise, and the weighted
    rates do not turn it beyond noise, while the batch holds copies.
    """

    effect: AddedRows
    leaders: tuple[LeaderChange, ...]
    clone_pairs: BoolArray
    resampled: Choice


def ranking_change(
    before: Analysis,
    after: Analysis,
    old: IntArray,
    added: BoolArray,
    is_new: BoolArray,
    grown: Growth | NotApplicable,
    level: float,
) -> RankingChange | NotApplicable:
    """What the batch does to the ranking: each item's places and win rates before and after, with
    the error of the change, and whether the leader changes.

    old : alternatives of ``after`` that ``before`` has, in its order. added : comparisons of the
    batch. is_new : alternatives that only the batch has. level : of the intervals, in (0, 1).
    """
    unit, earlier = after.units[0], before.units[0]
    rows = after.dataset.comparison_arrays()
    labels = unit.items.labels
    one, two = labels[rows.winner], labels[rows.loser]
    keep = (one != two) & (one >= 0) & (two >= 0)
    fresh = added[keep]
    if not fresh.any():
        return NotApplicable(f"the batch holds no comparison between two {unit.unit}s")
    if fresh.all():
        return NotApplicable(f"the baseline holds no comparison between two {unit.unit}s")
    if isinstance(earlier.shift, NotApplicable):
        return NotApplicable(earlier.shift.reason)
    settings = after.settings
    resampled, clusters = choose_resampling(after.dataset, unit.items, unit.comparisons, settings)
    n = max(50, min(settings.n_replicates, 20_000_000 // unit.items.n))
    weights = _weights(before, after, old)
    effect = effect_of_added_rows(
        unit.comparisons,
        fresh,
        weights=weights,
        weight_draws=None if weights is None else _draws(before, after, old, n),
        clusters=clusters,
        count_weighted=settings.count_weighted,
        n_replicates=n,
        confidence_level=level,
        rng=stream(settings.seed, "changes of win rates"),
    )
    sides = rows.winner[keep], rows.loser[keep]
    copies = new_copies(grown)
    leaders = _leaders(unit.comparisons, sides, effect, grown, copies, is_new.size)
    return RankingChange(effect, leaders, _clone_pairs(effect, copies.size > 0), resampled)


def _places(before: Analysis, after: Analysis, old: IntArray) -> IntArray:
    """int64 (items before,), where each item of the baseline stands among those of ``after``."""
    ids = {identifier: i for i, identifier in enumerate(after.units[0].items.ids)}
    return np.array([ids[i] for i in before.units[0].items.ids], dtype=np.int64)


def _weights(
    before: Analysis, after: Analysis, old: IntArray
) -> tuple[FloatArray, FloatArray] | None:
    """Weights before and after, both over the items after. A cluster's weight before is that of its
    old members: its identifier changes with its members, its place does not."""
    unit, earlier = after.units[0].items, before.units[0].items
    if isinstance(unit.weights, NotApplicable) or isinstance(earlier.weights, NotApplicable):
        return None
    if unit.unit == "cluster":
        if isinstance(before.weights, NotApplicable):
            return None
        held = np.bincount(unit.labels[old], weights=before.weights.weights, minlength=unit.n)
        return held.astype(np.float64), unit.weights
    first = np.zeros(unit.n)
    first[_places(before, after, old)] = earlier.weights
    return first, unit.weights


def _draws(
    before: Analysis, after: Analysis, old: IntArray, n: int
) -> tuple[FloatArray, FloatArray] | None:
    unit, earlier = after.units[0].items, before.units[0].items
    if unit.draws is None or earlier.draws is None:
        return None
    first = np.zeros((n, unit.n))
    rng = stream(before.settings.seed, "weights before a batch")
    if unit.unit == "cluster":
        if isinstance(before.weights, NotApplicable):
            return None
        drawn = before.weights.resample(n, rng)
        for row, values in zip(first, drawn, strict=True):
            row += np.bincount(unit.labels[old], weights=values, minlength=unit.n)
    else:
        first[:, _places(before, after, old)] = earlier.draws(n, rng)
    return first, unit.draws(n, stream(after.settings.seed, "weights after a batch"))


def _leaders(
    comparisons: Comparisons,
    sides: tuple[IntArray, IntArray],
    effect: AddedRows,
    grown: Growth | NotApplicable,
    copies: IntArray,
    n_alternatives: int,
) -> tuple[LeaderChange, ...]:
    """sides : the alternatives of each of the ``comparisons``, which are between items."""
    rates, flips = effect.average, effect.average.flips
    turned = {pair: k for k, pair in enumerate(_pairs(flips))}
    firm: set[tuple[int, int]] = set()
    if effect.weighted is not None:
        weighted = effect.weighted.flips
        firm = {pair for pair, k in zip(_pairs(weighted), weighted.beyond_noise, strict=True) if k}
    out = []
    for old in np.flatnonzero((rates.rank_before == 1) & (rates.rank_after > 1) & effect.touched):
        leads = (effect.component == effect.component[old]) & (rates.rank_after == 1)
        new = int(np.flatnonzero(leads)[0])
        k = turned.get((int(old), new))
        if k is None:  # both led before
            continue
        beyond = bool(flips.beyond_noise[k])
        undone, cause = False, -1
        if beyond and copies.size and not isinstance(grown, NotApplicable):
            gap = float(rates.before[old] - rates.before[new])
            undone, cause = what_undoes(
                comparisons, sides, (int(old), new), gap, grown, copies, n_alternatives
            )
        out.append(
            LeaderChange(
                component=int(effect.component[old]),
                old=int(old),
                new=new,
                change=float(flips.change[k]),
                error=float(flips.error[k]),
                beyond_noise=beyond,
                weighted_turns=(int(old), new) in firm,
                n_copies=int(copies.size),
                without_copies=undone,
                cause=cause,
            )
        )
    return tuple(out)


def _pairs(flips: Flips) -> list[tuple[int, int]]:
    return list(zip(flips.ahead.tolist(), flips.behind.tolist(), strict=True))


def what_undoes(
    comparisons: Comparisons,
    sides: tuple[IntArray, IntArray],
    pair: tuple[int, int],
    gap_before: float,
    grown: Growth,
    copies: IntArray,
    n_alternatives: int,
) -> tuple[bool, int]:
    """Whether the turn is gone without all copies, and which cluster undoes most of it alone."""

    def gap_without(taken: IntArray) -> float:
        out = np.zeros(n_alternatives, np.bool_)
        out[taken] = True
        left = comparisons.take(~(out[sides[0]] | out[sides[1]]))
        average = win_rates(left, np.ones(comparisons.n_items)).average
        return float(average[pair[0]] - average[pair[1]])

    now = gap_without(np.zeros(0, np.int64))
    moved = gap_before - now
    undone = gap_without(copies) > 0
    order = sorted(range(len(grown.gains)), key=lambda i: (-grown.gains[i].n_rows_new, i))
    best, cause = 0.5 * moved, -1
    for i in order[:MAX_CAUSES]:
        undoes = gap_without(grown.gains[i].new) - now
        if undoes >= best + 1e-12 or (cause < 0 and undoes >= best):
            best, cause = undoes, i
    return undone, cause


def _clone_pairs(effect: AddedRows, any_copies: bool) -> BoolArray:
    flips = effect.average.flips
    if effect.weighted is None or not any_copies:
        return np.zeros(flips.n, np.bool_)
    w, m = effect.weighted.flips, np.int64(effect.component.size)
    firm = (w.ahead * m + w.behind)[w.beyond_noise]
    out: BoolArray = flips.beyond_noise & ~np.isin(flips.ahead * m + flips.behind, firm)
    return out
