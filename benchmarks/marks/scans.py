"""Whole scans of data whose true order no weighting changes: how many report CR202, and how many
find changes that were planted.

python benchmarks/marks/scans.py [--runs N] [--votes 10] [--planted 0 0.05 0.1 0.2]

30 responses to one prompt, ten votes a pair or as many as asked for. Their vectors are one tight
bunch and three that stand apart, so that Voronoi weights have an effective share of about 0.15. On
nulls p = ½ + θx - θy, and both win rates have the order of θ; a planted change moves the weighted
rate of three responses by ``planted`` and leaves their average rate (``designs.draw``).
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np

from cr_audit.api import audit
from cr_audit.arrays import FloatArray

M, APART = 30, 3
SPREAD = 0.4
OPTIONS: dict[str, Any] = {"weights": "voronoi", "unit": "response", "radius": 0.001}


def vectors(rng: np.random.Generator) -> FloatArray:
    """float32 (M, 64): APART at random, the others within a twentieth of one direction."""
    out = rng.normal(size=(M, 64))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    bunch = rng.permutation(M)[APART:]
    out[bunch] = out[bunch[0]] + 0.05 * out[bunch]
    return out.astype(np.float32)


def weights_of(points: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Voronoi weights on the sphere, from 200,000 draws."""
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    nearest = (rng.normal(size=(200_000, unit.shape[1])) @ unit.T).argmax(axis=1)
    return np.bincount(nearest, minlength=M) / 200_000


def scan(planted: float, votes: int, rng: np.random.Generator) -> tuple[int, int, int, float]:
    """(responses flagged, of them truly moved, truly moved, effective share) of one scan."""
    points = vectors(rng)
    w = weights_of(points, rng)
    theta = SPREAD * rng.random(M)
    p = 0.5 + theta[:, None] - theta
    moved = rng.permutation(M)[:3] if planted else np.zeros(0, np.int64)
    lean = (w - 1.0 / M) / ((w - 1.0 / M) ** 2).sum()
    for x in moved:
        p[x] += planted * lean
        p[:, x] -= planted * lean
    p = np.clip(p, 0.0, 1.0)
    np.fill_diagonal(p, 0.5)
    one, two = p.mean(axis=1), p @ w
    true = (((one[:, None] > one) & (two[:, None] < two)) |
            ((one[:, None] < one) & (two[:, None] > two))).any(axis=1)  # fmt: skip
    if not planted:
        true[:] = False
    rows = [
        {"prompt": "q", "response_a": f"answer {i}", "response_b": f"answer {j}"}
        | {"winner": "model_a" if won else "model_b"}
        for i in range(M)
        for j in range(i + 1, M)
        for won in rng.random(votes) < p[i, j]
    ]
    found = audit(rows, embeddings=points, cache=False, **OPTIONS).to_dict()
    flagged = np.zeros(M, np.bool_)
    for rate in found["win_rates"]:
        flagged[int(rate["label"].split()[1])] = rate["flagged"]
    assert flagged.any() == any(f["rule"] == "CR202" for f in found["findings"])
    share = found["weights"]["effective_number"] / M
    return int(flagged.sum()), int((flagged & true).sum()), int(true.sum()), share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--votes", type=int, default=10)
    parser.add_argument("--planted", type=float, nargs="*", default=(0.0, 0.05, 0.1, 0.2))
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(
        "| votes a pair | planted | scans | effective share | with CR202 | marks | false"
        " | mean share false | truly moved a scan | found | processor s |\n" + "|---" * 11 + "|"
    )
    for planted in given.planted:
        start = time.process_time()
        runs = [
            scan(planted, given.votes, np.random.default_rng(seed)) for seed in range(given.runs)
        ]
        marks, right, true, share = (np.array(x, dtype=np.float64) for x in zip(*runs, strict=True))
        wrong = marks - right
        found = f"{right.sum() / true.sum():.2f}" if true.any() else "-"
        print(
            f"| {given.votes} | {planted} | {given.runs} | {share.mean():.2f}"
            f" | {int((marks > 0).sum())} | {int(marks.sum())} | {int(wrong.sum())}"
            f" | {np.mean(wrong / np.maximum(marks, 1)):.3f} | {true.mean():.1f} | {found}"
            f" | {time.process_time() - start:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
