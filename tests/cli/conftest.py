"""Running ``cr-audit`` inside the test process (quick) or as a process of its own (true)."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cr_audit.cli.app import main


class Done(NamedTuple):
    """Exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _quiet_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder and an empty cache; no colour or width from outside."""
    for name in ("NO_COLOR", "COLUMNS", "CR_AUDIT_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for the processes: the tests share few cores
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("CR_AUDIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("scan", "x.jsonl", stdin=b"...")`` as the command line would."""

    def call(*args: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["cr-audit", *args])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        return Done(code, *capsys.readouterr())

    return call
