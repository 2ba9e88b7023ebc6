"""An invented data set in which near-copies of the weakest answer decide who leads.

[CR] Tables 2 and 3 as readable data: three kinds of answers, three types of annotators whose tastes
run in a circle. Between one answer of each kind the brief one wins. Near-copies of the chatty one,
which the list beats more often than the brief answer does, put the list first; weights that share
one vote among the copies put the brief answer first again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cr_audit.arrays import FloatArray, IntArray
from cr_audit.simulate.sample_texts import QUESTIONS

KINDS = ("brief", "steps", "chatty")
TYPE_SHARES = (0.50, 0.28, 0.22)
EXP_REWARDS: tuple[tuple[float, ...], ...] = (
    (2500.0, 50.0, 1.0),  # brief, as each type of annotator likes it
    (50.0, 1.0, 2500.0),  # steps
    (1.0, 2500.0, 50.0),  # chatty
)
TIE_CHANCE, TIE_CHANCE_OF_COPIES = 0.03, 0.75
N_ANNOTATORS = 1000
DEFAULT_SEED = 0
DEFAULT_CLONES = 4
MAX_CLONES = min(len(q.variants()) for q in QUESTIONS)

_MODELS = {"brief": "atlas-2", "steps": "boreal-7b", "chatty": "cirrus-1"}
_COPIES = ("turbo", "mini", "0613", "chat")
# Comparisons of one pair under one prompt. The contest for the lead is judged most often, two
# copies of one answer hardly ever; win rates are means over opponents, so this moves no rate.
_N_TOP_PAIR, _N_PAIR, _N_COPIES_PAIR = 120, 50, 8


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file; ``winner`` is "model_a", "model_b" or "tie"."""

    prompt: str
    response_a: str
    response_b: str
    model_a: str
    model_b: str
    winner: str
    annotator: str


def preference(left: int, right: int) -> FloatArray:
    """p(left > right) of each type of annotator, float64 (3,); kinds by their index in KINDS."""
    rewards = np.array(EXP_REWARDS)
    out: FloatArray = rewards[left] / (rewards[left] + rewards[right])
    return out


def systems(clones: int) -> list[tuple[str, int]]:
    """(model name, kind) of every system: one of each kind and ``clones`` copies of the last."""
    names = [(_MODELS[kind], i) for i, kind in enumerate(KINDS)]
    copies = (*_COPIES, *(f"v{n}" for n in range(2, MAX_CLONES + 2)))
    return names + [(f"{_MODELS['chatty']}-{copies[n]}", 2) for n in range(clones)]


def clone_robust_dataset(
    *, clones: int = DEFAULT_CLONES, rng: np.random.Generator
) -> tuple[Row, ...]:
    """The rows in random order. ``clones``, 0 to ``MAX_CLONES``: near-copies per prompt.

    With many comparisons the average win rate of the list exceeds that of the brief answer as soon
    as there are three near-copies; the margins, ties aside, are 1/(3 + clones) - 0.22 for the
    average rate and W - 0.22 for the weighted one, W being the weight of either answer.

    Only ``rng.random`` is drawn from: its stream is the one that numpy keeps from version to
    version, so the bytes of the sample files can be tested.
    """
    if not 0 <= clones <= MAX_CLONES:
        raise ValueError(f"clones must lie in 0..{MAX_CLONES}, not {clones}")
    models = systems(clones)
    schedule = _schedule([kind for _, kind in models])
    annotators = _dealt(schedule.shape[0] * len(QUESTIONS), rng)
    rows: list[Row] = []
    for question in QUESTIONS:
        variants = question.variants()
        copies = [variants[i] for i in _shuffled(len(question.edits), rng)]
        copies += variants[len(question.edits) :]
        texts = [question.brief, question.steps, question.chatty, *copies[:clones]]
        draws = rng.random((schedule.shape[0], 3))
        for (left, right), (tie, vote, side) in zip(schedule, draws, strict=True):
            annotator = annotators[len(rows)]
            share = preference(models[left][1], models[right][1])[_type_of(annotator)]
            same = models[left][1] == models[right][1]
            tied = tie < (TIE_CHANCE_OF_COPIES if same else TIE_CHANCE)
            first, second = (left, right) if side < 0.5 else (right, left)
            winner = left if vote < share else right
            rows.append(
                Row(
                    prompt=question.prompt,
                    response_a=texts[first],
                    response_b=texts[second],
                    model_a=models[first][0],
                    model_b=models[second][0],
                    winner="tie" if tied else "model_a" if winner == first else "model_b",
                    annotator=f"rater-{annotator + 1:04d}",
                )
            )
    return tuple(rows[i] for i in _shuffled(len(rows), rng))


def _schedule(kinds: list[int]) -> IntArray:
    """Which systems meet, a row per comparison: int64 (n, 2)."""
    left, right = np.triu_indices(len(kinds), 1)
    kind = np.array(kinds)
    count = np.where(kind[left] == kind[right], _N_COPIES_PAIR, _N_PAIR)
    count[(left == 0) & (right == 1)] = _N_TOP_PAIR
    return np.repeat(np.stack([left, right], axis=1), count, axis=0).astype(np.int64)


def _dealt(n: int, rng: np.random.Generator) -> IntArray:
    """n annotators off one shuffled deck, round and round: all judge about equally often, and
    nobody the same pair twice. The types are spread evenly over the deck: any run of cards holds
    them in nearly their shares, as in a quota sample, so a pair shows nearly the population."""
    kind = np.array([_type_of(i) for i in range(N_ANNOTATORS)])
    order = np.argsort(kind + rng.random(N_ANNOTATORS), kind="stable")
    place = np.arange(N_ANNOTATORS) - np.searchsorted(kind[order], kind[order])
    deck = order[np.argsort((place + 0.5) / np.bincount(kind)[kind[order]], kind="stable")]
    return np.resize(deck, n)


def _type_of(annotator: int) -> int:
    return int(np.searchsorted(np.cumsum(TYPE_SHARES), (annotator + 0.5) / N_ANNOTATORS))


def _shuffled(n: int, rng: np.random.Generator) -> IntArray:
    return np.argsort(rng.random(n), kind="stable")


def as_jsonl(rows: tuple[Row, ...]) -> bytes:
    """One JSON object a line, fields in the order of ``Row``, UTF-8."""
    lines = (
        json.dumps({name: getattr(row, name) for name in Row.__dataclass_fields__}) for row in rows
    )
    return "".join(line + "\n" for line in lines).encode()


def write(path: Path, *, seed: int = DEFAULT_SEED, clones: int = DEFAULT_CLONES) -> int:
    """Write the data set to ``path`` and return the number of rows; same seed, same bytes."""
    rows = clone_robust_dataset(clones=clones, rng=np.random.default_rng(seed))
    path.write_bytes(as_jsonl(rows))
    return len(rows)
