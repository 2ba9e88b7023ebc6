"""The data: real pairs, a split whose halves share nothing, and copies put into one of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

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


def split(
    rows: list[Row], n_train: int, n_test: int, rng: np.random.Generator
) -> tuple[list[Row], list[Row]]:
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
        [train[i] for i in rng.permutation(len(train))[:n_train]],
        [test[i] for i in rng.permutation(len(test))[:n_test]],
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
