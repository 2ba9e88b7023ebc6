"""Full and partial rankings as arrays: members of each list by place, tied places, who was left.

A *stage* of a ranking is one choice: the members of the next place are taken from all that are not
yet placed, the unranked ones included. A ranking of k members without ties has k − 1 stages; a list
with one chosen member has one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from cr_audit.arrays import BoolArray, ChoiceSets, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class RankingBlock:
    """All lists of one size k: items int64 (n, k), best first; tier int64 (n, k), 0, 1, ... along
    the row; ranked bool (n, k), the unranked stand last, in one tier of their own. offset float64
    (n, k), added to the rewards. rows : int64 (n,), which list each row is."""

    items: IntArray
    tier: IntArray
    ranked: BoolArray
    offset: FloatArray
    rows: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Rankings:
    """Lists grouped by size. mass : float64 (n,); unit : int64 (n,), see ``ChoiceDesign``."""

    n_items: int
    blocks: tuple[RankingBlock, ...]
    mass: FloatArray
    unit: IntArray

    @property
    def n(self) -> int:
        """Number of rankings."""
        return int(self.mass.shape[0])

    @property
    def largest_tie(self) -> int:
        """Members of the largest tied place that was a choice (someone was left or tied last)."""
        return max((_largest_tie(b) for b in self.blocks), default=1)

    @property
    def n_stages(self) -> FloatArray:
        """float64 (n,): stages of each list."""
        out = np.zeros(self.n)
        for b in self.blocks:
            out[b.rows] = stage_starts(b).sum(axis=1)
        return out


def rankings_of(
    sets: ChoiceSets, *, unit: IntArray | None = None, offset: FloatArray | None = None
) -> Rankings:
    """From choice sets: ranks -1 are unranked and stand last.

    offset : float64 (number of members,), e.g. log of a clone's weight. Lists of one member, and
    lists in which nothing or all is tied at one place, have no stage and cost nothing.
    """
    sizes = np.diff(sets.offsets)
    owner = np.repeat(np.arange(sets.n), sizes)
    last = int(sets.rank.max(initial=0)) + 1
    key = np.where(sets.rank < 0, last, sets.rank)
    # The item breaks ties of place, so that the order of the rows leaves no trace.
    order = np.lexsort((sets.members, key, owner))
    items, key = sets.members[order], key[order]
    shift = np.zeros(items.size) if offset is None else offset[order]
    blocks = []
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        at = sets.offsets[rows][:, None] + np.arange(size)
        k = key[at]
        step = np.zeros(k.shape, np.int64)
        step[:, 1:] = np.diff(k, axis=1) > 0
        blocks.append(
            RankingBlock(
                items=items[at],
                tier=np.cumsum(step, axis=1),
                ranked=k < last,
                offset=shift[at],
                rows=rows.astype(np.int64),
            )
        )
    n = sets.n
    return Rankings(
        n_items=sets.n_items,
        blocks=tuple(blocks),
        mass=sets.mass,
        unit=np.arange(n, dtype=np.int64) if unit is None else unit,
    )


def stage_starts(block: RankingBlock) -> BoolArray:
    """bool (n, k): the position opens a ranked tier, and another member stands at or after it.

    A tier that is the only one of its list (all tied) is no stage either: nothing is told apart.
    """
    opens = np.ones(block.tier.shape, np.bool_)
    opens[:, 1:] = np.diff(block.tier, axis=1) > 0
    several = block.tier[:, -1:] > 0
    out: BoolArray = opens & block.ranked & several
    out[:, -1] = False
    return out


def tier_sizes(block: RankingBlock) -> IntArray:
    """int64 (n, k): how many members stand in the tier of each position."""
    n, k = block.tier.shape
    key = block.tier + np.arange(n)[:, None] * k
    out: IntArray = np.bincount(key.ravel(), minlength=n * k)[key].astype(np.int64)
    return out


def _largest_tie(block: RankingBlock) -> int:
    at = stage_starts(block)
    return int(tier_sizes(block)[at].max(initial=1))


def collapsed(rankings: Rankings) -> Rankings:
    """Equal lists as one with their masses added: the same likelihood in fewer rows.

    Units are lost; for fits only.
    """
    blocks, masses, n = [], [], 0
    for b in rankings.blocks:
        k = b.items.shape[1]
        # Everything that makes a row what it is, as one string of bytes per row.
        code = np.concatenate(
            [b.items, b.tier, b.ranked.astype(np.int64), b.offset.view(np.int64)], axis=1
        )
        rows = np.ascontiguousarray(code).view(np.dtype((np.void, 8 * 4 * k))).ravel()
        _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
        mass = np.bincount(inverse, weights=rankings.mass[b.rows]).astype(np.float64)
        blocks.append(
            RankingBlock(
                b.items[first],
                b.tier[first],
                b.ranked[first],
                b.offset[first],
                np.arange(n, n + first.size, dtype=np.int64),
            )
        )
        masses.append(mass)
        n += first.size
    return Rankings(
        n_items=rankings.n_items,
        blocks=tuple(blocks),
        mass=np.concatenate(masses) if masses else np.zeros(0),
        unit=np.arange(n, dtype=np.int64),
    )


def wins_graph(rankings: Rankings) -> csr_array:
    """Sparse (m, m): an edge from x to y where x stood above y somewhere, or both ways if tied.

    Per list, edges run between neighbouring tiers and along each tier: enough for reachability.
    """
    start, end = [], []
    for b in rankings.blocks:
        for j in range(b.items.shape[1] - 1):
            left, right = b.items[:, j], b.items[:, j + 1]
            same = b.tier[:, j] == b.tier[:, j + 1]
            told = ~same | b.ranked[:, j]
            start += [left[told], right[same & told]]
            end += [right[told], left[same & told]]
            # The unranked are below the last ranked member, each of them.
            loose = same & ~b.ranked[:, j]
            if loose.any():
                above = b.ranked[loose].sum(axis=1) - 1
                start.append(b.items[loose, above])
                end.append(right[loose])
    s = np.concatenate(start) if start else np.zeros(0, np.int64)
    e = np.concatenate(end) if end else np.zeros(0, np.int64)
    m = rankings.n_items
    return csr_array((np.ones(s.size, np.int8), (s, e)), shape=(m, m))


def appearing(rankings: Rankings) -> BoolArray:
    """bool (m,): the item stands in some list."""
    out = np.zeros(rankings.n_items, np.bool_)
    for b in rankings.blocks:
        out[b.items] = True
    return out


def ranking_components(rankings: Rankings) -> tuple[IntArray, IntArray]:
    """Weakly and strongly connected components of the graph of wins; int64 (m,), -1: in no list.

    An unpenalised maximum exists exactly where each weak component is one strong one (Hunter 2004,
    Assumption 1). Numbered by smallest item.
    """
    graph, seen = wins_graph(rankings), appearing(rankings)
    out = []
    for kind in ("weak", "strong"):
        raw = connected_components(graph, directed=True, connection=kind)[1]
        label = np.full(seen.size, -1, np.int64)
        _, first, inverse = np.unique(raw[seen], return_index=True, return_inverse=True)
        number = np.empty(first.size, np.int64)
        number[np.argsort(first, kind="stable")] = np.arange(first.size)
        label[seen] = number[inverse]
        out.append(label)
    return out[0], out[1]
