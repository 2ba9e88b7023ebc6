"""[CR] section 5 offline: descriptions of Paris, annotators whose tastes run in a circle, clones.

Whatever moves between the fits here is the weights and the draw of the comparisons: texts, tastes
and shares are known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, Proportions
from cr_audit.clones.find import find_clones
from cr_audit.engine import one_blas_thread
from cr_audit.models.rewards.kinds import REWARD_MODELS
from cr_audit.models.rewards.linear import TOLERANCE
from cr_audit.models.rewards.model import Problem, RewardModel
from cr_audit.simulate.descriptions import (
    PROMPT,
    SENTENCES,
    TOPICS,
    describe,
    edit,
    written_answers,
)
from cr_audit.simulate.populations import preference_matrix
from cr_audit.weights.estimates import Weights
from cr_audit.weights.scheme import STANDARD, Options, Variant, Weighed, variants
from cr_audit.weights.schemes import PAPER, RECOMMENDED

# Annotator types: share of the population, log-odds of (food, art, romance); food wins over art,
# art over romance, romance over food. Restaurants are liked as food is.
TYPES = (
    (0.35, (1.5, 0.0, -1.5)),
    (0.36, (-1.5, 1.5, 0.0)),
    (0.29, (0.0, -1.5, 1.5)),
)
# [CR] Table 4 says in words what each type likes; the log-odds are those of Table 2, which has the
# same circle and shares with romance, art, food as a, b, c. Romance leads by average win rate.
_REALLY, _MILDLY, _NOT = math.log(100), math.log(10), 0.0
POPULATIONS = {
    "ours": TYPES,
    "paper": (
        (0.4, (_NOT, _MILDLY, _REALLY)),
        (0.3, (_REALLY, _NOT, _MILDLY)),
        (0.3, (_MILDLY, _REALLY, _NOT)),
    ),
}
FOOD, ART, ROMANCE, RESTAURANTS = range(4)
N_RANKED = 3  # food, art and romance; restaurants are food in other words
CLONED = ART
CLONES = ("restaurants", "topic", "copies")
ADDED = {
    "restaurants": "new texts on restaurants, near-clones of food",
    "topic": "new texts on the topic of art",
    "copies": "edited copies of the texts on art",
}
PER_TOPIC = 100
TEXTS = ("templates", "written")
N_COMPARISONS = (1_000, 20_000)
N_DRAWS, N_COSTLY_DRAWS = 10, 4
DRAWN = (STANDARD, Variant(PAPER, "sphere"), Variant(RECOMMENDED))
"""The schemes that are also fitted to drawn comparisons."""
PENALTY = 0.1
N_COMPONENTS = 1500
BOXES = ("unit-cube", "factor-2", "data-box")
OPTIONS = Options(max_products=2e10, sampler="plain")

Encode = Callable[[list[str]], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """texts and the topic of each (int64 (n,)); base : bool (n,), the data set without clones;
    added : what each kind of clones adds to it, bool (n,)."""

    texts: list[str]
    topic: IntArray
    base: BoolArray
    added: Mapping[str, BoolArray]

    def used(self, clones: str | None) -> BoolArray:
        """The texts with one kind of clones, or without any: bool (n,)."""
        return self.base if clones is None else self.base | self.added[clones]


def paris(
    *,
    per_topic: int = PER_TOPIC,
    sentences: tuple[int, int] = SENTENCES,
    rng: np.random.Generator,
) -> Texts:
    """``per_topic`` different texts on food, art and romance each, and the clones of each kind.

    Added are twice as many texts on art, three edited copies of every text on art, and twice as
    many texts on restaurants. sentences : as for ``describe``.
    """
    texts: list[str] = []
    kind: list[str] = []
    topic: list[int] = []

    def add(new: list[str], of: int, what: list[str]) -> None:
        texts.extend(new)
        kind.extend(what)
        topic.extend([of] * len(new))

    for t in (FOOD, ART, ROMANCE):
        more = 2 * per_topic if t == CLONED else 0
        new = describe(TOPICS[t], per_topic + more, rng, sentences=sentences)
        add(new, t, ["base"] * per_topic + ["topic"] * more)
    sources = [x for x, t, k in zip(texts, topic, kind, strict=True) if t == CLONED and k == "base"]
    copies = [edit(x, rng) for x in sources for _ in range(3)]
    add(copies, CLONED, ["copies"] * len(copies))
    places = describe(TOPICS[RESTAURANTS], 2 * per_topic, rng, sentences=sentences)
    add(places, RESTAURANTS, ["restaurants"] * len(places))
    kinds = np.array(kind)
    return Texts(
        texts=texts,
        topic=np.array(topic, dtype=np.int64),
        base=kinds == "base",
        added={name: kinds == name for name in CLONES},
    )


def one_to_one(
    texts: str = "templates", *, per_topic: int = PER_TOPIC, rng: np.random.Generator
) -> Texts:
    """``per_topic`` texts on each of food, art and romance; added are as many on restaurants.

    texts : "templates", or "written", of which 60 a topic exist and ``per_topic`` are drawn.
    """
    if texts not in TEXTS:
        raise ValueError(f"texts must be one of {', '.join(TEXTS)}, not {texts!r}")
    chosen: list[str] = []
    written = written_answers()
    for topic in TOPICS:
        if texts == "templates":
            chosen += describe(topic, per_topic, rng)
            continue
        there = written[topic]
        if per_topic > len(there):
            raise ValueError(f"{len(there)} answers are written on a topic, not {per_topic}")
        kept = np.sort(rng.choice(len(there), per_topic, replace=False))
        chosen += [there[i] for i in kept.tolist()]
    topics = np.repeat(np.arange(len(TOPICS), dtype=np.int64), per_topic)
    places = topics == RESTAURANTS
    return Texts(chosen, topics, ~places, {"restaurants": places})


def topic_preferences(population: str = "ours") -> FloatArray:
    """p(topic ≻ topic) of a whole population, float64 (4, 4), restaurants as food."""
    if population not in POPULATIONS:
        raise ValueError(f"population must be one of {', '.join(POPULATIONS)}, not {population!r}")
    types = POPULATIONS[population]
    liked = np.array([u for _, u in types])
    return preference_matrix(np.column_stack([liked, liked[:, FOOD]]), [s for s, _ in types])


def exact_pairs(topic: IntArray, population: str = "ours") -> Proportions:
    """Every pair of texts at its exact proportion; m (m - 1) / 2 pairs of 40 bytes."""
    m = topic.shape[0]
    first, second = (x.astype(np.int64) for x in np.triu_indices(m, 1))
    p = topic_preferences(population)[topic[first], topic[second]]
    return Proportions(m, first, second, p, np.ones(p.shape[0]))


def drawn_pairs(topic: IntArray, n: int, rng: np.random.Generator) -> Proportions:
    """``n`` comparisons of pairs drawn at random, each decided by one random annotator."""
    m = topic.shape[0]
    left = rng.integers(m, size=n)
    right = (left + rng.integers(1, m, size=n)) % m
    wins = rng.random(n) < topic_preferences()[topic[left], topic[right]]
    winner, loser = np.where(wins, left, right), np.where(wins, right, left)
    return Comparisons.of(m, winner, loser).proportions()


def designed_pairs(
    topic: IntArray, n: int, rng: np.random.Generator, population: str = "paper"
) -> Proportions:
    """``n`` comparisons as [CR] Appendix I.2 makes them, each decided by one random annotator.

    The two topics are drawn alike and with replacement. Each takes the next text of its topic in
    random order, so that no text is used twice before all of its topic are: once each where there
    are enough of them, which are n texts a topic at the most.
    """
    topics = np.unique(topic)
    drawn = topics[rng.integers(topics.size, size=2 * n)]
    item = np.empty(2 * n, dtype=np.int64)
    for t in topics.tolist():
        at, own = np.flatnonzero(drawn == t), np.flatnonzero(topic == t)
        rounds = [rng.permutation(own) for _ in range(-(-at.size // own.size))]
        item[at] = np.concatenate([*rounds, own])[: at.size]
    left, right = item[0::2], item[1::2]
    # Where one round ends and the next begins a text may meet itself; such a pair is left out.
    apart = left != right
    left, right = left[apart], right[apart]
    wins = rng.random(left.size) < topic_preferences(population)[topic[left], topic[right]]
    winner, loser = np.where(wins, left, right), np.where(wins, right, left)
    return Comparisons.of(topic.shape[0], winner, loser).proportions()


def principal_components(vectors: FloatArray, n: int = N_COMPONENTS) -> FloatArray:
    """Rows on their own first ``n`` principal components, as many as there are: float64 (m, k).

    Signs are those that give the largest entry of each direction a positive sign.
    """
    centred = vectors - vectors.mean(axis=0)
    with one_blas_thread():
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
        directions = directions[:n]
        largest = np.abs(directions).argmax(axis=1)
        directions *= np.sign(directions[np.arange(largest.size), largest])[:, None]
        out: FloatArray = centred @ directions.T
    return out


@dataclass(frozen=True, slots=True, eq=False)
class CaseRow:
    """One scheme before and after one kind of clones.

    n_comparisons : 0 where every pair stands at its exact proportion. before, after : float64
    (3,), mean reward of the texts on food, art, romance, averaged over draws of comparisons;
    error_before, error_after : their standard deviation between draws, 0 where exact.
    shift : largest change of a topic's mean reward (of the averages over draws where drawn);
    error_shift : standard deviation over draws of the change of that topic. share : shift over
    that of the standard fit. led, kept : share of draws without and with clones that the true
    winner leads. mass : weight of food and its clones together where restaurants are added.
    """

    scheme: str
    space: str | None
    clones: str
    n_comparisons: int
    before: FloatArray
    after: FloatArray
    error_before: FloatArray
    error_after: FloatArray
    shift: float
    error_shift: float
    share: float
    led: float
    kept: float
    mass: float
    effective_share: float
    zero_share: float


@dataclass(frozen=True, slots=True, eq=False)
class CaseStudy:
    """winner : the topic that leads without clones, exactly; preferences : float64 (3, 3).

    distances : float64 (4, 4), mean distance of different texts within and between the topics,
    restaurants last. texts, population : see ``case_study``.
    """

    topics: tuple[str, ...]
    winner: str
    preferences: FloatArray
    rows: tuple[CaseRow, ...]
    added: Mapping[str, int]
    encoder: str
    reward: str
    penalty: float
    per_topic: int
    n_draws: int
    sharing_width: Mapping[str, float] = field(default_factory=dict)
    texts: str = "templates"
    population: str = "ours"
    distances: FloatArray = field(default_factory=lambda: np.zeros((4, 4)))


def weights_of(
    contexts: FloatArray,
    texts: list[str] | None,
    *,
    boxed: FloatArray | None = None,
    rng: np.random.Generator,
) -> Iterator[Weights]:
    """Of every scheme in every space; those that need clone labels only where texts are given.

    boxed : the contexts of the spaces that are boxes, where they are others.
    """
    every = variants()
    streams = iter(rng.spawn(len(every) + 1))
    clusters: IntArray | None = None
    for variant in every:
        scheme = variant.scheme
        if scheme.uses_clones and texts is not None and clusters is None:
            clusters = find_clones(
                response_texts=texts,
                prompt_of=np.zeros(len(texts), dtype=np.int64),
                prompt_texts=[PROMPT],
                response_vectors=contexts.astype(np.float32),
                rng=next(streams),
            ).labels.labels
        if scheme.needs_clones and clusters is None:
            continue
        in_box = boxed is not None and variant.space in BOXES
        items = Weighed(
            contexts.shape[0],
            boxed if in_box else contexts,
            clones=clusters if scheme.uses_clones else None,
        )
        stream = next(streams) if scheme.needs_vectors else rng
        yield scheme.weigh(items, variant.options(OPTIONS), stream)


def topic_means(rewards: FloatArray, topic: IntArray) -> FloatArray:
    """Mean reward of the texts on food, art and romance: float64 (3,)."""
    return np.array([rewards[topic == t].mean() for t in range(N_RANKED)])


def case_study(
    encode: Encode,
    *,
    encoder: str,
    per_topic: int = PER_TOPIC,
    n_comparisons: tuple[int, ...] = N_COMPARISONS,
    n_draws: int | None = None,
    reward: str = "linear",
    texts: str = "templates",
    population: str = "ours",
    drawn: tuple[Variant, ...] = DRAWN,
    exact: bool = True,
    penalty: float = PENALTY,
    workers: int | None = None,
    rng: np.random.Generator,
) -> CaseStudy:
    """Fit the rewards with and without clones, under every scheme of weights.

    encode : texts to unit rows (n, d). Exact preferences are fitted under all schemes, ``n_draws``
    draws (None: ``default_draws``) of each number of comparisons under the schemes ``drawn``.
    texts : "templates", or "written": the answers that stand in ``sample_data/case_study``.
    population : "ours", or "paper": the types and shares of its Table 4, its design of comparisons
    (``designed_pairs``) and principal components of each data set for the fits and the boxes;
    everything else weighs the encoder's vectors. Where either is not the first, restaurants alone
    are added, as many texts as food has, and ``per_topic`` is at most 60 for written ones.
    exact : False leaves exact preferences to the standard fit, which says who should win.
    reward : "linear" or "mlp", an ensemble of 20 networks that start the same in every fit. The
    result does not depend on ``workers``.
    Memory: 40 bytes per pair of texts, 1.6 million pairs at 300 per topic.

    Source: [CR] section 5 and Appendix I. Deviations:

    1. Texts are made from templates or were written for this, and annotators are Bradley-Terry
       populations over topics, where the paper asks a language model for both;
       nothing here needs a network.
    2. Under our population contexts are the encoder's own coordinates; under the paper's the fits
       and the boxes take principal components of each data set, and the same texts stand in both.
    3. Exact preferences are fitted beside the paper's 1,000 comparisons.
    """
    model = REWARD_MODELS.get(reward)
    if not model.from_contexts:
        possible = " or ".join(m.name for m in REWARD_MODELS.all() if m.from_contexts)
        raise ValueError(f"reward must be {possible}, not {reward!r}")
    n_draws = default_draws(reward) if n_draws is None else n_draws
    text_stream, weight_stream, draw_stream, fit_stream = rng.spawn(4)
    if texts == "templates" and population == "ours":
        data = paris(per_topic=per_topic, rng=text_stream)
    else:
        data = one_to_one(texts, per_topic=per_topic, rng=text_stream)
    vectors = np.asarray(encode(data.texts), dtype=np.float64)
    seed = int(fit_stream.integers(2**63))
    study = _Study(data, vectors, model, penalty, seed, workers, population)
    weights = {
        kind: list(study.weights(kind, stream))
        for kind, stream in zip(
            (None, *data.added), weight_stream.spawn(1 + len(data.added)), strict=True
        )
    }
    of_exact = {kind: ws if exact else ws[:1] for kind, ws in weights.items()}
    truth = {kind: study.exact(kind, of_exact[kind]) for kind in weights}
    winner = int(truth[None][0].argmax())
    masses = {k: [_food_mass(w, data.topic[data.used(k)]) for w in ws] for k, ws in weights.items()}
    rows = [*_rows(of_exact, {k: v[None] for k, v in truth.items()}, 0, winner, masses)]
    some = [k for k, w in enumerate(weights[None]) if Variant(w.method, w.space) in drawn]
    few = {kind: [ws[k] for k in some] for kind, ws in weights.items()}
    masses = {kind: [m[k] for k in some] for kind, m in masses.items()}
    for n, stream in zip(n_comparisons, draw_stream.spawn(len(n_comparisons)), strict=True):
        means = {kind: study.drawn(kind, few[kind], n, n_draws, stream) for kind in few}
        rows += _rows(few, means, n, winner, masses)
    return CaseStudy(
        topics=TOPICS[:N_RANKED],
        winner=TOPICS[winner],
        preferences=topic_preferences(population)[:N_RANKED, :N_RANKED],
        rows=tuple(rows),
        added={kind: int(used.sum()) for kind, used in data.added.items()},
        encoder=encoder,
        reward=reward,
        penalty=penalty,
        per_topic=per_topic,
        n_draws=n_draws,
        sharing_width={k or "none": _width(ws) for k, ws in weights.items()},
        texts=texts,
        population=population,
        distances=topic_distances(vectors, data),
    )


def default_draws(reward: str) -> int:
    """Draws of each number of comparisons: few where a fit takes seconds."""
    return N_COSTLY_DRAWS if REWARD_MODELS.get(reward).costly else N_DRAWS


def topic_distances(vectors: FloatArray, data: Texts) -> FloatArray:
    """Mean distance of two different texts by the topics of both, copies left out: (4, 4)."""
    seen = data.base | data.added["restaurants"]
    x, topic = vectors[seen], data.topic[seen]
    with one_blas_thread():
        squared = (x**2).sum(axis=1)
        d = np.sqrt(np.maximum(squared[:, None] + squared - 2 * x @ x.T, 0.0))
    np.fill_diagonal(d, 0.0)
    member = (topic[:, None] == np.arange(len(TOPICS))).astype(np.float64)
    size = member.sum(axis=0)
    out: FloatArray = (member.T @ d @ member) / (np.outer(size, size) - np.diag(size))
    return out


def _food_mass(weights: Weights, topic: IntArray) -> float:
    return float(weights.weights[(topic == FOOD) | (topic == RESTAURANTS)].sum())


def _width(weights: list[Weights]) -> float:
    """The width that was found for sharing."""
    return next(float(w.settings["width"]) for w in weights if "width" in w.settings)


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    data: Texts
    vectors: FloatArray
    model: RewardModel
    penalty: float
    seed: int
    workers: int | None
    population: str

    def weights(self, kind: str | None, rng: np.random.Generator) -> Iterator[Weights]:
        used = self.data.used(kind)
        texts = [x for x, u in zip(self.data.texts, used, strict=True) if u]
        return weights_of(self.vectors[used], texts, boxed=self.contexts(kind), rng=rng)

    def contexts(self, kind: str | None) -> FloatArray:
        """Of the fits: the encoder's, or their principal components in this data set."""
        vectors = self.vectors[self.data.used(kind)]
        return principal_components(vectors) if self.population == "paper" else vectors

    def means(self, pairs: Proportions, weights: Weights, kind: str | None) -> FloatArray:
        used = self.data.used(kind)
        problem = Problem(
            n_items=pairs.n_items,
            comparisons=Comparisons.of(pairs.n_items, [], []),  # pairs are given as proportions
            weights=weights.weights,
            draw=None,
            contexts=self.contexts(kind),
            count_weighted=False,
            penalty=self.penalty,
            workers=self.workers,
            seed=self.seed,
            tolerance=TOLERANCE,
        )
        rewards = self.model.fit(problem, pairs, weights.weights, self.penalty).rewards
        return topic_means(rewards, self.data.topic[used])

    def exact(self, kind: str | None, weights: list[Weights]) -> FloatArray:
        """float64 (schemes, 3)."""
        pairs = exact_pairs(self.data.topic[self.data.used(kind)], self.population)
        return np.stack([self.means(pairs, w, kind) for w in weights])

    def drawn(
        self,
        kind: str | None,
        weights: list[Weights],
        n: int,
        n_draws: int,
        rng: np.random.Generator,
    ) -> FloatArray:
        """float64 (draws, schemes, 3); all schemes see the same comparisons."""
        topic = self.data.topic[self.data.used(kind)]
        out = []
        for stream in rng.spawn(n_draws):
            draw = designed_pairs if self.population == "paper" else drawn_pairs
            pairs = draw(topic, n, stream)
            out.append(np.stack([self.means(pairs, w, kind) for w in weights]))
        return np.stack(out)


def _rows(
    weights: Mapping[str | None, list[Weights]],
    means: Mapping[str | None, FloatArray],
    n_comparisons: int,
    winner: int,
    masses: Mapping[str | None, list[float]],
) -> Iterator[CaseRow]:
    """means : float64 (draws, schemes, 3) per kind of clones."""
    before = means[None]

    def spread(values: FloatArray) -> FloatArray:
        many = values.shape[0] > 1
        return values.std(axis=0, ddof=1) if many else np.zeros(values.shape[1:])

    for kind in (k for k in weights if k is not None):
        after = means[kind]
        change = after.mean(axis=0) - before.mean(axis=0)
        standard = float(np.abs(change[0]).max())
        for s, w in enumerate(weights[kind]):
            largest = int(np.abs(change[s]).argmax())
            shift = float(abs(change[s, largest]))
            yield CaseRow(
                scheme=w.method,
                space=w.space,
                clones=kind,
                n_comparisons=n_comparisons,
                before=before[:, s].mean(axis=0),
                after=after[:, s].mean(axis=0),
                error_before=spread(before[:, s]),
                error_after=spread(after[:, s]),
                shift=shift,
                error_shift=float(spread(after[:, s, largest] - before[:, s, largest])),
                share=shift / standard,
                led=float((before[:, s].argmax(axis=1) == winner).mean()),
                kept=float((after[:, s].argmax(axis=1) == winner).mean()),
                mass=masses[kind][s],
                effective_share=w.effective_number_corrected / w.m,
                zero_share=w.zero_share,
            )
