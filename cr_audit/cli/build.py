"""typer's commands from the project's own records: settings, options and outputs in one order."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cr_audit.cli.pages import HELP_ALL, show_everything
from cr_audit.cli.plots import HELP as PLOT_HELP
from cr_audit.commands import Command, Option
from cr_audit.findings import FAIL_ON
from cr_audit.settings import CLONES, OUT, SETTINGS, Setting
from cr_audit.write import WRITERS

FILES = (
    "JSONL, JSON, CSV or Parquet, also .gz or .zst; several files, folders, quoted patterns,"
    " hf://datasets/…, s3://… or gs://…; - is standard input."
)
LAST_FILES = (
    "JSONL, JSON, CSV or Parquet, as for scan. Without any: the files of the settings file, else"
    " those read last in this folder."
)
BATCH = "The new rows, in files as for scan."

FIRST_OUTPUTS = ("files", "format_", "output", "plot", "details", "fail_on")
"""What every short page shows besides settings and the command's own options."""

_METAVARS = {
    "whole": "N",
    "number": "X",
    "path": "FILE",
    "paths": "FILE",
    "text": "TEXT",
    "texts": "TEXT",
    "penalty": "X",
}
"""What stands for a value; typer's own words name Python types."""

Hint = tuple[Any, Any]
"""An annotation and a default, as typer reads them from a signature."""


def signature_of(command: Command) -> dict[str, Hint]:
    """All parameters of a command, by name: files, its own options, settings, outputs."""
    out = {"files": _files(command)}
    out |= {o.name: option_hint(o) for o in command.options}
    for setting in SETTINGS.values():
        if setting.kind == "files" or (setting.fits and not command.fits):
            continue
        if command.whole and setting.name in ("limit", "sample"):
            continue
        out[setting.name] = _setting(setting)
        if setting.name == "model":
            out |= _EMBEDDING
    return out | outputs_hints(command.judged, command.plots, command.makes) | _ENDING


def first_of(command: Command) -> frozenset[str]:
    """Names of the parameters that the short page shows."""
    settings = (s.name for s in SETTINGS.values() if s.first)
    own = (option.name for option in command.options if option.first)
    return frozenset((*FIRST_OUTPUTS, *settings, *own))


def _files(command: Command) -> Hint:
    if command.files == "required":
        return Annotated[
            list[str], typer.Argument(metavar="FILE", help=FILES)
        ], inspect.Parameter.empty
    metavar, text = ("BATCH...", BATCH) if command.files == "batch" else ("[FILE]...", LAST_FILES)
    return Annotated[list[str] | None, typer.Argument(metavar=metavar, help=text)], None


def _setting(setting: Setting) -> Hint:
    """None means: not given on the command line."""
    shown = (
        ""
        if setting.default is None and not setting.shown_default
        else (f" [default: {setting.default_in_words}]")
    )
    kinds: dict[str, Any] = {"number": float, "whole": int, "switch": bool}
    extra: dict[str, Any] = {"rich_help_panel": setting.group}
    if setting.kind in ("number", "whole"):
        extra |= _bounds(setting.low, setting.high, whole=setting.kind == "whole")
    metavar = setting.metavar or ("NAME" if setting.values else _METAVARS.get(setting.kind))
    if metavar and setting.kind != "switch":
        extra["metavar"] = metavar
    info = typer.Option(setting.option, help=setting.text + shown, **extra)
    return Annotated[kinds.get(setting.kind, str) | None, info], None


def _bounds(low: float, high: float, *, whole: bool) -> dict[str, Any]:
    kind: Callable[[float], float] = int if whole else float
    out = {}
    if not math.isinf(low):
        out["min"] = kind(low)
    if not math.isinf(high):
        out["max"] = kind(high)
    return out


def option_hint(option: Option) -> Hint:
    """An option of one command."""
    kinds: dict[str, Any] = {
        "whole": int,
        "number": float,
        "switch": bool,
        "text": str,
        "choice": str,
        "path": Path,
        "paths": list[Path],
        "texts": list[str],
    }
    kind = kinds[option.kind]
    extra: dict[str, Any] = {"rich_help_panel": option.group}
    if option.kind in ("whole", "number"):
        extra |= _bounds(option.low, option.high, whole=option.kind == "whole")
    if option.kind == "choice":
        kind = one_of(option.name, option.choices)
    if metavar := option.metavar or _METAVARS.get(option.kind):
        extra["metavar"] = metavar
    flags = option.typed
    info = typer.Option(*flags, help=option.help, **extra)
    hint = kind if option.default is not None else kind | None
    return Annotated[hint, info], option.default


_EMBEDDING: dict[str, Hint] = {
    "embeddings": (
        Annotated[
            Path | None,
            typer.Option(
                "--embeddings",
                metavar="FILE",
                help="Precomputed vectors (.npy or .parquet, keyed by alternative id) instead of"
                " --model.",
                rich_help_panel=CLONES,
            ),
        ],
        None,
    ),
    "allow_model_folder": (
        Annotated[
            bool,
            typer.Option(
                "--allow-model-folder",
                help="Let a settings file name a model inside the checkout, which a batch may have"
                " brought.",
                rich_help_panel=CLONES,
            ),
        ],
        False,
    ),
    "no_cache": (
        Annotated[
            bool,
            typer.Option(
                "--no-cache", help="Neither read nor write cached vectors.", rich_help_panel=CLONES
            ),
        ],
        False,
    ),
}
_ENDING: dict[str, Hint] = {
    "config": (
        Annotated[
            Path | None,
            typer.Option(
                "--config",
                metavar="FILE",
                help="Settings file. [default: cr-audit.toml, else [tool.cr-audit] in"
                " pyproject.toml]",
                rich_help_panel=OUT,
            ),
        ],
        None,
    ),
    "quiet": (
        Annotated[
            bool,
            typer.Option(
                "-q", "--quiet", help="No progress and no summary on stderr.", rich_help_panel=OUT
            ),
        ],
        False,
    ),
    "debug": (
        Annotated[
            bool,
            typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=OUT),
        ],
        False,
    ),
}


_HELP_ALL: Hint = (
    Annotated[
        bool,
        typer.Option(
            HELP_ALL,
            callback=show_everything,
            is_eager=True,
            help="Show all options and exit.",
            rich_help_panel=OUT,
        ),
    ],
    False,
)


def one_of(name: str, values: tuple[str, ...]) -> Any:
    """A type that typer reads as a choice; its members are texts."""
    return StrEnum(name, {value: value for value in values})


def _written(kind: Any, default: Any, help: str, *flags: str, metavar: str | None = None) -> Hint:
    """An option of the panel that says how a report is written."""
    told = typer.Option(*flags, metavar=metavar, help=help, rich_help_panel=OUT)
    return (Annotated[kind, told], default)


def outputs_hints(judged: bool, plots: str, makes: str = "") -> dict[str, Hint]:
    """Formats and files; ``--fail-on`` where findings can fail the command; ``--plot``."""
    formats = one_of("format", tuple(WRITERS))
    by_default = (
        "table by default" if makes else "by default what the suffix of -o says, else table"
    )
    out: dict[str, Hint] = {
        "format_": _written(
            formats | None,
            None,
            f"{', '.join(WRITERS)}; {by_default}.",
            "--format",
            metavar="FORMAT",
        ),
        "output": _written(
            Path | None,
            None,
            f"The file for {makes}." if makes else "Write the report to a file instead of stdout.",
            "-o",
            "--output",
            metavar="FILE",
        ),
        "report": _written(
            list[str] | None,
            None,
            "One more report, e.g. sarif=out.sarif or markdown=-; as many as you like.",
            "--report",
            metavar="FORMAT=FILE",
        ),
        "full_text": _written(
            bool, False, "Texts in full in the JSON, not 200 characters.", "--full-text"
        ),
        "details": _written(
            bool, False, "All sections in the terminal, also what only explains.", "--details"
        ),
    }
    if plots:
        out["plot"] = _written(
            list[Path] | None,
            None,
            f"Also draw {plots} into this file ({PLOT_HELP}).",
            "--plot",
            metavar="FILE",
        )
    if judged:
        out |= _JUDGED
    return out


_JUDGED: dict[str, Hint] = {
    "fail_on": (
        Annotated[
            one_of("fail_on", FAIL_ON) | None,
            typer.Option(
                "--fail-on",
                metavar="SEVERITY",
                help="Exit 1 on a finding so severe, or above: note, warning, error or never."
                " [default: never; in a gate what the policy says]",
                rich_help_panel=OUT,
            ),
        ],
        None,
    ),
    "exit_zero": (
        Annotated[
            bool,
            typer.Option("--exit-zero", help="Exit 0 whatever was found.", rich_help_panel=OUT),
        ],
        False,
    ),
}


def help_text(command: Command) -> str:
    """What ``--help`` prints above the options; examples keep their lines."""
    parts = [command.summary]
    if command.details:
        parts.append(command.details)
    if command.examples:
        title = "Example:" if len(command.examples) == 1 else "Examples:"
        parts.append("\n".join(("\b", title, *(f"  {e}" for e in command.examples))))
    return "\n\n".join(parts)


def as_function(command: Command, run: Callable[..., None]) -> Callable[..., None]:
    """A function that typer reads as the command; it calls ``run(command, **parameters)``."""

    def call(**given: Any) -> None:
        run(command, **given)

    return typed_function(
        call,
        signature_of(command),
        name=command.name,
        text=help_text(command),
        first=first_of(command),
    )


def typed_function(
    run: Callable[..., None],
    hints: Mapping[str, Hint],
    *,
    name: str,
    text: str,
    first: frozenset[str],
) -> Callable[..., None]:
    """A function with these parameters and ``--help-all``, which typer reads and which calls
    ``run(**parameters)``. text : above the options. first : parameters of the short page."""

    def typed(help_all: bool, **given: Any) -> None:
        run(**given)

    all_hints = {**hints, "help_all": _HELP_ALL}
    typed.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                parameter, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default
            )
            for parameter, (hint, default) in all_hints.items()
        ]
    )
    typed.__annotations__ = {parameter: hint for parameter, (hint, _) in all_hints.items()}
    typed.__doc__, typed.__name__ = text, name
    typed.first = first  # type: ignore[attr-defined]
    return typed
