"""The renderers of a gate: what they say, that hostile data stays data, and that outputs parse."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from dataclasses import replace
from datetime import date
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from cases import DISTINCT, labelled
from gate_cases import decided, tournament, written
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema
from rich.cells import cell_len
from sarif_schema import SARIF

from cr_audit.blocks import Steps
from cr_audit.contract import schema
from cr_audit.errors import CrAuditError
from cr_audit.findings import Finding, Severity
from cr_audit.gate.advice import acceptance, advice, commands
from cr_audit.gate.decision import Decision
from cr_audit.gate.known import KnownFinding
from cr_audit.gate.policy import shipped
from cr_audit.gate.rules import gate_rules
from cr_audit.gate.verdict import Judged, Verdict, decide
from cr_audit.gate.waivers import Waiver
from cr_audit.write import Target
from cr_audit.write.github import MAX_PER_KIND
from cr_audit.write.places import ending
from cr_audit.write.terminal import write_blocks

HOSTILE = (
    "\x1b[5;45mblink\x1b[0m",
    "[bold red]markup[/bold red][/]",
    "::error file=a,line=1::boo",
    "\n::set-output name=x::y\r\n::error::z",
    "%0A::error::boo%0D",
    "##vso[task.setvariable variable=x]y ##[error]boo",
    "a | b || c\\|d",
    "]]><failure/> <![CDATA[",
    "<script>alert(1)</script><!-- x -->",
    '&lt;b&gt; &amp;#124; &nbsp; it\'s "quoted"',
    "[text](http://evil.example) ![i](http://evil.example/x.png)",
    "https://evil.example @someone owner/repo#12 `code` **bold** $x$",
    "\u202eright to left\u2066x\u2069\u200f",
    "nul\x00bell\x07del\x7fc1\x9b31m\x85\u2028\u2029",
    "\ud800lone\udfff",
    "not characters \ufffe\uffff",
    "\U000e0041 tags",
    "e\u0301\u0300" * 5,
    "long " * 600,
    "x" * 5_000,
    " ",
)
MACHINE = ("json", "sarif", "junit", "github", "markdown", "html", "csv")
SUSPECT = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
RAW_MARKUP = re.compile(r"[<>`*\[\]@\\$~!]|://|www\.|&(?!#\d+;)")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
VALIDATOR = jsonschema.Draft202012Validator(schema())
STRENGTHS = {DISTINCT[0]: 3.0, DISTINCT[1]: 2.0, DISTINCT[2]: 1.0}


def suspects(out: str) -> set[str]:
    return {c for c in set(out) - {"\n"} if unicodedata.category(c) in SUSPECT}


def check_sarif(out: str, report: Decision) -> None:
    """The whole against OASIS' schema and against models made from it, the parts of SARIF 2.1.0
    that consumers rely on, and every cross-reference."""
    document = json.loads(out)
    SARIF.validate(document)
    for result in document["runs"][0]["results"]:
        for suppression in result.get("suppressions", []):
            # The models are of a draft that called it "state".
            suppression["state"] = suppression.pop("status")
    StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate(document)
    log = json.loads(out)
    assert out.isascii()
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert [r["id"] for r in driver["rules"]] == [r.id for r in gate_rules()]
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("note", "warning", "error")
    assert len(run["results"]) == len(report.verdict.judged) + len(report.verdict.vanished)
    for result in run["results"]:
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        assert not re.search(r"(?<!\\)(\\\\)*\[[^\]]*\]\(", result["message"]["text"]), "a link"
        assert re.fullmatch("[0-9a-f]{16}", result["partialFingerprints"]["crAudit/v1"])
        if "ruleIndex" in result:
            assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        for location in result["locations"]:
            physical = location["physicalLocation"]
            assert re.fullmatch(r"[\w%./~-]+", physical["artifactLocation"]["uri"])
            assert physical.get("region", {"startLine": 1})["startLine"] >= 1
        states = ("new", "unchanged", "absent") if report.verdict.has_known else (None,)
        assert result.get("baselineState") in states
        for suppression in result.get("suppressions", ()):
            assert suppression["kind"] in ("inSource", "external")
            assert suppression["status"] in ("accepted", "underReview", "rejected")


def check_junit(out: str, report: Decision) -> None:
    root = ET.fromstring(out.encode("utf-8"))
    (suite,) = root
    cases = suite.findall("testcase")
    assert len(cases) == int(suite.get("tests", "")) == int(root.get("tests", ""))
    assert len(suite.findall("testcase/failure")) == int(suite.get("failures", ""))
    assert len(suite.findall("testcase/skipped")) == int(suite.get("skipped", ""))
    assert {child.tag for child in suite} == {"testcase", "system-out"}
    assert len(suite.findall("testcase/failure")) == len(report.verdict.of("failing"))


def check_github(out: str) -> None:
    lines = out.split("\n")
    assert lines[-1] == ""
    assert lines[-2].startswith("cr-audit gate: ")
    kinds: dict[str, int] = {}
    for line in lines[:-2]:
        match = re.fullmatch(r"::(error|warning|notice) ([^:]*)::([^\r]*)", line)
        assert match, line
        kinds[match[1]] = kinds.get(match[1], 0) + 1
        for part in match[2].split(","):
            assert re.fullmatch(r"(file|line|title)=([^%\r\n:,]|%(25|0A|0D|3A|2C))*", part), part
        assert re.fullmatch(r"([^%]|%(25|0A|0D))*", match[3])
    assert all(n <= MAX_PER_KIND for n in kinds.values())


def check_markdown(out: str) -> None:
    columns = 0
    for whole in out.split("\n"):
        # What the writer itself marks up: notes of headings, line breaks of cells, the verdict's
        # first word, and commands as code, in which nothing is markup.
        line = re.sub(r"^- (`+)( ?)cr-audit .*\2\1: ", "- ", whole)
        line = re.sub(r"^(#+ .*) <sub>(.*)</sub>$", r"\1 \2", line)
        line = re.sub(r"^\*\*(PASS|FAIL)\*\* ", "", line)
        if line.startswith("| "):
            line = line.replace("<br>", " ")
        assert not RAW_MARKUP.search(line), line
        pipes = line.count("|")
        columns = (columns or pipes) if pipes else 0
        assert pipes == columns, line


def check_everything(report: Decision) -> None:
    out = {name: written(report, name, full=True) for name in MACHINE}
    for name, text in out.items():
        assert not suspects(text), name
        assert "##[" not in text, name
        assert "##vso[" not in text.lower(), name
        text.encode("utf-8")
        assert text == written(report, name, full=True), name
    document = json.loads(out["json"])
    VALIDATOR.validate(document)
    bins = ("failing", "baselined", "waived", "below_threshold")
    assert sum(len(document["verdict"][b]) for b in bins) == len(report.verdict.judged)
    check_sarif(out["sarif"], report)
    check_junit(out["junit"], report)
    check_github(out["github"])
    check_markdown(out["markdown"])
    for width, colour in ((40, False), (80, True), (120, False)):
        table = ANSI.sub("", written(report, "table", width=width, colour=colour))
        assert not suspects(table)
        assert not re.search(r"[^\S\n]$", table, re.MULTILINE), "a blank ends a line"
        for line in table.split("\n"):
            assert cell_len(line) <= width, line
            assert not line.lstrip().startswith("::"), line


text = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    prompts = draw(st.lists(text, min_size=1, max_size=2))
    pool = draw(st.lists(text, min_size=2, max_size=4))
    models = draw(st.lists(text, max_size=3))
    raters = draw(st.lists(text, max_size=2))

    def rows(n: int) -> list[dict[str, Any]]:
        out = []
        for _ in range(draw(st.integers(1, n))):
            row: dict[str, Any] = {"prompt": draw(st.sampled_from(prompts))}
            for side in "ab":
                row[f"response_{side}"] = draw(st.sampled_from(pool)) + draw(
                    st.sampled_from(["", " more", " and more", "!"])
                )
                if models:
                    row[f"model_{side}"] = draw(st.sampled_from(models))
            if raters:
                row["annotator"] = draw(st.sampled_from(raters))
            row["winner"] = draw(st.sampled_from(["model_a", "model_b", "tie", draw(text)]))
            out.append(row)
        return out

    return rows(8), rows(8)


@settings(max_examples=max(25, settings.default.max_examples // 4))
@given(batches(), st.sampled_from(["lexical", "none"]))
def test_hostile_batches(rows: tuple[list[Any], list[Any]], model: str) -> None:
    try:
        report = decided(*rows, model=model, n_replicates=10, precision=1.0)
    except CrAuditError as error:
        event(error.slug)
        return
    check_everything(report)


@settings(max_examples=max(30, settings.default.max_examples // 4))
@given(st.lists(text, min_size=9, max_size=9), st.integers(0, 40))
def test_hostile_findings(pieces: list[str], n: int) -> None:
    """Whatever stands in a finding, a waiver or a file of known findings."""
    base = _base()
    a, b, c, d, e, f, g, h, i = pieces
    rows = (f"x{a}:3", f"{b}x:x", "-:1", "a b:0")
    found = [
        Finding(
            f"CR6{k % 15 + 1:02d}", list(Severity)[k % 3], c, f"{d}{k}", rows[k % 5 :], {e: f}, g
        )
        for k in range(n)
    ]
    waiver = Waiver("*", "*", h, i, date(2027, 1, 1))
    bins = ("failing", "baselined", "waived", "below_threshold")
    judged = tuple(
        Judged(x, bins[k // 3 % 4], k % 2 == 0, waiver if k // 3 % 4 == 2 else None)  # type: ignore[arg-type]
        for k, x in enumerate(found)
    )
    gone = (KnownFinding("0" * 16, "CR604", a, b),)
    verdict = Verdict(judged, gone, True, (), "error", "default")
    check_everything(replace(base, verdict=verdict))


_BASE: list[Decision] = []


def _base() -> Decision:
    if not _BASE:
        old = tournament(STRENGTHS, 4)
        new = [labelled("Why?", DISTINCT[0] + "!", DISTINCT[1], None, "a", annotator="r")]
        _BASE.append(decided(old, new))
    return _BASE[0]


def test_ten_annotations_of_a_kind() -> None:
    for n, shown in ((9, 9), (10, 10), (11, 10), (40, 10)):
        judged = tuple(
            Judged(
                Finding("CR604", Severity.WARNING, f"m{k}", f"s{k}"), "below_threshold", False, None
            )
            for k in range(n)
        )
        verdict = Verdict(judged, (), False, (), "error", "default")
        out = written(replace(_base(), verdict=verdict), "github")
        assert out.count("::warning ") == shown
        assert ("more warnings in the report" in out) == (n > 10)
    assert "31 more warnings" in out


def test_sarif_states_and_suppressions() -> None:
    finding = Finding("CR604", Severity.WARNING, "see [this](x)", "s", ("a b/ü.jsonl:7",))
    waiver = Waiver("CR604", "*", "wanted", "us", date(2027, 1, 1))
    judged = (Judged(finding, "waived", True, waiver), Judged(finding, "baselined", True, None))
    gone = (KnownFinding("0" * 16, "CR602", "s", "was there"),)
    report = replace(_base(), verdict=Verdict(judged, gone, True, (), "error", "default"))
    waived, known, absent = json.loads(written(report, "sarif"))["runs"][0]["results"]
    assert waived["suppressions"][0]["justification"] == "wanted (owner us, through 2027-01-01)"
    assert "suppressions" not in known
    assert (known["baselineState"], absent["baselineState"]) == ("unchanged", "absent")
    assert known["message"]["text"].startswith("see \\[this\\](x)")
    physical = known["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "a%20b/%C3%BC.jsonl"
    assert physical["region"]["startLine"] == 7


@pytest.mark.parametrize("name", MACHINE)
def test_a_plain_report_is_whole(name: str) -> None:
    report = _base()
    check_everything(report)
    out = written(report, name)
    assert out.endswith("\n")
    if name not in ("sarif", "csv"):  # one holds it as a property, the other holds findings alone
        assert report.verdict.reason.split(":")[0] in out.lower()
    assert shipped("default").profile == "default"


def test_a_fingerprint_of_any_name() -> None:
    """Annotators' names come from the data; a lone surrogate is one of the things they may hold."""
    found = Finding("CR614", "warning", "m", "annotator:\ud800")
    assert re.fullmatch("[0-9a-f]{16}", found.fingerprint)
    assert found.fingerprint != Finding("CR614", "warning", "m", "annotator:?").fingerprint


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_files_are_data_too(name: str) -> None:
    base = _copied()
    files = tuple(replace(f, path=name) for f in base.effect.batch.files)
    effect = replace(base.effect, batch=replace(base.effect.batch, files=files))
    check_everything(replace(base, effect=effect))


def _copied() -> Decision:
    """Four copies of one answer, each beating the leader."""
    old = tournament(STRENGTHS, 30)
    new = [
        labelled("Why?", f"{DISTINCT[2]} {word}", DISTINCT[0], None, "a")
        for word in ("indeed", "surely", "anyway", "perhaps")
        for _ in range(20)
    ]
    return decided(old, new)


def test_what_matters_most_comes_first() -> None:
    """In every format, and although ten annotations hold no more than ten clusters."""
    lead = Finding("CR608", Severity.ERROR, "clones move the leader: a for b", "leaders:1")
    clusters = [Finding("CR607", Severity.ERROR, f"cluster {k}", f"c:{k}") for k in range(30)]
    verdict = decide((*clusters, lead), shipped("default"), today=date(2026, 6, 1))
    assert verdict.reason == "fail: clones move the leader: a for b; 31 findings fail"
    report = replace(_base(), verdict=verdict)
    assert "::clones move the leader: a for b." in written(report, "github").split("\n")[0]
    assert "clones move the leader" in written(report, "markdown").split("\n")[2]
    table = written(report, "table")
    assert "FAIL  clones move the leader: a for b; 31 findings fail" in table
    assert json.loads(written(report, "json"))["findings"][0]["rule"] == "CR608"


def test_a_failing_batch_says_which_rows_to_drop() -> None:
    report = _copied()
    assert not report.verdict.passed
    first, *_ = advice(report)
    assert first.startswith("Drop the 80 rows that hold the 4 new copies (-: 1-80).")
    assert "the text of the response it repeats" in first, "the data names no models"
    assert [c.split()[1] for c, _ in commands(report)] == ["clones", "explain"]
    assert "[[gate.waivers]] in cr-audit.toml" in acceptance(report)
    for name in ("table", "markdown"):
        assert "Drop the 80 rows" in written(report, name)


def test_an_answer_under_many_prompts_can_only_be_dropped() -> None:
    """The same text under another prompt is another response, so it is never merged with it."""
    prompts = [f"{word} {other}?" for word in DISTINCT[0].split() for other in DISTINCT[1].split()]
    old = [labelled(p, f"{p} one", f"{k} two {p}", None, "a") for k, p in enumerate(prompts[:40])]
    refusal = "I am sorry, but I cannot help with that request today"
    new = [labelled(p, f"{p} three", refusal, None, "a") for p in prompts[:20]]
    report = decided(old, new)
    (first,) = advice(report)
    assert re.fullmatch(
        r"Drop the 19 rows that hold the 19 new copies \(-: [\d, -]+\)\. Then run the gate again\.",
        first,
    )
    said = {j.finding.rule: j.finding.message for j in report.verdict.of("failing")}
    assert "repeat one answer, now under 20 prompts (50%; in the baseline 0%)" in said["CR607"]


def test_a_batch_without_copies_gets_its_own_advice() -> None:
    """Everything decided the other way round."""
    old = tournament(STRENGTHS, 40)
    new = tournament({text: 1 / strength for text, strength in STRENGTHS.items()}, 40)
    report = decided(old, new)
    failing = {j.finding.rule for j in report.verdict.of("failing")}
    assert failing == {"CR602"}
    assert advice(report) == ["CR602: Look at the first rows: are the two sides swapped?"]
    assert [c for c, _ in commands(report)] == ["cr-audit explain CR602"]


def test_a_batch_that_passes_gets_no_advice() -> None:
    report = _base()
    assert report.verdict.passed
    assert (advice(report), commands(report), acceptance(report)) == ([], [], "")


def test_findings_about_clusters_name_prompt_text_and_number() -> None:
    report = _copied()
    messages = {j.finding.rule: j.finding.message for j in report.verdict.judged}
    text = DISTINCT[2][:20]
    assert "to “Why?”" in messages["CR604"]
    assert text in messages["CR604"]
    assert messages["CR604"].startswith("4 new near-copies of a baseline response")
    assert "4 of the batch's 4 new responses to “Why?” are copies" in messages["CR607"]
    assert "(100%; in the baseline 33%)" in messages["CR607"]
    table = written(report, "table", width=120)
    assert re.search(r"Why\? +1 +4 +33% +100% ", table), "the columns are those of the message"


@pytest.mark.parametrize("width", range(6, 60))
def test_a_place_keeps_its_line(width: int) -> None:
    for row in ("a/b/some batch.jsonl:1234", "データ/バッチ.jsonl:1234", "x" * 80 + ":1234"):
        shown = ending(row, width)
        assert cell_len(shown) <= width
        assert shown.endswith(":1234")
        assert shown == row or shown.startswith("…")


def test_commands_too_long_for_the_screen_can_be_copied() -> None:
    command = "cr-audit clones 'a b/one file.jsonl' \"it's\" two/long/path/to/another.jsonl"
    shown = write_blocks([Steps(((command, "what"),))], Target(44))
    copied = shown.partition("    what")[0]
    assert len(copied.strip().splitlines()) > 1
    assert shlex.split(copied.replace("\\\n", "")) == shlex.split(command)
