"""Copies among the responses of generated pairs, by cr-audit and by what others use, in one run:
``python -m benchmarks.size.peers FILE [JSON]`` (extra ``bench``).

The truth is what the generator planted: rejected answers that are the chosen one with three words
changed (told by comparing the two word by word). *found* is the share of planted pairs that a tool
names; *wrong* the pairs that it names and nobody planted. Every tool gets the same list of texts
and one worker; a peer is shown at the threshold with the most found among those with the fewest
wrong pairs (``BEST`` weighs them), and at every threshold in the JSON. Each tool runs in a process
of its own, so that peaks are its own: time is processor time, all threads, from the texts in memory
to the list of pairs; what a tool loads first (libraries, an encoder's table) is not counted.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

AGAIN: list[float] = []
"""Processor time of searches after the first, at other thresholds."""
Pairs = set[tuple[int, int]]
Search = Callable[[list[str]], dict[float, Pairs]]
_LARGEST_BAND = 400
"""Texts of one band that are paired: more is a band of nothing in particular."""


def read(path: str) -> tuple[list[str], Pairs]:
    """Responses, and which two of them are copies by the generator's hand."""
    texts, planted = list[str](), set()
    with Path(path).open() as file:
        for line in file:
            row = json.loads(line)
            a, b = row["chosen"].split(), row["rejected"].split()
            if len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) <= 3:
                planted.add((len(texts), len(texts) + 1))
            texts += [row["chosen"], row["rejected"]]
    return texts, planted


def cr_audit(texts: list[str]) -> dict[float, Pairs]:
    """The search across prompts: prefix filter, every pair verified."""
    from cr_audit import engine
    from cr_audit.clones.in_blocks import index_of
    from cr_audit.clones.pairs import text_pairs

    order = sorted(range(len(texts)), key=texts.__getitem__)
    with engine.using(workers=1):
        found = text_pairs(index_of([texts[i] for i in order]), 0.4)
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    return {0.6: {tuple(sorted((order[a], order[b]))) for a, b in pairs}}  # type: ignore[misc]


def rensa(texts: list[str]) -> dict[float, Pairs]:
    """R-MinHash of words and word pairs, 128 permutations, 16 bands; estimated likeness."""
    from rensa import RMinHash, RMinHashLSH

    lsh = RMinHashLSH(threshold=0.5, num_perm=128, num_bands=16)
    sketches = []
    for i, text in enumerate(texts):
        words = text.split()
        sketch = RMinHash(num_perm=128, seed=42)
        sketch.update(words + [f"{a} {b}" for a, b in pairwise(words)])
        lsh.insert(i, sketch)
        sketches.append(sketch)
    out: dict[float, Pairs] = {t: set() for t in (0.4, 0.5, 0.6, 0.7, 0.8)}
    for i, sketch in enumerate(sketches):
        for j in lsh.query(sketch):
            if i < j:
                estimate = sketch.jaccard(sketches[j])
                for t, pairs in out.items():
                    if estimate >= t:
                        pairs.add((i, j))
    return out


def minhash(texts: list[str], n_grams: int = 5, n_perm: int = 256) -> dict[float, Pairs]:
    """As text-dedup does it: word 5-grams, 256 permutations modulo 2^61 - 1, bands, no check."""
    rng = np.random.RandomState(42)
    prime, most = np.uint64((1 << 61) - 1), np.uint64((1 << 32) - 1)
    a = rng.randint(1, int(prime), n_perm, dtype=np.uint64)
    b = rng.randint(0, int(prime), n_perm, dtype=np.uint64)
    sketches = np.full((len(texts), n_perm), most, np.uint64)
    for i, text in enumerate(texts):
        words = text.split()
        grams = {
            hash(" ".join(words[k : k + n_grams])) & 0xFFFFFFFF
            for k in range(max(len(words) - n_grams + 1, 1))
        }
        hashes = np.fromiter(grams, np.uint64, len(grams))
        sketches[i] = ((hashes[:, None] * a + b) % prime & most).min(axis=0)
    out = {}
    for threshold, rows in ((0.5, 4), (0.7, 8), (0.8, 12)):
        pairs: Pairs = set()
        for band in range(n_perm // rows):
            part = np.ascontiguousarray(sketches[:, band * rows : (band + 1) * rows])
            _, label, size = np.unique(
                part.view(f"V{8 * rows}").ravel(), return_inverse=True, return_counts=True
            )
            order = np.argsort(label, kind="stable")
            ends = np.cumsum(size)
            for k in np.flatnonzero((size > 1) & (size <= _LARGEST_BAND)).tolist():
                held = np.sort(order[ends[k] - size[k] : ends[k]]).tolist()
                pairs |= {(x, y) for n, x in enumerate(held) for y in held[n + 1 :]}
        out[threshold] = pairs
    return out


class _Encoder:
    """cr-audit's static vectors as semhash wants an encoder: its own is not to be had offline."""

    def __init__(self) -> None:
        from cr_audit.embed import open_backend

        self._backend = open_backend("static")

    def encode(self, texts: list[str], **_: Any) -> Any:
        return self._backend.encode(list(texts))


def semhash(texts: list[str]) -> dict[float, Pairs]:
    """Nearest neighbours of vectors above a cosine (usearch), with cr-audit's static vectors."""
    from semhash import SemHash

    # Positions, because semhash knows records by their text.
    index: dict[str, int] = {}
    for i, text in enumerate(texts):
        index.setdefault(text, i)
    made = SemHash.from_records(records=texts, model=_Encoder())
    out: dict[float, Pairs] = {}
    for t in (0.97, 0.98, 0.99, 0.995, 0.998):
        started = time.process_time()
        pairs: Pairs = set()
        for record in made.self_deduplicate(threshold=t).filtered:
            for other, _ in record.duplicates:
                i, j = index[record.record], index[str(other)]
                pairs.add((min(i, j), max(i, j)))
        out[t] = pairs
        if len(out) > 1:  # a user searches once
            AGAIN.append(time.process_time() - started)
    return out


TOOLS: dict[str, Search] = {
    "cr-audit": cr_audit,
    "rensa": rensa,
    "MinHash as in text-dedup": minhash,
    "semhash": semhash,
}


def _one(name: str, path: str, out: Any) -> None:
    texts, planted = read(path)
    TOOLS[name](texts[:64])  # libraries and tables are loaded
    AGAIN.clear()
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    clock = time.perf_counter()
    found = TOOLS[name](texts)
    rows = [
        {
            "threshold": t,
            "found": len(pairs & planted) / max(len(planted), 1),
            "wrong": len(pairs - planted),
        }
        for t, pairs in found.items()
    ]
    out.put(
        {
            "tool": name,
            "seconds": time.process_time() - started - sum(AGAIN),
            "clock": time.perf_counter() - clock,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "texts_mib": before / 1024,
            "n_texts": len(texts),
            "n_planted": len(planted),
            "thresholds": rows,
        }
    )


def best(rows: list[dict[str, float]]) -> dict[str, float]:
    """Most found first, of those that find 95 % fewest wrong."""
    good = [r for r in rows if r["found"] >= 0.95]
    return min(good, key=lambda r: r["wrong"]) if good else max(rows, key=lambda r: r["found"])


def main(arguments: list[str]) -> None:
    """One row of a table for each tool."""
    context = multiprocessing.get_context("spawn")
    results = []
    print("| tool | threshold | found | wrong | processor time | peak |", flush=True)
    print("|---|---|---|---|---|---|", flush=True)
    names = arguments[2:] or list(TOOLS)
    for name in names:
        queue = context.Queue()
        process = context.Process(target=_one, args=(name, arguments[0], queue))
        process.start()
        while process.is_alive() and queue.empty():
            time.sleep(0.5)
        if queue.empty():
            print(f"| {name} | did not finish | | | | |", flush=True)
            continue
        result = queue.get()
        process.join()
        results.append(result)
        b = best(result["thresholds"])
        print(
            f"| {name} | {b['threshold']:g} | {b['found']:.3f} | {b['wrong']:,} |"
            f" {result['seconds']:.1f} s | {result['peak_mib']:,.0f} MiB |",
            flush=True,
        )
    if len(arguments) > 1:
        Path(arguments[1]).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
