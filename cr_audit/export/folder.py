"""A folder that ``datasets.load_dataset`` opens and the Hub shows: rows in Parquet, and a card.

``README.md`` begins with YAML: the configuration (which file is which split), the features with
their types, the number of rows and bytes. Its text says how the rows were weighed and from which
files. Rows and columns are those of ``rows``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cr_audit.errors import ComputeError, UsageError
from cr_audit.export import rows
from cr_audit.export.outcome import Exported
from cr_audit.export.source import check_target, write_metadata
from cr_audit.files import write_whole
from cr_audit.wording import plural

if TYPE_CHECKING:
    from cr_audit.run import Run

DATA = "data/train-00000-of-00001.parquet"
_PLAIN: Mapping[Any, str] = {
    pl.String: "string",
    pl.Boolean: "bool",
    pl.Int8: "int8",
    pl.Int16: "int16",
    pl.Int32: "int32",
    pl.Int64: "int64",
    pl.UInt8: "uint8",
    pl.UInt16: "uint16",
    pl.UInt32: "uint32",
    pl.UInt64: "uint64",
    pl.Float32: "float32",
    pl.Float64: "float64",
    pl.Binary: "binary",
    pl.Null: "'null'",
    pl.Date: "date32",
}


def export(run: Run, path: Path) -> Exported:
    """The folder ``path``, which must not hold anything yet."""
    if path.suffix in rows.SUFFIXES:
        raise UsageError(
            "not-a-folder",
            "--as datasets writes a folder",
            found=str(path),
            next_step="name a folder with -o, for example -o weighted",
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(
            "folder-not-empty",
            "--as datasets writes a new folder, and something stands there already",
            found=str(path),
            next_step="name another folder, or empty this one",
        )
    data, card = path / DATA, path / "README.md"
    check_target(run, data, card)
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ComputeError(
            "no-folder", f"the folder cannot be made: {error.strerror}", where=str(path)
        ) from error
    made = False
    try:
        done = rows.written(run, data)
        write_whole(_card(run, done, data, path.name).encode("utf-8"), card, option="-o")
        made = True
    finally:
        if not made:
            for file in (data, card):
                file.unlink(missing_ok=True)
            for folder in (data.parent, path):
                folder.rmdir()
    meta = path / "cr-audit.meta.json"
    done = replace(done, exit="datasets", files=(str(path), str(data), str(card), str(meta)))
    write_metadata(run, done, path / "cr-audit")
    return done


def _card(run: Run, done: Exported, data: Path, name: str) -> str:
    """The YAML of the features and splits, and the text."""
    from cr_audit import __version__

    schema = pl.read_parquet_schema(data)
    n_bytes = data.stat().st_size
    w = done.weighting
    assert w is not None
    lines = ["---", "configs:", "- config_name: default", "  data_files:", "  - split: train"]
    lines += ["    path: data/train-*", "dataset_info:", "  features:"]
    for column, kind in schema.items():
        lines += _feature(column, kind, "  ")
    lines += ["  splits:", "  - name: train", f"    num_bytes: {n_bytes}"]
    lines += [f"    num_examples: {done.n_written}", f"  download_size: {n_bytes}"]
    lines += [f"  dataset_size: {n_bytes}", "tags:", "- preference", "- cr-audit", "---", ""]
    inputs = [
        f"- {_code(Path(f.path).name)}, {plural(f.n_rows, 'row')}, SHA-256 `{f.sha256}`"
        for f in run.dataset.report.files
    ]
    lines += [
        f"# {_code(name)}",
        "",
        f"{plural(done.n_written, 'row')} as read, each with a weight, written by cr-audit"
        f" {__version__}. Columns that it added: {', '.join(map(_code, done.columns))}.",
        "",
        "## Weights",
        "",
        f"Scheme {_code(w.scheme)}: {w.reason}.",
        f"Weight of a row: {w.formula}.",
        f"Source: {w.source}.",
        f"Effective size: {w.effective_size:,.1f} of {plural(w.n_rows, 'row')}.",
        "",
        "## Files that were read",
        "",
        *inputs,
        "",
    ]
    return "\n".join(lines)


def _code(text: str) -> str:
    """Text of the data or of a path as code: nothing in it is read as Markdown."""
    plain = "".join(c if c.isprintable() else "\ufffd" for c in text)
    fence = "`"
    while fence in plain:
        fence += "`"
    return f"{fence} {plain} {fence}" if len(fence) > 1 else f"`{plain}`"


def _feature(name: str, kind: Any, indent: str) -> list[str]:
    """One feature as the YAML of a card has it."""
    return [f"{indent}- name: {json.dumps(name)}", *_type(kind, indent + "  ")]


def _type(kind: Any, indent: str) -> list[str]:
    base = kind.base_type()
    if base in (pl.List, pl.Array):
        inner = kind.inner
        if inner.base_type() in _PLAIN:
            return [f"{indent}list: {_PLAIN[inner.base_type()]}"]
        return [f"{indent}list:", *_inside(inner, indent)]
    if base == pl.Struct:
        return [f"{indent}struct:", *_inside(kind, indent)]
    if base == pl.Datetime:
        zone = f", tz={kind.time_zone}" if kind.time_zone else ""
        return [f"{indent}dtype: timestamp[{kind.time_unit}{zone}]"]
    if base == pl.Decimal:
        return [f"{indent}dtype: decimal128({kind.precision}, {kind.scale})"]
    if base not in _PLAIN:
        raise ComputeError(
            "unknown-type",
            f"a column is of type {kind}, which a card cannot name",
            next_step="write .parquet with --as rows",
        )
    return [f"{indent}dtype: {_PLAIN[base]}"]


def _inside(kind: Any, indent: str) -> list[str]:
    """The fields of a struct, or the type of an inner list."""
    if kind.base_type() == pl.Struct:
        return [line for f in kind.fields for line in _feature(f.name, f.dtype, indent)]
    return _type(kind, indent + "  ")
