"""Processor time and memory of ``scan`` by stage: ``python -m benchmarks.size.stages FILE [JSON]``.

The functions below are wrapped; a stage's time is its own processor time (all threads), that of the
program and that of the system apart, and its time by the clock, each less that of stages inside it.
Its memory is the peak of the process while it ran (/proc/self/clear_refs, so Linux only). The cache
is used as it stands: say whether it was warm. The JSON is written anew after every stage, so that a
run that is cut short leaves what it saw. Further arguments go to ``scan``, or to the command that
the first of them names.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

STAGES = (
    ("read", "cr_audit.run", "Run.read"),
    ("encoder", "cr_audit.run", "Run.backend"),
    ("embed", "cr_audit.analysis.compose", "embed"),
    ("prompts alike", "cr_audit.clones.searches", "AllPairs.asked"),
    ("responses alike", "cr_audit.clones.searches", "AllPairs.answered"),
    ("across prompts", "cr_audit.clones.searches", "AllPairs.across"),
    ("recall of clones", "cr_audit.clones.find", "_recall"),
    ("clones, the rest", "cr_audit.analysis.compose", "find_clones"),
    ("votes", "cr_audit.analysis.compose", "_votes"),
    ("weights", "cr_audit.analysis.compose", "alternative_weights"),
    ("units", "cr_audit.analysis.compose", "rank_units"),
    ("Voronoi weights", "cr_audit.families.weights.compute", "weights_by"),
    ("graph of meaning", "cr_audit.analysis.meaning", "meaning_graph"),
    ("graph of a cloud", "cr_audit.models.kinds.find", "nearest_graph"),
    ("kinds, the rest", "cr_audit.families.kinds.compute", "compute"),
)


def peak_mib(*, reset: bool = False) -> float:
    """The largest resident set since the last reset, MiB."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return int(found.group(1)) / 1024 if found else 0.0


Times = tuple[float, float, float]
"""Processor time of the program, of the system, and time by the clock; seconds."""


def times() -> Times:
    """As they stand now, all threads together."""
    now = os.times()
    return now.user, now.system, time.perf_counter()


def _less(a: Times, b: Times) -> Times:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _plus(a: Times, b: Times) -> Times:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


class Stages:
    """Own times and peak of every wrapped function."""

    def __init__(self) -> None:
        self.seconds: dict[str, Times] = {}
        self.peak: dict[str, float] = {}
        self._inside: list[Times] = []
        self.kept: Path | None = None

    def wrap(self, name: str, module: str, path: str) -> None:
        holder: Any = importlib.import_module(module)
        *outer, last = path.split(".")
        for part in outer:
            holder = getattr(holder, part)
        function = getattr(holder, last)

        @functools.wraps(function)
        def timed(*args: Any, **given: Any) -> Any:
            self._peaks(reset=True)
            self._inside.append((0.0, 0.0, 0.0))
            started = times()
            try:
                return function(*args, **given)
            finally:
                taken = _less(times(), started)
                own = _less(taken, self._inside.pop())
                if self._inside:
                    self._inside[-1] = _plus(self._inside[-1], taken)
                self.seconds[name] = _plus(self.seconds.get(name, (0.0, 0.0, 0.0)), own)
                self.peak[name] = max(self.peak.get(name, 0.0), peak_mib(reset=True))
                self.keep()

        setattr(holder, last, timed)

    def keep(self, total: Times | None = None) -> None:
        """Write what was seen so far."""
        if self.kept is not None:
            seen = {"seconds": self.seconds, "peak_mib": self.peak, "total": total}
            self.kept.write_text(json.dumps(seen))

    def _peaks(self, *, reset: bool) -> None:
        self.peak["elsewhere"] = max(self.peak.get("elsewhere", 0.0), peak_mib(reset=reset))


def main(arguments: list[str]) -> None:
    started = times()
    stages = Stages()
    stages.kept = Path(arguments[1]) if len(arguments) > 1 else None
    for stage in STAGES:
        stages.wrap(*stage)
    from cr_audit.cli.app import main as command

    further = arguments[2:]
    name = "scan" if not further or further[0].startswith("-") else further.pop(0)
    sys.argv = ["cr-audit", name, arguments[0], "--format", "table", *further]
    with (
        Path("/dev/null").open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.suppress(SystemExit),
    ):
        command()
    total = _less(times(), started)
    stages._peaks(reset=False)
    elsewhere = total
    for seconds in stages.seconds.values():
        elsewhere = _less(elsewhere, seconds)
    stages.seconds["elsewhere"] = elsewhere
    out = sys.stderr
    print(
        f"{arguments[0]}: {total[0]:.1f} s of the program, {total[1]:.1f} s of the system,"
        f" {total[2]:.1f} s by the clock",
        file=out,
    )
    for name, (user, system, clock) in stages.seconds.items():
        peak = stages.peak.get(name, 0)
        print(
            f"| {name:18} | {user:7.1f} s | {system:6.1f} s | {clock:7.1f} s | {peak:6.0f} MiB |",
            file=out,
        )
    stages.keep(total)


if __name__ == "__main__":
    main(sys.argv[1:])
