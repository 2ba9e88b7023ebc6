"""Hostile inputs and faults, each against a process of its own, with its peak memory and time.

    python -m benchmarks.hostile.run [--quick] [--only NAME] [--out FILE.jsonl]

Held means: one of the expected exit codes, a message where it is not 0, no traceback, nobody killed
it, the input is as it was, and no part of a report is left. Memory is the peak resident size that
the kernel reports for the process (``wait4``), time is processor time; a case may take 10 minutes
of it and 8 GB of addresses.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.hostile.inputs import CASES, STALE, Case

LIMIT_SECONDS = 3600
"""By the clock, should it wait for something; ``limited`` has a limit of processor time."""
_ROOT = Path(__file__).parents[2]
_LIMITED = str(Path(__file__).with_name("limited.py"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """seconds : of processor time. said : the first line on stderr. problem : "" where it held;
    "not tried: ..." where this machine has no way to."""

    exit_code: int
    n_bytes: int
    seconds: float
    said: str
    problem: str


def tried(case: Case) -> Outcome:
    """Run one case in a folder of its own."""
    with contextlib.ExitStack() as after:
        name, beside = (after.enter_context(tempfile.TemporaryDirectory()) for _ in range(2))
        folder, used_file = Path(name), Path(beside) / "used"
        # Made by another process: a child begins with the peak memory of its parent.
        made = subprocess.run(
            [sys.executable, "-m", "benchmarks.hostile.inputs", case.name, name],
            cwd=_ROOT,
            capture_output=True,
            check=False,
        )
        if made.returncode:
            why = made.stderr.decode(errors="replace").strip().splitlines()[-1:]
            return Outcome(0, 0, 0.0, "", f"not tried: {' '.join(why)[:100]}")
        if case.before.startswith("disk full"):
            place = folder / case.before.partition(": ")[2]
            if not after.enter_context(_full_disk(place)):
                return Outcome(0, 0, 0.0, "", "not tried: a full disk is mounted by root only")
        arguments = json.loads(made.stdout)
        digests = {
            p: _digest(p)
            for p in folder.iterdir()
            if p.is_file() and not p.is_symlink() and p.name != "out.json"
        }
        environment = {
            **os.environ,
            "CR_AUDIT_CACHE": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(_ROOT),
        }
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            target = open("/dev/full", "wb") if case.before == "full" else out  # noqa: SIM115
            if case.before == "reader":
                ours, theirs = os.pipe()
                os.close(ours)
                target = os.fdopen(theirs, "wb")
            process = subprocess.Popen(
                [sys.executable, _LIMITED, str(used_file), case.before, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=err,
                env=environment,
            )
            number, _, seconds = case.before.partition(" ")
            if number.startswith("SIG"):
                _wait_for(process, used_file.with_name("used.started"), float(seconds))
                process.send_signal(signal.Signals[number])
            timer = threading.Timer(LIMIT_SECONDS, process.terminate)
            timer.start()
            process.wait()
            timer.cancel()
            if not used_file.exists():
                return Outcome(process.returncode, 0, 0.0, "", "the run was lost")
            status, n_bytes, cpu = json.loads(used_file.read_text())
            exit_code = os.waitstatus_to_exitcode(status)
            if target is not out:
                target.close()
        said = (folder / "stderr").read_text(errors="replace")
        return Outcome(
            exit_code,
            n_bytes,
            cpu,
            said.strip().splitlines()[0].replace(name, "")[:100] if said.strip() else "",
            ", ".join(_problems(case, folder, exit_code, said, digests)),
        )


def _problems(
    case: Case, folder: Path, exit_code: int, said: str, digests: dict[Path, str]
) -> Iterator[str]:
    """What did not hold."""
    if exit_code not in case.exits:
        yield f"exit {exit_code}"
    silent = case.before in ("no stderr", "no streams")
    if exit_code not in (0, 1) and exit_code > 0 and not said and not silent:
        yield "no message"
    if "Traceback" in said or "Warning" in said:
        yield "traceback"
    if any(not p.is_file() or _digest(p) != d for p, d in digests.items()):
        yield "an input changed"
    if any(p.name.endswith(".part") for p in folder.rglob("*")):
        yield "a part is left"
    report = folder / "out.json"
    if report.is_file():
        content = report.read_text(errors="replace")
        if content == STALE:
            if exit_code >= 0:  # killed before it could begin, it can take nothing away
                yield "a report of an earlier run is left"
        else:
            try:
                json.loads(content)
            except ValueError:
                yield "a report is cut"
            if exit_code > 1:
                yield "a report beside an error"


def _wait_for(process: subprocess.Popen[bytes], started: Path, seconds: float) -> None:
    """Until the run has had so many seconds of processor time, or has ended."""
    while process.poll() is None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            child = started.read_text()
            used = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            if (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK") >= seconds:
                return
        time.sleep(0.01)


@contextlib.contextmanager
def _full_disk(place: Path) -> Iterator[bool]:
    """A file system of 64 kB with nothing left at a place; False where none can be mounted."""
    place.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    if not done:
        yield False
        return
    try:
        with contextlib.suppress(OSError), (place / "fill").open("wb", buffering=0) as out:
            while True:
                out.write(b"x" * 4096)
        yield True
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def table(records: list[dict[str, Any]]) -> str:
    """The cases as Markdown, and how many of each group held."""
    lines = ["| group | what | exit | peak memory | time | |", "|---|---|--:|--:|--:|---|"]
    by_group: dict[str, list[bool]] = {}
    for r in records:
        lines.append(
            f"| {r['group']} | {r['name']} | {r['exit_code']} | {r['n_bytes'] / 1e9:.2f} GB"
            f" | {r['seconds']:.0f} s | {r['problem'] or 'held'} |"
        )
        if not r["problem"].startswith("not tried"):
            by_group.setdefault(r["group"], []).append(not r["problem"])
    lines += ["", "| group | tried | held |", "|---|--:|--:|"]
    lines += [f"| {g} | {len(held)} | {sum(held)} |" for g, held in by_group.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="a part of a group or name")
    parser.add_argument(
        "--out", type=Path, help="lines of JSON; what stands there is not run again"
    )
    given = parser.parse_args()
    records: list[dict[str, Any]] = []
    if given.out and given.out.exists():
        records = [json.loads(line) for line in given.out.read_text().splitlines()]
    done = {r["name"] for r in records}
    for case in CASES:
        if (given.quick and not case.quick) or given.only not in f"{case.group} {case.name}":
            continue
        if case.name in done:
            continue
        record = {"group": case.group, "name": case.name, **asdict(tried(case))}
        records.append(record)
        print(case.group, case.name, record["problem"] or "held", record["said"], flush=True)
        if given.out:
            with given.out.open("a") as out:
                out.write(json.dumps(record) + "\n")
    order = [c.name for c in CASES]
    print(table(sorted(records, key=lambda r: order.index(r["name"]))))


if __name__ == "__main__":
    main()
