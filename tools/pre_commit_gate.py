#!/usr/bin/env python3
"""The hook of pre-commit: ``cr-audit gate`` from an environment without torch.

    tools/pre_commit_gate.py --baseline data/main.jsonl -- data/batches/new.jsonl

pre-commit's own way (``language: python``) installs every dependency, torch with them, which the
default encoder does not need. This script makes an environment the first time, by the slim way of
docs/install.md, in the clone that pre-commit keeps (so ``pre-commit clean`` removes it), and hands
its arguments on. An environment that was not finished is made anew. Needs no package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".hook-env"
OLDEST = (3, 11)


def main(arguments: list[str]) -> int:
    """The exit code of the gate; 4 where the environment could not be made."""
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:2]))
        print(f"cr-audit: Python 3.11 or newer is needed; this is {have}", file=sys.stderr)
        return 4
    made = HOME / f"py{sys.version_info[0]}{sys.version_info[1]}"
    python = made / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = made / ".installed"
    if not done.exists():
        try:
            install(made, python)
        except subprocess.CalledProcessError as error:
            print(f"cr-audit: {error}", file=sys.stderr)
            print(
                "  next: run the command above by hand; pip says what is missing", file=sys.stderr
            )
            return 4
        done.touch()
    return subprocess.call([str(python), "-P", "-m", "cr_audit", "gate", *arguments])


def install(made: Path, python: Path) -> None:
    """An environment in ``made``: the package alone, then what it needs but torch."""
    print("cr-audit: installing without torch, once", file=sys.stderr)
    shutil.rmtree(made, ignore_errors=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(made)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, "--no-deps", str(ROOT)], check=True)
    # Away from the checkout, so that the installed package answers.
    named = subprocess.run(
        [str(python), "-P", "-m", "cr_audit.slim"],
        check=True,
        cwd=made,
        capture_output=True,
        text=True,
    )
    needed = made / "slim.txt"
    needed.write_text(named.stdout, encoding="utf-8")
    # pip would say ERROR about what is left out on purpose.
    subprocess.run([*pip, "--no-warn-conflicts", "-r", str(needed)], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
