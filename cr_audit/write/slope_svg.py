"""A slope chart as a stand-alone SVG."""

from __future__ import annotations

import math

from cr_audit.blocks import SlopeChart
from cr_audit.write.svg_text import svg_text, text_width

ROW, MIDDLE, TOP, EDGE, GAP, SIZE = 22, 260, 64, 16, 10, 13
_STYLE = (
    f"text{{font:{SIZE}px system-ui,sans-serif;fill:#222}}.t{{font-weight:600}}.n{{fill:#666}}"
    "line{stroke:#b0b0b0;stroke-width:1.5}.up{stroke:#1a7f37;stroke-width:2.5}"
    ".down{stroke:#cf222e;stroke-width:2.5}"
)


def slope_svg(chart: SlopeChart, title: str, note: str) -> str:
    """A stand-alone SVG as wide as its texts need; the same input gives the same bytes.

    Every text is escaped here.
    """
    slopes, left, right = chart.slopes, chart.left, chart.right
    names = [slope.label for slope in slopes]
    start = EDGE + GAP + math.ceil(max(text_width(x, SIZE) for x in (*names, left)))
    end = start + MIDDLE
    needed = end + GAP + max(text_width(x, SIZE) for x in (*names, right))
    bold = 1.1 * text_width(title, SIZE)
    width = EDGE + math.ceil(max(needed, EDGE + bold, EDGE + text_width(note, SIZE)))
    height = TOP + ROW * len(slopes) + 34
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img">',
        f"<title>{svg_text(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text class="t" x="{EDGE}" y="24">{svg_text(title)}</text>',
        f'<text class="n" x="{start - GAP}" y="48" text-anchor="end">{svg_text(left)}</text>',
        f'<text class="n" x="{end + GAP}" y="48">{svg_text(right)}</text>',
    ]
    for slope in sorted(slopes, key=lambda s: (s.marked, s.left)):
        kind = ("up" if slope.rises else "down") if slope.marked else ""
        attribute = f' class="{kind}"' if kind else ""
        y1, y2 = (TOP + ROW * row + ROW // 2 for row in (slope.left, slope.right))
        out.append(f'<line{attribute} x1="{start}" y1="{y1}" x2="{end}" y2="{y2}"/>')
        label = svg_text(slope.label)
        out.append(f'<text x="{start - GAP}" y="{y1 + 4}" text-anchor="end">{label}</text>')
        out.append(f'<text x="{end + GAP}" y="{y2 + 4}">{label}</text>')
    out.append(f'<text class="n" x="{EDGE}" y="{height - 12}">{svg_text(note)}</text>')
    return "\n".join([*out, "</svg>", ""])
