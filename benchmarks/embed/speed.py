"""Speed and memory of the encoders and of the cache, each measured in a process of its own.

    python -m benchmarks.embed.speed [--responses FILE.jsonl.gz]

Invented texts of about 256 MiniLM tokens; with ``--responses`` also a real file, from its field
``model_output``. Prints a Markdown table. CPU seconds are summed over
threads and hold even where other programs take turns on the cores; the others need a quiet machine.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cr_audit.embed import VectorCache, embed_texts, open_backend
from cr_audit.embed.lexical import LexicalBackend

WORDS = ["the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with"]
WORDS += ["bread", "water", "stone", "paper", "letter", "garden", "window", "market", "river"]


def invented(n: int, n_words: int, seed: int) -> list[str]:
    """Texts of ``n_words`` words; each word is one MiniLM token."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=n_words)) for _ in range(n)]


def encode(backend_name: str, precision: str, texts: list[str], folder: Path) -> str:
    start, cpu = time.perf_counter(), time.process_time()
    backend = open_backend(backend_name, cache_dir=folder, precision=precision)  # type: ignore[arg-type]
    backend.encode(texts[:1])
    opened, opened_cpu = time.perf_counter() - start, time.process_time() - cpu
    start, cpu = time.perf_counter(), time.process_time()
    embed_texts(backend, texts)
    seconds = time.perf_counter() - start
    cpu = time.process_time() - cpu
    opening = f"{opened:.1f} ({opened_cpu:.1f})"
    return f"{opening} | {seconds:.2f} ({cpu:.2f}) | {len(texts) / seconds:,.0f}"


def cache(n: int, folder: Path) -> str:
    backend = LexicalBackend(384)
    keys = [hashlib.blake2b(str(i).encode(), digest_size=16).digest() for i in range(n)]
    vectors = np.random.default_rng(0).standard_normal((n, 384), dtype=np.float32)
    with VectorCache(folder) as store:
        start = time.perf_counter()
        for at in range(0, n, 8192):
            store.store(backend, keys[at : at + 8192], vectors[at : at + 8192])
        stored = time.perf_counter() - start
    out = np.zeros_like(vectors)
    with VectorCache(folder) as store:
        start = time.perf_counter()
        found = store.load(backend, keys, out, np.arange(n))
        loaded = time.perf_counter() - start
        size = store.size().n_bytes / 2**20
    assert found.all()
    assert np.array_equal(out, vectors)
    return f"stored in {stored:.2f} | loaded in {loaded:.2f} | {size:,.0f} MiB on disk"


def texts_of(job: str, responses: str) -> list[str]:
    if job == "real":
        with gzip.open(responses, "rt", encoding="utf-8") as lines:
            return [json.loads(line)["model_output"] for line in lines]
    n, words = (int(x) for x in job.split("x"))
    return invented(n, words, seed=0)


def child(kind: str, name: str, precision: str, job: str, folder: str, responses: str) -> None:
    if kind == "cache":
        row = cache(int(job), Path(folder))
    else:
        row = encode(name, precision, texts_of(job, responses), Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    label = "cache" if kind == "cache" else f"{name} {precision}"
    print(f"| {label} | {job} | {row} | {peak:,.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--responses", default="")
    parser.add_argument("--child", nargs=6)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    print("| encoder | texts x words | open, s (CPU s) | encode, s (CPU s) | texts/s | peak MiB |")
    print("|---|---|---|---|---|---|")
    minilm = "all-MiniLM-L6-v2"
    jobs = [
        ("encode", "static", "float32", "1x1"),  # distils
        ("encode", "static", "float32", "10000x254"),
        ("encode", "lexical", "float32", "5000x254"),
        ("encode", minilm, "float32", "200x254"),
        ("encode", minilm, "bfloat16", "400x254"),
        ("encode", minilm, "float32", "2000x20"),
        ("encode", minilm, "bfloat16", "2000x20"),
    ]
    if options.responses:
        jobs += [("encode", n, "float32", "real") for n in ("static", "lexical")]
    jobs += [("cache", "-", "-", n) for n in ("11010", "200000")]
    with tempfile.TemporaryDirectory() as folder:
        for i, job in enumerate(jobs):
            where = f"{folder}/{i}" if job[0] == "cache" else folder
            arguments = [*job, where, options.responses]
            command = [sys.executable, "-m", "benchmarks.embed.speed", "--child", *arguments]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
