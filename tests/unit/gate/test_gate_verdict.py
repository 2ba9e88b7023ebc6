"""Bins, waivers, known findings, and files of known findings that must not be trusted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cr_audit.errors import ComputeError, InputError
from cr_audit.findings import BINS, Finding, Severity
from cr_audit.gate import known as known_module
from cr_audit.gate.known import FORMAT, KnownFinding, MadeBy, read_known, write_known
from cr_audit.gate.policy import shipped
from cr_audit.gate.verdict import decide
from cr_audit.gate.waivers import Waiver

TODAY = date(2026, 6, 1)
MADE_BY = MadeBy("0.1", "abc", 0.4)
FINDINGS = (
    Finding("CR608", Severity.ERROR, "leader", "leaders:1"),
    Finding("CR604", Severity.WARNING, "one", "cluster:1"),
    Finding("CR604", Severity.WARNING, "two", "cluster:2"),
    Finding("CR611", Severity.NOTE, "ranks", "items:1"),
)


def waiver(rule: str = "*", fingerprint: str = "*", expires: date = date(2027, 1, 1)) -> Waiver:
    return Waiver(rule, fingerprint, "a reason", "an owner", expires)


def known(*findings: Finding) -> tuple[KnownFinding, ...]:
    return tuple(KnownFinding(f.fingerprint, f.rule, f.subject, f.message) for f in findings)


def test_every_finding_is_in_one_bin() -> None:
    policy = replace(shipped("default"), fail_on="warning", waivers=(waiver("CR611"),))
    verdict = decide(FINDINGS, policy, known=known(FINDINGS[1]), today=TODAY)
    bins = {b: [j.finding.message for j in verdict.of(b)] for b in BINS}
    assert bins == {
        "failing": ["leader", "two"],
        "baselined": ["one"],
        "waived": ["ranks"],
        "below_threshold": [],
    }
    assert not verdict.passed
    assert verdict.reason == "fail: leader; 2 findings fail (1 known, 1 waived)"


def test_known_findings_do_not_fail_and_vanished_ones_are_said() -> None:
    gone = Finding("CR602", Severity.ERROR, "was there", "pairs:1")
    verdict = decide(FINDINGS, shipped("default"), known=known(FINDINGS[0], gone), today=TODAY)
    assert verdict.passed
    assert [k.message for k in verdict.vanished] == ["was there"]
    assert [j.known for j in verdict.judged] == [True, False, False, False]
    assert verdict.reason == "pass: no finding fails (1 known, 3 less severe than error)"
    assert decide((), shipped("default"), today=TODAY).reason == "pass: nothing was found"


def test_expired_and_unused_waivers_are_findings() -> None:
    waivers = (waiver("CR608", expires=date(2026, 5, 31)), waiver("CR603"))
    verdict = decide(FINDINGS, replace(shipped("default"), waivers=waivers), today=TODAY)
    about = {j.finding.rule: j for j in verdict.judged if j.finding.rule in ("CR616", "CR617")}
    assert set(about) == {"CR616", "CR617"}
    assert about["CR616"].finding.evidence["n_matched"] == 1
    assert not verdict.passed, "an expired waiver waives nothing"
    last_day = replace(shipped("default"), waivers=(waiver("CR608", expires=TODAY),))
    assert decide(FINDINGS, last_day, today=TODAY).passed
    off = replace(
        shipped("default"),
        waivers=waivers,
        severities={**shipped("default").severities, "CR617": None},
    )
    assert "CR617" not in {j.finding.rule for j in decide(FINDINGS, off, today=TODAY).judged}


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    write_known(path, FINDINGS, MADE_BY)
    first = path.read_bytes()
    entries = read_known(path, MADE_BY)
    assert {e.fingerprint for e in entries} == {f.fingerprint for f in FINDINGS}
    write_known(path, FINDINGS[::-1], MADE_BY)
    assert path.read_bytes() == first, "the order of findings does not matter"
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "cr-audit/known-findings/v2"}, "not of the format"),
        ({"version": "0.9"}, "another version"),
        ({"embedding": "other"}, "another embedding"),
        ({"radius": 0.3}, "another radius"),
        ({"radius": None}, "another radius"),
        ({"findings": {}}, "no list"),
        ({"findings": [{"rule": "CR604"}]}, "not a finding"),
        ({"findings": ["x"]}, "not a finding"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    path = tmp_path / "known.json"
    write_known(path, FINDINGS, MADE_BY)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=says) as error:
        read_known(path, MADE_BY)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_damage_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "known.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_known(path, MADE_BY)


def test_every_cut_of_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    write_known(path, FINDINGS[:1], MADE_BY)
    whole = path.read_bytes()
    assert json.loads(whole)["format"] == FORMAT
    for n in range(len(whole) - 2):
        path.write_bytes(whole[:n])
        with pytest.raises(InputError):
            read_known(path, MADE_BY)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ComputeError, match="cannot be written"):
        write_known(tmp_path / "no" / "known.json", FINDINGS, MADE_BY)
    with pytest.raises(InputError, match="cannot be read"):
        read_known(tmp_path / "none.json", MADE_BY)


def test_a_file_too_large_to_be_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "known.json"
    write_known(path, FINDINGS, MADE_BY)
    size = path.stat().st_size
    monkeypatch.setattr(known_module, "MAX_BYTES", size)
    assert len(read_known(path, MADE_BY)) == len(FINDINGS)
    monkeypatch.setattr(known_module, "MAX_BYTES", size - 1)
    with pytest.raises(InputError, match="larger than"):
        read_known(path, MADE_BY)
