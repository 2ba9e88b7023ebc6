"""The inverted index against all pairs by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cr_audit import engine
from cr_audit.arrays import IntArray
from cr_audit.clones import pairs as module
from cr_audit.clones import shingles
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


@given(
    st.sets(st.integers(0, 60), min_size=1),
    st.sets(st.integers(0, 60), min_size=1),
    st.floats(0, 0.9),
)
def test_pairs_within_the_radius_share_what_their_sizes_demand(
    a: set[int], b: set[int], radius: float
) -> None:
    small, large = sorted((len(a), len(b)))
    size, partner = np.array([small, large]), np.array([large, 0])
    for_larger, for_any = module._overlap(size, partner, radius)
    shared = len(a & b)
    if 1.0 - shared / len(a | b) <= radius:
        assert shared >= max(for_larger, for_any)
    # And no less than that is demanded: a pair of these sizes that shares it is within the radius.
    assert for_larger / (small + large - for_larger) >= 1.0 - radius - 1e-9
    assert for_larger == 1 or (for_larger - 1) / (small + large - for_larger + 1) < 1.0 - radius


@given(
    st.lists(WORDS, min_size=2, max_size=25, unique=True),
    st.sampled_from([0.2, 0.4, 0.6]),
    st.integers(1, 30),
    st.integers(1, 40),
    st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_how_the_work_is_cut_changes_nothing(
    texts: list[str], radius: float, tile: int, block: int, workers: int
) -> None:
    whole = text_pairs(TextIndex(Shingles.of(texts)), radius)
    with pytest.MonkeyPatch.context() as patch, engine.using(workers=workers):
        patch.setattr(module, "_TILE", tile)
        patch.setattr(module, "_BLOCK_CANDIDATES", block)
        patch.setattr(module, "_BLOCK_ENTRIES", 2 * block)
        patch.setattr(shingles, "_BLOCK_ENTRIES", block)
        patch.setattr(shingles, "_BLOCK_CHARS", 3 * block)
        cut = text_pairs(TextIndex(Shingles.of(texts)), radius)
    assert cut.first.tobytes() == whole.first.tobytes()
    assert cut.second.tobytes() == whole.second.tobytes()
    assert cut.distance.tobytes() == whole.distance.tobytes()
    assert cut.n_candidates == whole.n_candidates or tile < len(texts)


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
    monkeypatch.setattr(module, "WORK_PER_TEXT", 1.0)
    texts = refusals(60)
    pairs = text_pairs(TextIndex(Shingles.of(texts)), 0.4)
    assert not pairs.complete
    truth = brute(texts, 0.4)
    assert all(truth[k] == pytest.approx(d) for k, d in listed(pairs).items())


def test_refuses_a_radius_that_lets_everything_in() -> None:
    with pytest.raises(ValueError, match="radius"):
        text_pairs(TextIndex(Shingles.of(["a"])), 1.0)


def test_pivots_of_a_heavy_shingle_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shingles that many texts share and no ball: one look at the index for each, not for each
    pivot."""
    rng = np.random.default_rng(4)
    words = np.array([f"w{i}" for i in range(25)])
    texts = sorted({" ".join(rng.choice(words, 8)) for _ in range(300)})
    index = TextIndex(Shingles.of(texts))
    expected = text_pairs(index, 0.7)
    looks: list[int] = []
    within = TextIndex.within

    def counted(self: TextIndex, rows: IntArray, radius: float) -> tuple[IntArray, IntArray]:
        looks.append(rows.size)
        return within(self, rows, radius)

    monkeypatch.setattr(module, "HEAVY", 20)
    monkeypatch.setattr(TextIndex, "within", counted)
    found = text_pairs(index, 0.7)
    assert looks == [8] * 8
    assert found.balls == ()
    assert found.first.tolist() == expected.first.tolist()
    assert found.distance.tolist() == expected.distance.tolist()
