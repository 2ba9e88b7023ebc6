"""Voronoi cells counted in pieces: the same numbers from any shelf as without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from cr_audit import engine
from cr_audit.weights.schemes.voronoi import voronoi_weights_by_prompt
from cr_audit.weights.voronoi import voronoi_weights


class Remembering:
    """Makes one share of the pieces at a time, and gives them all at the end."""

    def __init__(self, share: slice | None = None) -> None:
        self.share, self.held = share, dict[int, Any]()
        self.asked: list[tuple[str, int]] = []

    def gathered(
        self, stage: str, inputs: Mapping[str, Any], n: int, compute: engine.Compute
    ) -> Iterator[Any]:
        self.asked.append((stage, n))
        which = range(n) if self.share is None else range(n)[self.share]
        left = [i for i in which if i not in self.held]
        self.held |= dict(zip(left, compute(left), strict=True)) if left else {}
        if len(self.held) < n:
            raise StopAsyncIteration  # enough for this share
        yield from (self.held[i] for i in range(n))


def of_all(**more: Any) -> Any:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((150, 12)).astype(np.float32)
    return voronoi_weights(rows, precision=0.2, rng=np.random.default_rng(1), **more).weights


def by_prompt() -> Any:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((150, 12)).astype(np.float32)
    prompt_of = np.repeat(np.arange(30), 5)
    return voronoi_weights_by_prompt(
        rows, prompt_of, space="sphere", precision=0.3, duplicates=None,
        rng=np.random.default_rng(1),
    ).weights  # fmt: skip


@pytest.mark.parametrize(
    "found",
    [
        lambda: of_all(sampler="plain", min_samples=400_000),
        lambda: of_all(sampler="conditioned"),
        lambda: of_all(space="unit-cube", min_samples=200_000),
        by_prompt,
    ],
    ids=["plain", "conditioned", "cube", "by prompt"],
)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_pieces_made_in_any_order_give_the_same(found: Any, n: int) -> None:
    whole = found()
    shelf = Remembering()
    for k in reversed(range(n)):
        shelf.share = slice(k, None, n)
        with engine.shelved(shelf):
            try:
                made = found()
            except (StopAsyncIteration, RuntimeError):
                assert k
    assert made.tobytes() == whole.tobytes()
    assert {stage for stage, _ in shelf.asked} == {"cells"}
    assert shelf.asked[0][1] > 1
