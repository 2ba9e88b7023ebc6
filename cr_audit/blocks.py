"""What a report is made of, before anyone knows where it goes: a terminal, Markdown, HTML or CSV.

Blocks hold data and plain words, never pixels, colours or markup. Texts from the data stand in them
as they are: hostile. Every writer (``cr_audit.write``) escapes what it writes, whole strings at a
time, so nothing that makes a block has to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, overload

Tone = Literal[
    "plain", "dim", "strong", "name", "good", "bad", "error", "warning", "note", "command"
]
"""What a piece of text means: ``good`` and ``bad`` for a change, the severities for findings."""

Value = float | int | str | bool | None
"""What a machine reads of a cell; None where there is nothing."""


@dataclass(frozen=True, slots=True)
class Span:
    """Some text in one tone."""

    text: str
    tone: Tone = "plain"


Words = str | Span | tuple[str | Span, ...]
"""One line of text: plain, in one tone, or in parts."""


def spans(words: Words) -> tuple[Span, ...]:
    """The same line as spans."""
    parts = words if isinstance(words, tuple) else (words,)
    return tuple(Span(p) if isinstance(p, str) else p for p in parts)


def plain_text(words: Words) -> str:
    """The same line without its tones."""
    return "".join(s.text for s in spans(words))


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table. text : for people; values : for machines, one per field of the column.

    below : a second, dim line under the text (the row that a finding is about, say).
    """

    text: Words
    values: tuple[Value, ...] = ()
    tone: Tone = "plain"
    below: str = ""


ColumnKind = Literal["text", "line", "count", "number", "place", "id", "diff"]
"""``text`` wraps; ``line`` is one line that may be cut at its end; ``count`` and ``number`` stand
right and are never cut; ``place`` is file:line, cut at its beginning; ``id`` is never cut."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    fields : names of the values of its cells in a machine's table, () for the title alone.
    wide : only where there is room for it. max_width : of a ``line`` or ``id`` in a terminal.
    share : how a line shares the width that is left, relative to the others; 0 = by content.
    """

    title: str
    kind: ColumnKind = "text"
    fields: tuple[str, ...] = ()
    wide: bool = False
    max_width: int | None = None
    share: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """``n`` rows, made one by one: ``row(i)`` gives the cells of the i-th, one per column.

    limit : rows shown to people; what is left out is said with ``more`` ("more clusters"), and
    ``order`` says by what the rows stand. main : the table that a CSV file of the report holds.
    name : identifies the table in machine-readable output, kebab-case. legend : what the columns
    mean, for people. caption : a line above it. brief, gist : rows and legend of a terminal without
    --details; where not given, ``limit`` and ``legend``.
    """

    columns: tuple[Column, ...]
    n: int
    row: Callable[[int], Sequence[Cell]] = field(repr=False)
    name: str = "table"
    limit: int | None = None
    more: str = "more"
    order: str = ""
    legend: Words = ""
    caption: str = ""
    main: bool = False
    indent: int = 0
    brief: int | None = None
    gist: Words = ""

    @classmethod
    def of(
        cls,
        columns: Sequence[Column],
        rows: Sequence[Sequence[Cell]],
        *,
        name: str = "table",
        limit: int | None = None,
        more: str = "more",
        order: str = "",
        legend: Words = "",
        caption: str = "",
        main: bool = False,
        indent: int = 0,
        brief: int | None = None,
    ) -> Table:
        """A table of rows that are there already."""
        return cls(
            tuple(columns),
            len(rows),
            rows.__getitem__,
            name,
            limit,
            more,
            order,
            legend,
            caption,
            main,
            indent,
            brief,
        )

    @property
    def n_shown(self) -> int:
        """Rows that people see."""
        return self.n if self.limit is None else min(self.n, self.limit)

    @property
    def in_brief(self) -> Table:
        """As a terminal shows it without --details."""
        limit = self.limit if self.brief is None else self.brief
        return replace(self, limit=limit, legend=self.gist or self.legend)


@dataclass(frozen=True, slots=True)
class Header:
    """The head of a report: the command, its files (and what they are held against), a note."""

    command: str
    files: tuple[str, ...]
    note: str
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person who reads one paragraph should know; tone is that of the worst finding."""

    sentences: tuple[str, ...]
    tone: Tone = "good"


@dataclass(frozen=True, slots=True)
class Verdict:
    """PASS or FAIL, the reason in one sentence, and what judged."""

    passed: bool
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Prose:
    """Lines of text, each a paragraph or an item of a list of facts. indent : in columns.
    again : what the head of the report says already, for readers who see its end first."""

    lines: tuple[Words, ...]
    tone: Tone = "plain"
    indent: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Steps:
    """Commands that can be copied as they are, each with what it does."""

    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DiffRun:
    """Words that are equal in both texts, only in this one, or left out as far from any change."""

    kind: Literal["same", "changed", "skipped"]
    text: str


@dataclass(frozen=True, slots=True)
class Diff:
    """Two texts side by side, changed words marked."""

    caption: str
    titles: tuple[str, str]
    left: tuple[DiffRun, ...]
    right: tuple[DiffRun, ...]


@dataclass(frozen=True, slots=True)
class Slope:
    """One line of a slope chart: its label, its row on the left and on the right (0 = top), and
    whether it is marked as more than noise. left_text, right_text : its value on either side, with
    what is known of its error."""

    label: str
    left: int
    right: int
    marked: bool
    left_text: str = ""
    right_text: str = ""

    @property
    def rises(self) -> bool:
        """Whether the rank gets better."""
        return self.right < self.left


@dataclass(frozen=True, slots=True)
class SlopeChart:
    """Two rankings joined by lines."""

    title: str
    left: str
    right: str
    slopes: tuple[Slope, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one kind in a chart: x and y of the same length; low and high of an interval of y
    where there is one; labels of the points; dashed : a bound, say; dots : points on a line."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the axis of x, and what holds there."""

    low: float
    high: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines, points, bars, or intervals of labelled items. description : for who cannot see it.

    kind "interval": one row per label of each series, y is the value. x_title, y_title : with unit.
    x_names : ticks of x, (value, text), where it is not a scale. y_range : where it is fixed.
    band : a piece of x that is shaded. strip : pieces of x named along the top, in the colour of
    the series that has the name.
    """

    kind: Literal["line", "scatter", "bars", "interval"]
    title: str
    description: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    x_log: bool = False
    y_log: bool = False
    x_names: tuple[tuple[float, str], ...] = ()
    y_range: tuple[float, float] | None = None
    note: str = ""
    band: Stretch | None = None
    strip: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class Cells:
    """Points of the unit square and the polygons around them, each with a label."""

    title: str
    description: str
    points: tuple[tuple[float, float], ...]
    polygons: tuple[tuple[tuple[float, float], ...], ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """One number that a reader should not have to look for: as written, and what it counts."""

    value: str
    label: str
    note: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The few numbers that a report comes to, the most telling first."""

    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Colouring:
    """Which items of a map are alike: ``by`` what; groups : a position in ``names``, or -1, which
    ``none`` names."""

    by: str
    groups: tuple[int, ...]
    names: tuple[str, ...]
    none: str


@dataclass(frozen=True, slots=True)
class Map:
    """Items in the plane, like ones near each other.

    points : x and y of those drawn, in [0, 1]; sizes : weight of each in units of the average one;
    colourings : what colours may stand for, the first at first; labels : one line each; items :
    positions of those drawn among all; n : how many there are, drawn or not. description : how
    places and sample came about, for who cannot see it as well.
    """

    title: str
    description: str
    points: tuple[tuple[float, float], ...]
    sizes: tuple[float, ...]
    colourings: tuple[Colouring, ...]
    labels: tuple[str, ...]
    items: tuple[int, ...]
    n: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """A number in [0, 1] for each row and column, None where there is none; texts : in words.

    low, high : what the ends of the scale mean.
    """

    title: str
    description: str
    names: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    texts: tuple[tuple[str, ...], ...]
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with a short note beside it, and what stands under it. folded : closed at first
    where a reader can open it, and left out of a terminal without --details; ``Later`` blocks are
    then never made."""

    title: str
    note: str = ""
    blocks: Sequence[Block] = ()
    folded: bool = False


class Later(Sequence["Block"]):
    """Blocks that are made when somebody looks at them: for a folded section that costs much."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Sequence[Block]]) -> None:
        self._make = make
        self._made: Sequence[Block] | None = None

    def _blocks(self) -> Sequence[Block]:
        if self._made is None:
            self._made = tuple(self._make())
        return self._made

    def __len__(self) -> int:
        return len(self._blocks())

    @overload
    def __getitem__(self, index: int) -> Block: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Block]: ...
    def __getitem__(self, index: int | slice) -> Block | Sequence[Block]:
        return self._blocks()[index]


Picture = SlopeChart | Chart | Cells
Drawn = Picture | Map | Matrix
Block = Header | Answer | Verdict | Numbers | Prose | Steps | Diff | Table | Drawn | Section


def tables_of(blocks: Sequence[Block]) -> list[Table]:
    """All tables, in reading order."""
    out: list[Table] = []
    for block in blocks:
        if isinstance(block, Table):
            out.append(block)
        elif isinstance(block, Section):
            out += tables_of(block.blocks)
    return out


def charts_of(blocks: Sequence[Block]) -> list[Picture]:
    """All charts, in reading order."""
    out: list[Picture] = []
    for block in blocks:
        if isinstance(block, SlopeChart | Chart | Cells):
            out.append(block)
        elif isinstance(block, Section):
            out += charts_of(block.blocks)
    return out
