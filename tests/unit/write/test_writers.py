"""The formats of one small report: what each says, and that no text of the data is interpreted."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import PurePath
from xml.etree import ElementTree as ET

import pytest

from cr_audit.blocks import (
    Answer,
    Block,
    Cell,
    Cells,
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
    Span,
    Steps,
    Table,
    Verdict,
)
from cr_audit.errors import UsageError
from cr_audit.findings import Finding, Rule, Severity, outcome_of
from cr_audit.reports import Report
from cr_audit.write import WRITERS, Target, Writer, format_of, register

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[31mred\x1b[0m",
    "::error file=a::b",
    "##vso[task.setvariable]x",
    "| a | b |\n| - | - |",
    "[link](http://example.com) @somebody #1 ![x](y)",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe",
    "\x00\ud800\ufffe",
    "`code` **bold** ]]> --> &amp;",
    "javascript:alert(1)",
    "data:text/html,<b>x</b>",
)
RULE = Rule("CR999", "a-rule", Severity.WARNING, "Finds.", "Means.", "Computed.", "Do.")


def blocks_with(text: str) -> list[Block]:
    """Every kind of block, with ``text`` wherever a text may stand."""
    series = Series(text, (0.0, 1.0), (0.5, 0.7), (0.4, 0.6), (0.6, 0.8), (text, "b"))
    return [
        Header("scan", (text,), text, (text,)),
        Answer((text, "second"), "warning"),
        Verdict(False, text, text),
        Section(
            text,
            text,
            (
                Prose((text, (Span(text, "strong"), text)), "dim", 2),
                Steps(((f"cr-audit scan {text}", text),)),
                Table.of(
                    (
                        Column(text),
                        Column("line", "line"),
                        Column("n", "count", ("n",)),
                        Column("where", "place"),
                        Column("id", "id", wide=True),
                    ),
                    [
                        (
                            Cell(text, below=text),
                            Cell(text),
                            Cell("1", (1,)),
                            Cell(f"{text}:3"),
                            Cell(text, tone="bad"),
                        )
                    ]
                    * 3,
                    limit=2,
                    more=text,
                    order=text,
                    legend=text,
                    caption=text,
                    main=True,
                ),
                Diff(text, (text, text), (DiffRun("same", text),), (DiffRun("changed", text),)),
                SlopeChart(text, text, text, (Slope(text, 0, 1, True), Slope("b", 1, 0, False))),
                Chart("interval", text, text, text, text, (series,)),
                Chart("line", text, text, text, text, (series,)),
                Numbers((Number(text, text, text, "bad"), Number("1", text))),
                Map(
                    text,
                    text,
                    ((0.1, 0.2), (0.3, 0.4)),
                    (1.0, 2.0),
                    (
                        Colouring(text, (0, -1), (text,), text),
                        Colouring(text, (-1, 0), (text,), text),
                    ),
                    (text,) * 2,
                    (0, 5),
                    9,
                ),
                Matrix(
                    text,
                    text,
                    (text, "b"),
                    ((None, 0.4), (0.6, None)),
                    ((text, text), (text, text)),
                    text,
                    text,
                ),
                Section(text, text, (Prose((text,)),), folded=True),
                Cells(text, text, ((0.5, 0.5),), (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),), (text,)),
            ),
        ),
    ]


def report_with(text: str) -> Report:
    found = Finding("CR999", Severity.WARNING, text, text, (f"{text}:3",), {"x": text}, text)
    return Report(
        "scan",
        lambda: blocks_with(text),
        lambda full: {"schema": "s", "text": text, "rows": [text]},
        outcome_of([found], [RULE], "warning", "a.jsonl"),
        more=lambda: [Numbers((Number("7", text),)), Section(f"more {text}", text)],
    )


def written(name: str, text: str, target: Target | None = None) -> str:
    return WRITERS[name].write(report_with(text), target or Target())


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("text", HOSTILE)
def test_no_control_characters_and_no_commands(name: str, text: str) -> None:
    out = written(name, text)
    assert not any(ord(c) < 32 and c != "\n" for c in out)
    assert not any(0xD800 <= ord(c) <= 0xDFFF or 0x202A <= ord(c) <= 0x202E for c in out)
    assert "##[" not in out
    assert "##vso[" not in out
    starts = [line for line in out.splitlines() if line.lstrip().startswith("::")]
    if name == "github":
        assert all(line.startswith(("::warning ", "::notice ", "::error ")) for line in starts)
        for line in starts:
            properties = line.split("::")[1].partition(" ")[2].split(",")
            assert {p.partition("=")[0] for p in properties} <= {"file", "line", "title"}
    else:
        assert not starts
    assert out.endswith("\n")


_ADDRESSES = ("href", "xlink:href", "src", "srcset", "srcdoc", "action", "formaction", "data")


class Tags(HTMLParser):
    """Every tag and attribute of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values += [value or "" for name, value in attrs if name in _ADDRESSES]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_browser_finds_no_tag_and_no_attribute_from_the_data(text: str) -> None:
    harmless, hostile = Tags(), Tags()
    harmless.feed(written("html", "plain"))
    page = written("html", text)
    hostile.feed(page)
    assert hostile.tags == harmless.tags
    assert hostile.attributes == harmless.attributes
    assert not {"iframe", "img", "link", "object", "form"} & hostile.tags
    assert page.count("<script>") == 1
    assert page.count("</script>") == 1
    assert not any(name.startswith("on") or name == "style" for name in hostile.attributes)
    assert all(v.startswith("#") for v in hostile.values)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_of_markdown_keeps_its_columns(text: str) -> None:
    rows = [line for line in written("markdown", text).splitlines() if line.startswith("| ")]
    assert rows
    assert len({line.count(" | ") for line in rows}) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_csv_has_every_row_and_no_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(written("csv", text))))
    assert len(rows) == 4  # a header and all three, not the two that people see
    assert {len(r) for r in rows} == {5}
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert [row[2] for row in rows] == ["n", "1", "1", "1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_machine_formats_parse(text: str) -> None:
    json.loads(written("json", text))
    sarif = json.loads(written("sarif", text))
    assert sarif["runs"][0]["results"][0]["ruleId"] == "CR999"
    suite = ET.fromstring(written("junit", text).encode())
    assert suite.get("failures") == "1"


def test_a_narrow_terminal_leaves_out_wide_columns_and_says_what_is_left() -> None:
    narrow = written("table", "plain", Target(80))
    wide = written("table", "plain", Target(120))
    assert " id" not in narrow.partition("line")[2].partition("\n")[0]
    assert " id" in wide.partition("line")[2].partition("\n")[0]
    assert "… and 1 plain (plain first)" in narrow
    assert all(len(line) <= 80 for line in narrow.splitlines())


def test_colour_only_where_it_is_asked_for() -> None:
    assert "\x1b" not in written("table", "plain")
    assert "\x1b[" in written("table", "plain", Target(100, True))


def test_a_file_name_says_the_format() -> None:
    names = {"a.json": "json", "a.MD": "markdown", "a.html": "html", "a.csv": "csv"}
    names |= {"a.sarif": "sarif", "a.xml": "junit", "a.txt": "table", "report": "table"}
    assert {n: format_of(PurePath(n)) for n in names} == names
    with pytest.raises(UsageError, match=r"no format writes \.parquet"):
        format_of(PurePath("w.parquet"))


def test_a_name_and_a_suffix_belong_to_one_format() -> None:
    with pytest.raises(ValueError, match="already"):
        register(Writer("json", "again"))
    with pytest.raises(ValueError, match=r"\.json belongs to"):
        register(Writer("json5", "other", suffixes=(".json",)))
    assert "json5" not in WRITERS


def test_a_report_without_a_table_has_no_csv() -> None:
    empty = Report(
        "embed", lambda: [Prose(("x",))], lambda full: {}, outcome_of((), (), "never", "-")
    )
    with pytest.raises(UsageError, match="no table"):
        WRITERS["csv"].write(empty, Target())


def test_what_fails_by_fail_on_is_a_failure_and_the_rest_is_not() -> None:
    report = report_with("plain")
    assert report.exit_code == 1
    quiet = Report("scan", report.blocks, report.document, outcome_of([], [RULE], "note", "a"))
    assert quiet.exit_code == 0
    suite = ET.fromstring(WRITERS["junit"].write(quiet, Target()).encode())
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
