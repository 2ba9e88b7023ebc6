"""Clones of texts to which others are added: as a search for all pairs finds them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cr_audit.clones.added as module
import cr_audit.clones.grouped as grouped_module
import cr_audit.clones.pairs as pairs_module
from cr_audit.arrays import IntArray
from cr_audit.clones.find import CloneReport, find_clones
from cr_audit.clones.growing import find_growing_clones
from cr_audit.clones.shingles import Shingles

WORDS = [f"w{i}" for i in range(60)]


def plain(value: Any) -> Any:
    """Comparable by ==."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.tolist())
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    return value


def without_counts(report: CloneReport) -> Any:
    """Everything but how many candidates were looked at."""
    out = plain(report)
    out["neighbours"].pop("n_candidates")
    return out


class Memory:
    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.asked = 0

    def __call__(self, name: str, inputs: Any, compute: Any) -> Any:
        self.asked += 1
        key = repr([x.tolist() if isinstance(x, np.ndarray) else x for x in inputs])
        if key not in self.results:
            self.results[key] = compute()
        return self.results[key]


@st.composite
def data(draw: st.DrawFn) -> dict[str, Any]:
    """Answers under prompts, many of them edited copies of each other, some without a text."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_prompts, n = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    seeds = [list(rng.choice(WORDS, rng.integers(3, 30))) for _ in range(4)]

    def text() -> str | None:
        words = list(seeds[rng.integers(4)])
        for _ in range(rng.integers(0, 5)):
            words[rng.integers(len(words))] = str(rng.choice(WORDS))
        return None if rng.random() < 0.05 else "" if rng.random() < 0.05 else " ".join(words)

    prompts = [text() for _ in range(n_prompts)]
    of = rng.integers(-1 if draw(st.booleans()) else 0, n_prompts, n)
    vectors = rng.standard_normal((n, 3)).astype(np.float32)
    return {
        "response_texts": [text() for _ in range(n)],
        "prompt_of": of,
        "prompt_texts": prompts,
        "response_vectors": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "radius": draw(st.sampled_from([0.0, 0.2, 0.4, 0.6])),
    }


def both(given_: dict[str, Any], old: IntArray, keep: Any) -> tuple[CloneReport, CloneReport]:
    rng = np.random.default_rng
    grown = find_growing_clones(old, keep=keep, rng=rng(5), **given_)
    return grown, find_clones(rng=rng(5), **given_)


@given(data(), st.data())
@settings(max_examples=150, deadline=None)
def test_grown_clones_are_those_of_all_texts(given_: dict[str, Any], drawn: st.DataObject) -> None:
    n = len(given_["response_texts"])
    old = np.array(sorted(drawn.draw(st.sets(st.integers(0, n - 1), min_size=1))), np.int64)
    grown, full = both(given_, old, Memory())
    assert without_counts(grown) == without_counts(full)


@pytest.mark.parametrize("limit", ["HEAVY", "MAX_CANDIDATES"])
@given(data(), st.data())
@settings(max_examples=40, deadline=None)
def test_dense_texts_are_searched_for_all_together(
    limit: str, given_: dict[str, Any], drawn: st.DataObject
) -> None:
    """Where balls are set aside, and where candidates are too many."""
    n = len(given_["response_texts"])
    old = np.array(sorted(drawn.draw(st.sets(st.integers(0, n - 1), min_size=1))), np.int64)
    with pytest.MonkeyPatch.context() as patch:
        if limit == "HEAVY":
            for m in (module, pairs_module, grouped_module):
                patch.setattr(m, "HEAVY", 3)
                patch.setattr(m, "MIN_BALL", 3, raising=False)
        else:
            patch.setattr(module, "MAX_CANDIDATES", 0)
        grown, full = both(given_, old, Memory())
    assert without_counts(grown) == without_counts(full)


def test_the_old_part_is_searched_once() -> None:
    texts = [" ".join(np.random.default_rng(i // 2).choice(WORDS, 20)) for i in range(20)]
    of, prompts = np.arange(20) // 4, [f"prompt {i}" for i in range(5)]
    keep = Memory()
    for last in (12, 16, 20):
        given_ = {
            "response_texts": texts[:last],
            "prompt_of": of[:last],
            "prompt_texts": prompts[: last // 4],
            "radius": 0.4,
        }
        grown, full = both(given_, np.arange(12), keep)
        assert without_counts(grown) == without_counts(full)
        assert len(full.clusters) > 0
    assert (len(keep.results), keep.asked) == (1, 3)


@given(st.lists(st.text("ab c!,é中", max_size=12), unique=True, max_size=40), st.data())
def test_grown_sets_are_the_sets_of_all_texts(texts: list[str], drawn: st.DataObject) -> None:
    texts = sorted(texts)
    numbers = st.sets(st.integers(0, len(texts) - 1)) if texts else st.just(set())
    old = np.array(sorted(drawn.draw(numbers)), np.int64)
    new = np.setdiff1d(np.arange(len(texts)), old)
    packed = Shingles.of([texts[i] for i in old]).packed()
    grown = Shingles.grown(packed, old, Shingles.of([texts[i] for i in new]), new)
    assert plain(grown) == plain(Shingles.of(texts))
