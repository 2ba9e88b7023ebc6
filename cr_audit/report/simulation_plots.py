"""Plots of the simulations as SVG, written by hand: the same facts give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cr_audit.simulate.case_study import CLONES, CaseRow, CaseStudy
from cr_audit.simulate.catalogue import Facts
from cr_audit.simulate.robustness import ExampleRates, RobustnessRate
from cr_audit.simulate.table3 import Table3
from cr_audit.simulate.voronoi_figures import Figure, VoronoiFigures
from cr_audit.write.svg_text import svg_text, text_width

# Okabe and Ito's colours, told apart by readers who do not see red and green alike.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#777777"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
PANEL_WIDTH, PANEL_HEIGHT, MARGIN, SIZE = 320, 280, 46, 11
MAX_COLUMNS = 3
RATES = (0.3, 0.7)  # no win rate of Table 3 lies outside, whatever the number of copies


def plot_simulation(facts: Facts) -> str:
    """An SVG document of one or more panels in rows of three."""
    if isinstance(facts, Table3):
        panels = _table_3(facts)
    elif isinstance(facts, VoronoiFigures):
        panels = [_cells(f) for f in facts.figures]
    elif isinstance(facts, RobustnessRate):
        panels = [_rate(e) for e in facts.examples]
    else:
        panels = _case_study(facts)
    return document(panels)


def document(panels: Sequence[list[str]]) -> str:
    """Panels in rows on white, in one SVG."""
    width = PANEL_WIDTH * min(len(panels), MAX_COLUMNS)
    height = PANEL_HEIGHT * math.ceil(len(panels) / MAX_COLUMNS)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="{SIZE}">'
    )
    body = [head, f'<rect width="{width}" height="{height}" fill="white"/>']
    for k, panel in enumerate(panels):
        row, column = divmod(k, MAX_COLUMNS)
        place = f"{column * PANEL_WIDTH},{row * PANEL_HEIGHT}"
        body += [f'<g transform="translate({place})">', *panel, "</g>"]
    return "\n".join([*body, "</svg>"]) + "\n"


def number(value: float) -> str:
    """Coordinates to a hundredth, without a negative zero."""
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00")


def label(x: float, y: float, text: str, *, anchor: str = "middle", fill: str = "black") -> str:
    place = f'x="{number(x)}" y="{number(y)}"'
    return f'<text {place} text-anchor="{anchor}" fill="{fill}">{svg_text(text)}</text>'


def line(points: Iterable[tuple[float, float]], colour: str, *, dashed: bool = False) -> str:
    joined = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    dash = ' stroke-dasharray="5 3"' if dashed else ""
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'


def dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="3" fill="{colour}"/>'


class Axes:
    """Linear scales of one panel, with a frame and ticks on the left."""

    def __init__(self, low: tuple[float, float], high: tuple[float, float], title: str) -> None:
        self.low, self.high, self.title = low, high, title
        self.parts: list[str] = []

    def x(self, value: float) -> float:
        span = self.high[0] - self.low[0] or 1.0
        return MARGIN + (value - self.low[0]) / span * (PANEL_WIDTH - MARGIN - 16)

    def y(self, value: float) -> float:
        span = self.high[1] - self.low[1] or 1.0
        return PANEL_HEIGHT - MARGIN - (value - self.low[1]) / span * (PANEL_HEIGHT - 2 * MARGIN)

    def frame(self, ticks: Sequence[tuple[float, str]], names: Sequence[tuple[float, str]]) -> None:
        left, right = MARGIN, PANEL_WIDTH - 16
        self.parts.append(label((left + right) / 2, 18, self.title))
        for value, text in ticks:
            y = self.y(value)
            self.parts.append(
                f'<line x1="{left}" x2="{right}" y1="{number(y)}" y2="{number(y)}"'
                ' stroke="#e5e5e5"/>'
            )
            self.parts.append(label(left - 5, y + 4, text, anchor="end", fill=GREY))
        for value, text in names:
            self.parts.append(label(self.x(value), PANEL_HEIGHT - MARGIN + 16, text, fill=GREY))

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        widths = [text_width(text, SIZE) for text, _ in entries]
        gap = (PANEL_WIDTH - MARGIN - sum(widths)) / len(entries)
        x = float(MARGIN)
        for (text, colour), width in zip(entries, widths, strict=True):
            self.parts.append(dot(x + 4, PANEL_HEIGHT - 14, colour))
            self.parts.append(label(x + 11, PANEL_HEIGHT - 10, text, anchor="start"))
            x += width + gap


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


def _table_3(t: Table3) -> list[list[str]]:
    panels = []
    for name in ("average", "weighted"):
        title = f"{name} win rate, by the number of copies of {t.names[2]}"
        axes = Axes((1, RATES[0]), (max(len(t.rows), 2), RATES[1]), title)
        axes.frame(round_ticks(*RATES), [(r.n_copies, str(r.n_copies)) for r in t.rows])
        for k, colour in enumerate(COLOURS[:3]):
            points = [(axes.x(r.n_copies), axes.y(float(getattr(r, name)[k]))) for r in t.rows]
            axes.parts += [line(points, colour), *(dot(x, y, colour) for x, y in points)]
        axes.legend([(n, c) for n, c in zip(t.names, COLOURS, strict=False)])
        panels.append(axes.parts)
    return panels


def _cells(figure: Figure) -> list[str]:
    # As wide as the panel allows at one scale, so that the square is a square.
    wide = (PANEL_WIDTH - MARGIN - 16) / (PANEL_HEIGHT - 2 * MARGIN)
    axes = Axes((0.0, 0.0), (wide, 1.0), f"{figure.title}: exact weight (sampled)")
    axes.frame([], [])
    fills = ("#cfe5f2", "#f7dccb", "#cdebe0", "#f3e2ec")
    for k, cell in enumerate(figure.cells):
        corners = " ".join(f"{number(axes.x(x))},{number(axes.y(y))}" for x, y in cell)
        fill = fills[k % len(fills)]
        axes.parts.append(f'<polygon points="{corners}" fill="{fill}" stroke="{GREY}"/>')
    for k, (point, cell) in enumerate(zip(figure.points, figure.cells, strict=True)):
        axes.parts.append(dot(axes.x(point[0]), axes.y(point[1]), COLOURS[k % 4]))
        x, y = cell.mean(axis=0) if cell.size else point
        text = f"{figure.exact[k]:.3f} ({figure.sampled[k]:.3f})"
        if np.ptp(cell[:, 0]) < 0.2:  # narrower than its label, which goes beside the square
            axes.parts.append(label(axes.x(1.0) + 5, axes.y(y), text, anchor="start"))
        else:
            axes.parts.append(label(axes.x(x), axes.y(y), text))
    return axes.parts


def _rate(e: ExampleRates) -> list[str]:
    def log(v: float) -> float:
        return math.log10(max(v, 1e-300))

    shifts = [v for r in e.rows for v in (r.standard, r.weighted, r.certificate)]
    low, high = math.floor(log(min(shifts))), math.ceil(log(max(shifts)))
    xs = [log(r.epsilon) for r in e.rows]
    axes = Axes((min(xs), low), (max(xs), high), f"{e.example.name}: shift against ε")
    ticks = [(k, f"1e{k}") for k in range(low, high + 1)]
    axes.frame(ticks, [(x, f"{r.epsilon:g}") for x, r in zip(xs, e.rows, strict=True)])
    for name, colour, dashed in (
        ("standard", BLUE, False),
        ("weighted", ORANGE, False),
        ("certificate", GREY, True),
    ):
        points = [
            (axes.x(x), axes.y(log(getattr(r, name)))) for x, r in zip(xs, e.rows, strict=True)
        ]
        axes.parts.append(line(points, colour, dashed=dashed))
    axes.legend([("standard", BLUE), ("weighted", ORANGE), ("certificate", GREY)])
    return axes.parts


def _case_study(c: CaseStudy) -> list[list[str]]:
    """Rewards per topic without and with clones, standard and weighted, then shifts per scheme."""
    panels = []
    for n in dict.fromkeys(r.n_comparisons for r in c.rows):
        for scheme, space, title in (
            ("uniform", None, "standard"),
            ("voronoi", "sphere", "voronoi sphere"),
            ("sharing", None, "sharing"),
        ):
            rows = [
                r
                for r in c.rows
                if r.n_comparisons == n and r.scheme == scheme and r.space == space
            ]
            many = f"{n:,} comparisons" if n else "exact preferences"
            panels.append(_topic_panel(c, rows, f"{title} rewards, {many}"))
    panels.append(_shift_panel([r for r in c.rows if r.n_comparisons == 0]))
    return panels


def _topic_panel(c: CaseStudy, rows: list[CaseRow], title: str) -> list[str]:
    everything = [
        float(v)
        for r in c.rows
        for means, errors in ((r.before, r.error_before), (r.after, r.error_after))
        for m, s in zip(means, errors, strict=True)
        for v in (m - s, m + s)
        if r.n_comparisons == rows[0].n_comparisons
    ]
    ticks = round_ticks(min(everything), max(everything))
    axes = Axes((-0.5, ticks[0][0]), (len(c.topics) - 0.5, ticks[-1][0]), title)
    axes.frame(ticks, [(k, t) for k, t in enumerate(c.topics)])
    series: list[tuple[str, Any, Any]] = [("none", rows[0].before, rows[0].error_before)]
    series += [(r.clones, r.after, r.error_after) for r in rows]
    for s, (_, means, errors) in enumerate(series):
        for k, (mean, error) in enumerate(zip(means, errors, strict=True)):
            x = axes.x(k + (s - 1.5) * 0.16)
            span = [(x, axes.y(float(mean - error))), (x, axes.y(float(mean + error)))]
            axes.parts += [line(span, COLOURS[s]), dot(x, axes.y(float(mean)), COLOURS[s])]
    axes.legend([(name, COLOURS[s]) for s, (name, _, _) in enumerate(series)])
    return axes.parts


def _shift_panel(rows: list[CaseRow]) -> list[str]:
    """Share of the standard shift, a line of dots per scheme."""
    names = list(dict.fromkeys(f"{r.scheme} {r.space or ''}".strip() for r in rows))[1:]
    ticks = round_ticks(0.0, max(1.0, *(r.share for r in rows)))
    high = ticks[-1][0]
    axes = Axes((0.0, len(names) - 0.5), (high, -0.5), "share of the standard shift")
    axes.frame([], ticks)
    left, right = axes.x(0.0), axes.x(high)
    for k, name in enumerate(names):
        axes.parts.append(line([(left, axes.y(k)), (right, axes.y(k))], "#e5e5e5"))
        axes.parts.append(label(left + 2, axes.y(k) - 6, name, anchor="start", fill=GREY))
        for s, kind in enumerate(CLONES, 1):
            row = next(
                r
                for r in rows
                if f"{r.scheme} {r.space or ''}".strip() == name and r.clones == kind
            )
            axes.parts.append(dot(axes.x(row.share), axes.y(k), COLOURS[s]))
    axes.legend([(kind, COLOURS[s]) for s, kind in enumerate(CLONES, 1)])
    return axes.parts
