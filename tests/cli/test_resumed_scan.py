"""A scan that is killed goes on where it was, and ends with the bytes of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
import cr_audit.analysis.compose as compose
compose.PARTS_KEPT = 1
at, calls, real = int(sys.argv.pop(1)), 0, os.replace

def replace(*names):
    global calls
    calls += 1
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*names)

os.replace = replace
from cr_audit.cli.app import main
main()
print("not killed", file=sys.stderr)
"""


def pairs(path: Path) -> None:
    rng = np.random.default_rng(3)
    words = np.array([f"w{i}" for i in range(400)])
    refusal = "I am sorry but I cannot help with that today so please ask me something else about"
    with path.open("w") as file:
        for k in range(60):
            a, b = (" ".join(rng.choice(words, 40)) for _ in "ab")
            b = f"{refusal} {words[k % 7]}" if k % 6 == 0 else b
            b = a + " and more" if k % 10 == 1 else b
            prompt = " ".join(rng.choice(words, 12))
            file.write(f'{{"prompt": "{prompt}", "chosen": "{a}", "rejected": "{b}"}}\n')


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs signals of a Unix")
def test_killed_at_three_stages(tmp_path: Path) -> None:
    data, report = tmp_path / "pairs.jsonl", tmp_path / "report.json"
    pairs(data)
    ask = ["scan", str(data), "--model", "lexical", "--format", "json", "-q", "-o", str(report)]

    def run(at: int, cache: str) -> int:
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(at), *ask],
            cwd=ROOT,
            env=os.environ | {"CR_AUDIT_CACHE": str(tmp_path / cache)},
            check=False,
        ).returncode

    def kept() -> set[str]:
        return {p.name for p in (tmp_path / "resumed").glob("kept-*.bin")}

    assert run(0, "whole") == 0
    whole = report.read_bytes()
    report.unlink()
    held: set[str] = set()
    # Each run finds what the ones before it kept, and dies one or two results later.
    for at in (3, 4, 3):
        assert run(at, "resumed") == -signal.SIGKILL
        assert kept() > held
        held = kept()
        assert not report.exists()
    assert run(0, "resumed") == 0
    assert kept() > held
    assert report.read_bytes() == whole
