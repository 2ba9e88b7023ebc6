"""Lists for the tests: the classic discrete-choice sets where they are there, and invented ones."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cr_audit.arrays import ChoiceSets, FloatArray
from cr_audit.models.listwise.designs import ChoiceDesign

Row = dict[str, Any]
Columns = Callable[[Row, Row], list[float]]


def rows_of(open_data: Path, name: str) -> list[Row]:
    path = open_data / "choice_sets" / f"{name}.shared.jsonl.gz"
    with gzip.open(path) as lines:
        return [json.loads(line) for line in lines]


def design_of(rows: Iterable[Row], columns: Columns) -> tuple[ChoiceDesign, np.ndarray]:
    """The design and the name of the alternative of every row."""
    offsets, x, chosen, names = [0], [], [], []
    for row in rows:
        for item in row["alternatives"]:
            if item["alt"] == row["choice"]:
                chosen.append(len(x))
            x.append(columns(row, item))
            names.append(item["alt"])
        offsets.append(len(x))
    design = ChoiceDesign.of(np.array(offsets), np.array(x, dtype=float), np.array(chosen))
    return design, np.array(names)


def swissmetro(open_data: Path) -> tuple[ChoiceDesign, np.ndarray]:
    """Biogeme's example b01a: time, cost (0 with a season ticket), constants of train and car."""
    rows = [r for r in rows_of(open_data, "swissmetro") if r["PURPOSE"] in (1, 3) and r["choice"]]

    def columns(row: Row, item: Row) -> list[float]:
        free = item["alt"] in ("TRAIN", "SM") and row["GA"] == 1
        cost = 0.0 if free else item["CO"]
        return [item["TT"] / 100, cost / 100, item["alt"] == "TRAIN", item["alt"] == "CAR"]

    return design_of(rows, columns)


def travel(row: Row, item: Row) -> list[float]:
    """Greene's table 21.11: constants of air, train, bus; gc, ttme, income for air."""
    alt = item["alt"]
    constants = [float(alt == a) for a in ("air", "train", "bus")]
    return [*constants, item["gc"], item["ttme"], row["hinc"] * (alt == "air")]


def cooling(row: Row, item: Row) -> list[float]:
    names = ("ich", "och", "icca", "occa", "inc.room", "inc.cooling", "int.cooling")
    return [item[n] for n in names]


def random_design(
    rng: np.random.Generator, n: int, p: int, coefficients: FloatArray | None = None
) -> ChoiceDesign:
    """Lists of two to five members with normal columns, chosen by a logit."""
    sizes = rng.integers(2, 6, n)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    x = rng.normal(size=(int(offsets[-1]), p))
    b = rng.normal(size=p) if coefficients is None else coefficients
    utility = x @ b + rng.gumbel(size=x.shape[0])
    chosen = [lo + int(utility[lo:hi].argmax()) for lo, hi in itertools.pairwise(offsets)]
    return ChoiceDesign.of(offsets.astype(np.int64), x, np.array(chosen))


def dichotomy_design(
    rng: np.random.Generator, n: int, k: int, zeta: float, p: float
) -> tuple[ChoiceDesign, np.ndarray]:
    """Lists of k under the dichotomy model; one column, 1 for category 2; and the categories."""
    second = rng.random((n, k)) >= zeta
    taste_second = rng.random(n) >= p
    liked = second == taste_second[:, None]
    liked[~liked.any(axis=1)] = True
    chosen = (liked * rng.random((n, k))).argmax(axis=1)
    offsets = np.arange(0, n * k + 1, k)
    design = ChoiceDesign.of(offsets, second.reshape(-1, 1).astype(float), chosen + offsets[:-1])
    return design, second.astype(np.int64).ravel()


def sets_of(n_items: int, lists: Iterable[Iterable[tuple[int, int]]]) -> ChoiceSets:
    """Choice sets from lists of (item, rank)."""
    offsets, members, ranks = [0], [], []
    for entries in lists:
        for item, rank in entries:
            members.append(item)
            ranks.append(rank)
        offsets.append(len(members))
    n = len(offsets) - 1
    unknown = np.full(n, -1)
    return ChoiceSets(
        n_items,
        np.array(offsets),
        np.array(members, dtype=np.int64),
        np.array(ranks, dtype=np.int64),
        np.ones(n),
        unknown,
        unknown,
    )
