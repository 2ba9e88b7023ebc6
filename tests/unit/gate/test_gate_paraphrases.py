"""CR621: new answers that retell others; both tests exact under random splits."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest

from benchmarks.paraphrase.sets import invented
from cr_audit.arrays import NotApplicable
from cr_audit.clones.find import find_clones
from cr_audit.clones.paraphrase import Answers
from cr_audit.gate import paraphrases
from cr_audit.gate.paraphrases import (
    LEVELS,
    _any_of,
    _Units,
    batch_paraphrases,
    prompts_to_test,
)


def _units(group: np.ndarray) -> Answers:
    n = group.size
    every = np.arange(n)
    return Answers(["x"] * n, every, every, group, every, np.full(n, -1))


def _judged(group: np.ndarray, close: np.ndarray, new: np.ndarray, seed: int = 0):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    return paraphrases.tested(_units(group), close, new, prompts_to_test(group, new, rng), rng)


def test_bands_are_shares() -> None:
    close = np.random.default_rng(0).normal(size=1000)
    one = np.zeros(1000, np.int64)
    units = _Units(_units(one), close, np.zeros(1000, np.bool_), one)
    band = units.bands(np.arange(1000))
    assert [(band > k).sum() for k in range(len(LEVELS))] == [int(q * 1000) for q in LEVELS]
    assert set(np.argsort(-close)[:2]) == set(np.flatnonzero(band == 4))


def test_chance_that_a_draw_holds_one_of_r() -> None:
    for n, m, r in ((10, 3, 2), (6, 6, 1), (9, 1, 9), (12, 5, 8)):
        expected = 1 - comb(n - r, m) / comb(n, m)
        assert _any_of(n, m, np.array([r]))[0] == pytest.approx(expected)


def test_within_is_its_exact_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small prompts: the share of all draws with as small a statistic, enumerated."""
    monkeypatch.setattr(paraphrases, "N_DRAWS", 20_000)
    group = np.array([0] * 7 + [1] * 6)
    close = np.array([9, 8, 7, 1, 2, 3, 4, 6, 5, 0.5, 0.4, 0.3, 0.2])
    new = np.zeros(13, np.bool_)
    new[[0, 1, 2, 7]] = True
    found = _judged(group, close, new).within
    assert not isinstance(found, NotApplicable)

    def smallest(chosen: set[int]) -> float:
        from scipy.stats import hypergeom

        out = 1.0
        order = np.argsort(-close)
        for q in LEVELS:
            top = set(order[: int(q * 13)].tolist())
            for rows in (range(7), range(7, 13)):
                k = len(chosen & top & set(rows))
                m = len(chosen & set(rows))
                out = min(out, hypergeom.sf(k - 1, len(rows), len(top & set(rows)), m))
        return out

    seen = smallest({0, 1, 2, 7})
    draws = [
        smallest({*a, b}) <= seen + 1e-9 for a in combinations(range(7), 3) for b in range(7, 13)
    ]
    assert found[0].p_value == pytest.approx(np.mean(draws), abs=0.015)
    assert set(found[0].new.tolist()) <= {0, 1}


def test_level_holds_on_random_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heavily uneven closeness, splits at random by answers and by prompts."""
    monkeypatch.setattr(paraphrases, "N_DRAWS", 499)
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(40), 8)
    close = rng.normal(size=320) + np.repeat(rng.exponential(3.0, size=40), 8)
    low = {"answers": 0, "prompts": 0}
    for seed in range(120):
        by_answer = rng.random(320) < 0.15
        by_prompt = np.isin(group, rng.choice(40, 5, replace=False))
        for kind, new in (("answers", by_answer), ("prompts", by_prompt)):
            found = _judged(group, close, new, seed)
            tests = [t for t in (found.within, found.across) if not isinstance(t, NotApplicable)]
            low[kind] += any(r.p_value <= 0.1 for t in tests for r in t)
    # Binomial(120, 0.1): more than 22 with probability 0.002.
    assert max(low.values()) <= 22


def test_a_new_prompt_is_drawn_as_a_prompt_whatever_clones_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty pairs of prompts that are clones of each other, with answers that resemble those to
    their own prompt: whole prompts at random give no more alarms than the level."""
    monkeypatch.setattr(paraphrases, "N_DRAWS", 499)
    rng = np.random.default_rng(6)
    prompt = np.repeat(np.arange(40), 8)
    close = rng.normal(size=320) + np.repeat(rng.exponential(3.0, size=40), 8)
    n_low = {"by prompt": 0, "by group": 0}
    for seed in range(120):
        new = np.isin(prompt, rng.choice(40, 5, replace=False))
        for name, own in (("by prompt", prompt), ("by group", None)):
            draws = np.random.default_rng(seed)
            parts = prompts_to_test(prompt // 2, new, draws, prompt=own)
            found = paraphrases.tested(_units(prompt // 2), close, new, parts, draws)
            tests = [t for t in (found.within, found.across) if not isinstance(t, NotApplicable)]
            n_low[name] += any(r.p_value <= 0.1 for t in tests for r in t)
    assert n_low["by prompt"] <= 22  # Binomial(120, 0.1): more with probability 0.002
    assert n_low["by group"] > 60  # what taking clones for one prompt calls


def test_copies_under_a_prompt_each_are_one_new_prompt() -> None:
    """Eight close answers, each to a clone of an old prompt, among 200 other prompts."""
    old = np.repeat(np.arange(200), 6)
    prompt = np.r_[old, 200 + np.arange(8)]
    group = np.r_[old, np.zeros(8, np.int64)]
    new = np.r_[np.zeros(old.size, bool), np.ones(8, bool)]
    close = np.r_[np.random.default_rng(0).normal(size=old.size), np.full(8, 9.0)]
    rng = np.random.default_rng(1)
    parts = prompts_to_test(group, new, rng, prompt=prompt)
    assert parts.fresh.sum() == 1
    found = paraphrases.tested(_units(group), close, new, parts, rng)
    assert not isinstance(found.across, NotApplicable)
    assert found.across[0].p_value == pytest.approx(1 / 201)
    assert found.across[0].new.tolist() == list(range(old.size, old.size + 8))
    assert (found.across[0].n_new, found.across[0].n_old) == (8, 6)
    assert isinstance(found.within, NotApplicable)


def test_retold_answer_is_found() -> None:
    records = invented()
    texts: list[str | None] = []
    group: list[int] = []
    new: list[bool] = []
    for k, r in enumerate(records):
        texts += [r["original"], *r["others"]]
        group += [k % 3] * 3
        new += [False] * 3
    for r in records[1:6]:
        texts.append(r["others"][0] + " Nothing more is known of it.")
        group.append(2)
        new.append(True)
    copies = [records[0][s] for s in ("light", "middle")]
    # A third telling: every other sentence of each.
    a, b = (c.split(". ") for c in copies)
    copies.append(". ".join(x if i % 2 else y for i, (x, y) in enumerate(zip(a, b, strict=False))))
    at = len(texts)
    texts += copies
    group += [0] * 3
    new += [True] * 3
    clones = find_clones(
        response_texts=texts,
        prompt_of=np.array(group),
        prompt_texts=["one", "two", "three"],
        rng=np.random.default_rng(0),
    )
    found = batch_paraphrases(
        texts, np.array(group), clones, np.array(new), None, np.random.default_rng(0)
    )
    assert not isinstance(found, NotApplicable)
    assert not isinstance(found.within, NotApplicable)
    told = found.within[0]
    assert set(told.new.tolist()) <= {at, at + 1, at + 2}
    assert (told.n_new, told.n_old) == (3, 30)
    assert told.p_value < 0.005
    again = batch_paraphrases(
        texts, np.array(group), clones, np.array(new), None, np.random.default_rng(0)
    )
    assert not isinstance(again, NotApplicable)
    assert not isinstance(again.within, NotApplicable)
    assert again.within[0].p_value == told.p_value


def test_says_why_not() -> None:
    rng = np.random.default_rng(0)
    none = batch_paraphrases([], np.zeros(0, np.int64), NotApplicable("no texts"),
                             np.zeros(0, np.bool_), None, rng)  # fmt: skip
    assert isinstance(none, NotApplicable)
    group = np.array([0, 0, 1, 1, 1])
    close = np.arange(5.0)
    found = _judged(group, close, np.array([True, True, False, False, False]))
    assert isinstance(found.within, NotApplicable)
    assert not isinstance(found.across, NotApplicable)
    found = _judged(group, close, np.ones(5, np.bool_))
    assert isinstance(found.across, NotApplicable)
