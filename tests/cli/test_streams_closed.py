"""Closed, full and impatient streams: an exit code that says what happened, never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCAN = f"{sys.executable} -m cr_audit scan sample_data/clean.jsonl --model lexical -q"
FAILS = SCAN.replace("clean", "clone_robust") + " --fail-on note"


def shell(command: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        env={**os.environ, "CR_AUDIT_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (">&-", 4),
        ("> /dev/full", 4),
        ("<&- > /dev/null", 0),
        ("2>&- > /dev/null", 0),
        ("2> /dev/full > /dev/null", 0),
        ("> /dev/null < /dev/null", 0),
    ],
)
def test_streams_that_cannot_be_used(ending: str, code: int, tmp_path: Path) -> None:
    done = shell(f"{SCAN} {ending}", tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("command", "code"), [(SCAN, 0), (FAILS, 1)])
def test_a_reader_that_goes_away_does_not_change_the_verdict(
    command: str, code: int, tmp_path: Path
) -> None:
    """The report is larger than what a pipe holds."""
    done = shell(f"{command} --format json --full-text | head -c 1 > /dev/null", tmp_path)
    assert done.returncode == code, done.stderr
    assert not done.stderr


WAITS = """
import sys, time
from cr_audit.cli.app import main
from cr_audit.run import Run

def wait(run):
    print("reading", file=sys.stderr, flush=True)
    time.sleep(120)

Run._read = wait
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_leaves_no_report_of_an_earlier_one(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text("{}")
    running = subprocess.Popen(
        [sys.executable, "-c", WAITS, "scan", "sample_data/clean.jsonl", "-o", str(report)],
        cwd=ROOT,
        env={**os.environ, "CR_AUDIT_CACHE": str(tmp_path / "cache")},
        stderr=subprocess.PIPE,
    )
    assert running.stderr is not None
    assert running.stderr.readline() == b"reading\n"
    running.send_signal(number)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == code, stderr
    assert stderr.startswith(b"cr-audit: stopped")
    assert not report.exists()


@pytest.mark.parametrize("link", ["hard", "symbolic", "same"])
def test_an_output_that_is_an_input_is_refused(link: str, tmp_path: Path) -> None:
    data = tmp_path / "prefs.jsonl"
    data.write_bytes((ROOT / "sample_data" / "clean.jsonl").read_bytes())
    out = tmp_path / "out.json"
    if link == "hard":
        out.hardlink_to(data)
    elif link == "symbolic":
        out.symlink_to(data)
    else:
        out = data
    before = data.read_bytes()
    words = f"scan {data} -o {out} --format json --model none"
    done = shell(f"{sys.executable} -m cr_audit {words}", tmp_path / "cache")
    assert done.returncode == 2
    assert "would replace a file that is read" in done.stderr
    assert data.read_bytes() == before
