"""Time and memory of an export beside reading and weighing the same rows.

    python benchmarks/export/million.py [ROWS] [.jsonl|.parquet]

Writes ROWS (1,000,000) invented pairs to a temporary folder, reads them, takes uniform weights, and
exports them as `--as rows`. Printed per stage: wall and processor time, peak of memory so far.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cr_audit.api as api
from cr_audit.export.command import done_by


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


def measured(name: str, work: Callable[[], Any]) -> None:
    wall, before = time.time(), resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss / 2**20
    print(
        f"{name:8s} {time.time() - wall:8.1f} s  {cpu:8.1f} s cpu  peak {peak:.2f} GiB", flush=True
    )


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    suffix = sys.argv[2] if len(sys.argv) > 2 else ".jsonl"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "pairs.jsonl"
        invented(source, n)
        given = {"model": "none", "weights": "uniform"}
        run = api._run(api._command("export"), str(source), None, False, given)
        run.options = {**run.options, "output": Path(folder) / f"out{suffix}"}
        measured("read", lambda: run.dataset)
        measured("weights", lambda: run.analysis)
        measured("export", lambda: done_by(run))


if __name__ == "__main__":
    main()
