"""Blocks as a terminal shows them. Every text goes through ``visible`` and into a ``Text``, so that
neither the terminal nor rich's markup ever sees it raw.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from cr_audit.blocks import (
    Answer,
    Block,
    Cell,
    Cells,
    Chart,
    Column,
    Diff,
    DiffRun,
    Header,
    Map,
    Matrix,
    Numbers,
    Prose,
    Section,
    Slope,
    SlopeChart,
    Steps,
    Table,
    Tone,
    Verdict,
    Words,
    plain_text,
    spans,
)
from cr_audit.reports import Report
from cr_audit.wording import left_out
from cr_audit.write import Target
from cr_audit.write.braille import braille_rows
from cr_audit.write.escape import beginning, no_commands, visible
from cr_audit.write.places import Place

WIDE = 110
"""Columns from which a table shows its ``wide`` ones."""
MAX_DIFF = 400
"""Characters of one side of a word diff."""
MAX_FILES, MAX_NAMED = 3, 3
CHART_WIDTH = 24

_STYLES: dict[Tone, str] = {
    "plain": "",
    "dim": "dim",
    "strong": "bold",
    "name": "cyan",
    "good": "green",
    "bad": "red",
    "error": "bold red",
    "warning": "yellow",
    "note": "cyan",
    "command": "",
}
# The end of a line: blanks, and codes of colour among them.
_LINE_END = re.compile(r"(?:\s|\x1b\[[0-9;]*m)+$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# One word of a command as shlex.quote writes it.
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")


def target_of_stdout(*, full_text: bool = False, details: bool = False) -> Target:
    """The terminal on stdout; piped output is plain and 100 columns wide (or COLUMNS)."""
    tty = sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size((100, 24)).columns
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    colour = tty and not plain
    return Target(width=max(width, 40), colour=colour, full_text=full_text, details=details)


def write(report: Report, target: Target) -> str:
    """The report as lines; the same report and target give the same bytes."""
    blocks = list(report.blocks())
    left = [] if target.details else [s.title for s in _folded(blocks)]
    if left:
        # Said where a reader stops reading, so that nothing is missed without a word.
        more = f" and {len(left) - MAX_NAMED} more" if len(left) > MAX_NAMED else ""
        named = ", ".join(left[:MAX_NAMED])
        said = Prose((f"--details: whole tables, {named}{more}",), "dim")
        last = bool(blocks) and isinstance(blocks[-1], Prose)  # the verdict, once more
        blocks.insert(len(blocks) - last, said)
    return write_blocks(blocks, target)


def _folded(blocks: Sequence[Block]) -> list[Section]:
    out: list[Section] = []
    for block in blocks:
        if isinstance(block, Section):
            out += [block] if block.folded else _folded(block.blocks)
    return out


def write_blocks(blocks: Sequence[Block], target: Target) -> str:
    """Some blocks as lines."""
    return to_text(renderable(blocks, target), target)


def renderable(blocks: Sequence[Block], target: Target) -> Group:
    """The same, not yet rendered (for a picture, say)."""
    return Group(*(part for block in blocks for part in _block(block, target)))


def to_text(what: RenderableType, target: Target) -> str:
    """Rendered to a string without blanks at the ends of lines."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=target.width,
        force_terminal=target.colour,
        color_system="standard" if target.colour else None,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(what)
    lines = out.getvalue().splitlines()
    return no_commands("\n".join(_LINE_END.sub(_without_blanks, line) for line in lines)) + "\n"


def _without_blanks(end: re.Match[str]) -> str:
    return "".join(_COLOUR.findall(end[0]))


def _block(block: Block, target: Target) -> list[RenderableType]:
    match block:
        case Section():
            if block.folded and not target.details:
                return []
            inside = [part for b in block.blocks for part in _block(b, target)]
            return [_heading(block.title, block.note), *inside]
        case Header():
            return _header(block)
        case Answer():
            return [_answer(block)]
        case Verdict():
            return [_verdict(block)]
        case Prose():
            return [_prose(block)]
        case Steps():
            return _steps(block, target)
        case Table():
            return _table(block if target.details else block.in_brief, target)
        case Diff():
            return [_diff(block, target)]
        case SlopeChart():
            return _slope_chart(block, target)
        case Numbers():
            return [_numbers(block)]
        case Chart() | Cells() | Map() | Matrix():
            note = f"{block.title}: {block.description}"
            return [Text(visible(note), style="dim")]


def _words(words: Words, tone: Tone = "plain") -> Text:
    base = _STYLES[tone]
    out = Text(style=base)
    for span in spans(words):
        out.append(visible(span.text), style=_STYLES[span.tone])
    return out


def _heading(title: str, note: str) -> RenderableType:
    parts = (visible(title), "bold"), ("  " + visible(note) if note else "", "dim")
    return Padding(Text.assemble(*parts), (1, 0, 0, 0))


def _header(block: Header) -> list[RenderableType]:
    line = Text.assemble((f"cr-audit {visible(block.command)}", "bold"), "  ")
    line.append(_files(block.files), style="cyan")
    if block.against:
        line.append(" → ")
        line.append(_files(block.against), style="cyan")
    return [line, *([Text(visible(block.note), style="dim")] if block.note else [])]


def _files(files: Sequence[str]) -> str:
    more = f" and {len(files) - MAX_FILES} more" if len(files) > MAX_FILES else ""
    return ", ".join(visible(f) for f in files[:MAX_FILES]) + more


def _answer(block: Answer) -> RenderableType:
    body = Text("\n").join(Text(visible(sentence)) for sentence in block.sentences)
    grid = Grid.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column()
    grid.add_row(Text("▌", style=_STYLES[block.tone]), body)
    return Padding(grid, (1, 0, 0, 0))


def _verdict(block: Verdict) -> RenderableType:
    style = _STYLES["good" if block.passed else "error"]
    head = "PASS" if block.passed else "FAIL"
    body = Text.assemble(
        (head, style), "  ", visible(block.reason), "\n", (visible(block.note), "dim")
    )
    return Padding(body, (1, 0, 0, 0))


def _prose(block: Prose) -> RenderableType:
    body = Text("\n").join(_words(line, block.tone) for line in block.lines)
    return Padding(body, (0, 0, 0, block.indent)) if block.indent else body


def _numbers(block: Numbers) -> RenderableType:
    """One line each: the number, what it counts, and what is to be known of it."""
    grid = Grid.grid(padding=(0, 1))
    for number in block.numbers:
        style = _STYLES[number.tone] or "bold"
        parts = (visible(number.label), ""), (f"  {visible(number.note)}", "dim")
        grid.add_row(Text(visible(number.value), style, justify="right"), Text.assemble(*parts))
    return Padding(grid, (1, 0, 0, 0))


def _steps(block: Steps, target: Target) -> list[RenderableType]:
    """Beside each other where the screen is wide enough."""
    steps = [(visible(command), visible(what)) for command, what in block.steps]
    if not steps:
        return []
    if 6 + max(len(c) for c, _ in steps) + max(len(w) for _, w in steps) > target.width:
        if not target.details:
            return [
                Text(f"  {_continued(command, target.width - 2)}", overflow="fold")
                for command, _ in steps
            ]
        return [
            Text(f"  {_continued(command, target.width - 2)}\n", overflow="fold").append(
                f"    {what}", style="dim"
            )
            for command, what in steps
        ]
    grid = Grid.grid(padding=(0, 2))
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


def empty_grid() -> Grid:
    """An empty table in the one style of all reports."""
    return Grid(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), header_style="dim"
    )


def _table(block: Table, target: Target) -> list[RenderableType]:
    wide = target.width >= WIDE or target.details
    shown = [k for k, c in enumerate(block.columns) if wide or not c.wide]
    grid = empty_grid()
    rows = [block.row(i) for i in range(block.n_shown)]
    for k in shown:
        longest = max((len(plain_text(cells[k].text)) for cells in rows), default=0)
        _add_column(grid, block.columns[k], one_line=target.width >= 60 or longest <= 10)
    for cells in rows:
        grid.add_row(*(_cell(block.columns[k], cells[k], target) for k in shown))
    parts: list[RenderableType] = []
    if block.caption:
        parts.append(Text(visible(block.caption), style="dim"))
    parts.append(Padding(grid, (0, 0, 0, block.indent)) if block.indent else grid)
    left = block.n - block.n_shown
    if left > 0 and (target.details or block.brief is None):
        order = f" ({block.order} first)" if block.order else ""
        parts.append(Text(f"{visible(left_out(left, block.more))}{visible(order)}", style="dim"))
    if block.legend:
        parts.append(_words(block.legend, "dim"))
    return parts


def _add_column(grid: Grid, column: Column, *, one_line: bool) -> None:
    title = visible(column.title)
    ratio = column.share or None
    if column.kind in ("count", "number"):
        grid.add_column(title, justify="right", no_wrap=True)
    elif column.kind == "id":
        # rich narrows wrappable columns first, and never a number or an identifier; on a page
        # too narrow for long names it would drop a column whole, so there these wrap.
        grid.add_column(title, no_wrap=one_line, overflow="ellipsis", max_width=column.max_width)
    else:
        grid.add_column(title, ratio=ratio)


def _cell(column: Column, cell: Cell, target: Target) -> RenderableType:
    if column.kind == "place":
        return Place("".join(s.text for s in spans(cell.text)))
    text = _words(cell.text, cell.tone)
    if column.kind == "line":
        # Wrappable columns are narrowed first; each of these is one line that may be cut.
        text = Text(text.plain[: 2 * target.width], style=_STYLES[cell.tone])
        text.no_wrap, text.overflow = True, "ellipsis"
    return Group(text, Place(cell.below, "dim")) if cell.below else text


def _diff(block: Diff, target: Target) -> RenderableType:
    grid = empty_grid()
    for title in block.titles:
        grid.add_column(Text(beginning(title, target.width // 2 - 4)), ratio=1)
    left, right = _runs(block.left, "red", "-", target), _runs(block.right, "green", "+", target)
    grid.add_row(left, right)
    return Group(Text(visible(block.caption), style="dim"), grid)


def _runs(runs: Sequence[DiffRun], style: str, mark: str, target: Target) -> Text:
    """Colour where there is colour; marks such as {+word+} where there is none."""
    out = Text()
    for run in runs:
        if len(out) > MAX_DIFF:
            out.append(" …", style="dim")
            break
        text = beginning(run.text, MAX_DIFF)
        if run.kind == "skipped":
            out.append(f" {text} ", style="dim")
        elif run.kind == "same":
            out.append(text)
        elif target.colour:
            out.append(text, style=f"bold {style}")
        else:
            out.append("{" + mark + text.rstrip() + mark + "} ")
    return out


def _slope_chart(block: SlopeChart, target: Target) -> list[RenderableType]:
    """Two columns of names joined by lines of braille dots; marked ones in colour, or with ▲▼."""
    if len(block.slopes) < 2:
        return []
    label = max(10, min(40, (target.width - CHART_WIDTH - 8) // 2))
    rows = braille_rows(block.slopes, CHART_WIDTH)
    by_right = {slope.right: slope for slope in block.slopes}
    grid = Grid.grid(padding=(0, 1))
    grid.add_column(justify="right")
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(Text(visible(block.left), "dim"), "", Text("  " + visible(block.right), "dim"))
    for k, slope in enumerate(block.slopes):
        line = Text()
        for character, owner in rows[k]:
            style = (_slope_style(block.slopes[owner]) or "dim") if owner >= 0 else ""
            line.append(character, style=style)
        after = by_right[k]
        mark = ("▲" if after.rises else "▼") if after.marked else " "
        grid.add_row(
            _one_line(beginning(slope.label, label), _slope_style(slope)),
            line,
            _one_line(f"{mark} {beginning(after.label, label)}", _slope_style(after)),
        )
    return [_heading(block.title, block.note), Padding(grid, (0, 0, 0, 1))]


def _slope_style(slope: Slope) -> str:
    return ("green" if slope.rises else "red") if slope.marked else ""


def _one_line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
