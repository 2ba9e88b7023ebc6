"""What a batch of 1,000 rows against 100,000 costs: whole processes, cold, warm, without a cache.

    python -m benchmarks.gate.speed DATA_FOLDER [--package CHECKOUT ...] [--repeat 3] [--states …]

Two baselines: the humour pairs (99,846 rows between 3,797 texts, no prompts), and an invented one
that is more usual: 20,000 prompts, two answers each by two of 20 named models, five votes per
prompt from 400 annotators; a batch brings 200 new prompts with 400 new answers.

"cold" starts with an empty cache folder, "new batch" has the cache of a run with another batch,
"same again" repeats a run. --package measures the packages of other checkouts (an earlier commit)
in turn with each other. Prints the minimum of processor and wall time, the largest memory, and a
digest of the report, which must not depend on the cache.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
N_BATCH = 1000
STATES = ("without cache", "cold", "new batch", "same again")
N_PROMPTS, N_MODELS, N_VOTES, N_ANNOTATORS = 20_000, 20, 5, 400


def humour(data: Path) -> list[str]:
    """The rows of the real set, in a seeded order."""
    path = data / "humour_pairs" / "pairs.shared.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n") + "\n" for line in lines]
    random.Random(0).shuffle(rows)
    return rows


def invented() -> list[str]:
    """Rows about prompts and answers of invented words; better models win more often."""
    rng = random.Random(1)
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(8000)]
    frequency = [1.0 / (i + 10) for i in range(len(words))]
    rows = []
    n_prompts = N_PROMPTS + 2 * N_BATCH // N_VOTES
    for number in range(n_prompts):
        prompt = " ".join(rng.choices(words, frequency, k=rng.randint(8, 25)))
        models = rng.sample(range(N_MODELS), 2)
        texts = [" ".join(rng.choices(words, frequency, k=rng.randint(20, 100))) for _ in models]
        for _ in range(N_VOTES):
            first_wins = rng.random() < 1 / (1 + 2.0 ** ((models[0] - models[1]) / 8))
            row = {
                "question_id": f"q{number}",
                "prompt": prompt,
                "model_a": f"system-{models[0]}",
                "response_a": texts[0],
                "model_b": f"system-{models[1]}",
                "response_b": texts[1],
                "winner": "model_a" if first_wins else "model_b",
                "judge": f"judge-{rng.randrange(N_ANNOTATORS)}",
            }
            rows.append(json.dumps(row) + "\n")
    return rows


def files(folder: Path, name: str, rows: list[str]) -> tuple[Path, list[Path]]:
    """The baseline and two batches."""
    cuts = len(rows) - (2 * N_BATCH if name == "invented" else N_BATCH)
    main = folder / f"{name}.jsonl"
    main.write_text("".join(rows[:cuts]))
    later = rows[cuts:]
    other = later[N_BATCH:] or rows[:N_BATCH]
    batches = []
    for i, batch in enumerate((later[:N_BATCH], other)):
        path = folder / f"{name}-batch{i}.jsonl"
        path.write_text("".join(batch))
        batches.append(path)
    return main, batches


def once(package: Path, cache: Path, main: Path, batch: Path, *flags: str) -> tuple[float, ...]:
    """Processor seconds, wall seconds, peak MB, and the digest of the report of one process."""
    command = [sys.executable, "-m", "cr_audit", "gate", "--baseline", main.name, batch.name]
    command += ["--format", "json", "--exit-zero", "--quiet", "--today", "2026-01-01", *flags]
    env = {**os.environ, "PYTHONPATH": str(package), "CR_AUDIT_CACHE": str(cache)}
    start = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, cwd=main.parent, env=env, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        if status:
            raise SystemExit(f"{' '.join(command)} failed with status {status}")
        out.seek(0)
        digest = int(hashlib.sha256(out.read()).hexdigest()[:8], 16)
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1e3, digest


def measured(
    packages: list[Path], folder: Path, main: Path, batches: list[Path], n: int, states: list[str]
) -> None:
    """One line per package and state of the cache."""
    cases: dict[tuple[Path, str], list[tuple[float, ...]]] = {}
    for _ in range(n):
        for package in packages:
            other, cache = (_cache(folder, package, name) for name in ("other", "cache"))
            for state in states:
                flags = ()
                if state == "without cache":
                    used, flags = folder / "none", ("--no-cache",)
                elif state == "cold":
                    shutil.rmtree(cache, ignore_errors=True)
                    used = cache
                else:
                    if not other.exists():
                        once(package, other, main, batches[1])
                    used = cache
                    if state == "new batch":
                        shutil.rmtree(cache, ignore_errors=True)
                        shutil.copytree(other, cache)
                    elif not cache.exists():
                        once(package, cache, main, batches[0])
                run = once(package, used, main, batches[0], *flags)
                cases.setdefault((package, state), []).append(run)
    for (package, state), runs in cases.items():
        processor, wall = (min(r[i] for r in runs) for i in (0, 1))
        memory, digests = max(r[2] for r in runs), {int(r[3]) for r in runs}
        shown = ", ".join(f"{d:08x}" for d in sorted(digests))
        print(
            f"{package.name:12} {main.stem:12} {state:14} processor {processor:6.2f} s"
            f"  wall {wall:6.2f} s  memory {memory:5.0f} MB  report {shown}",
            flush=True,
        )
    for package in packages:
        held = _cache(folder, package, "cache").rglob("*")
        size = sum(p.stat().st_size for p in held if p.is_file()) / 1e6
        print(f"{package.name:12} {main.stem:12} cache folder   {size:.0f} MB", flush=True)


def _cache(folder: Path, package: Path, name: str) -> Path:
    """A cache folder of one package."""
    return folder / f"{name}-{hashlib.sha256(str(package).encode()).hexdigest()[:8]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--package", type=Path, nargs="+", default=[ROOT])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sets", default="humour_pairs,invented")
    parser.add_argument("--states", default=",".join(STATES))
    given = parser.parse_args()
    print(f"{date.today()}, {len(os.sched_getaffinity(0))} cores, Python {sys.version.split()[0]}")
    for chosen in given.sets.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            rows = invented() if chosen == "invented" else humour(given.data)
            baseline, batches = files(folder, chosen, rows)
            packages = [p.resolve() for p in given.package]
            states = given.states.split(",")
            measured(packages, folder, baseline, batches, given.repeat, states)


if __name__ == "__main__":
    main()
