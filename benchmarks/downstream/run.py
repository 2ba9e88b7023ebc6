"""What weights, cleaning and resampling do to a reward model that is trained on the result.

    python benchmarks/downstream/run.py DATA_FOLDER [--seeds 10] [--sets ukp,humour,wildbench]

Per data set and seed: debates, sessions or texts are split, 70 % for training, 30 % stay untouched.
One answer of the training pairs, drawn at random, is copied until its copies stand in a given share
of the rows: every copy is the text with one or two letters swapped, and takes over one of the
answer's judgements. The set goes through `cr-audit export` (lexical encoder): as it is, cleaned,
weighted, resampled. A linear Bradley-Terry model on 512 hashed n-grams is trained on each (weighted
by cr_weight where there is one; the penalty by the likelihood of a fifth of the training pairs,
prompts or texts apart), and judged on the untouched pairs: the share that it orders right, and
whether its best text among the untouched ones is that of the model trained on the set without
copies. Printed: means over the seeds and 95 % intervals of the differences to "as it is", paired by
seed (Student's t).
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.stats import t as student

import cr_audit.api as api
from cr_audit.embed import open_backend
from cr_audit.export import EXITS

N_TRAIN, N_TEST = 600, 600
SHARES = (0.0, 0.05, 0.20, 0.50)
ARMS = ("as it is", "cleaned", "weighted", "resampled")
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
Row = dict[str, Any]


def lines(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def ukp(folder: Path) -> list[Row]:
    """Gold pairs of arguments; a group is a debate with its stance."""
    out = []
    for r in lines(folder / "ukp_convarg" / "pairs_gold.shared.jsonl.gz"):
        if r.get("goldLabel") in ("a1", "a2"):
            a, b = (r["a1"], r["a2"]) if r["goldLabel"] == "a1" else (r["a2"], r["a1"])
            prompt = f"{r['title']}: {r['stance']}"
            out.append({"prompt": prompt, "chosen": a, "rejected": b, "group": prompt})
    return out


def humour(folder: Path) -> list[Row]:
    """Pairs of short texts; there is no prompt, and a group is a text."""
    found = lines(folder / "humour_pairs" / "pairs.shared.jsonl.gz")
    return [
        {"prompt": "Which is funnier?", "chosen": r["winner"], "rejected": r["loser"], "group": ""}
        for r in found
        if r["winner"] != r["loser"]
    ]


def wildbench(folder: Path) -> list[Row]:
    """Pairs of model answers by one judge; a group is a session."""
    out = []
    for r in lines(folder / "wildbench_scores" / "pairs_llama3_family_text.shared.jsonl.gz"):
        a, b = r["output_1"], r["output_2"]
        if r["winner"] == "tie" or not a or not b or a == b:
            continue
        if r["winner"] in (r["model_2"], "model_2", "model_b"):
            a, b = b, a
        group = r["session_id"]
        out.append({"prompt": group, "chosen": a[:4000], "rejected": b[:4000], "group": group})
    return out


SETS: dict[str, Callable[[Path], list[Row]]] = {
    "ukp": ukp,
    "humour": humour,
    "wildbench": wildbench,
}


def split(rows: list[Row], rng: np.random.Generator) -> tuple[list[Row], list[Row]]:
    """Training and untouched pairs that share no group (no text, where there are no groups)."""
    if rows[0]["group"]:
        groups = sorted({r["group"] for r in rows})
        held = set(rng.permutation(groups)[: round(0.3 * len(groups))].tolist())
        train = [r for r in rows if r["group"] not in held]
        test = [r for r in rows if r["group"] in held]
    else:
        texts = sorted({r[s] for r in rows for s in ("chosen", "rejected")})
        held = set(rng.permutation(texts)[: round(0.3 * len(texts))].tolist())
        train = [r for r in rows if r["chosen"] not in held and r["rejected"] not in held]
        test = [r for r in rows if r["chosen"] in held and r["rejected"] in held]
    return (
        [train[i] for i in rng.permutation(len(train))[:N_TRAIN]],
        [test[i] for i in rng.permutation(len(test))[:N_TEST]],
    )


def typed_again(text: str, rng: np.random.Generator) -> str:
    """The text with one or two pairs of neighbouring letters swapped."""
    out = list(text)
    for _ in range(int(rng.integers(1, 3))):
        i = int(rng.integers(0, len(out) - 1))
        out[i], out[i + 1] = out[i + 1], out[i]
    return "".join(out)


def with_copies(rows: list[Row], share: float, rng: np.random.Generator) -> list[Row]:
    """Rows with copies of one answer in ``share`` of them, shuffled."""
    if not share:
        return list(rows)
    first = rows[int(rng.integers(len(rows)))]
    text, prompt = first["chosen" if rng.random() < 0.5 else "rejected"], first["prompt"]
    own = [r for r in rows if r["prompt"] == prompt and text in (r["chosen"], r["rejected"])]
    out = list(rows)
    for _ in range(round(len(rows) * share / (1 - share))):
        row = own[int(rng.integers(len(own)))]
        side = "chosen" if row["chosen"] == text else "rejected"
        out.append(row | {side: typed_again(text, rng)})
    return [out[i] for i in rng.permutation(len(out))]


def arms(rows: list[Row], folder: Path, seed: int) -> dict[str, tuple[list[Row], np.ndarray]]:
    """The four training sets, with weights, by the exits of one audit."""
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    settings = {"model": "lexical", "seed": seed, "schema": "chosen_rejected"}
    run = api._run(api._command("export"), str(source), None, False, settings)
    out = {"as it is": (rows, np.ones(len(rows)))}
    for arm, name in (("cleaned", "clean"), ("weighted", "rows"), ("resampled", "resample")):
        path = folder / f"{name}.jsonl"
        EXITS[name].export(run, path)
        made = [json.loads(x) for x in path.read_text(encoding="utf-8").splitlines()]
        out[arm] = (made, np.array([r.get("cr_weight", 1.0) for r in made]))
    return out


class Features:
    """Vectors of texts, each made once."""

    def __init__(self) -> None:
        self._backend, self._held = open_backend("lexical"), {}

    def of(self, texts: list[str]) -> np.ndarray:
        new = [t for t in dict.fromkeys(texts) if t not in self._held]
        if new:
            self._held |= dict(zip(new, self._backend.encode(new), strict=True))
        return np.stack([self._held[t] for t in texts]).astype(np.float64)

    def differences(self, rows: list[Row]) -> np.ndarray:
        return self.of([r["chosen"] for r in rows]) - self.of([r["rejected"] for r in rows])


def fit(x: np.ndarray, w: np.ndarray, penalty: float) -> np.ndarray:
    """argmin of the weighted mean of log(1 + exp(-x b)) + penalty |b|^2 / (2 n)."""
    w = w / w.sum()

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ b
        value = w @ np.logaddexp(0.0, -z) + penalty / len(x) * (b @ b) / 2
        return value, -(w * (1 / (1 + np.exp(z)))) @ x + penalty / len(x) * b

    return minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x


def trained(rows: list[Row], w: np.ndarray, features: Features, seed: int) -> np.ndarray:
    """The model; its penalty by the weighted likelihood of a fifth of the groups or texts."""
    x = features.differences(rows)
    names = sorted({r["group"] or r["chosen"][:20] for r in rows})
    rng = np.random.default_rng(seed)
    held = set(rng.permutation(names)[: max(1, len(names) // 5)].tolist())
    out = np.array([(r["group"] or r["chosen"][:20]) in held for r in rows])
    best = min(
        PENALTIES,
        key=lambda p: w[out] @ np.logaddexp(0.0, -x[out] @ fit(x[~out], w[~out], p)),
    )
    return fit(x, w, best)


def one(
    rows: list[Row], seed: int, features: Features
) -> dict[tuple[float, str], tuple[float, ...]]:
    """Accuracy, whether the leader is the clean one, and rows that the weights leave, by share and
    arm."""
    rng = np.random.default_rng(seed)
    train, test = split(rows, rng)
    x = features.differences(test)
    texts = sorted({r[s] for r in test for s in ("chosen", "rejected")})
    vectors = features.of(texts)
    clean = trained(train, np.ones(len(train)), features, seed)
    leader = int(np.argmax(vectors @ clean))
    found = {}
    for share in SHARES:
        given = with_copies(train, share, np.random.default_rng([seed, round(share * 100)]))
        with tempfile.TemporaryDirectory() as folder:
            for arm, (made, w) in arms(given, Path(folder), seed).items():
                b = trained(made, w, features, seed)
                right = float(np.mean(x @ b > 0))
                same = float(int(np.argmax(vectors @ b)) == leader)
                found[share, arm] = right, same, float(w.sum() ** 2 / (w @ w))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", default=",".join(SETS))
    asked = parser.parse_args()
    print("| set | copies | " + " | ".join(ARMS) + " | cleaned − as it is | weighted − as it is |"
          " resampled − as it is | same leader | effective rows |")  # fmt: skip
    print("|---|---|" + "---|" * (len(ARMS) + 5))
    for name in asked.sets.split(","):
        rows, features = SETS[name](asked.data), Features()
        runs = [one(rows, seed, features) for seed in range(asked.seeds)]
        for share in SHARES:
            table = {a: np.array([r[share, a] for r in runs]) for a in ARMS}
            cells = [f"{table[a][:, 0].mean():.3f}" for a in ARMS]
            for a in ARMS[1:]:
                gap = table[a][:, 0] - table[ARMS[0]][:, 0]
                half = student.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / len(gap) ** 0.5
                cells.append(f"{gap.mean():+.3f} ± {half:.3f}")
            cells.append(" / ".join(f"{table[a][:, 1].mean():.1f}" for a in ARMS))
            rows_left = [f"{table[a][:, 2].mean():.0f}" for a in ARMS[:3]]
            cells.append(" / ".join(rows_left))
            print(f"| {name} | {share:.0%} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
