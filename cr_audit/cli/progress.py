"""A progress bar on a terminal's stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cr_audit.run import Progress, silent

MEASURABLE = 0.1
"""Seconds of work below which a rate would be that of the clock."""


@contextmanager
def progress_bar(*, enabled: bool) -> Iterator[Progress]:
    """A callback (stage, done, total) that draws rate and time left on a terminal's stderr.

    Nothing is drawn where stderr is not a terminal, and nothing in the first half second.
    """
    if not enabled or sys.stderr is None or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, Any] = {}
    began: dict[str, float] = {}
    # A quick run shows nothing; a stage that says nothing for long (a model loads) still spins.
    timer = threading.Timer(0.5, bar.start)
    timer.daemon = True
    timer.start()

    current = [""]

    def report(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total or None, rate="")
        if stage != current[0] or not done:  # a stage may come again, with other work
            for other in tasks.values():
                bar.update(other, visible=other == tasks[stage])
            bar.reset(tasks[stage], total=total or None)
            began[stage], current[0] = now, stage
        elapsed = max(now - began[stage], 1e-9)
        rate = f"{done / elapsed:,.0f}/s" if done and elapsed > MEASURABLE else ""
        bar.update(tasks[stage], completed=done, total=total or None, rate=rate)

    try:
        yield report
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
