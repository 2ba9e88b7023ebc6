"""Pictures of a page as SVG. Colours are classes of the page's style, so that they follow light and
dark; every point says on hover what it is. The same block gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from cr_audit.blocks import (
    Cells,
    Chart,
    Colouring,
    Map,
    Matrix,
    Series,
    Slope,
    SlopeChart,
    Stretch,
)
from cr_audit.write.chart_svg import round_ticks
from cr_audit.write.escape import beginning
from cr_audit.write.html.text import text
from cr_audit.write.svg_text import text_width

WIDTH, SIZE = 760, 13
ROW = 24
MAX_NAME = 34
N_COLOURS = 6
MAX_DOTS = 80
"""Points of a line that are drawn, each with its value, if there are no more."""
STRIP = 24.0
"""Height of the named pieces of the axis over a picture, with the room under them."""


def _p(value: float) -> str:
    """A coordinate to a tenth of a pixel."""
    shown = f"{value:.1f}"
    return "0" if shown in ("-0.0", "0.0") else shown.removesuffix(".0")


def _svg(parts: Iterable[str], height: float, title: str, description: str, key: str) -> str:
    size = f'viewBox="0 0 {WIDTH} {_p(height)}" width="{WIDTH}" height="{_p(height)}"'
    names = (
        f'<title id="{key}t">{text(title, 200)}</title><desc id="{key}d">{text(description)}</desc>'
    )
    return f'<svg {size} role="img" aria-labelledby="{key}t {key}d">{names}{"".join(parts)}</svg>'


def _label(x: float, y: float, words: str, anchor: str = "middle", kind: str = "") -> str:
    """Some text. anchor : which end stands at x."""
    classes = f' class="{kind}"' if kind else ""
    where = f'x="{_p(x)}" y="{_p(y)}"'
    end = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f"<text{classes} {where}{end}>{text(words, 200)}</text>"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str, hover: str = "") -> str:
    at = f'x1="{_p(x1)}" y1="{_p(y1)}" x2="{_p(x2)}" y2="{_p(y2)}"'
    if not hover:
        return f'<line class="{kind}" {at}/>'
    return f'<line class="{kind}" {at}><title>{text(hover, 300)}</title></line>'


def _dot(x: float, y: float, kind: str, hover: str, radius: float = 4) -> str:
    inside = f"<title>{text(hover, 300)}</title>" if hover else ""
    return f'<circle class="{kind}" cx="{_p(x)}" cy="{_p(y)}" r="{_p(radius)}">{inside}</circle>'


def _colour(k: int, series: Series | None = None) -> str:
    return "c-grey" if series is not None and series.dashed else f"c{k % N_COLOURS}"


class _Scale:
    """From values to pixels along one axis."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.span = low, (high - low) or 1.0
        self.start, self.length = start, end - start

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / self.span * self.length


def _log(value: float) -> float:
    return math.log10(max(value, 1e-300))


def _ticks(low: float, high: float, log: bool, most: int) -> list[tuple[float, str]]:
    if not log:
        return round_ticks(low, high, most)
    first, last = math.floor(low), math.ceil(high)
    step = max(1, math.ceil((last - first) / 8))
    return [
        (float(k), f"{10.0**k:g}" if -4 < k < 5 else f"1e{k}") for k in range(first, last + 1, step)
    ]


def chart(block: Chart, key: str) -> str:
    """Lines, points, bars or intervals."""
    if block.kind == "interval":
        parts, height = _intervals(block)
    else:
        parts, height = _plane(block)
    return _svg(parts, height, block.title, block.description, key)


def _nothing() -> tuple[list[str], float]:
    return [_label(WIDTH / 2, 40, "nothing to draw", kind="dim")], 80


def _plane(block: Chart) -> tuple[list[str], float]:
    """Over two axes."""
    to_x: Callable[[float], float] = _log if block.x_log else float
    to_y: Callable[[float], float] = _log if block.y_log else float
    xs = [to_x(v) for s in block.series for v in s.x if math.isfinite(v)]
    ys = [to_y(v) for s in block.series for v in (*s.y, *s.low, *s.high) if math.isfinite(v)]
    if not xs or not ys:
        return _nothing()
    if block.kind == "bars":
        ys.append(0.0)
    if block.y_range is not None:
        ys = [*block.y_range]
    y_ticks = _ticks(min(ys), max(ys), block.y_log, 5)
    left = 18 + max(text_width(t, SIZE) for _, t in y_ticks)
    top, bottom, right = 44.0 + STRIP * bool(block.strip), 330.0, WIDTH - 16.0
    x_low, x_high, x_ticks = _x_axis(block, xs, to_x)
    x, y = _Scale(x_low, x_high, left, right), _Scale(y_ticks[0][0], y_ticks[-1][0], bottom, top)
    parts = [] if block.band is None else _band(block.band, lambda v: x(to_x(v)), top, bottom)
    parts += _strip(block, lambda v: x(to_x(v)), top)
    parts += [_line(left, y(v), right, y(v), "grid") for v, _ in y_ticks]
    parts += [_label(left - 8, y(v) + 4, t, "end", "dim") for v, t in y_ticks]
    room = (right - left) / max(len(x_ticks), 1)
    fits = max(3, int(room / (0.6 * SIZE)))
    parts += [_label(x(v), bottom + 20, beginning(t, fits), kind="dim") for v, t in x_ticks]
    parts.append(_label((left + right) / 2, bottom + 42, block.x_title, kind="dim"))
    parts.append(_label(8, 18, block.y_title, "start", "dim"))
    bars = [k for k, s in enumerate(block.series) if block.kind == "bars" and not s.dashed]
    for k, series in enumerate(block.series):
        side = (bars.index(k), len(bars)) if k in bars else (0, 1)
        parts += _drawn(
            block, series, _colour(k, series), lambda v: x(to_x(v)), lambda v: y(to_y(v)), side
        )
    parts += _legend([(s.label, _colour(k, s)) for k, s in enumerate(block.series)], right, 18)
    return parts, 390


def _band(band: Stretch, x: Callable[[float], float], top: float, bottom: float) -> list[str]:
    """A shaded piece of the plane, named at its foot."""
    start, end = x(band.low), x(band.high)
    at = f'x="{_p(start)}" y="{_p(top)}" width="{_p(end - start)}" height="{_p(bottom - top)}"'
    hover = f"<title>{text(f'{band.label}: {band.low:.3g} to {band.high:.3g}', 300)}</title>"
    return [f'<rect class="band" {at}>{hover}</rect>']


def _strip(block: Chart, x: Callable[[float], float], top: float) -> list[str]:
    """Named pieces of the axis over the plane; a name that has no room is left to the hover."""
    colours = {s.label: _colour(k, s) for k, s in enumerate(block.series)}
    parts: list[str] = []
    for piece in block.strip:
        start, end = x(piece.low), x(piece.high)
        at = f'x="{_p(start)}" y="{_p(top - STRIP)}" width="{_p(end - start - 1)}" height="18"'
        hover = text(f"{piece.label}: {piece.low:.3g} to {piece.high:.3g}", 300)
        kind = f"strip fill {colours.get(piece.label, 'c-grey')}"
        parts.append(f'<rect class="{kind}" {at}><title>{hover}</title></rect>')
        shown = beginning(piece.label, max(1, int((end - start - 8) / (0.6 * SIZE))))
        if len(shown) > 2:
            parts.append(_label((start + end) / 2, top - STRIP + 13.5, shown))
    return parts


def _x_axis(
    block: Chart, xs: Sequence[float], to_x: Callable[[float], float]
) -> tuple[float, float, list[tuple[float, str]]]:
    """Both ends of the axis, and its ticks."""
    if block.x_names:
        ticks = [(to_x(v), n) for v, n in block.x_names]
        pad = 0.5 if len(ticks) > 1 and not block.x_log else 0.0
        return min(*xs, ticks[0][0]) - pad, max(*xs, ticks[-1][0]) + pad, ticks
    if block.kind == "bars":
        low, high = min(xs) - 0.7, max(xs) + 0.7
        return low, high, [t for t in round_ticks(low, high, 8) if low <= t[0] <= high]
    ticks = _ticks(min(xs), max(xs), block.x_log, 8)
    return min(*xs, ticks[0][0]), max(*xs, ticks[-1][0]), ticks


def _hover(block: Chart, series: Series, k: int) -> str:
    names = dict(block.x_names)
    head = series.labels[k] if k < len(series.labels) else series.label
    where = names.get(series.x[k], f"{series.x[k]:.4g}")
    span = ""
    if k < len(series.low) and math.isfinite(series.low[k]):
        span = f" [{series.low[k]:.4g}, {series.high[k]:.4g}]"
    at = "" if block.kind == "interval" else f" ({block.x_title} {where})"
    return f"{head}: {series.y[k]:.4g}{span}{at}"


def _drawn(
    block: Chart,
    series: Series,
    colour: str,
    x: Callable[[float], float],
    y: Callable[[float], float],
    side: tuple[int, int] = (0, 1),
) -> list[str]:
    """One series. side : which of how many bars that stand side by side over one x."""
    shown = [
        k
        for k, (a, b) in enumerate(zip(series.x, series.y, strict=True))
        if math.isfinite(a) and math.isfinite(b)
    ]
    parts: list[str] = []
    offset = 0.0
    if block.kind == "line" or series.dashed:
        joined = " ".join(f"{_p(x(series.x[k]))},{_p(y(series.y[k]))}" for k in shown)
        dashed = " dashed" if series.dashed else ""
        parts.append(f'<polyline class="line {colour}{dashed}" points="{joined}"/>')
    if block.kind == "bars" and not series.dashed:
        whole = min(30.0 * side[1], 0.8 * _gap([x(series.x[k]) for k in shown]))
        width = max(1.0, whole / side[1])
        offset = (side[0] - (side[1] - 1) / 2) * width
        for k in shown:
            top, zero = y(series.y[k]), y(0.0)
            at = f'x="{_p(x(series.x[k]) + offset - width / 2)}" y="{_p(min(top, zero))}"'
            size = f'width="{_p(width)}" height="{_p(max(abs(top - zero), 0.5))}"'
            hover = text(_hover(block, series, k), 300)
            parts.append(f'<rect class="fill {colour}" {at} {size}><title>{hover}</title></rect>')
    for k in shown:
        if k < len(series.low) and math.isfinite(series.low[k]) and math.isfinite(series.high[k]):
            at_x = x(series.x[k]) + offset
            kind = "whisker" if block.kind == "bars" else f"line {colour}"
            parts.append(_line(at_x, y(series.low[k]), at_x, y(series.high[k]), kind))
    dots = block.kind == "scatter" or series.dots
    if dots or (block.kind == "line" and not series.dashed and len(shown) <= MAX_DOTS):
        parts += [
            _dot(x(series.x[k]), y(series.y[k]), f"fill {colour}", _hover(block, series, k))
            for k in shown
        ]
    return parts


def _gap(xs: Sequence[float]) -> float:
    """The smallest distance of two neighbours."""
    ordered = sorted(set(xs))
    return min((b - a for a, b in pairwise(ordered)), default=WIDTH / 4)


def _legend(entries: Sequence[tuple[str, str]], right: float, y: float) -> list[str]:
    """Names of the series, flush right over the picture; nothing for a single one."""
    if len(entries) < 2:
        return []
    parts: list[str] = []
    end = right
    for label, colour in reversed(entries):
        shown = beginning(label, 24 if len(entries) > 3 else MAX_NAME)
        end -= text_width(shown, SIZE)
        parts.append(_label(end, y, shown, "start"))
        parts.append(f'<circle class="fill {colour}" cx="{_p(end - 10)}" cy="{_p(y - 4)}" r="5"/>')
        end -= 30
    return parts


def _intervals(block: Chart) -> tuple[list[str], float]:
    """One row per item: a dot at the value, a line over its interval."""
    rows: dict[tuple[str, int], int] = {}
    places: list[list[int]] = []
    for series in block.series:
        seen: dict[str, int] = {}
        mine = []
        for name in series.labels:
            nth = seen[name] = seen.get(name, -1) + 1
            mine.append(rows.setdefault((name, nth), len(rows)))
        places.append(mine)
    values = [v for s in block.series for v in (*s.y, *s.low, *s.high) if math.isfinite(v)]
    if not values or not rows:
        return _nothing()
    names = [beginning(name, MAX_NAME) for name, _ in rows]
    left = 16 + min(280.0, max(text_width(n, SIZE) for n in names))
    ticks = round_ticks(min(values), max(values), 6)
    top, right = 44.0 if len(block.series) > 1 else 12.0, WIDTH - 20.0
    bottom = top + ROW * len(names)
    x = _Scale(ticks[0][0], ticks[-1][0], left, right)
    parts = [_line(x(v), top, x(v), bottom, "zero" if v == 0 else "grid") for v, _ in ticks]
    parts += [_label(x(v), bottom + 18, t, kind="dim") for v, t in ticks]
    parts += [_label(left - 10, top + ROW * (k + 0.5) + 4, n, "end") for k, n in enumerate(names)]
    parts.append(_label((left + right) / 2, bottom + 38, block.x_title, kind="dim"))
    for k, series in enumerate(block.series):
        offset = (k - (len(block.series) - 1) / 2) * 8
        for j, row in enumerate(places[k]):
            if not math.isfinite(series.y[j]):
                continue
            y, hover = top + ROW * (row + 0.5) + offset, _hover(block, series, j)
            several = len(block.series) > 1
            hover = f"{hover}, {series.label}" if several else hover
            if j < len(series.low) and math.isfinite(series.low[j]):
                ends = x(series.low[j]), x(series.high[j])
                parts.append(_line(ends[0], y, ends[1], y, f"line {_colour(k)}", hover))
            parts.append(_dot(x(series.y[j]), y, f"fill {_colour(k)}", hover))
    parts += _legend([(s.label, _colour(k)) for k, s in enumerate(block.series)], right, 20)
    return parts, bottom + 50


# --- slopes ---


def slope(block: SlopeChart, key: str) -> str:
    """Two columns of names with their values, joined by lines; marked ones in colour with an
    arrow."""
    valued = any(s.left_text or s.right_text for s in block.slopes)
    name = 22 if valued else MAX_NAME
    texts = [t for s in block.slopes for t in (s.left_text, s.right_text)]
    value = 16 + max(text_width(t, SIZE) for t in texts) if valued else 0.0
    side = min(160.0, max(text_width(beginning(s.label, name), SIZE) for s in block.slopes))
    start, end, top = 12 + side + value, WIDTH - 28 - side - value, 56.0
    parts = [
        _label(start - 10, 30, block.left, "end", "strong"),
        _label(end + 24, 30, block.right, "start", "strong"),
    ]
    for s in sorted(block.slopes, key=lambda s: (s.marked, s.left)):
        parts += _one_slope(s, name, value, start, end, top)
    description = block.note or f"{block.left} and {block.right}"
    return _svg(parts, top + ROW * len(block.slopes) + 12, block.title, description, key)


def _one_slope(
    s: Slope, name: int, value: float, start: float, end: float, top: float
) -> list[str]:
    kind = ("up" if s.rises else "down") if s.marked else ""
    y1, y2 = (top + ROW * (row + 0.5) for row in (s.left, s.right))
    label = beginning(s.label, name)
    bold = f"t-{kind}" if kind else ""
    hover = f"{s.label}: place {s.left + 1} to {s.right + 1}"
    if s.left_text or s.right_text:
        hover += f"; {s.left_text} to {s.right_text}"
    parts = [
        _line(start, y1, end, y2, f"slope {kind}".strip(), hover),
        _label(start - 10 - value, y1 + 4, label, "end", bold),
        _label(end + 24 + value, y2 + 4, label, "start", bold),
    ]
    if value:
        parts.append(_label(start - 10, y1 + 4, s.left_text, "end", "dim"))
        parts.append(_label(end + 24, y2 + 4, s.right_text, "start", "dim"))
    if kind:
        parts.append(_label(end + 12, y2 + 4, "▲" if s.rises else "▼", kind=bold))
    return parts


# --- map ---

MAP_HEIGHT = 480
CROWD = 300
"""Points of a map that are drawn in full size; more of them are smaller."""


def map_(block: Map, key: str) -> str:
    """Large points first, so that none hides a smaller one."""
    order = sorted(range(len(block.points)), key=lambda k: (-block.sizes[k], k))
    crowd = math.sqrt(min(1.0, CROWD / max(len(order), 1)))
    parts = []
    first = block.colourings[0].groups
    for k in order:
        x, y = block.points[k]
        kind = f"m {map_class(first[k])}"
        at = (14 + x * (WIDTH - 28), MAP_HEIGHT - 14 - y * (MAP_HEIGHT - 28))
        radius = _radius(block.sizes[k]) * crowd
        parts.append(_dot(*at, kind, block.labels[k], radius))
    return _svg(parts, MAP_HEIGHT, block.title, block.description, key)


def _radius(size: float) -> float:
    """Area by weight, within what can be seen and what hides nothing."""
    return 2.5 + 3.5 * math.sqrt(min(max(size, 0.0), 6.0))


def map_class(group: int) -> str:
    """The colour of a group."""
    return f"m{group}" if group >= 0 else "m-none"


def map_legends(block: Map) -> str:
    """What the colours are, the largest group first. All but the first wait for the script, which
    offers to colour by them; in which order the points were drawn is said for it."""
    order = sorted(range(len(block.points)), key=lambda k: (-block.sizes[k], k))
    out = []
    for n, colouring in enumerate(block.colourings):
        groups = (
            "" if len(block.colourings) < 2 else " ".join(str(colouring.groups[k]) for k in order)
        )
        out.append(_legend_of(colouring, groups, hidden=n > 0))
    return "".join(out)


def _legend_of(colouring: Colouring, groups: str, *, hidden: bool) -> str:
    entries = [(map_class(k), name) for k, name in enumerate(colouring.names)]
    if any(g < 0 for g in colouring.groups):
        entries.append((map_class(-1), colouring.none))
    items = "".join(
        f'<li><svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">'
        f'<circle class="m {kind}" cx="6" cy="6" r="5"/></svg> {text(name, 60)}</li>'
        for kind, name in entries
    )
    data = f' data-by="{text(colouring.by, 40)}" data-groups="{groups}"' if groups else ""
    return f'<ul class="legend"{data}{" hidden" if hidden else ""}>{items}</ul>'


# --- matrix, cells ---


def matrix(block: Matrix, key: str) -> str:
    """Rows named, columns numbered like the rows; blue wins, orange loses, by how far from 1/2."""
    names = [f"{beginning(n, 26)}  {k}" for k, n in enumerate(block.names, 1)]
    m = len(names)
    left = 16 + min(250.0, max(text_width(n, SIZE) for n in names))
    side = min(46.0, (WIDTH - left - 16) / m)
    top = 30.0
    parts = [_label(left + side * (k + 0.5), 20, str(k + 1), kind="dim") for k in range(m)]
    for i, name in enumerate(names):
        y = top + side * i
        parts.append(_label(left - 8, y + side / 2 + 4, name, "end"))
        parts += [_square(block, i, j, left + side * j, y, side) for j in range(m)]
    at = top + side * m + 24
    parts.append(_label(left, at, f"orange: {block.low}; blue: {block.high}", "start", "dim"))
    return _svg(parts, at + 12, block.title, block.description, key)


def _square(block: Matrix, i: int, j: int, x: float, y: float, side: float) -> str:
    value = block.values[i][j]
    at = f'x="{_p(x)}" y="{_p(y)}" width="{_p(side - 1)}" height="{_p(side - 1)}"'
    if value is None:
        return f'<rect class="none" {at}/>'
    kind = "hi" if value >= 0.5 else "lo"
    strength = round(abs(value - 0.5) * 1.6, 2)
    hover = text(f"{block.names[i]} against {block.names[j]}: {block.texts[i][j]}", 300)
    shown = (
        _label(x + side / 2, y + side / 2 + 4, f"{value:.2f}"[-3:] if value < 1 else "1")
        if side >= 30
        else ""
    )
    square = f'<rect class="{kind}" {at} fill-opacity="{strength:g}"><title>{hover}</title></rect>'
    return square + shown


def cells(block: Cells, key: str) -> str:
    """The unit square, its points and the polygons around them."""
    height = 420.0
    x, y = _Scale(0, 1, 40, 40 + height - 60), _Scale(0, 1, height - 30, 30)
    parts = []
    for k, polygon in enumerate(block.polygons):
        corners = " ".join(f"{_p(x(a))},{_p(y(b))}" for a, b in polygon)
        parts.append(f'<polygon class="cell m{k % N_COLOURS}" points="{corners}"/>')
    for k, (a, b) in enumerate(block.points):
        parts.append(_dot(x(a), y(b), f"fill c{k % N_COLOURS}", block.labels[k]))
        parts.append(_label(x(a) + 8, y(b) - 6, beginning(block.labels[k], 40), "start"))
    return _svg(parts, height, block.title, block.description, key)
