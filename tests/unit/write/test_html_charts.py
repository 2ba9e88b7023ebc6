"""Pieces of an axis that are shaded or named, and the table under such a picture."""

from __future__ import annotations

import re

import numpy as np

from cr_audit.blocks import Chart, Series, Stretch
from cr_audit.models.penalty import PenaltyPath
from cr_audit.write.html.charts import chart
from cr_audit.write.html.charttables import table_of

X = (0.001, 0.01, 0.1, 1.0)
BLOCK = Chart(
    "line",
    "Path",
    "who leads",
    "penalty",
    "reward",
    (Series("<a>", X, (0.1, 0.2, 0.3, 0.0)), Series("b", X, (0.3, 0.1, 0.1, 0.0))),
    x_log=True,
    band=Stretch(0.01, 0.1, "open"),
    strip=(Stretch(0.001, 0.003, "b"), Stretch(0.003, 1.0, "<a>")),
)


def rectangles(svg: str, kind: str) -> list[tuple[float, float]]:
    """Left and right end of each."""
    found = re.findall(rf'<rect class="{kind}[^"]*" x="([\d.]+)"[^>]* width="([\d.]+)"', svg)
    return [(float(x), float(x) + float(w)) for x, w in found]


def test_the_band_stands_under_the_points_that_it_is_about() -> None:
    svg = chart(BLOCK, "k")
    dots = [float(x) for x in re.findall(r'<circle class="fill c0" cx="([\d.]+)"', svg)]
    ((left, right),) = rectangles(svg, "band")
    inside = [left - 0.2 <= x <= right + 0.2 for x in dots if x > 0]
    assert inside.count(True) == 2
    assert "<a>" not in svg
    assert "open: 0.01 to 0.1" in svg


def test_the_strip_covers_the_axis_in_the_colours_of_the_series() -> None:
    svg = chart(BLOCK, "k")
    (first, second) = rectangles(svg, "strip")
    assert abs(first[1] + 1 - second[0]) < 0.2
    assert re.findall(r'<rect class="strip fill (c\d)"', svg) == ["c1", "c0"]


def test_the_table_says_for_each_penalty_who_leads_and_whether_it_is_open() -> None:
    table = table_of(BLOCK)
    assert [c.title for c in table.columns] == ["penalty", "over it", "open", "<a>", "b"]
    rows = [[str(cell.text) for cell in table.row(k)] for k in range(table.n)]
    assert [row[1:3] for row in rows] == [
        ["b", "no"],
        ["<a>", "yes"],
        ["<a>", "yes"],
        ["<a>", "no"],
    ]


def test_two_paths_are_joined_in_the_order_of_their_penalties() -> None:
    def path(penalties: list[float]) -> PenaltyPath:
        rewards = np.array([[p, -p] for p in penalties])
        rank = np.array([[1, 2] for _ in penalties])
        leaders = tuple((int(10 * p),) for p in penalties)
        return PenaltyPath(np.array(penalties), rewards, rank, np.zeros(2, np.int64), leaders)

    whole = path([0.2, 0.3]).joined(path([0.1, 0.4]))
    assert whole.penalties.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert whole.rewards[:, 0].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert whole.leaders == ((1,), (2,), (3,), (4,))
