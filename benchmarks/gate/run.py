"""Does the gate let clean batches through and stop attacks? On real data, in numbers.

    python -m benchmarks.gate.run DATA --out FILE [--sets ukp,llmfao] [--kinds rows,prompts,leader]
        [--splits 100] [--first 0] [--jobs 1]
    python -m benchmarks.gate.table FILE...

Kinds: "rows" and "prompts" are clean batches, a random tenth of either against the rest; the others
are attacks (``attacks.py``, ``blind.py``), mixed into a tenth of the rows. One line of JSON per
trial is appended to FILE; trials that stand there already are not run again. One core per job.
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
    """By seed, so that all sets and kinds grow together; what is not measured is printed."""
    from benchmarks.gate.sets import SETS

    names, kinds = args.sets.split(","), args.kinds.split(",")
    for name in names:
        for kind in kinds:
            if kind in SETS[name].remarks:
                print(f"{name} {kind}: not measured, {SETS[name].remarks[kind]}", flush=True)
    for seed in range(args.first, args.first + args.splits):
        for name in names:
            for kind in kinds:
                if kind not in SETS[name].remarks and (name, kind, seed) not in done:
                    yield name, kind, seed


def work(folder: Path, cache: Path, options: tuple[str, bool, bool], job: Job) -> str:
    """One trial, as a line of JSON."""
    from benchmarks.gate import blind
    from benchmarks.gate.trial import Bench

    name, kind, seed = job
    if name not in _BENCHES:
        profile, reread, quick = options
        _BENCHES[name] = Bench(name, folder, cache, profile=profile, reread=reread, quick=quick)
    bench = _BENCHES[name]
    if kind.partition("-")[0] in blind.KINDS:
        return json.dumps(blind.blind_trial(bench, kind, seed))
    return json.dumps(bench.trial(kind, seed))


_BENCHES: dict[str, Any] = {}  # the data sets that this process has read


_one_worker: Any = None


def one_core() -> None:
    """Splits run side by side, so each of them has one; the result does not depend on how many."""
    from cr_audit import engine

    global _one_worker
    _one_worker = engine.using(workers=1)  # kept, so that it stays open
    _one_worker.__enter__()


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
    parser.add_argument("--quick", action="store_true", help="without weights and CR608 to CR612")
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
        options = (args.profile, args.reread, args.quick)
        waiting = [
            pool.submit(work, args.folder, cache, options, job) for job in wanted(args, done)
        ]
        for finished in as_completed(waiting):
            out.write(finished.result() + "\n")
            out.flush()


if __name__ == "__main__":
    main()
