"""Help pages: plain text in groups of options, and only the command that is asked for is built.

typer's own pages need rich and its Markdown reader, which take longer to import than all the rest
of ``--help``; and its groups build every command's options to show the summary of each.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

from cr_audit.settings import OUT, SETTINGS

WIDTH = 100
"""No page is wider, however wide the terminal."""

CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": WIDTH,
}
_NAMES = 28
"""Columns for the names of options; a longer one stands on a line of its own."""
_NAMES_SHORT = 23
"""The same on the short page, where most of what is said should fit on a line."""


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


HELP_ALL = "--help-all"
_EVERYTHING = "cr_audit.all_options"
"""Key of the context's notes: whether the page is to show every option."""


def _grouped(parameters: Iterable[Any], ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Rows of a page (names, what they say) by group, in the order in which groups appear."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        other = "Arguments" if parameter.param_type_name == "argument" else "Options"
        title = getattr(parameter, "rich_help_panel", None) or other
        groups.setdefault(title, []).append((_styled(record[0], fg="cyan"), record[1]))
    return groups


def _write_groups(
    groups: Mapping[str, list[tuple[str, str]]], formatter: Any, names: int = _NAMES
) -> None:
    for title, rows in groups.items():
        if rows:
            with _group(formatter, title):
                formatter.write_dl(rows, col_max=names)


class Page(TyperCommand):
    """A command whose help shows its options by group: those that are asked for most, or all.

    first : names of the parameters of the short page; None where the one page shows all. texts :
    those whose values are texts.
    """

    first: frozenset[str] | None = None
    texts: frozenset[str] = frozenset()

    def get_params(self, ctx: Any) -> list[Any]:
        """The options and arguments, which take texts and what is not given as they are."""
        return _left_alone(super().get_params(ctx), self.texts)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the summary and the examples; on the full page also what stands between them."""
        whole = self.help or ""
        if self._shown(ctx) is not None:
            summary, *others = whole.split("\n\n")
            self.help = "\n\n".join((summary, *(p for p in others if p.startswith("\b"))))
        super().format_help_text(ctx, formatter)
        self.help = whole

    def _shown(self, ctx: Any) -> frozenset[str] | None:
        """``first``, or None where the page shows all."""
        return None if _EVERYTHING in ctx.meta else self.first

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options into the page."""
        parameters = self.get_params(ctx)
        names = self._shown(ctx)
        if names is None:
            _write_groups(_grouped(parameters, ctx), formatter)
            return
        shown = [p for p in parameters if p.name in names]
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in shown:
            for title, rows in _grouped([parameter], ctx).items():
                if title not in ("Arguments", OUT):
                    title = "Settings" if parameter.name in SETTINGS else "Options"
                groups.setdefault(title, []).extend(_short(*row) for row in rows)
        _write_groups(groups, formatter, _NAMES_SHORT)
        formatter.write_paragraph()
        formatter.write(
            f"{len(parameters) - len(shown)} more options, and all that is said of these:"
            f" {ctx.command_path} {HELP_ALL}\n"
        )


_LONG_VALUES = re.compile(r"<([^>|]*\|[^>]{20,})>")
_TYPE = re.compile(r" <list\[str\]>")
_CLAUSE = re.compile(r"(?<!e\.g)\. |; |: | \(| \[")
_DEFAULT = re.compile(r"\[default: ([^];]{1,12})[];]")


def _short(names: str, text: str) -> tuple[str, str]:
    """A row of the short page: the first clause, a short default, and values under the text where
    they would not fit beside the name."""
    first = _CLAUSE.split(text, maxsplit=1)[0].rstrip(".")
    if values := _LONG_VALUES.search(names):
        names = _LONG_VALUES.sub("NAME", names)
        first += f": {values[1].replace('|', ', ')}"
    default = _DEFAULT.search(text)
    return _TYPE.sub("", names), f"{first} [{default[1]}]" if default else f"{first}."


def show_everything(ctx: typer.Context, value: bool) -> None:
    """The callback of ``--help-all``."""
    if value and not ctx.resilient_parsing:
        ctx.meta[_EVERYTHING] = True
        typer.echo(ctx.get_help(), color=ctx.color)
        raise typer.Exit


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
            function = self._entries[name].make()
            one.command(name, cls=Page)(function)
            made: Any = typer.main.get_command(one)
            made.first = getattr(function, "first", None)
            made.texts = _texts_of(function)
            self._built[name] = made
        return self._built[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        del self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


_AS_TYPED = (str, str | None, list[str], list[str] | None)


def _texts_of(function: Callable[..., None]) -> frozenset[str]:
    """Names of the parameters of a command that are texts or lists of texts."""
    out = []
    for name, parameter in inspect.signature(function).parameters.items():
        kind = parameter.annotation
        kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        if kind in _AS_TYPED:
            out.append(name)
    return frozenset(out)


def _left_alone(parameters: list[Any], texts: frozenset[str]) -> list[Any]:
    """The parameters, which hand on values that are not given, and texts, as they are.

    typer makes a validator of pydantic's for each of the forty options of a command, whether it is
    given or not: a tenth of a scan of a small file.
    """
    for parameter in parameters:
        if not hasattr(parameter, "whole_process"):
            parameter.whole_process = parameter.process_value
            parameter.process_value = partial(_value_of, parameter, parameter.name in texts)
    return parameters


def _value_of(parameter: Any, text: bool, ctx: Any, value: Any) -> Any:
    many = parameter.multiple or parameter.nargs == -1
    if value is None and not parameter.required:
        value = () if many else None
    elif not (text and value and _utf8(value)):
        return parameter.whole_process(ctx, value)
    elif many:
        value = list(value)
    return value if parameter.callback is None else parameter.callback(ctx, parameter, value)


def _utf8(value: Any) -> bool:
    """Whether all of a value is text that could be decoded."""
    texts = [value] if isinstance(value, str) else value
    try:
        "".join(texts).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return True


def group_of(entries: Mapping[str, Entry]) -> type[TyperGroup]:
    """The class of a group that has these commands, to be given to ``typer.Typer(cls=...)``."""

    class Root(TyperGroup):
        """The commands, and a help page with the summary of each."""

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = _Built(entries)

        def get_params(self, ctx: Any) -> list[Any]:
            """The options, which take what is not given as it is."""
            return _left_alone(super().get_params(ctx), frozenset())

        def format_options(self, ctx: Any, formatter: Any) -> None:
            """Write the options, then the commands, into the page."""
            _write_groups(_grouped(self.get_params(ctx), ctx), formatter)
            rows = [(_styled(name, fg="cyan"), e.summary) for name, e in entries.items()]
            with _group(formatter, "Commands"):
                formatter.write_dl(rows)

    return Root
