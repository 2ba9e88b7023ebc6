"""Clones found block after block, and an index built in parts: whatever the memory and workers."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit import engine
from cr_audit.arrays import IntArray
from cr_audit.clones import in_blocks, index_parts
from cr_audit.clones.find import CloneReport, find_clones
from cr_audit.clones.grouped import GroupedIndex, grouped_pairs
from cr_audit.clones.in_blocks import index_of, pairs_and_index
from cr_audit.clones.noise import Forms, noise_pairs
from cr_audit.clones.pairs import TextIndex
from cr_audit.clones.shingles import Shingles
from cr_audit.errors import ComputeError
from cr_audit.texts import Texts

WORDS = st.lists(st.sampled_from(list("abcdefghijkl")), max_size=14).map(" ".join)


def pairs_of_answers(n: int, seed: int) -> tuple[list[str], IntArray, list[str]]:
    """Two answers to each of n prompts; some are copies with a few words changed, some are one
    refusal, and some stand under two prompts."""
    rng = np.random.default_rng(seed)
    words = np.array([f"w{i}" for i in range(400)])
    texts, prompts = list[str](), [" ".join(rng.choice(words, 12)) for _ in range(n)]
    for i in range(n):
        a = rng.choice(words, 40)
        b = rng.choice(words, 40)
        if i % 4 == 0:
            b = a.copy()
            b[rng.integers(40, size=3)] = rng.choice(words, 3)
        if i % 5 == 0:
            a = np.array(
                ["i", "cannot", "help", "with", "that", "please", "ask", "again", words[i]]
            )
        texts += [" ".join(a), texts[1] if i % 7 == 6 else " ".join(b).title()]
    return texts, np.repeat(np.arange(n), 2), prompts


def same(a: TextIndex, b: TextIndex) -> bool:
    return (
        a.sizes.tolist() == b.sizes.tolist()
        and a.rows.shape == b.rows.shape
        and a.rows.indptr.tolist() == b.rows.indptr.tolist()
        and a.rows.indices.tolist() == b.rows.indices.tolist()
        and bool(a.rows.data.all())
        and a.rows.data.dtype == b.rows.data.dtype
    )


@given(st.lists(WORDS, unique=True, max_size=12).map(sorted), st.sampled_from([64, 4096, 1 << 30]))
def test_an_index_of_parts_is_the_index(texts: list[str], part_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_parts, "_PART_BYTES", part_bytes)
        patch.setattr(in_blocks, "_BLOCK_CHARS", 40)
        assert same(index_of(texts), TextIndex(Shingles.of(texts)))


@pytest.mark.parametrize("memory", [None, 64 * 2**20])
def test_an_index_in_files_is_the_index(
    memory: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sorted(set(pairs_of_answers(300, 0)[0]))
    monkeypatch.setattr(index_parts, "_PART_BYTES", 1 << 16)
    monkeypatch.setattr(index_parts, "_BYTES_PER_ENTRY", 1e-3)
    monkeypatch.setattr("cr_audit.engine.on_disk.LEAST_BYTES", 0)
    with engine.using(memory=memory, folder=tmp_path):
        made = index_of(texts)
    assert same(made, TextIndex(Shingles.of(texts)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("block_chars", [300, 1 << 22])
def test_pairs_of_blocks_are_those_of_all_groups(
    block_chars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_blocks, "_BLOCK_CHARS", block_chars)
    raw, group, _ = pairs_of_answers(60, 1)
    texts = sorted(set(raw))
    text = np.array([texts.index(t) for t in raw], np.int64)
    found, index = pairs_and_index(texts, text, group, 0.55)
    forms = Forms.of(texts)
    whole = TextIndex(forms.shingles)
    known = grouped_pairs(GroupedIndex(whole, text, group), group, 0.55)
    noise = noise_pairs(forms, text, group, np.ones(text.size, bool), whole)
    assert same(index, whole)
    assert known.first.size > 10
    for name in ("first", "second", "distance", "n_candidates", "n"):
        assert np.array_equal(getattr(found.by_words, name), getattr(known, name))
    assert noise.first.size
    for name in ("first", "second", "distance", "measure"):
        assert np.array_equal(getattr(found.noise, name), getattr(noise, name))


def plain(report: CloneReport) -> list[object]:
    clusters = [
        (c.scope, c.kind, c.members.tolist(), c.medoid, c.diameter, c.weakest_link, c.n_prompts)
        for c in report.clusters
    ]
    return [clusters, report.labels.labels.tolist(), repr(report.neighbours)]


def test_clones_depend_on_neither_memory_nor_workers_nor_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, prompt_of, prompts = pairs_of_answers(150, 2)

    def found(**how: object) -> list[object]:
        with engine.using(**how):  # type: ignore[arg-type]
            return plain(
                find_clones(
                    response_texts=Texts(pl.Series("text", texts)),
                    prompt_of=prompt_of,
                    prompt_texts=prompts,
                    rng=np.random.default_rng(0),
                )
            )

    once = found(workers=1)
    assert len(once[0]) > 20  # type: ignore[arg-type]
    assert once == found(workers=2)
    monkeypatch.setattr(index_parts, "_PART_BYTES", 1 << 14)
    monkeypatch.setattr(index_parts, "_BYTES_PER_ENTRY", 1e-3)
    monkeypatch.setattr(in_blocks, "_BLOCK_CHARS", 2000)
    assert once == found(workers=1, memory=64 * 2**20, folder=tmp_path)
    assert once == found(workers=2, memory=2**33)


def test_a_text_of_two_prompts_is_in_the_index_once() -> None:
    texts = ["a b c d e f g", "h i j k l m n"]
    found, index = pairs_and_index(texts, np.array([0, 1, 0]), np.array([0, 0, 1]), 0.4)
    assert same(index, TextIndex(Shingles.of(texts)))
    assert not found.by_words.first.size


def test_a_full_disk_is_said_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_parts, "_PART_BYTES", 1 << 10)
    monkeypatch.setattr(index_parts, "_BYTES_PER_ENTRY", 1e-6)

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    with engine.using(memory=64 * 2**20, folder=tmp_path), monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
        with pytest.raises(ComputeError, match="No space left") as caught:
            index_of(["a b c d e", "a b c d f"])
    assert "--memory" in str(caught.value.next_step)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_parts, "_PART_BYTES", 1 << 10)
    monkeypatch.setattr(index_parts, "_BYTES_PER_ENTRY", 1e-6)
    (tmp_path / "file").write_text("no folder")
    texts = ["a b c d e", "a b c d f"]
    with engine.using(memory=64 * 2**20, folder=tmp_path / "file"):
        assert same(index_of(texts), TextIndex(Shingles.of(texts)))
