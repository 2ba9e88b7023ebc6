"""The graph of a data set that grew is made from the one that is kept, and is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cr_audit.analysis import meaning as stage
from cr_audit.analysis.facts import Embedding
from cr_audit.analysis.kept import Kept
from cr_audit.analysis.settings import Settings
from cr_audit.arrays import Float32Array
from cr_audit.clones import meaning, meaning_growing


def embedding(vectors: Float32Array) -> Embedding:
    return Embedding("made", vectors.shape[1], "made", 1, vectors, vectors[:0])


@pytest.fixture
def vectors() -> Float32Array:
    v = np.random.default_rng(0).standard_normal((420, 16)) + 2.0 * np.eye(16)[0]
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def test_it_grows_from_what_is_kept(
    vectors: Float32Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "JOINED", 100)
    grew: list[int] = []
    real = stage.grown

    def counted(known: Any, *more: Any) -> Any:
        grew.append(known.n)
        return real(known, *more)

    monkeypatch.setattr(stage, "grown", counted)
    kept, settings = Kept(tmp_path), Settings(index="exact")

    def graph(n: int, kept: Kept | None) -> Any:
        return stage.graph_of(settings, embedding(vectors[:n]), kept)()

    for n in (400, 410, 420):
        one, two = graph(n, kept), graph(n, None)
        assert one.graph.neighbours.tobytes() == two.graph.neighbours.tobytes()
        assert one.graph.distance.tobytes() == two.graph.distance.tobytes()
        assert one.record == two.record
    assert grew == [400, 410]
    graph(420, kept)
    assert grew == [400, 410]  # what is the same is not made at all
    for path in tmp_path.glob("kept-*.bin"):
        path.write_bytes(b"damaged")
    told: list[str] = []
    again = stage.graph_of(settings, embedding(vectors), Kept(tmp_path, notice=told.append))()
    assert not isinstance(again, stage.NotApplicable)
    assert again.graph.neighbours.tobytes() == two.graph.neighbours.tobytes()
    assert any("damaged" in line for line in told)
    assert grew == [400, 410]


@pytest.mark.parametrize("n", [400, 120])
def test_distinct_rows_and_digests_are_made_once(
    vectors: Float32Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    monkeypatch.setattr(meaning, "JOINED", 100)
    some = vectors[:n]
    calls: list[str] = []

    def counted(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(*given: Any) -> Any:
            calls.append(name)
            return real(*given)

        monkeypatch.setattr(module, name, call)

    counted(meaning, "centred")
    counted(meaning_growing, "centred")
    counted(stage, "digests")
    counted(meaning_growing, "digests")
    settings, kept = Settings(index="exact"), Kept(tmp_path)
    for rows in (some[:-10], some):
        calls.clear()
        stage.graph_of(settings, embedding(rows), kept)()
        assert calls == ["centred", "digests"]
