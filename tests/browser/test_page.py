"""The HTML report in a real browser: nothing runs, nothing is asked for, everything can be found.

Needs Chromium (a Debian package) and playwright; skipped, and said so, where they are missing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cr_audit.blocks import (
    Answer,
    Block,
    Cell,
    Chart,
    Colouring,
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
    Series,
    Slope,
    SlopeChart,
    Steps,
    Table,
)
from cr_audit.findings import Finding, Rule, Severity, outcome_of
from cr_audit.reports import Report
from cr_audit.write import WRITERS, Target

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

HOSTILE = (
    "<script>window.ran = 1</script>",
    "</script><script>window.ran = 2</script>",
    "</style><script>window.ran = 3</script>",
    "</title><script>window.ran = 4</script>",
    "<!--<script>window.ran = 5",
    '"><img src=x onerror="window.ran = 6">',
    "' onmouseover='window.ran = 7' x='",
    "<svg onload=window.ran=8><animate onbegin=window.ran=9 attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.ran = 10</script>'></iframe>",
    '<a href="javascript:window.ran = 11">x</a>',
    "<style>*{display:none!important}</style>",
    "</textarea></title></svg></math><script>window.ran = 12</script>",
    "<base href='http://example.invalid/'><link rel=stylesheet href=//example.invalid/x.css>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<meta http-equiv=refresh content='0;url=http://example.invalid/'>",
    "{{constructor.constructor('window.ran = 13')()}}",
    "]]>--><script>window.ran = 14</script>",
    "\u202e\x00\ud800<script>window.ran = 15</script>",
)
RULE = Rule("CR999", "a-rule", Severity.WARNING, "Finds.", "Means.", "Computed.", "Do.")
NAMES = ("alpha", "beta", "gamma", "delta")


def report(texts: tuple[str, ...] = NAMES, n_rows: int = 40) -> Report:
    """A report with every kind of block; ``texts`` stand wherever a text may."""

    def t(k: int) -> str:
        return texts[k % len(texts)]

    labels = tuple(t(k) for k in range(4))
    series = Series(t(0), (0.0, 1.0, 2.0, 3.0), (1.0, 0.4, 0.2, 0.1), labels=labels)
    bounded = Series(
        t(1), (0.0, 1.0, 2.0, 3.0), (1.0, 0.4, 0.2, 0.1), (0.9,) * 4, (1.1,) * 4, labels
    )
    slopes = tuple(Slope(t(k), k, (k + 1) % 4, k == 0, f"0.{k}", f"0.{k + 1}") for k in range(4))

    def blocks() -> list[Block]:
        rows = [
            (Cell(t(k)), Cell(f"{1000 - k:,}", (1000 - k,)), Cell(f"{t(k)}:{k}"), Cell(t(k + 1)))
            for k in range(n_rows)
        ]
        columns = (
            Column("name", "line"),
            Column("n", "count", ("n",)),
            Column("where", "place"),
            Column("id", "id"),
        )
        table = Table.of(columns, rows, name="names", legend=t(2), caption=t(3), main=True)
        diff = Diff(t(0), (t(1), t(2)), (DiffRun("same", t(3)),), (DiffRun("changed", t(0)),))
        drawn = (
            SlopeChart(t(0), t(1), t(2), slopes, t(3)),
            Chart("interval", t(0), t(1), t(2), t(3), (bounded, series)),
            Chart("line", t(1), t(1), t(2), t(3), (bounded, series)),
            Chart("bars", t(2), t(1), t(2), t(3), (series,)),
        )
        return [
            Header("scan", (t(0), t(1)), t(2)),
            Answer((t(0), t(1)), "warning"),
            Section(t(0), t(1), (table, diff, Prose((t(2), t(3)), indent=2))),
            Section(t(1), t(2), drawn),
            Section("Next", "", (Steps(((f"cr-audit scan {t(0)}", t(1)),)),)),
        ]

    def more() -> list[Block]:
        points = tuple((k / 4, 1 - k / 4) for k in range(4))
        by = (
            Colouring("cluster", (0, 0, -1, 1), (t(0), t(1)), t(2)),
            Colouring("kind", (1, -1, 0, 0), (t(2), t(3)), t(0)),
        )
        map_ = Map("Map", t(1), points, (1.0, 2.0, 0.1, 0.5), by, labels, (0, 2, 5, 8), 9)
        values = tuple(tuple(None if i == j else 0.25 for j in range(4)) for i in range(4))
        words = tuple(labels for _ in range(4))
        matrix = Matrix("Matrix", t(0), labels, values, words, t(1), t(2))
        folded = Section(t(3), t(0), (Prose((t(1),)),), folded=True)
        return [
            Numbers((Number("71%", t(0), t(1), "warning"), Number(t(1), t(2)))),
            Section("Map", t(0), (map_,)),
            Section("Matrix", t(1), (matrix, folded)),
        ]

    found = [
        Finding("CR999", Severity.WARNING, t(k), t(k), (f"{t(k)}:3",), {"x": t(k)}, t(k))
        for k in range(7)
    ]
    outcome = outcome_of(found, [RULE], "warning", "a.jsonl")
    return Report("scan", blocks, lambda full: {}, outcome, more=more)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Opened:
    """A page, what it asked for, and what it complained about."""

    def __init__(self, browser: Any, path: Path, markup: str, **how: Any) -> None:
        path.write_text(markup, encoding="utf-8", errors="backslashreplace")
        self.page = browser.new_page(**how)
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.on("console", lambda m: self.said.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.said.append(f"error: {e}"))
        self.page.on("dialog", lambda d: (self.said.append("dialog"), d.dismiss()))
        self.page.goto(path.as_uri())

    def check(self) -> None:
        """Only the file itself was read, and nothing was said."""
        assert [u for u in self.asked if not u.startswith("file:")] == []
        assert len(self.asked) == 1
        assert self.said == []


def written(made: Report) -> str:
    return WRITERS["html"].write(made, Target())


@pytest.fixture(scope="module")
def opened(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    path = tmp_path_factory.mktemp("page") / "report.html"
    made = Opened(browser, path, written(report()))
    yield made
    made.check()
    made.page.close()


def test_the_page_has_one_heading_landmarks_and_a_table_under_every_picture(opened: Opened) -> None:
    page = opened.page
    assert page.locator("h1").count() == 1
    assert page.locator("main, nav, header, footer").count() == 4
    figures = page.locator("figure")
    assert figures.count() == 6
    for k in range(figures.count()):
        figure = figures.nth(k)
        names = figure.locator("svg[role=img]").get_attribute("aria-labelledby").split()
        assert all(figure.locator(f"#{name}").text_content().strip() for name in names)
        assert figure.locator("details table tbody tr").count() >= 4
    for link in page.locator("nav a").all():
        assert page.locator(link.get_attribute("href")).count() == 1


def test_search_finds_rows_and_findings(opened: Opened) -> None:
    page = opened.page
    page.get_by_label("Find in this report").fill("no such thing")
    assert page.locator("main tbody tr:visible").count() == 0
    page.get_by_label("Find in this report").fill("ALPHA")
    shown = page.locator(".finding:visible")
    assert shown.count() == 2
    assert "alpha" in shown.first.text_content()
    page.get_by_label("Find in this report").fill("")
    assert page.locator(".finding:visible").count() == 3
    page.get_by_text("4 more of CR999").click()
    assert page.locator(".finding:visible").count() == 7
    page.get_by_text("4 more of CR999").click()


def test_a_long_table_can_be_filtered_and_sorted(opened: Opened) -> None:
    page = opened.page
    table = page.locator("table", has=page.locator("th", has_text="where")).first
    page.get_by_label("Filter rows").first.fill("gamma")
    n_all, n = table.locator("tbody tr").count(), table.locator("tbody tr:visible").count()
    assert 0 < n < n_all
    page.get_by_label("Filter rows").first.fill("")
    head = table.locator("th", has_text=re.compile("^n$"))
    head.locator("button").press("Enter")
    numbers = [
        int(x.replace(",", "")) for x in table.locator("td:nth-child(2)").all_text_contents()
    ]
    assert numbers == sorted(numbers)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"


def test_of_a_long_list_the_first_rows_are_shown_until_all_are_wanted(opened: Opened) -> None:
    page = opened.page
    table = page.locator("table", has=page.locator("th", has_text="where")).first
    shown = table.locator("tbody tr:visible")
    assert shown.count() == 25
    assert page.get_by_text("The first 25 of these 40 rows.").first.is_visible()
    page.get_by_label("Filter rows").first.fill("alpha")
    assert shown.count() == 20
    page.get_by_label("Filter rows").first.fill("")
    page.get_by_role("button", name="Show all 40").first.press("Enter")
    assert shown.count() == 40
    page.get_by_role("button", name="Show the first 25").first.press("Enter")
    assert shown.count() == 25


def test_points_of_the_map_say_what_they_are(opened: Opened) -> None:
    page = opened.page
    page.get_by_label("Find on the map").fill("beta")
    assert page.locator(".map circle.hit").count() == 1
    page.get_by_label("Find on the map").fill("")
    page.locator(".map .plot circle").first.hover()
    assert page.locator(".tip:visible").text_content() in NAMES
    page.locator(".map .plot").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".map circle.now").count() == 1
    assert page.locator(".tip:visible").text_content() in NAMES
    page.keyboard.press("Escape")
    assert page.locator(".tip:visible").count() == 0


def colours(figure: Any) -> list[str]:
    """The colour of each point as drawn; ``now`` marks where the keyboard stands."""
    kinds = [c.get_attribute("class").split() for c in figure.locator(".plot circle").all()]
    return [next(k for k in kind if re.match(r"m\d|m-none", k)) for kind in kinds]


def test_a_map_can_be_coloured_by_something_else(opened: Opened) -> None:
    figure = opened.page.locator("figure.map")
    at_first = colours(figure)
    figure.get_by_role("radio", name="kind").check()
    # Drawn from the heaviest on: items 1, 0, 3, 2.
    assert colours(figure) == ["m-none", "m1", "m0", "m0"]
    assert figure.locator(".legend:visible").count() == 1
    assert "gamma" in figure.locator(".legend:visible").text_content()
    figure.get_by_role("radio", name="cluster").check()
    assert colours(figure) == at_first


def test_a_page_without_scripts_says_the_same(browser: Any, tmp_path: Path) -> None:
    made = Opened(browser, tmp_path / "a.html", written(report()), java_script_enabled=False)
    assert made.page.locator(".finding").count() == 7
    assert made.page.locator("svg circle title").count() > 4
    made.page.locator("figure summary").first.click()
    assert made.page.locator("figure").first.locator("tbody tr").first.is_visible()
    made.check()


def test_on_paper_tables_have_their_heads_and_numbers_stay_whole(
    browser: Any, tmp_path: Path
) -> None:
    made = Opened(browser, tmp_path / "report.html", written(report()))
    made.page.emulate_media(media="print")
    heads = made.page.locator(".card > .scroll thead th")
    assert heads.count() > 3
    assert all(heads.nth(k).inner_text().strip() for k in range(heads.count()))
    assert all(heads.locator("button").nth(k).is_visible() for k in range(heads.count()))
    assert made.page.locator("button.small:visible, input:visible").count() == 0
    wraps = "e => [...e].map(c => getComputedStyle(c).whiteSpace)"
    assert set(made.page.locator(".card > .scroll td.n").evaluate_all(wraps)) == {"nowrap"}
    made.check()
    made.page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_sideways(browser: Any, tmp_path: Path, width: int) -> None:
    size = {"width": width, "height": 900}
    long = tuple(f"{name} " + "w" * 300 for name in NAMES)
    made = Opened(browser, tmp_path / "a.html", written(report(long)), viewport=size)
    assert made.page.evaluate("document.documentElement.scrollWidth") <= width
    made.check()


def test_nothing_of_hostile_data_runs_and_nothing_is_lost(browser: Any, tmp_path: Path) -> None:
    made = Opened(browser, tmp_path / "a.html", written(report(HOSTILE)))
    page = made.page
    page.wait_for_timeout(300)
    for shape in page.locator(".plot circle").all()[:20]:
        shape.hover(force=True)
    assert page.evaluate("window.ran") is None
    assert page.locator("img, iframe, object, embed, form, base, link").count() == 0
    assert page.locator("script").count() == 1
    assert page.locator("style").count() == 1
    whole = page.evaluate("document.body.textContent")
    for text in HOSTILE[:-1]:
        assert text in whole, text
    assert "<script>window.ran = 15</script>" in whole
    made.check()


def test_an_answer_of_ten_megabytes_is_cut_and_said(browser: Any, tmp_path: Path) -> None:
    huge = "<b>" + "x" * 10_000_000
    markup = written(report((huge, "b", "c", "d")))
    assert len(markup.encode()) < 5_000_000
    made = Opened(browser, tmp_path / "a.html", markup)
    assert "more characters)" in made.page.evaluate("document.body.textContent")
    made.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Any, tmp_path: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    made = Opened(browser, tmp_path / "a.html", written(report()), color_scheme=scheme)
    made.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    made.page.evaluate(source)
    found = made.page.evaluate("axe.run().then(r => r.violations)")
    assert [(v["id"], [n["html"][:200] for n in v["nodes"][:2]]) for v in found] == []


def test_the_same_report_is_the_same_bytes() -> None:
    assert written(report()) == written(report())
