"""Precision and recall of the clone test against other tools, on the same rows in one run.

    python -m benchmarks.clones.run [--other PYTHON] [--cache FOLDER] [--edits N] [--negatives N]

``--other`` is the interpreter of an environment with semhash, text-dedup, datasketch and
cleanlab[datalab]; without it only the tests that this project can run itself are compared. Prints
Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.clones.rows import TUNED, UNSEEN, Pair, pairs
from cr_audit.arrays import BoolArray, FloatArray
from cr_audit.clones.find import DEFAULT_RADIUS
from cr_audit.clones.noise import pair_distances
from cr_audit.embed import open_backend

PARTS = ("train", "held-out", "unseen")


def lexical_scores(rows: list[Pair]) -> tuple[FloatArray, BoolArray]:
    """(1 - distance, flag at the default radius); very short texts count as not near."""
    texts = sorted({t for r in rows for t in (r.a, r.b)})
    place = {t: i for i, t in enumerate(texts)}
    a = np.array([place[r.a] for r in rows])
    b = np.array([place[r.b] for r in rows])
    d = pair_distances(texts, a, b)
    return 1.0 - d, d <= DEFAULT_RADIUS + 1e-12


def measures(flag: BoolArray, label: BoolArray) -> tuple[float, float, float]:
    true = int((flag & label).sum())
    precision, recall = true / max(int(flag.sum()), 1), true / max(int(label.sum()), 1)
    return precision, recall, 2 * true / max(int(flag.sum() + label.sum()), 1)


def best_threshold(score: FloatArray, label: BoolArray) -> float:
    options = np.unique(score.round(3))
    return float(max(options, key=lambda t: measures(score >= t, label)[2]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--other")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--edits", type=int, default=25, help="pairs of each edit, set and part")
    parser.add_argument("--negatives", type=int, default=300, help="different answers, the same")
    args = parser.parse_args()
    everything = [p for d in (*TUNED, *UNSEEN) for p in pairs(d, args.edits, args.negatives)]
    rows = [r for r in everything if r.kind != "grey"]
    part = np.array([r.part for r in rows])
    kind = np.array([r.kind for r in rows])
    label = np.array([r.label for r in rows])
    texts = [t for r in rows for t in (r.a, r.b)]
    methods: dict[str, tuple[FloatArray, BoolArray, str]] = {}
    score, flag = lexical_scores(rows)
    methods["cr-audit"] = (score, flag, f"distance <= {DEFAULT_RADIUS}")
    static = open_backend("static", cache_dir=args.cache).encode(texts)
    cosine = np.einsum("ij,ij->i", static[::2].astype(np.float64), static[1::2])
    methods["cosine, static MiniLM"] = (cosine, cosine >= 0.95, "cosine >= 0.95")
    grams = open_backend("lexical").encode(texts)
    cosine_grams = np.einsum("ij,ij->i", grams[::2].astype(np.float64), grams[1::2])
    methods["cosine, character n-grams"] = (cosine_grams, cosine_grams >= 0.95, "cosine >= 0.95")
    if args.other:
        with tempfile.TemporaryDirectory() as folder:
            given, vectors, out = (Path(folder) / n for n in ("pairs.json", "v.npy", "out.json"))
            given.write_text(json.dumps([[r.a, r.b] for r in rows]), encoding="utf-8")
            np.save(vectors, static)
            script = Path(__file__).with_name("competitors.py")
            subprocess.run([args.other, script, given, vectors, out], check=True)
            other = json.loads(out.read_text(encoding="utf-8"))
        methods["semhash"] = (cosine, np.array(other["semhash_flag"]), "threshold 0.9")
        methods["text-dedup MinHash"] = (
            np.array(other["minhash_score"]),
            np.array(other["minhash_flag"]),
            "5-grams, threshold 0.7",
        )
        methods["datasketch MinHash"] = (
            np.array(other["datasketch_score"]),
            np.array(other["datasketch_flag"]),
            "words, threshold 0.9",
        )
        methods["cleanlab Datalab"] = (
            cosine,
            np.array(other["cleanlab_flag"]),
            "near_duplicate, 0.13 of the median distance",
        )
    n = {p: (int((label & (part == p)).sum()), int((~label & (part == p)).sum())) for p in PARTS}
    grey = sum(r.kind == "grey" for r in everything)
    print("Copies, different answers:", n, f"; {grey} grey pairs left out.\n")
    head = " | ".join(f"{p}: P / R / F1" for p in PARTS)
    print(f"| test | threshold | {head} |\n|---|---|" + "---|" * len(PARTS))
    for name, (score, flag, default) in methods.items():
        best = best_threshold(score[part == "train"], label[part == "train"])
        for how, flags in (
            (f"default: {default}", flag),
            (f"best on train: {best:.3f}", score >= best),
        ):
            cells = [
                "{:.3f} / {:.3f} / **{:.3f}**".format(*measures(flags[part == p], label[part == p]))
                for p in PARTS
            ]
            print(f"| {name} | {how} | {' | '.join(cells)} |")
    fresh = part != "train"
    print("\nFound, held-out and unseen rows together, default thresholds (other tools: best):\n")
    print("| edit | pairs | " + " | ".join(methods) + " |\n|---|---|" + "---|" * len(methods))
    for k in dict.fromkeys(kind.tolist()):
        these = fresh & (kind == k)
        shares = [
            (
                flag
                if name == "cr-audit"
                else s >= best_threshold(s[part == "train"], label[part == "train"])
            )[these].mean()
            for name, (s, flag, _) in methods.items()
        ]
        print(f"| {k} | {these.sum()} | " + " | ".join(f"{x:.3f}" for x in shares) + " |")
    print("\n| data set | different answers called near | copies found |\n|---|---|---|")
    dataset = np.array([r.dataset for r in rows])
    for d in (*TUNED, *UNSEEN):
        these = (dataset == d) & (fresh | np.isin(d, UNSEEN))
        wrong = methods["cr-audit"][1][these & ~label]
        right = methods["cr-audit"][1][these & label]
        print(f"| {d} | {int(wrong.sum())} of {wrong.size} | {int(right.sum())} of {right.size} |")


if __name__ == "__main__":
    main()
