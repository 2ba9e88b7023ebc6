"""Blocks as markup. A ``Page`` counts what it writes, so that a report stays small enough to open
on a phone: what does not fit is left out and said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

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
    plain_text,
    spans,
)
from cr_audit.write.html import charts
from cr_audit.write.html.charttables import table_of
from cr_audit.write.html.text import TEXT, text, words

MAX_ROWS = 500
"""Rows of one table; how many there are is said, and the JSON report has them all."""
MAX_BYTES = 4_500_000
"""Of all rows, paragraphs and pictures together; frame, style and script are some 30 kB."""
WIDTHS = ((4, "few"), (7, "fit"), (12, "room"), (60, "roomy"))
"""Texts of a column longer than so many characters ask for a width, so that words stay whole."""
LONG_SIDE = 3_000
"""Characters of one run of a word diff."""
LEFT_OUT = '<p class="note">(left out: the report is full)</p>'
DrawnBlock = TypeVar("DrawnBlock", SlopeChart, Chart, Cells, Map, Matrix)
_FIGURES = ("count", "number", "id")
_KINDS = {"count": "n", "number": "n", "id": "id", "place": "place"}


def paste(*lines: str) -> str:
    """Lines to be copied as they stand."""
    return f'<pre class="paste"><code>{chr(10).join(text(line) for line in lines)}</code></pre>'


class Page:
    """Writes the blocks of one page, each with an anchor of its own."""

    def __init__(self) -> None:
        self.left = MAX_BYTES
        self._anchors: dict[str, str] = {}
        self._n = 0
        self._card = ""

    def fits(self, markup: str) -> bool:
        """Take room for some markup; False where there is none left."""
        size = len(markup.encode("utf-8", "replace"))
        if size > self.left:
            return False
        self.left -= size
        return True

    def anchor(self, title: str) -> str:
        """The id of a section: words of its title, and a number where two would be one."""
        if title not in self._anchors:
            plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or "section"
            while plain in (*self._anchors.values(), "report", "summary"):
                plain += "-2"
            self._anchors[title] = plain
        return self._anchors[title]

    def key(self) -> str:
        """An id that nothing else on the page has."""
        self._n += 1
        return f"k{self._n}"

    # --- sections ---

    def card(self, title: str, section: Section) -> str:
        """A section of the page, with its heading."""
        self._card = title
        return self.wrapped(title, section.note, [self.block(b, 3) for b in section.blocks])

    def wrapped(self, title: str, note: str, parts: Sequence[str]) -> str:
        """Markup as a card under a heading."""
        at = self.anchor(title)
        head = f'<h2 id="{at}">{text(title, 200)}</h2>'
        under = f'<p class="note under">{text(note)}</p>' if note else ""
        inside = "\n".join(p for p in parts if p)
        return f'<section class="card" aria-labelledby="{at}">{head}{under}{inside}</section>'

    def block(self, block: Block, level: int) -> str:
        """One block. level : of a heading inside it."""
        match block:
            case Section():
                return self._section(block, level)
            case Header() | Answer() | Verdict():
                return ""  # the page's head and first screen
            case Numbers():
                return _numbers(block)
            case Prose():
                return self._within(_prose(block))
            case Steps():
                return self._within(_steps(block))
            case Table():
                return self.table(block)
            case Diff():
                return self._diff(block, level)
            case SlopeChart():
                return self._slope(block) if len(block.slopes) > 1 else ""
            case Map():
                return self._map(block)
            case Matrix():
                return self._figure(block.title, block.description, charts.matrix, block)
            case Chart():
                return self._figure(block.title, block.description, charts.chart, block)
            case Cells():
                return self._figure(block.title, block.description, charts.cells, block)

    def _section(self, section: Section, level: int) -> str:
        inside = "\n".join(self.block(b, min(level + 1, 6)) for b in section.blocks)
        note = f' <span class="note">{text(section.note)}</span>' if section.note else ""
        title = text(section.title, 200)
        if section.folded:
            return f"<details><summary>{title}{note}</summary>{inside}</details>"
        return f"<div><h{level}>{title}{note}</h{level}>{inside}</div>"

    def _within(self, markup: str) -> str:
        """The markup, or that there was no room for it."""
        return markup if self.fits(markup) else LEFT_OUT

    # --- tables ---

    def table(self, block: Table, most: int = MAX_ROWS) -> str:
        """A table that scrolls by itself where it is too wide."""
        caption = block.caption or block.name.replace("-", " ")
        shown_caption = "" if block.caption else ' class="hidden"'
        rows: list[str] = []
        order = _reading_order(block.columns)
        columns = [block.columns[k] for k in order]
        widest = [0] * len(columns)
        for i in range(min(block.n, most)):
            made = block.row(i)
            cells = [made[k] for k in order]
            pairs = zip(columns, cells, strict=True)
            row = "<tr>" + "".join(_cell(column, cell) for column, cell in pairs) + "</tr>"
            if not self.fits(row):
                break
            rows.append(row)
            widest = [max(w, len(plain_text(c.text))) for w, c in zip(widest, cells, strict=True)]
        head = "".join(map(_head, columns, widest))
        out = [
            f'<div class="scroll" tabindex="0" role="group" aria-label="{text(caption, 120)}">'
            f"<table><caption{shown_caption}>{text(caption, 200)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>",
            *rows,
            "</tbody></table></div>",
        ]
        if len(rows) < block.n:
            by = f" ({text(block.order)} first)" if block.order else ""
            out.append(f'<p class="note">{len(rows):,} of {block.n:,} shown{by}</p>')
        if block.legend:
            out.append(f'<p class="note">{words(block.legend)}</p>')
        return "\n".join(out)

    # --- diffs and pictures ---

    def _diff(self, block: Diff, level: int) -> str:
        sides = zip(block.titles, (block.left, block.right), ("del", "ins"), strict=True)
        columns = "".join(
            f'<div><p class="who">{text(title, 120)}</p><p>{_runs(runs, tag)}</p></div>'
            for title, runs, tag in sides
        )
        made = f'<p class="note">{text(block.caption)}</p><div class="diff">{columns}</div>'
        return self._within(made)

    def _slope(self, block: SlopeChart) -> str:
        return self._figure(
            block.title, block.note or f"{block.left} and {block.right}", charts.slope, block
        )

    def _map(self, block: Map) -> str:
        return self._figure(
            block.title, block.description, charts.map_, block, charts.map_legends(block)
        )

    def _figure(
        self,
        title: str,
        description: str,
        draw: Callable[[DrawnBlock, str], str],
        block: DrawnBlock,
        below: str = "",
    ) -> str:
        """A picture with its title, what it says in words, and its numbers as a table."""
        key = self.key()
        svg = draw(block, key)
        if not self.fits(svg):
            return '<p class="note">(a picture was left out: the report is full)</p>'
        table = self.table(table_of(block), 200)
        head = "" if title == self._card else f"<strong>{text(title, 200)}</strong> "
        caption = f"{head}{text(description)}"
        kind = type(block).__name__.lower()
        return (
            f'<figure class="{kind}"><figcaption>{caption}</figcaption>'
            f'<div class="plot" tabindex="0" role="group" aria-label="{text(title, 120)}">'
            f"{svg}</div>{below}"
            f"<details><summary>The numbers of this picture</summary>{table}</details></figure>"
        )


# --- pieces ---


def _numbers(block: Numbers) -> str:
    pairs = "".join(_number(number) for number in block.numbers)
    return f'<dl class="numbers">{pairs}</dl>' if pairs else ""


def _number(number: Number) -> str:
    value = f'<dd class="value v-{number.tone}">{text(number.value, 40)}</dd>'
    note = f'<dd class="note">{text(number.note, 160)}</dd>' if number.note else ""
    return f'<div class="number"><dt>{text(number.label, 120)}</dt>{value}{note}</div>'


def _prose(block: Prose) -> str:
    tone = "" if block.tone == "plain" else f' class="t-{block.tone}"'
    if block.indent and len(block.lines) > 1:
        items = "".join(f"<li>{words(line)}</li>" for line in block.lines)
        return f"<ul{tone}>{items}</ul>"
    return "".join(f"<p{tone}>{words(line)}</p>" for line in block.lines)


def _steps(block: Steps) -> str:
    if not block.steps:
        return ""
    pairs = "".join(
        f"<div><dt>{text(what)}</dt><dd>{paste(command)}</dd></div>"
        for command, what in block.steps
    )
    return f'<dl class="steps">{pairs}</dl>'


def _reading_order(columns: Sequence[Column]) -> list[int]:
    """Columns from left to right. A terminal gives the one long text of a table what is left of
    its width, so it stands last; here it says what the numbers of a row belong to, and on a phone
    it would be off the screen: it comes first."""
    order = list(range(len(columns)))
    *numbers, last = columns or [Column("")]
    named = not numbers or numbers[0].kind in ("line", "id")
    if named or last.kind != "line" or any(c.kind not in _FIGURES for c in numbers[1:]):
        return order
    return [order[-1], *order[:-1]]


def _head(column: Column, widest: int) -> str:
    """The head of a column; one of long lines asks for room."""
    if not column.title.strip():
        return "<td></td>"
    kind = _class(column)
    widest = max(widest, *(len(word) for word in column.title.split()))
    if column.kind in ("text", "line") and widest > WIDTHS[0][0]:
        kind = f' class="{next(name for most, name in reversed(WIDTHS) if widest > most)}"'
    if column.kind == "place" and widest > 18:
        kind = ' class="place room"'
    return f'<th scope="col"{kind}>{text(column.title, 80)}</th>'


def _class(column: Column) -> str:
    return f' class="{_KINDS[column.kind]}"' if column.kind in _KINDS else ""


def _cell(column: Column, cell: Cell) -> str:
    parts = "".join(
        text(s.text, TEXT)
        if s.tone == "plain"
        else f'<span class="t-{s.tone}">{text(s.text, TEXT)}</span>'
        for s in spans(cell.text)
    )
    if cell.tone != "plain":
        parts = f'<span class="t-{cell.tone}">{parts}</span>'
    below = f'<span class="below">{text(cell.below, TEXT)}</span>' if cell.below else ""
    value = cell.values[0] if cell.values and column.kind in ("count", "number") else None
    order = ""
    if isinstance(value, int | float) and plain_text(cell.text) != str(value):
        order = f' data-v="{value:.7g}"'
    return f"<td{_class(column)}{order}>{parts}{below}</td>"


def _runs(runs: Sequence[DiffRun], tag: str) -> str:
    out, n = [], 0
    for run in runs:
        if n > 2 * LONG_SIDE:
            out.append('<span class="note">…</span>')
            break
        n += len(run.text)
        inside = text(run.text, LONG_SIDE)
        if run.kind == "changed":
            inside = f"<{tag}>{inside}</{tag}>"
        elif run.kind == "skipped":
            inside = f'<span class="note">{inside}</span> '
        out.append(inside)
    return "".join(out)
