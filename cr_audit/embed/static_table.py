"""The table behind static vectors: its type, and its file, which is complete or absent."""

from __future__ import annotations

import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Entries of the table are multiples of 2**-24. Sums of up to 2**27 of them are exact in float64,
# so a text's sum does not depend on order, threads or processor.
GRID_BITS = 24


@dataclass(frozen=True, slots=True)
class StaticTable:
    """tokens : int32 (V, d), in units of 2**-24; tokenizer : its JSON; unknown : id or -1."""

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
    """Write all or nothing: to a temporary file beside it, synchronised, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(
                file,
                tokens=table.tokens.astype("<i4"),
                tokenizer=np.frombuffer(table.tokenizer.encode(), dtype=np.uint8),
                settings=np.frombuffer(table.settings.encode(), dtype=np.uint8),
                unknown=np.int64(table.unknown),
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_table(path: Path, settings: str) -> StaticTable | None:
    """The table, or None if the file is damaged (zip checksums) or made with other settings."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            found: dict[str, NDArray[Any]] = {k: stored[k] for k in stored.files}
        table = StaticTable(
            tokens=found["tokens"].astype(np.int32, copy=False),
            tokenizer=found["tokenizer"].tobytes().decode(),
            unknown=int(found["unknown"]),
            settings=found["settings"].tobytes().decode(),
        )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return table if table.settings == settings and table.tokens.ndim == 2 else None
