"""Writes are whole or not at all; standard output gets every byte."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cr_audit.errors import ComputeError
from cr_audit.files import STAND_INS, check_place, replace_file, write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    write_whole(b"new", path, option="-o")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_link_is_replaced_and_its_target_is_not_touched(tmp_path: Path) -> None:
    target, link = tmp_path / "prefs.jsonl", tmp_path / "report.json"
    target.write_text("data")
    link.symlink_to(target)
    write_whole(b"report", link, option="-o")
    assert target.read_text() == "data"
    assert not link.is_symlink()
    assert link.read_bytes() == b"report"


def test_a_planted_part_file_is_neither_followed_nor_written(tmp_path: Path) -> None:
    """An earlier version wrote to FILE.part, which somebody could link to a file of theirs."""
    victim, planted = tmp_path / "victim", tmp_path / "report.json.part"
    victim.write_text("mine")
    planted.symlink_to(victim)
    write_whole(b"report", tmp_path / "report.json", option="-o")
    assert victim.read_text() == "mine"
    assert planted.is_symlink()


def test_permissions_of_the_old_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o640)
    write_whole(b"new", path, option="-o")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_whole(b"new", tmp_path / "a", option="-o")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_folder_that_is_not_there_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ComputeError) as caught:
        write_whole(b"x", tmp_path / "no" / "report.json", option="--report")
    assert caught.value.slug == "cannot-write"
    assert "--report FILE" in (caught.value.next_step or "")


def test_a_failed_write_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cr_audit.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(b"new", path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_device_is_written_to_as_it_is() -> None:
    write_whole(b"gone", Path("/dev/null"), option="-o")


PRINTS = "from cr_audit.files import write_stdout; write_stdout('x' * 3_000_000)"


@pytest.mark.parametrize("unbuffered", ["0", "1"])
def test_every_byte_reaches_a_slow_pipe(unbuffered: str) -> None:
    done = subprocess.run(
        [sys.executable, *(["-u"] if unbuffered == "1" else []), "-c", PRINTS],
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"x" * 3_000_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", [[], ["-u"]])
def test_a_full_disk_under_stdout_is_an_error(unbuffered: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, *unbuffered, "-c", PRINTS],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode != 0
    assert b"cannot be written" in done.stderr


def test_a_place_without_a_folder_is_told_before_anything_is_computed(tmp_path: Path) -> None:
    check_place(tmp_path / "new.json", option="-o")
    for path in (tmp_path / "no" / "x.json", tmp_path):
        with pytest.raises(ComputeError) as told:
            check_place(path, option="--plot")
        assert told.value.next_step == "choose another --plot FILE"


def printed(text: str, encoding: str, people: bool) -> str:
    """What a stream of that encoding gets."""
    program = f"from cr_audit.files import write_stdout; write_stdout({text!a}, people={people})"
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=env, check=True)
    return done.stdout.decode(encoding)


REPORT = "▌ 1 → 2 ▲\n────  0.5 ± 0.1 “a…”"


def test_a_poor_console_gets_signs_that_it_has() -> None:
    assert printed(REPORT, "cp1252", True) == "| 1 > 2 ^\n----  0.5 ± 0.1 “a…”"
    assert printed(REPORT, "ascii", True) == '| 1 > 2 ^\n----  0.5 +- 0.1 "a~"'
    assert printed(REPORT, "utf-8", True) == REPORT
    assert printed("⠉⡇ 安 😀", "cp1252", True) == "** \\u5b89 \\U0001f600", "data by its code"


def test_what_a_machine_reads_is_written_by_its_code() -> None:
    assert printed('"──"', "cp1252", False) == r'"\u2500\u2500"'
    assert json.loads(printed('"─→"', "cp1252", False)) == "─→"


def test_stand_ins_are_ascii_and_no_control_codes() -> None:
    assert all(s.isascii() and s.isprintable() for s in STAND_INS.values())
