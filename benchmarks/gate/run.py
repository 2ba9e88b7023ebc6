"""Does the gate let clean batches through and stop attacks? On real data, in numbers.

    python -m benchmarks.gate.run DATA_FOLDER clean|attacks [--splits 20] [--sets ukp,llmfao]

Clean: a random tenth (of the rows, or of the prompts) against the rest. Attacks: such a tenth of
the rows with the rows of ``attacks`` mixed in. Prints one line per set and kind.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.gate.attacks import ATTACKS, Attack, Fields, Row
from cr_audit.analysis import Settings
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.data.identity import canonical
from cr_audit.embed import VectorCache, open_backend
from cr_audit.gate.compare import BatchEffect, compare
from cr_audit.gate.judge import cluster_subject, judge
from cr_audit.gate.policy import shipped
from cr_audit.gate.verdict import Verdict, decide
from cr_audit.readers import read

SETS: dict[str, tuple[str, Fields]] = {
    "ukp": (
        "ukp_convarg/pairs_gold.shared.jsonl.gz",
        Fields("debate", "a1", "a2", "goldLabel", "a1", "a2", ("arg1_id",), ("arg2_id",), "stance"),
    ),
    "llmfao": (
        "llmfao/crowd_comparisons.shared.jsonl.gz",
        Fields(
            "text",
            "result_x",
            "result_y",
            "winner",
            "left",
            "right",
            ("left", "model_x"),
            ("right", "model_y"),
            wording="text",
            by_model=True,
            annotator="worker",
        ),
    ),
    "qlora": (
        "qlora_vicuna_gpt4/vicuna_threeclass.shared.jsonl.gz",
        Fields(
            "question",
            "answer_1",
            "answer_2",
            "winner",
            "1",
            "2",
            ("model_1",),
            ("model_2",),
            wording="question",
            by_model=True,
        ),
    ),
}


def rows_of(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def dataset(rows: list[Row]) -> PreferenceDataset:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    return read(["-"], stdin=io.BytesIO(text), max_skipped=1.0)


class Gate:
    """The gate as the command runs it, with the encoder opened once."""

    def __init__(self, model: str, profile: str) -> None:
        self.cache = VectorCache(Path(tempfile.mkdtemp()))
        self.backend = open_backend(model)
        self.policy, self.settings = shipped(profile), Settings(model=model)

    def __call__(self, old: list[Row], new: list[Row]) -> tuple[BatchEffect, Verdict]:
        effect = compare(
            dataset(old),
            dataset(new),
            self.settings,
            backend_for=lambda data: self.backend,
            cache=self.cache,
            confidence_level=self.policy.confidence_level,
        )
        verdict = decide(judge(effect, self.policy), self.policy, today=date(2026, 1, 1))
        return effect, verdict


def split(rows: list[Row], by: str | None, rng: random.Random) -> tuple[list[Row], list[Row]]:
    """Nine tenths and one tenth of the rows, or of the values of a field."""
    if by is None:
        order = rng.sample(range(len(rows)), len(rows))
        taken = set(order[: len(rows) // 10])
        new = [i in taken for i in range(len(rows))]
    else:
        values = sorted({str(row[by]) for row in rows})
        chosen = set(rng.sample(values, max(1, len(values) // 10)))
        new = [str(row[by]) in chosen for row in rows]
    old = [row for row, is_new in zip(rows, new, strict=True) if not is_new]
    return old, [row for row, is_new in zip(rows, new, strict=True) if is_new]


def clean(name: str, rows: list[Row], fields: Fields, gate: Gate, n: int) -> None:
    for kind, by in (("rows", None), ("prompts", fields.prompt)):
        passed, why, seconds = 0, Counter[str](), time.monotonic()
        for seed in range(n):
            _, verdict = gate(*split(rows, by, random.Random(seed)))
            passed += verdict.passed
            why.update({j.finding.rule for j in verdict.of("failing")})
        each = (time.monotonic() - seconds) / n
        print(
            f"{name:8} clean by {kind:8} pass {passed}/{n}  {dict(why)}  {each:.1f} s", flush=True
        )


def names_it(effect: BatchEffect, verdict: Verdict, attack: Attack) -> bool:
    """A failing finding points to a cluster whose new members are mostly the attack's copies."""
    added = {canonical(v) for row in attack.rows for v in row.values() if isinstance(v, str)}
    texts = effect.after.dataset.alternatives["text"].to_list()
    gains: Any = getattr(effect.growth, "gains", ())
    right = {
        cluster_subject(effect, g)
        for g in gains
        if sum(texts[i] in added for i in g.new.tolist()) > g.new.size / 2
    }
    lines = {
        row for g in gains if cluster_subject(effect, g) in right for row in rows_of_gain(effect, g)
    }
    return any(
        j.finding.subject in right
        or j.finding.evidence.get("cluster") in right
        or (j.finding.rule in ("CR606", "CR608") and set(j.finding.rows) & lines)
        for j in verdict.of("failing")
    )


def rows_of_gain(effect: BatchEffect, gain: Any) -> list[str]:
    found = effect.after.dataset.provenance(gain.new.tolist(), 1)
    return [row for rows in found for row in rows]


def attacks(
    name: str, rows: list[Row], fields: Fields, gate: Gate, n: int, kinds: list[str]
) -> None:
    for kind in kinds:
        make = ATTACKS[kind]
        failed = named = tried = 0
        why, copies = Counter[str](), []
        for seed in range(n):
            rng = random.Random(1_000 + seed)
            old, tenth = split(rows, None, rng)
            attack = make(old, fields, rng)
            if attack is None:
                continue
            effect, verdict = gate(old, tenth + attack.rows)
            tried += 1
            failed += not verdict.passed
            named += names_it(effect, verdict, attack)
            copies.append(attack.n_copies)
            why.update({j.finding.rule for j in verdict.of("failing")})
        if tried:
            print(
                f"{name:8} {kind:8} fail {failed}/{tried}  named {named}/{tried}  copies"
                f" {min(copies)}-{max(copies)}  {dict(why)}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=["clean", "attacks"])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--sets", default="ukp,llmfao,qlora")
    parser.add_argument("--attacks", default=",".join(ATTACKS))
    parser.add_argument("--model", default="static")
    parser.add_argument("--profile", default="default")
    args = parser.parse_args()
    gate = Gate(args.model, args.profile)
    for name in args.sets.split(","):
        path, fields = SETS[name]
        rows = rows_of(args.folder / path)
        if args.what == "clean":
            clean(name, rows, fields, gate, args.splits)
        else:
            attacks(name, rows, fields, gate, args.splits, args.attacks.split(","))


if __name__ == "__main__":
    main()
