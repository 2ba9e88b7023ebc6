"""Groups in meaning that come back: communities of the neighbour graph, kept where they are stable.

1. The mean of all distinct vectors is taken from each (mean-pooled vectors share one large part,
   which says nothing about kinds), and rows are scaled to unit length.
2. Items are joined to their ``NEIGHBOURS`` nearest, many items to up to ``MOST_NEIGHBOURS``; a link
   counts as the Jaccard similarity of the two lists of neighbours (Jarvis and Patrick 1973), which
   evens out dense and thin regions.
3. The Louvain method (Blondel et al. 2008; scikit-network) cuts this graph at the ``RESOLUTIONS``,
   into a few large groups and many small ones, and likewise both halves of the items, split at
   random ``SPLITS`` times, each half with its own graph. (Leiden's refinement of it draws from C's
   ``rand`` there, which no seed reaches: two runs in one process differ.)
4. A group's stability is how well it comes back: the mean over the halves of the largest Jaccard
   similarity between its members in the half and a group that the half found by itself (Hennig
   2007). A kind needs ``STABLE`` at least, and ``MARGIN`` more than any group of its size (half to
   double) in a cloud without kinds: as many points drawn from the normal distribution with the
   data's own covariance, which goes through the same steps; and it must be tighter than half of
   those. So where texts lie along a few strong directions, large slices that come back by that
   alone are no kinds, nor is what is left over between kinds. Nor are groups that hold more than
   half of the items or less than ``SMALLEST`` of them.
5. Of groups that overlap the more stable one stays (in steps of a tenth, then the larger one). One
   that falls into kinds of their own, which hold nine tenths of it and are on average no less
   stable than it by ``MARGIN``, is shown as those: the finer cut says more and is as sure.
6. Kinds must come back together: while ``HELD_OUT`` further splits, which had no part in this,
   agree with them to less than ``TOGETHER`` (adjusted Rand index), the kind goes without which the
   first splits agree best. Where that leaves none, all stay, and the agreement says how it is.
   What is in no kind is in none: nothing is forced.

The graph is the one of ``clones.meaning``: where it does not join all distinct rows, the others
join the kind that most of their nearest among those belong to, or none. Rows stand in the order of
their bytes, so that the result depends on the set of vectors and the stream alone.

Memory: beside the graph, float32 vectors of the rows that it joins, those of a cloud and its graph,
and blocks; the vectors themselves are read in blocks and may be memory-mapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from cr_audit import engine
from cr_audit.arrays import BoolArray, Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.clones.meaning import NEIGHBOURS as LISTED
from cr_audit.clones.meaning import GraphRecord, MeaningGraph, meaning_graph
from cr_audit.clones.nearest import NearestGraph, nearest_graph, nearest_of
from cr_audit.engine import one_blas_thread

NEIGHBOURS, MOST_NEIGHBOURS = 15, 30
"""Half the square root of the number of items, within these. With 15 of 3,400 answers refusals fall
apart into many small groups; with 30 of 120 a kind of 25 is joined to everything."""
RESOLUTIONS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SPLITS = 3
HELD_OUT = 2
STABLE, MARGIN = 0.5, 0.1
TOGETHER = 0.8
SMALLEST = 0.004
CLOUDS = 4
"""Clouds without kinds that a division is held against: one alone gives 0.38 to 0.71 where the
answers of the case study (static vectors) agree to 0.76."""
_FEWEST_MEMBERS = 15
FEWEST = 50
"""Distinct rows below which there is nothing to look for."""
DIVIDED = 4_000
"""Rows that ``find_division`` draws; it looks at four clouds as well."""
_BLOCK_ROWS = 8_192
_MOST_OF = 0.9  # of a group: the rest may be in a more stable kind already


Halves = Sequence[tuple[IntArray, list[IntArray]]]
"""The items of each half, and their labels at every resolution."""
Candidate = tuple[int, int]
"""Which resolution, and which of its groups."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind. members : int64, rows of the input; medoid : the row nearest to their mean.

    stability : see the module, in [0, 1]. tightness : mean cosine between the members' centred
    vectors and their mean's direction.
    """

    members: IntArray
    medoid: int
    stability: float
    tightness: float
    resolution: float


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """All kinds, the largest first. labels : int64 (n,), -1 = of no kind.

    agreement : adjusted Rand index between the kinds and what the halves of the further splits
    found by themselves, mean over the halves, where every item of no kind counts as of one group.
    n_distinct : distinct rows with a vector; n_seen : those that the graph was built on; seen :
    int64, their rows.
    n_candidates : groups that were tried; n_unstable : those of them that do not come back.
    """

    labels: IntArray
    kinds: tuple[Kind, ...]
    agreement: float | NotApplicable
    n_distinct: int
    n_seen: int
    seen: IntArray
    n_candidates: int
    n_unstable: int
    graph: GraphRecord


def find_kinds(
    vectors: Float32Array,
    *,
    most: int | None = None,
    joined: MeaningGraph | None = None,
    rng: np.random.Generator,
) -> Kinds | NotApplicable:
    """The kinds among the rows of ``vectors``, float32 (n, d); rows of zeros are of none.

    most : at most so many, those with the most members times stability. joined : the graph of
    these vectors, where somebody has made it.
    """
    graph_rng, null_rng, half_rng = rng.spawn(3)
    if joined is None:
        joined = meaning_graph(vectors, rng=graph_rng)
    space, graph = joined.space, joined.graph
    if space.n < FEWEST:
        return NotApplicable(f"fewer than {FEWEST} different texts")
    halves, links = _halves(graph.n, half_rng), neighbours(graph.n)
    whole, parts = _cut(graph, halves, links)
    rows = space.rows(vectors, joined.seen[graph.rows])
    candidates, size, stability, tightness = _candidates(whole, parts, rows)
    is_kind = stability >= STABLE
    if is_kind.any():  # else no cloud is needed to say that there are none
        cloud = _cloud(rows, null_rng)
        null_graph = nearest_graph(cloud, LISTED, index=graph.index, rng=null_rng)
        _, *null = _candidates(*_cut(null_graph, halves, links), cloud[null_graph.rows])
        is_kind &= _beyond(size, stability, tightness, *null)
        del cloud, null_graph
    chosen, places = _chosen(whole, candidates, stability, is_kind, graph.n)
    n_apart = len(chosen)
    agreement = 1.0
    if chosen:
        held_out = _halves(graph.n, half_rng, HELD_OUT)
        others = [(h, _communities(graph, h, links)) for h in held_out]
        chosen, places, agreement = _together(chosen, places, parts, others)
    n_apart -= len(chosen)
    if most is not None and len(chosen) > most:
        chosen, places = _largest(chosen, places, stability, most)
        agreement = _agreement(_matches(places, len(chosen), others), range(len(chosen)))
    labels = _labels(joined, vectors, rows, places, len(chosen))
    everywhere = np.append(labels, -1)[space.which]
    kinds, everywhere = _described(
        everywhere, joined, vectors, labels, [stability[k] for k in chosen],
        [RESOLUTIONS[candidates[k][0]] for k in chosen],
    )  # fmt: skip
    return Kinds(
        everywhere,
        kinds,
        agreement if kinds else NotApplicable("there are no kinds"),
        n_distinct=space.n,
        n_seen=int(joined.seen.size),
        seen=space.first[joined.seen],
        n_candidates=len(candidates),
        n_unstable=int((~is_kind).sum()) + n_apart,
        graph=joined.record,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """All items cut into groups at one resolution. labels : int64 (n,), -1 = in no group.

    resolution : 0 where there is nothing to divide. agreement, by_chance : mean adjusted Rand index
    between these groups and those that the halves found by themselves, of the items and of a cloud
    without kinds; NaN where the resolution was given.
    """

    labels: IntArray
    resolution: float
    agreement: float
    by_chance: float


def find_division(
    vectors: Float32Array, *, resolution: float | None = None, rng: np.random.Generator
) -> Division:
    """The items at the resolution on which halves of them agree best, the coarser one first.

    Steps 1 to 3 of the module; where ``find_kinds`` picks groups one by one, this takes one cut as
    a whole, whose groups may hold more than half. Resolutions with one group are left out, and so
    is a cut on which halves agree to less than ``STABLE``, or not by ``MARGIN`` better than on a
    cloud without kinds: everything is then in no group. Groups too small for a kind are none.
    vectors : float32 (n, d); rows of zeros are in no group. resolution : given instead of found,
    0 = nothing to divide; the search is most of the time.
    """
    graph_rng, null_rng, half_rng = rng.spawn(3)
    nothing = Division(np.full(vectors.shape[0], -1, np.int64), 0.0, np.nan, np.nan)
    if resolution == 0:
        return nothing
    joined = meaning_graph(vectors, most=DIVIDED, rng=graph_rng)
    graph = joined.graph
    if joined.space.n < FEWEST:
        return nothing
    rows = joined.space.rows(vectors, joined.seen[graph.rows])
    agreement = by_chance = np.nan
    if resolution is None:
        halves = _halves(graph.n, half_rng)
        agreed = _agreements(graph, halves, RESOLUTIONS)
        best = int(np.argmax(np.round(agreed, 2)))
        agreement, at = float(agreed[best]), RESOLUTIONS[best : best + 1]
        chance = [
            _agreements(nearest_graph(_cloud(rows, some), LISTED, rng=some), halves, at)[0]
            for some in null_rng.spawn(CLOUDS)
        ]
        by_chance = float(np.maximum(chance, 0.0).mean())
        if agreement < max(STABLE, by_chance + MARGIN):
            return Division(nothing.labels, 0.0, agreement, by_chance)
        resolution = at[0]
    (places,) = _communities(graph, np.arange(graph.n), NEIGHBOURS, (resolution,))
    size = np.bincount(places)
    large = np.flatnonzero(size >= max(_FEWEST_MEMBERS, SMALLEST * graph.n))
    renamed = np.full(size.size, -1, np.int64)
    renamed[large] = np.arange(large.size)
    labels = _labels(joined, vectors, rows, renamed[places], large.size)
    return Division(np.append(labels, -1)[joined.space.which], resolution, agreement, by_chance)


def _agreements(
    graph: NearestGraph, halves: Sequence[IntArray], resolutions: Sequence[float]
) -> FloatArray:
    """Per resolution the mean adjusted Rand index between the whole's groups, in each half, and the
    half's own: float64; -1 where the whole is one group."""
    whole, parts = _cut(graph, halves, NEIGHBOURS, resolutions)
    out = np.full(len(whole), -1.0)
    for r, labels in enumerate(whole):
        if labels.max(initial=0) > 0:
            out[r] = np.mean([adjusted_rand_index(labels[h], own[r]) for h, own in parts])
    return out


def _halves(n: int, rng: np.random.Generator, splits: int = SPLITS) -> list[IntArray]:
    out = []
    for _ in range(splits):
        order = rng.permutation(n)
        out += [np.sort(order[: n // 2]), np.sort(order[n // 2 :])]
    return out


def neighbours(n: int) -> int:
    """To how many each of n items is joined."""
    return min(max(int(np.sqrt(n) / 2), NEIGHBOURS), MOST_NEIGHBOURS)


def _cut(
    graph: NearestGraph,
    halves: Sequence[IntArray],
    links: int,
    resolutions: Sequence[float] = RESOLUTIONS,
) -> tuple[list[IntArray], Halves]:
    """The communities of the whole graph and those that each half finds by itself, everybody joined
    to ``links`` others."""
    return (
        _communities(graph, np.arange(graph.n), links, resolutions),
        [(h, _communities(graph, h, links, resolutions)) for h in halves],
    )


def _cloud(rows: Float32Array, rng: np.random.Generator) -> Float32Array:
    """As many unit rows from the normal distribution with the covariance of ``rows``."""
    n, d = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((d, d))
    out = np.empty((n, d), np.float32)
    with one_blas_thread():
        for part in engine.spans(n, _BLOCK_ROWS):
            x = rows[part] - mean
            covariance += x.T @ x
        covariance /= n
        # A ridge far below single precision, for what has fewer rows than coordinates.
        covariance[np.diag_indices_from(covariance)] += 1e-9 * np.trace(covariance)
        root = np.linalg.cholesky(covariance).T
        for part in engine.spans(n, _BLOCK_ROWS):
            drawn = rng.standard_normal((part.stop - part.start, d)) @ root
            drawn /= np.sqrt(np.square(drawn).sum(axis=1))[:, None]
            out[part] = drawn
    return out


def _beyond(
    size: FloatArray,
    stability: FloatArray,
    tightness: FloatArray,
    null_size: FloatArray,
    null_stability: FloatArray,
    null_tightness: FloatArray,
) -> BoolArray:
    """Groups clearly more stable than any null group of about their size, tighter than most."""
    out = np.ones(size.size, bool)
    for i, s in enumerate(size.tolist()):
        alike = (null_size >= s / 2) & (null_size <= s * 2)
        if alike.any():
            out[i] = stability[i] > null_stability[alike].max() + MARGIN
            out[i] &= tightness[i] > np.median(null_tightness[alike])
    return out


def _communities(
    graph: NearestGraph,
    some: IntArray,
    links: int,
    resolutions: Sequence[float] = RESOLUTIONS,
) -> list[IntArray]:
    """Labels of ``some`` vertices at every resolution, found among them alone."""
    from sknetwork.clustering import Louvain

    linked = _shared_neighbours(graph, some, links)
    out = []
    for r in resolutions:
        # Neither the graph of the communities nor how far everybody is of each is asked for.
        cut = Louvain(resolution=r, shuffle_nodes=False, return_probs=False, return_aggregate=False)
        out.append(np.asarray(cut.fit_predict(linked), dtype=np.int64))
    return out


def _shared_neighbours(graph: NearestGraph, some: IntArray, links: int) -> sp.csr_matrix:
    """Jaccard similarity of the lists of neighbours of linked vertices, float64 (m, m)."""
    m = some.size
    place = np.full(graph.n, -1, np.int64)
    place[some] = np.arange(m)
    near = place[graph.neighbours[some]]
    inside = near >= 0
    # The first of each list that are among ``some``.
    taken = inside & (np.cumsum(inside, axis=1) <= links)
    rows, _ = np.nonzero(taken)
    columns = near[taken]
    mine = sp.csr_array((np.ones(rows.size), (rows, columns)), shape=(m, m))
    lists = sp.csr_array(mine + sp.eye_array(m, format="csr"))
    size: FloatArray = np.asarray(lists.sum(axis=1)).ravel()
    shared = sp.csr_array(lists @ lists.T)
    linked = sp.csr_array(mine + mine.T)
    linked.data[:] = 1.0
    both = sp.coo_array(shared.multiply(linked))
    similarity = both.data / (size[both.row] + size[both.col] - both.data)
    return sp.csr_matrix((similarity, (both.row, both.col)), shape=(m, m))


def _candidates(
    whole: Sequence[IntArray], halves: Halves, rows: Float32Array
) -> tuple[list[Candidate], FloatArray, FloatArray, FloatArray]:
    """Groups of a size that may be a kind, how many each holds, how stable and how tight it is: the
    mean cosine of unit ``rows`` with the direction of their mean is the length of that mean."""
    n = rows.shape[0]
    least = max(_FEWEST_MEMBERS, SMALLEST * n)
    out: list[Candidate] = []
    sizes: list[FloatArray] = []
    stability: list[FloatArray] = []
    tightness: list[FloatArray] = []
    for r, labels in enumerate(whole):
        size = np.bincount(labels).astype(np.int64)
        found = np.stack([_best_match(labels[h], size.size, own)[0] for h, own in halves])
        fit = np.flatnonzero((size >= least) & (size <= n / 2))
        out += [(r, int(g)) for g in fit]
        sizes.append(size[fit].astype(np.float64))
        stability.append(found.mean(axis=0)[fit])
        mean = _sums(rows, labels, size.size) / size[:, None]
        tightness.append(np.sqrt(np.square(mean).sum(axis=1))[fit])
    return (
        out,
        np.concatenate(sizes),
        np.concatenate(stability),
        np.concatenate(tightness),
    )


def _sums(rows: Float32Array, labels: IntArray, n_groups: int) -> FloatArray:
    """float64 (n_groups, d): of the rows of each group, in blocks."""
    out = np.zeros((n_groups, rows.shape[1]))
    order = np.argsort(labels, kind="stable")
    for part in engine.spans(order.size, _BLOCK_ROWS):
        some = order[part]
        group = labels[some]
        starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
        out[group[starts]] += np.add.reduceat(rows[some].astype(np.float64), starts, axis=0)
    return out


def _best_match(
    labels: IntArray, n_groups: int, own: Sequence[IntArray]
) -> tuple[FloatArray, IntArray, IntArray]:
    """Per group of ``labels`` (-1 = in none) the largest Jaccard similarity to a group of one of
    the clusterings ``own``, and which clustering and group it was."""
    best = np.zeros(n_groups)
    where, which = np.full(n_groups, -1, np.int64), np.full(n_groups, -1, np.int64)
    size = np.bincount(labels[labels >= 0], minlength=n_groups)
    inside = labels >= 0
    for r, other in enumerate(own):
        k = int(other.max(initial=-1)) + 1
        both = np.bincount(labels[inside] * k + other[inside], minlength=n_groups * k)
        both = both.reshape(n_groups, k)
        jaccard = both / np.maximum(size[:, None] + np.bincount(other)[None, :] - both, 1)
        top = jaccard.argmax(axis=1)
        value = jaccard[np.arange(n_groups), top]
        better = value > best
        best[better], where[better], which[better] = value[better], r, top[better]
    return best, where, which


def _chosen(
    whole: Sequence[IntArray],
    candidates: Sequence[Candidate],
    stability: FloatArray,
    is_kind: BoolArray,
    n: int,
) -> tuple[list[int], IntArray]:
    """The candidates that are kinds, and the kind of every vertex, -1 = none."""
    members = [whole[r] == g for r, g in candidates]
    size = np.array([m.sum() for m in members])
    stable = np.flatnonzero(is_kind)
    order = stable[np.lexsort((stable, -size[stable], -np.round(stability[stable], 1)))].tolist()

    def finer(k: int) -> list[int]:
        """The kinds that candidate k falls into, as far down as that goes; itself where into
        none."""
        inside = [
            j
            for j in order
            if size[j] < size[k] and (members[j] & members[k]).sum() >= _MOST_OF * size[j]
        ]
        parts, labels = _apart(inside, members, size, n)
        held = (members[k] & (labels >= 0)).sum() >= _MOST_OF * size[k]
        if len(parts) < 2 or not held:
            return [k]
        as_stable = np.average(stability[parts], weights=size[parts]) >= stability[k] - MARGIN
        return [x for j in parts for x in finer(j)] if as_stable else [k]

    fine = {x for k in _apart(order, members, size, n)[0] for x in finer(k)}
    return _apart([k for k in order if k in fine], members, size, n)


def _apart(
    order: Sequence[int], members: Sequence[BoolArray], size: IntArray, n: int
) -> tuple[list[int], IntArray]:
    """Those of the candidates ``order``, the first first, that overlap little with the ones before,
    and which of these every vertex is of, -1 = none."""
    labels = np.full(n, -1, np.int64)
    chosen: list[int] = []
    for k in order:
        free = members[k] & (labels < 0)
        if free.sum() >= _MOST_OF * size[k]:
            labels[free] = len(chosen)
            chosen.append(k)
    return chosen, labels


def _largest(
    chosen: Sequence[int], labels: IntArray, stability: FloatArray, most: int
) -> tuple[list[int], IntArray]:
    """Those with the most members times stability."""
    size = np.bincount(labels[labels >= 0], minlength=len(chosen))
    worth = size * stability[list(chosen)]
    return _only(chosen, labels, np.sort(np.argsort(-worth, kind="stable")[:most]).tolist())


def _only(
    chosen: Sequence[int], labels: IntArray, kept: Sequence[int]
) -> tuple[list[int], IntArray]:
    renamed = np.full(len(chosen) + 1, -1, np.int64)
    renamed[list(kept)] = np.arange(len(kept))
    return [chosen[i] for i in kept], renamed[labels]


def _together(
    chosen: list[int], labels: IntArray, halves: Halves, held_out: Halves
) -> tuple[list[int], IntArray, float]:
    """The kinds that come back together, and how far the held-out halves agree with them."""
    seen, unseen = (_matches(labels, len(chosen), h) for h in (halves, held_out))
    kept = list(range(len(chosen)))
    agreement = whole = _agreement(unseen, kept)
    while kept and agreement < TOGETHER:
        without = [[k for k in kept if k != g] for g in kept]
        agreed = [_agreement(seen, w) if w else 0.0 for w in without]
        kept = without[int(np.argmax(np.round(agreed, 9)))]
        agreement = _agreement(unseen, kept) if kept else 1.0
    if not kept:  # no choice of kinds comes back so well; the number says it
        return chosen, labels, whole
    return *_only(chosen, labels, kept), agreement


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """Of one half, whose items of one kind and in the same matches are counted together: labels,
    int64 (p,), the kind of each sort; count, how many there are; and of each kind how like it its
    match is and who is in that, bool (k, p)."""

    labels: IntArray
    count: IntArray
    found: FloatArray
    theirs: BoolArray


def _matches(labels: IntArray, n_kinds: int, halves: Halves) -> list[_Match]:
    out = []
    for h, own in halves:
        found, where, which = _best_match(labels[h], n_kinds, own)
        theirs = np.zeros((n_kinds, h.size), bool)
        for g in np.flatnonzero(where >= 0).tolist():
            theirs[g] = own[where[g]] == which[g]
        sort = np.concatenate([labels[h][None], np.packbits(theirs, axis=0).astype(np.int64)])
        _, one, count = np.unique(sort, axis=1, return_index=True, return_counts=True)
        out.append(_Match(labels[h][one], count, found, theirs[:, one]))
    return out


def _agreement(matches: Sequence[_Match], kept: Sequence[int]) -> float:
    """Mean adjusted Rand index between the kinds ``kept`` and their best matches in each half."""
    out = []
    for m in matches:
        mine = np.zeros(m.labels.size, np.int64)
        theirs = np.zeros(m.labels.size, np.int64)
        some = np.array(kept, np.int64)
        for g in some[np.argsort(m.found[some], kind="stable")].tolist():
            mine[m.labels == g] = g + 1
            theirs[m.theirs[g]] = g + 1  # the best match has the last word
        out.append(_rand(mine, theirs, m.count))
    return float(np.mean(out))


def adjusted_rand_index(one: IntArray, two: IntArray) -> float:
    """Hubert and Arabie (1985): 1 where both partitions are the same, 0 expected by chance."""
    a, b = (np.unique(x, return_inverse=True)[1] for x in (one, two))
    return _rand(a, b, np.ones(a.size, np.int64))


def _rand(a: IntArray, b: IntArray, count: IntArray) -> float:
    """``adjusted_rand_index`` of labels 0, 1, ... (not all of which need to be there), each of
    ``count`` items."""
    k = int(b.max(initial=0)) + 1

    def pairs(c: FloatArray | IntArray) -> float:
        return float((c * (c - 1) / 2).sum())

    together = pairs(np.bincount(a * k + b, count))
    of_a, of_b = pairs(np.bincount(a, count)), pairs(np.bincount(b, count))
    n = int(count.sum())
    by_chance = of_a * of_b / max(n * (n - 1) / 2, 1.0)
    top = (of_a + of_b) / 2
    return 1.0 if top == by_chance else (together - by_chance) / (top - by_chance)


def _labels(
    joined: MeaningGraph, vectors: Float32Array, rows: Float32Array, places: IntArray, n_kinds: int
) -> IntArray:
    """The kind of every distinct vector, int64 (u,): of those in the graph that of their node
    (``places``; ``rows`` : the vectors of the nodes), of the others that of most of their nearest
    nodes, where those are more than half."""
    space = joined.space
    labels = np.full(space.n, -1, np.int64)
    rest = np.ones(space.n, bool)
    rest[joined.seen] = False
    labels[joined.seen] = places[joined.graph.row_of]
    if not n_kinds:
        return labels
    outside = np.flatnonzero(rest)
    for part in engine.spans(outside.size, _BLOCK_ROWS):
        some = outside[part]
        votes = places[nearest_of(space.rows(vectors, some), rows, NEIGHBOURS)[0]]
        count = np.zeros((some.size, n_kinds), np.int16)
        for column in votes.T:
            known = np.flatnonzero(column >= 0)
            count[known, column[known]] += 1
        best = count.argmax(axis=1)
        most = count[np.arange(some.size), best]
        labels[some] = np.where(most * 2 > votes.shape[1], best, -1)
    return labels


def _described(
    everywhere: IntArray,
    joined: MeaningGraph,
    vectors: Float32Array,
    labels: IntArray,
    stability: Sequence[float],
    resolution: Sequence[float],
) -> tuple[tuple[Kind, ...], IntArray]:
    """The kinds with their members, the largest first, and the labels in that order."""
    n = len(stability)
    size = np.bincount(everywhere[everywhere >= 0], minlength=n)
    order = np.lexsort((np.arange(n), -size))
    renamed = np.full(n + 1, -1, np.int64)
    renamed[order] = np.arange(n)
    everywhere = renamed[everywhere]
    out = []
    for g in order.tolist():
        at = np.flatnonzero(labels == g)
        own = joined.space.rows(vectors, at).astype(np.float64)
        mean = own.mean(axis=0)
        mean /= max(float(np.sqrt(np.square(mean).sum())), 1e-12)
        cosine = (own * mean).sum(axis=1)
        out.append(
            Kind(
                members=np.flatnonzero(everywhere == renamed[g]),
                medoid=int(joined.space.first[at[np.argmax(np.round(cosine, 12))]]),
                stability=float(stability[g]),
                tightness=float(cosine.mean()),
                resolution=float(resolution[g]),
            )
        )
    return tuple(out), everywhere
