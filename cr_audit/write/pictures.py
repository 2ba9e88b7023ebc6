"""Charts of a report as one SVG document."""

from __future__ import annotations

from collections.abc import Sequence

from cr_audit.blocks import Picture, SlopeChart
from cr_audit.write.chart_svg import charts_svg
from cr_audit.write.slope_svg import slope_svg


def picture(charts: Sequence[Picture]) -> str:
    """A slope chart by itself, or panels of all other charts."""
    first = charts[0]
    if isinstance(first, SlopeChart):
        return slope_svg(first, first.title, first.note)
    return charts_svg([c for c in charts if not isinstance(c, SlopeChart)])
