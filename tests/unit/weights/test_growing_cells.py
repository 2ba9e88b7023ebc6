"""Voronoi cells that grow: the same bits from whatever is kept, and exact owners."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cr_audit.weights.growing as module
from cr_audit.arrays import Float32Array, IntArray
from cr_audit.weights.contexts import Contexts
from cr_audit.weights.estimates import Weights
from cr_audit.weights.growing import Directions, growing_weights, nearest, on_grid
from cr_audit.weights.schemes.voronoi import voronoi_weights_by_prompt
from cr_audit.weights.scope import WeightsByPrompt
from cr_audit.weights.spaces import Block
from cr_audit.weights.voronoi import voronoi_weights


def unit(rng: np.random.Generator, n: int, d: int) -> Float32Array:
    x = rng.standard_normal((n, d)) + 2.0 * rng.standard_normal(d)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def contexts(seed: int, n: int, d: int, n_prompts: int) -> tuple[Contexts, IntArray]:
    """Answers with copies: equal vectors, vectors that differ by one rounding, an empty one."""
    rng = np.random.default_rng(seed)
    x = unit(rng, n, d)
    for i in range(1, n, 4):
        x[i] = x[i - 1] if i % 8 == 1 else np.nextafter(x[i - 1], np.float32(2))
    if seed % 3 == 0:
        x[-1] = 0.0
    of = rng.integers(0, n_prompts, n)
    if n_prompts == 1:
        return Contexts(x), of
    return Contexts(x, unit(rng, n_prompts, d), of), of


def fresh(name: str, inputs: Any, compute: Any) -> Any:
    return compute()


class Memory:
    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.computed = 0

    def __call__(self, name: str, inputs: Any, compute: Any) -> Any:
        key = repr([x.tobytes() if isinstance(x, np.ndarray) else x for x in inputs])
        if key not in self.results:
            self.results[key], self.computed = compute(), self.computed + 1
        return self.results[key]


def weigh(c: Contexts, old: IntArray, keep: Any, **settings_: Any) -> Weights:
    chosen: dict[str, Any] = {"precision": 0.3, "min_samples": 2000, **settings_}
    return growing_weights(c, old, keep=keep, rng=np.random.default_rng(7), **chosen)


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 5), st.data())
@settings(max_examples=40, deadline=None)
def test_the_result_does_not_depend_on_what_was_kept_or_on_tiles(
    seed: int, n: int, n_prompts: int, drawn: st.DataObject
) -> None:
    c, _ = contexts(seed, n, 6, n_prompts)
    old = np.array(sorted(drawn.draw(st.sets(st.integers(0, n - 1), min_size=1))), np.int64)
    cold = weigh(c, old, fresh)
    memory = Memory()
    alone = weigh(c.take(old), np.arange(old.size), memory)
    warm = weigh(c, old, memory, workers=2)
    assert alone.weights.sum() == pytest.approx(1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TILE", 3)
        patch.setattr(module, "_EXACT", 2)
        tiled = weigh(c, old, fresh, workers=1)
    for other in (warm, tiled):
        assert np.array_equal(cold.hits, other.hits)
        assert cold.weights.tobytes() == other.weights.tobytes()
        assert np.array_equal(cold.cells, other.cells)


def test_the_old_part_is_sampled_once() -> None:
    c, _ = contexts(1, 40, 6, 4)
    memory, old = Memory(), np.arange(0, 40, 2)
    weigh(c.take(old), np.arange(20), memory)
    for last in (25, 40):
        items = np.unique(np.concatenate([old, np.arange(last)]))
        weigh(c.take(items), np.searchsorted(items, old), memory)
    assert memory.computed == 1


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 700))
@settings(max_examples=40, deadline=None)
def test_owners_are_those_of_integer_arithmetic(seed: int, n: int, d: int) -> None:
    """Scores as Python integers: nothing is rounded, and of equal scores the first one owns."""
    rng = np.random.default_rng(seed)
    x = unit(rng, n, d)
    x[n // 2 :] = x[: n - n // 2] + rng.choice([0, 1e-7, 1e-5], (n - n // 2, 1)).astype(np.float32)
    points = on_grid((Block(x),))
    directions = Directions(entropy=(seed,), rows=4, n_coordinates=d)
    found = nearest(points, directions, 1, 7)
    draws = np.concatenate([directions.block(0, 4), directions.block(1, 4)])[1:7]
    g = [[int(v) for v in row] for row in draws.astype(np.float64) * 2**18]
    y = [[int(v) for v in row] for row in points[0].rows.astype(np.float64) * 2**26]
    for j, row in enumerate(g):
        scores = [sum(a * b for a, b in zip(row, point, strict=True)) for point in y]
        for side, sign in ((0, 1), (1, -1)):
            signed = [sign * s for s in scores]
            best = max(signed)
            assert found.owner[side, j] == signed.index(best)
            assert found.score[side, j] == best / 2**44


@pytest.mark.parametrize("n_prompts", [1, 12])
def test_estimates_agree_with_the_plain_ones(n_prompts: int) -> None:
    """Within Monte-Carlo error, and with as many samples, reached precision included."""
    c, _ = contexts(4, 60, 8, n_prompts)
    plain = voronoi_weights(c, precision=0.02, rng=np.random.default_rng(0))
    grown = growing_weights(
        c, np.arange(0, 60, 3), precision=0.02, keep=fresh, rng=np.random.default_rng(1)
    )
    assert (grown.n_samples, grown.reached) == (plain.n_samples, plain.reached)
    assert np.array_equal(grown.cells, plain.cells)
    a, b = (np.bincount(w.cells, weights=w.weights) for w in (plain, grown))
    error = np.sqrt((a + b) * (1 - (a + b) / 2) / plain.n_samples) + 1e-9
    near = np.zeros(a.size, bool)  # points that one rounding parts share their cell arbitrarily
    near[plain.cells[1::4]] = near[plain.cells[0::4]] = True
    assert (np.abs(a - b) / error)[~near].max() < 5
    assert a[near].sum() == pytest.approx(b[near].sum(), abs=0.02)


@given(st.integers(0, 1000), st.data())
@settings(max_examples=25, deadline=None)
def test_within_prompts_only_those_that_something_joined_are_weighed(
    seed: int, drawn: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    x, of = unit(rng, 24, 5), rng.integers(0, 5, 24)
    old = np.array(sorted(drawn.draw(st.sets(st.integers(0, 23), min_size=1))), np.int64)

    def weigh_(rows: IntArray, was: IntArray, earlier: Weights | None) -> WeightsByPrompt:
        return voronoi_weights_by_prompt(
            x[rows],
            of[rows],
            space="sphere",
            precision=0.5,
            duplicates=None,
            old=was,
            earlier=earlier,
            rng=np.random.default_rng(3),
        )

    before = weigh_(old, np.arange(old.size), None)
    cold, warm = (weigh_(np.arange(24), old, earlier) for earlier in (None, before))
    assert cold.weights.tobytes() == warm.weights.tobytes()
    assert cold.effective_number_corrected == warm.effective_number_corrected
    untouched = [
        i for i in range(5) if (of == i).any() and np.isin(np.flatnonzero(of == i), old).all()
    ]
    shared = sum(any(p is q for q in before.parts) for p in warm.parts)
    assert shared == len(untouched)
