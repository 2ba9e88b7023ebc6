"""Blocks as Markdown, for a pull request or a notebook. Data text is escaped cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

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
    Number,
    Numbers,
    Prose,
    Section,
    SlopeChart,
    Steps,
    Table,
    Verdict,
    Words,
    plain_text,
)
from cr_audit.reports import Report
from cr_audit.wording import left_out
from cr_audit.write import Target
from cr_audit.write.escape import markdown, shorten, visible

TEXT = 80
"""Characters of one cell."""
MAX_DIFF = 400


def write(report: Report, target: Target) -> str:
    """The report as Markdown with a final newline."""
    return write_blocks(report.blocks())


def write_blocks(blocks: Sequence[Block]) -> str:
    """Some blocks as Markdown."""
    return "\n".join(_blocks(blocks, 3)).rstrip() + "\n"


def _blocks(blocks: Sequence[Block], level: int) -> list[str]:
    return [line for block in blocks for line in _block(block, level)]


def _block(block: Block, level: int) -> list[str]:
    match block:
        case Section():
            note = f" <sub>{markdown(block.note)}</sub>" if block.note else ""
            head = f"{'#' * level} {markdown(block.title)}{note}"
            return [head, "", *_blocks(block.blocks, level + 1)]
        case Header():
            files = ", ".join(markdown(f) for f in block.files)
            against = ", ".join(markdown(f) for f in block.against)
            title = f"## cr-audit {markdown(block.command)}: {files}"
            title += f" → {against}" if against else ""
            return [title, "", *([markdown(block.note), ""] if block.note else [])]
        case Answer():
            return [markdown(" ".join(block.sentences)), ""]
        case Verdict():
            head = "PASS" if block.passed else "FAIL"
            return [f"**{head}** {markdown(block.reason)}", "", markdown(block.note), ""]
        case Prose():
            return [f"{_words(line)}  " for line in block.lines] + [""]
        case Steps():
            return [f"- {_code(c)}: {markdown(what)}" for c, what in block.steps] + [""]
        case Table():
            return _table(block)
        case Diff():
            return _diff(block)
        case SlopeChart():
            return []  # the table beside it says the same
        case Numbers():
            return [*map(_number, block.numbers), ""]
        case Chart() | Cells() | Map() | Matrix():
            return [markdown(f"{block.title}: {block.description}"), ""]


def _words(words: Words) -> str:
    return markdown(plain_text(words))


def _number(number: Number) -> str:
    note = f" ({markdown(number.note)})" if number.note else ""
    return f"- **{markdown(number.value)}** {markdown(number.label)}{note}"


def _code(text: str) -> str:
    """A command that can be copied; a backtick inside needs a longer fence."""
    shown = visible(text)
    fence = "`"
    while fence in shown:
        fence += "`"
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def row(*cells: str) -> str:
    """One row of a table, of cells that are Markdown already."""
    return "| " + " | ".join(cells) + " |"


def _table(block: Table) -> list[str]:
    columns = [(k, c) for k, c in enumerate(block.columns) if not c.wide]
    lines = [markdown(block.caption), ""] if block.caption else []
    lines.append(row(*(markdown(c.title) for _, c in columns)))
    lines.append(row(*("---:" if c.kind in ("count", "number") else "---" for _, c in columns)))
    for i in range(block.n_shown):
        cells = block.row(i)
        lines.append(row(*(_cell(c, cells[k]) for k, c in columns)))
    lines.append("")
    left = block.n - block.n_shown
    if left > 0:
        lines += [markdown(left_out(left, block.more)), ""]
    if block.legend:
        lines += [_words(block.legend), ""]
    return lines


def _cell(column: Column, cell: Cell) -> str:
    text = plain_text(cell.text)
    escaped = markdown(shorten(text, TEXT) if column.kind == "line" else text)
    return f"{escaped}<br>{markdown(cell.below)}" if cell.below else escaped


def _diff(block: Diff) -> list[str]:
    lines = [markdown(block.caption), ""]
    for title, runs, mark in (
        (block.titles[0], block.left, "-"),
        (block.titles[1], block.right, "+"),
    ):
        lines.append(f"- {markdown(shorten(title, TEXT))}: {_runs(runs, mark)}")
    return [*lines, ""]


def _runs(runs: Sequence[DiffRun], mark: str) -> str:
    out, n = [], 0
    for run in runs:
        if n > MAX_DIFF:
            out.append("…")
            break
        text = shorten(run.text.strip(), MAX_DIFF)
        n += len(text)
        escaped = markdown(text)
        out.append(escaped if run.kind != "changed" else f"**{mark}{escaped}{mark}**")
    return " ".join(out)
