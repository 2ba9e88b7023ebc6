"""What a person sees: golden tables, widths, colours, words.

After a change that is meant, write the golden files anew and look at the difference:

    CR_AUDIT_UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/report/test_terminal.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from cases import DISTINCT, SAMPLES, audited, labelled, round_robin
from cr_audit.audits.rules import BY_ID, RULES
from cr_audit.report.clone_tables import clone_section
from cr_audit.report.markdown import render_markdown
from cr_audit.report.rule_pages import rule_list, rule_text
from cr_audit.report.screen import Screen
from cr_audit.report.terminal import render_part, render_scan
from cr_audit.report.weight_tables import heaviest_section, weight_section
from cr_audit.report.win_rate_tables import win_rate_section
from cr_audit.report.words import answer
from rich.cells import cell_len

from cr_audit.analysis import Analysis
from cr_audit.findings import Finding
from cr_audit.wording import percent, plural

WIDTHS = (80, 120)
Scan = tuple[Analysis, tuple[Finding, ...]]


@pytest.fixture(scope="module")
def scans() -> dict[str, Scan]:
    """The sample data sets, under the paths that the README uses."""
    before = Path.cwd()
    os.chdir(SAMPLES.parent)
    try:
        names = ("clone_robust", "clean")
        return {n: audited(Path(f"sample_data/{n}.jsonl"), n_replicates=1000) for n in names}
    finally:
        os.chdir(before)


def in_depth(scan: Scan, screen: Screen) -> str:
    analysis, _ = scan
    sections = [
        *clone_section(analysis, screen, limit=50, diffs=5, members=True),
        *weight_section(analysis),
        *heaviest_section(analysis, limit=20),
        *[p for u in analysis.units for p in win_rate_section(u, screen, limit=50)],
    ]
    return render_part(analysis, "clones", sections, screen)


def check(path: Path, text: str) -> None:
    if os.environ.get("CR_AUDIT_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name}: see the top of this file"


@pytest.mark.parametrize("name", ["clone_robust", "clean"])
@pytest.mark.parametrize("width", WIDTHS)
def test_golden_tables(scans: dict[str, Scan], golden: Path, name: str, width: int) -> None:
    text = render_scan(*scans[name], "scan", Screen(width, False))
    check(golden / f"scan_{name}_{width}.txt", text)


def test_golden_markdown(scans: dict[str, Scan], golden: Path) -> None:
    check(golden / "scan_clone_robust.md", render_markdown(*scans["clone_robust"], "scan"))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 109, 110, 120, 200])
def test_no_line_is_wider_than_the_screen(scans: dict[str, Scan], width: int) -> None:
    for scan in scans.values():
        screen = Screen(width, False)
        for text in (render_scan(*scan, "scan", screen), in_depth(scan, screen)):
            for line in text.split("\n"):
                assert cell_len(line) <= width
                assert line == line.rstrip()
            assert text.endswith("\n")
            assert not text.endswith("\n\n")


def test_numbers_are_never_cut_at_80_columns(scans: dict[str, Scan]) -> None:
    """Names give way first: every win rate and shift of the table stands there in full."""
    analysis, findings = scans["clone_robust"]
    text = render_scan(analysis, findings, "scan", Screen(80, False))
    unit = analysis.units[0]
    for i in range(unit.items.n):
        rates = unit.win_rates
        assert f"{rates.average[i]:.3f} → {rates.weighted[i]:.3f}" in text


def test_colour_changes_no_word(scans: dict[str, Scan]) -> None:
    """The word diff is the exception: without colour it marks changes by signs."""
    analysis, findings = scans["clone_robust"]
    for width in WIDTHS:
        screen = Screen(width, False)
        sections = [p for u in analysis.units for p in win_rate_section(u, screen, limit=9)]
        coloured, plain = (
            render_part(analysis, "winrates", sections, Screen(width, c)) for c in (True, False)
        )
        assert "\x1b[" in coloured
        stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
        assert [x.rstrip() for x in stripped.split("\n")] == plain.split("\n")
    assert "\x1b" not in render_scan(analysis, findings, "scan", Screen(80, False))


def test_no_colour_is_black_or_white(scans: dict[str, Scan]) -> None:
    """Readable on light and dark terminals: the foreground is never fixed to either end, and no
    background is set."""
    coloured = render_scan(*scans["clone_robust"], "scan", Screen(100, True))
    codes = {c for m in re.findall(r"\x1b\[([0-9;]*)m", coloured) for c in m.split(";")}
    assert not codes & {"30", "37", "90", "97"}
    assert not [c for c in codes if c.isdigit() and 40 <= int(c) <= 49]


def test_screen_of_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Tty())
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Screen.of_stdout() == Screen(90, True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert Screen.of_stdout() == Screen(90, False)
    monkeypatch.setenv("NO_COLOR", "")  # no-color.org: set but empty means nothing
    assert Screen.of_stdout() == Screen(90, True)
    monkeypatch.setenv("TERM", "dumb")
    assert Screen.of_stdout() == Screen(90, False)
    monkeypatch.setenv("COLUMNS", "7")
    assert Screen.of_stdout().width == 40


def test_the_answer_of_the_sample_data(scans: dict[str, Scan]) -> None:
    analysis, findings = scans["clone_robust"]
    sentences = " ".join(answer(analysis, findings))
    assert "Weighted, atlas-2 leads instead of boreal-7b" in sentences
    assert "3 clone clusters hold 71% of the responses" in sentences
    clean_analysis, clean_findings = scans["clean"]
    sentences = " ".join(answer(clean_analysis, clean_findings))
    assert "No two responses to one prompt are near-clones." in sentences
    assert "leads instead" not in sentences


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [
                {
                    "question": "Why?",
                    "answers": [{"text": t, "rank": k} for k, t in enumerate("xyz")],
                }
            ],
            "There are no comparisons to rank by.",
        ),
        (
            [{"question_id": "q", "model_a": "A", "model_b": "B", "winner": "model_a"}] * 3,
            "Clones and weights were not computed",
        ),
        (round_robin(DISTINCT[:4]), "No two responses to one prompt are near-clones."),
    ],
)
def test_the_answer_says_what_did_not_apply(rows: list[dict[str, Any]], expected: str) -> None:
    analysis, findings = audited(rows)
    assert expected in " ".join(answer(analysis, findings))
    assert expected in render_scan(analysis, findings, "scan", Screen(200, False))


def test_more_findings_than_shown_are_counted() -> None:
    rows = [
        labelled(f"Question {k}: {DISTINCT[k]}", f"{DISTINCT[k]} a", f"{DISTINCT[k]} b", ("A", "B"))
        for k in range(8)
    ]
    analysis, findings = audited(rows)
    n = sum(f.rule == "CR101" for f in findings)
    assert n > 3
    assert f"… and {n - 3} more CR101" in render_scan(analysis, findings, "scan", Screen(80, False))


def test_the_next_commands_can_be_copied(scans: dict[str, Scan]) -> None:
    """They stand on one line each, whatever the width."""
    for width in WIDTHS:
        text = render_scan(*scans["clone_robust"], "scan", Screen(width, False))
        lines = [re.split(r"\s{2,}", line.strip())[0] for line in text.split("\n")]
        assert "cr-audit weights sample_data/clone_robust.jsonl --compare" in lines
        assert "cr-audit clones sample_data/clone_robust.jsonl" in lines


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_every_rule_can_be_explained(rule: Any) -> None:
    text = rule_text(rule, Screen(80, False))
    for part in (rule.id, rule.name, str(rule.severity), "What it means", "What to do"):
        assert part in text
    for words in (rule.summary, rule.means, rule.computed, rule.advice):
        assert " ".join(words.split()) in " ".join(text.split())
    assert max(map(len, text.split("\n"))) <= 80


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_list_of_rules(width: int) -> None:
    text = rule_list(RULES, Screen(width, False))
    for rule in RULES:
        assert rule.id in text
    assert max(map(cell_len, text.split("\n"))) <= width
    if width >= 80:
        assert all(rule.name in text for rule in BY_ID.values())


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (1e-9, "<0.1%"),
        (0.001, "0.1%"),
        (0.004, "0.4%"),
        (0.02, "2%"),
        (0.02001, "2%"),
        (0.18, "18%"),
        (1 - 0.9, "10%"),
        (0.0999, "10%"),
        (0.099, "9.9%"),
        (0.999, "100%"),
        (1, "100%"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_plural() -> None:
    assert plural(1, "row") == "1 row"
    assert plural(0, "row") == "0 rows"
    assert plural(2_000, "list") == "2,000 lists"
