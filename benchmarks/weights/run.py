"""Speed of the weights; how far clones move rewards is benchmarks/case_study.

    python benchmarks/weights/run.py speed
    python benchmarks/weights/run.py cells --vectors FILE.npz --items 2000

``speed`` prints a markdown table that compares the Monte-Carlo estimate with the bare matrix
products of the same shapes, alternately in one run, on the same number of threads. ``cells``
compares the samplers of Voronoi cells on the first items of a file of vectors (``vr`` of responses,
``vp`` of prompts, ``of`` the prompt of each response): processor time, relative error, and, with
``--truth N``, how far both are from N plain samples in standard errors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from cr_audit import engine
from cr_audit.weights.contexts import paired_contexts
from cr_audit.weights.samplers import SAMPLERS
from cr_audit.weights.sampling import Plan, plan
from cr_audit.weights.schemes.sharing import sharing_weights
from cr_audit.weights.spaces import Block, sphere_scores
from cr_audit.weights.voronoi import voronoi_weights


def bare_products(x: np.ndarray, schedule: Plan, workers: int) -> None:
    """The same products in the same blocks and threads, without draws, argmax or counts."""
    draws = np.random.default_rng(0).standard_normal((schedule.rows, x.shape[1]), dtype=np.float32)

    def work(first: int) -> None:
        out = np.empty((schedule.rows, x.shape[0]), dtype=np.float32)
        for block in range(first, schedule.n_blocks, workers):
            n = min(schedule.rows, schedule.n_products - block * schedule.rows)
            np.matmul(draws[:n], x.T, out=out[:n])

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))


def seconds(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def speed() -> None:
    workers = engine.cores()
    print(f"{workers} threads, median of 5\n")
    print("| items | d | samples | relative error | estimate s | products s | ratio | sharing s |")
    print("|---|---|---|---|---|---|---|---|")
    for m, d in ((1000, 384), (5000, 384), (11010, 384), (11010, 768)):
        x = np.random.default_rng(0).standard_normal((m, d)).astype(np.float32)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        schedule = plan(sphere_scores((Block(x),)), 100 * m, 1e11)
        ours, bare = [], []
        for _ in range(5):
            ours.append(
                seconds(
                    lambda x=x: voronoi_weights(
                        x, sampler="plain", max_products=1e11, rng=np.random.default_rng(1)
                    )
                )
            )
            bare.append(seconds(lambda x=x, s=schedule: bare_products(x, s, workers)))
        share = seconds(lambda x=x: sharing_weights(x, rng=np.random.default_rng(1)))
        a, b = float(np.median(ours)), float(np.median(bare))
        error = np.sqrt((m - 1) / schedule.n_samples)
        print(
            f"| {m:,} | {d} | {schedule.n_samples:,} | {error:.2f} | {a:.2f} | {b:.2f} "
            f"| {a / b:.2f} | {share:.2f} |",
            flush=True,
        )


def cells(path: str, n: int, truth: int, seeds: int) -> None:
    held = np.load(path)
    of = held["of"][:n]
    contexts = paired_contexts(held["vp"][: of.max() + 1], held["vr"][:n], of)
    known = None
    if truth:
        known = voronoi_weights(
            contexts, sampler="plain", min_samples=truth, precision=1.0, max_products=1e15,
            rng=np.random.default_rng(99),
        )  # fmt: skip
    print("| sampler | samples | relative error | processor s | left out | z rms | z max |")
    print("|---|---|---|---|---|---|---|")
    for sampler in SAMPLERS.names:
        for seed in range(seeds):
            start = time.process_time()
            w = voronoi_weights(contexts, sampler=sampler, rng=np.random.default_rng(seed))
            seconds = time.process_time() - start
            z = np.full(1, np.nan)
            if known is not None:
                some = known.weights > 0.3 / n
                error = np.hypot(known.standard_error, w.standard_error)[some]
                z = (w.weights - known.weights)[some] / error
            print(
                f"| {sampler} | {w.n_samples:,} | {w.max_relative_error:.3f} | {seconds:.1f} "
                f"| {w.settings.get('left_out', 0.0):.4f} | {np.sqrt(np.mean(z**2)):.2f} "
                f"| {np.abs(z).max():.1f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "cells"))
    parser.add_argument("--vectors")
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--truth", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    if given.what == "speed":
        speed()
    else:
        cells(given.vectors, given.items, given.truth, given.seeds)


if __name__ == "__main__":
    main()
