"""The notebooks of docs/notebooks run from their first cell to the last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("book", BOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "docs" / "notebooks"
    folder.mkdir(parents=True)
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CR_AUDIT_CACHE", str(tmp_path / "cache"))
    document = json.loads(book.read_text(encoding="utf-8"))
    assert document["nbformat"] == 4
    names: dict[str, Any] = {}
    cells = [c for c in document["cells"] if c["cell_type"] == "code"]
    assert cells
    for number, cell in enumerate(cells, 1):
        assert not cell["outputs"], "notebooks are kept without outputs"
        exec(compile("".join(cell["source"]), f"{book.name}, cell {number}", "exec"), names)
    if book.stem == "gate":
        assert (names["clean"].passed, names["cloned"].passed) == (True, False)
    assert {
        "dpo": "train.jsonl",
        "leaderboard": "board.html",
        "gate": "gate.sarif",
    }[book.stem] in {p.name for p in folder.iterdir()}


def test_there_are_three() -> None:
    assert [b.stem for b in BOOKS] == ["dpo", "gate", "leaderboard"]
