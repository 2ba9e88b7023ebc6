"""What a batch's branch may try so that its own policy judges it, each in a repository of its own.

    python -m benchmarks.hostile.tricks [--only NAME] [--out FILE.jsonl]

The protected branch holds a baseline, a policy and a ledger; a batch of disguised copies fails by
them. Then the branch plays a trick, and ``gate --policy-from main`` runs in its checkout. Held
means: exit 1 as without the trick, or 3 with a message, nothing of the branch was run, and what it
would have changed is named in the report. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.hostile.run import _ROOT

SAMPLE = _ROOT / "sample_data" / "gate"
POLICY = '[gate]\nprofile = "default"\n'
LEDGER = {
    "format": "cr-audit/ledger/v1",
    "batches": [{"files": ["0" * 64], "added": ["alternative:1"]}],
}
NEVER = '[gate]\nfail-on = "never"\n'
OFF = "[gate.rules]\n" + "".join(f'CR{n} = "off"\n' for n in range(601, 622))
COPIES = "[gate.thresholds]\nnew-copies = 1000000\n"
GAIN = "[gate.thresholds]\ncluster-gain = 1\n"
WAIVER = '[[gate.waivers]]\nrule = "*"\nreason = "r"\nowner = "o"\nexpires = 2099-01-01\n'


@dataclass(frozen=True, slots=True)
class Trick:
    """play : done to the checkout; it may return more arguments. named : what the report's list of
    changes must name, "" where it is an error or nothing of the policy. exits : what may come of
    it."""

    name: str
    play: Callable[[], list[str] | None]
    named: str = ""
    exits: tuple[int, ...] = (1,)


def put(text: str | bytes, name: str = "cr-audit.toml") -> Callable[[], None]:
    def play() -> None:
        place = Path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())

    return play


def instead(make: Callable[[Path], object], name: str = "cr-audit.toml") -> Callable[[], None]:
    """Something else in the place of a file."""

    def play() -> None:
        Path(name).unlink(missing_ok=True)
        make(Path(name))

    return play


def moved_to_pyproject() -> None:
    Path("cr-audit.toml").unlink()
    put("[tool.cr-audit]\n" + NEVER.replace("[gate]", "[tool.cr-audit.gate]"), "pyproject.toml")()


def known() -> list[str]:
    """Known findings that only the branch holds, made by waiving all that there is."""
    gate("--write-baseline", "known.json", policy=False)
    return ["--known", "known.json"]


def known_exchanged() -> list[str]:
    """Known findings that the protected branch holds too, empty there."""
    gate("--write-baseline", "known.json", policy=False)
    full = json.loads(Path("known.json").read_text())
    Path("known.json").write_text(json.dumps(full | {"findings": []}))
    git("add", "known.json")
    git("commit", "-q", "-m", "known")
    git("branch", "-f", "protected", "HEAD")
    Path("known.json").write_text(json.dumps(full))
    return ["--known", "known.json", "--policy-from", "protected"]


def ledger_gone() -> list[str]:
    Path("ledger.json").unlink()
    return ["--ledger", "ledger.json"]


def ledger_emptied() -> list[str]:
    Path("ledger.json").write_text(json.dumps({**LEDGER, "batches": []}))
    return ["--ledger", "ledger.json"]


def ledger_rubbish() -> list[str]:
    Path("ledger.json").write_text("{")
    return ["--ledger", "ledger.json"]


def ledger_pipe() -> list[str]:
    instead(os.mkfifo, "ledger.json")()
    return ["--ledger", "ledger.json"]


def ledger_device() -> list[str]:
    instead(lambda p: p.symlink_to("/dev/zero"), "ledger.json")()
    return ["--ledger", "ledger.json"]


def replaced_objects() -> None:
    """A replacement object of git that would answer for the protected policy."""
    Path("soft.toml").write_text(NEVER)
    soft = git("hash-object", "-w", "soft.toml")
    held = git("rev-parse", "main:cr-audit.toml")
    git("replace", held, soft)


def attributes() -> None:
    Path(".gitattributes").write_text(
        "cr-audit.toml filter=soft ident working-tree-encoding=UTF-16\n*.toml eol=crlf\n"
    )
    git("config", "filter.soft.smudge", "touch owned; echo")
    git("config", "filter.soft.clean", "touch owned; echo")


def hooks() -> None:
    git("config", "core.fsmonitor", "touch owned")
    git("config", "core.hooksPath", "hooks")
    put("#!/bin/sh\ntouch owned\n", "hooks/post-checkout")()


MODULE = "open('owned', 'w').close()\n"


def modules() -> None:
    """Modules that Python would find before its own, were the checkout on its path."""
    for name in ("tomllib.py", "json.py", "numpy.py", "sitecustomize.py", "usercustomize.py"):
        put(MODULE, name)()
    put(MODULE, "cr_audit/__init__.py")()
    put(MODULE, "cr_audit/__main__.py")()


def model_folder(name: str) -> None:
    put(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "own.Module"}]),
        f"{name}/modules.json",
    )()
    put(MODULE, f"{name}/own.py")()


def own_model() -> None:
    model_folder("soft")
    put('[gate]\nmodel = "./soft"\n')()


def own_model_of_a_hub_name() -> list[str]:
    model_folder("all-MiniLM-L6-v2")
    return ["--model", "all-MiniLM-L6-v2"]


def poisoned_cache() -> None:
    put(b"x", ".cache/cr-audit/vectors.sqlite3")()
    put(b"x", ".cache/cr-audit/kept-x.bin")()
    git("add", "-f", ".cache")
    git("commit", "-q", "-m", "cache")
    os.environ["CR_AUDIT_CACHE"] = str(Path.cwd() / ".cache" / "cr-audit")


def tagged(name: str) -> Callable[[], None]:
    """A softer policy, committed, and a tag on it that bears the protected branch's name."""

    def play() -> None:
        put(NEVER)()
        git("add", "cr-audit.toml")
        git("commit", "-q", "-m", "softer")
        git("tag", name)

    return play


def baseline_changed() -> None:
    with open("main.jsonl", "a") as out:
        out.write(Path("main.jsonl").read_text().splitlines()[0] + "\n")


TRICKS: tuple[Trick, ...] = (
    Trick("nothing", lambda: None),
    Trick("fail-on = never", put(NEVER), "fail-on"),
    Trick("all rules off", put(OFF), "rules.clone-rate-rises"),
    Trick("new-copies = 1000000", put(COPIES), "thresholds.new-copies"),
    Trick("cluster-gain = 1", put(GAIN), "thresholds.cluster-gain"),
    Trick("waiver *", put(WAIVER), "waivers"),
    Trick("profile lenient", put('[gate]\nprofile = "lenient"\n'), "profile"),
    Trick("confidence 0.9999", put("[gate]\nconfidence-level = 0.9999\n"), "confidence-level"),
    Trick("everything unreadable", put("[gate]\nmax-unreadable = 1\n"), "max-unreadable"),
    Trick("pyproject.toml", moved_to_pyproject, "fail-on"),
    Trick("radius 0", put("[gate]\nradius = 0.0\n"), "gate.radius"),
    Trick("radius 0 outside the policy", put("radius = 0.0\n"), "radius"),
    Trick("one row is read", put("limit = 1\n"), "limit"),
    Trick("winners named otherwise", put('map = "label=annotator"\n'), "map"),
    Trick("other files", put('files = ["main.jsonl"]\n'), "files"),
    Trick("a model of the checkout", own_model, "gate.model"),
    Trick("a folder named like a model", own_model_of_a_hub_name, exits=(3,)),
    Trick("an unknown key", put("[gate]\nfail-onn = 1\n")),
    Trick("not TOML", put("[[[")),
    Trick("not UTF-8", put(b"\xff\xfe")),
    Trick("11 MB of TOML", put("#" * 11_000_000)),
    Trick("TOML 5,000 deep", put("seed = " + "[" * 5000 + "]" * 5000)),
    Trick("a folder", instead(Path.mkdir)),
    Trick("a pipe", instead(os.mkfifo)),
    Trick("a link to nothing", instead(lambda p: p.symlink_to("nowhere"))),
    Trick("a link to itself", instead(lambda p: p.symlink_to("cr-audit.toml"))),
    Trick("a link to /dev/zero", instead(lambda p: p.symlink_to("/dev/zero"))),
    Trick("taken away", instead(lambda p: None)),
    Trick("a file named main", put(NEVER, "main"), ""),
    Trick("a folder named main", put(NEVER, "main/cr-audit.toml"), ""),
    Trick("known findings of its own", known, exits=(3,)),
    Trick("known findings exchanged", known_exchanged, "known"),
    Trick("ledger taken away", ledger_gone, "ledger"),
    Trick("ledger emptied", ledger_emptied, "ledger"),
    Trick("ledger damaged", ledger_rubbish, "ledger"),
    Trick("ledger a pipe", ledger_pipe, exits=(3,)),
    Trick("ledger a device", ledger_device, exits=(3,)),
    Trick("replacement objects of git", replaced_objects),
    Trick("attributes and filters of git", attributes),
    Trick("hooks and monitors of git", hooks),
    Trick("modules that Python would find", modules),
    Trick("a cache in the checkout", poisoned_cache),
    Trick("a tag named main", tagged("main"), exits=(3,)),
    Trick("the baseline changed", baseline_changed, "the baseline main.jsonl"),
)  # fmt: skip


def git(*arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *who, *arguments], check=True, capture_output=True)
    return done.stdout.decode().strip()


def gate(*more: str, policy: bool = True) -> subprocess.CompletedProcess[bytes]:
    """The installed command, which does not put the working folder on Python's path."""
    command = [sys.executable, "-P", "-m", "cr_audit", "gate", "--baseline", "main.jsonl"]
    command += ["batch.jsonl", "-q", "--replicates", "50"]
    if "--model" not in more:
        command += ["--model", "none"]
    command += ["--report", "json=report.json", "--report", "markdown=report.md"]
    if policy and "--policy-from" not in more:
        command += ["--policy-from", "main"]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *more], capture_output=True, env=environment, check=False, timeout=300
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """said : the first line on stderr. problem : "" where it held."""

    name: str
    exit_code: int
    said: str
    problem: str


def tried(trick: Trick) -> Outcome:
    """Play one trick in a new repository."""
    before, cache = os.getcwd(), os.environ.get("CR_AUDIT_CACHE")
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as kept:
        os.chdir(name)
        os.environ["CR_AUDIT_CACHE"] = kept
        try:
            rows = (SAMPLE / "main.jsonl").read_text().splitlines(keepends=True)
            Path("main.jsonl").write_text("".join(rows))
            Path("batch.jsonl").write_text((SAMPLE / "batch_cloned.jsonl").read_text())
            Path("cr-audit.toml").write_text(POLICY)
            Path("ledger.json").write_text(json.dumps(LEDGER))
            git("init", "-q", "-b", "main")
            git("add", ".")
            git("commit", "-q", "-m", "x")
            git("switch", "-q", "-c", "batch")
            more = trick.play() or []
            done = gate(*more)
            return Outcome(trick.name, done.returncode, _first(done.stderr), _problem(trick, done))
        finally:
            os.chdir(before)
            if cache is None:
                del os.environ["CR_AUDIT_CACHE"]
            else:
                os.environ["CR_AUDIT_CACHE"] = cache


def _first(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[0][:160] if lines else ""


def _problem(trick: Trick, done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode not in trick.exits:
        return f"exit {done.returncode}"
    if Path("owned").exists():
        return "something of the branch was run"
    if b"Traceback" in done.stderr:
        return "traceback"
    if done.returncode == 3:
        return "" if done.stderr else "no message"
    report = json.loads(Path("report.json").read_text())
    policy, shown = report["gate"]["policy"], Path("report.md").read_text()
    if len(policy["commit"]) != 40:
        return "the commit is not named"
    changes = policy["own_changes"]
    keys = [c["key"] for c in changes] if isinstance(changes, list) else []
    if trick.named and trick.named not in keys and trick.named not in shown:
        return f"{trick.named} is not named"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="a part of a name")
    parser.add_argument(
        "--out", type=Path, help="lines of JSON; what stands there is not run again"
    )
    given = parser.parse_args()
    found: list[Outcome] = []
    if given.out and given.out.exists():
        found = [Outcome(**json.loads(line)) for line in given.out.read_text().splitlines()]
    done = {o.name for o in found}
    for trick in TRICKS:
        if given.only in trick.name:
            if trick.name in done:
                continue
            found.append(tried(trick))
            print(found[-1].name, found[-1].exit_code, found[-1].problem or "held", flush=True)
            if given.out:
                with given.out.open("a") as out:
                    out.write(json.dumps(asdict(found[-1])) + "\n")
    print("\n| trick | exit | |\n|---|--:|---|")
    for o in found:
        print(f"| {o.name} | {o.exit_code} | {o.problem or 'held'} |")
    print(f"\n{len(found)} tried, {sum(not o.problem for o in found)} held.")


if __name__ == "__main__":
    main()
