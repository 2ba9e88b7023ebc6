"""[IIA] section 6: one question, concise and informative answers, lists of two or of four.

The paper samples answers from two language models and lets a third choose. Here answers come from
templates and choices from the dichotomy that the paper describes: 70 % of the annotators want an
informative answer, 30 % a concise one, and either picks one of those in the list. Rewards are
linear or a small network on hashed words, fitted to the lists' softmax as in the paper.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.models.listwise.designs import log_probabilities

QUESTION = "Did Oppenheimer win a Nobel Prize?"
CONCISE, INFORMATIVE = 0, 1
WANT_INFORMATIVE = 0.7
N_ANSWERS = 100
N_TRAIN, N_TEST = 800, 1000
# Members of each kind in a list of the format, and whether a kind shares one weight in it.
FORMATS: tuple[tuple[str, int, int, bool], ...] = (
    ("lists of 2", 1, 1, False),
    ("lists of 4", 1, 3, False),
    ("lists of 4, a kind sharing one weight", 1, 3, True),
)
FEATURES = 64
HIDDEN = 16
N_STEPS, BATCH, RATE = 600, 32, 0.01
DECAY = 0.01

_OPEN = ("No, ", "No. ", "", "The answer is no: ", "In short, no; ")
_WHO = ("Oppenheimer", "he", "J. Robert Oppenheimer", "Robert Oppenheimer")
_DID = ("did not win", "never won", "was not awarded", "did not receive", "never received")
_PRIZE = ("a Nobel Prize", "the Nobel Prize", "any Nobel Prize", "one")
_ROLE = (
    "who led the laboratory at Los Alamos",
    "known for his part in the Manhattan Project",
    "often called the father of the atomic bomb",
    "who taught physics at Berkeley for years",
)
_MORE = (
    "although he was nominated three times between 1946 and 1967",
    "even though colleagues such as Fermi, Bethe and Rabi did",
    "despite his early work on collapsing stars, which came before its time",
    "and he was given the Enrico Fermi Award in 1963 instead",
)


@dataclass(frozen=True, slots=True)
class FormatRow:
    """One format under one reward model, means over seeds. accuracy : share of test pairs in which
    the answer that an annotator chose has the higher reward. informative_first : share of test
    pairs in which the informative answer has. error : of informative_first, over seeds."""

    format: str
    model: str
    accuracy: float
    informative_first: float
    error: float


@dataclass(frozen=True, slots=True)
class Formats:
    """want_informative : share of annotators. chosen_informative : share of the choices in each
    format, which hardly differs. examples : a concise and an informative answer."""

    question: str
    want_informative: float
    rows: tuple[FormatRow, ...]
    chosen_informative: tuple[tuple[str, float], ...]
    examples: tuple[str, str]
    n_seeds: int


def answers(kind: int, n: int, rng: np.random.Generator) -> list[str]:
    """``n`` different answers of one kind."""
    out: dict[str, None] = {}
    while len(out) < n:
        pick = [str(rng.choice(words)) for words in (_OPEN, _WHO, _DID, _PRIZE)]
        text = f"{pick[0]}{pick[1]} {pick[2]} {pick[3]}"
        if kind == INFORMATIVE:
            role, more = str(rng.choice(_ROLE)), str(rng.choice(_MORE))
            text = f"{pick[0]}{pick[1]}, {role}, {pick[2]} {pick[3]}, {more}"
        out.setdefault(text[0].upper() + text[1:] + ".")
    return list(out)


def features(texts: list[str]) -> FloatArray:
    """Hashed words as counts, length among them; float64 (n, FEATURES), columns about unit size."""
    out = np.zeros((len(texts), FEATURES))
    for i, text in enumerate(texts):
        words = "".join(c.lower() if c.isalnum() else " " for c in text).split()
        for word in words:
            # FNV-1a: the same on every machine, unlike Python's hash.
            h = 2166136261
            for byte in word.encode():
                h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
            out[i, h % (FEATURES - 1)] += 1.0
        out[i, -1] = len(words) / 10.0
    return out


def drawn_lists(
    n: int, n_concise: int, n_informative: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray, IntArray]:
    """Kinds int64 (n, k), which answer of its kind each member is, and the chosen member."""
    k = n_concise + n_informative
    kind = np.tile(np.r_[np.zeros(n_concise, int), np.ones(n_informative, int)], (n, 1))
    kind = rng.permuted(kind, axis=1).astype(np.int64)
    which = np.argsort(rng.random((n, N_ANSWERS)), axis=1)[:, :k].astype(np.int64)
    wants = (rng.random(n) < WANT_INFORMATIVE).astype(np.int64)
    chosen = np.where(kind == wants[:, None], rng.random((n, k)), -1.0).argmax(axis=1)
    return kind, which, chosen.astype(np.int64)


def section_6(*, n_seeds: int = 3, rng: np.random.Generator) -> Formats:
    """Train both reward models on both formats, and on four with a kind sharing one weight."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    shares: dict[str, list[float]] = {}
    examples = ("", "")
    for _ in range(n_seeds):
        texts = [answers(kind, 2 * N_ANSWERS, rng) for kind in (CONCISE, INFORMATIVE)]
        examples = (texts[0][0], texts[1][0])
        vectors = np.stack([features(t) for t in texts])
        mean = vectors[:, :N_ANSWERS].mean(axis=(0, 1))
        spread = vectors[:, :N_ANSWERS].std(axis=(0, 1)) + 0.1
        vectors = (vectors - mean) / spread
        train, test = vectors[:, :N_ANSWERS], vectors[:, N_ANSWERS:]
        test_lists = drawn_lists(N_TEST, 1, 1, rng)
        for name, n_concise, n_informative, shared in FORMATS:
            lists = drawn_lists(N_TRAIN, n_concise, n_informative, rng)
            picked = np.take_along_axis(lists[0], lists[2][:, None], 1)
            shares.setdefault(name, []).append(float((picked == INFORMATIVE).mean()))
            for model in ("linear", "network"):
                reward = _trained(model, train, lists, shared, rng)
                found.setdefault((name, model), []).append(_tested(reward, test, test_lists))
    rows = []
    for (name, model), results in found.items():
        both = np.array(results)
        rows.append(
            FormatRow(
                format=name,
                model=model,
                accuracy=float(both[:, 0].mean()),
                informative_first=float(both[:, 1].mean()),
                error=float(both[:, 1].std(ddof=1) / np.sqrt(n_seeds)) if n_seeds > 1 else np.nan,
            )
        )
    return Formats(
        question=QUESTION,
        want_informative=WANT_INFORMATIVE,
        rows=tuple(rows),
        chosen_informative=tuple((k, float(np.mean(v))) for k, v in shares.items()),
        examples=examples,
        n_seeds=n_seeds,
    )


@dataclass(slots=True)
class _Network:
    """r(x) = v · tanh(W x + b) + u · x; without hidden units, linear."""

    w: FloatArray
    b: FloatArray
    v: FloatArray
    u: FloatArray

    def reward(self, x: FloatArray) -> FloatArray:
        hidden = np.tanh(np.einsum("...d,hd->...h", x, self.w) + self.b)
        out: FloatArray = np.einsum("...h,h->...", hidden, self.v) + np.einsum(
            "...d,d->...", x, self.u
        )
        return out

    def gradient(self, x: FloatArray, slope: FloatArray) -> list[FloatArray]:
        """Of Σ slope · r(x) with respect to w, b, v, u; x (n, d), slope (n,)."""
        hidden = np.tanh(np.einsum("nd,hd->nh", x, self.w) + self.b)
        inner = slope[:, None] * self.v * (1 - hidden**2)
        return [
            np.einsum("nh,nd->hd", inner, x),
            inner.sum(axis=0),
            np.einsum("n,nh->h", slope, hidden),
            np.einsum("n,nd->d", slope, x),
        ]


def _trained(
    model: str,
    vectors: FloatArray,
    lists: tuple[IntArray, IntArray, IntArray],
    shared: bool,
    rng: np.random.Generator,
) -> _Network:
    """Adam on the softmax over each list; a shared weight is −ln(members of the kind)."""
    kind, which, chosen = lists
    n, k = kind.shape
    x = vectors[kind, which]
    size = np.where(kind == INFORMATIVE, kind.sum(axis=1)[:, None], k - kind.sum(axis=1)[:, None])
    offset = -np.log(size) if shared else np.zeros(kind.shape)
    hidden = HIDDEN if model == "network" else 0
    net = _Network(
        w=rng.normal(0, 1 / np.sqrt(FEATURES), (hidden, FEATURES)),
        b=np.zeros(hidden),
        v=rng.normal(0, 0.1, hidden),
        u=np.zeros(FEATURES) if model == "linear" else rng.normal(0, 0.01, FEATURES),
    )
    first = [np.zeros_like(p) for p in (net.w, net.b, net.v, net.u)]
    second = [np.zeros_like(p) for p in first]
    offsets = np.arange(0, BATCH * k + 1, k)
    for step in range(1, N_STEPS + 1):
        at = rng.integers(n, size=BATCH)
        rows = x[at].reshape(-1, FEATURES)
        utility = net.reward(rows) + offset[at].ravel()
        p = np.exp(log_probabilities(utility, offsets))
        taken = np.zeros((BATCH, k))
        taken[np.arange(BATCH), chosen[at]] = 1.0
        slope = (p - taken.ravel()) / BATCH
        parameters = (net.w, net.b, net.v, net.u)
        for i, g in enumerate(net.gradient(rows, slope)):
            g = g + DECAY * parameters[i]
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g * g
            move = first[i] / (1 - 0.9**step) / (np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8)
            parameters[i][...] -= RATE * move
    return net


def _tested(
    net: _Network, vectors: FloatArray, lists: tuple[IntArray, IntArray, IntArray]
) -> tuple[float, float]:
    """(accuracy, share of pairs with the informative answer first)."""
    kind, which, chosen = lists
    reward = net.reward(vectors[kind, which])
    top = reward.argmax(axis=1)
    informative = np.take_along_axis(kind, top[:, None], 1)[:, 0] == INFORMATIVE
    return float((top == chosen).mean()), float(informative.mean())


def sample(n_lists: int, size: int, seed: int) -> bytes:
    """Lists for ``cr-audit choices`` as JSON lines of Nectar's shape: one concise answer, the rest
    informative."""
    rng = np.random.default_rng(seed)
    texts = [answers(kind, 2 * N_ANSWERS, rng) for kind in (CONCISE, INFORMATIVE)]
    kind, which, chosen = drawn_lists(n_lists, 1, size - 1, rng)
    rows = []
    for i in range(n_lists):
        members = [
            {
                "answer": texts[kind[i, j]][which[i, j]],
                "model": ("concise", "informative")[kind[i, j]],
                "rank": 1 + int(j != chosen[i]),
            }
            for j in range(size)
        ]
        rows.append(json.dumps({"prompt": f"{QUESTION} ({i})", "answers": members}))
    return "\n".join(rows).encode() + b"\n"
