"""Kill -9 a gate run again and again: ``killed_runs.py FOLDER N``; prints how many were killed.

Runs are forks of this process, which has imported everything but computed nothing: a kill costs
the run and not the start of Python. Some are killed just before or after a file takes its place,
the rest at moments spread over the measured length of a run, half of them with an empty cache.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cr_audit.cli.running
import cr_audit.embed
import cr_audit.embed.lexical
import cr_audit.gate.command
import cr_audit.gate.compare
import cr_audit.gate.judge
import cr_audit.gate.known
import cr_audit.gate.verdict
import cr_audit.readers
import cr_audit.write.json  # noqa: F401
from cr_audit.cli.app import main

BASELINE, BATCH = "sample_data/gate/main.jsonl", "sample_data/gate/batch_cloned.jsonl"
CHECKED_EVERY = 5
N_REPLACED = 7
"""Files that take their place in a run with an empty cache: five kept results and two outputs."""


class Runs:
    def __init__(self, folder: Path) -> None:
        self.cache, self.known = folder / "cache", folder / "known.json"
        self.report = folder / "report.json"
        os.environ["CR_AUDIT_CACHE"] = str(self.cache)

    def start(self, prepare: Callable[[], None] = lambda: None) -> int:
        child = os.fork()
        if child:
            return child
        prepare()
        sys.argv = ["cr-audit", "gate", "--model", "lexical", "--baseline", BASELINE, BATCH]
        sys.argv += ["--format", "json", "-q", "--today", "2026-01-01", "--exit-zero"]
        sys.argv += ["-o", str(self.report), "--write-baseline", str(self.known)]
        try:
            main()
        except SystemExit as done:
            os._exit(int(done.code or 0))
        os._exit(0)

    def whole(self) -> tuple[bytes, bytes]:
        """A run to its end: its report and its known findings."""
        _, status = os.waitpid(self.start(), 0)
        assert status == 0, f"a run after a kill ended with status {status}"
        return self.report.read_bytes(), self.known.read_bytes()

    def clear(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)


def at_replacement(number: int, after: bool) -> Callable[[], None]:
    """The process kills itself at its ``number``-th os.replace, before or after it."""

    def prepare() -> None:
        real, calls = os.replace, 0

        def replace(*names: str) -> None:
            nonlocal calls
            calls += 1
            if calls == number and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*names)
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = replace  # type: ignore[assignment]

    return prepare


def killed(folder: Path, n: int) -> tuple[int, int]:
    """Kill ``n`` runs before their end; how many, and how many of them at a file's replacement."""
    runs, rng = Runs(folder), random.Random(0)
    took = {}
    for cold in (True, False):
        if cold:
            runs.clear()
        start = time.monotonic()
        first = runs.whole()
        took[cold] = time.monotonic() - start
    n_killed = n_exact = i = 0
    points = [(k, after) for k in range(1, N_REPLACED + 1) for after in (False, True)]
    rng.shuffle(points)
    while n_killed < n:
        exact = i % 3 == 0 and bool(points)
        cold = exact or bool(i % 2)
        if cold:
            runs.clear()
        if exact:
            child = runs.start(at_replacement(*points.pop()))
        else:
            child = runs.start()
            time.sleep((n_killed + rng.random()) / n * took[cold])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or not exact, "there are fewer files than N_REPLACED"
        n_killed += os.WIFSIGNALED(status)
        n_exact += exact
        i += 1
        held = runs.report.read_bytes(), runs.known.read_bytes()
        assert held == first, "a killed run left a half-written file"
        if i % CHECKED_EVERY == 0 or n_killed == n:
            assert runs.whole() == first, "the run after a kill gave other bytes"
    return n_killed, n_exact


if __name__ == "__main__":
    print(*killed(Path(sys.argv[1]), int(sys.argv[2])))
