"""``engine.in_pieces``: where results come from changes none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from cr_audit import engine


class Some:
    """Holds a few pieces that it knows, marked, and has the rest computed."""

    def __init__(self, known: Mapping[int, Any]) -> None:
        self.known, self.computed = known, list[list[int]]()

    def gathered(
        self, stage: str, inputs: Mapping[str, Any], n: int, compute: engine.Compute
    ) -> Iterator[Any]:
        missing = [i for i in range(n) if i not in self.known]
        self.computed.append(missing)
        made = iter(compute(missing))
        for i in range(n):
            yield self.known[i] if i in self.known else next(made)


def never() -> Mapping[str, Any]:
    raise AssertionError("inputs are digested where there is a shelf, and nowhere else")


def drawn(block: int, stream: np.random.Generator) -> tuple[int, float]:
    return block, float(stream.standard_normal())


@pytest.mark.parametrize("workers", [1, 3])
def test_streams_are_those_of_map_whichever_pieces_are_missing(workers: int) -> None:
    def made(shelf: engine.Shelf | None, **more: Any) -> tuple[list[Any], float]:
        rng = np.random.default_rng(7)
        with engine.shelved(shelf):
            found = list(
                engine.in_pieces("s", dict, drawn, range(9), rng=rng, workers=workers, **more)
            )
        return found, float(rng.spawn(1)[0].standard_normal())

    rng = np.random.default_rng(7)
    whole = list(engine.map(drawn, range(9), rng=rng, workers=workers))
    after = float(rng.spawn(1)[0].standard_normal())
    assert made(None) == (whole, after)
    shelf = Some({i: whole[i] for i in (0, 4, 5, 8)})
    assert made(shelf) == (whole, after)
    assert shelf.computed == [[1, 2, 3, 6, 7]]


def test_without_a_shelf_nothing_is_asked_of_the_inputs() -> None:
    assert not engine.has_shelf()
    assert list(engine.in_pieces("s", never, lambda b: b + 1, range(3))) == [1, 2, 3]
    assert list(engine.gathered("s", never, 3, lambda which: [i + 1 for i in which])) == [1, 2, 3]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_stage_inside_a_piece_is_not_cut(workers: int) -> None:
    def outer(block: int) -> list[int]:
        return list(engine.in_pieces("inner", never, lambda b: 10 * block + b, range(2)))

    shelf = Some({})
    with engine.shelved(shelf):
        found = list(engine.in_pieces("outer", dict, outer, range(3), workers=workers))
        assert engine.has_shelf()
    assert found == [[0, 1], [10, 11], [20, 21]]
    assert shelf.computed == [[0, 1, 2]]


def test_the_shelf_is_there_again_between_pieces_and_after_an_error() -> None:
    def compute(which: Any) -> Iterator[int]:
        for i in which:
            assert not engine.has_shelf()
            if i == 2:
                raise ValueError("the third")
            yield i

    with engine.shelved(Some({})):
        results = engine.gathered("s", dict, 3, compute)
        assert next(results) == 0
        assert engine.has_shelf()
        assert next(results) == 1
        with pytest.raises(ValueError, match="the third"):
            next(results)
        assert engine.has_shelf()
    assert not engine.has_shelf()
