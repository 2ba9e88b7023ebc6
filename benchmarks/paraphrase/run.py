"""Detection by strength, the rate found, and the gate's test, on data and on invented answers.

python -m benchmarks.paraphrase.run pairs|sets|gate [--data FOLDER] [--trials N]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.paraphrase.sets import STRENGTHS, Independent, independent, invented, published
from cr_audit.arrays import Float32Array, FloatArray, IntArray, NotApplicable
from cr_audit.clones.find import find_clones
from cr_audit.clones.models import model_clones
from cr_audit.clones.paraphrase import Answers, Scored, find_paraphrases, independent_pairs
from cr_audit.clones.paraphrase_score import scores
from cr_audit.clones.paraphrase_sentences import Encode, Sentences
from cr_audit.clones.shingles import Shingles, text_distance
from cr_audit.embed import VectorCache, default_cache_dir, embed_texts, open_backend
from cr_audit.gate.paraphrases import closeness, prompts_to_test, tested

FPR = 0.01
SETS = ("qlora", "ukp", "wildbench", "llmfao")
LEVEL = 0.005
"""Of one of the gate's two tests, at its default confidence level of 0.99."""
Measure = Callable[[list[str], IntArray, IntArray], FloatArray]


def jaccard(texts: list[str], first: IntArray, second: IntArray) -> FloatArray:
    """Of the distinct words."""
    rows = Shingles.of(texts, pairs=False).matrix()
    size = Shingles.of(texts, pairs=False).sizes
    shared = np.asarray(rows[first].multiply(rows[second]).sum(axis=1), np.float64)
    out: FloatArray = shared / np.maximum(size[first] + size[second] - shared, 1)
    return out


def measures(encode: Encode) -> dict[str, Measure]:
    """The score, and what it is held against."""

    def ours(texts: list[str], first: IntArray, second: IntArray) -> FloatArray:
        return scores(Sentences.of(texts, encode), first, second)

    def words_only(texts: list[str], first: IntArray, second: IntArray) -> FloatArray:
        return scores(Sentences.of(texts), first, second)

    def cosine(texts: list[str], first: IntArray, second: IntArray) -> FloatArray:
        vectors = encode(texts).astype(np.float64)
        out: FloatArray = (vectors[first] * vectors[second]).sum(axis=1)
        return out

    return {
        "ordered, words and vectors": ours,
        "ordered, words alone": words_only,
        "Jaccard of words": jaccard,
        "cosine of whole texts": cosine,
    }


def answers_of(data: Independent) -> Answers:
    """With copies in words, and models that copy one another counted once."""
    n = int(data.group.max()) + 1
    found = find_clones(
        response_texts=data.texts,
        prompt_of=data.group,
        prompt_texts=[f"prompt {k}" for k in range(n)],
        rng=np.random.default_rng(0),
    )
    alike = model_clones(data.source, data.group, found.labels, int(data.source.max()) + 1)
    return Answers.of_alternatives(
        data.texts, data.group, found.labels.labels, alike.labels[data.source]
    )


def pairs(folder: Path, encode: Encode) -> None:
    """Found at the threshold that 1 % of independent answers exceed, by strength."""
    records = invented()
    texts = [t for r in records for t in (r["original"], *(r[s] for s in STRENGTHS), *r["others"])]
    base = 6 * np.arange(len(records))
    items = published(folder)
    styles = [t for r in items for t in (*r["chosen"], *r["rejected"])]
    at = 6 * np.arange(len(items))
    rewrites = {
        f"rm_bench {name}": (at[keep] + i, at[keep] + j)
        for name, i, j in (("concise/detailed", 0, 1), ("detailed/markdown", 1, 2))
        for keep in [np.array([text_distance(r["chosen"][i], r["chosen"][j]) > 0.4 for r in items])]
    }
    nulls = {}
    for name in SETS:
        answers = answers_of(independent(name, folder))
        a, b = independent_pairs(answers, np.random.default_rng(0))
        some = np.sort(np.random.default_rng(1).permutation(a.size)[:4000])
        a, b = answers.text[a[some]], answers.text[b[some]]
        used, place = np.unique(np.concatenate([a, b]), return_inverse=True)
        nulls[name] = ([answers.texts[i] for i in used], place[: a.size], place[a.size :])
    print("| measure | null | pairs | " + " | ".join(
        f"{s}, {half}" for half in ("decided on", "held out") for s in STRENGTHS
    ) + " | others called | heavy AUC | " + " | ".join(rewrites) + " |")  # fmt: skip
    others = [(i, j) for i in range(4) for j in (4, 5)] + [(4, 5)]
    neg = (
        np.concatenate([base + i for i, _ in others]),
        np.concatenate([base + j for _, j in others]),
    )
    for label, measure in measures(encode).items():
        own = {s: measure(texts, base, base + k + 1) for k, s in enumerate(STRENGTHS)}
        apart = measure(texts, *neg)
        published_scores = {k: measure(styles, i, j) for k, (i, j) in rewrites.items()}
        held = {"other answers here": apart}
        held |= {name: measure(*null) for name, null in nulls.items()}
        for name, null in held.items():
            t = np.sort(null)[::-1][int(FPR * null.size)]
            cells = [f"{np.mean(own[s][half::2] > t):.2f}" for half in (0, 1) for s in STRENGTHS]
            auc = np.mean([(null < v).mean() + 0.5 * (null == v).mean() for v in own["heavy"]])
            cells += [f"{np.mean(apart > t):.3f}", f"{auc:.2f}"]
            cells += [f"{np.mean(v > t):.2f} of {v.size}" for v in published_scores.values()]
            print(f"| {label} | {name} | {null.size} | {' | '.join(cells)} |", flush=True)


def sets(folder: Path, encode: Encode) -> None:
    """What --paraphrase-fpr 0.01 finds on whole data sets, authors taken as models."""
    print("| set | answers | threshold | above, of independent | held out | pairs | found"
          " | clusters | s |")  # fmt: skip
    for name in (*SETS, "humour"):
        started = time.process_time()
        answers = answers_of(independent(name, folder))
        scored = Scored(answers, encode)
        found = find_paraphrases(scored, FPR, np.random.default_rng(0))
        spent = time.process_time() - started
        if isinstance(found, NotApplicable):
            print(f"| {name} | {answers.n} | {found.reason} |")
            continue
        h = found.held_out
        held = "—" if isinstance(h, NotApplicable) else f"{h.n_above} of {h.n} ({h.rate:.4f})"
        print(
            f"| {name} | {answers.n} | {found.threshold:.3f} | {found.n_above} of"
            f" {found.n_independent} | {held} | {found.n_pairs} | {found.n_found} |"
            f" {len(found.clusters)} | {spent:.0f} |",
            flush=True,
        )


def gate(folder: Path, encode: Encode, trials: int) -> None:
    """False alarms on clean splits, and power by strength and number of copies.

    A split takes a tenth of the answers, or of the prompts. A planted answer is old; the closeness
    of each of its copies is drawn from the scores of the invented rewrites of that strength, which
    leaves out that copies may be nearer to each other than to the answer.
    """
    records = invented()
    texts = [t for r in records for t in (r["original"], *(r[s] for s in STRENGTHS))]
    sentences = Sentences.of([*texts, *(t for r in records for t in r["others"])], encode)
    base = 4 * np.arange(len(records))
    strength = {s: scores(sentences, base, base + k + 1) for k, s in enumerate(STRENGTHS)}
    for name in (*SETS, "humour"):
        answers = answers_of(independent(name, folder))
        close = closeness(Scored(answers, encode), np.random.default_rng(0))
        rng = np.random.default_rng(7)
        alarms: dict[str, int] = defaultdict(int)
        for kind in ("answers", "prompts"):
            for _ in range(trials):
                new = _split(answers.group, kind, rng)
                alarms[kind] += _alarm(answers, close, new, rng)
        print(f"{name}: clean splits by answers {alarms['answers']} of {trials}, by prompts"
              f" {alarms['prompts']} of {trials}", flush=True)  # fmt: skip
        for s, values in strength.items():
            cells = []
            for copies in (3, 4, 8, 16):
                n = sum(
                    _alarm(*_planted(answers, close, values, copies, rng), rng)
                    for _ in range(max(trials // 4, 1))
                )
                cells.append(f"{copies}: {n / max(trials // 4, 1):.2f}")
            print(f"  {s}: {', '.join(cells)}", flush=True)


def _split(group: IntArray, kind: str, rng: np.random.Generator) -> np.ndarray:
    if kind == "answers":
        return rng.random(group.size) < 0.1
    prompts = np.unique(group)
    chosen = rng.choice(prompts, max(1, prompts.size // 10), replace=False)
    return np.isin(group, chosen)


def _planted(
    answers: Answers, close: FloatArray, values: FloatArray, copies: int, rng: np.random.Generator
) -> tuple[Answers, FloatArray, np.ndarray]:
    """Copies of one answer among a clean tenth; they stand under its prompt, behind all others."""
    new = _split(answers.group, "answers", rng)
    target = int(rng.choice(np.flatnonzero(~new)))
    drawn = rng.choice(values, copies)
    close = np.concatenate([close, drawn])
    close[target] = max(close[target], drawn.max())
    n = answers.n
    more = Answers(
        texts=answers.texts,
        of=np.arange(n + copies),
        text=np.concatenate([answers.text, np.full(copies, answers.text[target])]),
        group=np.concatenate([answers.group, np.full(copies, answers.group[target])]),
        near=np.arange(n + copies),
        source=np.full(n + copies, -1),
    )
    return more, close, np.concatenate([new, np.ones(copies, np.bool_)])


def _alarm(answers: Answers, close: FloatArray, new: np.ndarray, rng: np.random.Generator) -> bool:
    """Whether the rule CR621 would speak: three new ones or more at its level."""
    units = Answers(
        answers.texts, np.arange(answers.n), answers.text, answers.group, answers.near,
        answers.source,
    )  # fmt: skip
    found = tested(units, close, new, prompts_to_test(units.group, new, rng), rng)
    return any(
        r.p_value < LEVEL and r.new.size >= 3
        for test in (found.within, found.across)
        if not isinstance(test, NotApplicable)
        for r in test
    )


def main() -> None:
    """One part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("pairs", "sets", "gate"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--trials", type=int, default=100)
    args = parser.parse_args()
    backend = open_backend("static", cache_dir=default_cache_dir())
    cache = VectorCache(default_cache_dir())

    def encode(texts: Sequence[str]) -> Float32Array:
        return embed_texts(backend, texts, cache=cache)

    if args.part == "pairs":
        pairs(args.data, encode)
    elif args.part == "sets":
        sets(args.data, encode)
    else:
        gate(args.data, encode, args.trials)


if __name__ == "__main__":
    main()
