"""Scores of other tools on the same pairs; runs in an environment that has semhash,
text-dedup, datasketch and cleanlab[datalab].

    python competitors.py PAIRS.json VECTORS.npy OUT.json

PAIRS: [[a, b], ...]; VECTORS: unit rows, two per pair. semhash is given those vectors as its
encoder (its own default model is fetched from a hub) and asked per pair whether it drops one of
the two at its default threshold 0.9. text-dedup's MinHash: its ``embed_func`` with its defaults
(5-grams of words, at least 5 words, 250 permutations in the bands that are optimal for 0.7);
flagged if a band is equal, score = share of equal permutations. datasketch: MinHash over the set of
words, MinHashLSH with its defaults (threshold 0.9, 128 permutations), one index a pair. cleanlab:
near-duplicate issues of Datalab with its defaults over all texts and the given vectors; a pair is
flagged where one text is in the other's set.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from cleanlab import Datalab
from datasketch import MinHash, MinHashLSH
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


def datasketch_scores(pairs: list[list[str]]) -> tuple[list[bool], list[float]]:
    def signature(text: str) -> MinHash:
        made = MinHash()
        made.update_batch([w.encode() for w in set(text.split())])
        return made

    flags, scores = [], []
    for a, b in pairs:
        x, y = signature(a), signature(b)
        index = MinHashLSH()
        index.insert("a", x)
        flags.append(bool(index.query(y)))
        scores.append(float(x.jaccard(y)))
    return flags, scores


def cleanlab_flags(pairs: list[list[str]], vectors: np.ndarray) -> list[bool]:
    texts = [t for pair in pairs for t in pair]
    place: dict[str, int] = {}
    for t in texts:
        place.setdefault(t, len(place))
    first = {k: i for i, k in reversed(list(enumerate(place[t] for t in texts)))}
    features = np.stack([vectors[first[k]] for k in range(len(place))])
    lab = Datalab(data={"text": list(place)}, verbosity=0)
    lab.find_issues(features=features, issue_types={"near_duplicate": {}})
    sets = lab.get_issues("near_duplicate")["near_duplicate_sets"].tolist()
    near = [set(np.asarray(s).tolist()) for s in sets]
    return [place[b] in near[place[a]] or place[a] in near[place[b]] for a, b in pairs]


def main(pairs_path: str, vectors_path: str, out_path: str) -> None:
    with open(pairs_path, encoding="utf-8") as f:
        pairs = json.load(f)
    flags, scores = minhash(pairs)
    vectors = np.load(vectors_path)
    sketch_flags, sketch_scores = datasketch_scores(pairs)
    result = {
        "minhash_flag": [bool(f) for f in flags],
        "minhash_score": scores,
        "semhash_flag": semhash_flags(pairs, vectors),
        "datasketch_flag": sketch_flags,
        "datasketch_score": sketch_scores,
        "cleanlab_flag": cleanlab_flags(pairs, vectors),
    }
    with open(out_path, "w", encoding="utf-8") as f:
        json.dump(result, f)


if __name__ == "__main__":
    main(*sys.argv[1:])
