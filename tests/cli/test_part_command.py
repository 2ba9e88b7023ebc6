"""``cr-audit part``: parts made apart give the report of a scan that made all of it itself."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cr_audit.clones import in_blocks
from tests.cli.conftest import Run

STAGES = ("vectors", "prompts", "copies", "across", "cells")
QUICK = ("--model", "lexical", "--replicates", "10", "--format", "json")


def written(path: Path, n: int = 60, seed: int = 3) -> str:
    """Pairs with copies in a prompt, prompts that are alike, and boilerplate."""
    rng = np.random.default_rng(seed)
    words = np.array([f"w{i}" for i in range(400)])
    refusal = "I am sorry but I cannot help with that today so please ask me something else about"
    with path.open("w") as file:
        for k in range(n):
            a, b = (" ".join(rng.choice(words, 40)) for _ in "ab")
            b = f"{refusal} {words[k % 7]}" if k % 6 == 0 else b
            b = a + " and more" if k % 10 == 1 else b
            prompt = " ".join(rng.choice(words, 12)) if k % 9 else "one and the same long prompt"
            row = {"prompt": f"{prompt} please", "chosen": a, "rejected": b}
            file.write(json.dumps(row) + "\n")
    return str(path)


@pytest.fixture(autouse=True)
def _many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_blocks, "_LEAST_CHARS", 400)
    monkeypatch.setattr(in_blocks, "_BLOCK_CHARS", 800)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return written(tmp_path / "work" / "pairs.jsonl")


def forgotten(tmp_path: Path) -> None:
    """Nothing of an earlier run is in the cache: another machine."""
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)


def made(run: Run, data: str, stage: str, part: str, *more: str) -> Any:
    return run("part", data, "--of", stage, "--part", part, "--parts", "box", *QUICK, *more)


def all_made(run: Run, tmp_path: Path, data: str, n: int, *more: str) -> None:
    order = random.Random(n)
    for stage in STAGES:
        which = list(range(1, n + 1))
        order.shuffle(which)
        for k in which:
            forgotten(tmp_path)
            done = made(run, data, stage, f"{k}/{n}", *more)
            assert done.code == 0, done.err
        held = json.loads(done.out)["made"]
        assert held["n_pieces_there"] == held["n_pieces_all"] > 1


def scanned(run: Run, tmp_path: Path, data: str, *more: str) -> Any:
    forgotten(tmp_path)
    done = run("scan", data, *QUICK, *more)
    assert done.code == 0, done.err
    return done


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_the_same_bytes_however_many_parts(run: Run, tmp_path: Path, data: str, n: int) -> None:
    whole = scanned(run, tmp_path, data).out
    assert json.loads(whole)["clones"]["clusters"]
    all_made(run, tmp_path, data, n)
    done = scanned(run, tmp_path, data, "--parts", "box")
    assert done.out == whole
    for stage in STAGES:
        line = next(x for x in done.err.splitlines() if x.startswith(f"{stage}:"))
        assert "computed" not in line, line


def test_missing_damaged_and_foreign_parts_are_said_and_computed(
    run: Run, tmp_path: Path, data: str
) -> None:
    whole = scanned(run, tmp_path, data).out
    all_made(run, tmp_path, data, 3)
    box = Path("box")
    next(box.glob("cells-2-of-3-*")).unlink()
    torn = next(box.glob("copies-1-of-3-*"))
    raw = bytearray(torn.read_bytes())
    raw[len(raw) // 3] ^= 1
    torn.write_bytes(raw)
    short = next(box.glob("vectors-3-of-3-*"))
    short.write_bytes(short.read_bytes()[:-5])
    (box / "prompts-9-of-9-of-somebody.part").write_bytes(b"not a part")
    link = box / "across-5-of-5-linked.part"
    link.symlink_to(next(box.glob("across-1-of-3-*")).resolve())
    other = written(tmp_path / "work" / "other.jsonl", seed=4)
    forgotten(tmp_path)
    assert made(run, other, "prompts", "1/2").code == 0
    done = scanned(run, tmp_path, data, "--parts", "box")
    assert done.out == whole
    assert f"{torn.name} is damaged and is left out" in done.err
    assert f"{short.name} is damaged and is left out" in done.err
    assert "prompts-9-of-9-of-somebody.part is damaged and is left out" in done.err
    assert "across-5-of-5-linked.part cannot be read and is left out" in done.err
    foreign = next(x for x in done.err.splitlines() if x.startswith("of other data"))
    assert "prompts-1-of-2-" in foreign
    assert "(prompts)" in foreign
    line = next(x for x in done.err.splitlines() if x.startswith("cells:"))
    assert line.endswith("are computed")


@pytest.mark.parametrize(
    ("stage", "setting", "named"),
    [
        ("prompts", ("--radius", "0.3"), "radius"),
        ("vectors", ("--model", "static"), "encoder"),
        ("cells", ("--seed", "5"), "seed"),
    ],
)
def test_parts_of_other_settings_are_named_and_not_used(
    run: Run, tmp_path: Path, data: str, stage: str, setting: tuple[str, str], named: str
) -> None:
    if stage == "cells":
        assert made(run, data, "vectors", "1/1").code == 0
    assert made(run, data, stage, "1/1", *setting).code == 0
    done = scanned(run, tmp_path, data, "--parts", "box")
    assert done.out == scanned(run, tmp_path, data).out
    foreign = next(x for x in done.err.splitlines() if x.startswith("of other data"))
    assert f"{stage}-1-of-1-" in foreign
    assert named in foreign


def test_a_part_made_twice_is_left_as_it_is(run: Run, data: str) -> None:
    first = json.loads(made(run, data, "prompts", "2/3").out)["made"]
    before = Path(first["file"]).stat()
    again = run("part", data, "--of", "prompts", "--part", "2/3", "--parts", "box", *QUICK[:4])
    assert "was there already" in again.out
    after = Path(first["file"]).stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    raw = Path(first["file"]).read_bytes()
    Path(first["file"]).write_bytes(raw[:-1])
    mended = run("part", data, "--of", "prompts", "--part", "2/3", "--parts", "box", *QUICK[:4])
    assert "is damaged" in mended.err
    assert "is made" in mended.out
    assert Path(first["file"]).read_bytes() == raw


@pytest.mark.parametrize(
    ("stage", "before"), [("copies", "prompts"), ("across", "prompts"), ("cells", "vectors")]
)
def test_a_part_too_early_says_what_comes_before(
    run: Run, data: str, stage: str, before: str
) -> None:
    done = made(run, data, stage, "1/2")
    assert done.code == 4
    assert f"a part of {stage} needs all of {before} first" in done.err
    assert f"--of {before} --part 1/1" in done.err
    assert made(run, data, before, "1/1").code == 0
    if stage == "across":
        assert "needs all of copies first" in made(run, data, stage, "1/2").err
        assert made(run, data, "copies", "1/1").code == 0
    assert made(run, data, stage, "1/2").code == 0


def test_more_parts_than_pieces_are_empty_and_do_no_harm(
    run: Run, tmp_path: Path, data: str
) -> None:
    done = made(run, data, "prompts", "99/99")
    assert json.loads(done.out)["made"]["n_pieces"] == 0
    assert scanned(run, tmp_path, data, "--parts", "box").code == 0


@pytest.mark.parametrize("part", ["0/3", "4/3", "3", "a/b", "1/9999", "٣/٤"])
def test_a_part_that_is_none(run: Run, data: str, part: str) -> None:
    done = made(run, data, "prompts", part)
    assert done.code == 2
    assert "for example --part 3/8" in done.err
    assert made(run, data, "prompts", "3/8").code == 0


def test_what_is_not_said_is_asked_for(run: Run, data: str) -> None:
    done = run("part", data, "--part", "1/2")
    assert done.code == 2
    assert "add --of vectors|prompts|copies|across|cells and --parts DIR" in done.err
    assert made(run, data, "vectors", "1/2").code == 0


def test_a_stage_that_the_data_does_not_have(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "work" / "votes.jsonl"
    path.write_text('{"left": "a", "right": "b", "winner": "left"}\n' * 5)
    done = made(run, str(path), "copies", "1/2")
    assert done.code == 4
    assert "leave this stage out" in done.err
    assert run("scan", str(path), *QUICK, "--parts", "box").code == 0


def test_a_folder_that_cannot_be_made(run: Run, data: str) -> None:
    Path("box").write_text("a file")
    done = made(run, data, "prompts", "1/1")
    assert done.code == 4
    assert "name another folder with --parts" in done.err
    assert (
        run("part", data, "--of", "prompts", "--part", "1/1", "--parts", "other", *QUICK).code == 0
    )


def test_the_page_of_help_says_the_order(run: Run) -> None:
    page = run("part", "--help-all").out
    said = " ".join(page.split())
    assert "copies wants all parts of prompts" in said
    assert "cr-audit scan prefs.jsonl --parts parts/" in said


def test_the_stages_of_the_command_are_those_that_parts_know() -> None:
    """The command names them itself, since its help page must not load what makes parts."""
    from cr_audit.analysis import shelf
    from cr_audit.cli import part

    assert part.STAGES == tuple(shelf.STAGES) == STAGES
