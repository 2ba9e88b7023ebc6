"""What a report asks for when its command is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import SAMPLES, run_of

from cr_audit import engine
from cr_audit.engine import settings as resources
from cr_audit.families.prompts import compute as prompts
from cr_audit.families.weights import compute as weights
from cr_audit.run import Run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """With its own cache folder, a third of a gibibyte, and somebody who is told of progress."""
    monkeypatch.setenv("CR_AUDIT_CACHE", str(tmp_path / "cache"))
    made = run_of(SAMPLES / "clone_robust.jsonl", memory="300MiB")
    made.use_cache = True
    return made


def test_it_has_the_memory_and_the_folder_of_the_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Voronoi cells of two million answers, asked for by a page, were held in memory three times:
    the folder for large arrays was known only until the facts were there."""
    seen: list[tuple[str, Any]] = []

    def watched(module: Any, name: str) -> None:
        real = getattr(module, name)

        def work(*args: Any, **given: Any) -> Any:
            seen.append((name, resources.setting()))
            engine.counted("a stage", 3)()
            return real(*args, **given)

        monkeypatch.setattr(module, name, work)

    told: list[tuple[str, int, int]] = []
    run.progress = lambda *step: told.append(step)
    watched(weights, "weights_by")
    watched(prompts, "prompt_kinds_of")
    asked = run.facts("weights"), run.facts("prompts")
    graph = run.analysis.graph
    told.clear()
    before = resources.setting()
    assert before.folder is None
    _ = asked[0].voronoi, asked[1].kinds, graph()
    assert [name for name, _ in seen] == ["weights_by", "prompt_kinds_of"]
    assert {s.folder for _, s in seen} == {tmp_path / "cache"}
    assert {s.memory for _, s in seen} == {300 * 2**20}
    assert told.count(("a stage", 1, 3)) == 2
    assert resources.setting() == before


def test_it_is_what_would_have_been_found_at_once(run: Run) -> None:
    late = run.facts("weights").voronoi
    again = run_of(SAMPLES / "clone_robust.jsonl").facts("weights").voronoi
    assert np.array_equal(late.weights, again.weights)
