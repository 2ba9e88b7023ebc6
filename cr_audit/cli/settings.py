"""Where every setting comes from: the flag, then the settings file, then the default."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cr_audit.cli.checks import FLAGS, check_value
from cr_audit.errors import InputError, UsageError

if TYPE_CHECKING:
    from cr_audit.analysis import Settings

# Settings of the read; those of the analysis are the fields of analysis.Settings.
READ_DEFAULTS: dict[str, Any] = {
    "files": None,
    "schema": None,
    "map": None,
    "max_skipped": 0.01,
    "expand_choices": False,
    "ratings_to_pairs": False,
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings of one run. sources: name -> "flag", "default" or the settings file's name."""

    analysis: Settings
    read: dict[str, Any]
    sources: dict[str, str]


def resolve(flags: dict[str, Any], config: Path | None) -> Resolved:
    """Combine ``flags`` (None = not given) with the settings file and the defaults.

    Raises UsageError for a value that is not among the choices, InputError for a settings file
    that cannot be read or has an unknown key.
    """
    from cr_audit.analysis import Settings

    defaults = {f.name: f.default for f in dataclasses.fields(Settings)} | READ_DEFAULTS
    file_name, from_file = _settings_file(config, defaults)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, default in defaults.items():
        if flags.get(name) is not None:
            values[name], sources[name] = flags[name], "flag"
        elif name in from_file:
            values[name], sources[name] = from_file[name], file_name
        else:
            values[name], sources[name] = default, "default"
        check_value(name, values[name], sources[name])
    fields = {f.name for f in dataclasses.fields(Settings)}
    return Resolved(
        analysis=Settings(**{k: v for k, v in values.items() if k in fields}),
        read={k: v for k, v in values.items() if k not in fields},
        sources=sources,
    )


def parse_map(text: str | None) -> dict[str, str] | None:
    """``prompt=question,chosen=better`` as a dictionary; a settings file may give a table."""
    if text is None:
        return None
    out: dict[str, str] = {}
    for part in text.split(","):
        role, sep, name = part.partition("=")
        if not sep or not role.strip() or not name.strip():
            raise UsageError(
                "bad-map",
                "--map wants ROLE=FIELD pairs separated by commas",
                found=part,
                next_step="for example --map prompt=question,chosen=better,rejected=worse",
            )
        out[role.strip()] = name.strip()
    return out


def parse_penalty(text: str | None) -> float | str | None:
    """``--penalty`` as a number where it is one; its range is checked with the other settings."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _settings_file(config: Path | None, known: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if config is not None and not config.is_file():
        raise InputError(
            "no-config",
            "the settings file does not exist",
            where=str(config),
            next_step="check the path after --config",
        )
    candidates = [config] if config else [Path("cr-audit.toml"), Path("pyproject.toml")]
    for path in candidates:
        if not path.is_file():
            continue
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(
                "bad-config", f"not valid TOML: {error}", where=str(path), next_step="mend the file"
            ) from error
        if path.name == "pyproject.toml":
            table = table.get("tool", {}).get("cr-audit", {})
            if not table:
                continue
        return path.name, _known_keys(table, known, path)
    return "", {}


def _known_keys(table: dict[str, Any], known: dict[str, Any], path: Path) -> dict[str, Any]:
    out: dict[str, Any] = {}
    by_flag = {flag: name for name, flag in FLAGS.items()}
    for key, value in table.items():
        name = key.replace("-", "_")
        name = by_flag.get(name, name)
        if name == "gate":  # the policy of the gate has its own reader
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0].replace('_', '-')}?" if near else ""
            names = ", ".join(sorted(k.replace("_", "-") for k in known))
            raise InputError(
                "unknown-setting",
                f"unknown setting {key!r}",
                where=str(path),
                next_step=hint or f"known settings: {names}",
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
