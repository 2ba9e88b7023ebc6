"""[CR] section 5 offline: descriptions of Paris, annotators whose tastes run in a circle, clones.

Whatever moves between the fits here is the weights and the draw of the comparisons: texts, tastes
and shares are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from cr_audit.arrays import BoolArray, Comparisons, FloatArray, IntArray, Proportions
from cr_audit.clones.find import find_clones
from cr_audit.models.rewards.kinds import REWARD_MODELS
from cr_audit.models.rewards.linear import TOLERANCE
from cr_audit.models.rewards.model import Problem, RewardModel
from cr_audit.simulate.descriptions import PROMPT, SENTENCES, TOPICS, describe, edit
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
N_COMPARISONS = (1_000, 20_000)
N_DRAWS, N_COSTLY_DRAWS = 10, 4
DRAWN = (STANDARD, Variant(PAPER, "sphere"), Variant(RECOMMENDED))
"""The schemes that are also fitted to drawn comparisons."""
PENALTY = 0.1
OPTIONS = Options(max_products=2e10)

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


def topic_preferences() -> FloatArray:
    """p(topic ≻ topic) of the whole population, float64 (4, 4), restaurants as food."""
    liked = np.array([u for _, u in TYPES])
    return preference_matrix(np.column_stack([liked, liked[:, FOOD]]), [s for s, _ in TYPES])


def exact_pairs(topic: IntArray) -> Proportions:
    """Every pair of texts at its exact proportion; m (m - 1) / 2 pairs of 40 bytes."""
    m = topic.shape[0]
    first, second = (x.astype(np.int64) for x in np.triu_indices(m, 1))
    p = topic_preferences()[topic[first], topic[second]]
    return Proportions(m, first, second, p, np.ones(p.shape[0]))


def drawn_pairs(topic: IntArray, n: int, rng: np.random.Generator) -> Proportions:
    """``n`` comparisons of pairs drawn at random, each decided by one random annotator."""
    m = topic.shape[0]
    left = rng.integers(m, size=n)
    right = (left + rng.integers(1, m, size=n)) % m
    wins = rng.random(n) < topic_preferences()[topic[left], topic[right]]
    winner, loser = np.where(wins, left, right), np.where(wins, right, left)
    return Comparisons.of(m, winner, loser).proportions()


@dataclass(frozen=True, slots=True, eq=False)
class CaseRow:
    """One scheme before and after one kind of clones.

    n_comparisons : 0 where every pair stands at its exact proportion. before, after : float64
    (3,), mean reward of the texts on food, art, romance, averaged over draws of comparisons;
    error_before, error_after : their standard deviation between draws, 0 where exact.
    shift : largest change of a topic's mean reward (of the averages over draws where drawn);
    error_shift : standard deviation over draws of the change of that topic. share : shift over
    that of the standard fit. kept : share of draws with clones that the true winner leads.
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
    kept: float
    effective_share: float
    zero_share: float


@dataclass(frozen=True, slots=True, eq=False)
class CaseStudy:
    """winner : the topic that leads without clones, exactly; preferences : float64 (3, 3)."""

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


def weights_of(
    contexts: FloatArray, texts: list[str] | None, *, rng: np.random.Generator
) -> Iterator[Weights]:
    """Of every scheme in every space; those that need clone labels only where texts are given."""
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
        items = Weighed(
            contexts.shape[0], contexts, clones=clusters if scheme.uses_clones else None
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
    penalty: float = PENALTY,
    workers: int | None = None,
    rng: np.random.Generator,
) -> CaseStudy:
    """Fit the rewards with and without clones, under every scheme of weights.

    encode : texts to unit rows (n, d). Exact preferences are fitted under all schemes, ``n_draws``
    draws (None: ``default_draws``) of each number of comparisons under uniform, sphere and sharing
    weights.
    reward : "linear" or "mlp", an ensemble of 20 networks that start the same in every fit. The
    result does not depend on ``workers``.
    Memory: 40 bytes per pair of texts, 1.6 million pairs at 300 per topic.

    Source: [CR] section 5 and Appendix I. Deviations:

    1. Texts are made from templates and annotators are Bradley-Terry populations over topics,
       where the paper asks a language model for both; nothing here needs a network.
    2. Contexts are the encoder's own coordinates; no principal components fitted per data set.
    3. Exact preferences are fitted beside the paper's 1,000 comparisons.
    """
    model = REWARD_MODELS.get(reward)
    if not model.from_contexts:
        possible = " or ".join(m.name for m in REWARD_MODELS.all() if m.from_contexts)
        raise ValueError(f"reward must be {possible}, not {reward!r}")
    n_draws = default_draws(reward) if n_draws is None else n_draws
    text_stream, weight_stream, draw_stream, fit_stream = rng.spawn(4)
    data = paris(per_topic=per_topic, rng=text_stream)
    vectors = np.asarray(encode(data.texts), dtype=np.float64)
    seed = int(fit_stream.integers(2**63))
    study = _Study(data, vectors, model, penalty, seed, workers)
    weights = {
        kind: list(study.weights(kind, stream))
        for kind, stream in zip((None, *CLONES), weight_stream.spawn(4), strict=True)
    }
    exact = {kind: study.exact(kind, weights[kind]) for kind in weights}
    winner = int(exact[None][0].argmax())
    rows = [*_rows(weights, {k: v[None] for k, v in exact.items()}, 0, winner)]
    few = {kind: [w for w in ws if _drawn(w)] for kind, ws in weights.items()}
    for n, stream in zip(n_comparisons, draw_stream.spawn(len(n_comparisons)), strict=True):
        means = {kind: study.drawn(kind, few[kind], n, n_draws, stream) for kind in few}
        rows += _rows(few, means, n, winner)
    return CaseStudy(
        topics=TOPICS[:N_RANKED],
        winner=TOPICS[winner],
        preferences=topic_preferences()[:N_RANKED, :N_RANKED],
        rows=tuple(rows),
        added={kind: int(data.added[kind].sum()) for kind in CLONES},
        encoder=encoder,
        reward=reward,
        penalty=penalty,
        per_topic=per_topic,
        n_draws=n_draws,
        sharing_width={k or "none": _width(ws) for k, ws in weights.items()},
    )


def default_draws(reward: str) -> int:
    """Draws of each number of comparisons: few where a fit takes seconds."""
    return N_COSTLY_DRAWS if REWARD_MODELS.get(reward).costly else N_DRAWS


def _drawn(weights: Weights) -> bool:
    return Variant(weights.method, weights.space) in DRAWN


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

    def weights(self, kind: str | None, rng: np.random.Generator) -> Iterator[Weights]:
        used = self.data.used(kind)
        texts = [x for x, u in zip(self.data.texts, used, strict=True) if u]
        return weights_of(self.vectors[used], texts, rng=rng)

    def means(self, pairs: Proportions, weights: Weights, kind: str | None) -> FloatArray:
        used = self.data.used(kind)
        problem = Problem(
            n_items=pairs.n_items,
            comparisons=Comparisons.of(pairs.n_items, [], []),  # pairs are given as proportions
            weights=weights.weights,
            draw=None,
            contexts=self.vectors[used],
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
        pairs = exact_pairs(self.data.topic[self.data.used(kind)])
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
            pairs = drawn_pairs(topic, n, stream)
            out.append(np.stack([self.means(pairs, w, kind) for w in weights]))
        return np.stack(out)


def _rows(
    weights: Mapping[str | None, list[Weights]],
    means: Mapping[str | None, FloatArray],
    n_comparisons: int,
    winner: int,
) -> Iterator[CaseRow]:
    """means : float64 (draws, schemes, 3) per kind of clones."""
    before = means[None]

    def spread(values: FloatArray) -> FloatArray:
        many = values.shape[0] > 1
        return values.std(axis=0, ddof=1) if many else np.zeros(values.shape[1:])

    for kind in CLONES:
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
                kept=float((after[:, s].argmax(axis=1) == winner).mean()),
                effective_share=w.effective_number_corrected / w.m,
                zero_share=w.zero_share,
            )
