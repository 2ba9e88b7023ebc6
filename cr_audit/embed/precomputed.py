"""Vectors that the user brings: a Parquet or NumPy file keyed by alternative id."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cr_audit.arrays import Float32Array, FloatArray
from cr_audit.embed.backends import Precision
from cr_audit.errors import InputError

if TYPE_CHECKING:
    from cr_audit.embed.encoders import Opening

_MATRIX = "a matrix of n rows and d >= 1 columns of real numbers"


class PrecomputedVectors:
    """Unit vectors from a file. It has no ``encode``: rows are looked up by alternative id.

    ids : one per row, or None where the rows stand in the order of the alternatives.
    vectors : float32 (n, d), each row divided by its Euclidean norm (a zero row stays zero).
    fingerprint : of the file's bytes.
    """

    def __init__(
        self, path: Path, ids: tuple[str, ...] | None, vectors: Float32Array, fingerprint: str
    ) -> None:
        self.path = path
        self.ids = ids
        self._vectors = vectors
        self._fingerprint = fingerprint

    @property
    def name(self) -> str:
        """As reports name it: precomputed:FILE."""
        return f"precomputed:{self.path.name}"

    @property
    def dimension(self) -> int:
        return int(self._vectors.shape[1])

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def vectors(self, alternative_ids: Sequence[str]) -> Float32Array:
        """float32 (len(alternative_ids), d), in the order of ``alternative_ids``.

        Errors: InputError ``embeddings-missing-ids`` or ``embeddings-wrong-length``. Rows of the
        file that no alternative asks for are ignored.
        """
        if self.ids is None:
            if len(alternative_ids) != self._vectors.shape[0]:
                raise InputError(
                    "embeddings-wrong-length",
                    f"{self._vectors.shape[0]} rows for {len(alternative_ids)} alternatives",
                    where=str(self.path),
                    next_step=f"write the alternatives' ids, one a line, to {_sidecar(self.path)}",
                )
            return self._vectors
        at = {key: i for i, key in enumerate(self.ids)}
        rows = [at.get(key, -1) for key in alternative_ids]
        missing = [k for k, row in zip(alternative_ids, rows, strict=True) if row < 0]
        if missing:
            raise InputError(
                "embeddings-missing-ids",
                f"{len(missing)} of {len(alternative_ids)} alternatives have no row",
                where=str(self.path),
                found="first missing: " + ", ".join(missing[:5]),
                next_step="embed them too; cr-audit scan --format json lists ids and texts",
            )
        return self._vectors[np.array(rows, dtype=np.int64)]


def open_precomputed(path: Path) -> PrecomputedVectors:
    """Read ``.npy`` (n, d), with the ids in ``NAME.ids.txt`` if that exists, or ``.parquet``
    with a column ``id`` (text) and one column of lists or arrays of numbers.

    Never unpickles. Memory: about three times the file.
    Errors: InputError ``embeddings-unreadable``, ``-not-a-matrix``, ``-not-finite``,
    ``-duplicate-ids``, ``-wrong-length``, each naming the file and the row.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("embeddings-unreadable", "there is no such file", where=str(path))
    if path.suffix == ".npy":
        ids, matrix = _numpy(path)
    elif path.suffix == ".parquet":
        ids, matrix = _parquet(path)
    else:
        raise InputError(
            "embeddings-unreadable",
            "the name of an embeddings file ends in .npy or .parquet",
            where=str(path),
        )
    if ids is not None:
        _check_ids(path, ids, matrix.shape[0])
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if bad.size:
        row = int(bad[0])
        raise InputError(
            "embeddings-not-finite",
            f"{bad.size} of {matrix.shape[0]} rows hold NaN or infinity",
            where=f"{path}: row {row}",
            found=f"id {ids[row]}" if ids is not None else None,
            next_step="embed these texts again, or leave them out of the data",
        )
    # Dividing by the largest entry first keeps squares of huge or tiny numbers in range.
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    scaled = matrix / np.where(largest > 0, largest, 1.0)
    norm = np.sqrt(np.add.reduce(scaled * scaled, axis=1))
    unit = scaled / np.where(norm > 0, norm, 1.0)[:, None]
    return PrecomputedVectors(path, ids, unit.astype(np.float32), _fingerprint(path))


class Precomputed:
    """``precomputed:FILE``, the same as ``--embeddings FILE``."""

    name = "precomputed"
    summary = "your own vectors, from a Parquet or NumPy file"
    precisions: tuple[Precision, ...] = ("float32",)

    def claims(self, model: str) -> bool:
        return model.startswith(f"{self.name}:")

    def open(self, model: str, how: Opening) -> PrecomputedVectors:
        return open_precomputed(Path(model.partition(":")[2]))


PRECOMPUTED = Precomputed()


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".ids.txt")


def _fingerprint(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16, person=b"precomputed-1")
    sidecar = _sidecar(path)
    for part in (path, *((sidecar,) if path.suffix == ".npy" and sidecar.is_file() else ())):
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _numpy(path: Path) -> tuple[tuple[str, ...] | None, FloatArray]:
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(matrix, np.ndarray) or matrix.dtype.kind not in "fiu":
        raise _not_a_matrix(path, str(getattr(matrix, "dtype", type(matrix).__name__)))
    if matrix.ndim != 2 or matrix.shape[1] < 1:
        raise _not_a_matrix(path, f"shape {matrix.shape}")
    sidecar = _sidecar(path)
    ids = None
    if sidecar.is_file():
        try:
            ids = tuple(sidecar.read_text(encoding="utf-8").split())
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(sidecar, error) from error
    return ids, matrix.astype(np.float64)


def _parquet(path: Path) -> tuple[tuple[str, ...], FloatArray]:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _unreadable(path, error) from error
    columns = [n for n, t in frame.schema.items() if isinstance(t, pl.List | pl.Array)]
    if frame.schema.get("id") != pl.String or len(columns) != 1:
        raise _not_a_matrix(path, ", ".join(f"{n}: {t}" for n, t in list(frame.schema.items())[:8]))
    vectors = frame[columns[0]]
    if frame["id"].null_count() or vectors.null_count():
        raise _not_a_matrix(path, "an empty id or vector")
    if isinstance(vectors.dtype, pl.Array):
        vectors = vectors.arr.to_list()
    lengths = vectors.list.len()
    if frame.height and lengths.n_unique() != 1:
        row = int((lengths != lengths[0]).arg_true()[0])
        raise _not_a_matrix(path, f"{lengths[0]} numbers in row 0, {lengths[row]} in row {row}")
    try:
        flat = vectors.explode(empty_as_null=False).cast(pl.Float64).to_numpy()
    except pl.exceptions.PolarsError as error:
        raise _not_a_matrix(path, str(vectors.dtype)) from error
    width = int(lengths[0]) if frame.height else 0
    if width < 1:
        raise _not_a_matrix(path, "no rows" if not frame.height else "vectors of length 0")
    return tuple(frame["id"].to_list()), flat.reshape(frame.height, width).astype(np.float64)


def _check_ids(path: Path, ids: tuple[str, ...], n_rows: int) -> None:
    if len(ids) != n_rows:
        raise InputError(
            "embeddings-wrong-length",
            f"{len(ids)} ids for {n_rows} rows",
            where=str(_sidecar(path)),
            next_step="write one id per line, in the order of the rows",
        )
    seen: set[str] = set()
    for key in ids:
        if key in seen:
            raise InputError(
                "embeddings-duplicate-ids", "an id stands twice", where=str(path), found=key
            )
        seen.add(key)


def _unreadable(path: Path, error: Exception) -> InputError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(
        "embeddings-unreadable",
        f"the file cannot be read: {lines[0][:200]}",
        where=str(path),
        next_step="write it with numpy.save (no object arrays) or as Parquet",
    )


def _not_a_matrix(path: Path, found: str) -> InputError:
    return InputError(
        "embeddings-not-a-matrix",
        f"the file does not hold {_MATRIX}",
        where=str(path),
        found=found,
        next_step="Parquet: a text column id and one list column; .npy: two dimensions",
    )
