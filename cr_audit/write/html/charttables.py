"""The numbers of a picture as a table, for who cannot see it and for who wants to copy them."""

from __future__ import annotations

from collections.abc import Sequence

from cr_audit.blocks import Cell, Cells, Chart, Colouring, Column, Map, Matrix, SlopeChart, Table


def table_of(block: SlopeChart | Chart | Cells | Map | Matrix) -> Table:
    """What the picture shows, row by row."""
    match block:
        case SlopeChart():
            return _slope(block)
        case Map():
            return _map(block)
        case Matrix():
            return _matrix(block)
        case Cells():
            return _cells(block)
        case Chart():
            return _chart(block)


def _number(value: float) -> Cell:
    return Cell(f"{value:.5g}", (value,))


def _slope(block: SlopeChart) -> Table:
    """Rows as on the left."""
    slopes = sorted(block.slopes, key=lambda s: s.left)
    valued = any(s.left_text or s.right_text for s in slopes)
    columns = [
        Column("item"),
        Column(f"place, {block.left}", "count"),
        Column(f"place, {block.right}", "count"),
        *([Column(block.left, "id"), Column(block.right, "id")] if valued else []),
        Column("more than noise"),
    ]
    rows = [
        (
            Cell(s.label),
            Cell(str(s.left + 1), (s.left + 1,)),
            Cell(str(s.right + 1), (s.right + 1,)),
            *([Cell(s.left_text), Cell(s.right_text)] if valued else []),
            Cell(("up" if s.rises else "down") if s.marked else "no"),
        )
        for s in slopes
    ]
    return Table.of(columns, rows, caption=f"{block.title}: numbers")


def _map(block: Map) -> Table:
    """Groups and weight of each item drawn; places in the plane say nothing by themselves."""

    def group(colouring: Colouring, k: int) -> Cell:
        at = colouring.groups[k]
        return Cell(colouring.names[at]) if at >= 0 else Cell("none", tone="dim")

    def row(k: int) -> tuple[Cell, ...]:
        groups = (group(c, k) for c in block.colourings)
        return (Cell(block.labels[k]), *groups, Cell(f"{block.sizes[k]:.2f}", (block.sizes[k],)))

    by = (Column(c.by) for c in block.colourings)
    columns = (Column("item"), *by, Column("weight, times 1/m", "number"))
    return Table(columns, len(block.labels), row, caption=f"{block.title}: numbers")


def _matrix(block: Matrix) -> Table:
    columns = [Column("row against column"), *(Column(n, "number") for n in block.names)]

    def row(i: int) -> tuple[Cell, ...]:
        return (Cell(block.names[i]), *(Cell(t) for t in block.texts[i]))

    return Table(tuple(columns), len(block.names), row, caption=f"{block.title}: numbers")


def _cells(block: Cells) -> Table:
    rows = [
        (Cell(label), _number(x), _number(y))
        for label, (x, y) in zip(block.labels, block.points, strict=True)
    ]
    columns = (Column("point"), Column("x", "number"), Column("y", "number"))
    return Table.of(columns, rows, caption=f"{block.title}: numbers")


def _chart(block: Chart) -> Table:
    """One row per point of each series; columns that no series has are left out."""
    shared = all(s.x == block.series[0].x for s in block.series)
    bounded = any(s.low for s in block.series)
    if shared and not bounded and (block.band or block.strip):
        return _along(block)
    labelled = any(s.labels for s in block.series)
    several = len(block.series) > 1
    has_x = block.kind != "interval"
    names = dict(block.x_names)
    columns = [
        *([Column("series")] if several else []),
        *([Column("item")] if labelled else []),
        *([Column(block.x_title or "x", "number")] if has_x else []),
        Column((block.y_title if has_x else block.x_title) or "value", "number"),
        *([Column("low", "number"), Column("high", "number")] if bounded else []),
    ]
    rows = [
        (
            *([Cell(s.label)] if several else []),
            *([Cell(_at(s.labels, k))] if labelled else []),
            *([Cell(names[s.x[k]]) if s.x[k] in names else _number(s.x[k])] if has_x else []),
            _number(s.y[k]),
            *([_bound(s.low, k), _bound(s.high, k)] if bounded else []),
        )
        for s in block.series
        for k in range(len(s.y))
    ]
    return Table.of(columns, rows, caption=f"{block.title}: numbers")


def _along(block: Chart) -> Table:
    """One row per x, which all series share: what holds there, and the value of each series."""
    first, names = block.series[0], dict(block.x_names)
    columns = [
        Column(block.x_title or "x", "number"),
        *([Column("over it")] if block.strip else []),
        *([Column(block.band.label)] if block.band else []),
        *(Column(s.label, "number") for s in block.series),
    ]

    def row(k: int) -> tuple[Cell, ...]:
        x = first.x[k]
        piece = next((p.label for p in block.strip if p.low <= x <= p.high), "")
        inside = block.band is not None and block.band.low <= x <= block.band.high
        return (
            Cell(names[x]) if x in names else _number(x),
            *([Cell(piece)] if block.strip else []),
            *([Cell("yes" if inside else "no")] if block.band else []),
            *(_number(s.y[k]) for s in block.series),
        )

    return Table(tuple(columns), len(first.x), row, caption=f"{block.title}: numbers")


def _at(labels: Sequence[str], k: int) -> str:
    return labels[k] if k < len(labels) else ""


def _bound(values: Sequence[float], k: int) -> Cell:
    return _number(values[k]) if k < len(values) else Cell("")
