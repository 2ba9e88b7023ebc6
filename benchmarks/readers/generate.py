"""Write a seeded file of pairwise preference rows, about 1.5 kB each, as labelled JSONL.

    python benchmarks/readers/generate.py OUT.jsonl --rows 1000000 --seed 0

Every prompt has ten responses by ten systems; a tenth of the rows are ties. The texts are invented
words: what is measured is reading, not language.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import orjson

_SYLLABLES = [
    *("bacedifogukaleminopurasetivowaxeyizo"[i : i + 2] for i in range(0, 36, 2)),
    "én",
    "光",
]
_MODELS = 10


def words(rng: np.random.Generator, n: int) -> list[str]:
    """Invented words of two to four syllables."""
    picks = rng.integers(0, len(_SYLLABLES), size=(n, 4))
    lengths = rng.integers(2, 5, size=n)
    return ["".join(_SYLLABLES[p] for p in row[:k]) for row, k in zip(picks, lengths, strict=True)]


def write(path: Path, n_rows: int, seed: int) -> None:
    """One file of ``n_rows`` rows; the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array(words(rng, 5000))
    per_prompt = _MODELS * (_MODELS - 1) // 2
    pairs = [(i, j) for i in range(_MODELS) for j in range(i + 1, _MODELS)]
    written = 0
    with path.open("wb") as out:
        while written < n_rows:
            prompt = " ".join(rng.choice(vocabulary, size=30))
            lengths = rng.integers(40, 140, size=_MODELS)
            answers = [" ".join(rng.choice(vocabulary, size=int(n))) for n in lengths]
            labels = rng.choice(["model_a", "model_b", "tie"], size=per_prompt, p=[0.45, 0.45, 0.1])
            for (i, j), label in zip(pairs, labels, strict=True):
                if written == n_rows:
                    return
                row = {
                    "question_id": f"q{written // per_prompt}",
                    "prompt": prompt,
                    "model_a": f"system-{i}",
                    "response_a": answers[i],
                    "model_b": f"system-{j}",
                    "response_b": answers[j],
                    "winner": label,
                    "judge": f"judge-{int(rng.integers(0, 50))}",
                }
                out.write(orjson.dumps(row) + b"\n")
                written += 1


def write_distinct(path: Path, n_rows: int, seed: int) -> None:
    """The other extreme: every prompt and every response stands in one row only."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array(words(rng, 5000))
    with path.open("wb") as out:
        for _ in range(n_rows):
            lengths = rng.integers([20, 50, 50], [40, 130, 130])
            picks = rng.choice(vocabulary, size=int(lengths.sum()))
            a, b = int(lengths[0]), int(lengths[0] + lengths[1])
            row = {
                "prompt": " ".join(picks[:a]),
                "chosen": " ".join(picks[a:b]),
                "rejected": " ".join(picks[b:]),
            }
            out.write(orjson.dumps(row) + b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--distinct", action="store_true")
    args = parser.parse_args()
    (write_distinct if args.distinct else write)(args.out, args.rows, args.seed)


if __name__ == "__main__":
    main()
