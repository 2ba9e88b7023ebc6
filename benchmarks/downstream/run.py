"""What weights, cleaning and resampling do to a reward model that is trained on the result.

    python -m benchmarks.downstream.run DATA_FOLDER --out results.jsonl
        [--seeds 8] [--sets ukp,humour,wildbench] [--models linear,mlp,lm]
    python -m benchmarks.downstream.run --table results.jsonl

Per data set and seed: debates, texts or sessions are split, 70 % for training, 30 % stay untouched.
One answer of the training pairs, drawn at random, is copied until its copies stand in a given share
of the rows: every copy is the text with one or two letters swapped, and takes over one of the
answer's judgements. The set goes through ``cr-audit export`` (lexical encoder, default settings):
as it is, cleaned, weighted, resampled. A reward model is trained on each (models.py), and judged on
the untouched pairs: the share that it orders right, how often its best text among the untouched
ones (the leader) won there, and whether that is the leader of the model trained on the set without
copies. Results are added to ``--out`` as they come, one line each, and what
stands there is not computed again. The table: means over seeds, and 95 % intervals of the
differences to "as it is", paired by seed and set (Student's t).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

import cr_audit.api as api
from benchmarks.downstream.models import (
    MLP_PENALTIES,
    PENALTIES,
    Features,
    Head,
    Score,
    linear,
    mlp,
    on_features,
)
from benchmarks.downstream.sets import SETS, Row, split, with_copies
from cr_audit.export import EXITS
from cr_audit.export.rows import weights_of
from cr_audit.export.source import table_of

SIZES = {"linear": (600, 600), "mlp": (600, 600), "lm": (300, 600)}
SHARES = (0.0, 0.05, 0.20, 0.50)
ARMS = ("as it is", "cleaned", "weighted", "resampled")
Key = tuple[str, int, float, str, str]


def arms(rows: list[Row], folder: Path, seed: int) -> dict[str, tuple[list[Row], np.ndarray]]:
    """The four training sets, with weights, by the exits of one audit."""
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    settings = {"model": "lexical", "seed": seed, "schema": "chosen_rejected"}
    run = api._run(api._command("export"), str(source), None, False, settings)
    out = {"as it is": (rows, np.ones(len(rows)))}
    for arm, name in (("cleaned", "clean"), ("resampled", "resample")):
        path = folder / f"{name}.jsonl"
        EXITS[name].export(run, path)
        made = [json.loads(x) for x in path.read_text(encoding="utf-8").splitlines()]
        out[arm] = (made, np.ones(len(made)))
    table = table_of(run)
    weight = np.zeros(len(rows))
    weight[(table.key & ((1 << 44) - 1)) - 1] = weights_of(run, table).weight
    return out | {"weighted": (rows, weight)}


def judged(score: Score, test: list[Row]) -> dict[str, float]:
    """What a model is worth on untouched pairs."""
    texts = sorted({r[s] for r in test for s in ("chosen", "rejected")})
    reward = dict(zip(texts, score(texts).tolist(), strict=True))
    gap = np.array([reward[r["chosen"]] - reward[r["rejected"]] for r in test])
    leader = max(texts, key=lambda t: (reward[t], t))
    met = [r["chosen"] == leader for r in test if leader in (r["chosen"], r["rejected"])]
    return {
        "right": float(np.mean(np.where(gap == 0, 0.5, gap > 0))),
        "leader_wins": float(np.mean(met)),
        "leader": leader[:40],
    }


def computed(asked: Any, known: set[Key]) -> Iterable[dict[str, Any]]:
    """Every result that is not known yet, seeds outermost, so that all sets grow alike."""
    names = asked.models.split(",")
    features = Features()
    trains: dict[str, Any] = {
        "linear": on_features(linear, features, PENALTIES),
        "mlp": on_features(mlp, features, MLP_PENALTIES),
    }
    if "lm" in names:
        trains["lm"] = Head()
    data = {name: SETS[name](asked.data) for name in asked.sets.split(",")}
    sizes = sorted({SIZES[m] for m in names})
    for seed in range(asked.first, asked.seeds):
        for name, rows in data.items():
            for size in sizes:
                models = [m for m in names if SIZES[m] == size]
                train, test = split(rows, *size, np.random.default_rng(seed))
                for share in SHARES:
                    wanted = [
                        (arm, m)
                        for arm in ARMS
                        for m in models
                        if (name, seed, share, arm, m) not in known
                    ]
                    if not wanted:
                        continue
                    draw = np.random.default_rng([seed, round(share * 100)])
                    with tempfile.TemporaryDirectory() as folder:
                        sets = arms(with_copies(train, share, draw), Path(folder), seed)
                    for arm, m in wanted:
                        made, w = sets[arm]
                        yield {
                            "set": name,
                            "seed": seed,
                            "copies": share,
                            "arm": arm,
                            "model": m,
                            "rows": len(made),
                            "effective": float(w.sum() ** 2 / (w @ w)),
                            **judged(trains[m](made, w, seed), test),
                        }


def key(r: dict[str, Any]) -> Key:
    return r["set"], r["seed"], r["copies"], r["arm"], r["model"]


def gap_of(found: dict[Key, dict[str, Any]], arm: str, chosen: list[Key], what: str) -> str:
    """Mean difference to "as it is" over the runs, with its 95 % interval."""
    gap = np.array([found[(*k[:3], arm, k[4])][what] - found[k][what] for k in chosen])
    if len(gap) < 2:
        return f"{gap.mean():+.3f}"
    half = student.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / len(gap) ** 0.5
    return f"{gap.mean():+.3f} ± {half:.3f}"


def table(results: list[dict[str, Any]]) -> None:
    """By model and share over all sets, then by set."""
    found = {key(r): r for r in results}
    base = [k for k in found if k[3] == ARMS[0] and all((*k[:3], a, k[4]) in found for a in ARMS)]
    base = [k for k in base if (*k[:2], 0.0, ARMS[0], k[4]) in found]
    groups: dict[tuple[str, str, float], list[Key]] = defaultdict(list)
    for k in base:
        groups[k[4], "all", k[2]].append(k)
        groups[k[4], k[0], k[2]].append(k)
    head = [
        "model",
        "set",
        "copies",
        "runs",
        "effective rows",
        "right",
        *(f"{a}: right" for a in ARMS[1:]),
    ]
    head += ["leader wins", *(f"{a}: leader" for a in ARMS[1:]), "leader of the set without copies"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    order = list(SIZES)
    for g in sorted(groups, key=lambda g: (order.index(g[0]), g[1] != "all", g[1], g[2])):
        chosen = groups[g]
        rows = [
            f"{np.mean([found[(*k[:3], a, k[4])]['effective'] for k in chosen]):.0f}"
            for a in ARMS[:3]
        ]
        cells = [g[0], g[1], f"{g[2]:.0%}", str(len(chosen)), " / ".join(rows)]
        for what in ("right", "leader_wins"):
            cells.append(f"{np.mean([found[k][what] for k in chosen]):.3f}")
            cells += [gap_of(found, a, chosen, what) for a in ARMS[1:]]
        same = [
            np.mean(
                [
                    found[(*k[:3], a, k[4])]["leader"]
                    == found[(*k[:2], 0.0, ARMS[0], k[4])]["leader"]
                    for k in chosen
                ]
            )
            for a in ARMS
        ]
        cells.append(" / ".join(f"{x:.2f}" for x in same))
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--models", default="linear,mlp,lm")
    asked = parser.parse_args()
    if asked.table is not None:
        table([json.loads(x) for x in asked.table.read_text(encoding="utf-8").splitlines()])
        return
    if asked.data is None or asked.out is None:
        parser.error("give DATA_FOLDER and --out, or --table")
    known = set()
    if asked.out.exists():
        text = asked.out.read_text(encoding="utf-8")
        known = {key(json.loads(x)) for x in text.splitlines()}
    with asked.out.open("a", encoding="utf-8") as out:
        for result in computed(asked, known):
            out.write(json.dumps(result) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
