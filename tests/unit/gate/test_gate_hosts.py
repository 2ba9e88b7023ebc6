"""The hook and the action, as far as they can be tried without their hosts."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML reads the two files")
ROOT = Path(__file__).resolve().parent.parent.parent.parent
SAMPLE = ROOT / "sample_data" / "gate"


def test_the_hook_names_a_command_that_exists() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert re.search(hook["files"], "data/batches/b.jsonl.gz")
    assert not re.search(hook["files"], "notes.md")
    program, *rest = shlex.split(hook["entry"])
    assert program == "cr-audit"
    command = [sys.executable, "-m", "cr_audit", *rest, "--model", "lexical"]
    command += ["--baseline", str(SAMPLE / "main.jsonl"), str(SAMPLE / "batch_clean.jsonl")]
    assert subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0


def test_the_action_runs_its_script(tmp_path: Path) -> None:
    """The gate's step with the inputs GitHub would pass; the exit code is the gate's."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = [s for s in action["runs"]["steps"] if s.get("id") == "gate"]
    assert "${{" not in step["run"], "inputs must not become part of the script"
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "cr-audit").write_text(f'#!/bin/sh\nexec {sys.executable} -m cr_audit "$@"\n')
    (bin_ / "cr-audit").chmod(0o755)
    (tmp_path / "policy file.toml").write_text('[gate]\nmodel = "lexical"\n')
    for name, code in (("cloned", 1), ("broken", 3)):
        env = {
            **os.environ,
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "BASELINE": f"{SAMPLE / 'main.jsonl'}\n",
            "BATCH": str(SAMPLE / f"batch_{name}.jsonl"),
            "CONFIG": "policy file.toml",
            "KNOWN": "",
            "SARIF": f"{name}.sarif",
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "PYTHONPATH": str(ROOT),
        }
        run = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == code, run.stderr
        assert (tmp_path / f"{name}.sarif").exists() is (code == 1)
        if code == 1:
            assert "::error " in run.stdout
            assert "cr-audit gate: fail" in (tmp_path / "summary").read_text()
    assert "sarif=cloned.sarif" in (tmp_path / "output").read_text()
