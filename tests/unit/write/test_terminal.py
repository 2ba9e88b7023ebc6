"""What a person sees: golden tables, widths, colours, words.

After a change that is meant, write the golden files anew and look at the difference:

    CR_AUDIT_UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/write/test_terminal.py
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cases import DISTINCT, SAMPLES, labelled, round_robin, run_of
from rich.cells import cell_len

from cr_audit.blocks import Answer
from cr_audit.cli.explain import known_rules, rule_blocks
from cr_audit.cli.explain import list_blocks as rules_listed
from cr_audit.cli.scan import COMMAND
from cr_audit.families.reporting import shown_by
from cr_audit.heads import header
from cr_audit.reports import Report
from cr_audit.run import Run
from cr_audit.wording import percent, plural
from cr_audit.write import WRITERS, Target
from cr_audit.write.terminal import target_of_stdout, write_blocks

RULES = known_rules()
WIDTHS = (80, 120)


@dataclass(frozen=True)
class Scan:
    """A run of scan over a data set, and its report."""

    run: Run
    report: Report

    def text(self, width: int, *, colour: bool = False) -> str:
        return WRITERS["table"].write(self.report, Target(width, colour))


def scan_of(rows: list[dict[str, Any]] | Path, **settings: Any) -> Scan:
    run = run_of(rows, **settings)
    return Scan(run, COMMAND.make(run))


@pytest.fixture(scope="module")
def scans() -> dict[str, Scan]:
    """The sample data sets, under the paths that the README uses."""
    before = Path.cwd()
    os.chdir(SAMPLES.parent)
    try:
        names = ("clone_robust", "clean")
        scans = {n: scan_of(Path(f"sample_data/{n}.jsonl"), n_replicates=1000) for n in names}
        for scan in scans.values():
            scan.text(80)  # everything is computed
        return scans
    finally:
        os.chdir(before)


def in_depth(scan: Scan, target: Target) -> str:
    """What the commands on clones, weights and win rates show together."""
    analysis = scan.run.analysis
    clones, weights, rankings = (shown_by(name) for name in ("clones", "weights", "rankings"))
    blocks = [
        header(scan.run.dataset, "clones"),
        clones.section(analysis, limit=50, diffs=5, members=True),
        *weights.brief(scan.run.facts("weights")),
        *weights.heaviest(scan.run.facts("weights"), limit=20),
        *[rankings.section(unit, limit=50) for unit in analysis.units],
    ]
    return write_blocks(blocks, target)


def answer(report: Report) -> str:
    """The sentences of the answer."""
    return " ".join(next(b for b in report.blocks() if isinstance(b, Answer)).sentences)


def check(path: Path, text: str) -> None:
    if os.environ.get("CR_AUDIT_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name}: see the top of this file"


@pytest.mark.parametrize("name", ["clone_robust", "clean"])
@pytest.mark.parametrize("width", WIDTHS)
def test_golden_tables(scans: dict[str, Scan], golden: Path, name: str, width: int) -> None:
    text = scans[name].text(width)
    check(golden / f"scan_{name}_{width}.txt", text)


def test_golden_markdown(scans: dict[str, Scan], golden: Path) -> None:
    check(
        golden / "scan_clone_robust.md",
        WRITERS["markdown"].write(scans["clone_robust"].report, Target()),
    )


@pytest.mark.parametrize("width", [40, 60, 80, 100, 109, 110, 120, 200])
def test_no_line_is_wider_than_the_screen(scans: dict[str, Scan], width: int) -> None:
    for scan in scans.values():
        for text in (scan.text(width), in_depth(scan, Target(width))):
            for line in text.split("\n"):
                assert cell_len(line) <= width
                assert line == line.rstrip()
            assert text.endswith("\n")
            assert not text.endswith("\n\n")


def test_numbers_are_never_cut_at_80_columns(scans: dict[str, Scan]) -> None:
    """Names give way first: every win rate and shift of the table stands there in full."""
    scan = scans["clone_robust"]
    text = WRITERS["table"].write(scan.report, Target(80, details=True))
    unit = scans["clone_robust"].run.analysis.units[0]
    for i in range(unit.items.n):
        rates = unit.win_rates
        assert f"{rates.average[i]:.3f} → {rates.weighted[i]:.3f}" in text


def test_colour_changes_no_word(scans: dict[str, Scan]) -> None:
    """The word diff is the exception: without colour it marks changes by signs."""
    analysis = scans["clone_robust"].run.analysis
    sections = [shown_by("rankings").section(u, limit=9) for u in analysis.units]
    for width in WIDTHS:
        coloured, plain = (write_blocks(sections, Target(width, c)) for c in (True, False))
        assert "\x1b[" in coloured
        stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
        assert [x.rstrip() for x in stripped.split("\n")] == plain.split("\n")
    assert "\x1b" not in scans["clone_robust"].text(80)


def test_no_colour_is_black_or_white(scans: dict[str, Scan]) -> None:
    """Readable on light and dark terminals: the foreground is never fixed to either end, and no
    background is set."""
    coloured = scans["clone_robust"].text(100, colour=True)
    codes = {c for m in re.findall(r"\x1b\[([0-9;]*)m", coloured) for c in m.split(";")}
    assert not codes & {"30", "37", "90", "97"}
    assert not [c for c in codes if c.isdigit() and 40 <= int(c) <= 49]


def test_the_target_of_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Tty())
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert target_of_stdout() == Target(90, True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert target_of_stdout() == Target(90, False)
    monkeypatch.setenv("NO_COLOR", "")  # no-color.org: set but empty means nothing
    assert target_of_stdout() == Target(90, True)
    monkeypatch.setenv("TERM", "dumb")
    assert target_of_stdout() == Target(90, False)
    monkeypatch.setenv("COLUMNS", "7")
    assert target_of_stdout().width == 40


def test_the_answer_of_the_sample_data(scans: dict[str, Scan]) -> None:
    sentences = answer(scans["clone_robust"].report)
    assert "Weighted, atlas-2 leads instead of boreal-7b" in sentences
    assert "3 clone clusters hold 71% of the responses" in sentences
    sentences = answer(scans["clean"].report)
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
    scan = scan_of(rows)
    assert expected in answer(scan.report)
    assert expected in scan.text(200)


def test_more_findings_than_shown_are_counted() -> None:
    rows = [
        labelled(f"Question {k}: {DISTINCT[k]}", f"{DISTINCT[k]} a", f"{DISTINCT[k]} b", ("A", "B"))
        for k in range(8)
    ]
    scan = scan_of(rows)
    n = sum(told.finding.rule == "CR101" for told in scan.report.outcome.told)
    assert n > 1
    said = " ".join(scan.text(200).split())
    assert f"(and {n - 1} more)" in said
    assert "all with --format json" in said


def test_sections_that_explain_are_folded_and_named(scans: dict[str, Scan]) -> None:
    scan = scans["clone_robust"]
    short = scan.text(80)
    whole = WRITERS["table"].write(scan.report, Target(80, details=True))
    assert "effective number" not in short
    assert "--details shows whole tables and: Word for word, Weights, Voronoi weights" in short
    assert "effective number" in whole
    assert "--details" not in whole
    assert "effective number" in WRITERS["markdown"].write(scan.report, Target())


@pytest.mark.parametrize("name", ["clone_robust", "clean"])
def test_a_scan_is_short_and_says_the_verdict_first_and_last(
    scans: dict[str, Scan], name: str
) -> None:
    lines = scans[name].text(80).rstrip().split("\n")
    assert len(lines) <= 40
    assert lines.index(next(line for line in lines if line.startswith("▌"))) <= 6
    assert any(line.startswith("Verdict: ") for line in lines[-2:])


def test_the_next_commands_can_be_copied(scans: dict[str, Scan]) -> None:
    """They stand on one line each, whatever the width."""
    for width in WIDTHS:
        text = scans["clone_robust"].text(width)
        lines = [re.split(r"\s{2,}", line.strip())[0] for line in text.split("\n")]
        joined = " ".join(lines).replace(" \\ ", " ")
        export = "cr-audit export sample_data/clone_robust.jsonl --as clean -o clean.jsonl"
        assert export in joined
        assert any(re.fullmatch(r"cr-audit explain CR\d+", line) for line in lines)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_every_rule_can_be_explained(rule: Any) -> None:
    text = write_blocks(rule_blocks(rule), Target(80))
    for part in (rule.id, rule.name, str(rule.severity), "What it means", "What to do"):
        assert part in text
    for words in (rule.summary, rule.means, rule.computed, rule.advice):
        assert " ".join(words.split()) in " ".join(text.split())
    assert max(map(len, text.split("\n"))) <= 80


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_list_of_rules(width: int) -> None:
    text = write_blocks(rules_listed(), Target(width))
    for rule in RULES:
        assert rule.id in text
    assert max(map(cell_len, text.split("\n"))) <= width
    if width >= 80:
        assert all(rule.name in text for rule in RULES)


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
