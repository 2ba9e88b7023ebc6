"""Leaders of real data sets: the certified interval beside the published one-step method.

    python benchmarks/sensitivity/real_sets.py DATA_FOLDER [--sets llmfao;ukp] [--counted]
        [--penalty auto]

The one-step method (Huang, Shen, Wei & Broderick, "Dropping just a handful of preferences can
change top large language model rankings", ICLR 2026) is written here anew, on the same objective:
rows ordered by their one-step Newton influence on the gap to each rival, the number raised by one
until the predicted gap closes, and the refit of that set; where the refit does not turn the order,
the number is raised further until it does. It has no lower end.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cr_audit.arrays import Comparisons, NotApplicable
from cr_audit.models.penalty import choose_penalty
from cr_audit.models.rewards.kinds.tabular import TABULAR
from cr_audit.models.rewards.tabular import fit_tabular
from cr_audit.models.sensitivity.flips import FlipAudit
from cr_audit.models.sensitivity.votes import Change

PENALTY = 0.03
MAX_RIVALS = 5


def load(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / f"{name}.shared.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def coded(rows: list[tuple[Any, Any, str | None, Any]]) -> Comparisons:
    """(left, right, "l", "r" or "t", annotator); no rows of one item or without outcome."""
    names: dict[Any, int] = {}
    people: dict[Any, int] = {}
    out: list[tuple[int, int, float, int]] = []
    for left, right, result, who in rows:
        if result is None or left == right:
            continue
        i, j = names.setdefault(left, len(names)), names.setdefault(right, len(names))
        if result == "r":
            i, j = j, i
        person = -1 if who is None else people.setdefault(who, len(people))
        out.append((i, j, 0.5 if result == "t" else 1.0, person))
    winner, loser, outcome, annotator = zip(*out, strict=True)
    return Comparisons.of(len(names), winner, loser, outcome, annotator=annotator)


def sets(folder: Path) -> Iterator[tuple[str, Comparisons]]:
    sides = {"left": "l", "right": "r", "tie": "t"}
    for judge in ("crowd", "gpt3", "gpt4"):
        rows = load(folder, f"llmfao/{judge}_comparisons")
        made = [(r["left"], r["right"], sides.get(r["winner"]), r["worker"]) for r in rows]
        yield f"llmfao {judge}", coded(made)
    models = {"1": "l", "2": "r", "model_1": "l", "model_2": "r", "tie": "t"}
    for name in ("vicuna_threeclass", "oa_threeclass_ids_only"):
        rows = load(folder, f"qlora_vicuna_gpt4/{name}")
        rows = [r for r in rows if "gpt-4" in r["reviewer"]]
        made = [(r["model_1"], r["model_2"], models.get(str(r["winner"])), None) for r in rows]
        yield f"qlora {name.split('_')[0]}", coded(made)
    rows = load(folder, "wildbench_scores/pairs_ids_only")
    for judge in sorted({r["judge"] for r in rows}):
        some = [r for r in rows if r["judge"] == judge]
        made = [(r["model_1"], r["model_2"], models.get(r["winner"]), None) for r in some]
        yield f"wildbench {judge[:16]}", coded(made)
    votes = {"a1": "l", "a2": "r", "equal": "t"}
    rows = load(folder, "ukp_convarg/votes")
    for debate in sorted({r["debate"] for r in rows}):
        some = [r for r in rows if r["debate"] == debate]
        made = [(r["arg1_id"], r["arg2_id"], votes.get(r["value"]), r["turkID"]) for r in some]
        yield f"ukp {debate[:28]}", coded(made)


def chosen(rows: Comparisons) -> float:
    """The penalty of the best held-out likelihood, by annotators where there are twenty."""
    people = np.unique(rows.annotator[rows.annotator >= 0]).size

    def fit(
        some: Comparisons, penalty: float, warm: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        m = some.n_items
        found = fit_tabular(some.proportions(), np.full(m, 1 / m), penalty=penalty, warm_start=warm)
        return found.rewards, found.rewards

    return choose_penalty(
        rows,
        fit,
        penalties=TABULAR.penalties,
        n_folds=5,
        clusters=rows.annotator if people >= 20 else None,
        rng=np.random.default_rng(0),
    ).best


def one_step(audit: FlipAudit) -> int:
    """The published method's number for the leader; 0 where it finds none."""
    search = audit.search(Change.REMOVAL)
    rewards = audit.rewards
    order = np.argsort(-rewards, kind="stable")
    leader, best = int(order[0]), 0
    for rival in order[1 : MAX_RIVALS + 1].tolist():
        predicted, gains = search.one_step(leader, rival)
        if not predicted:
            continue
        units = np.argsort(-gains, kind="stable")
        positive = int((gains > 0).sum())
        k = predicted
        while k <= positive and (not best or k < best):
            if search.changes(np.sort(units[:k]), leader, rival, audit.refits.base) is not None:
                best = k
                break
            k += 1
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default="", help="names that start so, separated by ;")
    parser.add_argument("--counted", action="store_true")
    parser.add_argument("--penalty", default=str(PENALTY), help="auto: as refit chooses it")
    given = parser.parse_args()
    wanted = tuple(s for s in given.sets.split(";") if s) or ("",)
    print("| leader of | items, rows | penalty | removal | one step | reversal | removal, s |")
    print("|---|---|---|---|---|---|---|")
    ratios, not_above = [], []
    for name, rows in sets(given.folder):
        if not name.startswith(wanted):
            continue
        m = rows.n_items
        penalty = chosen(rows) if given.penalty == "auto" else float(given.penalty)
        audit = FlipAudit(rows, np.full(m, 1 / m), penalty, count_weighted=given.counted)
        orders = audit.leader()
        assert not isinstance(orders, NotApplicable)
        start = time.perf_counter()
        removal = audit.interval(orders, Change.REMOVAL)
        seconds = time.perf_counter() - start
        reversal = audit.interval(orders, Change.REVERSAL)
        rival = one_step(audit)
        found = [x for x in (removal, reversal) if not isinstance(x.upper, NotApplicable)]
        ratios += [x.upper / x.lower for x in found]
        upper = 0 if isinstance(removal.upper, NotApplicable) else removal.upper
        not_above.append(not rival or 0 < upper <= rival)
        both = (
            f"[{x.lower}, {x.upper if isinstance(x.upper, int) else 'none'}]"
            for x in (removal, reversal)
        )
        a, b = both
        print(
            f"| {name} | {m}, {rows.n:,} | {penalty:.2g} | {a} | {rival or 'none'} | {b} |"
            f" {seconds:.1f} |",
            flush=True,
        )
    r = np.array(ratios)
    print(
        f"\nupper <= one step in {sum(not_above)} of {len(not_above)}; upper/lower: median"
        f" {np.median(r):.2f}, at most 2 in {(r <= 2).mean():.2f}, at most 3 in"
        f" {(r <= 3).mean():.2f}, largest {r.max():.2f} ({r.size} intervals)"
    )


if __name__ == "__main__":
    main()
