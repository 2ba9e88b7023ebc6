"""Who is told how far a stage is, and that it changes nothing."""

from __future__ import annotations

import io

import pytest

from cr_audit import engine
from cr_audit.cli.progress import progress_bar
from cr_audit.clones.pairs import TextIndex, text_pairs
from cr_audit.clones.shingles import Shingles


def test_every_result_and_how_far() -> None:
    seen: list[tuple[str, int, int]] = []
    assert list(engine.told("a", iter("xyz"), [1, 2, 3])) == ["x", "y", "z"]  # nobody is told
    with engine.telling(lambda *said: seen.append(said)):
        assert list(engine.told("a", iter("xyz"), [1, 2, 3])) == ["x", "y", "z"]
        step = engine.counted("b", 2)
        step()
        step()
        inside = engine.map(lambda k: list(engine.told("c", [k], [1])), range(3), workers=2)
        assert list(inside) == [[0], [1], [2]]  # workers tell nothing
    assert seen == [
        *(("a", k, 6) for k in (0, 1, 3, 6)),
        *(("b", k, 2) for k in (0, 1, 2)),
    ]


def test_the_search_for_copies_says_how_far_it_is() -> None:
    texts = [f"one two three four five six {k} seven eight {k % 7}" for k in range(50)]
    seen: list[tuple[str, int, int]] = []
    with engine.telling(lambda *said: seen.append(said)):
        told = text_pairs(TextIndex(Shingles.of(texts)), 0.4)
    plain = text_pairs(TextIndex(Shingles.of(texts)), 0.4)
    assert told.distance.tobytes() == plain.distance.tobytes()
    for stage in ("words of texts", "comparing texts"):
        steps = [(done, total) for name, done, total in seen if name == stage]
        assert steps[0][0] == 0
        assert steps[-1][0] == steps[-1][1] > 0


def test_a_stage_that_comes_again_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    with progress_bar(enabled=True) as report:
        for _ in range(2):
            report("words", 0, 10)
            report("words", 10, 10)
            report("pairs", 0, 4)
            report("pairs", 2, 4)
