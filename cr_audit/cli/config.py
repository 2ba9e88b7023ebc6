"""The settings file: which one, what it says, and the policy table inside it."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cr_audit.errors import InputError
from cr_audit.settings import SETTINGS


@dataclass(frozen=True, slots=True)
class Config:
    """name : the file as it is shown, "" where there is none. values : settings by name.
    policy : its [gate] table. path : the file."""

    name: str = ""
    values: dict[str, Any] | None = None
    policy: dict[str, Any] | None = None
    path: Path | None = None


def read_config(given: Path | None) -> Config:
    """The file after ``--config``, else cr-audit.toml, else [tool.cr-audit] in pyproject.toml.

    Raises InputError for one that is missing, no valid TOML, or names an unknown setting.
    """
    if given is not None and not given.is_file():
        raise InputError(
            "no-config",
            "the settings file does not exist",
            where=str(given),
            next_step="check the path after --config",
        )
    for path in [given] if given else [Path("cr-audit.toml"), Path("pyproject.toml")]:
        if not path.is_file():
            continue
        table = _parsed(path)
        if path.name == "pyproject.toml":
            table = table.get("tool", {}).get("cr-audit", {})
            if not table:
                continue
        return Config(path.name, _known_keys(table, path), _policy(table, path), path)
    return Config()


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            "bad-config", f"not valid TOML: {error}", where=str(path), next_step="mend the file"
        ) from error
    except OSError as error:
        raise InputError(
            "bad-config",
            f"the settings file cannot be read: {error.strerror}",
            where=str(path),
            next_step="make it readable, or name another with --config",
        ) from error


def _policy(table: dict[str, Any], path: Path) -> dict[str, Any]:
    found = table.get("gate", {})
    if not isinstance(found, dict):
        raise InputError(
            "bad-policy-value",
            "gate must be a table",
            where=str(path),
            found=repr(found)[:200],
            next_step="write [gate]",
        )
    return found


def _known_keys(table: dict[str, Any], path: Path) -> dict[str, Any]:
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
                where=str(path),
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
