"""What every table for people is made of: the screen, headings, lines, and bytes in the end.

Every text from the data goes through ``visible`` and into a ``Text``, so that neither the terminal
nor rich's markup ever sees it raw.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cr_audit.report.escape import no_commands

SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "note": "cyan"}
# The end of a line: blanks, and codes of colour among them.
_LINE_END = re.compile(r"(?:\s|\x1b\[[0-9;]*m)+$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# One word of a command as shlex.quote writes it.
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a table goes: columns, and whether colours may be used."""

    width: int
    colour: bool

    @classmethod
    def of_stdout(cls) -> Screen:
        """The terminal on stdout; piped output is plain and 100 columns wide (or COLUMNS)."""
        tty = sys.stdout.isatty()
        width = shutil.get_terminal_size((100, 24)).columns
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        return cls(width=max(width, 40), colour=tty and not plain)


def to_text(renderable: RenderableType, screen: Screen) -> str:
    """Render to a string; the same input and screen give the same bytes."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=screen.width,
        force_terminal=screen.colour,
        color_system="standard" if screen.colour else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(renderable)
    lines = out.getvalue().splitlines()
    return no_commands("\n".join(_LINE_END.sub(_without_blanks, line) for line in lines)) + "\n"


def _without_blanks(end: re.Match[str]) -> str:
    return "".join(_COLOUR.findall(end[0]))


def heading(title: str, note: str = "") -> RenderableType:
    return Padding(
        Text.assemble((title, "bold"), ("  " + note if note else "", "dim")), (1, 0, 0, 0)
    )


def data_table() -> Table:
    """An empty table in the one style of all reports."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim")


def number_columns(table: Table, *headers: str) -> None:
    """Right-aligned columns that rich never breaks: no number is cut."""
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)


def one_line(text: str, style: str = "") -> Text:
    """One line that is cut with an ellipsis where its column is too narrow.

    Columns of such lines are left wrappable, so that rich narrows them first and never a number.
    """
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def step_lines(steps: Sequence[tuple[str, str]], screen: Screen) -> list[RenderableType]:
    """Commands and what they show, beside each other where the screen is wide enough."""
    if 6 + max(len(c) for c, _ in steps) + max(len(w) for _, w in steps) > screen.width:
        return [
            Text(f"  {_continued(command, screen.width - 2)}\n", overflow="fold").append(
                f"    {what}", style="dim"
            )
            for command, what in steps
        ]
    grid = Table.grid(padding=(0, 2))
    for command, what in steps:
        grid.add_row(Text("  " + command), Text(what, style="dim"))
    return [grid]


def _continued(command: str, width: int) -> str:
    """A command on as many lines as it needs, so that it can be copied: broken between words."""
    lines = [""]
    for word in _WORD.findall(command):
        if lines[-1] and len(lines[-1]) + len(word) + 3 > width:
            lines.append("  ")
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return " \\\n  ".join(lines)
