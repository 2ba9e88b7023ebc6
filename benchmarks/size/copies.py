"""The searches for copies alone, on generated pairs: ``python -m benchmarks.size.copies FILE
[MEMORY]``. Processor time and peak memory of each step as it ends, taken as ``stages`` takes them;
texts come from polars in one buffer, prompts are told apart by their text, and large arrays may go
to files in a folder that is removed at the end.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.size.stages import STAGES, Stages, Times, peak_mib
from cr_audit import engine
from cr_audit.settings import bytes_of
from cr_audit.texts import Texts


class _Told(Stages):
    """Says every step when it ends."""

    def keep(self, total: Times | None = None) -> None:
        name = list(self.seconds)[-1]
        print(
            f"| {name} | {sum(self.seconds[name][:2]):.1f} s | {self.peak[name]:.0f} MiB |",
            flush=True,
        )


def main(arguments: list[str]) -> None:
    """One row for each step."""
    from cr_audit.clones import find

    stages = _Told()
    for name, module, path in STAGES:
        if module.startswith("cr_audit.clones") and module != "cr_audit.clones.meaning":
            stages.wrap(name, module, path)
    frame = pl.read_ndjson(arguments[0])
    texts = pl.concat([frame["chosen"], frame["rejected"]])
    asked = frame["prompt"].unique(maintain_order=True)
    number = pl.DataFrame({"prompt": asked, "i": np.arange(asked.len())})
    row = frame.select("prompt").join(number, on="prompt", how="left", maintain_order="left")["i"]
    prompt_of = np.tile(row.to_numpy(), 2).astype(np.int64)
    del frame, number, row
    engine.give_back()
    memory = bytes_of(arguments[1]) if len(arguments) > 1 else None
    print(f"{texts.len():,} responses, {peak_mib(reset=True):.0f} MiB at the start", flush=True)
    clock = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        engine.using(memory=memory, folder=Path(folder)),
    ):
        report = find.find_clones(
            response_texts=Texts(texts),
            prompt_of=prompt_of,
            prompt_texts=Texts(asked),
            rng=np.random.default_rng(0),
        )
    print(
        f"{len(report.clusters):,} clusters, {report.neighbours}, {time.process_time():.1f} s of"
        f" processor time in all, {time.perf_counter() - clock:.0f} s, {peak_mib():.0f} MiB"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
