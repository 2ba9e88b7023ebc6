"""Help pages: plain text in groups of options, and only the command that is asked for is built.

typer's own pages need rich and its Markdown reader, which take longer to import than all the rest
of ``--help``; and its groups build every command's options to show the summary of each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

WIDTH = 100
"""No page is wider, however wide the terminal."""

CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": WIDTH,
}
_NAMES = 28
"""Columns for the names of options; a longer one stands on a line of its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """summary : the command's line on the root's page. make : the function that typer reads."""

    summary: str
    make: Callable[[], Callable[..., None]]


def _styled(text: str, **style: Any) -> str:
    """The text with colour codes, which typer takes out again where stdout is no terminal."""
    return text if os.environ.get("NO_COLOR") else typer.style(text, **style)


@contextmanager
def _group(formatter: Any, title: str) -> Iterator[None]:
    formatter.write_paragraph()
    formatter.write(f"{_styled(f'{title}:', bold=True)}\n")
    formatter.indent()
    try:
        yield
    finally:
        formatter.dedent()


def _write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """The arguments, then the options by their group, in the order in which groups appear."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        other = "Arguments" if parameter.param_type_name == "argument" else "Options"
        title = getattr(parameter, "rich_help_panel", None) or other
        groups.setdefault(title, []).append((_styled(record[0], fg="cyan"), record[1]))
    for title, rows in groups.items():
        with _group(formatter, title):
            formatter.write_dl(rows, col_max=_NAMES)


class Page(TyperCommand):
    """A command whose help shows its options by group."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options into the page."""
        _write_options(self, ctx, formatter)


class _Built(MutableMapping[str, Any]):
    """Commands by name, each built when it is first asked for."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            if name not in self._entries:
                raise KeyError(name)
            one = typer.Typer(
                add_completion=False,
                pretty_exceptions_enable=False,
                rich_markup_mode=None,
                context_settings=CONTEXT,
            )
            one.command(name, cls=Page)(self._entries[name].make())
            self._built[name] = typer.main.get_command(one)
        return self._built[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        del self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def group_of(entries: Mapping[str, Entry]) -> type[TyperGroup]:
    """The class of a group that has these commands, to be given to ``typer.Typer(cls=...)``."""

    class Root(TyperGroup):
        """The commands, and a help page with the summary of each."""

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = _Built(entries)

        def format_options(self, ctx: Any, formatter: Any) -> None:
            """Write the options, then the commands, into the page."""
            _write_options(self, ctx, formatter)
            rows = [(_styled(name, fg="cyan"), e.summary) for name, e in entries.items()]
            with _group(formatter, "Commands"):
                formatter.write_dl(rows)

    return Root
