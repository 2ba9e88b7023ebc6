"""Commands, options and help pages: plain text in groups, each command built when it is asked for.

A page that draws boxes needs rich and its Markdown reader, which take longer to import than all
the rest of ``--help``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

WIDTH = 100
"""No page is wider, however wide the terminal."""

CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": WIDTH,
}
_NAMES = 28
"""Columns for the names of options; a longer one stands on a line of its own."""


class Flag(click.Option):
    """An option that stands in a group of its command's page."""

    def __init__(self, *names: str, group: str = "Options", **given: Any) -> None:
        super().__init__(names, **given)
        self.group = group


class Operand(click.Argument):
    """An argument with a line on its command's page."""

    def __init__(self, name: str, *, meaning: str, **given: Any) -> None:
        super().__init__([name], **given)
        self.meaning = meaning

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Its name and what it is."""
        return self.make_metavar(ctx), self.meaning


def _styled(text: str, **style: Any) -> str:
    """The text with colour codes, which click takes out again where stdout is no terminal."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


@contextmanager
def _group(formatter: click.HelpFormatter, title: str) -> Iterator[None]:
    formatter.write_paragraph()
    formatter.write(f"{_styled(f'{title}:', bold=True)}\n")
    with formatter.indentation():
        yield


def _write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """The arguments, then the options by their group, in the order in which groups appear."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        other = "Arguments" if isinstance(parameter, click.Argument) else "Options"
        title = getattr(parameter, "group", other)
        groups.setdefault(title, []).append((_styled(record[0], fg="cyan"), record[1]))
    for title, rows in groups.items():
        with _group(formatter, title):
            formatter.write_dl(rows, col_max=_NAMES)


class Page(click.Command):
    """A command whose help shows its options by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options into the page."""
        _write_options(self, ctx, formatter)


@dataclass(frozen=True, slots=True)
class Entry:
    """summary : the command's line on the root's page. make : builds it."""

    summary: str
    make: Callable[[], click.Command]


class _Built(MutableMapping[str, click.Command]):
    """Commands by name, each built when it is first asked for."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(entries)
        self._built: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._built:
            self._built[name] = self._entries[name].make()
        return self._built[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._entries[name] = Entry(command.get_short_help_str(WIDTH), lambda: command)
        self._built.pop(name, None)

    def __delitem__(self, name: str) -> None:
        del self._entries[name]
        self._built.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class Root(click.Group):
    """The commands, and a help page with the summary of each."""

    def __init__(self, name: str, entries: Mapping[str, Entry], **given: Any) -> None:
        super().__init__(name, **given)
        self.commands = _Built(entries)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they were registered."""
        return list(self.commands)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands, into the page."""
        _write_options(self, ctx, formatter)
        rows = [(_styled(name, fg="cyan"), e.summary) for name, e in self._entries.items()]
        with _group(formatter, "Commands"):
            formatter.write_dl(rows)


def show_completion(ctx: click.Context, parameter: click.Parameter, shell: str | None) -> None:
    """Print what makes a shell complete commands and options, and stop."""
    if shell is None or ctx.resilient_parsing:
        return
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(ctx.command, {}, "cr-audit", "_CR_AUDIT_COMPLETE").source())
    ctx.exit()
