"""The sample batches come out of the package, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cases import SAMPLES

from cr_audit.simulate.gate_sample import DEFAULT_SEED, FILES, gate_sample, write


def test_the_files_are_those_of_the_generator(tmp_path: Path) -> None:
    write(tmp_path)
    made = gate_sample(rng=np.random.default_rng(DEFAULT_SEED))
    assert set(made) == set(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == made[name]
        assert (SAMPLES / "gate" / name).read_bytes() == made[name], name


def test_baseline_and_clean_batch_share_no_row() -> None:
    lines = {name: (SAMPLES / "gate" / name).read_bytes().splitlines() for name in FILES}
    assert len(lines["main.jsonl"]) + len(lines["batch_clean.jsonl"]) == 660
    assert len(lines["batch_cloned.jsonl"]) == 240
    assert not set(lines["main.jsonl"]) & set(lines["batch_cloned.jsonl"])
