"""The formats, one file each. A writer turns a report into text; it escapes all that it writes.

A format is registered by one call of ``register``; its name then stands in ``--format``, its
suffixes decide what ``-o FILE`` means, and every command has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING

from cr_audit.errors import UsageError

if TYPE_CHECKING:
    from cr_audit.reports import Report


@dataclass(frozen=True, slots=True)
class Target:
    """Where a report goes. width : columns of a terminal; colour : whether it shows colours;
    full_text : texts in full where a format cuts them; details : folded sections in a terminal."""

    width: int = 100
    colour: bool = False
    full_text: bool = False
    details: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """One format. module : where ``write(report, target) -> str`` is, imported when it is used;
    or ``function`` itself. suffixes : of the files that it writes, with the dot.
    """

    name: str
    help: str
    module: str = ""
    suffixes: tuple[str, ...] = ()
    function: Callable[[Report, Target], str] | None = None

    def write(self, report: Report, target: Target) -> str:
        """The whole report as text with a final newline."""
        if self.function is not None:
            return self.function(report, target)
        made: str = import_module(self.module).write(report, target)
        return made

    def parts(self, report: Report, target: Target) -> Iterable[str]:
        """The same text in pieces, where the format's module has ``parts``; else in one."""
        if self.function is None:
            in_parts = getattr(import_module(self.module), "parts", None)
            if in_parts is not None:
                made: Iterable[str] = in_parts(report, target)
                return made
        return [self.write(report, target)]


WRITERS: dict[str, Writer] = {}


def register(writer: Writer) -> None:
    """Add a format. Raises ValueError for a name or suffix that is taken."""
    taken = {s: w.name for w in WRITERS.values() for s in w.suffixes}
    if writer.name in WRITERS:
        raise ValueError(f"there is a format {writer.name!r} already")
    for suffix in writer.suffixes:
        if suffix in taken:
            raise ValueError(f"{suffix} belongs to the format {taken[suffix]!r}")
    WRITERS[writer.name] = writer


def format_of(path: PurePath) -> str:
    """The format of a file by its suffix; a name without one holds a table.

    Raises UsageError for a suffix of no format.
    """
    suffix = path.suffix.lower()
    for writer in WRITERS.values():
        if suffix in writer.suffixes:
            return writer.name
    if not suffix:
        return "table"
    known = ", ".join(f"{s} ({w.name})" for w in WRITERS.values() for s in w.suffixes)
    raise UsageError(
        "unknown-suffix",
        f"no format writes {suffix} files",
        found=str(path),
        next_step=f"say which with --format, or use one of {known}",
    )


for _writer in (
    Writer("table", "for people, in a terminal", "cr_audit.write.terminal", (".txt", ".log")),
    Writer("json", "the whole report (docs/json.md)", "cr_audit.write.json", (".json",)),
    Writer("markdown", "for a pull request", "cr_audit.write.markdown", (".md", ".markdown")),
    Writer("html", "one file, for a browser", "cr_audit.write.html", (".html", ".htm")),
    Writer("csv", "the main table", "cr_audit.write.csv", (".csv",)),
    Writer("sarif", "findings, for code scanning", "cr_audit.write.sarif", (".sarif",)),
    Writer("junit", "findings, as test results", "cr_audit.write.junit", (".xml",)),
    Writer("github", "findings, as annotations", "cr_audit.write.github"),
):
    register(_writer)
