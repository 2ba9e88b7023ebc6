"""CR811 and CR812: a leader that hangs on few votes, or on one annotator of the batch."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cases import jsonl, labelled

from cr_audit.cli.app import main


def votes(pairs: list[tuple[str, str]], who: str) -> list[dict[str, Any]]:
    return [
        labelled("Why?", f"{a} says so", f"{b} says so", (a, b), "a", annotator=who)
        for a, b in pairs
    ]


CLEAR = [("x", "y"), ("y", "z"), ("x", "z")]


@pytest.fixture
def gate(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(base: list[dict[str, Any]], batch: list[dict[str, Any]], most: int) -> list[dict]:
        import sys

        monkeypatch.chdir(tmp_path)
        (tmp_path / "base.jsonl").write_bytes(jsonl(base))
        (tmp_path / "batch.jsonl").write_bytes(jsonl(batch))
        (tmp_path / "cr-audit.toml").write_text(f"[gate.thresholds]\nleader-votes = {most}\n")
        argv = ["cr-audit", "gate", "--baseline", "base.jsonl", "batch.jsonl", "--format", "json"]
        argv += ["--model", "none", "--no-cache", "--unit", "model", "--exit-zero"]
        monkeypatch.setattr(sys, "argv", argv)
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        done = capsys.readouterr()
        assert stop.value.code in (0, None), done.err
        return json.loads(done.out)["findings"]

    return call


def test_a_batch_that_brings_the_leader_within_a_vote(gate: Any) -> None:
    base = [r for w in ("a", "b", "c", "d") for r in votes(CLEAR * 2, w)]
    batch = [r for w in ("e", "f", "g", "h") for r in votes([("y", "x")] * 2, w)]
    batch += votes([("x", "y")], "i")
    found = {f["rule"]: f for f in gate(base, batch, 2)}
    assert "CR811" in found
    assert found["CR811"]["rows"]
    assert not {"CR811", "CR812"} & {f["rule"] for f in gate(base, batch, 0)}


def test_an_annotator_of_the_batch_who_turns_the_leader(gate: Any) -> None:
    base = [r for w in ("a", "b", "c") for r in votes(CLEAR, w)]
    batch = votes([("z", "x")] * 9 + [("z", "y")] * 9, "one")
    found = {f["rule"]: f for f in gate(base, batch, 1)}
    assert found["CR812"]["evidence"]["annotator"] == "one"


def test_a_leader_that_is_clear_is_not_mentioned(gate: Any) -> None:
    base = [r for w in ("a", "b", "c", "d") for r in votes(CLEAR * 3, w)]
    batch = votes(CLEAR, "e")
    assert not {"CR811", "CR812"} & {f["rule"] for f in gate(base, batch, 1)}
