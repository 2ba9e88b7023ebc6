"""Build the wheel and the sdist, look at what is in them, and run what a stranger would run.

    python tools/dist.py                 # build into dist/ and check the metadata
    python tools/dist.py --install slim  # and run it in an empty environment without torch
    python tools/dist.py --install full  # the same with every dependency (constraints.txt)
    python tools/dist.py --install slim --python python3.12 --out build/dist.json
    python tools/dist.py --install slim --source sdist     # from the sdist, as a packager would
    python tools/dist.py --release --owner NAME   # for an index: links to NAME's repository

With ``--owner`` a copy of the tracked files is built, in which OWNER is that name and the README's
links point to the tag of this version in that repository, because an index shows the README alone.

Needs ``build`` (pip install build). Every command runs in an empty folder with an empty cache, and
its exit code must be the documented one. What was measured (size, seconds) is printed as JSON.
"""

from __future__ import annotations

import argparse
import email
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLE = "cr_audit/embed/all-minilm-l6-v2.table"
SLIM_MB = 700
FIRST_SCAN, LATER_SCAN = 15.0, 2.0
SAMPLES = "sample_data"
# Words after cr-audit, and the exit code that the documentation promises.
RUNS: tuple[tuple[str, int], ...] = (
    ("scan clone_robust.jsonl", 0),
    ("scan clone_robust.jsonl", 0),
    ("scan clone_robust.jsonl --fail-on error", 1),
    ("refit clone_robust.jsonl", 0),
    ("gate --baseline gate/main.jsonl gate/batch_clean.jsonl", 0),
    ("gate --baseline gate/main.jsonl gate/batch_cloned.jsonl", 1),
    ("gate --baseline gate/main.jsonl gate/batch_broken.jsonl", 3),
    ("leaderboard clone_robust.jsonl", 0),
    ("choices clone_robust.jsonl", 0),
    ("sensitivity clone_robust.jsonl", 0),
    ("export clone_robust.jsonl --as clean -o clean.jsonl", 0),
    ("scan gate", 0),
    ("explain CR101", 0),
    ("scan missing.jsonl", 3),
    ("scan --nothing", 2),
)


def main() -> int:
    """Build, look, and, where asked, install and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--install", choices=("slim", "full"))
    parser.add_argument("--source", choices=("wheel", "sdist"), default="wheel")
    parser.add_argument("--python", default=sys.executable, help="the Python of the environment")
    parser.add_argument("--out", type=Path, help="also write what was measured here")
    parser.add_argument(
        "--release", action="store_true", help="for publishing: no link may say OWNER any more"
    )
    parser.add_argument("--owner", type=account, help="whose repository links point to")
    parser.add_argument("--no-build", action="store_true", help="take what dist/ holds")
    given = parser.parse_args()
    if not given.no_build:
        build(given.owner)
    wheel, sdist = newest("*.whl"), newest("*.tar.gz")
    measured = {"wheel": look_at_wheel(wheel, given.release), "sdist": look_at_sdist(sdist)}
    if given.install:
        file = sdist if given.source == "sdist" else wheel
        measured["install"] = install_and_run(file, given.install, given.python)
    text = json.dumps(measured, indent=1)
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")
    return 0


def account(text: str) -> str:
    """A name as GitHub allows it."""
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of an account")
    return text


def build(owner: str | None) -> None:
    """dist/ anew. The build backend must be installed beside ``build``; nothing is fetched."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(ROOT / "dist"), "."]
    if owner is None:
        call(words, cwd=ROOT)
        return
    with tempfile.TemporaryDirectory(prefix="cr-audit-release-") as place:
        for name in call(["git", "ls-files", "-z"], cwd=ROOT).split("\0"):
            if name and (ROOT / name).is_file():
                (Path(place) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, Path(place) / name)
        publish_as(Path(place), owner)
        call(words, cwd=Path(place))


def publish_as(tree: Path, owner: str) -> None:
    """OWNER replaced in the project's metadata and pages, links of the README made absolute."""
    for path in (tree / "pyproject.toml", *sorted((tree / "docs").rglob("*.md"))):
        text = path.read_text(encoding="utf-8")
        new = re.sub(r"(?<!datasets/)\bOWNER/cr-audit", f"{owner}/cr-audit", text)
        path.write_text(new, encoding="utf-8")
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = tree / project["readme"]
    text = readme.read_text(encoding="utf-8")
    readme.write_text(absolute(text, owner, f"v{project['version']}", tree), encoding="utf-8")


def absolute(text: str, owner: str, tag: str, tree: Path) -> str:
    """Markdown whose relative links and pictures point into the repository at ``tag``."""

    def replaced(found: re.Match[str]) -> str:
        mark, label, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        file = target.partition("#")[0]
        need((tree / file).exists(), f"the README links to {file}, which is not there")
        kind = "raw" if mark else "tree" if (tree / file).is_dir() else "blob"
        return f"{mark}[{label}](https://github.com/{owner}/cr-audit/{kind}/{tag}/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", replaced, text)


def newest(pattern: str) -> Path:
    found = sorted((ROOT / "dist").glob(pattern))
    need(len(found) == 1, f"dist/ holds {len(found)} files like {pattern}, not one")
    return found[0]


def look_at_wheel(path: Path, release: bool = False) -> dict[str, Any]:
    """Marker of types, licence, links, entry point and table; no tests, no stray files."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        info = next(n for n in names if n.endswith(".dist-info/METADATA"))
        meta = email.message_from_bytes(wheel.read(info))
        digest = hashlib.sha256(wheel.read(TABLE)).hexdigest()
    source = (ROOT / "cr_audit/embed/shipped.py").read_text(encoding="utf-8")
    need(f'SHA256 = "{digest}"' in source, "the table in the wheel is not the published one")
    for wanted in ("cr_audit/py.typed", "cr_audit/embed/LICENSE-table.md", "cr_audit/slim.py"):
        need(wanted in names, f"the wheel lacks {wanted}")
    inside = {n.split("/")[0] for n in names}
    need(inside == {"cr_audit", info.split("/")[0]}, f"the wheel holds more: {inside}")
    need(any(n.endswith("licenses/LICENSE") for n in names), "the wheel lacks the licence's text")
    need(any(n.endswith("entry_points.txt") for n in names), "the wheel has no command")
    need(meta["License-Expression"] == "Apache-2.0", "the licence is not stated")
    need(meta["Requires-Python"] == ">=3.11", "the Python is not stated")
    urls = dict(u.split(", ", 1) for u in meta.get_all("Project-URL", []))
    for name in ("Documentation", "Changelog", "Source"):
        need(name in urls, f"there is no link named {name}")
    false = [u for u in urls.values() if "/OWNER/" in u]
    need(not (release and false), f"OWNER is whoever publishes, give --owner NAME: {false}")
    body = str(meta.get_payload())
    left = re.findall(r"(?<!datasets/)\bOWNER/cr-audit", body)
    need(not (release and left), "OWNER stands in the README: give --owner NAME")
    relative = [t for t in re.findall(r"\]\(([^)\s]+)\)", body) if not re.match(r"https?:|#", t)]
    need(not (release and relative), f"links that an index does not follow: {relative[:3]}")
    return {
        "file": path.name,
        "mb": mb(path),
        "n_files": len(names),
        "relative_links_in_readme": len(relative),
    }


def look_at_sdist(path: Path) -> dict[str, Any]:
    """What a packager needs: sources, tests, licence; nothing that was built or kept."""
    with tarfile.open(path) as sdist:
        names = [n.partition("/")[2] for n in sdist.getnames()]
    for wanted in ("pyproject.toml", "LICENSE", "README.md", TABLE, "cr_audit/py.typed"):
        need(wanted in names, f"the sdist lacks {wanted}")
    stray = [n for n in names if n.startswith((".venv", "build/", "dist/", "site/"))]
    need(not stray, f"the sdist holds {stray[:3]}")
    return {"file": path.name, "mb": mb(path), "n_files": len(names)}


def install_and_run(file: Path, how: str, python: str) -> dict[str, Any]:
    """Wheel or sdist in an empty environment; every run with its exit code and seconds."""
    with tempfile.TemporaryDirectory(prefix="cr-audit-dist-") as place:
        venv = Path(place) / "venv"
        call([python, "-m", "venv", str(venv)])
        start = time.perf_counter()
        bin_ = venv / ("Scripts" if os.name == "nt" else "bin")
        own = str(bin_ / "python")
        pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if how == "slim":
            call([*pip, "--no-deps", str(file)])
            slim = Path(place) / "slim.txt"
            slim.write_text(call([own, "-m", "cr_audit.slim"]), encoding="utf-8")
            call([*pip, "--no-warn-conflicts", "-r", str(slim)])
        else:
            call([*pip, "-c", str(ROOT / "constraints.txt"), str(file)])
        seconds = time.perf_counter() - start
        size = sum(f.stat().st_size for f in venv.rglob("*") if f.is_file() and not f.is_symlink())
        there = call(
            [own, "-c", "import importlib.util as u; print(u.find_spec('torch') is not None)"]
        )
        if how == "slim":
            need(size < SLIM_MB * 1e6, f"the slim environment takes {size / 1e6:.0f} MB")
            need(there.strip() == "False", "the slim environment holds torch")
        runs = run_all(bin_ / "cr-audit", Path(place) / "work", Path(place) / "cache")
        version = call([own, "-c", "import sys; print(sys.version.split()[0])"]).strip()
    return {
        "how": how,
        "file": file.name,
        "python": version,
        "mb": round(size / 1e6),
        "seconds": round(seconds, 1),
        "runs": runs,
    }


def run_all(program: Path, work: Path, cache: Path) -> list[dict[str, Any]]:
    """Each command in a copy of the samples, outside the checkout."""
    shutil.copytree(ROOT / SAMPLES, work)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "CR_AUDIT"))}
    env |= {"CR_AUDIT_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    out = []
    for words, code in RUNS:
        start, used = time.perf_counter(), processor_seconds()
        done = subprocess.run(
            [str(program), *words.split()],
            cwd=work,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds, used = time.perf_counter() - start, processor_seconds() - used
        need(
            done.returncode == code,
            f"cr-audit {words}: exit {done.returncode}, not {code}\n{done.stderr[-2000:]}",
        )
        need(
            "Traceback" not in done.stderr, f"cr-audit {words}: a traceback\n{done.stderr[-2000:]}"
        )
        out.append(
            {
                "command": words,
                "exit": code,
                "seconds": round(seconds, 2),
                "processor_seconds": round(used, 2),
            }
        )
        print(
            f"  cr-audit {words}: exit {code}, {seconds:.1f} s, {used:.1f} s of processor",
            file=sys.stderr,
        )
    for k, most in ((0, FIRST_SCAN), (1, LATER_SCAN)):
        if out[k]["seconds"] > most:
            print(
                f"slow: {out[k]['command']} took {out[k]['seconds']} s, not {most}"
                f" ({out[k]['processor_seconds']} s of processor)",
                file=sys.stderr,
            )
    return out


def processor_seconds() -> float:
    """Of all commands that have ended, user and system: what a busy machine does not stretch. 0.0
    where the system does not count it (Windows)."""
    try:
        import resource
    except ImportError:
        return 0.0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def mb(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 2)


def need(holds: bool, otherwise: str) -> None:
    """End with a message where a check does not hold."""
    if not holds:
        raise SystemExit(f"tools/dist.py: {otherwise}")


def call(words: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    need(done.returncode == 0, f"{' '.join(words)}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
