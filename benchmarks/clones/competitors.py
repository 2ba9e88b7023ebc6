"""Scores of other tools on the same pairs; runs in an environment that has semhash and text-dedup.

    python competitors.py PAIRS.json VECTORS.npy OUT.json

PAIRS: [[a, b], ...]; VECTORS: unit rows, two per pair. semhash is given those vectors as its
encoder (its own default model is fetched from a hub) and asked per pair whether it drops one of
the two at its default threshold 0.9. text-dedup's MinHash: its ``embed_func`` with its defaults
(5-grams of words, at least 5 words, 250 permutations in the bands that are optimal for 0.7);
flagged if a band is equal, score = share of equal permutations.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from semhash import SemHash
from text_dedup import minhash as td
from text_dedup.utils import optimal_param

PERMUTATIONS, THRESHOLD, NGRAM, MIN_LENGTH = 250, 0.7, 5, 5


class Given:
    """The encoder protocol over vectors that exist already."""

    def __init__(self, vectors: dict[str, np.ndarray]) -> None:
        self.vectors = vectors

    def encode(self, inputs: list[str], **_: object) -> np.ndarray:
        return np.stack([self.vectors[t] for t in inputs])


def semhash_flags(pairs: list[list[str]], vectors: np.ndarray) -> list[bool]:
    table = {t: vectors[i] for i, t in enumerate(t for pair in pairs for t in pair)}
    out = []
    for pair in pairs:
        kept = SemHash.from_records(pair, model=Given(table)).self_deduplicate().selected
        out.append(len(kept) < 2)
    return out


def minhash(pairs: list[list[str]]) -> tuple[list[bool], list[float]]:
    bands, rows = optimal_param(THRESHOLD, PERMUTATIONS, 0.5, 0.5)
    modulus = (1 << 61) - 1
    rng = np.random.RandomState(42)
    permutations = (
        rng.randint(1, modulus, size=(PERMUTATIONS,), dtype=np.uint64)[None, :],
        rng.randint(0, modulus, size=(PERMUTATIONS,), dtype=np.uint64)[None, :],
    )

    def signature(text: str, n_bands: int, n_rows: int) -> list[bytes]:
        return td.embed_func(
            content=text,
            idx=0,
            num_perm=PERMUTATIONS,
            ngram_size=NGRAM,
            min_length=MIN_LENGTH,
            hashranges=[(i * n_rows, (i + 1) * n_rows) for i in range(n_bands)],
            permutations=permutations,
            hash_func=td.xxh3_32hash,
            dtype=np.uint64,
            max_hash=np.uint64((1 << 32) - 1),
            modulo_prime=np.uint64(modulus),
        )["__signatures__"]

    flags, scores = [], []
    for a, b in pairs:
        x, y = signature(a, PERMUTATIONS, 1), signature(b, PERMUTATIONS, 1)
        # Texts below the minimum length are left out by the tool; their signature is constant.
        empty = len(set(x)) == 1 or len(set(y)) == 1
        same = [p == q and not empty for p, q in zip(x, y, strict=True)]
        scores.append(sum(same) / PERMUTATIONS)
        flags.append(any(all(same[i * rows : (i + 1) * rows]) for i in range(bands)))
    return flags, scores


def main(pairs_path: str, vectors_path: str, out_path: str) -> None:
    with open(pairs_path, encoding="utf-8") as f:
        pairs = json.load(f)
    flags, scores = minhash(pairs)
    result = {
        "minhash_flag": [bool(f) for f in flags],
        "minhash_score": scores,
        "semhash_flag": semhash_flags(pairs, np.load(vectors_path)),
    }
    with open(out_path, "w", encoding="utf-8") as f:
        json.dump(result, f)


if __name__ == "__main__":
    main(*sys.argv[1:])
