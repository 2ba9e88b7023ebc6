"""Hostile inputs and faults, each against a process of its own, with its peak memory and time.

    python -m benchmarks.hostile.run [--quick] [--out TABLE.md]

Held means: one of the expected exit codes, a message where it is not 0, no traceback, nobody killed
it, the input is as it was, and no part of a report is left. Memory is the peak resident size that
the kernel reports for the process (``wait4``), time is processor time; a case may take 10 minutes
and 8 GB of addresses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile.inputs import CASES, Case

LIMIT_SECONDS = 600
_ROOT = Path(__file__).parents[2]
_LIMITED = str(Path(__file__).with_name("limited.py"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """seconds : of processor time. said : the first line on stderr."""

    exit_code: int
    n_bytes: int
    seconds: float
    said: str
    problem: str


def tried(case: Case) -> Outcome:
    """Run one case in a folder of its own."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as beside:
        folder, used_file = Path(name), Path(beside) / "used"
        # Made by another process: a child begins with the peak memory of its parent.
        made = subprocess.run(
            [sys.executable, "-m", "benchmarks.hostile.inputs", case.name, name],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        arguments = json.loads(made.stdout)
        digests = {p: _digest(p) for p in folder.iterdir() if p.is_file() and not p.is_symlink()}
        environment = {
            **os.environ,
            "CR_AUDIT_CACHE": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(_ROOT),
        }
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            target = open("/dev/full", "wb") if case.before == "full" else out  # noqa: SIM115
            process = subprocess.Popen(
                [sys.executable, _LIMITED, str(used_file), case.before, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=err,
                env=environment,
            )
            seconds = 1.0 if case.before == "SIGTERM" else LIMIT_SECONDS
            timer = threading.Timer(seconds, process.terminate)
            timer.start()
            process.wait()
            timer.cancel()
            status, n_bytes, cpu = json.loads(used_file.read_text())
            exit_code = os.waitstatus_to_exitcode(status)
            if target is not out:
                target.close()
        said = (folder / "stderr").read_text(errors="replace")
        problems = []
        if exit_code not in case.exits:
            problems.append(f"exit {exit_code}")
        if exit_code not in (0, 1) and not said and case.before != "no stderr":
            problems.append("no message")
        if "Traceback" in said:
            problems.append("traceback")
        if any(_digest(p) != d for p, d in digests.items()):
            problems.append("an input changed")
        if any(p.name.endswith(".part") for p in folder.rglob("*")):
            problems.append("a part is left")
        return Outcome(
            exit_code,
            n_bytes,
            cpu,
            said.strip().splitlines()[0].replace(name, "")[:100] if said.strip() else "",
            ", ".join(problems),
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cases = [c for c in CASES if (c.quick or not given.quick) and given.only in c.group + c.name]
    lines = ["| group | what | exit | peak memory | time | |", "|---|---|--:|--:|--:|---|"]
    held = 0
    for case in cases:
        found = tried(case)
        held += not found.problem
        lines.append(
            f"| {case.group} | {case.name} | {found.exit_code} | {found.n_bytes / 1e9:.2f} GB"
            f" | {found.seconds:.0f} s | {found.problem or 'held'} |"
        )
        print(lines[-1], found.said, flush=True)
    lines.append("")
    lines.append(f"{len(cases)} tried, {held} held.")
    print(lines[-1])
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
