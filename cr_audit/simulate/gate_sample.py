"""A baseline and three batches for it, invented: one clean, one with copies, one broken.

All rows come from the population of ``clone_robust``: the baseline and the clean batch hold one
answer of each kind, the cloned batch comparisons of near-copies of the chatty answer, the broken
batch a clean one in which every fifth line was cut.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cr_audit.simulate.clone_robust import Row, as_jsonl, clone_robust_dataset, systems

DEFAULT_SEED = 0
N_CLEAN, N_CLONED, N_BROKEN = 80, 240, 40
CLONES = 4
FILES = ("main.jsonl", "batch_clean.jsonl", "batch_cloned.jsonl", "batch_broken.jsonl")


def gate_sample(*, rng: np.random.Generator) -> dict[str, bytes]:
    """File name -> bytes. The order of the population's rows is random, so a slice is a sample."""
    clean = clone_robust_dataset(clones=0, rng=rng)
    copies = {name for name, _ in systems(CLONES)[3:]}
    rows = clone_robust_dataset(clones=CLONES, rng=rng)
    cloned = [r for r in rows if len({r.model_a, r.model_b} & copies) == 1]
    return {
        FILES[0]: as_jsonl(clean[N_CLEAN:]),
        FILES[1]: as_jsonl(clean[:N_CLEAN]),
        FILES[2]: as_jsonl(tuple(cloned[:N_CLONED])),
        FILES[3]: _broken(clean[:N_BROKEN]),
    }


def _broken(rows: tuple[Row, ...]) -> bytes:
    """Every fifth line ends in the middle, as after a full disk."""
    lines = as_jsonl(rows).splitlines(keepends=True)
    return b"".join(
        line[: len(line) // 2] + b"\n" if i % 5 == 4 else line for i, line in enumerate(lines)
    )


def write(folder: Path, *, seed: int = DEFAULT_SEED) -> None:
    """Write the four files into ``folder``; the same seed gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in gate_sample(rng=np.random.default_rng(seed)).items():
        (folder / name).write_bytes(content)
