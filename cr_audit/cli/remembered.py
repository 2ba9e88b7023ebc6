"""Which data set a command means when none is named: that of the settings file, or the last read.

The last one stands in ``last_read.json`` in the cache folder: absolute paths, the options that say
how to read them (``--schema``, ``--map`` ...), and the folder that it was read from. It is recalled
in that folder alone: elsewhere somebody who names no file means another one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cr_audit.embed import default_cache_dir
from cr_audit.embed.cache import refuse_odd
from cr_audit.errors import InputError, UsageError
from cr_audit.files import replace_file
from cr_audit.readers.remote import is_remote

NAME = "last_read.json"
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Remembered:
    """Files that were not named on the command line. options : of the read; where : for people."""

    files: list[str]
    options: dict[str, Any]
    where: str


def remember(files: list[str], options: dict[str, Any]) -> str | None:
    """Keep what was read; the reason why that failed, if it did. Standard input is not kept.

    options : the read settings that did not have their default value.
    """
    if STDIN in files:
        return None
    path = default_cache_dir() / NAME
    record = {
        "files": [f if is_remote(f) else os.path.abspath(f) for f in files],
        "options": options,
        "folder": os.getcwd(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_odd(path)
        replace_file(json.dumps(record).encode("ascii"), path)
    except OSError as error:
        return f"the files read are not remembered: {path}: {error.strerror}"
    return None


def recall() -> Remembered:
    """The last files read, relative to the working folder where they lie below it.

    Raises UsageError where nothing was read before, InputError where the record is not readable.
    """
    path = default_cache_dir() / NAME
    if not path.is_file():
        raise UsageError(
            "no-files",
            "no FILE is given, the settings file names none, and none was read before",
            next_step="name a file, or put files = [...] into cr-audit.toml",
        )
    try:
        refuse_odd(path)
        record = json.loads(path.read_text(encoding="utf-8"))
        files, options = [str(f) for f in record["files"]], dict(record["options"])
        folder = str(record["folder"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise InputError(
            "bad-record",
            "the record of the last files read cannot be used",
            where=str(path),
            next_step="name a file, or delete the record",
        ) from error
    if folder != os.getcwd():
        raise UsageError(
            "no-files",
            "no FILE is given, and none was read in this folder before",
            found=f"the last one read, in {folder}: {files[0]}",
            next_step="name a file, or put files = [...] into cr-audit.toml",
        )
    return Remembered([_short(f) for f in files], options, "the last one read")


def _short(path: str) -> str:
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
