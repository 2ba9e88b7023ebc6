"""Paraphrases: answers to one prompt that say the same in the same order, in other words.

What is a paraphrase depends on how alike answers to one prompt are that were written without
knowledge of each other, and that differs from data set to data set. So the threshold is not given
but found: answers of different models to one prompt are the null, and

    threshold = the smallest t with #{null pairs with score > t} <= fpr * #{null pairs}

(score: ``paraphrase_score``). Left out of the null are pairs that words call near-copies and pairs
of models that copy one another (``models.model_clones``): they are not independent. What the rate
is on answers that played no part is measured by halves: the threshold of one half of the prompts on
the other, both ways.

The null is found among the pairs that are judged. If more than a share ``fpr`` of the answers of
different models are paraphrases of each other, the threshold lies among them and misses some; it
never calls more than that share. So among pairs of different models as many are called as were
asked for, whatever the data; evidence is what other pairs do (one model, no name), and what stands
far above the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray, IntArray, NotApplicable
from cr_audit.clones.clusters import RowCluster, bounded_clusters
from cr_audit.clones.find import CloneReport, UnitRows
from cr_audit.clones.pairs import TextPairs
from cr_audit.clones.paraphrase_pairs import likely_pairs
from cr_audit.clones.paraphrase_score import scores
from cr_audit.clones.paraphrase_sentences import Encode, Sentences
from cr_audit.texts import ranked

MAX_NULL = 20_000
"""Independent pairs that are scored; more are sampled. At a rate of 1 % that is 200 pairs above."""
MIN_ABOVE = 5
"""Independent pairs that must be expected above the threshold for it to be one: with fewer, it is
the place of a handful of pairs."""


@dataclass(frozen=True, slots=True)
class HeldOutRate:
    """How many of ``n`` independent pairs lie above the threshold of the other half."""

    n: int
    n_above: int

    @property
    def rate(self) -> float:
        """Share of the held-out independent answers above the threshold."""
        return self.n_above / self.n


@dataclass(frozen=True, slots=True, eq=False)
class Paraphrases:
    """clusters : int64 members (alternatives), in units of 1 - score, larger ones first, at most
    ``1 - threshold`` in diameter; those that words call one cluster of copies are left out.

    fpr : as asked for. threshold : of the score. n_independent, n_above : pairs of the null, and
    those above the threshold. held_out : see the module. n_pairs : all pairs of answers to one
    prompt, copies in words aside; n_found : those above the threshold, as far as they were looked
    at (``paraphrase_pairs``); n_other, n_other_found : the same of pairs that are not known to be
    independent. with_vectors : whether sentences had vectors.
    """

    clusters: tuple[RowCluster, ...]
    fpr: float
    threshold: float
    n_independent: int
    n_above: int
    held_out: HeldOutRate | NotApplicable
    n_pairs: int
    n_found: int
    n_other: int
    n_other_found: int
    with_vectors: bool


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What paraphrases are looked for among: distinct texts by prompt.

    of : int64 (alternatives,), the unit of each, -1 = no text. text, group : of units; group is the
    prompt, its clones counted once. near : the cluster of copies in words. source : who wrote it,
    models that copy one another counted once; -1 = unknown; of equal texts the first one's.
    """

    texts: Sequence[str]
    of: IntArray
    text: IntArray
    group: IntArray
    near: IntArray
    source: IntArray

    @classmethod
    def of_alternatives(
        cls, texts: Sequence[str | None], group: IntArray, near: IntArray, source: IntArray
    ) -> Answers:
        """Each int64 (alternatives,). Empty texts say nothing that others could repeat."""
        distinct, text = ranked([t if t and t.strip() else None for t in texts])
        held = np.flatnonzero((text >= 0) & (group >= 0))
        key = group[held] * max(len(distinct), 1) + text[held]
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        of = np.full(text.size, -1, np.int64)
        of[held] = inverse
        rows = held[first]
        return cls(
            texts=distinct,
            of=of,
            text=text[rows],
            group=group[rows],
            near=near[rows],
            source=source[rows],
        )

    @property
    def n(self) -> int:
        """How many answers there are."""
        return int(self.text.size)

    def independent(self, first: IntArray, second: IntArray) -> BoolArray:
        """Of different known authors, and no copies in words."""
        a, b = self.source[first], self.source[second]
        out: BoolArray = (a >= 0) & (b >= 0) & (a != b) & (self.near[first] != self.near[second])
        return out


def prompt_groups(prompt_of: IntArray, clones: CloneReport) -> IntArray:
    """The prompt of each alternative, clones of a prompt counted once, int64; those without a
    prompt share one, as in the clone test."""
    labels = clones.prompt_labels
    known = np.append(labels.labels, labels.n_groups)[prompt_of]
    return np.where(prompt_of >= 0, known, labels.n_groups)


class Scored:
    """Scores of pairs of units (texts under a prompt), as distances for clustering."""

    def __init__(self, answers: Answers, encode: Encode | None) -> None:
        self.answers = answers
        # idf counts a text once, under however many prompts it stands.
        self.sentences = Sentences.of(answers.texts, encode)

    def score(self, first: IntArray, second: IntArray) -> FloatArray:
        """float64 (k,); units of one text score 1."""
        a, b = self.answers.text[first], self.answers.text[second]
        return np.where(a == b, 1.0, scores(self.sentences, a, b))

    def distances(self, first: IntArray, second: IntArray) -> FloatArray:
        """1 - score, at least 0."""
        out: FloatArray = np.maximum(1.0 - self.score(first, second), 0.0)
        return out

    def among(self, rows: IntArray) -> FloatArray:
        """Distances of these units, float64 (rows, rows), 0 on the diagonal."""
        i, j = np.triu_indices(rows.size, 1)
        out = np.zeros((rows.size, rows.size))
        out[i, j] = out[j, i] = self.distances(rows[i], rows[j])
        return out

    def to_all(self, rows: IntArray) -> FloatArray:
        """From a few units to all."""
        n = self.answers.n
        every = np.tile(np.arange(n), rows.size)
        return self.distances(np.repeat(rows, n), every).reshape(rows.size, n)

    def likely(self, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Pairs of units of one group that are looked at, sorted."""
        units = self.answers
        if np.array_equal(units.text, np.arange(units.n)):
            return likely_pairs(self.sentences, units.group, rng)
        return likely_pairs(self.sentences.some(units.text), units.group, rng)


def find_paraphrases(
    scored: Scored, fpr: float, rng: np.random.Generator
) -> Paraphrases | NotApplicable:
    """fpr : share of independent pairs that may be called paraphrases, in (0, 1).

    rng : samples the null where it is large, and cuts the prompts in halves. Not applicable without
    enough independent answers: ``MIN_ABOVE`` pairs must be expected above the threshold.
    """
    answers = scored.answers
    if not (answers.source >= 0).any():
        return NotApplicable(
            "no response names the model that wrote it, so there are no answers known to be"
            " independent from which a threshold could be found"
        )
    a, b = independent_pairs(answers, rng)
    needed = int(np.ceil(MIN_ABOVE / fpr - 1e-9))
    if a.size < needed:
        return NotApplicable(
            f"{a.size:,} pairs of answers of different models to one prompt; a false-positive rate"
            f" of {fpr:g} takes {needed:,}"
        )
    null = scored.score(a, b)
    threshold = max(threshold_of(null, fpr), 0.0)
    first, second = scored.likely(rng)
    found = scored.score(first, second)
    above = found > threshold
    in_words = answers.near[first] == answers.near[second]
    known = answers.independent(first, second)
    n_pairs, n_known = _n_pairs(answers)
    clusters = _clusters(scored, first[above], second[above], found[above], threshold)
    return Paraphrases(
        clusters=tuple(clusters),
        fpr=fpr,
        threshold=threshold,
        n_independent=int(a.size),
        n_above=int((null > threshold).sum()),
        held_out=_held_out(null, answers.group[a], fpr, rng),
        n_pairs=n_pairs,
        n_found=int((above & ~in_words).sum()),
        n_other=n_pairs - n_known,
        n_other_found=int((above & ~in_words & ~known).sum()),
        with_vectors=scored.sentences.vectors is not None,
    )


def _n_pairs(answers: Answers) -> tuple[int, int]:
    """Pairs of units of one group that words do not call copies, and the independent ones."""

    def together(mask: BoolArray, *labels: IntArray) -> int:
        rows = np.column_stack([answers.group, *labels])[mask]
        _, n = np.unique(rows, axis=0, return_counts=True)
        return int((n * (n - 1) // 2).sum())

    near, source = answers.near, answers.source
    every = np.ones(answers.n, np.bool_)
    named = source >= 0
    apart = together(every) - together(every, near)
    # Of two named ones: neither of one cluster nor by one author.
    free = together(named) - together(named, near) - together(named, source)
    return apart, free + together(named, near, source)


def threshold_of(null: FloatArray, fpr: float) -> float:
    """The smallest t with #{null > t} <= fpr n."""
    k = int(np.floor(fpr * null.size + 1e-9))
    return float(np.sort(null)[::-1][k])


def independent_pairs(answers: Answers, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Independent pairs of units of one group, at most ``MAX_NULL``: drawn evenly from all pairs
    where those are too many to look at."""
    order = np.argsort(answers.group, kind="stable")
    _, start, size = np.unique(answers.group[order], return_index=True, return_counts=True)
    ends = np.cumsum(size * (size - 1) // 2)
    total = int(ends[-1]) if ends.size else 0
    some = np.arange(total)
    if total > 8 * MAX_NULL:
        # Without repeats, and enough of them where a few authors wrote most of the answers.
        some = np.sort(rng.choice(total, 8 * MAX_NULL, replace=False))
    k = np.searchsorted(ends, some, side="right")
    rank = some - (ends[k] - size[k] * (size[k] - 1) // 2)
    # rank = j (j - 1) / 2 + i with i < j
    j = ((1.0 + np.sqrt(1.0 + 8.0 * rank)) / 2.0).astype(np.int64)
    j -= j * (j - 1) // 2 > rank
    j += (j + 1) * j // 2 <= rank
    i = rank - j * (j - 1) // 2
    a, b = order[start[k] + i], order[start[k] + j]
    free = np.flatnonzero(answers.independent(a, b))
    if free.size > MAX_NULL:
        free = np.sort(rng.choice(free, MAX_NULL, replace=False))
    return a[free], b[free]


def _held_out(
    null: FloatArray, group: IntArray, fpr: float, rng: np.random.Generator
) -> HeldOutRate | NotApplicable:
    groups, at = np.unique(group, return_inverse=True)
    if groups.size < 2:
        return NotApplicable("all independent answers are to one prompt")
    half = np.zeros(groups.size, np.bool_)
    half[rng.permutation(groups.size)[: groups.size // 2]] = True
    in_half = half[at]
    sides = [null[in_half], null[~in_half]]
    if min(s.size for s in sides) * fpr < 1.0:
        return NotApplicable("half of the prompts have too few independent answers")
    n_above = sum(
        int((other > max(threshold_of(own, fpr), 0.0)).sum()) for own, other in (sides, sides[::-1])
    )
    return HeldOutRate(n=int(null.size), n_above=n_above)


def _clusters(
    scored: Scored, first: IntArray, second: IntArray, found: FloatArray, threshold: float
) -> list[RowCluster]:
    answers = scored.answers
    pairs = TextPairs(
        n=answers.n,
        radius=1.0 - threshold,
        first=first,
        second=second,
        distance=np.maximum(1.0 - found, 0.0),
        balls=(),
        n_candidates=first.size,
        complete=True,
    )
    rows = UnitRows(answers.of, answers.n)
    (clusters,) = bounded_clusters(scored, pairs, (1.0 - threshold,))
    new = [c for c in clusters if np.unique(answers.near[c.members]).size > 1]
    lifted = [rows.lifted(c) for c in new]
    return sorted(lifted, key=lambda c: (-c.members.size, int(c.members[0])))
