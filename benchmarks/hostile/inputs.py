"""Files that are made to hurt: what each is, and how it is written.

Each maker writes one file into a folder and returns the arguments after ``cr-audit``. Those of the
quick run are small, under a lowered limit (``--max-text``, ``--max-bytes``).
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zstandard

Make = Callable[[Path], list[str]]


@dataclass(frozen=True, slots=True)
class Case:
    """exits : what may come of it. quick : whether the test runs it. before : what is done to the
    process or its surroundings (see ``run``)."""

    group: str
    name: str
    make: Make
    exits: tuple[int, ...]
    quick: bool = False
    before: str = ""


def row(i: int, **more: object) -> str:
    held = {"prompt": f"question {i}", "chosen": f"good answer {i}", "rejected": f"bad {i}"}
    return json.dumps({**held, **more}) + "\n"


BASE = "".join(row(i) for i in range(40))


def text(name: str, *pieces: str, args: tuple[str, ...] = (), command: str = "scan") -> Make:
    def make(folder: Path) -> list[str]:
        path = folder / name
        with path.open("w", encoding="utf-8") as out:
            for piece in pieces:
                out.write(piece)
        more = ["-o", str(folder / "made.jsonl")] if command == "export" else []
        return [command, str(path), "--model", "none", *more, *args]

    return make


def long_text(n: int, *args: str) -> Make:
    def make(folder: Path) -> list[str]:
        return text("a.jsonl", BASE, row(99, chosen="w " * (n // 2)), args=args)(folder)

    return make


def line(n: int) -> Make:
    def make(folder: Path) -> list[str]:
        path = folder / "line.jsonl"
        with path.open("w") as out:
            out.write(BASE + '{"prompt": "a", "chosen": "')
            for _ in range(n // 1_000_000):
                out.write("x" * 1_000_000)
            out.write('", "rejected": "b"}\n')
        return ["scan", str(path), "--model", "none"]

    return make


def cell(n: int, quoted: str) -> Make:
    def make(folder: Path) -> list[str]:
        path = folder / "cell.csv"
        with path.open("w") as out:
            out.write("prompt,chosen,rejected\n" + "q,a,b\n" * 20 + 'q,"')
            for _ in range(n // 1_000_000):
                out.write(quoted * (1_000_000 // len(quoted)))
            out.write('",b\n' if quoted == "x" else "")
        return ["scan", str(path), "--model", "none"]

    return make


def gzip_bomb(n: int, *args: str) -> Make:
    def make(folder: Path) -> list[str]:
        path = folder / "bomb.jsonl.gz"
        block = (" " * 1023 + "\n").encode() * 1024
        with gzip.open(path, "wb", compresslevel=6) as out:
            out.write(BASE.encode())
            for _ in range(n // len(block)):
                out.write(block)
        return ["scan", str(path), "--model", "none", *args]

    return make


def zstd_bomb(n: int, *args: str) -> Make:
    def make(folder: Path) -> list[str]:
        path = folder / "bomb.jsonl.zst"
        block = (" " * 1023 + "\n").encode() * 1024
        with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as out:
            out.write(BASE.encode())
            for _ in range(n // len(block)):
                out.write(block)
        return ["scan", str(path), "--model", "none", *args]

    return make


def parquet_dictionary(rows: int, width: int, *args: str) -> Make:
    def make(folder: Path) -> list[str]:
        import polars as pl

        wide = pl.DataFrame({"i": range(rows)}).select(
            pl.lit("x" * width).cast(pl.Categorical).alias("prompt"),
            pl.when(pl.col("i") >= 0).then(pl.lit("a")).alias("chosen"),
            pl.when(pl.col("i") >= 0).then(pl.lit("b")).alias("rejected"),
        )
        path = folder / "dictionary.parquet"
        wide.write_parquet(path)
        return ["scan", str(path), "--model", "none", *args]

    return make


def keys(n: int) -> Make:
    def make(folder: Path) -> list[str]:
        more = {f"k{i}": i for i in range(n)}
        return text("keys.jsonl", row(0, **more), BASE)(folder)

    return make


def columns(n: int) -> Make:
    head = ",".join(["prompt", "chosen", "rejected", *(f"c{i}" for i in range(n))])
    return text("columns.csv", head + "\n", (",".join("abc") + ",1" * n + "\n") * 2)


def deep(levels: int, left: str, right: str, inner: str = "1") -> Make:
    body = '{"prompt": ' + left * levels + inner + right * levels + ', "chosen": "a", '
    return text("deep.jsonl", BASE, body + '"rejected": "b"}\n', args=("--max-skipped", "0.5"))


def toml(content: str) -> Make:
    def make(folder: Path) -> list[str]:
        (folder / "deep.toml").write_text(content)
        return [*text("a.jsonl", BASE)(folder), "--config", str(folder / "deep.toml")]

    return make


def pipe(folder: Path) -> list[str]:
    os.mkfifo(folder / "pipe.jsonl")
    return ["scan", str(folder / "pipe.jsonl"), "--model", "none"]


def output_pipe(folder: Path) -> list[str]:
    os.mkfifo(folder / "out.json")
    return [*text("a.jsonl", BASE)(folder), "-o", str(folder / "out.json")]


def output_on(place: str) -> Make:
    def make(folder: Path) -> list[str]:
        made = text("a.jsonl", BASE)(folder)
        target = {"input": folder / "a.jsonl", "cache": folder / "cache" / "o.json"}.get(place)
        if place == "link":
            target = folder / "link.json"
            target.symlink_to("a.jsonl")
        if place == "hard link":
            target = folder / "hard.json"
            os.link(folder / "a.jsonl", target)
        return [*made, "--format", "json", "-o", str(target)]

    return make


def copies(n: int, prompts: int) -> Make:
    def make(folder: Path) -> list[str]:
        words = [f"word{i}" for i in range(60)]
        with (folder / "near.jsonl").open("w") as out:
            for i in range(n):
                a, b = words.copy(), words.copy()
                a[i % 60], a[i // 60 % 60], b[i * 7 % 60] = f"x{i}", f"q{i}", f"y{i}"
                out.write(row(i % prompts, chosen=" ".join(a), rejected=" ".join(b)))
        return ["scan", str(folder / "near.jsonl"), "--model", "none"]

    return make


LONG = " ".join(f"word{k}" for k in range(60))


def names(n: int, command: str, answer: str) -> Make:
    def make(folder: Path) -> list[str]:
        with (folder / "names.jsonl").open("w") as out:
            for i in range(n):
                held = {"model_a": f"m{i}", "model_b": f"m{(i * 7 + 1) % n}", "winner": "model_a"}
                if answer:
                    held |= {"prompt": "one", "response_a": f"{answer} {i}"}
                    held |= {"response_b": f"{answer} {(i * 7 + 1) % n}"}
                out.write(json.dumps(held) + "\n")
        return [command, str(folder / "names.jsonl"), "--model", "none"]

    return make


def cache(how: str) -> Make:
    def make(folder: Path) -> list[str]:
        made = text("a.jsonl", BASE)(folder)
        made[made.index("none")] = "lexical"
        place = folder / "cache"
        if how == "file":
            place.write_text("")
            return made
        if how == "dangling link":
            place.symlink_to("nowhere/at/all")
            return made
        place.mkdir()
        held = place / "vectors.sqlite3"
        match how:
            case "pipe":
                os.mkfifo(held)
            case "folder":
                held.mkdir()
            case "device":
                held.symlink_to("/dev/zero")
            case "link":
                (folder / "other").write_text("somebody's")
                held.symlink_to(folder / "other")
            case "read only":
                place.chmod(0o500)
            case "of another owner":
                held.write_bytes(b"")
                for path in (held, place):
                    path.chmod(0o700 if path is place else 0o600)
                    os.chown(path, _NOBODY, _NOBODY)
            case "file of another owner":
                held.write_bytes(b"")
                held.chmod(0o600)
                os.chown(held, _NOBODY, _NOBODY)
            case "kept: pipes":
                for name in ("kept-a.bin", "kept-b.bin"):
                    os.mkfifo(place / name)
            case "kept: folder":
                (place / "kept-a.bin").mkdir()
            case "kept: device":
                (place / "kept-a.bin").symlink_to("/dev/zero")
            case "kept: rubbish":
                (place / "kept-a.bin").write_bytes(bytes(range(256)) * 64)
            case "cut" | "bits turned":
                _filled(folder)
                for path in place.iterdir():
                    if path.is_file():
                        content = bytearray(path.read_bytes())
                        if how == "cut":
                            content = content[: len(content) // 2]
                        else:
                            for at in range(100, len(content), 997):
                                content[at] ^= 0x55
                        path.write_bytes(content)
            case "link to itself":
                held.symlink_to("vectors.sqlite3")
            case "socket":
                import socket

                before = os.getcwd()
                os.chdir(place)  # the path of a socket is short
                with socket.socket(socket.AF_UNIX) as end:
                    end.bind(held.name)
                os.chdir(before)
            case "journal":
                (place / "vectors.sqlite3-journal").write_bytes(b"\xd9\xd5\x05\xf9" * 999)
            case "write-ahead log is a folder":
                (place / "vectors.sqlite3-wal").mkdir()
            case "rubbish":
                held.write_bytes(bytes(range(256)) * 64)
            case "last read":
                os.mkfifo(place / "last_read.json")
        return made

    return make


_NOBODY = 65534


def _filled(folder: Path) -> None:
    """A run that fills the cache."""
    subprocess.run(
        [sys.executable, "-m", "cr_audit", "scan", str(folder / "a.jsonl"), "--model", "lexical"],
        env={**os.environ, "CR_AUDIT_CACHE": str(folder / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def stale(*args: str) -> Make:
    """With a report of an earlier run where this one's is to go."""

    def make(folder: Path) -> list[str]:
        (folder / "out.json").write_text(STALE)
        with (folder / "a.jsonl").open("w") as out:
            out.writelines(row(i) for i in range(30_000))
        return ["scan", str(folder / "a.jsonl"), "--model", "lexical", "-o", "out.json", *args]

    return make


def gated(*args: str) -> Make:
    """A gate on a batch, where a report of an earlier run stands in its place."""

    def make(folder: Path) -> list[str]:
        (folder / "out.json").write_text(STALE)
        for name, first, n in (("main.jsonl", 0, 3000), ("batch.jsonl", 3000, 300)):
            with (folder / name).open("w") as out:
                out.writelines(row(i) for i in range(first, first + n))
        command = ["gate", "--baseline", str(folder / "main.jsonl"), str(folder / "batch.jsonl")]
        return [*command, "--model", "none", "-o", "out.json", *args]

    return make


STALE = '{"stale": true}'


def plain(*args: str) -> Make:
    return text("a.jsonl", BASE, args=args)


CASES: tuple[Case, ...] = (
    Case("input", "gzip: 2 GB of blank lines", gzip_bomb(2_000_000_000), (3,)),
    Case("input", "zstd: 4 GB of blank lines", zstd_bomb(4_000_000_000), (3,)),
    Case(
        "input",
        "zstd bomb, small limit",
        zstd_bomb(8_000_000, "--max-bytes", "1000000"),
        (3,),
        True,
    ),
    Case("input", "a line of 500 MB", line(500_000_000), (3,)),
    Case("input", "a CSV cell of 212 MB", cell(212_000_000, "x"), (3,)),
    Case("input", "a quote never closed, 120 MB", cell(120_000_000, "x\n"), (3,)),
    Case("input", "a text of 40 MB", long_text(40_000_000), (3,)),
    Case("input", "a text above --max-text", long_text(5000, "--max-text", "1000"), (3,), True),
    Case("input", "a text of 9 MB", long_text(9_000_000), (0,)),
    Case("input", "a million keys in a row", keys(1_000_000), (3,)),
    Case("input", "a million columns", columns(1_000_000), (3,)),
    Case("input", "Parquet: 20 GB in a dictionary", parquet_dictionary(200_000, 100_000), (3,)),
    Case(
        "input",
        "Parquet dictionary, small limit",
        parquet_dictionary(2000, 10_000, "--max-bytes", "5000000"),
        (3,),
        True,
    ),
    Case("input", "lists 100,000 deep", deep(100_000, "[", "]"), (0,), True),
    Case("input", "lists 1,000 deep", deep(1000, "[", "]"), (0,)),
    Case("input", "objects 900 deep", deep(900, '{"a":', "}"), (0,)),
    Case("input", "NaN 700 deep", deep(700, "[", "]", "NaN"), (0,)),
    Case("input", "JSON document 100,000 deep", text("d.json", "[" * 100_000), (3,)),
    Case("input", "60 million empty lists", text("e.json", "[" + "[]," * 60_000_000 + "[]]"), (3,)),
    Case("input", "TOML lists 5,000 deep", toml("seed = " + "[" * 5000 + "]" * 5000), (3,), True),
    Case("input", "TOML key of 50,000 parts", toml(".".join(["a"] * 50_000) + " = 1"), (3,)),
    Case("input", "a pipe that nobody writes into", pipe, (3,)),
    Case("input", "/dev/zero", lambda folder: ["scan", "/dev/zero"], (3,)),
    Case("quadratic", "20,000 near-identical rows, 7 prompts", copies(20_000, 7), (0, 3)),
    Case("quadratic", "10,000 answers of 10,000 models", names(10_000, "scan", LONG), (0, 3)),
    Case("quadratic", "40,000 model names", names(40_000, "winrates", ""), (0, 3, 4)),
    Case("quadratic", "leaderboard of 40,000", names(40_000, "leaderboard", ""), (3, 4)),
    *(
        Case("cache", f"cache: {how}", cache(how), (0,), how in ("pipe", "file"))
        for how in (
            "file",
            "dangling link",
            "pipe",
            "folder",
            "device",
            "link",
            "read only",
            "rubbish",
            "cut",
            "bits turned",
            "of another owner",
            "file of another owner",
            "socket",
            "link to itself",
            "journal",
            "write-ahead log is a folder",
            "kept: pipes",
            "kept: folder",
            "kept: device",
            "kept: rubbish",
            "last read",
        )
    ),
    Case("cache", "cache: disk full", cache("none"), (0,), False, "disk full: cache"),
    Case("cache", "cache and report: 600 bytes", cache("none"), (4,), False, "RLIMIT_FSIZE"),
    Case("output", "report on its input", output_on("input"), (2,), True),
    Case("output", "report on a link to its input", output_on("link"), (2,)),
    Case("output", "report on a hard link to its input", output_on("hard link"), (2,)),
    Case("output", "report in the cache", output_on("cache"), (2,)),
    Case("output", "report into a pipe that nobody reads", output_pipe, (4,)),
    Case("faults", "stdout is /dev/full", plain("--format", "json"), (4,), False, "full"),
    Case("faults", "table, stdout is /dev/full", plain(), (4,), False, "full"),
    Case(
        "faults",
        "Markdown, stdout is /dev/full",
        plain("--format", "markdown"),
        (4,),
        False,
        "full",
    ),
    Case("faults", "CSV, stdout is /dev/full", plain("--format", "csv"), (4,), False, "full"),
    Case("faults", "stdout is closed", plain("--format", "json"), (4,), False, "closed"),
    Case("faults", "stderr is closed", plain("--format", "json"), (0,), False, "no stderr"),
    Case("faults", "stdin is closed", plain("--format", "json"), (0,), False, "no stdin"),
    Case("faults", "all three are closed", plain("--format", "json"), (4,), False, "no streams"),
    Case("faults", "the reader of stdout goes", plain("--format", "json"), (0,), False, "reader"),
    Case("faults", "disk full: report", plain("-o", "full/o.json"), (4,), False, "disk full: full"),
    Case("faults", "disk full: HTML", plain("-o", "full/o.html"), (4,), False, "disk full: full"),
    *(
        Case(
            "faults",
            f"files of at most 600 bytes: {name}",
            make,
            (4,),
            False,
            f"RLIMIT_FSIZE{more}",
        )
        for more in ("", ", unbuffered")
        for name, make in (
            (f"-o out.json{more}", plain("-o", "out.json", "--no-cache")),
            (f"JSON on stdout{more}", plain("--format", "json", "--no-cache")),
            (f"table on stdout{more}", plain("--no-cache", "--details")),
            (
                f"export{more}",
                text("a.jsonl", BASE, BASE, args=("--no-cache", "--as", "clean"), command="export"),
            ),
        )
    ),
    *(
        Case(
            "faults",
            f"{signal} after {s:g} s of its time: {name}",
            make,
            exits,
            False,
            f"{signal} {s}",
        )
        for signal, exits in (("SIGTERM", (143, -15)), ("SIGINT", (130, -2)))
        for s in (0.8, 1.2, 2.0, 3.0)
        for name, make in (("scan", stale()), ("gate", gated("--ledger", "ledger.json")))
    ),
    Case("faults", "SIGHUP after 2 s of its time: scan", stale(), (129, -1), False, "SIGHUP 2.0"),
)


MAKER_BYTES = 8_000_000_000

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MAKER_BYTES, MAKER_BYTES))
    _name, _folder = sys.argv[1:]
    print(json.dumps(next(c for c in CASES if c.name == _name).make(Path(_folder))))
