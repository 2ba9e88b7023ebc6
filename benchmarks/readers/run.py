"""Time and peak memory of reading a large file of pairs into arrays.

    python benchmarks/readers/run.py --rows 1000000

Each case runs in a process of its own (so that peak memory is its own) on a generated file that is
deleted afterwards. ``pairs``: ten systems per prompt, every response stands in nine rows.
``distinct``: every text stands in one row, the worst case for the identities.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GENERATOR = Path(__file__).parent / "generate.py"


def measure(path: str) -> None:
    """Read one file and print one line; runs in a child process."""
    from cr_audit.readers import read

    start, cpu = time.perf_counter(), time.process_time()
    data = read([path])
    arrays = data.comparison_arrays()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{arrays.n:,} comparisons, {data.n_alternatives:,} alternatives, "
        f"{data.n_prompts:,} prompts: {seconds:.1f} s "
        f"({cpu:.1f} s of processor), peak {peak:.2f} GiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default=None, help="where the file is written for a while")
    parser.add_argument("--measure", default=None, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure)
        return
    for case in ("pairs", "distinct"):
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            path = str(Path(folder) / "rows.jsonl")
            made = [sys.executable, str(GENERATOR), path, "--rows", str(args.rows)]
            made += ["--seed", str(args.seed)]
            subprocess.run(made + ["--distinct"] * (case == "distinct"), check=True)
            size = Path(path).stat().st_size / 1e9
            print(f"{case}: {size:.2f} GB of JSONL, ", end="", flush=True)
            subprocess.run([sys.executable, __file__, "--measure", path], check=True)


if __name__ == "__main__":
    main()
