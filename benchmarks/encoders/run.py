"""Which encoder should be the default? Clone shift of the weights, per encoder.

The templated case study (``cr_audit.simulate.case_study``: three topics, clones added to one),
embedded by each encoder; weights by Voronoi cells on the sphere. Preferences between topics are
exact, so a topic's weighted win rate is the sum over topics of (mass of the topic) times p, and its
change when clones come in is what the encoder lets through.
Run: python -m benchmarks.encoders.run
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from cr_audit.embed import default_cache_dir, embed_texts, open_backend
from cr_audit.simulate.case_study import N_RANKED, paris, topic_preferences
from cr_audit.weights.schemes.uniform import uniform_weights
from cr_audit.weights.voronoi import voronoi_weights

ENCODERS = ("static", "lexical", "all-MiniLM-L6-v2")


def topic_rates(weights: np.ndarray, topic: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Weighted win rate of each topic: float64 (n_topics,)."""
    mass = np.bincount(topic, weights=weights, minlength=N_RANKED)
    return p @ (mass / mass.sum())


def main() -> None:
    """Print one row per encoder: shift as a share of the uniform one, winner kept, seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS))
    args = parser.parse_args()
    p = topic_preferences()[:N_RANKED, :N_RANKED]
    for name in args.encoders:
        backend = open_backend(name, cache_dir=default_cache_dir())
        shares: dict[str, list[float]] = {"topic": [], "near": []}
        kept, seconds, n_texts = 0, 0.0, 0
        for seed in range(args.seeds):
            s = paris(per_topic=300, rng=np.random.default_rng(seed))
            start = time.perf_counter()
            vectors = embed_texts(backend, s.texts, cache=None)
            seconds += time.perf_counter() - start
            n_texts += len(set(s.texts))
            for kind, added in (("topic", s.added["topic"]), ("near", s.added["copies"])):
                rates = {}
                for label, mask in (("before", s.base), ("after", s.base | added)):
                    chosen = np.flatnonzero(mask)
                    rng = np.random.default_rng(seed)
                    w = voronoi_weights(vectors[chosen], rng=rng).weights
                    u = uniform_weights(chosen.size).weights
                    rates[label] = topic_rates(w, s.topic[chosen], p)
                    rates[label + " uniform"] = topic_rates(u, s.topic[chosen], p)
                moved = np.abs(rates["after"] - rates["before"]).max()
                plain = np.abs(rates["after uniform"] - rates["before uniform"]).max()
                shares[kind].append(moved / plain)
                truth = rates["before uniform"].argmax()
                kept += int(rates["after"].argmax() == truth)
        print(
            f"| {name} | {np.mean(shares['topic']):.2f} | {np.mean(shares['near']):.2f} |"
            f" {kept} of {2 * args.seeds} | {n_texts / seconds:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
