"""click's commands from the project's own records: settings, options and outputs in one order."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cr_audit.cli.pages import CONTEXT, Flag, Operand, Page
from cr_audit.cli.plots import HELP as PLOT_HELP
from cr_audit.commands import Command, Option
from cr_audit.findings import FAIL_ON
from cr_audit.settings import CLONES, OUT, SETTINGS, Setting
from cr_audit.write import WRITERS

FILES = "JSONL, JSON, CSV or Parquet, also .gz or .zst; several files; - is standard input."
LAST_FILES = (
    "As for scan. Without any: the files of the settings file, else those read last in this folder."
)
BATCH = "The new rows; files as for scan."
PATH = click.Path(path_type=Path)


def parameters_of(command: Command) -> list[click.Parameter]:
    """All parameters of a command: files, its own options, settings, outputs."""
    out: list[click.Parameter] = [_files(command)]
    out += [flag_of(option) for option in command.options]
    for setting in SETTINGS.values():
        if setting.kind == "files" or (setting.fits and not command.fits):
            continue
        out.append(_setting(setting))
        if setting.name == "model":
            out += _embedding()
    return [*out, *outputs(command.judged, command.plots, command.makes), *_ending()]


def _files(command: Command) -> Operand:
    if command.files == "required":
        return Operand("files", meaning=FILES, metavar="FILE...", nargs=-1, required=True)
    metavar, text = ("BATCH...", BATCH) if command.files == "batch" else ("[FILE]...", LAST_FILES)
    return Operand("files", meaning=text, metavar=metavar, nargs=-1)


def _setting(setting: Setting) -> Flag:
    """None means: not given on the command line."""
    shown = (
        ""
        if setting.default is None and not setting.shown_default
        else (f" [default: {setting.default_in_words}]")
    )
    return Flag(
        setting.option,
        setting.name,
        group=setting.group,
        help=setting.text + shown,
        **_typed(setting.kind, setting.low, setting.high, metavar=setting.metavar),
    )


def _typed(
    kind: str, low: float, high: float, *, choices: tuple[str, ...] = (), metavar: str | None = None
) -> dict[str, Any]:
    """What click has to know of an option's kind; none has a default of its own here."""
    out: dict[str, Any] = {"default": None}
    if kind == "switch":
        return out | {"is_flag": True}
    if kind in ("number", "whole"):
        out["type"] = _number(low, high, whole=kind == "whole")
    elif choices:
        out["type"] = click.Choice(choices)
    elif kind in ("path", "paths"):
        out["type"] = PATH
    else:
        out["type"] = click.STRING
    if kind in ("paths", "texts"):
        out["multiple"] = True
    shown = {"number": "NUMBER", "whole": "N", "path": "FILE", "paths": "FILE"}
    name = metavar or shown.get(kind)
    return out | ({"metavar": name} if name else {})


def _number(low: float, high: float, *, whole: bool) -> click.ParamType[Any]:
    """A number between two bounds, both allowed; an infinite one is none."""
    bottom, top = (None if math.isinf(bound) else bound for bound in (low, high))
    if whole:
        return click.IntRange(
            None if bottom is None else int(bottom), None if top is None else int(top)
        )
    return click.FloatRange(bottom, top)


def flag_of(option: Option) -> Flag:
    """An option of one command."""
    given = _typed(
        option.kind, option.low, option.high, choices=option.choices, metavar=option.metavar
    )
    given["default"] = option.default
    if option.default is not None:
        given["show_default"] = True
    return Flag(*option.typed, option.name, group=option.group, help=option.help, **given)


def _embedding() -> list[Flag]:
    return [
        Flag(
            "--embeddings",
            type=PATH,
            metavar="FILE",
            group=CLONES,
            help="Precomputed vectors (.npy or .parquet, keyed by alternative id) instead of"
            " --model.",
        ),
        Flag(
            "--allow-model-folder",
            is_flag=True,
            group=CLONES,
            help="Let a settings file name a model inside the checkout, which a batch may have"
            " brought.",
        ),
        Flag(
            "--no-cache",
            is_flag=True,
            group=CLONES,
            help="Neither read nor write cached vectors.",
        ),
    ]


def _ending() -> list[Flag]:
    return [
        Flag(
            "--config",
            type=PATH,
            metavar="FILE",
            group=OUT,
            help="Settings file. [default: cr-audit.toml, else [tool.cr-audit] in pyproject.toml]",
        ),
        Flag(
            "-q", "--quiet", is_flag=True, group=OUT, help="No progress and no summary on stderr."
        ),
        Flag("--debug", is_flag=True, group=OUT, help="Show the traceback of an error."),
    ]


def outputs(judged: bool, plots: str, makes: str = "") -> list[Flag]:
    """Formats and files; ``--fail-on`` where findings can fail the command; ``--plot``."""
    out = [
        Flag(
            "--format",
            "format_",
            type=click.Choice(tuple(WRITERS)),
            group=OUT,
            help="What to print. [default: table]"
            if makes
            else "What to print. [default: by the suffix of -o, else table]",
        ),
        Flag(
            "-o",
            "--output",
            type=PATH,
            metavar="FILE",
            group=OUT,
            help=f"The file for {makes}."
            if makes
            else "Write the report to a file instead of stdout.",
        ),
        Flag(
            "--report",
            multiple=True,
            metavar="FORMAT=FILE",
            group=OUT,
            help="One more report, e.g. sarif=out.sarif or markdown=-; as many as you like.",
        ),
        Flag(
            "--full-text",
            is_flag=True,
            group=OUT,
            help="Texts in full in the JSON, not 200 characters.",
        ),
        Flag(
            "--details",
            is_flag=True,
            group=OUT,
            help="All sections in the terminal, also those that only explain.",
        ),
    ]
    if plots:
        out.append(
            Flag(
                "--plot",
                type=PATH,
                multiple=True,
                metavar="FILE",
                group=OUT,
                help=f"Also draw {plots} into this file ({PLOT_HELP}).",
            )
        )
    return out + (_judged() if judged else [])


def _judged() -> list[Flag]:
    return [
        Flag(
            "--fail-on",
            type=click.Choice([str(level) for level in FAIL_ON]),
            group=OUT,
            help="Exit 1 on a finding of this severity or above. [default: never; in a gate what"
            " the policy says]",
        ),
        Flag("--exit-zero", is_flag=True, group=OUT, help="Exit 0 whatever was found."),
    ]


def help_text(command: Command) -> str:
    """What ``--help`` prints above the options; \\b keeps the lines of the examples as they are."""
    parts = [command.summary]
    if command.details:
        parts.append(command.details)
    if command.examples:
        title = "Example:" if len(command.examples) == 1 else "Examples:"
        parts.append("\n".join(("\b", title, *(f"  {e}" for e in command.examples))))
    return "\n\n".join(parts)


def as_click(command: Command, run: Callable[..., None]) -> click.Command:
    """The command as click reads it; it calls ``run(command, **parameters)``."""
    return built(
        command.name,
        parameters_of(command),
        lambda **given: run(command, **given),
        help_text(command),
    )


def built(
    name: str, parameters: list[click.Parameter], run: Callable[..., None], text: str
) -> click.Command:
    """A command that gets what may be given several times as a list, and None where it was not."""

    def called(**given: Any) -> None:
        run(**{k: (list(v) or None) if isinstance(v, tuple) else v for k, v in given.items()})

    return Page(name, params=parameters, callback=called, help=text, context_settings=CONTEXT)
