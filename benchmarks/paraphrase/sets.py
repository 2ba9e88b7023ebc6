"""What is measured on: invented answers with rewrites, published rewrites, independent answers.

``invented.jsonl`` was written for this project: thirty answers of 59 to 89 words (advice, code,
history that never happened, recipes, maths), each rewritten at three strengths (light: 22 % of the
words changed in the median; middle: 60 %, no more than eight words in a row kept; heavy: 93 %, no
more than three in a row) and two more answers to each prompt by another hand. The even lines
decided the formula, the odd ones are held out. Everything else is read from the shared data sets at
run time.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from cr_audit.arrays import IntArray

HERE = Path(__file__).resolve().parent
STRENGTHS = ("light", "middle", "heavy")


def invented() -> list[dict[str, Any]]:
    """One record per prompt: original, light, middle, heavy, others (two)."""
    lines = (HERE / "invented.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def published(folder: Path) -> list[dict[str, Any]]:
    """rm_bench: three styles of one answer each."""
    return _rows(folder / "rm_bench/items.shared.jsonl.gz")


class Independent:
    """Answers to one prompt by different models or people: texts, prompts, authors."""

    def __init__(self, answers: dict[str, dict[str, str]]) -> None:
        names = sorted({name for by in answers.values() for name in by})
        number = {name: i for i, name in enumerate(names)}
        self.texts: list[str | None] = []
        group: list[int] = []
        source: list[int] = []
        for k, prompt in enumerate(sorted(answers)):
            for name, text in sorted(answers[prompt].items()):
                self.texts.append(text)
                group.append(k)
                source.append(number[name])
        self.group: IntArray = np.array(group, np.int64)
        self.source: IntArray = np.array(source, np.int64)


def independent(name: str, folder: Path) -> Independent:
    """A data set as answers by prompt and author."""
    out: dict[str, dict[str, str]] = defaultdict(dict)
    if name == "wildbench":
        for r in _rows(folder / "wildbench_scores/responses.shared.jsonl.gz"):
            out[r["session_id"]][r["generator"]] = r["model_output"]
    elif name == "llmfao":
        for r in _rows(folder / "llmfao/crowd_comparisons.shared.jsonl.gz"):
            out[r["text"]][str(r["model_x"])] = r["result_x"]
            out[r["text"]][str(r["model_y"])] = r["result_y"]
    elif name == "qlora":
        for r in _rows(folder / "qlora_vicuna_gpt4/vicuna_threeclass.shared.jsonl.gz"):
            out[r["question"]][r["model_1"]] = r["answer_1"]
            out[r["question"]][r["model_2"]] = r["answer_2"]
    elif name == "ukp":
        for r in _rows(folder / "ukp_convarg/pairs_gold.shared.jsonl.gz"):
            out[r["debate"]][r["arg1_id"]] = r["a1"]
            out[r["debate"]][r["arg2_id"]] = r["a2"]
    elif name == "humour":
        for r in _rows(folder / "humour_pairs/items.shared.jsonl.gz"):
            out[""][str(r["id"])] = r["text"]
    else:
        raise ValueError(name)
    return Independent(out)
