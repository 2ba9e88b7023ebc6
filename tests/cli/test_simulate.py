"""``cr-audit simulate``: the list, tables at two widths, JSON, plots, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from cr_audit.weights.scheme import Options

QUICK = ("table-3", "voronoi-figures", "robustness-rate")
CASE = ("clone-robust", "--model", "lexical", "--per-topic", "10", "--draws", "2")


def test_the_list_names_every_simulation(run: Any) -> None:
    done = run("simulate", "--list")
    assert done.code == 0
    for name in ("clone-robust", *QUICK):
        assert name in done.out


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_screen(
    run: Any, monkeypatch: pytest.MonkeyPatch, name: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    done = run("simulate", name)
    assert done.code == 0, done.err
    assert max(len(line) for line in done.out.splitlines()) <= width
    assert "…" not in done.out
    assert done.out == run("simulate", name).out


def test_the_case_study_at_80_columns_as_table_json_and_plot(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("cr_audit.simulate.case_study.OPTIONS", Options(max_products=1e8))
    done = run("simulate", *CASE, "--plot", "case.svg")
    assert done.code == 0, done.err
    assert max(len(line) for line in done.out.splitlines()) <= 80
    assert "…" not in done.out
    assert "Without clones art leads" in done.out
    panels = ElementTree.parse("case.svg").getroot()
    assert (
        len(panels.findall("{http://www.w3.org/2000/svg}g")) == 10
    )  # three of each number of comparisons, one of shares
    document = json.loads(run("simulate", *CASE, "--format", "json").out)
    assert document["settings"]["per_topic"] == 10
    assert document["simulation"]["winner"] == "art"
    assert {r["n_comparisons"] for r in document["simulation"]["rows"]} == {0, 1000, 20000}


@pytest.mark.parametrize("name", QUICK)
def test_json_and_svg_are_the_same_bytes_every_time(run: Any, name: str) -> None:
    first = run("simulate", name, "--format", "json", "--plot", "a.svg")
    again = run("simulate", name, "--format", "json", "--plot", "b.svg", "-o", "b.json")
    assert first.code == again.code == 0
    assert Path("b.json").read_text() == first.out
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()
    ElementTree.parse("a.svg")
    document = json.loads(first.out)
    assert list(document) == ["schema", "command", "version", "settings", "simulation"]
    assert document["schema"] == "cr-audit/v1"


def test_settings_reach_the_facts(run: Any) -> None:
    more = json.loads(run("simulate", "table-3", "--clones", "5", "--format", "json").out)
    assert [r["n_copies"] for r in more["simulation"]["rows"]] == [1, 2, 3, 4, 5, 6]
    a, b = (
        json.loads(run("simulate", "voronoi-figures", "--seed", s, "--format", "json").out)
        for s in ("1", "2")
    )
    assert a["simulation"]["figures"][0]["sampled"] != b["simulation"]["figures"][0]["sampled"]
    assert a["simulation"]["figures"][0]["exact"] == b["simulation"]["figures"][0]["exact"]


def test_the_other_name_is_the_same_simulation(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cr_audit.simulate.case_study.OPTIONS", Options(max_products=1e7))
    both = [run("simulate", n, *CASE[1:], "--format", "json") for n in ("case-study", CASE[0])]
    assert both[0].code == both[1].code == 0
    assert both[0].out == both[1].out


def test_only_clone_robust_writes_data(run: Any) -> None:
    done = run("simulate", "table-3", "--write", "x.jsonl")
    assert done.code == 2
    assert "--write goes with clone-robust" in done.err
    assert not Path("x.jsonl").exists()


def test_an_option_of_another_simulation_is_refused(run: Any) -> None:
    done = run("simulate", "table-3", "--draws", "5")
    assert done.code == 2
    assert "--draws is no option of table-3" in done.err
    assert "it goes with clone-robust" in done.err
    done = run("simulate", "clone-robust", "--clones", "5", "--model", "lexical")
    assert done.code == 2
    assert "goes with --write" in done.err


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("form", ["markdown", "html", "csv"])
def test_every_format_of_a_report(run: Any, name: str, form: str) -> None:
    done = run("simulate", name, "--format", form)
    assert done.code == 0, done.err
    if form == "csv":
        lines = done.out.splitlines()
        assert len({line.count(",") for line in lines}) == 1
        n = {"table-3": 5 * 4, "voronoi-figures": 3 + 4, "robustness-rate": 3 * 6}[name]
        assert len(lines) == 1 + n  # all tables of the main one's name


def test_errors_say_what_there_is(run: Any) -> None:
    assert run("simulate").code == 2
    done = run("simulate", "table3")
    assert done.code == 2
    assert "did you mean table-3?" in done.err
    assert run("simulate", "table-3", "--clones", "100").code == 2
    assert run("simulate", "table-3", "--plot", "no/such/folder/x.svg").code == 4
    assert run("simulate", "table-3", "--plot", "x.pdf").code == 2


@pytest.mark.parametrize("name", QUICK)
def test_a_png_is_twice_the_size_of_the_svg(run: Any, name: str) -> None:
    assert run("simulate", name, "--plot", "a.svg", "--plot", "a.png").code == 0
    root = ElementTree.parse("a.svg").getroot()
    with Image.open("a.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == tuple(2 * int(root.attrib[x]) for x in ("width", "height"))


def test_table_1_fits_the_screen(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = run("simulate", "table-1")
    assert done.code == 0
    assert "…" not in done.out
    rows = json.loads(run("simulate", "table-1", "--format", "json").out)
    assert "8.3178" in str(rows) or "8.317" in str(rows)  # r(b) = ln 4096 of the first type


def test_more_answers_than_were_written_are_refused(run: Any) -> None:
    done = run("simulate", "clone-robust", "--texts", "written", "--per-topic", "61")
    assert done.code == 2
    assert "--per-topic 60" in done.err
