"""How long the HTML report takes to write, how large it is, and how it scrolls in Chromium.

    python -m benchmarks.report.run prefs.jsonl            # scan, write, open, scroll
    python -m benchmarks.report.run --page report.html     # open and scroll only

Written: the scan is computed first; then what the writer does is timed by the clock and by the
processor (a busy machine stretches only the first). Scrolled: from the top at 2,000 pixels a
second by synthetic gestures, in headless Chromium at 1280 x 900, while the trace categories
``cc,benchmark`` and ``devtools.timeline`` are recorded. Reported: frames that were due, those that
were dropped, and the processor time that main thread and compositor spent per frame, of which
16.7 ms may be spent at 60 frames a second.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

SPEED = 2_000
"""Pixels a second: a fast flick."""
FAR = 40_000
"""Pixels, of a page that is longer: 20 seconds."""
CATEGORIES = "cc,benchmark,devtools.timeline,toplevel,disabled-by-default-devtools.timeline"
THREADS = ("CrRendererMain", "Compositor", "VizCompositorThread")


def main() -> int:
    """Write where a data set is given, open, scroll; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--page", type=Path, help="an HTML report that is there already")
    parser.add_argument("--keep", type=Path, help="where to write the report")
    given = parser.parse_args()
    measured: dict[str, Any] = {}
    page = given.page
    if page is None:
        page = given.keep or Path("report.html")
        measured["written"] = write(given.files, page)
    measured["mb"] = round(page.stat().st_size / 1e6, 2)
    measured["scrolled"] = scroll(page)
    print(json.dumps(measured, indent=1))
    return 0


def write(files: list[str], to: Path) -> dict[str, float]:
    """Seconds of the scan and of the writer."""
    import cr_audit
    from cr_audit.write import WRITERS, Target

    clock, used = time.perf_counter(), time.process_time()
    report = cr_audit.audit([Path(f) for f in files]).report
    report.blocks()  # whatever is computed late
    scan = time.perf_counter() - clock, time.process_time() - used
    clock, used = time.perf_counter(), time.process_time()
    text = WRITERS["html"].write(report, Target())
    to.write_text(text, encoding="utf-8")
    return {
        "scan_seconds": round(scan[0], 2),
        "scan_processor_seconds": round(scan[1], 2),
        "write_seconds": round(time.perf_counter() - clock, 2),
        "write_processor_seconds": round(time.process_time() - used, 2),
    }


def scroll(page: Path) -> dict[str, Any]:
    """The page from top to bottom, traced."""
    from playwright.sync_api import sync_playwright

    chromium = next(
        (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))),
        None,
    )
    if chromium is None:
        raise SystemExit("benchmarks/report/run.py: no Chromium on this machine")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        begun = time.perf_counter()
        tab.goto(page.resolve().as_uri())
        loaded = time.perf_counter() - begun
        height = int(tab.evaluate("document.documentElement.scrollHeight"))
        shapes = int(tab.evaluate("document.querySelectorAll('*').length"))
        session = tab.context.new_cdp_session(tab)
        events: list[dict[str, Any]] = []
        session.on("Tracing.dataCollected", lambda e: events.extend(e["value"]))
        done: list[bool] = []
        session.on("Tracing.tracingComplete", lambda e: done.append(True))
        session.send("Tracing.start", {"categories": CATEGORIES, "transferMode": "ReportEvents"})
        session.send(
            "Input.synthesizeScrollGesture",
            {
                "x": 640,
                "y": 450,
                "yDistance": -min(height, FAR),
                "speed": SPEED,
                "gestureSourceType": "mouse",
            },
        )
        session.send("Tracing.end")
        until = time.monotonic() + 60
        while not done and time.monotonic() < until:
            tab.wait_for_timeout(100)
        at = int(tab.evaluate("scrollY"))
        browser.close()
    return {
        "load_seconds": round(loaded, 2),
        "height": height,
        "reached": at,
        "elements": shapes,
        **frames(events),
    }


def frames(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Frames due and dropped; work of each thread per frame drawn."""
    states = Counter(
        str(e["args"].get("frame_reporter", {}).get("state", "?"))
        for e in events
        if e.get("name") == "PipelineReporter" and e.get("ph") == "b"
    )
    named = {
        (e["pid"], e["tid"]): e["args"]["name"]
        for e in events
        if e.get("ph") == "M" and e.get("name") == "thread_name"
    }
    # Whole tasks only: what is nested within one is part of it.
    busy: Counter[str] = Counter()
    longest: dict[str, float] = {}
    for e in events:
        thread = named.get((e.get("pid"), e.get("tid")), "")
        if thread not in THREADS or e.get("ph") != "X" or e.get("name") != "RunTask":
            continue
        used = float(e.get("tdur", e.get("dur", 0))) / 1e3
        busy[thread] += used
        longest[thread] = max(longest.get(thread, 0.0), used)
    drawn = sum(n for state, n in states.items() if "PRESENTED" in state) or 1
    dropped = sum(n for state, n in states.items() if "DROPPED" in state)
    return {
        "frames": dict(states),
        "dropped_share": round(dropped / max(drawn + dropped, 1), 4),
        "ms_per_frame": {t: round(v / drawn, 2) for t, v in sorted(busy.items())},
        "longest_task_ms": {t: round(v, 1) for t, v in sorted(longest.items())},
    }


if __name__ == "__main__":
    sys.exit(main())
