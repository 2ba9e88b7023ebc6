"""The settings file: which one, what it says, and the policy table inside it."""

from __future__ import annotations

import difflib
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cr_audit.errors import InputError
from cr_audit.settings import SETTINGS

NAMES = ("cr-audit.toml", "pyproject.toml")
MAX_BYTES = 10_000_000
"""More than any settings file; a device that never ends stops here."""

MAX_PARTS = 100
"""Of a dotted key, of which ``tomllib`` keeps every beginning: 50,000 parts took 8 GB."""
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]{0,99}+"|'[^'\n]{0,99}+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_PARTS}}}")


@dataclass(frozen=True, slots=True)
class Config:
    """name : the file as it is shown, "" where there is none. values : settings by name.
    policy : its [gate] table. path : the file. where : as messages say it."""

    name: str = ""
    values: dict[str, Any] | None = None
    policy: dict[str, Any] | None = None
    path: Path | None = None
    where: str = ""


def read_config(given: Path | None) -> Config:
    """The file after ``--config``, else cr-audit.toml, else [tool.cr-audit] in pyproject.toml.

    Raises InputError for one that is missing, cannot be read (a folder, a pipe, a link to nothing,
    not UTF-8), is no valid TOML, or names an unknown setting. A file that stands there and cannot
    be read is never passed over: the defaults would judge in its place.
    """
    if given is not None and not _stands(given):
        raise InputError(
            "no-config",
            "the settings file does not exist",
            where=str(given),
            next_step="check the path after --config",
        )
    for path in [given] if given else [Path(name) for name in NAMES]:
        if _stands(path):
            config = config_of(_content(path), path, path.name, str(path))
            if config is not None:
                return config
    return Config()


def config_of(content: bytes, path: Path, name: str, where: str) -> Config | None:
    """What the bytes of a settings file say; None for a pyproject.toml without our table. Lists of
    files are relative to ``path``."""
    table = _parsed(content, where)
    if path.name == "pyproject.toml":
        for key in ("tool", "cr-audit"):
            table = table.get(key, {})
            if not isinstance(table, dict):
                raise InputError(
                    "bad-config",
                    f"{key} must be a table",
                    where=where,
                    found=repr(table)[:200],
                    next_step="write [tool.cr-audit]",
                )
        if not table:
            return None
    return Config(name, _known_keys(table, path, where), _policy(table, where), path, where)


def _stands(path: Path) -> bool:
    """Whether anything stands there, be it a link to nothing."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise _unread(str(path), str(error)) from error
    return True


def _content(path: Path) -> bytes:
    """The bytes of a regular file; nothing else is opened for long, a pipe not at all."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise _unread(str(path), f"it is {_KINDS.get(stat.S_IFMT(mode), 'no regular file')}")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _unread(str(path), "it is a link to nothing") from error
    except OSError as error:
        raise _unread(str(path), error.strerror or str(error)) from error
    if len(content) > MAX_BYTES:
        raise _unread(str(path), f"it is larger than {MAX_BYTES // 1_000_000} MB")
    return content


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _unread(where: str, why: str) -> InputError:
    return InputError(
        "bad-config",
        f"the settings file cannot be read: {why}",
        where=where,
        next_step="put a readable file there, take it away, or name another with --config",
    )


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    try:
        text = content.decode("utf-8")
        if _LONG_KEY.search(text):
            raise ValueError(f"a key of more than {MAX_PARTS} parts")
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOML, UTF-8, and whole numbers of many digits
        raise InputError(
            "bad-config", f"not valid TOML: {error}", where=where, next_step="mend the file"
        ) from error


def _policy(table: dict[str, Any], where: str) -> dict[str, Any]:
    found = table.get("gate", {})
    if not isinstance(found, dict):
        raise InputError(
            "bad-policy-value",
            "gate must be a table",
            where=where,
            found=repr(found)[:200],
            next_step="write [gate]",
        )
    return found


def _known_keys(table: dict[str, Any], path: Path, where: str) -> dict[str, Any]:
    by_key = {s.key: s.name for s in SETTINGS.values()}
    by_key |= {s.option.removeprefix("--").partition("/")[0]: s.name for s in SETTINGS.values()}
    out: dict[str, Any] = {}
    for key, value in table.items():
        if key == "gate":  # the policy of the gate
            continue
        name = by_key.get(key.replace("_", "-"))
        if name is None:
            near = difflib.get_close_matches(key.replace("_", "-"), by_key, n=1)
            known = ", ".join(sorted(s.key for s in SETTINGS.values()))
            raise InputError(
                "unknown-setting",
                f"unknown setting {key!r}",
                where=where,
                next_step=f"did you mean {near[0]}?" if near else f"known settings: {known}",
            )
        out[name] = _files(value, path) if name == "files" else value
    return out


def _files(value: Any, path: Path) -> list[str]:
    """The data set that the settings file names, relative to that file."""
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise InputError(
            "bad-config",
            "files must be a list of one or more paths",
            where=str(path),
            found=repr(value)[:200],
            next_step='for example files = ["prefs.jsonl"]',
        )
    return [str(path.parent / v) for v in value]
