"""Processor time of every part of a scan: ``python -m benchmarks.size.parts FILE N FOLDER``.

Each stage is made in N parts in FOLDER, and whole in FOLDER/whole, all in one process that has read
the file once, with no cache. "own" is what a part's pieces take, with their writing; "around" is
what every part does beside them (texts are told apart, former stages are read from the folder, an
index is put together). Starting and reading the file come on top, and are printed once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cr_audit import engine
from cr_audit.analysis import shelf as shelves
from cr_audit.analysis.parts import make_part
from cr_audit.embed import open_backend
from cr_audit.readers import read
from cr_audit.run import silent
from cr_audit.settings import Settings

spent = [0.0]
_write = shelves._write


def timed_write(out: Any, mine: range, results: Iterable[Any], of: Any) -> None:
    started = time.process_time()
    _write(out, mine, results, of)
    spent[0] += time.process_time() - started


def main(arguments: list[str]) -> None:
    file, n, folder = arguments[0], int(arguments[1]), Path(arguments[2])
    shelves._write = timed_write
    print(f"started: {time.process_time():.2f} s")
    started = time.process_time()
    data = read([file])
    print(f"read: {time.process_time() - started:.2f} s")
    backend = open_backend("static", notice=print)
    print(f"| stage | whole: own + around | {n} parts: own | around each | bytes of all parts |")
    print("|---|---|---|---|---|")

    def made(stage: str, k: int, n: int, where: Path) -> tuple[float, float]:
        where.mkdir(parents=True, exist_ok=True)
        spent[0] = 0.0
        started = time.process_time()
        part = shelves.Part(stage, k, n)
        shelf = shelves.FolderOfParts(where, say=lambda line: None, making=part)
        with engine.using(workers=1):
            done = make_part(
                stage,
                shelf,
                data,
                Settings(),
                encoder=lambda: backend,
                cache=None,
                progress=silent,
            )
        assert done is not None
        assert not done.found
        return spent[0], time.process_time() - started - spent[0]

    for stage in shelves.STAGES:
        whole = made(stage, 1, 1, folder / "whole")
        parts = [made(stage, k, n, folder) for k in range(1, n + 1)]
        own = ", ".join(f"{p[0]:.2f}" for p in parts)
        around = [p[1] for p in parts]
        size = sum(p.stat().st_size for p in folder.glob(f"{stage}-*.part"))
        print(
            f"| {stage} | {whole[0]:.2f} + {whole[1]:.2f} s | {own} s |"
            f" {min(around):.2f} to {max(around):.2f} s | {size / 1e6:,.1f} MB |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
