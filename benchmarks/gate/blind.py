"""Batches that the gate may miss: what docs/gate.md says it cannot see, as kinds of ``run``.

words-30: eight copies of one answer with 30 % of the words drawn anew from the data. few-2: two
edited copies. drip-2: five batches of a fiftieth of the rows each, every one with two more edited
copies of the same answer, merged one after the other as long as they pass.
"""

from __future__ import annotations

import random

from benchmarks.gate.attacks import COPIES, Attack, Edit, Table, copied
from benchmarks.gate.sets import Fields, Row
from benchmarks.gate.trial import Bench, Record, naming, parsed, split

KINDS = ("words", "few", "drip")
N_BATCHES = 5


def blind_trial(bench: Bench, kind: str, seed: int) -> Record:
    """One trial of ``words-N``, ``few-N`` or ``drip-N``."""
    name, _, number = kind.partition("-")
    rng = random.Random(seed)
    in_batch = split(bench.rows, None, rng)
    old = [r for r, new in zip(bench.rows, in_batch, strict=True) if not new]
    batch = [r for r, new in zip(bench.rows, in_batch, strict=True) if new]
    record: Record = {"set": bench.name, "kind": kind, "seed": seed}
    if name == "drip":
        return record | _drip(bench, old, batch, int(number), rng)
    table = Table(old, bench.fields)
    group, target = table.any_target(rng)
    if name == "words":
        edit = _with_new_words(old, bench.fields, int(number) / 100)
        attack = copied(table, group, target, COPIES, rng, edit=edit)
    else:
        attack = copied(table, group, target, int(number), rng)
    return record | bench.outcome(in_batch, attack)


def _with_new_words(rows: list[Row], fields: Fields, share: float) -> Edit:
    words = [w for row in rows[:2000] for w in fields.text(row, 0).split()]

    def edit(text: str, number: int, rng: random.Random) -> str:
        out = text.split()
        for i in rng.sample(range(len(out)), round(share * len(out))):
            out[i] = rng.choice(words)
        return " ".join(out)

    return edit


def _drip(
    bench: Bench, old: list[Row], batch: list[Row], per_batch: int, rng: random.Random
) -> Record:
    """merged : how many copies got in before a batch failed."""
    table = Table(old, bench.fields)
    group, target = table.any_target(rng)
    rng.shuffle(batch)
    merged = 0
    for k in range(N_BATCHES):
        first = k * per_batch
        attack = copied(table, group, target, first + per_batch, rng)
        added = attack.rows[first * len(attack.rows) // (first + per_batch) :]
        new = batch[k::N_BATCHES] + added
        effect, verdict = bench.judged(parsed(old), parsed(new))
        if not verdict.passed:
            named = naming(effect, verdict, Attack(added, attack.texts, per_batch))["named"]
            return {"merged": merged, "passed": False, "named": named}
        old, merged = old + new, merged + per_batch
    return {"merged": merged, "passed": True, "named": False}
