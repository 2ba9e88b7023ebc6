"""The hook, the action and the workflow, as far as they can be tried without their hosts."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cr_audit.slim import slim_requirements

yaml = pytest.importorskip("yaml", reason="PyYAML reads the files")
ROOT = Path(__file__).resolve().parent.parent.parent.parent
SAMPLE = ROOT / "sample_data" / "gate"
REAL = f'#!/bin/sh\nexec {sys.executable} -m cr_audit "$@"\n'
# Writes its arguments, and the SARIF it is asked for.
STUB = """#!/bin/bash
printf '%s\\0' "$@" > "$ARGUMENTS"
for word in "$@"; do
  case "$word" in --report=sarif=*) touch -- "${word#--report=sarif=}" ;; esac
done
exit "${STUB_CODE:-0}"
"""
HOSTILE = (
    "with space.jsonl",
    'it\'s "quoted".jsonl',
    "-rf.jsonl",
    "--exit-zero",
    "$(touch owned).jsonl",
    "`touch owned`; touch owned",
    "* ?.jsonl",
    "a\\b.jsonl",
)


def test_the_hook_runs_as_pre_commit_runs_it(tmp_path: Path) -> None:
    """entry, then the user's args, then the names of the changed files that ``files`` matches."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {"id", "name", "entry", "language"} <= hook.keys()
    assert hook["require_serial"], "all changed batches are judged together"
    assert re.search(hook["files"], "data/batches/b.jsonl.gz")
    assert not re.search(hook["files"], "notes.md")
    command_on(tmp_path, REAL)
    for name, code in (("clean", 0), ("cloned", 1), ("broken", 3)):
        changed = f"-{name} batch.jsonl"
        (tmp_path / changed).write_bytes((SAMPLE / f"batch_{name}.jsonl").read_bytes())
        assert re.search(hook["files"], changed)
        args = ["--model", "lexical", "--baseline", str(SAMPLE / "main.jsonl"), "--"]
        done = subprocess.run(
            [*shlex.split(hook["entry"]), *args, changed],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stderr


def command_on(folder: Path, script: str) -> None:
    """``cr-audit`` as ``script``, in ``folder/bin``."""
    (folder / "bin").mkdir(exist_ok=True)
    command = folder / "bin" / "cr-audit"
    command.write_text(script)
    command.chmod(0o755)


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "ARGUMENTS": str(folder / "arguments"),
        "CONFIG": "",
        "KNOWN": "",
        "POLICY_FROM": "",
        "BASE_SHA": "",
        "SARIF": "cr-audit.sarif",
        **more,
    }


def act(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The gate's step of the action, with the shell and the environment that GitHub gives it."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = [s for s in action["runs"]["steps"] if s.get("id") == "gate"]
    assert "${{" not in step["run"], "inputs must not become part of the script"
    own = {"BASELINE", "BATCH", "CONFIG", "KNOWN", "SARIF", "POLICY_FROM", "BASE_SHA"}
    assert set(step["env"]) == own
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=environment(folder, **inputs),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_the_action_judges_a_batch(tmp_path: Path) -> None:
    """The exit code is the gate's; only a judged batch has a report."""
    command_on(tmp_path, REAL)
    (tmp_path / "policy file.toml").write_text('[gate]\nmodel = "lexical"\n')
    for name, code in (("cloned", 1), ("broken", 3)):
        run = act(
            tmp_path,
            BASELINE=f"{SAMPLE / 'main.jsonl'}\n",
            BATCH=str(SAMPLE / f"batch_{name}.jsonl"),
            CONFIG="policy file.toml",
            SARIF=f"{name}.sarif",
        )
        assert run.returncode == code, run.stderr
        assert (tmp_path / f"{name}.sarif").exists() is (code == 1)
        assert "::error " in run.stdout
        assert ("not judged (exit 3)" in run.stdout) is (code == 3)
    assert lines_of(tmp_path / "output") == ["sarif=cloned.sarif"]
    assert (tmp_path / "summary").read_text().count("**FAIL** ") == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_inputs_of_the_action_stay_inputs(name: str, tmp_path: Path) -> None:
    command_on(tmp_path, STUB)
    run = act(
        tmp_path,
        BASELINE=f"one.jsonl\n\n{name}\n",
        BATCH=f"{name}\ntwo.jsonl",
        CONFIG=name,
        KNOWN=name,
        SARIF=name,
    )
    assert run.returncode == 0, run.stderr
    words = (tmp_path / "arguments").read_bytes().decode().split("\0")[:-1]
    summary = next(word for word in words if word.startswith("--report=markdown="))
    assert words == [
        "gate",
        "--baseline=one.jsonl",
        f"--baseline={name}",
        f"--config={name}",
        f"--known={name}",
        f"--report=sarif={name}",
        summary,
        "--report=github=-",
        "--quiet",
        "--",
        name,
        "two.jsonl",
    ]
    assert lines_of(tmp_path / "output") == [f"sarif={name}"]
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("policy_from", "base", "passed"),
    [
        ("", "", None),
        ("", "0123abc", "0123abc"),
        ("origin/main", "0123abc", "origin/main"),
        ("policy.toml", "", "policy.toml"),
        ("checkout", "0123abc", None),
        ("--upload-pack=touch owned", "", "--upload-pack=touch owned"),
        ("$(touch owned)", "", "$(touch owned)"),
    ],
)
def test_a_pull_request_is_judged_by_its_base(
    policy_from: str, base: str, passed: str | None, tmp_path: Path
) -> None:
    command_on(tmp_path, STUB)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    run = act(tmp_path, BASELINE="a", BATCH="b", POLICY_FROM=policy_from, BASE_SHA=base)
    assert run.returncode == 0, run.stderr
    words = (tmp_path / "arguments").read_bytes().decode().split("\0")[:-1]
    found = [w.partition("=")[2] for w in words if w.startswith("--policy-from=")]
    assert found == ([] if passed is None else [passed])
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("bad", ["a.sarif\nforged=1", "a\r.sarif", "a\x1b[31m", "", "-"])
def test_an_output_of_the_action_cannot_be_forged(bad: str, tmp_path: Path) -> None:
    command_on(tmp_path, STUB)
    run = act(tmp_path, BASELINE="a", BATCH="b", SARIF=bad)
    assert run.returncode == 2
    assert re.fullmatch("::error title=cr-audit gate::.* sarif.*\n", run.stdout)
    assert lines_of(tmp_path / "output") == []
    assert not (tmp_path / "arguments").exists(), "nothing was run"


def test_the_action_reports_no_file_of_an_earlier_run(tmp_path: Path) -> None:
    command_on(tmp_path, STUB)
    (tmp_path / "cr-audit.sarif").write_text("old")
    run = act(tmp_path, BASELINE="a", BATCH="b", STUB_CODE="2")
    assert run.returncode == 2
    assert lines_of(tmp_path / "output") == []


def test_the_workflow_runs_what_contributors_run() -> None:
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert {"push", "pull_request"} <= workflow[True].keys(), "YAML reads `on` as true"
    test, job = (workflow["jobs"][name] for name in ("test", "gate"))
    local = [
        line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")
    ]
    steps = [*test["steps"], *job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == local
    assert test["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    pinned = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", use) for use in pinned)
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {line.removeprefix("make ") for line in local} <= targets
    assert workflow["permissions"] == {"contents": "read"}
    assert job["permissions"] == {"contents": "read", "security-events": "write"}
    uses = {step["uses"].split("@")[0]: step for step in job["steps"] if "uses" in step}
    assert uses["actions/upload-artifact"]["with"]["path"] == "build/gate/*.sarif"
    uploads = [s for s in job["steps"] if "upload-sarif" in s.get("uses", "")]
    assert all(s["continue-on-error"] for s in uploads), "not every repository permits it"
    categories = [s["with"]["category"] for s in uploads]
    assert len(set(categories)) == len(categories) == 2


def test_hosts_install_a_torch_without_cuda() -> None:
    """The pinned version, from an index that has it without CUDA as well."""
    assert re.search(r"^torch==[\d.]+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"].values()
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    (install,) = [s for s in steps if "pip install" in s.get("run", "")]
    with_torch = [job for job in jobs if any("make" in s.get("run", "") for s in job["steps"])]
    assert len(with_torch) >= 2
    for env in (*(job["env"] for job in with_torch), install["env"]):
        assert env["PIP_EXTRA_INDEX_URL"] == "https://download.pytorch.org/whl/cpu"
    assert '-c "$ACTION_PATH/constraints.txt"' in install["run"]
    assert "-c constraints.txt" in (ROOT / "Makefile").read_text()


HASHED = [
    "--require-hashes --no-deps -r /action/requirements/build.txt",
    "--require-hashes --no-deps -r /action/requirements/slim.txt",
    "--no-deps --no-build-isolation --no-index /action",
]


@pytest.mark.parametrize(
    ("how", "code", "wanted"),
    [
        ("slim", 0, HASHED),
        ("full", 0, [*HASHED, "constraints.txt /action"]),
        ("$(touch owned)", 2, []),
    ],
)
def test_the_action_installs_slim_or_full(
    how: str, code: int, wanted: list[str], tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\nprintf \'%s\\n\' "$*" >> "$CALLS"\n')
    python.chmod(0o755)
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    (step,) = [s for s in steps if "pip install" in s.get("run", "")]
    assert "${{" not in step["run"]
    calls = tmp_path / "calls"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=tmp_path,
        env=environment(tmp_path, ACTION_PATH="/action", INSTALL=how, CALLS=str(calls)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    lines = lines_of(calls)
    assert len(lines) == len(wanted)
    # The checkout is not on Python's path: a pip.py in it would be run.
    assert all(line.startswith("-I -m pip ") for line in lines)
    assert all(want in line for want, line in zip(wanted, lines, strict=True))
    assert not (tmp_path / "owned").exists()


def test_every_pin_has_its_digests() -> None:
    """requirements/ holds what the action installs: all that is declared, each file by a digest."""
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        entries = re.sub(r"\\\n\s*", "", path.read_text()).splitlines()
        entries = [e for e in entries if e and not e.startswith("#")]
        assert entries
        for entry in entries:
            assert re.match(r"[a-z0-9-]+==[\w.]+ ", entry), entry
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/slim.txt").read_text(), re.M))
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = {re.split(r"[<>=~]", d)[0].lower() for d in slim_requirements(declared)}
    assert wanted <= pinned


def test_actions_are_pinned_by_commit() -> None:
    for path in (ROOT / "action.yml", *(ROOT / ".github/workflows").glob("*.yml")):
        for used in re.findall(r"uses: *(\S+)", path.read_text()):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used), (path.name, used)


def test_make_gate_keeps_no_report_of_an_earlier_run() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "gate"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.splitlines()
    assert shown.index("rm -rf build/gate") < shown.index("mkdir -p build/gate")
