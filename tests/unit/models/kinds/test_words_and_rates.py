"""Distinguishing words and win rates of kinds, against sums written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cr_audit.arrays import Comparisons, FloatArray, IntArray
from cr_audit.models.kinds.rates import kind_rates
from cr_audit.models.kinds.words import PRIOR, distinguishing_words

RNG = np.random.default_rng


def test_words_that_tell_a_kind_apart() -> None:
    texts = (
        ["I’m sorry, I cannot help the user"] * 6
        + ["Mix the flour and the eggs"] * 6
        + ["The sun is a star", "Paris is the capital", "the end"] * 3
    )
    labels = np.array([0] * 6 + [1] * 6 + [-1] * 9)
    sorry, recipe = distinguishing_words(texts, labels, 2, n_words=4)
    assert set(sorry) <= {"i'm", "sorry", "cannot", "help", "user"}
    assert set(recipe) == {"mix", "flour", "and", "eggs"}
    assert "the" not in sorry + recipe  # stands everywhere


def test_a_word_of_one_text_names_nothing() -> None:
    texts = ["spam " * 500, "alpha beta", "alpha beta", "alpha beta"] + ["gamma"] * 40
    labels = np.array([0] * 4 + [-1] * 40)
    assert distinguishing_words(texts, labels, 1) == (("alpha", "beta"),)
    assert distinguishing_words(["x y"] * 3, np.zeros(3, np.int64), 2)[1] == ()


def test_the_order_is_that_of_the_formula() -> None:
    """z of two words in 30 texts of a kind, which hold 27 + 12 + 30 words, and 120 others with
    24 + 120, written out."""

    def z(y: int, other: int, n: int = 69, rest: int = 144) -> float:
        a, all_of_it = PRIOR * (y + other) / 150, PRIOR * (n + rest) / 150
        odds = np.log((y + a) / (n + all_of_it - y - a))
        odds -= np.log((other + a) / (rest + all_of_it - other - a))
        return float(odds / np.sqrt(1 / (y + a) + 1 / (other + a)))

    assert z(27, 24) > z(12, 0) > 2.0
    texts = [f"{'often' if i < 27 else ''} {'rare' if i < 12 else ''} x{i}" for i in range(30)]
    texts += [f"{'often' if i < 24 else ''} y{i}" for i in range(120)]
    labels = np.array([0] * 30 + [-1] * 120)
    assert distinguishing_words(texts, labels, 1) == (("often", "rare"),)


def test_a_kind_of_long_answers_is_not_named_by_what_every_long_text_holds() -> None:
    """Function words stand in most long texts and in few short ones."""
    rng = RNG(0)
    filler = [f"w{i}" for i in range(300)]

    def text(n: int, *more: str) -> str:
        common = [w for w in ("are", "in", "their") if rng.random() < 1 - 0.97**n]
        return " ".join([*rng.choice(filler, n, replace=False), *common, *more])

    texts = [text(40, "borders") if i < 40 else text(40) for i in range(60)]
    texts += [text(4) for _ in range(240)]
    names = distinguishing_words(texts, np.array([0] * 60 + [-1] * 240), 1, n_words=1)
    assert names == (("borders",),)
    held = [sum(w in t.split() for t in texts[:60]) for w in ("are", "borders")]
    assert held[0] >= held[1] - 3, "the function word is as frequent there"


def test_scripts_without_spaces_and_hostile_texts() -> None:
    texts = ["犬 が 好き"] * 15 + ["\x1b[31m<b> of three words", "", "‮abc in a row"] * 15
    labels = np.array([0] * 15 + [-1] * 45)
    assert set(distinguishing_words(texts, labels, 1)[0]) == {"犬", "が", "好き"}


def of(
    winner: IntArray, loser: IntArray, outcome: FloatArray, prompt: IntArray, m: int
) -> Comparisons:
    unknown = np.full(winner.size, -1, np.int64)
    return Comparisons(m, winner, loser, outcome, np.ones(winner.size), unknown, prompt, unknown)


def comparisons(n: int, m: int, seed: int) -> Comparisons:
    rng = RNG(seed)
    winner = rng.integers(0, m, n)
    loser = (winner + rng.integers(1, m, n)) % m
    outcome, prompt = rng.choice([1.0, 0.5], n), rng.integers(0, max(n // 3, 1), n)
    return of(winner, loser, outcome, prompt, m)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60))
def test_rates_are_sums_over_the_comparisons_with_one_side(seed: int, n: int) -> None:
    c = comparisons(n, 12, seed)
    rng = RNG(seed)
    labels, w = rng.integers(-1, 3, 12), rng.random(12)
    r = kind_rates(c, labels, 3, w, clusters=c.prompt)
    for g in range(3):
        won = total = heavy = mass = within = 0.0
        for i in range(n):
            a, b = labels[c.winner[i]] == g, labels[c.loser[i]] == g
            within += a and b
            if a == b:
                continue
            y = c.outcome[i] if a else 1 - c.outcome[i]
            k = w[c.winner[i]] * w[c.loser[i]]
            won, total, heavy, mass = won + y, total + 1, heavy + k * y, mass + k
        assert (r.n[g], r.n_within[g]) == (total, within)
        if not total:
            assert np.isnan(r.rate[g])
            continue
        assert r.rate[g] == pytest.approx(won / total)
        assert r.weighted[g] == pytest.approx(heavy / mass)
        assert r.shift[g] == pytest.approx(heavy / mass - won / total)
        assert 0 <= r.low[g] <= r.rate[g] + 1e-12
        assert r.rate[g] - 1e-12 <= r.high[g] <= 1
        assert 0 < r.n_effective[g] <= total


def test_one_kind_wins_as_often_as_the_other_loses() -> None:
    c = comparisons(200, 20, 0)
    labels = np.arange(20) % 2
    r = kind_rates(c, labels, 2, None)
    assert r.rate.sum() == pytest.approx(1.0)
    assert np.isnan(r.weighted).all()


def test_equal_weights_move_nothing() -> None:
    c = comparisons(200, 20, 1)
    r = kind_rates(c, np.arange(20) % 3, 3, np.full(20, 0.05), clusters=c.prompt)
    assert np.allclose(r.shift, 0.0, atol=1e-12)
    assert not r.moved(0.9).any()


def test_the_interval_covers_where_rows_of_a_prompt_go_together() -> None:
    """200 prompts of 4 rows that are decided alike: by rows the 90 % interval would cover 60 %."""
    covered, n = 0, 300
    prompts = np.repeat(np.arange(200), 4)
    for seed in range(n):
        rng = RNG(seed)
        wins = np.repeat(rng.random(200) < 0.6, 4)
        c = of(np.where(wins, 0, 1), np.where(wins, 1, 0), np.ones(800), prompts, 2)
        r = kind_rates(c, np.array([0, 1]), 2, None, clusters=prompts)
        covered += bool(r.low[0] <= 0.6 <= r.high[0])
    assert 0.85 <= covered / n <= 0.95


def test_false_discoveries_keep_their_rate() -> None:
    """Ten kinds, none of which wins: some kind is told in at most about a tenth of the data."""
    told = np.zeros(2)
    for seed in range(200):
        rng = RNG(seed)
        first, second = rng.integers(0, 100, 400), rng.integers(100, 200, 400)
        flip = rng.random(400) < 0.5
        one, two = np.where(flip, first, second), np.where(flip, second, first)
        c = of(one, two, np.ones(400), np.arange(400), 200)
        w = rng.exponential(size=200) ** 2
        r = kind_rates(c, np.arange(200) // 20, 10, w / w.sum(), clusters=c.prompt)
        told += np.array([r.decided(0.9).any(), r.moved(0.9).any()])
    assert (told / 200 <= 0.14).all()
