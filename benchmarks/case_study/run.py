"""How far clones move linear rewards under each scheme of weights, exact preferences, full size.

    python benchmarks/case_study/run.py measure --seeds 0 1 2 3 4 --out FOLDER
    python benchmarks/case_study/run.py table --out FOLDER

``measure`` writes one JSON file per seed (a few minutes each);
``table`` prints the markdown table of benchmarks/README.md from them. ``--sentences 1 3`` makes
short texts, of which one edit changes more.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cr_audit.clones.find import find_clones
from cr_audit.embed import VectorCache, default_cache_dir, embed_texts, open_backend
from cr_audit.models.rewards.linear import fit_linear
from cr_audit.simulate.case_study import (
    CLONED,
    CLONES,
    PENALTY,
    Texts,
    exact_pairs,
    paris,
    topic_means,
)
from cr_audit.simulate.descriptions import PROMPT, SENTENCES
from cr_audit.weights.estimates import Weights, known_weights
from cr_audit.weights.schemes.cluster import cluster_weights
from cr_audit.weights.schemes.sharing import sharing_weights
from cr_audit.weights.schemes.uniform import uniform_weights
from cr_audit.weights.spaces import SPACES
from cr_audit.weights.voronoi import voronoi_weights

PER_TOPIC = 300
BUDGET = 2e10  # multiplications per Monte-Carlo estimate: 116,000 samples of 900 texts
WIDTHS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9)


def schemes(x: np.ndarray, texts: list[str], seed: int) -> Iterator[tuple[str, Weights]]:
    """Name and weights, the same seed for each."""

    def rng() -> np.random.Generator:
        return np.random.default_rng(seed)

    yield "standard (uniform)", uniform_weights(len(x))
    for space in SPACES:
        w = voronoi_weights(x, space=space, max_products=BUDGET, rng=rng())
        yield f"voronoi, {space}", w
    labels = find_clones(
        response_texts=texts,
        prompt_of=np.zeros(len(texts), dtype=np.int64),
        prompt_texts=[PROMPT],
        response_vectors=x.astype(np.float32),
        rng=rng(),
    ).labels.labels
    yield "cluster", cluster_weights(labels)
    yield "sharing, as recommended", sharing_weights(x, clusters=labels, rng=rng())
    yield "sharing, clones not merged", sharing_weights(x, rng=rng())
    for width in WIDTHS:
        yield f"sharing, width {width}", sharing_weights(x, width=width, clusters=labels)
    # One text of each clone cluster is weighed; the cluster's texts share its weight.
    _, first, of, size = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    merged = voronoi_weights(x[first], max_products=BUDGET, rng=rng()).weights
    yield "clusters merged, then sphere", known_weights("voronoi", merged[of] / size[of], of, {})


def measure(seed: int, model: str, sentences: tuple[int, int]) -> dict[str, object]:
    data = paris(per_topic=PER_TOPIC, sentences=sentences, rng=np.random.default_rng(seed))
    backend = open_backend(model, cache_dir=default_cache_dir(), notice=print)
    cache = VectorCache(default_cache_dir(), notice=print)
    vectors = embed_texts(backend, data.texts, cache=cache).astype(np.float64)
    rewards: dict[str, dict[str, list[float]]] = {}
    found: dict[str, dict[str, float]] = {}
    for kind in (None, *CLONES):
        used, start = data.used(kind), time.perf_counter()
        x, topic = vectors[used], data.topic[used]
        texts = [t for t, u in zip(data.texts, used, strict=True) if u]
        pairs = exact_pairs(topic)
        for name, weights in schemes(x, texts, seed):
            fit = fit_linear(pairs, x, weights.weights, penalty=PENALTY)
            assert fit.converged, (seed, kind, name, fit.status)
            rewards.setdefault(name, {})[kind or "none"] = topic_means(fit.rewards, topic).tolist()
            if weights.settings.get("width_found"):
                found[f"{name}; {kind or 'none'}"] = dict(weights.settings)
        print(f"seed {seed}, {kind or 'none'}: {time.perf_counter() - start:.0f} s", flush=True)
    distance = copy_distances(vectors, data)
    return {
        "seed": seed,
        "model": backend.name,
        "words": int(np.median([len(t.split()) for t in data.texts])),
        "copies": distance,
        "rewards": rewards,
        "found": found,
    }


def copy_distances(vectors: np.ndarray, data: Texts) -> dict[str, float]:
    """Median distance of a copy to its original, and of an original to the next one."""
    original = vectors[data.base & (data.topic == CLONED)]
    copies = vectors[data.added["copies"]].reshape(len(original), -1, vectors.shape[1])
    products = original @ original.T
    np.fill_diagonal(products, -1.0)
    return {
        "a copy to its original": float(
            np.median(np.linalg.norm(copies - original[:, None], axis=2))
        ),
        "an original to the next text": float(np.median(np.sqrt(2 - 2 * products.max(axis=1)))),
    }


def table(folder: Path) -> None:
    runs = [json.loads(p.read_text()) for p in sorted(folder.glob("seed_*.json"))]
    print(f"{len(runs)} seeds, {runs[0]['model']}; median words", [r["words"] for r in runs])
    for what in runs[0]["copies"]:
        print(f"median distance of {what}:", ", ".join(f"{r['copies'][what]:.3f}" for r in runs))
    print()
    heads = [f"{kind}: shift (share; range)" for kind in CLONES]
    print("| weights |", " | ".join(heads), "| winner kept (topic, copies) |")
    print("|---" * (len(heads) + 2) + "|")

    def shifts(name: str, kind: str) -> np.ndarray:
        pairs = [(r["rewards"][name]["none"], r["rewards"][name][kind]) for r in runs]
        return np.array([np.abs(np.subtract(a, b)).max() for a, b in pairs])

    plain = {kind: shifts("standard (uniform)", kind) for kind in CLONES}
    for name in runs[0]["rewards"]:
        cells = []
        for kind in CLONES:
            s = shifts(name, kind)
            each = s / plain[kind]
            share = s.mean() / plain[kind].mean()
            cells.append(f"{s.mean():.3f} ({share:.3f}; {each.min():.2f}-{each.max():.2f})")
        kept = sum(
            int(np.argmax(r["rewards"][name][kind])) == CLONED
            for r in runs
            for kind in ("topic", "copies")
        )
        print(f"| {name} |", " | ".join(cells), f"| {kept} of {2 * len(runs)} |")
    print()
    print("width found (strength; gain / cost)")
    for key in runs[0]["found"]:
        print(key, ", ".join(searched(r["found"][key]) for r in runs))


def searched(found: dict[str, float]) -> str:
    worth = (1 - found["expected_shift"]) / (1 - found["effective_share"])
    return f"{found['width_searched']:.2f} ({found['strength']:.2f}; {worth:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("measure", "table"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--sentences", type=int, nargs=2, default=SENTENCES)
    parser.add_argument("--out", type=Path, default=Path("."))
    given = parser.parse_args()
    if given.what == "table":
        table(given.out)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in given.seeds:
        text = json.dumps(measure(seed, given.model, tuple(given.sentences)), indent=1)
        (given.out / f"seed_{seed}.json").write_text(text)


if __name__ == "__main__":
    main()
