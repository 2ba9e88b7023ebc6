"""A page stays under five megabytes, whatever a report holds, and says what it left out."""

from __future__ import annotations

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
    Prose,
    Section,
    Series,
    Slope,
    SlopeChart,
    Steps,
    Stretch,
    Table,
)
from cr_audit.findings import Finding, Rule, Severity, outcome_of
from cr_audit.reports import Report
from cr_audit.write import WRITERS, Target

LONG = "<&\"'> é☂ " * 600
RULE = Rule("CR999", "a-rule", Severity.WARNING, "Finds.", "Means.", "Computed.", "Do.")
N = 400


def tables() -> list[Block]:
    columns = tuple(Column(f"c{k}", "text") for k in range(8))
    row = tuple(Cell(LONG, below=LONG) for _ in columns)
    return [Table(columns, 1_000_000, lambda i: row, name=f"t{k}") for k in range(6)]


def prose() -> list[Block]:
    return [Prose(tuple(LONG for _ in range(N)))] * 8


def steps() -> list[Block]:
    return [Steps(tuple((LONG, LONG) for _ in range(N)))] * 3


def diffs() -> list[Block]:
    runs = tuple(DiffRun("changed", LONG) for _ in range(50))
    return [Diff(LONG, (LONG, LONG), runs, runs)] * N


def slopes() -> list[Block]:
    made = tuple(Slope(LONG, k, N - k, True, "0.5", "0.6") for k in range(N))
    return [SlopeChart(f"s{k}", "a", "b", made) for k in range(8)]


def charts() -> list[Block]:
    x = tuple(float(k + 1) for k in range(N))
    series = tuple(Series(f"{k}", x, x, x, x, (LONG,) * N) for k in range(8))
    pieces = tuple(Stretch(float(k + 1), float(k + 2), LONG) for k in range(N))
    return [
        Chart(kind, kind, LONG, LONG, LONG, series, strip=pieces, band=pieces[0])
        for kind in ("line", "interval", "bars", "scatter")
    ]


def maps() -> list[Block]:
    n = 20_000
    points = tuple((k / n, 1 - k / n) for k in range(n))
    groups = tuple(k % 6 for k in range(n))
    by = (Colouring("kind", groups, (LONG,) * 6, LONG), Colouring("b", groups, (LONG,) * 6, LONG))
    return [Map("Map", LONG, points, (1.0,) * n, by, (LONG,) * n, tuple(range(n)), n)]


@pytest.mark.parametrize("made", [tables, prose, steps, diffs, slopes, charts, maps])
def test_a_page_of_too_much(made: object) -> None:
    assert callable(made)
    found = [
        Finding("CR999", Severity.WARNING, LONG, f"s{k}", (LONG,) * 10, {"x": LONG}, LONG)
        for k in range(N)
    ]
    outcome = outcome_of(found, [RULE], "warning", "a.jsonl")
    head: list[Block] = [Header("scan", (LONG,) * N, LONG), Answer((LONG,) * 20, "warning")]
    section = Section("A section", LONG, tuple(made()))
    report = Report("scan", lambda: [*head, section], lambda full: {}, outcome)
    page = WRITERS["html"].write(report, Target())
    assert len(page.encode()) < 5_000_000
    assert "of 400 shown" in page
    assert "left out" in page or " shown" in page
    assert page.count("<script>") == 1
