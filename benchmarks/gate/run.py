"""Does the gate let clean batches through and stop attacks? On real data, in numbers.

    python -m benchmarks.gate.run DATA --out FILE [--sets ukp,llmfao] [--kinds rows,prompts,leader]
        [--splits 100] [--first 0] [--jobs 1]
    python -m benchmarks.gate.table FILE...

Kinds: "rows" and "prompts" are clean batches, a random tenth of either against the rest; the others
are attacks (``attacks.py``), mixed into a tenth of the rows. One line of JSON per trial is appended
to FILE; trials that stand there already are not run again. One core per job, whatever the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

KINDS = "rows,prompts,leader,spread,copies,flipped,wording,refusal,everywhere"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
Job = tuple[str, str, int]


def wanted(args: argparse.Namespace, done: set[Job]) -> Iterator[Job]:
    """By set, then by seed, so that all kinds of a set grow together; remarks are printed."""
    from benchmarks.gate.sets import SETS

    for name in args.sets.split(","):
        remarks = SETS[name].remarks
        kinds = args.kinds.split(",")
        for kind in kinds:
            if kind in remarks:
                print(f"{name} {kind}: not measured, {remarks[kind]}", flush=True)
        for seed in range(args.first, args.first + args.splits):
            for kind in kinds:
                if kind not in remarks and (name, kind, seed) not in done:
                    yield name, kind, seed


def work(folder: Path, cache: Path, options: tuple[str, bool], jobs: list[Job]) -> list[str]:
    """Trials of one set, as lines of JSON."""
    from benchmarks.gate.trial import Bench

    profile, reread = options
    bench = _BENCHES.get(jobs[0][0])
    if bench is None:
        _BENCHES.clear()
        bench = Bench(jobs[0][0], folder, cache, profile=profile, reread=reread)
        _BENCHES[jobs[0][0]] = bench
    return [json.dumps(bench.trial(kind, seed)) for _, kind, seed in jobs]


_BENCHES: dict[str, Any] = {}  # the one data set that this process holds


def one_core() -> None:
    """Pin a worker: some libraries take all cores that they see."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default="ukp,llmfao,wildbench,qlora,humour,hh")
    parser.add_argument("--kinds", default=KINDS)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--profile", default="default")
    parser.add_argument("--cache", type=Path, default=None, help="of vectors; else a new one")
    parser.add_argument("--reread", action="store_true", help="read each baseline anew")
    args = parser.parse_args()
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    cache = args.cache or Path(tempfile.mkdtemp())
    done = set()
    if args.out.exists():
        lines = [json.loads(line) for line in args.out.read_text().splitlines()]
        done = {(r["set"], r["kind"], r["seed"]) for r in lines}
    with (
        ProcessPoolExecutor(args.jobs, get_context("spawn"), one_core) as pool,
        args.out.open("a") as out,
    ):
        options = (args.profile, args.reread)
        waiting = [
            pool.submit(work, args.folder, cache, options, [job]) for job in wanted(args, done)
        ]
        for finished in as_completed(waiting):
            out.writelines(line + "\n" for line in finished.result())
            out.flush()


if __name__ == "__main__":
    main()
