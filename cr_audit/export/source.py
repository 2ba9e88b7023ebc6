"""What every exit starts from: the rows once more, their places in the table, and the target."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cr_audit.errors import UsageError
from cr_audit.export.annotate import RowTable, row_table
from cr_audit.export.outcome import Exported
from cr_audit.files import write_whole
from cr_audit.readers.raw import RawRow, read_table, refuse_stdin, reread

if TYPE_CHECKING:
    from cr_audit.run import Run


def table_of(run: Run) -> RowTable:
    """The rows of the run's data, once. Raises UsageError where they cannot be read again."""
    for path in run.files:
        refuse_stdin(path, held(run))
    made: RowTable = run.once("rows of the export", lambda: row_table(run.dataset))
    return made


def again(run: Run, *, messages: bool = False) -> Iterator[RawRow]:
    """Every row of the run's files. messages : as ``reread``."""
    digests = [f.sha256 for f in run.dataset.report.files]
    return reread(run.files, digests, held(run), messages=messages)


def held(run: Run) -> bytes | None:
    """Rows that were given in memory, None where "-" is a pipe."""
    return run.stdin.getvalue() if isinstance(run.stdin, io.BytesIO) else None


def placed(run: Run, table: RowTable, *, messages: bool = False) -> Iterator[tuple[RawRow, int]]:
    """Every row with its position in the table, -1 where nothing was read in it."""
    key, at, n = table.key, 0, table.n
    for row in again(run, messages=messages):
        wanted = row.file << 44 | row.line
        while at < n and key[at] < wanted:
            at += 1
        yield row, (at if at < n and key[at] == wanted else -1)


def place(run: Run, row: RawRow) -> str:
    """file:line, as reports name it."""
    return f"{run.files[row.file]}:{row.line}"


def fields_of(run: Run, suffix: str) -> list[str]:
    """For a CSV file every field of the rows, in order of first appearance; else nothing."""
    if suffix != ".csv":
        return []
    seen: dict[str, None] = {}
    for row in again(run, messages=True):
        if row.value is not None:
            seen.update(dict.fromkeys(row.value))
    return list(seen)


def types_of(run: Run, suffix: str) -> Mapping[str, Any]:
    """For a Parquet file made of Parquet files: the types of their columns."""
    if suffix != ".parquet":
        return {}
    out: dict[str, Any] = {}
    for file, path in zip(run.dataset.report.files, run.files, strict=True):
        frame = read_table(path) if file.container == "parquet" else None
        if frame is None:
            return {}
        out |= dict(frame.schema)
    return out


def check_target(run: Run, *paths: Path | None) -> None:
    """Raise UsageError for a target that is a file that is read, or named twice."""
    taken = {Path(f).resolve() for f in run.files}
    taken |= {p.resolve() for p in (run.config, run.embeddings) if p is not None}
    for path in paths:
        if path is None:
            continue
        if path.resolve() in taken or any(_same(path, Path(f)) for f in run.files):
            raise UsageError(
                "export-on-input",
                "an export would replace a file that is read, or another one of its own",
                found=str(path),
                next_step="name another file",
            )
        taken.add(path.resolve())


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False


def metadata_path(path: Path) -> Path:
    """The file beside an export that says how it was made."""
    return path.with_name(path.name + ".meta.json")


def write_metadata(run: Run, exported: Exported, path: Path) -> None:
    """How the export was made: formula, source, settings, the files and their SHA-256."""
    from cr_audit import __version__

    settings = {k: getattr(run.settings, k) for k in type(run.settings).__slots__}
    given = {
        "version": __version__,
        "exit": exported.exit,
        "columns": list(exported.columns),
        "weighting": None if exported.weighting is None else asdict(exported.weighting),
        "kinds": {name: list(words) for name, words in exported.kinds.items()},
        "prompt_kinds": {name: list(words) for name, words in exported.prompt_kinds.items()},
        "settings": settings,
        "inputs": [
            {"path": f.path, "sha256": f.sha256, "n_rows": f.n_rows}
            for f in run.dataset.report.files
        ],
        "n_rows": exported.n_written,
        "left_out": {k: r.n_rows for k, r in sorted(exported.left_out.items())},
        "notes": list(exported.notes),
    }
    text = json.dumps(given, indent=1, sort_keys=False) + "\n"
    write_whole(text.encode("utf-8"), metadata_path(path), option="-o")
