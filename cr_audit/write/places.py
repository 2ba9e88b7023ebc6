"""A row's place in a column: a path too long for it loses its beginning, never its line number."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from cr_audit.write.escape import visible

MIN_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Place:
    """``file:line``, escaped, on one line of a table."""

    row: str
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(ending(visible(self.row), options.max_width), style=self.style, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = min(cell_len(visible(self.row)), options.max_width)
        return Measurement(min(width, MIN_WIDTH), width)


def ending(text: str, width: int) -> str:
    """The last cells of ``text`` that fit into ``width``, after an ellipsis if something was cut.

    Cut after a ``/`` where that keeps the file's name whole.
    """
    if cell_len(text) <= width:
        return text
    kept = chop_cells(text[::-1], max(width - 1, 1))[0][::-1]
    folder = kept.find("/")
    name = text.rpartition("/")[2]
    return "…" + (kept[folder:] if folder >= 0 and len(kept) - folder > len(name) else kept)
