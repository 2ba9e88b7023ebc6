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
from cr_audit.weights import sampling
from cr_audit.weights.contexts import Contexts
from cr_audit.weights.schemes.sharing import sharing_weights
from cr_audit.weights.spaces import Block, Scores
from cr_audit.weights.voronoi import voronoi_weights

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


@linux
@pytest.mark.parametrize("zero", [False, True])
def test_weights_are_the_same_on_disk_and_in_memory(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zero: bool
) -> None:
    """Contexts in two parts, equal ones among them, one of zeros or none; blocks of a few rows."""
    rng = np.random.default_rng(3)
    answers = rng.standard_normal((900, 12)).astype(np.float32)
    answers /= np.linalg.norm(answers, axis=1, keepdims=True)
    answers[40:60] = answers[100:120]
    answers[7] = 0.0 if zero else answers[8]
    prompts = rng.standard_normal((300, 12)).astype(np.float32)
    prompts /= np.linalg.norm(prompts, axis=1, keepdims=True)
    prompts[20] = prompts[50]
    clones = np.where(np.arange(900) < 30, np.arange(900) // 3, -1)
    contexts = Contexts(answers, prompts, np.arange(900) // 3)

    def found() -> list[bytes]:
        shared = sharing_weights(contexts, clusters=clones, rng=np.random.default_rng(1))
        paper = voronoi_weights(contexts, min_samples=2_000, rng=np.random.default_rng(2))
        return [w.weights.tobytes() + w.cells.tobytes() for w in (shared, paper)]

    in_memory = found()
    made: list[int] = []
    whole = on_disk.zeros_on_disk
    monkeypatch.setattr(on_disk, "SHARE", 0.0)
    monkeypatch.setattr(on_disk, "_BLOCK_BYTES", 5_000)
    monkeypatch.setattr(on_disk, "_BLOCKS_HELD", 2)
    monkeypatch.setattr(on_disk, "zeros_on_disk", lambda *a: made.append(1) or whole(*a))
    with engine.using(folder=tmp_path):
        assert found() == in_memory
    assert len(made) > 3


def test_blocks_of_rows_hold_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_disk, "_BLOCK_BYTES", 100)
    rows = np.zeros((11, 3))
    found = list(engine.blocks_of_rows(rows))
    assert np.array_equal(np.concatenate([np.arange(11)[s] for s in found]), np.arange(11))
    assert len(found) == 3  # of four rows of 24 bytes
    assert list(engine.blocks_of_rows(np.zeros((0, 3)))) == []


def test_scores_of_many_prompts_by_tiles_are_those_of_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    answers = rng.standard_normal((400, 9)).astype(np.float32)
    prompts = rng.standard_normal((90, 9)).astype(np.float32)
    of = rng.integers(0, 90, 400)
    scores = Scores((Block(answers), Block(prompts, of)), None, gaussian=True)
    schedule = sampling.plan(scores, 3_000, 1e12)
    at_once = sampling.count_hits(scores, schedule, workers=1, rng=np.random.default_rng(0))
    monkeypatch.setattr(sampling, "_MOST_SHARED", 10)
    monkeypatch.setattr(sampling, "_TILE", 64)
    by_tiles = sampling.count_hits(scores, schedule, workers=1, rng=np.random.default_rng(0))
    assert by_tiles.sum() == at_once.sum()
    assert np.array_equal(by_tiles, at_once)
