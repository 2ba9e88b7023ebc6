"""Kept results: what comes back is what went in, and nothing else is ever taken for it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import cr_audit.analysis.kept as module
from cr_audit.analysis.kept import Kept
from cr_audit.arrays import Groups, NotApplicable
from cr_audit.data.dataset import PreferenceDataset
from cr_audit.readers import read
from cr_audit.weights.estimates import Weights
from cr_audit.weights.schemes.sharing import sharing_weights_by_prompt
from cr_audit.weights.schemes.voronoi import voronoi_weights_by_prompt

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, pl.DataFrame):
        return a.equals(b) and a.schema == b.schema
    if isinstance(a, tuple):
        return type(b) is tuple and len(a) == len(b) and all(map(same, a, b))
    if dataclasses.is_dataclass(a):
        names = [f.name for f in dataclasses.fields(a)]
        return type(a) is type(b) and all(same(getattr(a, n), getattr(b, n)) for n in names)
    return type(a) is type(b) and (a == b or a != a)


def weights() -> Weights:
    half = np.full(2, 0.5)
    cells = np.arange(2)
    return Weights(
        "voronoi", "sphere", half, half / 7, cells, cells + 3, 5, 0.1, float("inf"), False, 2.0,
        1.0 / 3.0, 0.0, float("nan"), 2, 0, 0.0, ("collapsed",), {"space": "sphere", "n": 3},
    )  # fmt: skip


def weights_by_prompt(method: str) -> Weights:
    """What the gate keeps where prompts have many responses."""
    x = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
    prompt = np.repeat([0, 1], 6)
    rng = np.random.default_rng(1)
    if method == "sharing":
        return sharing_weights_by_prompt(x, prompt, duplicates=None, clusters=None, rng=rng)
    return voronoi_weights_by_prompt(
        x, prompt, space="sphere", precision=0.5, duplicates=None, rng=rng
    )


RESULTS = [
    NotApplicable("a lone \ud800 and a NUL \0"),
    weights(),
    weights_by_prompt("voronoi"),
    weights_by_prompt("sharing"),
    Groups(np.zeros(0, np.int64), 0),
    (1, -0.0, True, None, "x", (np.eye(3, dtype=np.float32), ())),
    read([str(ROOT / "sample_data" / "gate" / "main.jsonl")]),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: type(r).__name__)
def test_what_comes_back_is_what_went_in(result: Any, tmp_path: Path) -> None:
    Kept(tmp_path).call("f", (1,), lambda: result)
    back = Kept(tmp_path).call("f", (1,), lambda: pytest.fail("it was kept"))
    assert same(result, back)
    if isinstance(back, PreferenceDataset):
        assert back.comparison_arrays().n == back.comparisons.height


def test_every_input_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = np.arange(6)
    given: list[tuple[str, tuple[Any, ...]]] = [
        ("f", ()),
        ("g", ()),
        ("f", (None,)),
        ("f", (0,)),
        ("f", (False,)),
        ("f", (0.0,)),
        ("f", ("0",)),
        ("f", (["ab", "c"],)),
        ("f", (["a", "bc"],)),
        ("f", (["a"], "bc")),
        ("f", (a,)),
        ("f", (a.astype(np.int32),)),
        ("f", (a.reshape(2, 3),)),
        ("f", (a + 1,)),
        ("f", ({"a": "b"},)),
    ]
    kept = Kept(tmp_path)
    for i, (name, inputs) in enumerate(given):
        assert kept.call(name, inputs, lambda i=i: i) == i
    for i, (name, inputs) in enumerate(given):
        assert kept.call(name, inputs, lambda: -1) == i
    for name, value in (("FORMAT", 99), ("__version__", "99.0")):
        monkeypatch.setattr(module, name, value)
        assert kept.call("f", (), lambda: "new") == "new"
    with pytest.raises(TypeError):
        kept.call("f", (object(),), lambda: 1)


def test_unsound_and_refused_results_are_not_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert kept.call("f", (), lambda: 1, sound=lambda r: False) == 1
    with pytest.raises(ZeroDivisionError):
        kept.call("f", (), lambda: 1 // 0)
    assert list(tmp_path.iterdir()) == []
    assert kept.call("f", (), lambda: 2) == 2


@pytest.mark.parametrize("cut", [0, 3, 20, 40, -1])
def test_damaged_entries_are_computed_again_with_a_notice(cut: int, tmp_path: Path) -> None:
    told: list[str] = []
    kept = Kept(tmp_path, notice=told.append)
    kept.call("f", (), lambda: (np.arange(9), "text"))
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:cut])
    assert kept.call("f", (), lambda: 7) == 7
    assert [t.endswith("is damaged; it is computed again") for t in told] == [True]
    assert kept.call("f", (), lambda: 8) == 7


def test_the_size_is_bounded_and_the_unused_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path)
    for i in range(3):
        kept.call("f", (i,), lambda: np.zeros(1000))
        for entry in tmp_path.glob("kept-*.bin"):
            os.utime(entry, (entry.stat().st_atime, entry.stat().st_mtime - 100))
    size = sum(p.stat().st_size for p in tmp_path.iterdir())
    monkeypatch.setattr(module, "MAX_BYTES", size)
    kept.call("f", (0,), lambda: pytest.fail("it was kept"))
    left = tmp_path / "kept-left.part"
    left.touch()
    os.utime(left, (0, 0))
    kept.call("f", (3,), lambda: np.zeros(1000))
    assert not left.exists(), "what a killed process left behind goes"
    assert len(list(tmp_path.glob("kept-*.bin"))) == 3
    kept.call("f", (0,), lambda: pytest.fail("it was used a moment ago"))
    with pytest.raises(LookupError):
        kept.call("f", (1,), lambda: {}["gone"])


def test_a_folder_that_cannot_be_used_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "file").touch()
    kept = Kept(tmp_path / "file", notice=told.append)
    assert [kept.call("f", (i,), lambda i=i: i) for i in range(3)] == [0, 1, 2]
    assert len(told) == 1
    assert "cannot be kept" in told[0]
