"""The ledger: what past batches added is judged together with the next one."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from in_process import called

from cr_audit.cli.protected import read_protected
from cr_audit.data.dataset import FileRead, ReadReport
from cr_audit.errors import InputError
from cr_audit.gate.ledger import FORMAT, Entry, Ledger, Sum, read_ledger, sum_of, write_ledger
from cr_audit.readers import read

SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo")


def words(rng: random.Random, n: int) -> list[str]:
    return ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 3))) for _ in range(n)]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


class World:
    """Prompts with answers whose order is known, compared by chance with their strength."""

    def __init__(self, seed: int, n_prompts: int = 4, n_answers: int = 12) -> None:
        self.rng = random.Random(seed)
        self.prompts = [" ".join(words(self.rng, 9)) for _ in range(n_prompts)]
        self.answers = {p: [self.answer() for _ in range(n_answers)] for p in self.prompts}

    def answer(self) -> str:
        return " ".join(words(self.rng, 40))

    def copy(self, text: str) -> str:
        """Another answer by every eighth word."""
        out = text.split()
        for i in range(self.rng.randrange(8), len(out), 8):
            out[i] = words(self.rng, 1)[0]
        return " ".join(out)

    def row(self, prompt: str, a: str, b: str) -> dict[str, Any]:
        if self.rng.random() < 0.5:
            a, b = b, a
        return {"prompt": prompt, "response_a": a, "response_b": b, "winner": "a"}

    def rows(self, n: int) -> list[dict[str, Any]]:
        out = []
        for _ in range(n):
            prompt = self.rng.choice(self.prompts)
            out.append(self.row(prompt, *self.rng.sample(self.answers[prompt], 2)))
        return out

    def batch(self, copied: str | None) -> list[dict[str, Any]]:
        """Six new answers, each against four known ones; one of them a copy of ``copied``."""
        out = []
        for k in range(6):
            prompt = self.prompts[0] if k == 0 else self.rng.choice(self.prompts)
            text = self.copy(copied) if k == 0 and copied else self.answer()
            known = self.rng.sample(self.answers[prompt], 4)
            out += [self.row(prompt, text, other) for other in known]
        return out


def gate(folder: Path, baseline: Path, batch: Path, *more: str) -> int:
    """Its exit code, without what takes time and decides nothing here."""
    arguments = ["gate", "--baseline", str(baseline), str(batch), "--model", "none", "--no-cache"]
    report = str(folder / "report.json")
    code, _, err = called([*arguments, "--replicates", "50", "-q", "-o", report, *more])
    assert "Traceback" not in err
    return code


def dripped(folder: Path, seed: int, n_batches: int, *, copies: bool) -> list[int]:
    """Exit codes of batch after batch, each merged where it passes, up to the first that fails."""
    world = World(seed)
    held = world.rows(300)
    victim = world.answers[world.prompts[0]][0]
    codes = []
    for k in range(n_batches):
        baseline = written(folder / "main.jsonl", held)
        rows = world.batch(victim if copies else None)
        batch = written(folder / f"batch{k}.jsonl", rows)
        codes.append(gate(folder, baseline, batch, "--ledger", str(folder / "ledger.json")))
        if codes[-1]:
            break
        held = held + rows
    return codes


def test_a_drip_of_one_copy_a_batch_is_caught(tmp_path: Path) -> None:
    codes = dripped(tmp_path, 1, 21, copies=True)
    assert codes[-1] == 1
    assert set(codes[:-1]) == {0}
    report = json.loads((tmp_path / "report.json").read_text())
    failing = [f for f in report["findings"] if f["severity"] == "error"]
    assert any("before it" in f["message"] for f in failing)
    # One copy a batch passes the test of a single batch, however often.
    alone = gate(tmp_path, tmp_path / "main.jsonl", tmp_path / f"batch{len(codes) - 1}.jsonl")
    assert alone == 0


def test_honest_batches_pass_with_a_ledger(tmp_path: Path) -> None:
    assert dripped(tmp_path, 2, 4, copies=False) == [0] * 4
    ledger = read_ledger(tmp_path / "ledger.json")
    assert len(ledger.entries) == 4
    assert len(ledger.added) == 24


def report_of(*names: str) -> ReadReport:
    files = tuple(FileRead(n, "jsonl", "none", 1, 1, n * 64) for n in names)
    return ReadReport(files, (), 1, 0)


def test_a_batch_that_passes_twice_is_entered_once(tmp_path: Path) -> None:
    ledger = Ledger().with_batch(report_of("a"), ["x:2", "x:1"])
    ledger = ledger.with_batch(report_of("b"), ["x:3"]).with_batch(report_of("a"), ["x:4"])
    assert [e.added for e in ledger.entries] == [("x:3",), ("x:1", "x:2", "x:4")]
    write_ledger(tmp_path / "l.json", ledger)
    assert read_ledger(tmp_path / "l.json") == ledger
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["l.json"]


def test_levels_of_all_looks_add_up_to_one_level() -> None:
    looks = (Sum(None, None, b, 1) for b in range(2, 10_000))  # type: ignore[arg-type]
    spent = sum(1.0 - look.level(0.99) for look in looks)
    assert spent < 0.01 / 2


def test_the_sum_is_the_baseline_before_and_all_that_came(tmp_path: Path) -> None:
    world = World(3)
    first, second, third = world.rows(40), world.batch(None), world.batch(None)
    both = read([str(written(tmp_path / "main.jsonl", first + second))])
    early = read([str(written(tmp_path / "early.jsonl", first))])
    batch = read([str(written(tmp_path / "batch.jsonl", third))])
    added = sorted(set(both.alternatives["id"]) - set(early.alternatives["id"]))
    found = sum_of(Ledger((Entry((), tuple(added)),)), both, batch)
    assert found is not None
    assert (found.n_batches, found.n_past) == (2, len(added))
    late = set(added)
    rows = both.comparisons
    ids = both.alternatives["id"].to_list()
    touched = [
        ids[w] in late or ids[x] in late
        for w, x in zip(rows["winner"].to_list(), rows["loser"].to_list(), strict=True)
    ]
    assert found.baseline.comparisons.height == len(touched) - sum(touched)
    assert found.batch.comparisons.height == sum(touched) + batch.comparisons.height
    assert late.isdisjoint(found.baseline.alternatives["id"])
    assert late <= set(found.batch.alternatives["id"])


def test_what_was_not_merged_counts_for_nothing(tmp_path: Path) -> None:
    world = World(4)
    data = read([str(written(tmp_path / "d.jsonl", world.rows(40)))])
    ledger = Ledger((Entry((), ("alternative:not-there",)),))
    assert sum_of(ledger, data, data) is None
    assert sum_of(Ledger(), data, data) is None


GOOD = {"format": FORMAT, "batches": [{"files": ["0" * 64], "added": ["x:1"]}]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not of the format"),
        (b'{"format": "cr-audit/ledger/v2"}', "not of the format"),
        (json.dumps({"format": FORMAT}).encode(), "no list of batches"),
        (json.dumps({"format": FORMAT, "batches": [1]}).encode(), "a batch that is none"),
        (json.dumps({"format": FORMAT, "batches": [{}]}).encode(), "without a list"),
        (
            json.dumps({"format": FORMAT, "batches": [{"files": [], "added": ["a\nb"]}]}).encode(),
            "no identifiers",
        ),
        (
            json.dumps({"format": FORMAT, "batches": [{"files": ["x"], "added": []}]}).encode(),
            "no identifiers",
        ),
    ],
)
def test_a_damaged_ledger_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "l.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=why) as caught:
        read_ledger(path)
    assert caught.value.exit_code == 3
    assert caught.value.next_step


def test_a_ledger_is_a_plain_file(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "gone"):
        with pytest.raises(InputError, match="no plain file"):
            read_ledger(path)
    assert read_ledger(tmp_path / "new.json") == Ledger()


def test_a_failing_batch_leaves_the_ledger_alone(tmp_path: Path) -> None:
    world = World(5)
    victim = world.answers[world.prompts[0]][0]
    baseline = written(tmp_path / "main.jsonl", world.rows(300))
    rows = [r for _ in range(20) for r in world.batch(victim)[:4]]
    batch = written(tmp_path / "batch.jsonl", rows)
    ledger = tmp_path / "ledger.json"
    ledger.write_text(json.dumps(GOOD))
    before = ledger.read_bytes()
    assert gate(tmp_path, baseline, batch, "--ledger", str(ledger)) == 1
    assert ledger.read_bytes() == before


def test_a_ledger_is_no_other_file(tmp_path: Path) -> None:
    world = World(6)
    baseline = written(tmp_path / "main.jsonl", world.rows(40))
    batch = written(tmp_path / "batch.jsonl", world.batch(None))
    assert gate(tmp_path, baseline, batch, "--ledger", str(baseline)) == 2
    assert gate(tmp_path, baseline, batch, "--ledger", str(tmp_path / "report.json")) == 2


def git(*arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("trick", ["taken away", "emptied", "rubbish", "a folder", "a link"])
def test_the_protected_branchs_ledger_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trick: str
) -> None:
    """A batch's branch that spoils the ledger is judged by what the base holds, and says so."""
    monkeypatch.chdir(tmp_path)
    world = World(5)
    world.rows(10)
    added = ["x:1", "x:2"]
    ledger = Path("ledger.json")
    write_ledger(ledger, Ledger().with_batch(report_of("a"), added))
    written(Path("main.jsonl"), world.rows(200))
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "x")
    ledger.unlink()
    match trick:
        case "emptied":
            write_ledger(ledger, Ledger())
        case "rubbish":
            ledger.write_text("{")
        case "a folder":
            ledger.mkdir()
        case "a link":
            ledger.symlink_to("/dev/zero")
    written(Path("batch.jsonl"), world.batch(None))
    found = read_protected("main", None, None, ledger)
    assert found.ledger is not None
    code = gate(
        tmp_path, Path("main.jsonl"), Path("batch.jsonl"), *("--ledger", "ledger.json"),
        *("--policy-from", "main"),
    )  # fmt: skip
    if trick in ("a folder", "a link"):  # what passes could not be entered there
        assert code == 3
    else:
        assert code == 0
        assert read_ledger(Path("nowhere.json"), found.ledger).added == frozenset(added)
        changes = json.loads((tmp_path / "report.json").read_text())["gate"]["policy"]
        assert [c["key"] for c in changes["own_changes"]] == ["ledger"]
        after = read_ledger(ledger)
        assert set(added) < after.added
        assert len(after.entries) == 2


def test_a_ledger_that_only_the_batch_brings_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x").write_text("x")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "x")
    write_ledger(Path("ledger.json"), Ledger().with_batch(report_of("a"), ["x:1"]))
    found = read_protected("main", None, None, Path("ledger.json"))
    assert found.ledger == b""
    assert read_ledger(Path("ledger.json"), found.ledger) == Ledger()
    outside = tmp_path.parent / "elsewhere.json"
    assert read_protected("main", None, None, outside).ledger is None
