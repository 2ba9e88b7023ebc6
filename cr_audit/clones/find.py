"""Approximate clones: which answers, and which prompts, are copies of each other.

The test is on the text (``shingles``): two texts are *near* clones if at least 1 - radius of all
their distinct words and adjacent word pairs are in both. At the default radius 0.4 that is 60 %,
which survives changes of case, punctuation, white space and markdown, reordered sentences, one
sentence more or less in a paragraph, or every seventh word replaced; answers that different models
give to one prompt share 12 % in the median (docs/clones.md). What it cannot see is
meaning: two answers that differ in one decisive word are near, and whether annotators treat them
alike is asked afterwards (``homogeneity``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cr_audit.arrays import Float32Array, Groups, IntArray, NotApplicable
from cr_audit.clones.calibration import EncoderCosines, encoder_cosines
from cr_audit.clones.clusters import RowCluster, SetIndex, bounded_clusters
from cr_audit.clones.pairs import TextPairs
from cr_audit.clones.searches import AllPairs, Searches, Units
from cr_audit.clones.short_prompts import with_short_prompts
from cr_audit.texts import ranked

DEFAULT_RADIUS = 0.4
DEFAULT_LOOSE_RADIUS = 0.55
METRIC = "jaccard-words-and-pairs"
_RECALL_ROWS = 64  # looked at together

Scope = Literal["response", "prompt", "boilerplate"]
Kind = Literal["exact", "near", "loose"]


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Two or more clones.

    scope : "response" (answers to one prompt, or to prompts that are clones of each other),
    "prompt", or "boilerplate" (one answer under many different prompts).
    kind : "exact" (equal texts), "near" (every two members within the radius, or near one hub, see
    ``overlay``), "loose" (the same with the loose radius). A near cluster contains the exact
    clusters of its members; a loose one contains near ones.
    members : int64, ascending: alternatives, or prompts where the scope is "prompt".
    medoid, diameter, weakest_link, furthest : see ``clusters.RowCluster``; distances between texts.
    n_texts : distinct texts among the members. n_prompts : distinct prompts (clones counted once).
    """

    scope: Scope
    kind: Kind
    members: IntArray
    medoid: int
    diameter: float
    weakest_link: float
    furthest: tuple[int, int]
    diameter_exact: bool
    n_texts: int
    n_prompts: int

    @property
    def size(self) -> int:
        """How many responses it has."""
        return int(self.members.size)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How the pairs were found.

    index : "exact" (an inverted index that misses no pair outside dense balls) or
    "frequent-skipped" (see ``text_pairs``). recall_estimate : share of the pairs within the radius,
    among ``n_recall_sample`` seeded texts against all, that were found, measured in either case.
    """

    index: str
    recall_estimate: float | NotApplicable
    n_recall_sample: int
    n_candidates: int
    n_edges: int


@dataclass(frozen=True, slots=True, eq=False)
class CloneReport:
    """clusters : response, then prompt, then boilerplate; exact, near, loose; larger ones first.

    labels : a partition of all alternatives into response clones (near and exact); who has no
    clone is alone. prompt_labels : the same for prompts. encoder : what cosines of the given
    vectors near clones have on this data.
    """

    clusters: tuple[Cluster, ...]
    labels: Groups
    prompt_labels: Groups
    neighbours: Neighbours
    encoder: EncoderCosines | NotApplicable
    radius: float
    loose_radius: float
    boilerplate_prompts: int
    metric: str


class UnitRows:
    """Rows (alternatives or prompts) that carry units (distinct texts of one group)."""

    def __init__(self, unit: IntArray, n_units: int) -> None:
        held = np.flatnonzero(unit >= 0)
        self.order = held[np.argsort(unit[held], kind="stable")]
        self.start = np.searchsorted(unit[self.order], np.arange(n_units + 1))

    def of(self, units: IntArray) -> IntArray:
        """The rows that carry any of these units, ascending."""
        return np.sort(
            np.concatenate([self.order[self.start[u] : self.start[u + 1]] for u in units])
        )

    def first(self, unit: int) -> int:
        """The first row that carries the unit."""
        return int(self.order[self.start[unit]])

    def exact(self) -> Iterable[RowCluster]:
        """Units that several rows carry."""
        for u in np.flatnonzero(np.diff(self.start) > 1):
            rows = self.order[self.start[u] : self.start[u + 1]]
            yield RowCluster(rows, int(rows[0]), 0.0, 0.0, (int(rows[0]), int(rows[1])))

    def lifted(self, cluster: RowCluster) -> RowCluster:
        """A cluster of units as a cluster of rows."""
        a, b = cluster.furthest
        return RowCluster(
            self.of(cluster.members),
            self.first(cluster.medoid),
            cluster.diameter,
            cluster.weakest_link,
            (self.first(a), self.first(b)),
            cluster.diameter_exact,
        )


def described(
    scope: Scope, kind: Kind, rows: RowCluster, text: IntArray, group: IntArray
) -> Cluster:
    """A cluster of rows as the report has it; text, group : int64 (rows,), of every row."""
    m = rows.members
    return Cluster(
        scope=scope,
        kind=kind,
        members=m,
        medoid=rows.medoid,
        diameter=rows.diameter,
        weakest_link=rows.weakest_link,
        furthest=rows.furthest,
        diameter_exact=rows.diameter_exact,
        n_texts=int(np.unique(text[m]).size),
        n_prompts=int(np.unique(group[m]).size),
    )


def partition(n: int, clusters: Iterable[RowCluster]) -> Groups:
    """Labels 0.. in order of first appearance; rows in no cluster stand alone."""
    labels = np.arange(n)
    for c in clusters:
        labels[c.members] = c.members[0]
    _, dense = np.unique(labels, return_inverse=True)
    return Groups(labels=dense.astype(np.int64), n_groups=int(dense.max(initial=-1)) + 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """One scope's result: clusters of rows per kind, and the searches behind them."""

    exact: list[RowCluster]
    near: list[RowCluster]
    loose: list[RowCluster]
    index: SetIndex
    pairs: TextPairs


def _clustered(
    found: tuple[SetIndex, TextPairs], unit: IntArray, radius: float, loose_radius: float | None
) -> _Level:
    index, pairs = found
    radii = (radius,) if loose_radius is None else (radius, loose_radius)
    items = UnitRows(unit, index.n)
    levels = [[items.lifted(c) for c in found] for found in bounded_clusters(index, pairs, radii)]
    near = levels[0]
    known = {c.members.tobytes() for c in near}
    loose = [] if loose_radius is None else levels[1]
    return _Level(
        exact=list(items.exact()),
        near=near,
        loose=[c for c in loose if c.members.tobytes() not in known],
        index=index,
        pairs=pairs,
    )


def _recall(levels: Sequence[_Level], rng: np.random.Generator, n_sample: int) -> tuple[float, int]:
    """Share of the pairs within the radius, among seeded sample rows against all, that the search
    has (listed, or inside one ball); 1 where the sample has no pair at all."""
    truth = found = sampled = 0
    for level in levels:
        index, pairs = level.index, level.pairs
        ball = np.full(index.n, -1)
        for number, members in enumerate(pairs.balls):
            ball[members] = number
        rows = np.sort(rng.choice(index.n, min(n_sample, index.n), replace=False))
        listed = set((pairs.first * index.n + pairs.second).tolist())
        sampled += rows.size
        for lo in range(0, rows.size, _RECALL_ROWS):
            some = rows[lo : lo + _RECALL_ROWS]
            i, j = index.within(some, pairs.radius)
            a, b = some[i], j
            keep = a != b
            a, b = np.minimum(a, b)[keep], np.maximum(a, b)[keep]
            truth += a.size
            together = (ball[a] >= 0) & (ball[a] == ball[b])
            found += int(together.sum())
            found += sum(int(k) in listed for k in (a * index.n + b)[~together])
    return (found / truth if truth else 1.0), sampled


def find_clones(
    *,
    response_texts: Sequence[str | None],
    prompt_of: IntArray,
    prompt_texts: Sequence[str | None],
    response_vectors: Float32Array | None = None,
    radius: float = DEFAULT_RADIUS,
    loose_radius: float | None = None,
    boilerplate_prompts: int = 3,
    recall_sample: int = 64,
    searches: Searches | None = None,
    rng: np.random.Generator,
) -> CloneReport:
    """Clusters of clones among responses, among prompts, and across prompts.

    response_texts : canonical text of each alternative, None where only an id is known (such an
    alternative is alone). prompt_of : int64 (n_alternatives,), index into ``prompt_texts``, -1
    where there is no prompt (all those share one). prompt_texts : canonical, None where unknown.
    response_vectors : float32 (n_alternatives, d), unit rows; they decide nothing (they added
    nothing to the text in the benchmark) and are calibrated against it: ``CloneReport.encoder``.
    radius <= loose_radius < 1 : distances in the sense of ``shingles``; a loose radius of None is
    0.55, or the radius where that is larger. Empty responses are exact clones of each other within
    a prompt and of nothing else. Raises ValueError where the radii or lengths do not fit.
    boilerplate_prompts : at least so many different prompts (clones of a prompt counted once) make
    near-equal answers boilerplate. searches : where the pairs come from, None = all are searched
    for. rng : draws the rows on which recall is measured.
    """
    if loose_radius is None:
        loose_radius = max(DEFAULT_LOOSE_RADIUS, radius)
    if not 0.0 <= radius <= loose_radius < 1.0:
        raise ValueError(f"expected 0 <= radius <= loose_radius < 1, got {radius}, {loose_radius}")
    if len(response_texts) != prompt_of.shape[0]:
        raise ValueError(f"{len(response_texts)} texts but {prompt_of.shape[0]} prompt indices")
    search = searches or AllPairs()
    # Prompts first: what counts as one prompt decides what counts as one answer's scope.
    distinct_prompts, prompt_text = ranked(prompt_texts)
    by_words = search.asked(distinct_prompts, prompt_text, radius)
    asked = _clustered(with_short_prompts(*by_words, distinct_prompts), prompt_text, radius, None)
    prompt_labels = partition(len(prompt_texts), [*asked.exact, *asked.near])
    group = np.where(prompt_of >= 0, np.append(prompt_labels.labels, -1)[prompt_of], -1)

    texts, text = ranked(response_texts)
    held = np.flatnonzero(text >= 0)
    pair = (group[held] + 1) * max(len(texts), 1) + text[held]
    units, inverse = np.unique(pair, return_inverse=True)
    unit = np.full(text.size, -1, np.int64)
    unit[held] = inverse
    of = Units(unit, units % max(len(texts), 1), units // max(len(texts), 1) - 1)
    found = search.answered(texts, of, radius, loose_radius)
    answered = _clustered(found, unit, radius, loose_radius)
    levels = [asked, answered]

    boilerplate: list[RowCluster] = []
    if np.unique(group[held]).size >= boilerplate_prompts:
        found = search.across(radius)
        filled = np.where((text >= 0) & np.isin(text, np.flatnonzero(found[0].sizes)), text, -1)
        across = _clustered(found, filled, radius, None)
        levels.append(across)
        inside_near = np.zeros(text.size, bool)
        for c in across.near:
            inside_near[c.members] = True
        alone = [c for c in across.exact if not inside_near[c.members[0]]]
        boilerplate = [
            c
            for c in [*across.near, *alone]
            if np.unique(group[c.members]).size >= boilerplate_prompts
        ]

    clusters = [described("response", "exact", c, text, group) for c in answered.exact]
    clusters += [described("response", "near", c, text, group) for c in answered.near]
    clusters += [described("response", "loose", c, text, group) for c in answered.loose]
    own = prompt_labels.labels
    clusters += [described("prompt", "exact", c, prompt_text, own) for c in asked.exact]
    clusters += [described("prompt", "near", c, prompt_text, own) for c in asked.near]
    for c in boilerplate:
        kind: Kind = "exact" if np.unique(text[c.members]).size == 1 else "near"
        clusters.append(described("boilerplate", kind, c, text, group))
    recall, sampled = _recall(levels, rng, recall_sample)
    encoder: EncoderCosines | NotApplicable = NotApplicable("no vectors were given")
    if response_vectors is not None:
        close = answered.pairs.limited(radius)
        encoder = encoder_cosines(response_vectors, group, unit, close.first, close.second, rng)
    return CloneReport(
        clusters=tuple(_ordered(clusters, text, prompt_text)),
        labels=partition(text.size, [*answered.exact, *answered.near]),
        prompt_labels=prompt_labels,
        neighbours=Neighbours(
            index="exact" if all(s.pairs.complete for s in levels) else "frequent-skipped",
            recall_estimate=recall,
            n_recall_sample=sampled,
            n_candidates=sum(s.pairs.n_candidates for s in levels),
            n_edges=sum(s.pairs.first.size for s in levels),
        ),
        encoder=encoder,
        radius=radius,
        loose_radius=loose_radius,
        boilerplate_prompts=boilerplate_prompts,
        metric=METRIC,
    )


_SCOPES = ("response", "prompt", "boilerplate")
_KINDS = ("exact", "near", "loose")


def _ordered(clusters: list[Cluster], text: IntArray, prompt_text: IntArray) -> list[Cluster]:
    """Scope, kind, larger first, then by the medoid's text, then by row."""

    def key(c: Cluster) -> tuple[int, int, int, int, int]:
        rank = prompt_text if c.scope == "prompt" else text
        return (
            _SCOPES.index(c.scope),
            _KINDS.index(c.kind),
            -c.size,
            int(rank[c.medoid]),
            int(c.members[0]),
        )

    return sorted(clusters, key=key)
