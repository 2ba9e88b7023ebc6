"""What a graph of meaning by cells or HNSW would gain by growing with its data.

    python -m benchmarks.clones.growing FILE 20000 200 [cells|hnsw] ...

Default vectors of the first responses of FILE (generated pairs: ``benchmarks.size.pairs``), or with
"clumps" instead of FILE vectors of 256 numbers in 200 clumps; their mean is taken away. Of n rows a
graph is made; b more come. Printed, in processor seconds and recall on 256 drawn rows against exact
search: the graph of all made anew; the old lists with distances computed anew (the mean has moved)
and the added rows entered into them; and what making cells or HNSW costs without asking them, which
is the most that older ones could save. "The same" is the share of lists with the neighbours of the
graph made anew.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from cr_audit import engine
from cr_audit.arrays import Float32Array, FloatArray, IntArray
from cr_audit.clones import cells
from cr_audit.clones.meaning import NEIGHBOURS, centred
from cr_audit.clones.nearest import (
    _by_cells,
    _by_hnsw,
    _entered,
    distances_to,
    nearest_among,
    nearest_first,
    nearest_of,
)
from cr_audit.clones.neighbours import hnsw_index
from cr_audit.embed import embed_texts, open_backend

T = TypeVar("T")
CLUMPS, NUMBERS, SAMPLE = 200, 256, 256
MADE = {"cells": _by_cells, "hnsw": _by_hnsw}


def vectors(file: str, n: int) -> Float32Array:
    if file != "clumps":
        rows = [json.loads(line) for line in Path(file).read_text().splitlines()[: n // 2 + 1]]
        texts = [row[side] for row in rows for side in ("chosen", "rejected")]
        return embed_texts(open_backend("static", notice=print), texts)[:n]
    rng = np.random.default_rng(0)
    middle = rng.standard_normal((CLUMPS, NUMBERS))
    x = 0.7 * rng.standard_normal((n, NUMBERS)) + middle[rng.integers(CLUMPS, size=n)]
    x += 6.0 * np.eye(NUMBERS)[0]
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def timed(what: str, work: Callable[[], T]) -> T:
    started = time.process_time()
    result = work()
    print(f"{what}: {time.process_time() - started:.1f} s", flush=True)
    return result


def again(rows: Float32Array, lists: IntArray, added: IntArray) -> tuple[IntArray, FloatArray]:
    """The lists of the first rows, with ``added`` entered, and the lists of these."""
    old, k = lists.shape
    away = np.empty(lists.shape)
    for part in engine.spans(old, 1_024):
        away[part] = distances_to(rows, np.arange(part.start, part.stop), rows, lists[part])
    which, to_added = nearest_of(rows[:old], rows[added], min(k, added.size))
    near, away = nearest_first(
        np.concatenate([lists, added[which]], axis=1), np.concatenate([away, to_added], axis=1), k
    )
    new, from_new = nearest_among(rows, added, k)
    return np.concatenate([near, new]), np.concatenate([away, from_new])


def main(arguments: list[str]) -> None:
    n, b, kinds = int(arguments[1]), int(arguments[2]), arguments[3:] or list(MADE)
    x = vectors(arguments[0], n + b)
    before, after = (centred(x[:m]) for m in (n, n + b))

    def of(space: object, m: int) -> Float32Array:
        """In the order of the input; ``nearest_graph`` has another, which takes no other time."""
        assert space.n == m, "equal vectors"  # type: ignore[attr-defined]
        whole = space.rows(x[:m], np.arange(m))  # type: ignore[attr-defined]
        out = np.empty_like(whole)
        out[space.first] = whole  # type: ignore[attr-defined]
        return out

    rows, all_rows = of(before, n), of(after, n + b)
    some = np.sort(np.random.default_rng(1).choice(n + b, SAMPLE, replace=False))
    truth = nearest_among(all_rows, some, NEIGHBOURS)[1][:, -1:]

    def recall(lists: tuple[IntArray, FloatArray]) -> str:
        return f"recall {float((lists[1][some] <= truth + 1e-12).mean()):.4f}"

    with engine.using(workers=1):
        for kind in kinds:
            make = MADE[kind]
            known = timed(f"{kind}, {n:,} rows", lambda m=make: _entered(*m(rows, NEIGHBOURS)[:2]))
            fresh = timed(
                f"{kind}, {n + b:,} rows anew",
                lambda m=make: _entered(*m(all_rows, NEIGHBOURS)[:2]),
            )
            print(recall(fresh))
            grown = timed(
                f"{kind}, old lists and {b:,} rows entered",
                lambda k=known: again(all_rows, k[0].astype(np.int64), np.arange(n, n + b)),
            )
            same = (np.sort(grown[0], axis=1) == np.sort(fresh[0], axis=1)).all(axis=1).mean()
            print(recall(grown), f"the same {same:.3f}")
            if kind == "cells":
                timed(
                    "cells, directions and cut",
                    lambda: cells.cut(cells.turned(all_rows), 5 * NEIGHBOURS),
                )
            else:
                timed("hnsw, build alone", lambda: hnsw_index(all_rows))


if __name__ == "__main__":
    main(sys.argv[1:])
