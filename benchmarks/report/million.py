"""HTML reports of a million rows: how large they are, how long they take, how they open.

    python -m benchmarks.report.million FOLDER [--rows 1000000] [--what names pairs batch long]

"names": two of 200 models and who won, no texts. "many": the same of 20,000 models. "texts": 400
invented prompts, 12 answers of 8 to 30 invented words each, three of them near-copies of the first.
"long": 40 pairs at most whose answers have ten million characters, less five. "pairs": pairs for
DPO as of ``benchmarks.size.pairs``, no two prompts alike. "batch": the first half of "texts"
as a gate's baseline, the second as its batch. The files are written to FOLDER and used again where
they are there. Each command is a process of its own (``benchmarks.report.timed``); vectors, stages
are kept where CR_AUDIT_CACHE says. Processor time is that of the process, "writing" what the page
cost beyond the audit. Each page is then opened and scrolled as by ``benchmarks.report.run``:
seconds until it is loaded, and the share of frames dropped.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.report.run import scroll
from benchmarks.report.timed import MARK
from benchmarks.size import pairs as dpo

COMMANDS = {
    "names": ("scan", "leaderboard", "sensitivity", "refit", "winrates"),
    "many": ("leaderboard", "scan", "sensitivity"),
    "texts": ("scan", "clones", "winrates", "refit --unit response"),
    "long": ("scan", "clones"),
    "pairs": ("scan", "clones", "kinds", "weights"),
    "batch": ("gate --baseline {baseline}",),
}
MODELS, PROMPTS, ANSWERS, WORDS = 200, 400, 12, 5_000
BASELINE = "baseline.jsonl"
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo")


def names(path: Path, n: int, m: int = MODELS) -> None:
    rng = np.random.default_rng(5)
    theta = rng.normal(size=m)
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    won = rng.random(n) < 1 / (1 + np.exp(theta[b] - theta[a]))
    tie = rng.random(n) < 0.1
    with path.open("w", encoding="utf-8") as out:
        for x, y, w, t in zip(a.tolist(), b.tolist(), won.tolist(), tie.tolist(), strict=True):
            winner = "tie" if t else "model_a" if w else "model_b"
            row = {"model_a": f"model-{x:03d}", "model_b": f"model-{y:03d}", "winner": winner}
            out.write(json.dumps(row) + "\n")


def many(path: Path, n: int) -> None:
    names(path, n, 100 * MODELS)


def long(path: Path, n: int) -> None:
    """Pairs of answers of ten million characters, the second a copy with one word changed."""
    rng = np.random.default_rng(7)
    words = ["".join(rng.choice(SYLLABLES, size=2)) for _ in range(WORDS)]
    with path.open("w", encoding="utf-8") as out:
        for k in range(min(n, 40)):
            answer = " ".join(words[i] for i in rng.integers(WORDS, size=1_999_998))
            row = {"prompt": f"prompt {k}", "chosen": answer, "rejected": answer + " other"}
            out.write(json.dumps(row) + "\n")


def texts(path: Path, n: int) -> None:
    rng = np.random.default_rng(11)
    words = ["".join(rng.choice(SYLLABLES, size=rng.integers(1, 4))) for _ in range(WORDS)]

    def sentence(low: int, high: int) -> list[str]:
        return [words[i] for i in rng.integers(WORDS, size=rng.integers(low, high))]

    answers = []
    for _ in range(PROMPTS):
        own = [sentence(8, 30) for _ in range(ANSWERS)]
        for k in range(3):
            copy = list(own[0])
            copy[int(rng.integers(len(copy)))] = words[int(rng.integers(WORDS))]
            own[ANSWERS - 1 - k] = copy
        answers.append([" ".join(t) for t in own])
    prompts = [" ".join(sentence(12, 13)) for _ in range(PROMPTS)]
    theta = rng.normal(size=(PROMPTS, ANSWERS))
    p = rng.integers(PROMPTS, size=n)
    a = rng.integers(ANSWERS, size=n)
    b = (a + 1 + rng.integers(ANSWERS - 1, size=n)) % ANSWERS
    won = rng.random(n) < 1 / (1 + np.exp(theta[p, b] - theta[p, a]))
    with path.open("w", encoding="utf-8") as out:
        for q, x, y in zip(
            p.tolist(), np.where(won, a, b).tolist(), np.where(won, b, a).tolist(), strict=True
        ):
            row = {"prompt": prompts[q], "chosen": answers[q][x], "rejected": answers[q][y]}
            out.write(json.dumps(row) + "\n")


def pairs(path: Path, n: int) -> None:
    dpo.main([str(n), str(path)])


def batch(path: Path, n: int) -> None:
    """The baseline beside it: ``BASELINE`` in the same folder."""
    whole = path.with_name("both.jsonl")
    texts(whole, n)
    lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    whole.unlink()
    path.with_name(BASELINE).write_text("".join(lines[: n // 2]), encoding="utf-8")
    path.write_text("".join(lines[n // 2 :]), encoding="utf-8")


MAKERS = {
    "names": names,
    "many": many,
    "texts": texts,
    "long": long,
    "pairs": pairs,
    "batch": batch,
}


def written(stderr: str) -> str:
    """Seconds and memory of the writer, of what ``timed`` said."""
    line = next((t for t in reversed(stderr.splitlines()) if t.startswith(MARK)), None)
    if line is None:
        return "- | -"
    seen = json.loads(line.removeprefix(MARK))
    grown = (seen["peak"] - seen["peak_before"]) / 1024
    clock, used = seen["seconds"], seen["processor_seconds"]
    return (
        f"{clock:.1f} s, {used:.1f} s of processor | {seen['peak'] / 1024:.2f} (+{grown:.2f}) GiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--what", nargs="*", choices=tuple(COMMANDS), default=tuple(COMMANDS))
    given = parser.parse_args()
    head = ("rows", "command", "exit", "wall", "processor", "writing", "peak", "report")
    print("| " + " | ".join((*head, "loaded", "dropped")) + " |\n" + "|---" * 10 + "|", flush=True)
    for what in given.what:
        path = given.folder / f"{what}.jsonl"
        if not path.exists():
            MAKERS[what](path, given.rows)
        for command in COMMANDS[what]:
            page = given.folder / f"{what}-{command.split()[0]}.html"
            page.unlink(missing_ok=True)
            asked = command.format(baseline=given.folder / BASELINE).split()
            words = [sys.executable, "-m", "benchmarks.report.timed", *asked, str(path)]
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [*words, "-o", str(page)], capture_output=True, text=True, check=False
            )
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            opened = "- | -"
            size = done.stderr[-200:].replace("\n", " ")
            if page.exists():
                size = f"{page.stat().st_size / 1e6:.2f} MB"
                seen = scroll(page)
                opened = f"{seen['load_seconds']:.1f} s | {seen['dropped_share']:.1%}"
            print(
                f"| {given.rows:,}, {what} | `{command}` | {done.returncode} | {wall:.0f} s"
                f" | {used:.0f} s | {written(done.stderr)} | {size} | {opened} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
