"""The labelled pairs: copies made by edits, true copies, and different answers to one prompt."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.clones.edits import EDITS

DATA = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "data"
TUNED = ("wildbench", "llmfao", "ukp", "rm_bench", "wmt_ende", "wmt_zhen", "humour", "invented")
UNSEEN = ("qlora", "pandalm", "judgebench", "oasst")
GREY = 0.6
"""Pairs of different models' answers whose words align to this share or more (difflib's ratio over
words, in order) are neither copies nor different answers by our label, and are left out."""

COPY = 0.8
"""Published rewrites (rm_bench: one answer, plain and in markdown) count as copies from this share
of aligned words; four in ten of them were written anew and have less."""


@dataclass(frozen=True, slots=True)
class Pair:
    """label: True for a copy. part: train, held-out (prompts) or unseen (whole data sets)."""

    dataset: str
    part: str
    kind: str
    a: str
    b: str
    label: bool


def _lines(name: str) -> Iterator[dict[str, object]]:
    with gzip.open(DATA / f"{name}.shared.jsonl.gz", "rt", encoding="utf-8") as f:
        yield from map(json.loads, f)


def answers(dataset: str) -> dict[str, list[str]]:
    """Prompt -> the answers to it, one per model, in file order; equal texts kept once."""
    out: dict[str, dict[str, None]] = defaultdict(dict)

    def put(prompt: object, *texts: object) -> None:
        for t in texts:
            if isinstance(t, str) and t.strip():
                out[str(prompt)].setdefault(t.strip())

    if dataset == "wildbench":
        for r in _lines("wildbench_scores/responses"):
            put(r["session_id"], r["model_output"])
    elif dataset == "llmfao":
        for r in _lines("llmfao/crowd_comparisons"):
            put(r["prompt"], r["result_x"], r["result_y"])
    elif dataset == "ukp":
        for r in _lines("ukp_convarg/pairs_gold"):
            put(r["debate"], r["a1"], r["a2"])
    elif dataset == "rm_bench":
        for r in _lines("rm_bench/items"):
            put(r["id"], r["chosen"][1], r["rejected"][1])  # type: ignore[index]
    elif dataset.startswith("wmt_"):
        for r in _lines(f"wmt23_sxs_mqm/ratings_{dataset[4:]}"):
            put(f"{r['doc']}#{r['docSegId']}", r["target"])
    elif dataset == "humour":
        for r in _lines("humour_pairs/items"):
            put(int(r["id"]) // 20, r["text"])  # type: ignore[call-overload]
    elif dataset == "qlora":
        for r in _lines("qlora_vicuna_gpt4/vicuna_threeclass"):
            put(r["question"], r["answer_1"], r["answer_2"])
    elif dataset == "pandalm":
        for r in _lines("pandalm_testset/testset_v1"):
            put(f"{r['instruction']}\n{r['input']}", r["response1"], r["response2"])
    elif dataset == "judgebench":
        for r in _lines("judgebench/pairs_gpt-4o-2024-05-13"):
            put(r["question"], r["response_A"], r["response_B"])
    elif dataset == "oasst":
        for r in _lines("oasst_trees/ranked_sets"):
            put(r["parent_id"], *[x["text"] for x in r["replies"]])  # type: ignore[attr-defined]
    elif dataset == "invented":
        from benchmarks.clones.invented import ANSWERS

        for prompt, texts in ANSWERS.items():
            put(prompt, *texts)
    return {k: list(v) for k, v in out.items()}


def part_of(dataset: str, prompt: str) -> str:
    if dataset in UNSEEN:
        return "unseen"
    digest = hashlib.blake2b(f"{dataset}\x00{prompt}".encode(), digest_size=2).digest()
    return "train" if digest[0] < 128 else "held-out"


def aligned(a: str, b: str) -> float:
    """Share of words that stand in the same order in both: 2 * matches / (words of both)."""
    x, y = (re.findall(r"\w", t) if not t.isascii() else re.findall(r"\w+", t) for t in (a, b))
    x, y = [w.lower() for w in x][:400], [w.lower() for w in y][:400]
    return difflib.SequenceMatcher(None, x, y, autojunk=False).ratio()


def published_rewrites(dataset: str) -> list[tuple[str, str, str]]:
    """(prompt, a, b): pairs that the data itself calls rewrites of each other in another style."""
    if dataset != "rm_bench":
        return []
    return [
        (str(r["id"]), side[1].strip(), side[2].strip())
        for r in _lines("rm_bench/items")
        for side in (r["chosen"], r["rejected"])  # type: ignore[attr-defined]
        if isinstance(side, list)
        and side[1].strip() != side[2].strip()
        and aligned(side[1], side[2]) >= COPY
    ]


def pairs(dataset: str, n_edits: int = 25, n_negative: int = 300, seed: int = 7) -> list[Pair]:
    """Per part: up to ``n_edits`` pairs of each edit, up to ``n_negative`` different answers."""
    texts = answers(dataset)
    rng = np.random.default_rng([seed, *dataset.encode()])
    by_part: dict[str, list[str]] = defaultdict(list)
    for prompt in texts:
        by_part[part_of(dataset, prompt)].append(prompt)
    out: list[Pair] = []
    for part, prompts in sorted(by_part.items()):
        for kind, edit in EDITS.items():
            made = 0
            seen: set[str] = set()
            for i in rng.integers(len(prompts), size=8 * n_edits):
                options = texts[prompts[i]]
                a = options[int(rng.integers(len(options)))]
                b = edit(a, rng) if a not in seen and made < n_edits else None
                if b is not None and b != a:
                    seen.add(a)
                    out.append(Pair(dataset, part, kind, a, b, True))
                    made += 1
        several = [p for p in prompts if len(texts[p]) > 1]
        made = 0
        drawn: set[tuple[str, str]] = set()
        for _ in range(3 * n_negative):
            if made >= n_negative or not several:
                break
            options = texts[several[int(rng.integers(len(several)))]]
            i, j = sorted(rng.choice(len(options), 2, replace=False))
            if (options[i], options[j]) in drawn:
                continue
            drawn.add((options[i], options[j]))
            grey = aligned(options[i], options[j]) >= GREY
            out.append(
                Pair(dataset, part, "grey" if grey else "different", options[i], options[j], False)
            )
            made += not grey
    for prompt, a, b in published_rewrites(dataset):
        out.append(Pair(dataset, part_of(dataset, prompt), "published rewrite", a, b, True))
    return out
