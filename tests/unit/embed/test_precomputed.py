"""Vectors from files: what is read, and what each wrong file is told."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cr_audit.embed import open_precomputed
from cr_audit.errors import InputError

IDS = ["b", "a", "c"]
MATRIX = np.array([[3.0, 4.0], [0.0, 0.0], [1e-200, 0.0]])
UNIT = np.array([[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]], dtype=np.float32)


def slug_of(path: Path, ids: list[str] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        open_precomputed(path).vectors(ids or IDS)
    assert path.stem in str(caught.value)
    return caught.value.slug


def npy(tmp_path: Path, matrix: object, ids: str | None = None) -> Path:
    path = tmp_path / "v.npy"
    np.save(path, matrix, allow_pickle=True)
    if ids is not None:
        (tmp_path / "v.ids.txt").write_text(ids)
    return path


@pytest.mark.parametrize("kind", ["list", "array", "float32", "int"])
def test_parquet(tmp_path: Path, kind: str) -> None:
    values = (MATRIX * 10 if kind == "int" else MATRIX).tolist()
    types: dict[str, object] = {
        "list": pl.List(pl.Float64),
        "array": pl.Array(pl.Float64, 2),
        "float32": pl.List(pl.Float32),
        "int": pl.List(pl.Int64),
    }
    series = pl.Series("vector", values).cast(types[kind], strict=False)  # type: ignore[arg-type]
    path = tmp_path / "v.parquet"
    pl.DataFrame({"text": ["x"] * 3, "id": IDS}).with_columns(series).write_parquet(path)
    vectors = open_precomputed(path)
    assert (vectors.dimension, vectors.ids) == (2, tuple(IDS))
    got = vectors.vectors(["a", "b", "b"])
    assert np.array_equal(got, UNIT[[1, 0, 0]])
    assert vectors.name == "precomputed:v.parquet"


def test_npy_with_and_without_ids(tmp_path: Path) -> None:
    plain = open_precomputed(npy(tmp_path, MATRIX.astype(np.float64)))
    assert np.array_equal(plain.vectors(["x", "y", "z"]), UNIT)
    keyed = open_precomputed(npy(tmp_path, MATRIX, "b\na\nc\n"))
    assert np.array_equal(keyed.vectors(["c", "a"]), UNIT[[2, 1]])
    assert keyed.fingerprint != plain.fingerprint


def test_wrong_files(tmp_path: Path) -> None:
    assert slug_of(tmp_path / "v.npy") == "embeddings-unreadable"
    (tmp_path / "v.csv").write_text("1,2")
    assert slug_of(tmp_path / "v.csv") == "embeddings-unreadable"
    assert slug_of(npy(tmp_path, MATRIX[:2])) == "embeddings-wrong-length"
    assert slug_of(npy(tmp_path, MATRIX, "a\nb\n")) == "embeddings-wrong-length"
    assert slug_of(npy(tmp_path, MATRIX, "a\nb\nb\n")) == "embeddings-duplicate-ids"
    assert slug_of(npy(tmp_path, MATRIX, "a\nb\nz\n")) == "embeddings-missing-ids"
    (tmp_path / "v.ids.txt").unlink()
    bad = MATRIX.copy()
    bad[1, 0] = np.nan
    assert slug_of(npy(tmp_path, bad)) == "embeddings-not-finite"
    for wrong in (MATRIX[0], MATRIX[:, :0], MATRIX.astype(str), MATRIX.astype(complex)):
        assert slug_of(npy(tmp_path, wrong)) == "embeddings-not-a-matrix"
    (tmp_path / "v.npy").write_bytes((tmp_path / "v.npy").read_bytes()[:20])
    assert slug_of(tmp_path / "v.npy") == "embeddings-unreadable"


def test_pickles_are_never_read(tmp_path: Path) -> None:
    assert slug_of(npy(tmp_path, np.array([[1], [1, 2]], dtype=object))) == "embeddings-unreadable"
    (tmp_path / "v.npy").write_bytes(pickle.dumps([1, 2, 3]))
    assert slug_of(tmp_path / "v.npy") == "embeddings-unreadable"


@pytest.mark.parametrize(
    ("columns", "slug"),
    [
        ({"id": IDS}, "embeddings-not-a-matrix"),
        ({"id": [1, 2, 3], "v": [[1.0]] * 3}, "embeddings-not-a-matrix"),
        ({"id": IDS, "v": [[1.0]] * 3, "w": [[1.0]] * 3}, "embeddings-not-a-matrix"),
        ({"id": IDS, "v": [[1.0], [1.0, 2.0], [1.0]]}, "embeddings-not-a-matrix"),
        ({"id": IDS, "v": [[1.0], None, [1.0]]}, "embeddings-not-a-matrix"),
        ({"id": [*IDS[:2], None], "v": [[1.0]] * 3}, "embeddings-not-a-matrix"),
        ({"id": IDS, "v": [["x"]] * 3}, "embeddings-not-a-matrix"),
        ({"id": IDS, "v": [[1.0], [None], [1.0]]}, "embeddings-not-finite"),
        ({"id": IDS, "v": [[1.0], [float("inf")], [1.0]]}, "embeddings-not-finite"),
        ({"id": ["a", "a", "b"], "v": [[1.0]] * 3}, "embeddings-duplicate-ids"),
        ({"id": ["a", "x", "b"], "v": [[1.0]] * 3}, "embeddings-missing-ids"),
    ],
)
def test_wrong_parquet(tmp_path: Path, columns: dict[str, object], slug: str) -> None:
    path = tmp_path / "v.parquet"
    pl.DataFrame(columns).write_parquet(path)
    assert slug_of(path) == slug


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    path.write_bytes(b"PAR1 but no more")
    assert slug_of(path) == "embeddings-unreadable"
    pl.DataFrame({"id": [], "v": []}, schema={"id": pl.String, "v": pl.List(pl.Float64)})
    frame = pl.DataFrame(schema={"id": pl.String, "v": pl.List(pl.Float64)})
    frame.write_parquet(path)
    assert slug_of(path) == "embeddings-not-a-matrix"
