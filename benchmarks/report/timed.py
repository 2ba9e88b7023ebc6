"""One command with its HTML writer timed.

    python -m benchmarks.report.timed scan FILE -o page.html

As ``python -m cr_audit``, with the same exit code. One more line on stderr says what the page cost
beyond the audit, as JSON: seconds by the clock and of the processor (what is computed for the page
alone included), and the process's peak memory before the writer and at the end, in MiB.
"""

from __future__ import annotations

import atexit
import json
import resource
import sys
import time
from dataclasses import replace

from cr_audit.cli.app import main
from cr_audit.reports import Report
from cr_audit.write import WRITERS, Target

MARK = "html-writer: "


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def say(seen: dict[str, float]) -> None:
    print(MARK + json.dumps(seen | {"peak": peak()}), file=sys.stderr)


def timed() -> None:
    """The writer of HTML replaced by one that looks at the clock."""
    own = WRITERS["html"]

    def write(report: Report, target: Target) -> str:
        before = time.perf_counter(), time.process_time(), peak()
        made = own.write(report, target)
        seen = {
            "seconds": round(time.perf_counter() - before[0], 2),
            "processor_seconds": round(time.process_time() - before[1], 2),
            "peak_before": before[2],
        }
        atexit.register(say, seen)
        return made

    WRITERS["html"] = replace(own, function=write)


if __name__ == "__main__":
    timed()
    main()
