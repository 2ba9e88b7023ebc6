"""The inverted index against all pairs by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cr_audit.clones import pairs as module
from cr_audit.clones.pairs import MIN_SHINGLES, TextIndex, TextPairs, text_pairs
from cr_audit.clones.shingles import Shingles, text_distance

WORDS = st.lists(st.sampled_from(list("abcdefghijkl")), max_size=14).map(" ".join)


def brute(texts: list[str], radius: float) -> dict[tuple[int, int], float]:
    sizes = Shingles.of(texts).sizes
    return {
        (i, j): d
        for j in range(len(texts))
        for i in range(j)
        if min(sizes[i], sizes[j]) >= MIN_SHINGLES
        and (d := text_distance(texts[i], texts[j])) <= radius + 1e-12
    }


def listed(pairs: TextPairs) -> dict[tuple[int, int], float]:
    ij = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    return dict(zip(ij, pairs.distance.tolist(), strict=True))


@given(st.lists(WORDS, max_size=14, unique=True), st.sampled_from([0.0, 0.2, 0.4, 0.55, 0.8]))
def test_misses_no_pair(texts: list[str], radius: float) -> None:
    pairs = text_pairs(TextIndex(Shingles.of(texts)), radius)
    assert listed(pairs) == pytest.approx(brute(texts, radius))
    assert pairs.balls == ()


def test_misses_no_pair_among_long_texts_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    monkeypatch.setattr(module, "_BLOCK_CANDIDATES", 500)
    monkeypatch.setattr(module, "_BLOCK_ENTRIES", 5000)
    monkeypatch.setattr(module, "_TILE", 7)
    base = [rng.integers(0, 300, 120) for _ in range(8)]
    texts = []
    for _ in range(80):
        words = base[rng.integers(8)].copy()
        change = rng.random(120) < rng.uniform(0, 0.5)
        words[change] = rng.integers(0, 300, int(change.sum()))
        texts.append(" ".join(map(str, words[: rng.integers(60, 121)])))  # sizes in several tiles
    pairs = text_pairs(TextIndex(Shingles.of(texts)), 0.5)
    truth = brute(texts, 0.5)
    assert len(truth) > 40
    assert listed(pairs) == pytest.approx(truth)


def refusals(n: int) -> list[str]:
    rng = np.random.default_rng(1)
    return sorted(
        {
            f"I am sorry, but I cannot help you with word{a}. If there is anything else that you "
            "would like to talk about, I will be glad to help you with that instead."
            for a in rng.integers(0, 10**6, n)
        }
    )


def test_dense_regions_become_balls_without_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAVY", 100)
    texts = refusals(400)
    index = TextIndex(Shingles.of(texts))
    pairs = text_pairs(index, 0.4)
    assert sum(b.size for b in pairs.balls) == len(texts)
    assert pairs.first.size == 0
    for ball in pairs.balls:
        assert index.among(ball).max() <= 0.4


def test_a_heavy_shingle_without_a_ball_is_searched_pair_by_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HEAVY", 20)
    rng = np.random.default_rng(2)
    words = np.array([f"w{i}" for i in range(25)])
    texts = sorted({" ".join(rng.choice(words, 8)) for _ in range(150)})
    pairs = text_pairs(TextIndex(Shingles.of(texts)), 0.7)
    assert pairs.balls == ()
    assert listed(pairs) == pytest.approx(brute(texts, 0.7))


def test_says_when_frequent_shingles_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WORK", 500.0)
    texts = refusals(60)
    pairs = text_pairs(TextIndex(Shingles.of(texts)), 0.4)
    assert not pairs.complete
    truth = brute(texts, 0.4)
    assert all(truth[k] == pytest.approx(d) for k, d in listed(pairs).items())


def test_refuses_a_radius_that_lets_everything_in() -> None:
    with pytest.raises(ValueError, match="radius"):
        text_pairs(TextIndex(Shingles.of(["a"])), 1.0)
