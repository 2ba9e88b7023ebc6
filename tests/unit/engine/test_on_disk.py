"""Arrays in files: the same numbers as in memory, whether their pages are there or not."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from cr_audit import engine
from cr_audit.embed import VectorCache, embed_texts
from cr_audit.engine import on_disk

linux = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="files are not reserved here")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "LEAST_BYTES", 1)


@linux
def test_what_was_written_is_there_after_its_pages_went(small: None, tmp_path: Path) -> None:
    made = engine.zeros_on_disk((300, 70), np.float32, tmp_path)
    assert not made.any()
    expected = np.random.default_rng(0).random((300, 70), np.float32)
    made[:] = expected
    assert len(on_disk._open) == 1
    engine.give_back()
    assert np.array_equal(made, expected)
    half = made[150:]
    del made
    engine.give_back()
    assert np.array_equal(half, expected[150:])
    assert list(tmp_path.iterdir()) == []  # nobody sees it, and a killed process leaves nothing
    del half
    gc.collect()
    assert len(on_disk._open) == 0


def test_without_a_folder_or_a_file_it_is_in_memory(small: None, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for folder in (None, blocked):
        made = engine.zeros_on_disk((3, 2), np.float32, folder)
        assert made.shape == (3, 2)
        assert len(on_disk._open) == 0


class Letters:
    """A backend that needs no model."""

    name, fingerprint, dimension = "letters", "letters-1", 8

    def encode(self, texts: list[str], progress: object = None) -> np.ndarray:
        rows = np.array([[t.count(c) + 0.1 for c in "abcdefgh"] for t in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)


@linux
def test_vectors_are_the_same_on_disk_and_in_memory(small: None, tmp_path: Path) -> None:
    texts = [f"{c}{d} cab {k % 5}" for c in "abcdefgh" for d in "abcdefgh" for k in range(9)]
    in_memory = embed_texts(Letters(), texts)  # type: ignore[arg-type]
    with VectorCache(tmp_path) as cache:
        for _ in range(2):  # computed, then loaded
            found = embed_texts(Letters(), texts, cache=cache)  # type: ignore[arg-type]
            engine.give_back()
            assert found.tobytes() == in_memory.tobytes()
