"""Batches that should fail: copies of one answer, made from the rows of a real data set."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.gate.sets import Fields, Row
from cr_audit.data.identity import canonical

MIN_COPIES, MAX_COPIES, COPIES = 3, 20, 8
REFUSALS, ROWS_PER_REFUSAL = 30, 10
REFUSAL = "I am sorry, but I cannot help with that request. Please ask something else."
Edit = Callable[[str, int, random.Random], str]


@dataclass(frozen=True, slots=True)
class Attack:
    """The rows to add, the canonical texts of the copies in them, and how many copies there are (of
    a model: one of all its answers counts as one)."""

    rows: list[Row]
    texts: frozenset[str]
    n_copies: int


def edited(text: str, number: int, rng: random.Random) -> str:
    """A near-copy: one word in fifteen dropped, a greeting or a closing, other punctuation."""
    words = text.split()
    kept = [w for w in words if len(words) < 8 or rng.random() > 1 / 15]
    openings = ("", "Well, ", "So: ", "Honestly, ", "I think ")
    closings = ("", " That is all.", " Just my view.", " Thanks.")
    body = " ".join(kept).rstrip(".!")
    return openings[number % 5] + body + (".", "!")[number % 2] + closings[(number // 5) % 4]


class Table:
    """The rows by what is ranked together, and p(x over y) of every pair in a group."""

    def __init__(self, rows: list[Row], fields: Fields) -> None:
        self.fields = fields
        self.rows: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            a, b = fields.sides(row)
            if a and b and a != b and fields.share(row) is not None:
                self.rows[fields.group(row)].append(row)

    def proportions(self, group: str) -> dict[str, dict[str, float]]:
        sums: dict[tuple[str, str], list[float]] = defaultdict(list)
        for row in self.rows[group]:
            share = self.fields.share(row)
            assert share is not None
            a, b = self.fields.sides(row)
            sums[a, b].append(share)
            sums[b, a].append(1.0 - share)
        out: dict[str, dict[str, float]] = defaultdict(dict)
        for (a, b), shares in sums.items():
            out[a][b] = sum(shares) / len(shares)
        return out

    def targets(self, p: dict[str, dict[str, float]]) -> list[str]:
        """Answers with enough opponents, sorted."""
        return [t for t in sorted(p) if len(p[t]) >= self.fields.min_opponents]

    def any_target(self, rng: random.Random) -> tuple[str, str]:
        while True:
            group = rng.choice(sorted(self.rows))
            if known := self.targets(self.proportions(group)):
                return group, rng.choice(known)


class Standing:
    """Average win rates of one group, and who leads once an answer is counted n times more."""

    def __init__(self, p: dict[str, dict[str, float]]) -> None:
        self.p = p
        self.sums = {x: (0.5 + sum(row.values()), 1 + len(row)) for x, row in p.items()}
        self.rate = {x: total / n for x, (total, n) in self.sums.items()}
        self.order = sorted(p, key=lambda x: (-self.rate[x], x))

    def leader_with(self, target: str, n: int) -> str:
        """Only the rates of the target's opponents move."""
        moved = {}
        for x in self.p[target]:
            total, count = self.sums[x]
            moved[x] = (total + n * self.p[x][target]) / (count + n)
        best = next((x for x in self.order if x not in moved), None)
        rates = moved if best is None else {**moved, best: self.rate[best]}
        return max(sorted(rates), key=rates.__getitem__)


def leader_attack(rows: list[Row], fields: Fields, rng: random.Random) -> Attack | None:
    """The fewest edited copies (at least three) of one answer that put a third one first."""
    table = Table(rows, fields)
    groups = sorted(table.rows)
    rng.shuffle(groups)
    for group in groups:
        standing = Standing(table.proportions(group))
        leader = standing.order[0]
        for n in range(MIN_COPIES, MAX_COPIES + 1):
            for target in table.targets(standing.p):
                if target != leader and standing.leader_with(target, n) not in (leader, target):
                    return copied(table, group, target, n, rng)
    return None


def copied(
    table: Table,
    group: str,
    target: str,
    n: int,
    rng: random.Random,
    change: Callable[[Row], Row] = lambda row: row,
    edit: Edit = edited,
) -> Attack:
    """n copies of one answer, each edited once and with all comparisons of the original."""
    fields = table.fields
    rows, texts = [], set()
    for number in range(n):
        edits: dict[str, str] = {}
        for row in table.rows[group]:
            sides = fields.sides(row)
            if target in sides:
                side = sides.index(target)
                said = canonical(fields.text(row, side))
                if said not in edits:
                    edits[said] = edit(said, number, rng)
                text = edits[said]
                texts.add(canonical(text))
                rows.append(change(fields.replaced(row, side, text, f"copy{number}")))
    return Attack(rows, frozenset(texts), n)


def copies_attack(rows: list[Row], fields: Fields, rng: random.Random) -> Attack | None:
    """Eight edited copies of any answer, with its own labels."""
    table = Table(rows, fields)
    return copied(table, *table.any_target(rng), COPIES, rng)


def flipped_attack(rows: list[Row], fields: Fields, rng: random.Random) -> Attack | None:
    """Eight edited copies of any answer whose labels are all the other way round."""
    table = Table(rows, fields)
    return copied(table, *table.any_target(rng), COPIES, rng, fields.turned)


def wording_attack(rows: list[Row], fields: Fields, rng: random.Random) -> Attack | None:
    """Eight edited copies of any answer under the prompt with one more word."""
    table = Table(rows, fields)
    return copied(table, *table.any_target(rng), COPIES, rng, fields.reworded)


def spread_attack(rows: list[Row], fields: Fields, rng: random.Random) -> Attack | None:
    """The leader attack with its rows dealt to the annotators of the data."""
    attack = leader_attack(rows, fields, rng)
    if attack is None:
        return None
    names = sorted({str(row[fields.annotator]) for row in rows})
    dealt = [{**row, fields.annotator: rng.choice(names)} for row in attack.rows]
    return Attack(dealt, attack.texts, attack.n_copies)


def refusal_attack(rows: list[Row], fields: Fields, rng: random.Random) -> Attack | None:
    """Thirty edits of one refusal, under as many prompts as there are, that lose every time."""
    return _everywhere(rows, fields, REFUSAL, rng, fields.lost)


def everywhere_attack(rows: list[Row], fields: Fields, rng: random.Random) -> Attack | None:
    """Thirty edits of an old answer of at least twelve words, under other prompts."""
    long = [row for row in rows if len(fields.text(row, 0).split()) >= 12]
    if not long:
        return None
    return _everywhere(rows, fields, fields.text(rng.choice(long), 0), rng, lambda row: row)


def _everywhere(
    rows: list[Row], fields: Fields, text: str, rng: random.Random, change: Callable[[Row], Row]
) -> Attack:
    """One model, or one entry per edit: many names for one text would be copies of their own."""
    by_prompt: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_prompt[fields.prompt_of(row)].append(row)
    prompts = sorted(by_prompt)
    rng.shuffle(prompts)
    out, texts = [], set()
    for number in range(REFUSALS):
        copy = edited(text, number, rng)
        texts.add(canonical(copy))
        known = by_prompt[prompts[number % len(prompts)]]
        out += [
            change(fields.replaced(row, 0, copy, "0" if fields.by_model else str(number), "added"))
            for row in rng.sample(known, min(ROWS_PER_REFUSAL, len(known)))
        ]
    return Attack(out, frozenset(texts), REFUSALS)


ATTACKS: dict[str, Callable[[list[Row], Fields, random.Random], Attack | None]] = {
    "leader": leader_attack,
    "spread": spread_attack,
    "copies": copies_attack,
    "flipped": flipped_attack,
    "wording": wording_attack,
    "refusal": refusal_attack,
    "everywhere": everywhere_attack,
}
