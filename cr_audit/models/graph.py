"""The comparison graph: what is connected, what a fit could say, and how consistent the votes are.

Items are vertices; two items are neighbours if they were compared at least once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from cr_audit.arrays import BoolArray, Comparisons, IntArray, NotApplicable, Proportions
from cr_audit.labels import connected, contiguous

DEFAULT_MAX_WEDGES = 5_000_000
DEFAULT_TRIAD_SAMPLES = 200_000


@dataclass(frozen=True, slots=True)
class Spread:
    """The smallest, the median and the largest of some counts."""

    minimum: int
    median: float
    maximum: int


@dataclass(frozen=True, slots=True)
class Dominance:
    """The most frequent annotator (or prompt): its index, its comparisons, their share of all."""

    index: int
    n_comparisons: int
    share: float
    n_distinct: int
    """How many different annotators (or prompts) there are."""


@dataclass(frozen=True, slots=True)
class Triads:
    """Triples of items of which all three pairs were compared.

    n : how many there are (rounded estimate where sampled). n_cyclic : those in which the
    majorities run in a circle (x over y over z over x, no pair split evenly). share = n_cyclic / n;
    three coin flips give 1/4. standard_error : of the share, 0 where every triple was counted.
    n_sampled : triples looked at, 0 where every triple was counted.
    """

    n: int
    n_cyclic: int
    share: float
    standard_error: float
    n_sampled: int

    @property
    def exact(self) -> bool:
        """Whether every triple was counted."""
        return self.n_sampled == 0


@dataclass(frozen=True, slots=True, eq=False)
class GraphHealth:
    """Facts about who was compared with whom.

    n_items, n_comparisons (rows), n_pairs (compared pairs).
    component : int64 (n_items,), the weakly connected component, numbered from the largest (ties:
        the one with the smallest item first); -1 for items never compared. component_sizes :
        int64 (n_components,), descending. Rewards and ranks compare within a component only.
    strong_component : int64 (n_items,), the strongly connected component of the graph of wins (an
        edge from x to y where x won at least once against y; a tie gives both edges); -1 for items
        never compared. n_strong_components : how many.
    fit_exists : bool (n_components,), Ford's condition for each component: its Bradley-Terry
        likelihood has a finite maximum without a penalty iff it is strongly connected.
    undefeated, winless : int64, items that won (lost) every comparison, without a tie.
    never_compared : int64, items without a comparison.
    comparisons_per_item, opponents_per_item : over the items that were compared.
    n_repeated_pairs : pairs with two rows or more. n_contradictory_pairs : those that each side won
        at least once. n_self_contradictory_pairs : the same by one known annotator.
    triads : see ``Triads``, or why there are none.
    density : n_pairs / (c (c - 1) / 2) for the c items that were compared.
    largest_annotator, largest_prompt : see ``Dominance``; not applicable where unknown.
    """

    n_items: int
    n_comparisons: int
    n_pairs: int
    component: IntArray
    component_sizes: IntArray
    strong_component: IntArray
    n_strong_components: int
    fit_exists: BoolArray
    undefeated: IntArray
    winless: IntArray
    never_compared: IntArray
    comparisons_per_item: Spread
    opponents_per_item: Spread
    n_repeated_pairs: int
    n_contradictory_pairs: int
    n_self_contradictory_pairs: int
    triads: Triads | NotApplicable
    density: float
    largest_annotator: Dominance | NotApplicable
    largest_prompt: Dominance | NotApplicable

    @property
    def n_components(self) -> int:
        """Weakly connected components of two items or more."""
        return int(self.component_sizes.shape[0])

    @property
    def share_in_pairs(self) -> float:
        """Share of the compared items that were compared with one other alone, and it with them."""
        sizes = self.component_sizes
        return 2.0 * float(np.sum(sizes == 2)) / max(float(sizes.sum()), 1.0)

    @property
    def unpenalised_fit_exists(self) -> bool:
        """Whether a Bradley-Terry fit exists without a penalty in every component."""
        return bool(self.fit_exists.all())


def components_of(pairs: Proportions) -> tuple[IntArray, int]:
    """Connected components of the comparison graph: labels int64 (n_items,) (-1: never compared),
    0, 1, ... in the order of each component's smallest item; and how many."""
    m = pairs.n_items
    labels = connected(m, pairs.first, pairs.second)
    compared = np.zeros(m, np.bool_)
    compared[pairs.first] = compared[pairs.second] = True
    labels = contiguous(np.where(compared, labels, -1))
    return labels, int(labels.max(initial=-1)) + 1


def components(pairs: Proportions) -> tuple[IntArray, IntArray]:
    """As ``components_of``, numbered from the largest, equal sizes in the order of their smallest
    items; and their sizes, int64 (n_components,)."""
    labels, n = components_of(pairs)
    known = labels >= 0
    size = np.bincount(labels[known], minlength=n)
    order = np.argsort(-size, kind="stable")
    number = np.empty_like(order)
    number[order] = np.arange(n)
    labels[known] = number[labels[known]]
    return labels, size[order].astype(np.int64)


def graph_health(
    comparisons: Comparisons,
    *,
    max_wedges: int = DEFAULT_MAX_WEDGES,
    n_triad_samples: int = DEFAULT_TRIAD_SAMPLES,
    rng: np.random.Generator,
) -> GraphHealth:
    """All facts about the comparison graph; masses are ignored, a row is a row.

    Triads are counted exactly while the number of wedges (pairs of neighbours of an item) is at
    most ``max_wedges``, which bounds memory at about 100 bytes a wedge; beyond, ``n_triad_samples``
    wedges are drawn. ``rng`` is used only then. Everything else is linear in rows and pairs.

    Source: Ford (1957) for ``fit_exists``; Kendall & Babington Smith (1940) for cyclic triads.
    """
    if max_wedges < 0 or n_triad_samples < 1:
        raise ValueError("max_wedges must be >= 0 and n_triad_samples >= 1")
    c, m = comparisons, comparisons.n_items
    pairs = c.proportions(np.ones(c.n))
    label, sizes = components(pairs)
    strong = _strong_components(pairs, label)
    n_strong = np.unique(np.stack([label, strong])[:, label >= 0], axis=1)
    per_component = np.bincount(n_strong[0], minlength=sizes.shape[0])
    n_rows = np.bincount(c.winner, minlength=m) + np.bincount(c.loser, minlength=m)
    clear = c.outcome == 1.0
    n_wins = np.bincount(c.winner[clear], minlength=m)
    n_losses = np.bincount(c.loser[clear], minlength=m)
    degree = np.bincount(pairs.first, minlength=m) + np.bincount(pairs.second, minlength=m)
    compared = n_rows > 0
    n_compared = int(compared.sum())
    contradictory, self_contradictory = _contradictions(c)
    return GraphHealth(
        n_items=m,
        n_comparisons=c.n,
        n_pairs=int(pairs.first.shape[0]),
        component=label,
        component_sizes=sizes,
        strong_component=strong,
        n_strong_components=int(n_strong.shape[1]),
        fit_exists=per_component == 1,
        undefeated=np.flatnonzero(compared & (n_wins == n_rows)),
        winless=np.flatnonzero(compared & (n_losses == n_rows)),
        never_compared=np.flatnonzero(~compared),
        comparisons_per_item=_spread(n_rows[compared]),
        opponents_per_item=_spread(degree[compared]),
        n_repeated_pairs=int(np.sum(pairs.mass >= 2)),
        n_contradictory_pairs=contradictory,
        n_self_contradictory_pairs=self_contradictory,
        triads=_triads(pairs, max_wedges, n_triad_samples, rng),
        density=pairs.first.shape[0] / math.comb(n_compared, 2) if n_compared > 1 else 0.0,
        largest_annotator=_dominance(c.annotator, "annotator"),
        largest_prompt=_dominance(c.prompt, "prompt"),
    )


def _strong_components(pairs: Proportions, label: IntArray) -> IntArray:
    wins, losses = pairs.p > 0, pairs.p < 1
    start = np.concatenate([pairs.first[wins], pairs.second[losses]])
    end = np.concatenate([pairs.second[wins], pairs.first[losses]])
    together = connected(pairs.n_items, start, end, both_ways=True)
    return contiguous(np.where(label >= 0, together, -1))


def _spread(counts: IntArray) -> Spread:
    if counts.size == 0:
        return Spread(0, 0.0, 0)
    return Spread(int(counts.min()), float(np.median(counts)), int(counts.max()))


def _contradictions(c: Comparisons) -> tuple[int, int]:
    """Pairs won by each side at least once, by anyone and by one and the same annotator."""
    clear = c.outcome == 1.0
    w, l, who = c.winner[clear], c.loser[clear], c.annotator[clear]
    pair = np.minimum(w, l) * np.int64(c.n_items) + np.maximum(w, l)
    anyone = _both_ways(pair, w < l)
    known = who >= 0
    pairs, code = np.unique(pair[known], return_inverse=True)
    n_who = int(who.max(initial=0)) + 1
    groups = code * np.int64(n_who) + who[known]
    both = _both_ways(groups, (w < l)[known])
    return anyone.size, int(np.unique(pairs[both // n_who]).size)


def _both_ways(group: IntArray, side: BoolArray) -> IntArray:
    return np.intersect1d(group[side], group[~side])


def _dominance(labels: IntArray, name: str) -> Dominance | NotApplicable:
    known = labels[labels >= 0]
    if known.size == 0:
        return NotApplicable(f"no comparison names its {name}")
    index, count = np.unique(known, return_counts=True)
    top = int(np.argmax(count))
    return Dominance(int(index[top]), int(count[top]), int(count[top]) / labels.size, index.size)


def _triads(
    pairs: Proportions, max_wedges: int, n_samples: int, rng: np.random.Generator
) -> Triads | NotApplicable:
    m = pairs.n_items
    degree = np.bincount(pairs.first, minlength=m) + np.bincount(pairs.second, minlength=m)
    n_wedges = int(np.sum(degree * (degree - 1) // 2))
    if n_wedges == 0:
        return NotApplicable("no item was compared with two others")
    exact = n_wedges <= max_wedges
    found = _count_triads(pairs) if exact else _sample_triads(pairs, n_wedges, n_samples, rng)
    if found.n == 0:
        return NotApplicable(
            "no three items were all compared with each other"
            if exact
            else f"none of {n_samples} sampled chains of two pairs closed to a triple"
        )
    return found


def _count_triads(pairs: Proportions) -> Triads:
    shape = (pairs.n_items,) * 2
    up, down = pairs.p > 0.5, pairs.p < 0.5
    winner = np.concatenate([pairs.first[up], pairs.second[down]])
    loser = np.concatenate([pairs.second[up], pairs.first[down]])
    beats = csr_array((np.ones(winner.shape[0]), (winner, loser)), shape=shape)
    upper = csr_array((np.ones(pairs.first.shape[0]), (pairs.first, pairs.second)), shape=shape)
    n = round(float((upper @ upper).multiply(upper).sum()))
    n_cyclic = round(float((beats @ beats).multiply(beats.T).sum()) / 3)
    return Triads(n, n_cyclic, n_cyclic / n if n else 0.0, 0.0, 0)


def _sample_triads(
    pairs: Proportions, n_wedges: int, n_samples: int, rng: np.random.Generator
) -> Triads:
    """Draw wedges uniformly; those that close are uniform over triples (each has three)."""
    m = pairs.n_items
    start = np.concatenate([pairs.first, pairs.second])
    end = np.concatenate([pairs.second, pairs.first])
    sign = np.sign(pairs.p - 0.5)
    order = np.lexsort((end, start))
    start, end, sign = start[order], end[order], np.concatenate([sign, -sign])[order]
    degree = np.bincount(start, minlength=m)
    offset = np.concatenate([[0], np.cumsum(degree)])
    ends_at = np.cumsum(degree * (degree - 1) // 2)
    centre = np.searchsorted(ends_at, rng.integers(n_wedges, size=n_samples), side="right")
    one = rng.integers(degree[centre])
    two = rng.integers(degree[centre] - 1)
    two += two >= one
    left, right = offset[centre] + one, offset[centre] + two
    # The third side: the edge from the left end to the right end, if there is one.
    keys = start * np.int64(m) + end
    wanted = end[left] * np.int64(m) + end[right]
    at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    closed = keys[at] == wanted
    # centre over left, left over right, right over centre; or all three the other way round.
    cyclic = closed & (np.abs(sign[left] + sign[at] - sign[right]) == 3)
    n_closed, n_cyclic = int(closed.sum()), int(cyclic.sum())
    if n_closed == 0:
        return Triads(0, 0, 0.0, 0.0, n_samples)
    share = n_cyclic / n_closed
    n = round(n_closed / n_samples * n_wedges / 3)
    smoothed = (n_cyclic + 1) / (n_closed + 2)  # so that no error is 0 at a share of 0 or 1
    error = math.sqrt(smoothed * (1 - smoothed) / n_closed)
    return Triads(n, round(share * n), share, error, n_closed)
