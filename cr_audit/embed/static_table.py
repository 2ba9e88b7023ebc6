"""The table behind static vectors: its type, and its file, which is complete or absent."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Entries of the table are multiples of 2**-17 (their root mean square is 0.04). Sums of up to 2**34
# of them are exact in float64, so a text's sum does not depend on order, threads or processor; and
# where processors differ in the last bits of the transformer, the table is all but never another.
GRID_BITS = 17
_TRAILER = 32


@dataclass(frozen=True, slots=True)
class StaticTable:
    """tokens : int32 (V, d), in units of 2**-17; tokenizer : its JSON; unknown : id or -1."""

    tokens: NDArray[np.int32]
    tokenizer: str
    unknown: int
    settings: str


def load_tokenizer(text: str) -> Tokenizer:
    """A tokenizer that reads whole texts: no truncation, no padding."""
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def write_table(path: Path, table: StaticTable) -> None:
    """Write all or nothing: to a temporary file beside it, synchronised, then renamed.

    The file is an uncompressed npz followed by the SHA-256 of its bytes.
    """
    content = io.BytesIO()
    np.savez(
        content,
        tokens=table.tokens.astype("<i4"),
        tokenizer=np.frombuffer(table.tokenizer.encode(), dtype=np.uint8),
        settings=np.frombuffer(table.settings.encode(), dtype=np.uint8),
        unknown=np.int64(table.unknown),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.getbuffer())
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_table(path: Path, settings: str) -> StaticTable | None:
    """The table, or None if the file is damaged or was made with other settings."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    content, digest = memoryview(raw)[:-_TRAILER], raw[-_TRAILER:]
    if len(raw) <= _TRAILER or hashlib.sha256(content).digest() != digest:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        table = StaticTable(
            tokens=stored["tokens"].astype(np.int32, copy=False),
            tokenizer=stored["tokenizer"].tobytes().decode(),
            unknown=int(stored["unknown"]),
            settings=stored["settings"].tobytes().decode(),
        )
    return table if table.settings == settings else None
