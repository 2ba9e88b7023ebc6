"""Charts as SVG, written by hand: no library, the same data give the same bytes.

Measured against libraries for a report that must open offline: vega with lite and embed needs
832 kB of script, ECharts 1.1 MB, Plotly 4.8 MB; these panels need none, are text that a screen
reader reads (``role="img"`` with title and description), and print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from cr_audit.blocks import Cells, Chart, Series
from cr_audit.write.escape import beginning
from cr_audit.write.svg_text import svg_text, text_width

# Okabe and Ito's colours, told apart by readers who do not see red and green alike.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#777777"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#e69f00", "#56b4e9")
PANEL_WIDTH, PANEL_HEIGHT, MARGIN, SIZE = 320, 280, 46, 11
MAX_COLUMNS = 3
ROW = 18
MAX_LABEL = 22
_FILLS = ("#cfe5f2", "#f7dccb", "#cdebe0", "#f3e2ec")


def charts_svg(charts: Sequence[Chart | Cells]) -> str:
    """An SVG document of one or more panels in rows of three."""
    made = [_panel(chart) for chart in charts]
    columns = min(len(made), MAX_COLUMNS)
    rows = [made[k : k + MAX_COLUMNS] for k in range(0, len(made), MAX_COLUMNS)]
    heights = [max(height for _, height in row) for row in rows]
    width, height = PANEL_WIDTH * columns, sum(heights)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="{SIZE}" role="img">'
    )
    title = "; ".join(chart.title for chart in charts)
    body = [
        head,
        f"<title>{svg_text(title)}</title>",
        f"<desc>{svg_text(' '.join(chart.description for chart in charts))}</desc>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    top = 0
    for row, row_height in zip(rows, heights, strict=True):
        for column, (parts, _) in enumerate(row):
            body += [f'<g transform="translate({column * PANEL_WIDTH},{top})">', *parts, "</g>"]
        top += row_height
    return "\n".join([*body, "</svg>"]) + "\n"


def chart_svg(chart: Chart | Cells) -> str:
    """One chart as a document."""
    return charts_svg([chart])


def number(value: float) -> str:
    """Coordinates to a hundredth, without a negative zero."""
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00")


def label(x: float, y: float, text: str, *, anchor: str = "middle", fill: str = "black") -> str:
    """A text at a point, escaped."""
    place = f'x="{number(x)}" y="{number(y)}"'
    return f'<text {place} text-anchor="{anchor}" fill="{fill}">{svg_text(text)}</text>'


def line(points: Iterable[tuple[float, float]], colour: str, *, dashed: bool = False) -> str:
    """A line through points, in pixels."""
    joined = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    dash = ' stroke-dasharray="5 3"' if dashed else ""
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'


def dot(x: float, y: float, colour: str, *, radius: float = 3) -> str:
    """A dot at a point, in pixels."""
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{radius:g}" fill="{colour}"/>'


class Axes:
    """Linear scales of one panel, with a frame and ticks on the left."""

    def __init__(
        self,
        low: tuple[float, float],
        high: tuple[float, float],
        title: str,
        *,
        left: float = MARGIN,
        height: float = PANEL_HEIGHT,
    ) -> None:
        self.low, self.high, self.title = low, high, title
        self.left, self.height = left, height
        self.parts: list[str] = []

    def x(self, value: float) -> float:
        """The pixel of a value on the horizontal axis."""
        span = self.high[0] - self.low[0] or 1.0
        return self.left + (value - self.low[0]) / span * (PANEL_WIDTH - self.left - 16)

    def y(self, value: float) -> float:
        """The pixel of a value on the vertical axis, which grows upwards."""
        span = self.high[1] - self.low[1] or 1.0
        return self.height - MARGIN - (value - self.low[1]) / span * (self.height - 2 * MARGIN)

    def frame(
        self, y_ticks: Sequence[tuple[float, str]], x_ticks: Sequence[tuple[float, str]]
    ) -> None:
        """Draw the title, the axes and their ticks."""
        left, right = self.left, PANEL_WIDTH - 16
        size = SIZE * 1.0
        fits = max(8, int((PANEL_WIDTH - 16) / (0.55 * size)))
        self.parts.append(label(PANEL_WIDTH / 2, 18, beginning(self.title, fits)))
        for value, text in y_ticks:
            y = self.y(value)
            self.parts.append(
                f'<line x1="{number(left)}" x2="{right}" y1="{number(y)}" y2="{number(y)}"'
                ' stroke="#e5e5e5"/>'
            )
            self.parts.append(label(left - 5, y + 4, text, anchor="end", fill=GREY))
        room = int((right - left) / max(len(x_ticks), 1) / (0.55 * size))
        for value, text in x_ticks:
            shown = beginning(text, max(room, 6))
            self.parts.append(label(self.x(value), self.height - MARGIN + 16, shown, fill=GREY))

    def legend(self, entries: Sequence[tuple[str, str]]) -> int:
        """Below the panel, in as many lines as it takes; by how much that makes it higher."""
        distinct = list(dict.fromkeys(entries))
        x, y = float(MARGIN), float(self.height - 14)
        for text, colour in distinct:
            shown = beginning(text, int((PANEL_WIDTH - MARGIN - 20) / (0.55 * SIZE)))
            width = text_width(shown, SIZE) + 24
            if x > MARGIN and x + width > PANEL_WIDTH:
                x, y = float(MARGIN), y + ROW
            self.parts.append(dot(x + 4, y, colour))
            self.parts.append(label(x + 11, y + 4, shown, anchor="start"))
            x += width
        return int(y + 14) - int(self.height) if distinct else 0


def round_ticks(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """Round numbers from at or below ``low`` to at or above ``high``, and how they are written.

    ``most`` steps of 1, 2, 2.5 or 5 times a power of ten, and one more where neither end is round.
    """
    least = (high - low or 1.0) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= least * (1 - 1e-9))
    places = next(n for n in range(16) if math.isclose(step, round(step, n), rel_tol=1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [k * step for k in range(first, last + 1)]
    return [(v, f"{v + 0.0:.{places}f}") for v in ticks]


def _panel(chart: Chart | Cells) -> tuple[list[str], int]:
    """The parts of one panel, and how high it is."""
    if isinstance(chart, Cells):
        return _cells(chart), PANEL_HEIGHT
    if chart.kind == "interval":
        return _intervals(chart)
    return _plane(chart)


def _colours(chart: Chart) -> list[str]:
    """Of each series: grey for a dashed one, else one colour a label."""
    solid = list(dict.fromkeys(s.label for s in chart.series if not s.dashed))
    return [
        GREY if s.dashed else COLOURS[solid.index(s.label) % len(COLOURS)] for s in chart.series
    ]


def _log(value: float) -> float:
    return math.log10(max(value, 1e-300))


def _ticks(low: float, high: float, log: bool) -> list[tuple[float, str]]:
    if not log:
        return round_ticks(low, high)
    first, last = math.floor(low), math.ceil(high)
    step = max(1, math.ceil((last - first) / 6))
    return [(float(k), f"1e{k}") for k in range(first, last + 1, step)]


def _plane(chart: Chart) -> tuple[list[str], int]:
    """Lines, points or bars over two axes, and the height."""
    to_x: Callable[[float], float] = _log if chart.x_log else float
    to_y: Callable[[float], float] = _log if chart.y_log else float
    xs = [to_x(v) for s in chart.series for v in s.x if math.isfinite(v)]
    ys = [to_y(v) for s in chart.series for v in (*s.y, *s.low, *s.high) if math.isfinite(v)]
    if not xs or not ys:
        nothing = label(PANEL_WIDTH / 2, PANEL_HEIGHT / 2, "nothing to draw", fill=GREY)
        return [nothing], PANEL_HEIGHT
    if chart.kind == "bars":
        ys.append(0.0)
    if chart.y_range is not None:
        ys = [*chart.y_range]
    y_ticks = _ticks(min(ys), max(ys), chart.y_log)
    names = chart.x_names or ()
    x_ticks = [(to_x(v), n) for v, n in names] if names else _ticks(min(xs), max(xs), chart.x_log)
    pad = 0.5 if chart.x_names and len(chart.x_names) > 1 and not chart.x_log else 0.0
    low = (min(*xs, *(v for v, _ in x_ticks)) - pad, y_ticks[0][0])
    high = (max(*xs, *(v for v, _ in x_ticks)) + pad, y_ticks[-1][0])
    axes = Axes(low, high, chart.title)
    axes.frame(y_ticks, x_ticks)
    colours = _colours(chart)
    for k, (series, colour) in enumerate(zip(chart.series, colours, strict=True)):
        beside = 11.0 * (k - (len(chart.series) - 1) / 2) if chart.kind == "bars" else 0.0
        _draw(axes, chart.kind, series, colour, to_x, to_y, beside)
    more = 0
    if len(chart.series) > 1:
        more = axes.legend([(s.label, c) for s, c in zip(chart.series, colours, strict=True)])
    return axes.parts, PANEL_HEIGHT + more


def _draw(
    axes: Axes,
    kind: str,
    series: Series,
    colour: str,
    to_x: Callable[[float], float],
    to_y: Callable[[float], float],
    beside: float = 0.0,
) -> None:
    """beside : how far right of their places bars stand, so that those of two series are seen."""
    points = [
        (axes.x(to_x(x)) + beside, axes.y(to_y(y)))
        for x, y in zip(series.x, series.y, strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    for x, low, high in zip(series.x, series.low, series.high, strict=False):
        if math.isfinite(low) and math.isfinite(high):
            ends = [(axes.x(to_x(x)), axes.y(to_y(v))) for v in (low, high)]
            axes.parts.append(line(ends, colour))
    if kind == "bars":
        zero = axes.y(0.0)
        for x, y in points:
            axes.parts.append(
                f'<rect x="{number(x - 5)}" y="{number(min(y, zero))}" width="10"'
                f' height="{number(abs(y - zero))}" fill="{colour}"/>'
            )
        return
    if kind == "line":
        axes.parts.append(line(points, colour, dashed=series.dashed))
    if kind == "scatter" or series.dots:
        axes.parts += [dot(x, y, colour) for x, y in points]


def _intervals(chart: Chart) -> tuple[list[str], int]:
    """One row per label: a dot at the value, a line over its interval."""
    names = list(dict.fromkeys(n for s in chart.series for n in s.labels))
    values = [v for s in chart.series for v in (*s.y, *s.low, *s.high) if math.isfinite(v)]
    height = max(PANEL_HEIGHT, 2 * MARGIN + ROW * len(names))
    if not values:
        return [label(PANEL_WIDTH / 2, height / 2, "nothing to draw", fill=GREY)], height
    shown = {n: beginning(n, MAX_LABEL) for n in names}
    left = 8 + max(text_width(n, SIZE) for n in shown.values())
    ticks = round_ticks(min(values), max(values), 4)
    axes = Axes(
        (ticks[0][0], len(names) - 0.5), (ticks[-1][0], -0.5), chart.title, left=left, height=height
    )
    axes.frame([(float(k), shown[n]) for k, n in enumerate(names)], ticks)
    for k, series in enumerate(chart.series):
        colour = COLOURS[k % len(COLOURS)]
        offset = (k - (len(chart.series) - 1) / 2) * 0.22
        for j, (name, value) in enumerate(zip(series.labels, series.y, strict=True)):
            y = axes.y(names.index(name) + offset)
            if j < len(series.low) and math.isfinite(series.low[j]):
                ends = [(axes.x(v), y) for v in (series.low[j], series.high[j])]
                axes.parts.append(line(ends, colour))
            if math.isfinite(value):
                axes.parts.append(dot(axes.x(value), y, colour))
    more = 0
    if len(chart.series) > 1:
        more = axes.legend(
            [(s.label, COLOURS[k % len(COLOURS)]) for k, s in enumerate(chart.series)]
        )
    return axes.parts, height + more


def _cells(chart: Cells) -> list[str]:
    # As wide as the panel allows at one scale, so that the square is a square.
    wide = (PANEL_WIDTH - MARGIN - 16) / (PANEL_HEIGHT - 2 * MARGIN)
    axes = Axes((0.0, 0.0), (wide, 1.0), chart.title)
    axes.frame([], [])
    for k, cell in enumerate(chart.polygons):
        corners = " ".join(f"{number(axes.x(x))},{number(axes.y(y))}" for x, y in cell)
        fill = _FILLS[k % len(_FILLS)]
        axes.parts.append(f'<polygon points="{corners}" fill="{fill}" stroke="{GREY}"/>')
    for k, (point, cell) in enumerate(zip(chart.points, chart.polygons, strict=True)):
        axes.parts.append(dot(axes.x(point[0]), axes.y(point[1]), COLOURS[k % 4]))
        xs = [x for x, _ in cell] or [point[0]]
        ys = [y for _, y in cell] or [point[1]]
        x, y = sum(xs) / len(xs), sum(ys) / len(ys)
        if max(xs) - min(xs) < 0.2:  # narrower than its label, which goes beside the square
            axes.parts.append(label(axes.x(1.0) + 5, axes.y(y), chart.labels[k], anchor="start"))
        else:
            axes.parts.append(label(axes.x(x), axes.y(y), chart.labels[k]))
    return axes.parts
