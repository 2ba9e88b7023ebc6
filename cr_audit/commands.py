"""A command, before the command line knows of it: name, options, files, and what it makes.

A family's ``command`` module names its commands in ``COMMANDS``; the command line builds typer's
from them, adds the settings that every command has, and hands a ``Run`` to ``report``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cr_audit.errors import UsageError

if TYPE_CHECKING:
    from cr_audit.reports import Report
    from cr_audit.run import Run

OptionKind = Literal["whole", "number", "text", "switch", "choice", "path", "paths", "texts"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option of one command alone. default None: not given. low, high : both ends allowed.

    flags : as typed, "--name" by default; a switch with two forms is written "--a/--b". first :
    whether ``--help`` shows it, and not only ``--help-all``.
    """

    name: str
    kind: OptionKind
    default: Any
    help: str
    group: str = "Options"
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    first: bool = True

    @property
    def typed(self) -> tuple[str, ...]:
        """Its flags as typed."""
        return self.flags or (f"--{self.name.replace('_', '-')}",)


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    summary : the first line of its help; details : further paragraphs. examples : command lines.
    files : "required"; "last" where the last files read serve if none is named; "batch" for new
    rows that may be left out. fits : whether it has the settings of a fit. judged : whether
    findings can fail it (``--fail-on``). plots : what it draws. whole : whether it must see all
    rows, so that --limit and --sample are refused. makes : what -o
    holds, where that is not the report: then the report goes to stdout or where --report says, and
    -o is the command's own option "output". known_formats : () for all.
    report : makes the report, or "module:function" that does, imported when it runs. instead :
    called first with the command's own options and the file after -o; a line that it returns is
    all that is printed, and no report is made.
    """

    name: str
    summary: str
    report: str | Callable[[Run], Report]
    examples: tuple[str, ...] = ()
    details: str = ""
    options: tuple[Option, ...] = ()
    files: Literal["required", "last", "batch"] = "required"
    fits: bool = False
    judged: bool = False
    plots: str = ""
    whole: bool = False
    makes: str = ""
    instead: Callable[[Mapping[str, Any], Path | None], str | None] | None = None

    def make(self, run: Run) -> Report:
        """The report of one run. Raises UsageError where a command that wants all rows is to use
        some."""
        if self.whole:
            _refuse_part(self.name, run)
        if not isinstance(self.report, str):
            return self.report(run)
        module, _, function = self.report.partition(":")
        made: Report = getattr(import_module(module), function)(run)
        return made


def _refuse_part(name: str, run: Run) -> None:
    for key in ("limit", "sample"):
        if run.reading[key] is not None:
            raise UsageError(
                "needs-all-rows",
                f"{name} must see all rows, and --{key} leaves some out",
                found=f"{key} {run.reading[key]} ({run.given.sources.get(key, 'default')})",
                next_step=f"leave --{key} out; scan takes it",
            )
