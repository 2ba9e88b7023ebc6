"""What sharing weights and prompt clones would be, read off lists of nearest neighbours.

    python -m benchmarks.weights.from_graph FILE ...

For each data set: the width that ``sharing`` finds, D = 1 + sum_j max(0, 1 - d / width) over all
items and over the 80 nearest of each alone, what share of D - 1 these hold, and how far the weights
move; then pairs of prompts that are near in words (the test of copies) and near in the vectors
(cosine 0.96, the default where there are no texts), and how many are both. Processor seconds.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from cr_audit import engine
from cr_audit.analysis.compose import duplicate_labels, text_codes_of
from cr_audit.analysis.embedding import embed
from cr_audit.analysis.facts import Embedding
from cr_audit.clones.meaning import NEIGHBOURS
from cr_audit.clones.nearest import nearest_of
from cr_audit.clones.pairs import TextIndex, text_pairs
from cr_audit.clones.shingles import Shingles
from cr_audit.embed import open_backend
from cr_audit.readers import read
from cr_audit.texts import Texts
from cr_audit.weights.contexts import paired_contexts
from cr_audit.weights.distinct import distinct_items
from cr_audit.weights.schemes.sharing import _densities
from cr_audit.weights.schemes.sharing_width import find_width

COSINE, RADIUS, MOST = 0.96, 0.4, 9_000


def main(files: list[str]) -> None:
    backend = open_backend("static", notice=print)
    for file in files:
        data = read([file], max_skipped=1.0)
        found = embed(data, backend)
        assert isinstance(found, Embedding)
        print(f"\n{file}: {data.n_alternatives:,} responses, {data.n_prompts:,} prompts")
        if data.n_prompts > 1:
            contexts = paired_contexts(found.prompt_vectors, found.response_vectors, data.prompt_of)
        else:
            contexts = found.response_vectors
        items = distinct_items(
            contexts, duplicate_labels(data.prompt_of, text_codes_of(data)), None
        )
        if items.n > MOST:
            some = np.sort(np.random.default_rng(0).choice(items.n, MOST, replace=False))
            items = items.some(some)
        with engine.using(workers=1):
            sharing(items)
            prompts(data, found.prompt_vectors)


def sharing(items: Any) -> None:
    started = time.process_time()
    width = find_width([items], rng=np.random.default_rng(0)).width
    searched = time.process_time() - started
    started = time.process_time()
    every, _ = _densities(items, width, None, None)
    whole = time.process_time() - started
    started = time.process_time()
    rows = items.joined(np.arange(items.n))
    _, away = nearest_of(rows, rows, NEIGHBOURS + 1)
    listed = np.maximum(1.0 - away / width, 0.0).sum(axis=1)  # itself is the 1
    by_lists = time.process_time() - started
    held = (listed - 1.0) / np.maximum(every - 1.0, 1e-12)
    a, b = (1.0 / d / (1.0 / d).sum() for d in (every, listed))
    moved = np.abs(b / a - 1.0)
    print(
        f"{items.n:,} items, width {width:.3f} ({searched:.1f} s), D in the median"
        f" {np.median(every):.0f}, of which the {NEIGHBOURS} nearest hold {np.median(held):.3f};"
        f" weights move by {np.median(moved):.3f} (median), {np.quantile(moved, 0.95):.3f} (95 %),"
        f" correlation {np.corrcoef(a, b)[0, 1]:.2f}; all distances {whole:.1f} s,"
        f" lists {by_lists:.1f} s"
    )


def prompts(data: Any, vectors: Any) -> None:
    texts, rank = Texts(data.prompts["text"]).ranked()
    if len(texts) < 2:
        return
    first = np.zeros(len(texts), np.int64)
    first[rank[rank >= 0]] = np.flatnonzero(rank >= 0)
    started = time.process_time()
    pairs = text_pairs(TextIndex(Shingles.of(list(texts))), RADIUS)
    by_words = time.process_time() - started
    started = time.process_time()
    rows = vectors[first]
    k = min(NEIGHBOURS, len(texts) - 1)
    near, away = nearest_of(rows, rows, k + 1)
    by_lists = time.process_time() - started
    i = np.repeat(np.arange(len(texts)), k + 1)
    close = (away.ravel() <= np.sqrt(2 - 2 * COSINE)) & (near.ravel() > i)
    listed = {(int(a), int(b)) for a, b in zip(i[close], near.ravel()[close], strict=True)}
    worded = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    print(
        f"{len(texts):,} prompts: {len(worded)} pairs by words ({by_words:.2f} s), {len(listed)} by"
        f" vectors ({by_lists:.2f} s), {len(worded & listed)} both"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
