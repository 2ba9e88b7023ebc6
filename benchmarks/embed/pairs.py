"""How well a cosine of each encoder ranks answers that are nearly the same text.

    python -m benchmarks.embed.pairs FILE.jsonl.gz ENCODER[:bfloat16] ... [--prompts N]

All pairs of answers to one prompt (fields ``session_id``, ``model_output``); the crude truth is the
Jaccard index of the two sets of words. Prints average precision (area under precision and recall)
for J >= 0.8 and J >= 0.6, and the best F1 with its threshold.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import re

import numpy as np

from cr_audit.arrays import BoolArray, FloatArray
from cr_audit.embed import default_cache_dir, embed_texts, open_backend


def average_precision(score: FloatArray, truth: BoolArray) -> tuple[float, float, float]:
    """(average precision, best F1, the threshold of the best F1)."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    rank = np.arange(1, truth.shape[0] + 1)
    f1 = 2 * hits / (rank + hits[-1])
    best = int(f1.argmax())
    area = float((hits / rank)[truth[order]].sum() / hits[-1])
    return area, float(f1[best]), float(score[order][best])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("encoders", nargs="+")
    parser.add_argument("--prompts", type=int, default=10**9)
    options = parser.parse_args()
    by_prompt: dict[str, list[str]] = {}
    with gzip.open(options.file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            by_prompt.setdefault(row["session_id"], []).append(row["model_output"])
    chosen = [by_prompt[k] for k in sorted(by_prompt)[: options.prompts]]
    texts = [t for group in chosen for t in group]
    words = [frozenset(re.findall(r"\w+", t.lower())) for t in texts]
    starts = np.cumsum([0, *map(len, chosen)]).tolist()
    pairs = np.array(
        [
            (i, j)
            for a, b in itertools.pairwise(starts)
            for i in range(a, b)
            for j in range(i + 1, b)
        ]
    )
    jaccard = np.array(
        [len(words[i] & words[j]) / max(len(words[i] | words[j]), 1) for i, j in pairs.tolist()]
    )
    print(
        f"{len(texts)} answers to {len(chosen)} prompts, {len(pairs)} pairs,",
        f"{int((jaccard >= 0.8).sum())} with J >= 0.8, {int((jaccard >= 0.6).sum())} >= 0.6",
    )
    print("| encoder | AP, J >= 0.8 | best F1 (cosine) | AP, J >= 0.6 | best F1 (cosine) |")
    print("|---|---|---|---|---|")
    for encoder in options.encoders:
        name, _, precision = encoder.partition(":")
        backend = open_backend(
            name, cache_dir=default_cache_dir(), precision=precision or "float32"
        )  # type: ignore[arg-type]
        vectors = embed_texts(backend, texts)
        cosine = (vectors[pairs[:, 0]] * vectors[pairs[:, 1]]).sum(axis=1).astype(np.float64)
        cells = [
            f"{a:.3f} | {f:.3f} ({t:.3f})"
            for a, f, t in (average_precision(cosine, jaccard >= j) for j in (0.8, 0.6))
        ]
        print(f"| {encoder} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
