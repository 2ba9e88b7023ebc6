"""[SP] section 4 in small: three animals, templated answers, one strong preference, a network.

Two preferences are given, p(1≻2) fixed and strong, p(2≻3) from 0 to 1; 1 and 3 are never compared.
What is p(1≻3) after training? The paper trains language models by DPO; here a Bradley-Terry fit and
a small network over the words of an answer are trained on the same votes, in the sentences of this
file. With one reward per animal the answer is [SP] Eq. 3; a network may answer anything.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from cr_audit.arrays import FloatArray, IntArray, Proportions
from cr_audit.models.rewards.mlp import fit_mlp
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.sensitivity.pairwise import chained, from_counts, sensitivity

ANIMALS = ("dog", "cat", "bird")
TEMPLATES = (
    "My choice is the {a}, not the {b}.",
    "The {a} suits me more than the {b} does.",
    "Give me a {a}; a {b} can wait.",
    "Of the two, a {a} wins against a {b}.",
    "A {a} makes me happier than a {b} would.",
    "I vote for the {a} and against the {b}.",
    "Put the {a} first and the {b} second.",
    "It is a {a} for me, hardly a {b}.",
)
P_12 = 0.99
STEP = 0.05
VOTES = 2000
RUNS = 2
# Enough steps for a network of this size to fit the votes it is given; a weak penalty.
PENALTY = 1e-3
HIDDEN, STEPS, RATE = 16, 200, 2e-2


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """float64 (n,) each, one value per p(2≻3) of the data. given : that value; votes_23 : with half
    a vote on each side. chain : p(1≻3) of Eq. 3; sensitivity : ∂p13/∂p23 there. fit_13, fit_23 : of
    the Bradley-Terry fit. network_13, network_23 : mean over runs and orders of the animals;
    spread_13, spread_23 : their standard deviation."""

    p_12: float
    given: FloatArray
    votes_23: FloatArray
    chain: FloatArray
    sensitivity: FloatArray
    fit_13: FloatArray
    fit_23: FloatArray
    network_13: FloatArray
    network_23: FloatArray
    spread_13: FloatArray
    spread_23: FloatArray
    n_votes: int
    n_runs: int
    n_orders: int


def words(sentence: str) -> list[str]:
    """Words and pairs of neighbouring words: order counts, as it does in an answer."""
    tokens = [w.strip(".,;").lower() for w in sentence.split()]
    return [*tokens, *(f"{a} {b}" for a, b in itertools.pairwise(tokens))]


def contexts() -> tuple[FloatArray, dict[tuple[int, int, int], int]]:
    """Word counts of every sentence, rows of length 1, and the row of (template, a, b)."""
    rows: dict[tuple[int, int, int], int] = {}
    bags: list[list[str]] = []
    for t, template in enumerate(TEMPLATES):
        for a in range(3):
            for b in range(3):
                if a != b:
                    rows[t, a, b] = len(bags)
                    bags.append(words(template.format(a=ANIMALS[a], b=ANIMALS[b])))
    known = {w: k for k, w in enumerate(sorted({w for bag in bags for w in bag}))}
    out = np.zeros((len(bags), len(known)))
    for k, bag in enumerate(bags):
        for word in bag:
            out[k, known[word]] += 1.0
    return out / np.linalg.norm(out, axis=1, keepdims=True), rows


def experiment(
    *,
    n_votes: int = VOTES,
    n_runs: int = RUNS,
    step: float = STEP,
    p_12: float = P_12,
    rng: np.random.Generator,
) -> Experiment:
    """Votes on (1, 2) and (2, 3), ``n_votes`` each, spread over the templates; every order of the
    animals that starts a cycle (three) and ``n_runs`` networks each."""
    given = np.round(np.arange(0.0, 1.0 + step / 2, step), 10)
    vectors, rows = contexts()
    orders = [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
    shape = (given.shape[0], len(orders))
    fits = np.empty((2, *shape))
    nets = np.empty((2, *shape, n_runs))
    for g, p_23 in enumerate(given):
        for o, order in enumerate(orders):
            won = rng.binomial(n_votes // len(TEMPLATES), [[p_12], [p_23]], (2, len(TEMPLATES)))
            fits[:, g, o] = _bradley_terry(won, n_votes // len(TEMPLATES) * len(TEMPLATES))
            nets[:, g, o] = _network(
                won, n_votes // len(TEMPLATES), order, vectors, rows, n_runs, rng
            )
    halves = from_counts(given * n_votes, np.full(given.shape, float(n_votes)))
    return Experiment(
        p_12=p_12,
        given=given,
        votes_23=halves,
        chain=chained(p_12, halves),
        sensitivity=sensitivity(halves, p_12),
        fit_13=fits[0].mean(axis=1),
        fit_23=fits[1].mean(axis=1),
        network_13=nets[0].mean(axis=(1, 2)),
        network_23=nets[1].mean(axis=(1, 2)),
        spread_13=nets[0].std(axis=(1, 2)),
        spread_23=nets[1].std(axis=(1, 2)),
        n_votes=n_votes,
        n_runs=n_runs,
        n_orders=len(orders),
    )


def _bradley_terry(won: IntArray, n: int) -> tuple[float, float]:
    """p(1≻3) and p(2≻3) of a fit with one reward per animal."""
    p = from_counts(won.sum(axis=1), np.full(2, float(n)))
    pairs = Proportions(3, np.array([0, 1]), np.array([1, 2]), p, np.full(2, float(n)))
    r = fit_tabular(pairs, np.full(3, 1 / 3), penalty=PENALTY).rewards
    return float(expit(r[0] - r[2])), float(expit(r[1] - r[2]))


def _network(
    won: IntArray,
    n: int,
    order: tuple[int, int, int],
    vectors: FloatArray,
    rows: dict[tuple[int, int, int], int],
    n_runs: int,
    rng: np.random.Generator,
) -> FloatArray:
    """p(1≻3) and p(2≻3) of each network, mean over templates: float64 (2, n_runs)."""
    m = vectors.shape[0]
    first, second, p = [], [], []
    for pair in range(2):
        a, b = order[pair], order[pair + 1]
        for t in range(len(TEMPLATES)):
            i, j = rows[t, a, b], rows[t, b, a]
            share = won[pair, t] / n
            first.append(min(i, j))
            second.append(max(i, j))
            p.append(share if i < j else 1.0 - share)
    key = np.lexsort((second, first))
    pairs = Proportions(
        m,
        np.array(first)[key],
        np.array(second)[key],
        np.array(p)[key],
        np.full(len(p), float(n)),
    )
    fit = fit_mlp(
        pairs,
        vectors,
        np.full(m, 1.0 / m),
        penalty=PENALTY,
        n_runs=n_runs,
        hidden=HIDDEN,
        learning_rate=RATE,
        n_steps=STEPS,
        rng=rng,
    )

    def asked(a: int, b: int) -> FloatArray:
        left = [rows[t, order[a], order[b]] for t in range(len(TEMPLATES))]
        right = [rows[t, order[b], order[a]] for t in range(len(TEMPLATES))]
        out: FloatArray = expit(fit.by_run[:, left] - fit.by_run[:, right]).mean(axis=1)
        return out

    return np.stack([asked(0, 2), asked(1, 2)])
