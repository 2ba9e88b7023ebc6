"""Pairs that were never or thinly compared and whose prediction hangs on a dominant preference.

A chain i - k - j predicts p_ij from p_ik and p_kj (``pairwise``). It is M-sensitive to p_ik only if
p_ik (1 - p_ik) < 1/(4M) and p_kj is beyond 1/(1+M) on the other side ([SP] Eq. 5): two strong
preferences that cancel. All such chains are looked at, at the data's own shares with half a vote
added to each side, so that 3 of 3 votes are 0.875 and not certainty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import Comparisons, FloatArray, IntArray, Proportions
from cr_audit.labels import connected
from cr_audit.models.sensitivity.pairwise import (
    chain_error,
    chained,
    check_threshold,
    from_counts,
    sensitivity,
)

# Chains looked at in one go, and in all; more are counted, not looked at.
BLOCK = 1_000_000
MAX_CHAINS = 20_000_000
# Pairs that are ranked by an error from outside, those of most harm along a chain.
MAX_RANKED = 1_000_000

# errors(i, j) of predictions p(i ≻ j), float64 (f,), for any pairs.
Errors = Callable[[IntArray, IntArray], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """What stands behind each observed pair; int64 (k,) each. n_annotators, n_prompts : different
    ones, 0 where the rows name none. top_annotator : who gave the most rows, -1 if unknown."""

    n_rows: IntArray
    n_annotators: IntArray
    n_prompts: IntArray
    top_annotator: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """One entry per pair (start, end), by the chain of most harm; arrays of one length.

    start, middle, end : items. head, tail : the observed pairs start-middle and middle-end.
    p_head, p_tail, p : p(start ≻ middle), p(middle ≻ end), and what follows for p(start ≻ end).
    sensitivity : M = ∂p/∂p_head. head_error, error : standard errors of p_head and of p. harm : M
    times head_error. n_direct : comparisons of start and end themselves.
    n_sensitive : pairs found in all; n_skipped : chains that were not looked at.
    """

    start: IntArray
    middle: IntArray
    end: IntArray
    head: IntArray
    tail: IntArray
    p_head: FloatArray
    p_tail: FloatArray
    p: FloatArray
    sensitivity: FloatArray
    head_error: FloatArray
    error: FloatArray
    harm: FloatArray
    n_direct: FloatArray
    n_sensitive: int
    n_skipped: int

    @property
    def n(self) -> int:
        """Number of chains."""
        return int(self.start.shape[0])


def support_of(rows: Comparisons, pair: IntArray, n_pairs: int) -> Support:
    """pair : int64 (n,), the pair of each row."""
    return Support(
        n_rows=np.bincount(pair, minlength=n_pairs).astype(np.int64),
        n_annotators=_distinct(pair, rows.annotator, n_pairs),
        n_prompts=_distinct(pair, rows.prompt, n_pairs),
        top_annotator=_top(pair, rows.annotator, n_pairs),
    )


def _distinct(pair: IntArray, label: IntArray, n_pairs: int) -> IntArray:
    known = label >= 0
    width = np.int64(label.max(initial=0) + 1)
    keys = np.unique(pair[known] * width + label[known])
    return np.bincount(keys // width, minlength=n_pairs).astype(np.int64)


def _top(pair: IntArray, label: IntArray, n_pairs: int) -> IntArray:
    known = label >= 0
    width = np.int64(label.max(initial=0) + 1)
    keys, count = np.unique(pair[known] * width + label[known], return_counts=True)
    order = np.lexsort((keys % width, -count, keys // width))
    at = keys[order] // width
    first = np.concatenate([[True], at[1:] != at[:-1]]) if at.size else np.zeros(0, np.bool_)
    out = np.full(n_pairs, -1, np.int64)
    out[at[first]] = keys[order][first] % width
    return out


def fragile_chains(
    pairs: Proportions,
    *,
    threshold: float = 2.0,
    thin: float = 1.0,
    limit: int = 1000,
    errors: Errors | None = None,
) -> Chains:
    """The ``limit`` M-sensitive pairs of largest ``errors`` among those compared at most ``thin``
    times; without ``errors`` those of most harm along their chain.

    pairs : sorted by (first, second), mass the number of comparisons. Time and memory are bounded
    by MAX_CHAINS, MAX_RANKED and BLOCK.
    """
    m = check_threshold(threshold)
    edge = _directed(pairs)
    heads = np.flatnonzero(edge.p * (1.0 - edge.p) < 1.0 / (4.0 * m))
    found: list[_Part] = []
    n_seen = n_all = 0
    for side in (True, False):
        mine = heads[(edge.p[heads] > 0.5) == side]
        tails = np.flatnonzero(edge.p < 1.0 / (1.0 + m) if side else edge.p > m / (1.0 + m))
        begin = np.searchsorted(edge.source[tails], edge.target[mine], side="left")
        count = np.searchsorted(edge.source[tails], edge.target[mine], side="right") - begin
        n_all += int(count.sum())
        for a, b in _blocks(count):
            if n_seen >= MAX_CHAINS:
                break
            n_seen += int(count[a:b].sum())
            head = np.repeat(mine[a:b], count[a:b])
            inside = np.arange(head.shape[0]) - np.repeat(
                np.cumsum(count[a:b]) - count[a:b], count[a:b]
            )
            tail = tails[np.repeat(begin[a:b], count[a:b]) + inside]
            found.append(_sensitive(pairs, edge, head, tail, m, thin))
    return _ranked(pairs, edge, found, limit, n_all - n_seen, errors)


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Every pair in both directions, sorted by source."""

    source: IntArray
    target: IntArray
    p: FloatArray
    n: FloatArray
    pair: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    head: IntArray
    tail: IntArray
    sensitivity: FloatArray
    harm: FloatArray
    direct: FloatArray


def _directed(pairs: Proportions) -> _Edges:
    p = from_counts(np.clip(pairs.p * pairs.mass, 0.0, pairs.mass), pairs.mass)
    index = np.arange(p.shape[0])
    source = np.concatenate([pairs.first, pairs.second])
    order = np.argsort(source, kind="stable")
    target = np.concatenate([pairs.second, pairs.first])
    both = np.concatenate([p, 1.0 - p])
    twice = np.concatenate([pairs.mass, pairs.mass])
    return _Edges(
        source[order],
        target[order],
        both[order],
        twice[order],
        np.concatenate([index, index])[order],
    )


def _blocks(count: IntArray) -> list[tuple[int, int]]:
    """Ranges of heads with about BLOCK chains each."""
    total = np.cumsum(count)
    cuts = np.unique(
        np.searchsorted(total, np.arange(BLOCK, int(total[-1]) + BLOCK, BLOCK)) + 1
        if total.size
        else np.zeros(0, np.int64)
    )
    ends = [int(min(c, count.shape[0])) for c in cuts]
    starts = [0, *ends[:-1]]
    return [(a, b) for a, b in zip(starts, ends, strict=False) if b > a]


def _sensitive(
    pairs: Proportions, edge: _Edges, head: IntArray, tail: IntArray, threshold: float, thin: float
) -> _Part:
    keep = edge.source[head] != edge.target[tail]
    head, tail = head[keep], tail[keep]
    value = sensitivity(edge.p[head], edge.p[tail])
    keep = value > threshold
    head, tail, value = head[keep], tail[keep], value[keep]
    direct = _direct(pairs, edge.source[head], edge.target[tail])
    keep = direct <= thin
    head, tail, value = head[keep], tail[keep], value[keep]
    harm = value * np.sqrt(edge.p[head] * (1.0 - edge.p[head]) / edge.n[head])
    return _Part(head, tail, value, harm, direct[keep])


def _direct(pairs: Proportions, i: IntArray, j: IntArray) -> FloatArray:
    """How often i and j were compared with each other."""
    n = np.int64(pairs.n_items)
    keys = pairs.first * n + pairs.second
    wanted = np.minimum(i, j) * n + np.maximum(i, j)
    at = np.minimum(np.searchsorted(keys, wanted), max(keys.shape[0] - 1, 0))
    if keys.shape[0] == 0:
        return np.zeros(i.shape[0])
    return np.where(keys[at] == wanted, pairs.mass[at], 0.0)


def _ranked(
    pairs: Proportions,
    edge: _Edges,
    parts: list[_Part],
    limit: int,
    n_skipped: int,
    errors: Errors | None,
) -> Chains:
    nothing = np.zeros(0, np.int64)
    head = np.concatenate([p.head for p in parts]) if parts else nothing
    tail = np.concatenate([p.tail for p in parts]) if parts else nothing
    value = np.concatenate([p.sensitivity for p in parts]) if parts else np.zeros(0)
    harm = np.concatenate([p.harm for p in parts]) if parts else np.zeros(0)
    direct = np.concatenate([p.direct for p in parts]) if parts else np.zeros(0)
    i, j = edge.source[head], edge.target[tail]
    order = np.lexsort((tail, head, -harm))
    key = (np.minimum(i, j) * np.int64(pairs.n_items) + np.maximum(i, j))[order]
    _, best = np.unique(key, return_index=True)
    kept = order[np.sort(best)]
    top = kept[:limit]
    if errors is not None and kept.size > limit:
        some_kept = kept[:MAX_RANKED]
        size = errors(i[some_kept], j[some_kept])
        top = some_kept[np.sort(np.argsort(-size, kind="stable")[:limit])]
    h, t = head[top], tail[top]
    p, q = edge.p[h], edge.p[t]
    some = h.size > 0
    return Chains(
        start=edge.source[h],
        middle=edge.target[h],
        end=edge.target[t],
        head=edge.pair[h],
        tail=edge.pair[t],
        p_head=p,
        p_tail=q,
        p=chained(p, q) if some else p,
        sensitivity=value[top],
        head_error=np.sqrt(p * (1.0 - p) / edge.n[h]),
        error=chain_error(p, q, edge.n[h], edge.n[t]) if some else p,
        harm=harm[top],
        n_direct=direct[top],
        n_sensitive=int(kept.size),
        n_skipped=n_skipped,
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """An annotator without whose rows a component falls apart. n_cut_off : items outside the
    largest piece that is left; n_rows : the annotator's rows in all."""

    annotator: int
    n_cut_off: int
    n_rows: int


def holders(
    rows: Comparisons, pair: IntArray, pairs: Proportions, *, largest: int = 50
) -> tuple[Holder, ...]:
    """Those of the ``largest`` annotators on whom the connection of some items rests, most first.

    pair : int64 (n,), the pair of each row. Items whose only comparisons are the annotator's count
    as cut off. Time: one search of the graph per doubling of those that alone judged some pair.
    """
    known = rows.annotator >= 0
    names, count = np.unique(rows.annotator[known], return_counts=True)
    if names.size < 2:
        return ()
    m = pairs.n_items
    every = np.zeros(m, np.bool_)
    every[pairs.first] = every[pairs.second] = True
    before = connected(m, pairs.first, pairs.second)
    # Who alone judged a pair; -1 where several did.
    low = np.full(pairs.first.shape[0], np.iinfo(np.int64).max)
    high = np.full(pairs.first.shape[0], -1, np.int64)
    np.minimum.at(low, pair, rows.annotator)
    np.maximum.at(high, pair, rows.annotator)
    owner = np.where((low == high) & (low >= 0), low, -1)
    looked = np.lexsort((names, -count))[:largest]
    looked = looked[np.isin(names[looked], owner)]
    mine = {int(names[k]): np.flatnonzero(owner == names[k]) for k in looked.tolist()}
    n_rows = dict(zip(names.tolist(), count.tolist(), strict=True))
    held = np.isin(owner, np.array(list(mine), np.int64))
    start = _joined(np.arange(m), pairs, np.flatnonzero(~held))
    out = []
    for who, after in _all_but_one(start, list(mine), mine, pairs):
        n = _cut_off(before[every], after[every])
        if n:
            out.append(Holder(who, n, n_rows[who]))
    return tuple(sorted(out, key=lambda h: (-h.n_cut_off, h.annotator)))


def _joined(label: IntArray, pairs: Proportions, edges: IntArray) -> IntArray:
    """Labels of the items (0, 1, ... without gaps) after some more pairs connect them."""
    a, b = label[pairs.first[edges]], label[pairs.second[edges]]
    apart = a != b
    return connected(int(label.max(initial=-1)) + 1, a[apart], b[apart])[label]


def _all_but_one(
    label: IntArray, names: list[int], mine: dict[int, IntArray], pairs: Proportions
) -> Iterator[tuple[int, IntArray]]:
    """For each annotator the components that all others' pairs make, ``label`` being those of the
    pairs of nobody named. Halves are joined once for the whole other half."""
    if len(names) == 1:
        yield names[0], label
    if len(names) < 2:
        return
    middle = len(names) // 2
    for ours, others in ((names[:middle], names[middle:]), (names[middle:], names[:middle])):
        edges = np.concatenate([mine[x] for x in others])
        yield from _all_but_one(_joined(label, pairs, edges), ours, mine, pairs)


def _cut_off(before: IntArray, after: IntArray) -> int:
    """Items that are no longer in the largest piece of their old component."""
    width = np.int64(after.max(initial=0) + 1)
    keys, size = np.unique(before * width + after, return_counts=True)
    largest = np.zeros(int(before.max(initial=-1)) + 1, np.int64)
    np.maximum.at(largest, keys // width, size)
    return int(before.shape[0] - largest.sum())
