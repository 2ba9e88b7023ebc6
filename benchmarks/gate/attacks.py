"""Batches that should fail: copies of one answer, made from the rows of a real data set."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
MAX_COPIES = 20
REFUSAL = "I am sorry, but I cannot help with that request. Please ask something else."


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of a data set's fields.

    left_names, right_names : fields besides the text that say who a side is; the first one is the
    model where the data has models, and copies get names of their own. wording : the field that
    holds (a part of) the prompt's text.
    """

    prompt: str
    left: str
    right: str
    label: str
    left_wins: Any
    right_wins: Any
    left_names: tuple[str, ...]
    right_names: tuple[str, ...]
    wording: str = ""
    by_model: bool = False
    annotator: str | None = None

    def sides(self, row: Row) -> tuple[str, str]:
        """Who is compared: models, or texts under one prompt."""
        if self.by_model:
            return str(row[self.left_names[0]]), str(row[self.right_names[0]])
        return row[self.left].strip(), row[self.right].strip()

    def group(self, row: Row) -> str:
        """What is ranked together."""
        return "" if self.by_model else str(row[self.prompt])

    def renamed(self, row: Row, side: int, text: str, suffix: str) -> Row:
        """The row with another text on one side, under another name."""
        names = (self.left_names, self.right_names)[side]
        out = {**row, (self.left, self.right)[side]: text}
        return out | {name: f"{row[name]}-{suffix}" for name in names}


@dataclass(frozen=True, slots=True)
class Attack:
    """The rows to add, and the text whose copies they bring."""

    rows: list[Row]
    target: str
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
    """p(x over y) of every pair of texts under one prompt, from the rows."""

    def __init__(self, rows: list[Row], f: Fields) -> None:
        self.f = f
        self.rows: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self.rows[f.group(row)].append(row)

    def proportions(self, prompt: str) -> dict[str, dict[str, float]]:
        f = self.f
        sums: dict[tuple[str, str], list[float]] = defaultdict(list)
        for row in self.rows[prompt]:
            share = {f.left_wins: 1.0, f.right_wins: 0.0}.get(row[f.label], 0.5)
            a, b = f.sides(row)
            if a and b and a != b:
                sums[a, b].append(share)
                sums[b, a].append(1.0 - share)
        out: dict[str, dict[str, float]] = defaultdict(dict)
        for (a, b), shares in sums.items():
            out[a][b] = sum(shares) / len(shares)
        return out


def rates(p: dict[str, dict[str, float]], extra: tuple[str, int] | None = None) -> dict[str, float]:
    """Average win rates, one answer counted ``extra[1]`` times more."""
    out = {}
    for x, row in p.items():
        total, n = 0.5 + sum(row.values()), 1 + len(row)
        if extra is not None and extra[0] in row:
            total, n = total + extra[1] * row[extra[0]], n + extra[1]
        out[x] = total / n
    return out


def leader_attack(rows: list[Row], f: Fields, rng: random.Random) -> Attack | None:
    """The fewest copies (at least three) of one answer that change who leads under a prompt."""
    table = Table(rows, f)
    prompts = sorted(table.rows)
    rng.shuffle(prompts)
    for prompt in prompts:
        p = table.proportions(prompt)
        before = rates(p)
        leader = max(sorted(before), key=before.__getitem__)
        for n in range(3, MAX_COPIES + 1):
            for target in sorted(p):
                if target == leader or len(p[target]) < 5:
                    continue
                after = rates(p, (target, n))
                if max(sorted(after), key=after.__getitem__) not in (leader, target):
                    return _copied(table, prompt, target, n, rng)
    return None


def _copied(
    table: Table,
    prompt: str,
    target: str,
    n: int,
    rng: random.Random,
    change: Callable[[Row], Row] = lambda row: row,
) -> Attack:
    f = table.f
    rows = []
    for number in range(n):
        for row in table.rows[prompt]:
            sides = f.sides(row)
            if target in sides and sides[0] != sides[1]:
                side = sides.index(target)
                copy = edited(row[(f.left, f.right)[side]], number, rng)
                rows.append(change(f.renamed(row, side, copy, f"copy{number}")))
    return Attack(rows, target, n)


def flipped_attack(rows: list[Row], f: Fields, rng: random.Random) -> Attack | None:
    """Eight copies of one answer whose labels are all the other way round."""
    table = Table(rows, f)
    prompt, target = _any_target(table, rng)
    turn = {f.left_wins: f.right_wins, f.right_wins: f.left_wins}

    def flip(row: Row) -> Row:
        return {**row, f.label: turn.get(row[f.label], row[f.label])}

    return _copied(table, prompt, target, 8, rng, flip)


def wording_attack(rows: list[Row], f: Fields, rng: random.Random) -> Attack | None:
    """Eight copies of one answer under the prompt in slightly other words."""
    table = Table(rows, f)
    prompt, target = _any_target(table, rng)
    return _copied(
        table, prompt, target, 8, rng, lambda row: {**row, f.wording: f"{row[f.wording]} please"}
    )


def spread_attack(rows: list[Row], f: Fields, rng: random.Random) -> Attack | None:
    """The leader attack with its rows dealt to many annotators of the data."""
    attack = leader_attack(rows, f, rng)
    if attack is None or f.annotator is None:
        return None
    names = sorted({str(row[f.annotator]) for row in rows})
    dealt = [{**row, f.annotator: rng.choice(names)} for row in attack.rows]
    return Attack(dealt, attack.target, attack.n_copies)


def refusal_attack(rows: list[Row], f: Fields, rng: random.Random) -> Attack | None:
    """One refusal, slightly edited, loses against everything under up to thirty prompts."""
    by_prompt: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_prompt[str(row[f.prompt])].append(row)
    prompts = sorted(by_prompt)
    rng.shuffle(prompts)
    out = []
    for number, prompt in enumerate(prompts[:30]):
        text = edited(REFUSAL, number, rng)
        out += [
            {**f.renamed(row, 0, text, "r"), f.label: f.right_wins}
            for row in rng.sample(by_prompt[prompt], min(10, len(by_prompt[prompt])))
        ]
    return Attack(out, REFUSAL, min(30, len(prompts)))


def _any_target(table: Table, rng: random.Random) -> tuple[str, str]:
    while True:
        prompt = rng.choice(sorted(table.rows))
        p = table.proportions(prompt)
        known = [t for t in sorted(p) if len(p[t]) >= 5]
        if known:
            return prompt, rng.choice(known)


ATTACKS: dict[str, Callable[[list[Row], Fields, random.Random], Attack | None]] = {
    "leader": leader_attack,
    "spread": spread_attack,
    "flipped": flipped_attack,
    "wording": wording_attack,
    "refusal": refusal_attack,
}
