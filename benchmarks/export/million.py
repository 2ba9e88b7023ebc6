"""Time and memory of exports beside reading and weighing the same rows.

    python benchmarks/export/million.py [ROWS] [--no-clones]
        [--exits rows.jsonl,rows.csv,rows.parquet,resample.jsonl]

Writes ROWS (1,000,000) invented pairs to a temporary folder, reads them, takes uniform weights, and
exports them. Printed per stage: wall and processor time (user and system), the memory held before
it, and by how much its peak went above that. --no-clones leaves the search for clones out, which is
the scan's.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cr_audit.api as api
from cr_audit.analysis.facts import Stage
from cr_audit.export import EXITS


def invented(path: Path, n: int) -> None:
    draw = random.Random(1)
    words = [f"w{i}" for i in range(5000)]
    with path.open("w", encoding="utf-8") as file:
        for i in range(n):
            t = draw.choices(words, k=60)
            row = {
                "prompt": f"q{i // 2} " + " ".join(t[:10]),
                "chosen": f"a{i} " + " ".join(t[10:35]),
                "rejected": f"b{i} " + " ".join(t[35:]),
                "n": i,
            }
            file.write(json.dumps(row) + "\n")


def held(name: str) -> float:
    """A line of the kernel's account of this process in GiB: VmRSS now, VmHWM at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 2**20
    raise ValueError(name)


def measured(name: str, work: Callable[[], Any]) -> None:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of this stage
    wall, before, start = time.time(), resource.getrusage(resource.RUSAGE_SELF), held("VmRSS")
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    above = held("VmHWM") - start
    print(
        f"{name:16s} {time.time() - wall:8.1f} s  {cpu:8.1f} s cpu  held {start:.2f} GiB"
        f"  peak +{above:.2f} GiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--exits", default="rows.jsonl,rows.csv,rows.parquet,resample.jsonl")
    parser.add_argument("--no-clones", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "pairs.jsonl"
        invented(source, asked.rows)
        given = {"model": "none", "weights": "uniform"}
        run = api._run(api._command("export"), str(source), None, False, given)
        if asked.no_clones:
            run.left_out = (Stage.CLONES, Stage.VOTES, Stage.RESAMPLING)
        measured("read", lambda: run.dataset)
        measured("analysis", lambda: run.analysis)
        for name in asked.exits.split(","):
            path = Path(folder) / f"out.{name}"
            measured(name, lambda name=name, path=path: EXITS[name.split(".")[0]].export(run, path))
            path.unlink()


if __name__ == "__main__":
    main()
