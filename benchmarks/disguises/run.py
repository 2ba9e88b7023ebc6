"""How many copies of an answer does the clone test find, disguised in so many ways?

    python -m benchmarks.disguises.run DATA [--sets ukp,llmfao] [--copies 3,7,12,20] [--trials 2]
        [--out FILE]
    python -m benchmarks.disguises.table FILE

A trial: one prompt of a data set, its answers, and n disguised copies of one of them. "found" is
the share of the copies that stand in one cluster with the answer. One line of JSON per trial, which
is not run again where it stands in FILE. The
gate on whole batches of disguised copies: ``benchmarks.disguises.gate``.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.clones.rows import answers
from benchmarks.disguises.edits import DISGUISES, Kit, disguised
from cr_audit.clones.find import find_clones
from cr_audit.data.identity import canonical

SETS = ("ukp", "llmfao", "wildbench", "qlora", "humour", "sample")
SAMPLE = Path(__file__).resolve().parent.parent.parent / "sample_data" / "gate" / "main.jsonl"
MAX_ANSWERS = 60
"""Of a prompt with more answers (humour: 3,797 under one) so many are taken."""
MIN_WORDS = 12


def texts_of(dataset: str) -> Mapping[str, Sequence[str]]:
    """Prompt -> answers. Humour's items share one prompt; of invented ones the sample is made."""
    if dataset == "humour":
        return {"": [t for v in answers("humour").values() for t in v]}
    if dataset != "sample":
        return answers(dataset)
    out: dict[str, dict[str, None]] = defaultdict(dict)
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for text in (row["response_a"], row["response_b"]):
            out[row["prompt"]].setdefault(text)
    return {k: list(v) for k, v in out.items()}


def sentences(text: str) -> list[str]:
    return [s for s in re.split(r"(?<=[.!?])\s+", text) if len(s.split()) > 3]


class Bench:
    """One data set's answers, and the words and sentences that noise is made of."""

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        self.prompts = {p: [canonical(t) for t in v] for p, v in texts_of(dataset).items()}
        everything = [t for v in self.prompts.values() for t in v]
        self.words = [w for t in everything for w in t.split()]
        self.sentences = [s for t in everything for s in sentences(t)]

    def trial(self, name: str, copies: int, seed: int) -> dict[str, object]:
        rng = random.Random(f"{self.dataset}/{name}/{copies}/{seed}")
        able = [p for p, v in sorted(self.prompts.items()) if len(v) > 1]
        while True:
            prompt = rng.choice(able)
            others = self.prompts[prompt]
            if len(others) > MAX_ANSWERS:
                others = rng.sample(others, MAX_ANSWERS)
            target = rng.choice(others)
            if len(target.split()) >= MIN_WORDS and len(target) <= 8000:
                break
        kits = [Kit(random.Random(rng.random()), self.words, self.sentences) for _ in range(copies)]
        made = [canonical(disguised(name, target, kit)) for kit in kits]
        texts = [target, *made, *(t for t in others if t != target)]
        report = find_clones(
            response_texts=texts,
            prompt_of=np.zeros(len(texts), np.int64),
            prompt_texts=[None],
            recall_sample=0,
            rng=np.random.default_rng(0),
        )
        labels = report.labels.labels
        biggest = max(int((labels[1 : 1 + copies] == k).sum()) for k in set(labels.tolist()))
        return {
            "set": self.dataset,
            "disguise": name,
            "family": DISGUISES[name][0],
            "copies": copies,
            "seed": seed,
            "found": float((labels[1 : 1 + copies] == labels[0]).mean()),
            "together": biggest / copies,
            "wrong": float((labels[1 + copies :] == labels[0]).mean()) if len(others) > 1 else 0.0,
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--copies", default="3,7,12,20")
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--disguises", default=";".join(DISGUISES))
    args = parser.parse_args()
    done = set()
    if args.out.exists():
        lines = [json.loads(line) for line in args.out.read_text().splitlines()]
        done = {(r["set"], r["disguise"], r["copies"], r["seed"]) for r in lines}
    with args.out.open("a") as out:
        for dataset in args.sets.split(","):
            bench = Bench(dataset)
            for name in args.disguises.split(";"):
                for copies in map(int, args.copies.split(",")):
                    for seed in range(args.trials):
                        if (dataset, name, copies, seed) not in done:
                            out.write(json.dumps(bench.trial(name, copies, seed)) + "\n")
                            out.flush()


if __name__ == "__main__":
    main()
